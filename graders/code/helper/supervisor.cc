#include "graders/code/helper/supervisor.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "graders/code/helper/confine.h"

namespace r1eval::helper {
namespace {

constexpr std::uint64_t kNamespaceFlags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
                                          CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET |
                                          CLONE_NEWCGROUP;

pid_t fork_with(std::uint64_t flags) {
  return static_cast<pid_t>(syscall(SYS_clone, static_cast<unsigned long>(flags | SIGCHLD), nullptr,
                                    nullptr, nullptr, 0));
}

bool write_map(pid_t pid, const char* name, const char* text) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/%s", static_cast<int>(pid), name);
  return write_text(path, text);
}

}  // namespace

int Supervisor::main_loop() {
  Failure failure;
  wire::Config config;
  wire::Ready ready;
  if (receive_message(socket_, &config, sizeof config, nullptr, 0, nullptr, 0) !=
      static_cast<long>(sizeof config)) {
    return 1;
  }
  ready.ok = configure(config, failure) ? 1 : 0;
  ready.layers = layers_;
  std::snprintf(ready.message, sizeof ready.message, "%s", failure.text);
  send_message(socket_, &ready, sizeof ready, nullptr, 0);
  while (ready.ok == 1 && !quit_) {
    wire::Request request;
    int fds[wire::kRunDescriptors];
    int n_fds = 0;
    const long size =
        receive_message(socket_, &request, sizeof request, fds, wire::kRunDescriptors, &n_fds, 0);
    if (size <= 0) {
      break;
    }
    if (request.kind != wire::Kind::kRun || size != static_cast<long>(sizeof request) ||
        n_fds != wire::kRunDescriptors) {
      for (int i = 0; i < n_fds; ++i) {
        close(fds[i]);
      }
      continue;  // a late Stop
    }
    request.text[sizeof request.text - 1] = '\0';
    wire::Report report;
    carry_out(request, fds, report);
    if (!send_message(socket_, &report, sizeof report, nullptr, 0)) {
      break;
    }
    if (needs_clean_) {
      needs_clean_ = false;
      if (!clean(request, failure)) {
        stop_slot();
      } else {
        idle_counts();  // now, and not when somebody waits for the next run to begin
      }
    }
  }
  stop_slot();
  cgroup_.close();
  if (!has_namespaces_ && scratch_[0] != '\0' && std::strcmp(scratch_, "/tmp") != 0) {
    remove_tree_contents(scratch_);
    rmdir(scratch_);
  }
  return 0;
}

bool Supervisor::configure(const wire::Config& config, Failure& failure) {
  config_ = config;
  // This process and the slot's init do little and others wait for it; programs run at normal
  // priority.
  setpriority(PRIO_PROCESS, 0, -10);
  has_namespaces_ = config.level != 'C';
  if (geteuid() == 0) {
    // Two ids that nobody else has: the slot's own root and its programs.
    scratch_uid_ = 0x60000000u + 2u * static_cast<unsigned>(getpid());
    if (config.level == 'B') {
      // What an ordinary user has is all that level B may use.
      if (setgroups(0, nullptr) != 0 || setresgid(scratch_uid_, scratch_uid_, scratch_uid_) != 0 ||
          setresuid(scratch_uid_, scratch_uid_, scratch_uid_) != 0) {
        return failure.set_errno("become an ordinary user");
      }
      prctl(PR_SET_DUMPABLE, 1);  // /proc/self must stay readable to write the id maps
    }
  }
  if (config.level == 'A') {
    char name[64];
    std::snprintf(name, sizeof name, "r1eval-%d", static_cast<int>(getpid()));
    cgroup_.open(name, failure);
    if (!cgroup_.is_complete()) {
      return failure.text[0] != '\0' ? false : failure.set("no memory, pids and cpu groups here");
    }
    layers_ |= wire::kMemoryCgroup | wire::kPidsCgroup | wire::kCpuCgroup;
    failure.text[0] = '\0';
  }
  if (!start_slot(failure)) {
    return false;
  }
  // A server at once: it shows whether the layers hold together.
  wire::Request probe;
  probe.engine = config_.python[0] != '\0' ? wire::Engine::kPython : wire::Engine::kNative;
  return server_for(probe, failure) != nullptr;
}

