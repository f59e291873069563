// Process 1 of a slot: makes the slot's file tree, then, on command, kills all that a run left
// behind and gives the next run a clean scratch folder. It is never the program's parent, holds no
// secret, cannot be signalled or traced from within, and its death takes the whole slot along.
//
// Protocol: one InitCommand in, one InitReply out, over a SEQPACKET socket.
#pragma once

#include <cstdint>

#include "graders/code/helper/util.h"

namespace r1eval::helper {

struct InitCommand {
  char what = 'R';  // R: kill and clean; W: how much do the slot's processes use
  std::int64_t scratch_bytes = 0;
  std::int64_t scratch_inodes = 0;
  std::int64_t memory_bytes = 0;  // W: from here on pages that forks share are counted apart
};

struct InitReply {
  std::int32_t ok = 0;
  std::int32_t has_proc = 0;
  std::int32_t n_processes = 0;
  std::int64_t rss_bytes = 0;  // W: sum over processes
  std::int64_t wait_ns = 0;    // W: of the living, runnable without a processor
  std::int64_t cpu_ns = 0;     // W: of the living and of what they and init waited for
  char message[200] = {};
};

struct InitPlan {
  int socket = -1;         // to the supervisor
  int go = -1;             // one byte arrives when the id maps are written
  unsigned inner_uid = 0;  // 0 where two ids are mapped; else the one
  const char* headers = nullptr;
};

// Ids within a slot.
inline constexpr unsigned kProgramUid = 1000;

// Runs in the new namespaces; never returns.
[[noreturn]] void run_slot_init(const InitPlan& plan);

// Adds what one process uses. Resident pages that several forks share count for each of them,
// unless `is_exact`, which costs a walk over the page table. Used at level C as well.
void add_usage(int pid, bool is_exact, InitReply& total);

}  // namespace r1eval::helper
