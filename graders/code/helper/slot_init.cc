#include "graders/code/helper/slot_init.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace r1eval::helper {
namespace {

constexpr const char* kRoot = "/tmp";  // any folder that exists: a new file system covers it here

bool set_mount_flags(const char* path, bool recursive, std::uint64_t flags) {
  mount_attr attributes{};
  attributes.attr_set = flags;
  return syscall(SYS_mount_setattr, AT_FDCWD, path, recursive ? AT_RECURSIVE : 0, &attributes,
                 sizeof attributes) == 0;
}

// The host's `path`, read-only, at the same place below the new root. Absent ones are left out; a
// symbolic link (/lib -> usr/lib) is made again.
bool show(const char* path, Failure& failure) {
  struct stat status {};

  if (lstat(path, &status) != 0) {
    return true;
  }
  char target[512];
  std::snprintf(target, sizeof target, "%s%s", kRoot, path);
  // Folders on the way there.
  for (char* slash = std::strchr(target + std::strlen(kRoot) + 1, '/'); slash != nullptr;
       slash = std::strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(target, 0755);
    *slash = '/';
  }
  if (S_ISLNK(status.st_mode)) {
    char link[512];
    const ssize_t n = readlink(path, link, sizeof link - 1);
    if (n <= 0) {
      return failure.set_errno(path);
    }
    link[n] = '\0';
    return symlink(link, target) == 0 || failure.set_errno(target);
  }
  if (S_ISDIR(status.st_mode)) {
    mkdir(target, 0755);
  } else {
    const int fd = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
      return failure.set_errno(target);
    }
    close(fd);
  }
  if (mount(path, target, nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return failure.set_errno(path);
  }
  const bool is_device = S_ISCHR(status.st_mode);
  const std::uint64_t flags = is_device ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC
                                        : MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  return set_mount_flags(target, true, flags) || failure.set_errno("make a mount read-only");
}

bool write_file(const char* path, const char* text) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return false;
  }
  const bool ok = write(fd, text, std::strlen(text)) == static_cast<ssize_t>(std::strlen(text));
  close(fd);
  return ok;
}

struct Scratch {
  std::int64_t bytes = -1;
  std::int64_t inodes = -1;

  struct statfs clean {};
  struct stat folders[3] = {};  // of the root, tmp, shm, as they were made
};

constexpr const char* kScratchFolders[3] = {"/box/s", "/box/s/tmp", "/box/s/shm"};

class SlotInit {
 public:
  explicit SlotInit(const InitPlan& plan) : plan_(plan) {}

  bool set_up(Failure& failure) {
    char byte = 0;
    if (read(plan_.go, &byte, 1) != 1) {
      return failure.set("the supervisor ended before the slot began");
    }
    close(plan_.go);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int headers = open_headers();
    if (plan_.inner_uid == 0 && (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)) {
      return failure.set_errno("become the slot's own root");
    }
    if (plan_.inner_uid == 0) {
      (void)!syscall(SYS_setgroups, 0, nullptr);
    }
    prctl(PR_SET_DUMPABLE, 0);
    signal(SIGPIPE, SIG_IGN);
    umask(022);
    sethostname("sandbox", 7);
    return make_root(headers, failure);
  }

  [[noreturn]] void serve() {
    for (;;) {
      InitCommand command;
      const long n =
          receive_message(plan_.socket, &command, sizeof command, nullptr, 0, nullptr, 0);
      if (n != static_cast<long>(sizeof command)) {
        _exit(0);  // the supervisor is gone, and with this process the slot
      }
      InitReply reply;
      reply.has_proc = has_proc_ ? 1 : 0;
      Failure failure;
      if (command.what == 'W') {
        measure(command, reply);
        reply.ok = 1;
      } else {
        kill_all();
        remove_ipc();
        reply.ok = clean_scratch(command, failure) ? 1 : 0;
        std::memcpy(reply.message, failure.text, sizeof reply.message - 1);
      }
      send_message(plan_.socket, &reply, sizeof reply, nullptr, 0);
    }
  }

  bool has_proc() const { return has_proc_; }

