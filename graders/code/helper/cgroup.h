// A slot's control groups, version 1, 2 or a mix chosen per controller.
//
// The fork servers live in the slot's group and programs are born into it, so that a run moves no
// process between groups (which costs more than a fork, with rare tails of milliseconds). What the
// servers themselves hold is measured before a run and added to its limit.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "graders/code/helper/util.h"

namespace r1eval::helper {

class SlotCgroup {
 public:
  // Makes the groups beside or beneath this process's own. `name` is unique on the machine. Which
  // controllers could be had, say the has_*() calls; failure says why for the first that could not.
  // The two files say where hierarchies are mounted and which groups are this process's own.
  void open(const char* name, Failure& failure, const char* mounts = "/proc/self/mountinfo",
            const char* own_groups = "/proc/self/cgroup");
  void close();  // the groups must be empty

  bool has_memory() const { return memory_.dir >= 0; }

  bool has_pids() const { return pids_.dir >= 0; }

  bool has_cpu() const { return cpu_.dir >= 0; }

  bool is_complete() const { return has_memory() && has_pids() && has_cpu(); }

  // Moves the calling process (or `pid`) in.
  bool enter(pid_t pid, Failure& failure);

  // What the counts are while no program runs.
  struct Counts {
    std::int64_t cpu_ns = 0;
    std::int64_t waiting_us = -1;
    std::uint32_t oom_kills = 0;
  };

  // Reads them, and sets the peak back. To be called between runs.
  Counts count();

  // Limits for the next run, on top of what is used now by the fork servers.
  bool prepare(std::int64_t memory_bytes, std::int64_t pids, Failure& failure);

  std::int64_t cpu_ns();       // of everything that ever ran in the group
  std::int64_t peak_bytes();   // since count(), without what was used at prepare()
  std::uint32_t oom_kills();   // ever
  std::int64_t n_processes();  // in the group now
  std::int64_t waiting_us();   // time in which some task waited for a processor; -1 unknown

 private:
  struct Group {
    int dir = -1;
    bool is_v2 = false;
    char path[512] = {};
  };

  bool make(Group& group, const char* mount, const char* own, const char* name);
  void open_v2(const char* mount, const char* own, const char* name, bool want_memory,
               bool want_pids, bool want_cpu, Failure& failure);
  std::int64_t read_number(int fd);

  Group memory_, pids_, cpu_;
  Group unified_;  // the v2 group, whatever it is used for
  int usage_ = -1, peak_ = -1, events_ = -1, cpu_file_ = -1, pids_file_ = -1, pressure_ = -1;
  std::int64_t base_ = 0;
  std::int64_t set_memory_ = -1, set_pids_ = -1;
};

// Removes groups that supervisors which no longer live left behind.
void remove_stale_groups(const char* mount_and_own);

}  // namespace r1eval::helper
