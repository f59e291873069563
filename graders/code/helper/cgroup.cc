#include "graders/code/helper/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace r1eval::helper {
namespace {

// Where a controller's hierarchy is mounted and which group of it is this process's.
struct Hierarchy {
  char mount[256] = {};
  char own[512] = {};
  bool found = false;
};

bool has_word(const char* list, const char* word, const char* separators) {
  char copy[1024];
  std::snprintf(copy, sizeof copy, "%s", list);
  char* state = nullptr;
  for (char* part = strtok_r(copy, separators, &state); part != nullptr;
       part = strtok_r(nullptr, separators, &state)) {
    if (std::strcmp(part, word) == 0) {
      return true;
    }
  }
  return false;
}

// `controller` null: the version 2 hierarchy.
Hierarchy find_hierarchy(const char* controller, const char* mounts, const char* own_groups) {
  Hierarchy result;
  static char text[1 << 16];
  if (read_text(mounts, text, sizeof text) < 0) {
    return result;
  }
  char* state = nullptr;
  for (char* line = strtok_r(text, "\n", &state); line != nullptr;
       line = strtok_r(nullptr, "\n", &state)) {
    char mount[256];
    char type[64];
    char super[512];
    const char* dash = std::strstr(line, " - ");
    if (dash == nullptr || std::sscanf(line, "%*s %*s %*s %*s %255s", mount) != 1 ||
        std::sscanf(dash, " - %63s %*s %511s", type, super) != 2) {
      continue;
    }
    const bool matches = controller == nullptr
                             ? std::strcmp(type, "cgroup2") == 0
                             : std::strcmp(type, "cgroup") == 0 && has_word(super, controller, ",");
    if (matches) {
      std::snprintf(result.mount, sizeof result.mount, "%s", mount);
      result.found = true;
      break;
    }
  }
  if (!result.found || read_text(own_groups, text, sizeof text) < 0) {
    return result;
  }
  state = nullptr;
  for (char* line = strtok_r(text, "\n", &state); line != nullptr;
       line = strtok_r(nullptr, "\n", &state)) {
    char* first = std::strchr(line, ':');
    char* second = first == nullptr ? nullptr : std::strchr(first + 1, ':');
    if (second == nullptr) {
      continue;
    }
    *second = '\0';
    const char* names = first + 1;
    if (controller == nullptr ? *names == '\0' : has_word(names, controller, ",")) {
      std::snprintf(result.own, sizeof result.own, "%s", second + 1);
    }
  }

  struct stat status {};

  char whole[800];
  std::snprintf(whole, sizeof whole, "%s%s", result.mount, result.own);
  if (stat(whole, &status) != 0 || std::strcmp(result.own, "/") == 0) {
    result.own[0] = '\0';  // a namespace shows another path than the mount has: use its root
  }
  return result;
}

int open_in(int dir, const char* name, int flags) {
  return openat(dir, name, flags | O_CLOEXEC);
}

std::int64_t field_of(int fd, const char* key) {
  char text[1024];
  const ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
  if (n <= 0) {
    return -1;
  }
  text[n] = '\0';
  const std::size_t length = std::strlen(key);
  for (const char* line = text; line != nullptr;) {
    if (std::strncmp(line, key, length) == 0 && line[length] == ' ') {
      return std::atoll(line + length + 1);
    }
    line = std::strchr(line, '\n');
    line = line == nullptr ? nullptr : line + 1;
  }
  return -1;
}

}  // namespace