bool Supervisor::start_slot(Failure& failure) {
  layers_ |= wire::kSeccomp | wire::kNoNewPrivs | wire::kRlimits;
  if (landlock_abi() > 0) {
    layers_ |= wire::kLandlock;
  }
  if (!has_namespaces_) {
    if ((layers_ & wire::kLandlock) == 0) {
      return failure.set(
          "Landlock: not in this kernel, and without namespaces nothing else guards files");
    }
    if (std::strcmp(scratch_, "/tmp") == 0) {
      std::snprintf(scratch_, sizeof scratch_, "/tmp/r1eval-XXXXXX");
      if (mkdtemp(scratch_) == nullptr) {
        scratch_[0] = '\0';
        return failure.set_errno("make a scratch folder in /tmp");
      }
    }
    if (scratch_uid_ != 0) {
      layers_ |= wire::kScratchUid;
      if (chown(scratch_, scratch_uid_, scratch_uid_) != 0) {
        return failure.set_errno("hand over the scratch folder");
      }
    }
    return true;
  }
  int sockets[2];
  int go[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0 ||
      pipe2(go, O_CLOEXEC) != 0) {
    return failure.set_errno("make a socket pair");
  }
  const bool is_root = geteuid() == 0;
  has_two_ids_ = is_root;
  const unsigned euid = geteuid();
  const unsigned egid = getegid();
  const pid_t pid = fork_with(kNamespaceFlags);
  if (pid == 0) {
    close(sockets[0]);
    close(go[1]);
    close(socket_);
    InitPlan plan;
    plan.socket = sockets[1];
    plan.go = go[0];
    plan.inner_uid = is_root ? 0 : kProgramUid;
    plan.headers = config_.headers;
    run_slot_init(plan);
  }
  close(sockets[1]);
  close(go[0]);
  if (pid < 0) {
    close(sockets[0]);
    close(go[1]);
    return failure.set_errno("user namespace: clone");
  }
  init_pid_ = pid;
  init_pidfd_ = open_pidfd(pid);
  init_socket_ = sockets[0];
  char uid_map[128];
  char gid_map[128];
  bool ok = true;
  if (is_root) {
    std::snprintf(uid_map, sizeof uid_map, "0 %u 1\n%u %u 1\n", scratch_uid_, kProgramUid,
                  scratch_uid_ + 1);
    std::memcpy(gid_map, uid_map, sizeof gid_map);
  } else {
    std::snprintf(uid_map, sizeof uid_map, "%u %u 1\n", kProgramUid, euid);
    std::snprintf(gid_map, sizeof gid_map, "%u %u 1\n", kProgramUid, egid);
    ok = write_map(pid, "setgroups", "deny");
  }
  ok = ok && write_map(pid, "gid_map", gid_map) && write_map(pid, "uid_map", uid_map);
  if (!ok) {
    failure.set_errno("user namespace: write the id maps");
  }
  ok = ok && namespaces_.open(pid, kNamespaceFlags, failure);
  if (ok && write(go[1], "g", 1) != 1) {
    ok = failure.set_errno("start the slot's init");
  }
  close(go[1]);
  InitReply reply;
  if (ok && receive_message(init_socket_, &reply, sizeof reply, nullptr, 0, nullptr, 0) !=
                static_cast<long>(sizeof reply)) {
    ok = failure.set("the slot's init ended while starting");
  }
  if (ok && reply.ok == 0) {
    ok = failure.set("slot: %.190s", reply.message);
  }
  if (!ok) {
    stop_slot();
    return false;
  }
  scratch_bytes_ = scratch_inodes_ = -1;
  layers_ |= wire::kUserNs | wire::kMountNs | wire::kPidNs | wire::kNetNs | wire::kIpcNs |
             wire::kUtsNs | wire::kCgroupNs;
  if (reply.has_proc != 0) {
    layers_ |= wire::kProcMount;
  }
  if (has_two_ids_ || scratch_uid_ != 0) {
    layers_ |= wire::kScratchUid;
  }
  return true;
}

void Supervisor::stop_slot() {
  for (Server& server : servers_) {
    stop_server(server);
  }
  if (!has_namespaces_) {
    wire::Request nothing;
    clean_without_namespaces(nothing);
  }
  if (init_pid_ > 0) {
    kill(init_pid_, SIGKILL);
    // Programs whose fork server died came to this process, the nearest one that adopts; the init
    // does not end before they are waited for.
    for (pid_t reaped = 0; reaped != init_pid_;) {
      reaped = waitpid(-1, nullptr, 0);
      if (reaped < 0 && errno != EINTR) {
        break;
      }
    }
  }
  init_pid_ = -1;
  for (int* fd : {&init_pidfd_, &init_socket_}) {
    if (*fd >= 0) {
      close(*fd);
      *fd = -1;
    }
  }
  namespaces_.close();
}

void Supervisor::stop_server(Server& server) {
  has_idle_ = false;
  if (server.pid > 0) {
    kill(server.pid, SIGKILL);
    waitpid(server.pid, nullptr, 0);
  }
  if (server.socket >= 0) {
    close(server.socket);
  }
  server = Server{};
}

std::int64_t Supervisor::n_servers() const {
  std::int64_t n = 0;
  for (const Server& server : servers_) {
    n += server.pid > 0 ? 1 : 0;
  }
  return n;
}