 private:
  // Cloned while this process still has the outer user's rights: the cache may lie in a private
  // home.
  int open_headers() {
    if (plan_.headers == nullptr || *plan_.headers == '\0') {
      return -1;
    }
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return -1;
    }
    return static_cast<int>(
        syscall(SYS_open_tree, AT_FDCWD, plan_.headers, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  }

  bool make_root(int headers, Failure& failure) {
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return failure.set_errno("make mounts private");
    }
    if (mount("tmpfs", kRoot, "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,nr_inodes=512,mode=755") !=
        0) {
      return failure.set_errno("mount the slot's root");
    }
    // /usr/local and /opt stay out: what an administrator put there is not part of the runtime.
    for (const char* path : {"/usr/bin",
                             "/usr/lib",
                             "/usr/lib32",
                             "/usr/lib64",
                             "/usr/libx32",
                             "/usr/libexec",
                             "/usr/include",
                             "/usr/share/python3",
                             "/usr/share/zoneinfo",
                             "/usr/x86_64-linux-gnu",
                             "/bin",
                             "/lib",
                             "/lib32",
                             "/lib64",
                             "/libx32",
                             "/etc/ld.so.cache",
                             "/etc/alternatives",
                             "/dev/null",
                             "/dev/zero",
                             "/dev/full",
                             "/dev/urandom",
                             "/dev/random"}) {
      if (!show(path, failure)) {
        return false;
      }
    }
    const auto at = [](const char* name) {
      static char path[300];
      std::snprintf(path, sizeof path, "%s%s", kRoot, name);
      return path;
    };
    mkdir(at("/proc"), 0555);
    mkdir(at("/box"), 0755);
    mkdir(at("/box/s"), 0755);
    mkdir(at("/opt"), 0755);
    mkdir(at("/opt/r1eval"), 0755);
    mkdir(at("/var"), 0755);
    mkdir(at("/etc"), 0755);
    bool ok = symlink("box/s/tmp", at("/tmp")) == 0 && symlink("../box/s/tmp", at("/var/tmp")) == 0;
    ok = ok && symlink("../box/s/shm", at("/dev/shm")) == 0;
    ok = ok && symlink("/proc/self/fd", at("/dev/fd")) == 0;
    ok = ok && symlink("/proc/self/fd/0", at("/dev/stdin")) == 0;
    ok = ok && symlink("/proc/self/fd/1", at("/dev/stdout")) == 0;
    ok = ok && symlink("/proc/self/fd/2", at("/dev/stderr")) == 0;
    ok = ok && write_file(at("/etc/passwd"), "sandbox:x:1000:1000::/tmp:/bin/sh\n");
    ok = ok && write_file(at("/etc/group"), "sandbox:x:1000:\n");
    if (!ok) {
      return failure.set_errno("fill the slot's root");
    }
    if (headers >= 0) {
      const bool moved = syscall(SYS_move_mount, headers, "", AT_FDCWD, at("/opt/r1eval"),
                                 MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
                         set_mount_flags(at("/opt/r1eval"), true,
                                         MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
      close(headers);
      if (!moved) {
        return failure.set_errno("show the precompiled header");
      }
    }
    const unsigned long proc_flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
    has_proc_ = mount("proc", at("/proc"), "proc", proc_flags, "subset=pid,hidepid=invisible") == 0;
    if (chdir(kRoot) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
        umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
      return failure.set_errno("enter the slot's root");
    }
    if (!set_mount_flags("/", false, MOUNT_ATTR_RDONLY)) {
      return failure.set_errno("make the slot's root read-only");
    }
    InitCommand command;
    command.scratch_bytes = 16 << 20;
    command.scratch_inodes = 256;
    return clean_scratch(command, failure);
  }

  // kill(-1) reaches every process of the namespace but this one, atomically against fork. Then all
  // are waited for: orphans here, the main process by its fork server.
  void kill_all() {
    for (int round = 0;; ++round) {
      kill(-1, SIGKILL);
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      if (kill(-1, 0) != 0 && errno == ESRCH) {
        return;
      }
      const timespec pause{0, round < 20 ? 100'000 : 1'000'000};
      nanosleep(&pause, nullptr);
    }
  }

  // System V objects outlive their makers; this namespace's are removed by hand, as a new namespace
  // a run would cost more.
  void remove_ipc() {
    struct shm_info shm {};

    const int last_shm = shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&shm));
    for (int i = 0; shm.used_ids > 0 && i <= last_shm; ++i) {
      shmid_ds status{};
      const int id = shmctl(i, SHM_STAT, &status);
      if (id >= 0) {
        shmctl(id, IPC_RMID, nullptr);
      }
    }
    seminfo sem{};
    const int last_sem = semctl(0, 0, SEM_INFO, &sem);
    for (int i = 0; sem.semusz > 0 && i <= last_sem; ++i) {
      semid_ds status{};
      const int id = semctl(i, 0, SEM_STAT, &status);
      if (id >= 0) {
        semctl(id, 0, IPC_RMID);
      }
    }
    msginfo msg{};
    const int last_msg = msgctl(0, MSG_INFO, reinterpret_cast<msqid_ds*>(&msg));
    for (int i = 0; msg.msgpool > 0 && i <= last_msg; ++i) {
      msqid_ds status{};
      const int id = msgctl(i, MSG_STAT, &status);
      if (id >= 0) {
        msgctl(id, IPC_RMID, nullptr);
      }
    }
  }

  bool is_scratch_clean(const InitCommand& command) const {
    if (command.scratch_bytes != scratch_.bytes || command.scratch_inodes != scratch_.inodes) {
      return false;
    }

    struct statfs now {};

    if (statfs(kScratchFolders[0], &now) != 0 || now.f_bfree != scratch_.clean.f_bfree ||
        now.f_ffree != scratch_.clean.f_ffree) {
      return false;
    }
    for (int i = 0; i < 3; ++i) {
      struct stat status {};

      const struct stat& made = scratch_.folders[i];
      if (lstat(kScratchFolders[i], &status) != 0 || status.st_mode != made.st_mode ||
          status.st_uid != made.st_uid || status.st_nlink != made.st_nlink ||
          std::memcmp(&status.st_ctim, &made.st_ctim, sizeof status.st_ctim) != 0 ||
          llistxattr(kScratchFolders[i], nullptr, 0) > 0) {
        return false;
      }
    }
    return true;
  }

  // A new file system for the next run, unless the last one left this one as it found it.
  bool clean_scratch(const InitCommand& command, Failure& failure) {
    if (is_scratch_clean(command)) {
      return true;
    }
    if (scratch_.bytes >= 0 && umount2(kScratchFolders[0], MNT_DETACH) != 0) {
      return failure.set_errno("remove the scratch folder");
    }
    char options[200];
    std::snprintf(options, sizeof options, "size=%lld,nr_inodes=%lld,mode=755",
                  static_cast<long long>(command.scratch_bytes),
                  static_cast<long long>(command.scratch_inodes + 4));
    if (mount("tmpfs", kScratchFolders[0], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) !=
        0) {
      return failure.set_errno("mount the scratch folder");
    }
    scratch_.bytes = command.scratch_bytes;
    scratch_.inodes = command.scratch_inodes;
    for (int i = 1; i < 3; ++i) {
      if (mkdir(kScratchFolders[i], 0755) != 0 || chmod(kScratchFolders[i], 01777) != 0) {
        return failure.set_errno("make the scratch folders");
      }
    }
    statfs(kScratchFolders[0], &scratch_.clean);
    for (int i = 0; i < 3; ++i) {
      lstat(kScratchFolders[i], &scratch_.folders[i]);
    }
    return true;
  }

  void measure(const InitCommand& command, InitReply& reply) {
    rusage reaped{};
    getrusage(RUSAGE_CHILDREN, &reaped);
    const std::int64_t reaped_ns =
        (reaped.ru_utime.tv_sec + reaped.ru_stime.tv_sec) * 1'000'000'000ll +
        (reaped.ru_utime.tv_usec + reaped.ru_stime.tv_usec) * 1000ll;
    for (const bool is_exact : {false, true}) {
      reply.cpu_ns = reaped_ns;
      reply.rss_bytes = 0;
      reply.wait_ns = 0;
      reply.n_processes = 0;
      DIR* dir = has_proc_ ? opendir("/proc") : nullptr;
      if (dir == nullptr) {
        return;
      }
      while (const dirent* entry = readdir(dir)) {
        const int pid = std::atoi(entry->d_name);
        if (pid > 1) {
          ++reply.n_processes;
          add_usage(pid, is_exact, reply);
        }
      }
      closedir(dir);
      if (reply.rss_bytes <= command.memory_bytes) {
        return;
      }
    }
  }

  InitPlan plan_;
  Scratch scratch_;
  bool has_proc_ = false;
};

}  // namespace

