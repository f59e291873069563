// One run as the supervisor sees it: limits, clocks, the decision to kill, the empty slot after it.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "graders/code/helper/supervisor.h"

namespace r1eval::helper {
namespace {

// How long an emptied slot may take before it is thrown away.
constexpr double kPatience_s = 10;

int n_processors() {
  static const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : static_cast<int>(n);
}

}  // namespace

bool Supervisor::send_to_server(const Server& server, const wire::Request& request,
                                const int* fds) {
  wire::Request copy = request;
  const bool is_native = &server == &servers_[0];
  if (config_.level != 'A') {
    // A new interpreter needs room for itself.
    const std::int64_t own =
        is_native && is_python(request.engine) ? 256 << 20 : server.address_space_bytes;
    copy.address_space_bytes = request.memory_bytes + own + (16 << 20);
  }
  if (is_native) {
    return send_message(server.socket, &copy, sizeof copy, fds, wire::kRunDescriptors);
  }
  char text[8000];
  const std::size_t n = format_python_request(copy, text, sizeof text);
  return send_message(server.socket, text, n, fds, wire::kRunDescriptors);
}

const SlotCgroup::Counts& Supervisor::idle_counts() {
  if (!has_idle_) {
    idle_ = cgroup_.count();
    has_idle_ = true;
  }
  return idle_;
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
  const SlotCgroup::Counts idle = idle_counts();
  has_idle_ = false;
  if (config_.level == 'A' &&
      !cgroup_.prepare(request.memory_bytes, request.pids + n_servers(), failure)) {
    close_fds();
    give_up("set limits");
    return;
  }
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
  int status = 0;
  bool has_ended = false;
  double main_cpu_s = 0;
  std::int64_t maxrss_bytes = 0;
  std::int64_t peak_rss = 0;
  double end = start;
  double decided = 0;
  double waited = 0;  // for a processor
  std::int64_t wait_seen = 0;
  bool killing = false;
  report.why = wire::Why::kEnded;
  // With groups one look at the kernel's count; else what main used so far, orphans included.
  const auto cpu_now = [&]() -> double {
    if (cgroup_.has_cpu()) {
      return 1e-9 * static_cast<double>(cgroup_.cpu_ns() - idle.cpu_ns);
    }
    InitReply now;
    if (!measure(request, now)) {
      return 0;
    }
    if (now.rss_bytes > peak_rss) {
      peak_rss = now.rss_bytes;
    }
    // Of processes that ended meanwhile nothing is lost: only growth counts.
    waited += 1e-9 * static_cast<double>(now.wait_ns > wait_seen ? now.wait_ns - wait_seen : 0);
    wait_seen = now.wait_ns;
    return 1e-9 * static_cast<double>(now.cpu_ns - reaped_before);
  };
  const auto waited_s = [&]() -> double {
    const std::int64_t pressure = cgroup_.waiting_us();
    if (pressure >= 0 && idle.waiting_us >= 0) {
      return 1e-6 * static_cast<double>(pressure - idle.waiting_us);
    }
    return waited;
  };
  const auto decide = [&](wire::Why why) {
    if (!killing) {
      report.why = why;
      decided = now_s();
      killing = true;
      // On a busy machine a process waits for its turn even to die.
      if (config_.level == 'A') {
        setpriority(PRIO_USER, scratch_uid_ + 1, -20);
      }
    }
  };
  double cpu_s = 0;
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
      if (n <= 0 && killing && !has_namespaces_) {
        // A bomb that forks faster than it is walked is ended with all of its user's processes.
        stop_server(*server);
        has_ended = true;
        status = SIGKILL;
        end = now_s();
        continue;
      }
      if (n <= 0) {
        failed = true;
        failure.set("a fork server died");
        break;
      }
      text[n] = '\0';
      long long main_cpu_us = 0;
      long maxrss_kib = 0;
      if (std::sscanf(text, "E %d %lld %ld", &status, &main_cpu_us, &maxrss_kib) == 3) {
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
  waited = waited_s();
  cpu_s = cgroup_.has_cpu() ? 1e-9 * static_cast<double>(cgroup_.cpu_ns() - idle.cpu_ns)
                            : std::fmax(cpu_s, main_cpu_s);
  if (!failed && report.why == wire::Why::kEnded && cpu_s >= request.cpu_s) {
    report.why = wire::Why::kCpu;
  }

  // Whatever the program left behind. Where the group counts no process but the servers, files and
  // System V objects are all there can be: they can wait until the answer is on its way.
  if (!failed) {
    // A SIGKILL may be the death of the slot's init, which must be asked then.
    const bool may_wait = !killing && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    if (has_namespaces_ && may_wait && cgroup_.has_pids() && cgroup_.n_processes() == n_servers()) {
      needs_clean_ = true;
    } else if (has_namespaces_) {
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
  if (killing && config_.level == 'A') {
    setpriority(PRIO_USER, scratch_uid_ + 1, 0);  // the fork servers and what they will fork
  }
  report.kill_us = static_cast<std::int64_t>((now_s() - decided) * 1e6);
  report.oom_kills = cgroup_.oom_kills() - idle.oom_kills;
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
    reply.rss_bytes = reply.cpu_ns = reply.wait_ns = 0;
    for (int i = 0; i < n; ++i) {
      add_usage(pids[i], is_exact, reply);
    }
    if (reply.rss_bytes <= request.memory_bytes) {
      break;
    }
  }
  reply.n_processes = n;
  return true;
}

}  // namespace r1eval::helper