void remove_stale_groups(const char* mount_and_own) {
  DIR* dir = opendir(mount_and_own);
  if (dir == nullptr) {
    return;
  }
  while (const dirent* entry = readdir(dir)) {
    long pid = 0;
    char process[64];
    if (std::sscanf(entry->d_name, "r1eval-%ld", &pid) != 1) {
      continue;
    }
    std::snprintf(process, sizeof process, "/proc/%ld", pid);
    if (access(process, F_OK) != 0) {
      unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
  }
  closedir(dir);
}

bool SlotCgroup::make(Group& group, const char* mount, const char* own, const char* name) {
  char parent[800];
  std::snprintf(parent, sizeof parent, "%s%s", mount, own);
  remove_stale_groups(parent);
  std::snprintf(group.path, sizeof group.path, "%.250s%.200s/%s", mount, own, name);
  if (mkdir(group.path, 0755) != 0 && errno != EEXIST) {
    return false;
  }
  group.dir = ::open(group.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  // A group that may be made but not entered is of no use.
  if (group.dir < 0 || faccessat(group.dir, "cgroup.procs", W_OK, 0) != 0) {
    const int saved = errno;
    rmdir(group.path);
    if (group.dir >= 0) {
      ::close(group.dir);
      group.dir = -1;
    }
    errno = saved;
    return false;
  }
  return true;
}

void SlotCgroup::open(const char* name, Failure& failure, const char* mounts,
                      const char* own_groups) {
  const auto open_v1 = [&](const char* controller, Group& group) {
    const Hierarchy hierarchy = find_hierarchy(controller, mounts, own_groups);
    if (!hierarchy.found) {
      return false;
    }
    if (!make(group, hierarchy.mount, hierarchy.own, name)) {
      failure.set_errno(controller);
      return false;
    }
    return true;
  };
  const bool memory_v1 = open_v1("memory", memory_);
  const bool pids_v1 = open_v1("pids", pids_);
  const Hierarchy v2 = find_hierarchy(nullptr, mounts, own_groups);
  if (v2.found) {
    open_v2(v2.mount, v2.own, name, !memory_v1, !pids_v1, true, failure);
  }
  if (!has_cpu()) {
    open_v1("cpuacct", cpu_);
  }
  if (has_memory()) {
    const bool is_v2 = memory_.is_v2;
    usage_ = open_in(memory_.dir, is_v2 ? "memory.current" : "memory.usage_in_bytes", O_RDONLY);
    peak_ = open_in(memory_.dir, is_v2 ? "memory.peak" : "memory.max_usage_in_bytes", O_RDWR);
    if (peak_ < 0) {
      peak_ = open_in(memory_.dir, is_v2 ? "memory.peak" : "memory.max_usage_in_bytes", O_RDONLY);
    }
    events_ = open_in(memory_.dir, is_v2 ? "memory.events" : "memory.oom_control", O_RDONLY);
  }
  if (has_pids()) {
    pids_file_ = open_in(pids_.dir, "pids.current", O_RDONLY);
  }
  if (has_cpu()) {
    cpu_file_ = open_in(cpu_.dir, cpu_.is_v2 ? "cpu.stat" : "cpuacct.usage", O_RDONLY);
  }
  if (unified_.dir >= 0) {
    pressure_ = open_in(unified_.dir, "cpu.pressure", O_RDONLY);
  }
}

// In version 2 a group with processes of its own cannot hand controllers to groups beneath it, so a
// sibling of this process's group is tried as well.
void SlotCgroup::open_v2(const char* mount, const char* own, const char* name, bool want_memory,
                         bool want_pids, bool want_cpu, Failure& failure) {
  char parent[512];
  std::snprintf(parent, sizeof parent, "%s", own);
  for (int attempt = 0; attempt < 2; ++attempt) {
    char base[800];
    std::snprintf(base, sizeof base, "%s%s/", mount, parent);
    char controllers[512] = {};
    char path[900];
    std::snprintf(path, sizeof path, "%scgroup.controllers", base);
    read_text(path, controllers, sizeof controllers);
    const bool memory = want_memory && has_word(controllers, "memory", " \n");
    const bool pids = want_pids && has_word(controllers, "pids", " \n");
    char enabled[512] = {};
    std::snprintf(path, sizeof path, "%scgroup.subtree_control", base);
    read_text(path, enabled, sizeof enabled);
    bool usable = true;
    if (memory && !has_word(enabled, "memory", " \n")) {
      usable = write_text(path, "+memory") && usable;
    }
    if (pids && !has_word(enabled, "pids", " \n")) {
      usable = write_text(path, "+pids") && usable;
    }
    if (usable && make(unified_, mount, parent, name)) {
      unified_.is_v2 = true;
      if (memory) {
        memory_ = unified_;
      }
      if (pids) {
        pids_ = unified_;
      }
      if (want_cpu) {
        cpu_ = unified_;
      }
      return;
    }
    failure.set_errno("cgroup2");
    char* slash = std::strrchr(parent, '/');
    if (slash == nullptr) {
      return;
    }
    *slash = '\0';
  }
}

void SlotCgroup::close() {
  for (int* fd : {&usage_, &peak_, &events_, &cpu_file_, &pids_file_, &pressure_}) {
    if (*fd >= 0) {
      ::close(*fd);
      *fd = -1;
    }
  }
  // The same version 2 group may stand for several controllers.
  for (Group* group : {&memory_, &pids_, &cpu_, &unified_}) {
    if (group->dir < 0) {
      continue;
    }
    for (int attempt = 0; attempt < 200 && rmdir(group->path) != 0 && errno == EBUSY; ++attempt) {
      usleep(2000);  // dead processes leave a group a moment after they were waited for
    }
  }
  int closed = -1;
  for (Group* group : {&memory_, &pids_, &cpu_, &unified_}) {
    if (group->dir >= 0 && group->dir != closed) {
      if (group->dir == unified_.dir) {
        closed = group->dir;
      }
      ::close(group->dir);
    }
    group->dir = -1;
  }
}

bool SlotCgroup::enter(pid_t pid, Failure& failure) {
  char text[32];
  std::snprintf(text, sizeof text, "%d", static_cast<int>(pid));
  for (Group* group : {&memory_, &pids_, &cpu_, &unified_}) {
    if (group->dir >= 0 && !write_text_at(group->dir, "cgroup.procs", text)) {
      return failure.set_errno(group->path);
    }
  }
  return true;
}

std::int64_t SlotCgroup::read_number(int fd) {
  char text[64];
  const ssize_t n = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);
  if (n <= 0) {
    return -1;
  }
  text[n] = '\0';
  return std::atoll(text);
}

SlotCgroup::Counts SlotCgroup::count() {
  Counts counts;
  counts.cpu_ns = cpu_ns();
  counts.oom_kills = oom_kills();
  counts.waiting_us = waiting_us();
  if (peak_ >= 0 && pwrite(peak_, "0", 1, 0) < 0) {
    // Version 2 before 6.12 has no reset; the peak is then the group's, not the run's.
  }
  return counts;
}

bool SlotCgroup::prepare(std::int64_t memory_bytes, std::int64_t pids, Failure& failure) {
  char text[64];
  if (has_memory()) {
    base_ = read_number(usage_);
    // Limits are set again only when they must move, in steps of 1 MiB: each write costs.
    const std::int64_t step = 1 << 20;
    const std::int64_t limit = (base_ + memory_bytes + step - 1) / step * step;
    if (limit != set_memory_) {
      std::snprintf(text, sizeof text, "%lld", static_cast<long long>(limit));
      if (memory_.is_v2) {
        write_text_at(memory_.dir, "memory.swap.max", "0");
        if (!write_text_at(memory_.dir, "memory.max", text)) {
          return failure.set_errno("memory.max");
        }
        write_text_at(memory_.dir, "memory.oom.group", "0");
      } else {
        // memory <= memory+swap must hold at every moment: open the outer one before moving the
        // inner.
        const bool has_swap = faccessat(memory_.dir, "memory.memsw.limit_in_bytes", W_OK, 0) == 0;
        if (has_swap) {
          write_text_at(memory_.dir, "memory.memsw.limit_in_bytes", "-1");
        }
        if (!write_text_at(memory_.dir, "memory.limit_in_bytes", text)) {
          return failure.set_errno("memory.limit_in_bytes");
        }
        if (has_swap && !write_text_at(memory_.dir, "memory.memsw.limit_in_bytes", text)) {
          return failure.set_errno("memory.memsw.limit_in_bytes");
        }
      }
      char back[64] = {};
      const int fd =
          open_in(memory_.dir, memory_.is_v2 ? "memory.max" : "memory.limit_in_bytes", O_RDONLY);
      const std::int64_t read_back = read_number(fd);
      if (fd >= 0) {
        ::close(fd);
      }
      (void)back;
      if (read_back != limit) {
        return failure.set("memory limit: wrote %lld, read back %lld",
                           static_cast<long long>(limit), static_cast<long long>(read_back));
      }
      set_memory_ = limit;
    }
  }
  if (has_pids() && pids != set_pids_) {
    std::snprintf(text, sizeof text, "%lld", static_cast<long long>(pids));
    if (!write_text_at(pids_.dir, "pids.max", text)) {
      return failure.set_errno("pids.max");
    }
    set_pids_ = pids;
  }
  return true;
}

std::int64_t SlotCgroup::cpu_ns() {
  if (!has_cpu()) {
    return 0;
  }
  return cpu_.is_v2 ? field_of(cpu_file_, "usage_usec") * 1000 : read_number(cpu_file_);
}

std::int64_t SlotCgroup::peak_bytes() {
  const std::int64_t peak = read_number(peak_);
  return peak > base_ ? peak - base_ : 0;
}

std::uint32_t SlotCgroup::oom_kills() {
  const std::int64_t n = field_of(events_, "oom_kill");
  return n < 0 ? 0 : static_cast<std::uint32_t>(n);
}

std::int64_t SlotCgroup::n_processes() {
  return has_pids() ? read_number(pids_file_) : -1;
}

std::int64_t SlotCgroup::waiting_us() {
  char text[512];
  const ssize_t n = pressure_ < 0 ? -1 : pread(pressure_, text, sizeof text - 1, 0);
  if (n <= 0) {
    return -1;
  }
  text[n] = '\0';
  const char* total = std::strstr(text, "total=");
  return total == nullptr ? -1 : std::atoll(total + 6);
}

}  // namespace r1eval::helper