void add_usage(int pid, bool is_exact, InitReply& total) {
  char path[64];
  char text[2048];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  if (read_text(path, text, sizeof text) > 0) {
    // The name in parentheses may hold anything; fields are counted after the last parenthesis.
    const char* after = std::strrchr(text, ')');
    unsigned long long times[4] = {};
    if (after != nullptr &&
        std::sscanf(after + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %llu %llu",
                    &times[0], &times[1], &times[2], &times[3]) == 4) {
      static const long ticks = sysconf(_SC_CLK_TCK);
      total.cpu_ns += static_cast<std::int64_t>(times[0] + times[1] + times[2] + times[3]) *
                      (1'000'000'000ll / ticks);
    }
  }
  long long waited = 0;
  std::snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
  if (read_text(path, text, sizeof text) > 0 && std::sscanf(text, "%*s %lld", &waited) == 1) {
    total.wait_ns += waited;
  }
  std::snprintf(path, sizeof path, "/proc/%d/%s", pid, is_exact ? "smaps_rollup" : "statm");
  if (read_text(path, text, sizeof text) > 0) {
    long long pages = 0;
    const char* pss = is_exact ? std::strstr(text, "\nPss:") : nullptr;
    if (pss != nullptr) {
      total.rss_bytes += std::atoll(pss + 5) * 1024;
    } else if (!is_exact && std::sscanf(text, "%*s %lld", &pages) == 1) {
      total.rss_bytes += pages * 4096;
    }
  }
}

void run_slot_init(const InitPlan& given) {
  // Nothing of the supervisor's stays open here but the two ways to it.
  InitPlan plan = given;
  const int socket = fcntl(given.socket, F_DUPFD, 20);
  const int go = fcntl(given.go, F_DUPFD, 20);
  plan.socket = dup2(socket, 3);
  plan.go = dup2(go, 4);
  close_all_from(5);
  SlotInit init(plan);
  Failure failure;
  InitReply reply;
  reply.ok = init.set_up(failure) ? 1 : 0;
  reply.has_proc = init.has_proc() ? 1 : 0;
  std::memcpy(reply.message, failure.text, sizeof reply.message - 1);
  send_message(plan.socket, &reply, sizeof reply, nullptr, 0);
  if (reply.ok == 0) {
    _exit(1);
  }
  init.serve();
}

}  // namespace r1eval::helper
