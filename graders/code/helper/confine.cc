#include "graders/code/helper/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

namespace r1eval::helper {
namespace {

// What the installed kernel headers may not know yet.
constexpr std::uint64_t kFsRefer = 1ull << 13;
constexpr std::uint64_t kFsTruncate = 1ull << 14;
constexpr std::uint64_t kFsIoctlDev = 1ull << 15;
constexpr std::uint64_t kNetBindConnect = 3;
constexpr std::uint64_t kScopeAbstractUnix = 1;
constexpr std::uint64_t kScopeSignal = 2;

struct Ruleset {
  std::uint64_t fs = 0;
  std::uint64_t net = 0;
  std::uint64_t scoped = 0;
};

int create_ruleset(const Ruleset& ruleset, int abi) {
  const std::size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  return static_cast<int>(syscall(SYS_landlock_create_ruleset, &ruleset, size, 0));
}

// A path that does not exist needs no rule.
bool allow_beneath(int ruleset, const char* path, std::uint64_t access, std::uint64_t handled,
                   Failure& failure) {
  const int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) {
    return true;
  }

  struct stat status {};

  if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode)) {
    access &= LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
              LANDLOCK_ACCESS_FS_READ_FILE | kFsTruncate | kFsIoctlDev;
  }
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access & handled;
  rule.parent_fd = fd;
  const long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  const int saved = errno;
  close(fd);
  errno = saved;
  return result == 0 || failure.set_errno(path);
}

bool add_rules(scmp_filter_ctx filter, std::uint32_t action, std::initializer_list<int> calls) {
  for (const int call : calls) {
    // Calls that an architecture lacks have negative pseudo numbers; they are nothing to forbid.
    if (call >= 0 && seccomp_rule_add(filter, action, call, 0) != 0) {
      return false;
    }
  }
  return true;
}

bool fill_filter(scmp_filter_ctx filter) {
  const std::uint32_t kill = SCMP_ACT_KILL_PROCESS;
  // clang-format off
  bool ok = add_rules(filter, kill, {
      SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
      SCMP_SYS(process_madvise), SCMP_SYS(pidfd_getfd),
      SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
      SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
      SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(open_tree),
      SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount),
      SCMP_SYS(fspick), SCMP_SYS(mount_setattr),
      SCMP_SYS(unshare), SCMP_SYS(setns),
      SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
      SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
      SCMP_SYS(swapon), SCMP_SYS(swapoff),
      SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex), SCMP_SYS(clock_adjtime),
      SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
      SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
      SCMP_SYS(iopl), SCMP_SYS(ioperm),
      SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at),
      SCMP_SYS(fanotify_init), SCMP_SYS(fanotify_mark),
      SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(quotactl_fd), SCMP_SYS(lookup_dcookie),
      SCMP_SYS(nfsservctl), SCMP_SYS(vserver), SCMP_SYS(_sysctl), SCMP_SYS(uselib),
      SCMP_SYS(modify_ldt), SCMP_SYS(vm86), SCMP_SYS(vm86old),
  });
  // Not in this libseccomp's tables: statmount, listmount, the three lsm_* calls.
  for (const int call : {457, 458, 459, 460, 461}) {
    ok = ok && seccomp_rule_add(filter, kill, call, 0) == 0;
  }
  // Namespaces by clone; clone3 hides its flags behind a pointer, so libc must fall back.
  for (const std::uint64_t flag :
       {0x10000000ull, 0x20000ull, 0x20000000ull, 0x8000000ull, 0x4000000ull, 0x40000000ull,
        0x2000000ull}) {
    ok = ok && seccomp_rule_add(filter, kill, SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)) == 0;
  }
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
  ok = ok && seccomp_rule_add(filter, kill, SCMP_SYS(personality), 1,
                              SCMP_A0(SCMP_CMP_NE, 0xffffffff)) == 0;
  // Sockets: only a pair of local ones.
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket), 0) == 0;
  ok = ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socketpair), 1,
                              SCMP_A0(SCMP_CMP_NE, 1)) == 0;
  // Keystrokes into a terminal, and the console's own clipboard.
  for (const std::uint64_t request : {0x5412ull, 0x541cull}) {
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffull, request)) == 0;
  }
  ok = ok && add_rules(filter, SCMP_ACT_ERRNO(EPERM), {
      SCMP_SYS(setpriority), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_setparam),
      SCMP_SYS(sched_setattr), SCMP_SYS(ioprio_set), SCMP_SYS(syslog), SCMP_SYS(vhangup),
      SCMP_SYS(chroot), SCMP_SYS(migrate_pages), SCMP_SYS(move_pages), SCMP_SYS(mbind),
      SCMP_SYS(set_mempolicy),
  });
  // clang-format on
  return ok;
}

}  // namespace

