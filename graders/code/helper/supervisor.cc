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
// How long an emptied slot may take before it is thrown away.
constexpr double kPatience_s = 10;

pid_t fork_with(std::uint64_t flags) {
  return static_cast<pid_t>(syscall(SYS_clone, static_cast<unsigned long>(flags | SIGCHLD), nullptr,
                                    nullptr, nullptr, 0));
}

bool write_map(pid_t pid, const char* name, const char* text) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/%s", static_cast<int>(pid), name);
  return write_text(path, text);
}

void remove_tree_contents(int dir, int depth) {
  DIR* stream = depth > 64 ? nullptr : fdopendir(dir);
  if (stream == nullptr) {
    close(dir);
    return;
  }
  while (const dirent* entry = readdir(stream)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) {
      continue;
    }
    if (unlinkat(dirfd(stream), entry->d_name, 0) == 0) {
      continue;
    }
    const int inner =
        openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner >= 0) {
      fchmod(inner, 0700);
      remove_tree_contents(inner, depth + 1);
    }
    unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
  }
  closedir(stream);
}

// Nanoseconds that a process's main thread waited for a processor; -1 unknown.
std::int64_t waiting_ns(pid_t pid) {
  char path[64];
  char text[128];
  long long waited = 0;
  std::snprintf(path, sizeof path, "/proc/%d/schedstat", static_cast<int>(pid));
  if (pid <= 0 || read_text(path, text, sizeof text) <= 0 ||
      std::sscanf(text, "%*s %lld", &waited) != 1) {
    return -1;
  }
  return waited;
}

int n_processors() {
  static const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : static_cast<int>(n);
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
  }
  stop_slot();
  cgroup_.close();
  if (!has_namespaces_ && scratch_[0] != '\0' && std::strcmp(scratch_, "/tmp") != 0) {
    const int dir = open(scratch_, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) {
      remove_tree_contents(dir, 0);
    }
    rmdir(scratch_);
  }
  return 0;
}

bool Supervisor::configure(const wire::Config& config, Failure& failure) {
  config_ = config;
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
    waitpid(init_pid_, nullptr, 0);
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
  const bool is_python = request.engine == wire::Engine::kPython;
  Server& server = servers_[is_python ? 1 + static_cast<unsigned>(request.profile) % 3 : 0];
  if (server.pid > 0) {
    return &server;
  }
  if (is_python && config_.python[0] == '\0') {
    failure.set("no Python interpreter");
    return nullptr;
  }
  const wire::Engine engine = is_python ? wire::Engine::kPython : wire::Engine::kNative;
  return start_server(server, engine, request.profile, failure) ? &server : nullptr;
}