Supervisor::Server* Supervisor::server_for(const wire::Request& request, Failure& failure) {
  const bool is_pypy = request.engine == wire::Engine::kPyPy;
  if (!is_python(request.engine) || config_.no_fork_server != 0) {
    return native_server(failure);
  }
  const unsigned group = is_pypy ? 2 : request.with_numpy != 0 ? 1 : 0;
  Server& server = servers_[1 + 3 * group + static_cast<unsigned>(request.profile) % 3];
  if (server.pid > 0) {
    return &server;
  }
  if ((is_pypy ? config_.pypy : config_.python)[0] == '\0') {
    failure.set("no Python interpreter");
    return nullptr;
  }
  stop_server(server);  // its socket, where the process ended by itself
  if (start_server(server, request, failure)) {
    layers_ |= wire::kForkServer;
    return &server;
  }
  // Without a server each run starts an interpreter of its own. A slot whose layers do not hold
  // fails there as well.
  return native_server(failure);
}

Supervisor::Server* Supervisor::native_server(Failure& failure) {
  Server& server = servers_[0];
  if (server.pid > 0) {
    return &server;
  }
  stop_server(server);
  wire::Request native;
  native.engine = wire::Engine::kNative;
  return start_server(server, native, failure) ? &server : nullptr;
}

bool Supervisor::start_server(Server& server, const wire::Request& request, Failure& failure) {
  int sockets[2];
  int go[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0 ||
      pipe2(go, O_CLOEXEC) != 0) {
    return failure.set_errno("make a socket pair");
  }
  // The limits of the last run must not hold a new server back.
  if (config_.level == 'A' && !cgroup_.prepare(1ll << 30, 64 + n_servers(), failure)) {
    return false;
  }
  const pid_t pid = fork();
  if (pid == 0) {
    ServerPlan plan;
    plan.engine = request.engine;
    plan.profile = request.profile;
    plan.with_numpy = request.with_numpy != 0;
    plan.namespaces = has_namespaces_ ? &namespaces_ : nullptr;
    plan.uid = has_namespaces_ ? (has_two_ids_ ? kProgramUid : 0) : scratch_uid_;
    plan.interpreter = request.engine == wire::Engine::kPyPy ? config_.pypy : config_.python;
    plan.pypy = config_.pypy;
    plan.scratch = has_namespaces_ ? "/tmp" : scratch_;
    plan.writable = has_namespaces_ ? "/box" : scratch_;
    plan.headers = config_.headers;
    plan.stack_bytes = config_.memory_mib_max << 20;
    // Without a pids group the number of processes is bounded per user, which in a user namespace
    // and with an own uid means per slot.
    plan.nproc = config_.level == 'A' ? 0 : (has_namespaces_ || scratch_uid_ != 0) ? 78 : 4096;
    plan.socket = sockets[1];
    plan.go = go[0];
    plan.with_landlock = (layers_ & wire::kLandlock) != 0;
    close(sockets[0]);
    close(go[1]);
    run_server(plan);
  }
  close(sockets[1]);
  close(go[0]);
  server.pid = pid;
  server.socket = sockets[0];
  has_idle_ = false;
  bool ok = pid > 0 || failure.set_errno("fork a server");
  if (ok && config_.level == 'A') {
    ok = cgroup_.enter(pid, failure);
    // Inherited by the programs: first to go when the machine's memory runs out and, as set with
    // privilege, never lower again.
    if (ok) {
      char path[64];
      std::snprintf(path, sizeof path, "/proc/%d/oom_score_adj", static_cast<int>(pid));
      write_text(path, "1000");
    }
  }
  ok = ok && write(go[1], "g", 1) == 1;
  close(go[1]);
  char text[300] = {};
  pollfd waiting{server.socket, POLLIN, 0};
  if (ok && poll(&waiting, 1, 60'000) != 1) {
    ok = failure.set("a fork server did not answer within a minute");
  }
  const long n =
      ok ? receive_message(server.socket, text, sizeof text - 1, nullptr, 0, nullptr, 0) : -1;
  if (ok && (n <= 0 || text[0] != 'R')) {
    int status = 0;
    if (n <= 0 && waitpid(server.pid, &status, 0) == server.pid) {
      server.pid = -1;
      failure.set("a fork server ended while starting, wait status %d", status);
    } else {
      failure.set("fork server: %.200s", n > 2 ? text + 2 : "no answer");
    }
    ok = false;
  }
  if (!ok) {
    stop_server(server);
    return false;
  }
  char path[64];
  long long pages = 0;
  std::snprintf(path, sizeof path, "/proc/%d/statm", static_cast<int>(pid));
  if (read_text(path, text, sizeof text) > 0 && std::sscanf(text, "%lld", &pages) == 1) {
    server.address_space_bytes = pages * 4096;
  }
  return true;
}

}  // namespace r1eval::helper