bool install_seccomp(bool has_ipc_namespace, Failure& failure) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) {
    return failure.set("seccomp: no memory for the filter");
  }
  // A foreign architecture, and the x32 numbers, never come from an honest program.
  bool ok = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
  ok = ok && seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0;
  (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a search tree; absence is fine
  ok = ok && fill_filter(filter);
  if (!has_ipc_namespace) {
    ok = ok && add_rules(filter, SCMP_ACT_ERRNO(EACCES),
                         {SCMP_SYS(shmget), SCMP_SYS(semget), SCMP_SYS(msgget), SCMP_SYS(mq_open)});
  }
  int loaded = -EINVAL;
  if (ok) {
    loaded = seccomp_load(filter);
  }
  seccomp_release(filter);
  if (loaded != 0) {
    errno = -loaded;
    return failure.set_errno(ok ? "seccomp: load the filter" : "seccomp: build the filter");
  }
  return true;
}

int landlock_abi() {
  const long abi =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

bool install_landlock(const LandlockView& view, Failure& failure) {
  const int abi = landlock_abi();
  if (abi <= 0) {
    return failure.set("Landlock: not in this kernel");
  }
  Ruleset ruleset;
  ruleset.fs = (1ull << 13) - 1;
  ruleset.fs |= abi >= 2 ? kFsRefer : 0;
  ruleset.fs |= abi >= 3 ? kFsTruncate : 0;
  ruleset.fs |= abi >= 5 ? kFsIoctlDev : 0;
  ruleset.net = abi >= 4 ? kNetBindConnect : 0;
  ruleset.scoped = abi >= 6 ? kScopeAbstractUnix | kScopeSignal : 0;
  const int fd = create_ruleset(ruleset, abi);
  if (fd < 0) {
    return failure.set_errno("Landlock: create the ruleset");
  }
  const std::uint64_t read =
      LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  const std::uint64_t devices =
      LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kFsTruncate | kFsIoctlDev;
  const std::uint64_t all = ~(static_cast<std::uint64_t>(LANDLOCK_ACCESS_FS_MAKE_CHAR) |
                              LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_EXECUTE);
  bool ok = true;
  if (view.has_own_root) {
    ok = allow_beneath(fd, "/", read, ruleset.fs, failure);
  } else {
    for (const char* path : {"/usr/bin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/include",
                             "/usr/share/zoneinfo", "/usr/share/python3", "/bin", "/lib", "/lib64",
                             "/etc/ld.so.cache", "/etc/alternatives"}) {
      ok = ok && allow_beneath(fd, path, read, ruleset.fs, failure);
    }
    if (view.headers != nullptr && *view.headers != '\0') {
      ok = ok && allow_beneath(fd, view.headers, read, ruleset.fs, failure);
    }
  }
  for (const char* path : {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/random"}) {
    ok = ok && allow_beneath(fd, path, devices, ruleset.fs, failure);
  }
  ok = ok && allow_beneath(fd, view.writable, all, ruleset.fs, failure);
  if (ok && syscall(SYS_landlock_restrict_self, fd, 0) != 0) {
    ok = failure.set_errno("Landlock: restrict");
  }
  close(fd);
  return ok;
}

int make_signal_ruleset() {
  const int abi = landlock_abi();
  if (abi < 6) {
    return -1;
  }
  Ruleset ruleset;
  ruleset.scoped = kScopeSignal;
  return create_ruleset(ruleset, abi);
}

bool drop_bounding_set(Failure& failure) {
  for (unsigned long capability = 0; capability <= 63; ++capability) {
    if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1 &&
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EPERM) {
      return failure.set_errno("drop the bounding set");
    }
  }
  return true;
}

bool drop_capabilities(Failure& failure) {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capset, &header, data) != 0) {
    return failure.set_errno("drop capabilities");
  }
  return true;
}

bool set_fixed_rlimits(const FixedRlimits& limits, Failure& failure) {
  const auto set = [&failure](auto which, std::int64_t soft, const char* name) {
    rlimit old{};
    getrlimit(which, &old);
    rlim_t value = static_cast<rlim_t>(soft);
    if (old.rlim_max != RLIM_INFINITY && value > old.rlim_max) {
      value = old.rlim_max;
    }
    const rlimit limit{value, value};
    return setrlimit(which, &limit) == 0 || failure.set_errno(name);
  };
  bool ok = set(RLIMIT_CORE, 0, "RLIMIT_CORE") && set(RLIMIT_MEMLOCK, 0, "RLIMIT_MEMLOCK") &&
            set(RLIMIT_MSGQUEUE, 0, "RLIMIT_MSGQUEUE") && set(RLIMIT_NICE, 0, "RLIMIT_NICE") &&
            set(RLIMIT_RTPRIO, 0, "RLIMIT_RTPRIO") &&
            set(RLIMIT_SIGPENDING, 1024, "RLIMIT_SIGPENDING") &&
            set(RLIMIT_NOFILE, limits.nofile, "RLIMIT_NOFILE") &&
            set(RLIMIT_STACK, limits.stack_bytes, "RLIMIT_STACK");
  if (ok && limits.nproc > 0) {
    ok = set(RLIMIT_NPROC, limits.nproc, "RLIMIT_NPROC");
  }
  return ok;
}

}  // namespace r1eval::helper