bool Supervisor::start_server(Server& server, wire::Engine engine, wire::Profile profile,
                              Failure& failure) {
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
    plan.engine = engine;
    plan.profile = profile;
    plan.namespaces = has_namespaces_ ? &namespaces_ : nullptr;
    plan.uid = has_namespaces_ ? (has_two_ids_ ? kProgramUid : 0) : scratch_uid_;
    plan.interpreter = config_.python;
    plan.scratch = has_namespaces_ ? "/tmp" : scratch_;
    plan.writable = has_namespaces_ ? "/box" : scratch_;
    plan.headers = config_.headers;
    plan.stack_bytes = config_.memory_mib_max << 20;
    // Without a pids group the number of processes is bounded per user, which in a user namespace
    // and with an own uid means per slot.
    plan.nproc = config_.level == 'A' ? 0 : (has_namespaces_ || scratch_uid_ != 0) ? 72 : 4096;
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
  bool ok = pid > 0 || failure.set_errno("fork a server");
  if (ok && config_.level == 'A') {
    ok = cgroup_.enter(pid, failure);
    // Last to be chosen when memory runs out, but one: the programs are raised above it.
    if (ok) {
      char path[64];
      std::snprintf(path, sizeof path, "/proc/%d/oom_score_adj", static_cast<int>(pid));
      write_text(path, "0");
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

bool Supervisor::send_to_server(const Server& server, const wire::Request& request,
                                const int* fds) {
  wire::Request copy = request;
  if (config_.level != 'A') {
    copy.address_space_bytes = request.memory_bytes + server.address_space_bytes + (16 << 20);
  }
  if (request.engine != wire::Engine::kPython) {
    return send_message(server.socket, &copy, sizeof copy, fds, wire::kRunDescriptors);
  }
  const char* mode = request.profile == wire::Profile::kOfficial
                         ? (request.is_functional != 0 ? "official-functional" : "official-stdin")
                         : (request.is_functional != 0 ? "functional" : "stdin");
  char text[8000];
  const int n = std::snprintf(
      text, sizeof text, "%s %llu %.3f %lld %lld %lld %d\n%.*s", mode,
      static_cast<unsigned long long>(request.seed), request.cpu_s,
      static_cast<long long>(request.memory_bytes),
      static_cast<long long>(copy.address_space_bytes),
      static_cast<long long>(request.scratch_bytes), static_cast<int>(request.alarm_s),
      static_cast<int>(request.text_bytes < sizeof request.text ? request.text_bytes
                                                                : sizeof request.text - 1),
      request.text);
  return send_message(server.socket, text, static_cast<std::size_t>(n), fds, wire::kRunDescriptors);
}

// One run, from its request to an empty slot.
void Supervisor::carry_out(const wire::Request& request, const int* fds, wire::Report& report) {
  Failure failure;
  const auto close_fds = [&fds] {
    for (int i = 0; i < wire::kRunDescriptors; ++i) {
      close(fds[i]);
    }
  };
  const auto give_up = [&](const char* doing) {
    report.why = wire::Why::kFailed;
    std::snprintf(report.message, sizeof report.message, "%s: %.200s", doing, failure.text);
    stop_slot();
  };

  // A slot, its server, its limits.
  if (has_namespaces_ && init_pid_ > 0) {
    pollfd dead{init_pidfd_, POLLIN, 0};
    if (init_pidfd_ >= 0 && poll(&dead, 1, 0) == 1) {
      stop_slot();
    }
  }
  if (has_namespaces_ && init_pid_ < 0 && !start_slot(failure)) {
    close_fds();
    give_up("start the slot");
    return;
  }
  Server* server = server_for(request, failure);
  if (server == nullptr) {
    close_fds();
    give_up("start a fork server");
    return;
  }
  if (request.scratch_bytes != scratch_bytes_ || request.scratch_inodes != scratch_inodes_) {
    if (!clean(request, failure)) {
      close_fds();
      give_up("prepare the scratch folder");
      return;
    }
  }
  if (config_.level == 'A' &&
      !cgroup_.prepare(request.memory_bytes, request.pids + n_servers(), failure)) {
    close_fds();
    give_up("set limits");
    return;
  }
  const std::int64_t cpu_before = cgroup_.cpu_ns();
  const std::uint32_t oom_before = cgroup_.oom_kills();
  const std::int64_t pressure_before = cgroup_.waiting_us();
  InitReply usage;
  std::int64_t reaped_before = 0;
  if (config_.level == 'B' && measure(request, usage)) {
    reaped_before = usage.cpu_ns;
  }
  const double start = now_s();
  const bool sent = send_to_server(*server, request, fds);
  close_fds();  // a program must see the end of its input when the library closes it
  bool failed = !sent;
  if (failed) {
    failure.set_errno("send to the fork server");
  }

  // The run.
  pid_t main_pid = -1;
  int status = 0;
  bool has_ended = false;
  double main_cpu_s = 0;
  std::int64_t maxrss_bytes = 0;
  std::int64_t peak_rss = 0;
  double end = start;
  double decided = 0;
  bool killing = false;
  report.why = wire::Why::kEnded;
  // With groups one look at the kernel's count; else what main used so far, orphans included.
  const auto cpu_now = [&]() -> double {
    if (cgroup_.has_cpu()) {
      return 1e-9 * static_cast<double>(cgroup_.cpu_ns() - cpu_before);
    }
    InitReply now;
    if (!measure(request, now)) {
      return 0;
    }
    if (now.rss_bytes > peak_rss) {
      peak_rss = now.rss_bytes;
    }
    return 1e-9 * static_cast<double>(now.cpu_ns - reaped_before);
  };
  const auto waited_s = [&]() -> double {
    const std::int64_t pressure = cgroup_.waiting_us();
    if (pressure >= 0 && pressure_before >= 0) {
      return 1e-6 * static_cast<double>(pressure - pressure_before);
    }
    const std::int64_t waited = waiting_ns(main_pid);
    return waited < 0 ? 0 : 1e-9 * static_cast<double>(waited);
  };
  const auto decide = [&](wire::Why why) {
    if (!killing) {
      report.why = why;
      decided = now_s();
      killing = true;
    }
  };
  double cpu_s = 0;
  double waited = 0;
  bool wants_init_reply = false;
  const auto send_clean = [&] {
    if (!has_namespaces_ || wants_init_reply) {
      return;
    }
    InitCommand command;
    command.what = 'R';
    command.scratch_bytes = request.scratch_bytes;
    command.scratch_inodes = request.scratch_inodes;
    wants_init_reply = send_message(init_socket_, &command, sizeof command, nullptr, 0);
    if (!wants_init_reply) {
      failed = true;
    }
  };
  while (!has_ended && !failed) {
    // When to look next: not before the CPU limit could be reached with all processors, nor later
    // than the wall limit.
    double next = kPatience_s;
    if (!killing) {
      next = (request.cpu_s - cpu_s) / n_processors() + 0.001;
      const double wall_left = request.wall_s - (now_s() - start - waited);
      next = wall_left < next ? wall_left : next;
      next = next < 0.004 ? 0.004 : next;
      if (config_.level != 'A') {
        next = next > 0.01 ? 0.01 : next;  // the memory watchdog
      }
    }
    pollfd events[3] = {{server->socket, POLLIN, 0},
                        {stop_asked_ ? -1 : socket_, POLLIN, 0},
                        {has_namespaces_ ? init_pidfd_ : -1, POLLIN, 0}};
    const int n_ready = poll(events, 3, static_cast<int>(std::ceil(next * 1000)));
    if (n_ready < 0 && errno == EINTR) {
      continue;
    }
    if (events[0].revents != 0) {
      char text[300];
      const long n =
          receive_message(server->socket, text, sizeof text - 1, nullptr, 0, nullptr, MSG_DONTWAIT);
      if (n <= 0) {
        failed = true;
        failure.set("a fork server died");
        break;
      }
      text[n] = '\0';
      long long main_cpu_us = 0;
      long maxrss_kib = 0;
      int pid = 0;
      if (std::sscanf(text, "S %d", &pid) == 1) {
        main_pid = pid;
        if (config_.level == 'A') {
          char path[64];
          std::snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
          write_text(path, "1000");  // and, as set with privilege, never lower again
        }
      } else if (std::sscanf(text, "E %d %lld %ld", &status, &main_cpu_us, &maxrss_kib) == 3) {
        end = now_s();
        has_ended = true;
        main_cpu_s = 1e-6 * static_cast<double>(main_cpu_us);
        maxrss_bytes = static_cast<std::int64_t>(maxrss_kib) * 1024;
      } else {
        failed = true;
        failure.set("%.200s", text);
      }
      continue;
    }
    if (events[2].revents != 0) {
      failed = true;
      failure.set("the slot's init died");
      break;
    }
    if (events[1].revents != 0) {
      wire::Stop stop;
      const long n =
          receive_message(socket_, &stop, sizeof stop, nullptr, 0, nullptr, MSG_DONTWAIT);
      quit_ = quit_ || n <= 0;
      stop_asked_ = true;
      decide(wire::Why::kStopped);
    }
    if (killing && now_s() - decided > kPatience_s) {
      failed = true;
      failure.set("a killed program did not end");
      break;
    }
    if (!killing) {
      cpu_s = cpu_now();
      const double wall = now_s() - start;
      if (cpu_s >= request.cpu_s) {
        decide(wire::Why::kCpu);
      } else if (peak_rss > request.memory_bytes && config_.level != 'A') {
        decide(wire::Why::kMemory);
      } else if (wall >= request.wall_s) {
        waited = waited_s();
        if (wall - waited >= request.wall_s) {
          decide(wire::Why::kIdle);
        }
      }
      if (!killing && wall >= 20 * request.wall_s + 60) {
        failed = true;
        failure.set("no processor for the program for too long");
        break;
      }
    }
    if (killing && has_namespaces_) {
      send_clean();
    } else if (killing) {
      clean_without_namespaces(request);
    }
  }
  stop_asked_ = false;
  if (!killing) {
    decided = end;
  }
  if (cgroup_.has_cpu() || waited > 0) {
    waited = std::fmax(waited, cgroup_.has_cpu() ? waited_s() : 0);
  }
  cpu_s = cgroup_.has_cpu() ? 1e-9 * static_cast<double>(cgroup_.cpu_ns() - cpu_before)
                            : std::fmax(cpu_s, main_cpu_s);
  if (!failed && report.why == wire::Why::kEnded && cpu_s >= request.cpu_s) {
    report.why = wire::Why::kCpu;
  }

  // Whatever the program left behind.
  if (!failed) {
    if (has_namespaces_) {
      send_clean();
      InitReply reply;
      pollfd waiting{init_socket_, POLLIN, 0};
      if (!failed && poll(&waiting, 1, static_cast<int>(kPatience_s * 1000)) != 1) {
        failed = true;
        failure.set("the slot was not empty in time");
      } else if (!failed && receive_message(init_socket_, &reply, sizeof reply, nullptr, 0, nullptr,
                                            0) != static_cast<long>(sizeof reply)) {
        failed = true;
        failure.set("the slot's init died");
      } else if (!failed && reply.ok == 0) {
        failed = true;
        failure.set("%.190s", reply.message);
      }
      scratch_bytes_ = request.scratch_bytes;
      scratch_inodes_ = request.scratch_inodes;
    } else {
      clean_without_namespaces(request);
    }
  }
  report.kill_us = static_cast<std::int64_t>((now_s() - decided) * 1e6);
  report.oom_kills = cgroup_.oom_kills() - oom_before;
  report.cpu_s = cpu_s;
  report.elapsed_s = end - start;
  // What the limit counts: a program is not to blame for the processors being busy with others.
  report.wall_s = std::fmax(cpu_s / n_processors(), report.elapsed_s - waited);
  report.peak_bytes =
      cgroup_.has_memory() ? cgroup_.peak_bytes() : std::max(peak_rss, maxrss_bytes);
  if (failed && report.oom_kills > 0) {
    // Memory pressure took one of our own processes along; the program is to blame.
    stop_slot();
    report.why = wire::Why::kMemory;
    return;
  }
  if (failed) {
    give_up("run");
    return;
  }
  report.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  report.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

bool Supervisor::clean(const wire::Request& request, Failure& failure) {
  if (!has_namespaces_) {
    clean_without_namespaces(request);
    scratch_bytes_ = request.scratch_bytes;
    scratch_inodes_ = request.scratch_inodes;
    return true;
  }
  InitCommand command;
  command.scratch_bytes = request.scratch_bytes;
  command.scratch_inodes = request.scratch_inodes;
  InitReply reply;
  if (!send_message(init_socket_, &command, sizeof command, nullptr, 0) ||
      receive_message(init_socket_, &reply, sizeof reply, nullptr, 0, nullptr, 0) !=
          static_cast<long>(sizeof reply)) {
    return failure.set("the slot's init died");
  }
  if (reply.ok == 0) {
    return failure.set("%.190s", reply.message);
  }
  scratch_bytes_ = request.scratch_bytes;
  scratch_inodes_ = request.scratch_inodes;
  return true;
}

bool Supervisor::measure(const wire::Request& request, InitReply& reply) {
  if (has_namespaces_) {
    InitCommand command;
    command.what = 'W';
    command.memory_bytes = request.memory_bytes;
    return send_message(init_socket_, &command, sizeof command, nullptr, 0) &&
           receive_message(init_socket_, &reply, sizeof reply, nullptr, 0, nullptr, 0) ==
               static_cast<long>(sizeof reply);
  }
  pid_t pids[512];
  const int n = descendants(pids, 512);
  for (const bool is_exact : {false, true}) {
    reply.rss_bytes = reply.cpu_ns = 0;
    for (int i = 0; i < n; ++i) {
      add_usage(pids[i], is_exact, &reply.rss_bytes, &reply.cpu_ns);
    }
    if (reply.rss_bytes <= request.memory_bytes) {
      break;
    }
  }
  reply.n_processes = n;
  return true;
}

// Every process below this one that is no fork server: what level C has in place of a namespace. As
// this process is a subreaper, orphans stay below it.
int Supervisor::descendants(pid_t* out, int capacity) {
  int n = 0;
  const auto children_of = [&](pid_t pid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/task", static_cast<int>(pid));
    DIR* tasks = opendir(path);
    if (tasks == nullptr) {
      return;
    }
    while (const dirent* entry = readdir(tasks)) {
      char text[8192];
      char children[128];
      std::snprintf(children, sizeof children, "%s/%.20s/children", path, entry->d_name);
      if (entry->d_name[0] == '.' || read_text(children, text, sizeof text) <= 0) {
        continue;
      }
      char* state = nullptr;
      for (char* word = strtok_r(text, " \n", &state); word != nullptr && n < capacity;
           word = strtok_r(nullptr, " \n", &state)) {
        const pid_t child = static_cast<pid_t>(std::atoi(word));
        bool is_server = false;
        for (const Server& server : servers_) {
          is_server = is_server || server.pid == child;
        }
        if (!is_server && child > 0) {
          out[n++] = child;
        }
      }
    }
    closedir(tasks);
  };
  children_of(getpid());
  for (const Server& server : servers_) {
    if (server.pid > 0) {
      children_of(server.pid);
    }
  }
  for (int i = 0; i < n; ++i) {
    children_of(out[i]);
  }
  return n;
}

void Supervisor::mark_dead(pid_t pid) {
  for (Server& server : servers_) {
    if (server.pid == pid) {
      server.pid = -1;  // its socket says so as well
    }
  }
}

void Supervisor::clean_without_namespaces(const wire::Request& request) {
  (void)request;
  static pid_t pids[4096];
  for (int round = 0; round < 2000; ++round) {
    const int n = descendants(pids, 4096);
    for (int i = 0; i < n; ++i) {
      kill(pids[i], SIGKILL);
    }
    for (pid_t reaped = 0; (reaped = waitpid(-1, nullptr, WNOHANG)) > 0;) {
      mark_dead(reaped);
    }
    if (n == 0) {
      break;
    }
    if (round > 50 && scratch_uid_ != 0) {
      // Forks faster than it is walked: everything of the slot's own user at once, servers
      // included.
      const pid_t killer = fork();
      if (killer == 0) {
        if (setresuid(scratch_uid_, scratch_uid_, scratch_uid_) == 0) {
          kill(-1, SIGKILL);
        }
        _exit(0);
      }
      waitpid(killer, nullptr, 0);
    }
    usleep(round < 20 ? 100 : 1000);
  }
  const int dir = open(scratch_, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0 && std::strcmp(scratch_, "/tmp") != 0) {
    remove_tree_contents(dir, 0);
  }
}

}  // namespace r1eval::helper
