// Layers that a process puts on itself and its children inherit for good: capabilities, rlimits,
// no_new_privs, Landlock, seccomp. The fork servers wear them before they run their first line, so
// a program's fork pays nothing for them.
#pragma once

#include <cstdint>

#include "graders/code/helper/util.h"

namespace r1eval::helper {

// The system call filter, in three classes: killing (what only an attack does), refusing (what a
// careless program may try), allowing (the rest). Without an ipc namespace System V objects, which
// outlive their makers, are refused too. false: `failure` says why.
bool install_seccomp(bool has_ipc_namespace, Failure& failure);

// 0 where the kernel has none; else Landlock's ABI version.
int landlock_abi();

struct LandlockView {
  // In a slot with its own root the whole root may be read and `writable` written; without one,
  // only the listed host paths may be read.
  bool has_own_root = false;
  const char* writable = nullptr;
  const char* headers = nullptr;  // or nullptr
};

// Restricts the calling process. Needs no_new_privs.
bool install_landlock(const LandlockView& view, Failure& failure);

// A ruleset that forbids signals to processes outside of the process that wears it (ABI 6), or -1.
int make_signal_ruleset();

// Drops every capability from the bounding set (while the right to do so is there), so that no exec
// brings one back; then, as the last step, from all other sets.
bool drop_bounding_set(Failure& failure);
bool drop_capabilities(Failure& failure);

struct FixedRlimits {
  std::int64_t stack_bytes = 0;
  std::int64_t nproc = 0;  // 0: not limited here
  std::int64_t nofile = 256;
};

bool set_fixed_rlimits(const FixedRlimits& limits, Failure& failure);

}  // namespace r1eval::helper
