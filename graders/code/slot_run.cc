// From a request to a result: which end a run had, in the order of precedence of RunEnd.
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "graders/code/compiler.h"
#include "graders/code/pump.h"

namespace r1eval {
namespace {

// driver.py knows these two.
constexpr int kExitCompileError = 113;
constexpr int kExitMemoryError = 114;

// Last line that is not empty, which is where Python and the C++ runtime name what happened.
std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  const std::size_t line = text.rfind('\n');
  text.remove_prefix(line == std::string_view::npos ? 0 : line + 1);
  return std::string(text.substr(0, 300));
}

void conclude(const SlotRun& run, const Pumped& pumped, bool has_begun, RunResult& result) {
  const wire::Report& report = pumped.report;
  const bool is_python =
      run.request.engine == wire::Engine::kPython || run.request.engine == wire::Engine::kPyPy;
  const bool is_stdin = is_python && run.request.is_functional == 0;
  const bool is_bad_alloc = run.request.engine == wire::Engine::kNative &&
                            report.signal == SIGABRT &&
                            pumped.stderr_tail.find("std::bad_alloc") != std::string::npos;
  if (report.signal == SIGSYS) {
    result.end = RunEnd::kSecurityViolation;
    result.detail = "forbidden system call";
  } else if (pumped.is_over_output) {
    result.end = RunEnd::kOutputLimit;
    result.detail = fmt::format("more than {} MiB of output", run.stdout_bytes >> 20);
  } else if (report.oom_kills > 0 || report.why == wire::Why::kMemory || is_bad_alloc ||
             (is_stdin && has_begun && report.exit_code == kExitMemoryError)) {
    result.end = RunEnd::kMemoryLimit;
    result.detail = fmt::format("more than {} MiB of memory", run.request.memory_bytes >> 20);
  } else if (report.why == wire::Why::kCpu || report.why == wire::Why::kIdle) {
    result.end = RunEnd::kTimeLimit;
    result.detail = report.why == wire::Why::kCpu ? "cpu" : "idle";
  } else if (!has_begun) {
    result.end = RunEnd::kSandboxError;
    result.detail = fmt::format("the program was not started (exit {}, signal {}): {}",
                                report.exit_code, report.signal, last_line(pumped.stderr_tail));
  } else if (is_stdin && report.exit_code == kExitCompileError) {
    result.end = RunEnd::kCompileError;
    result.detail = last_line(pumped.stderr_tail);
  } else if (report.signal != 0) {
    result.end = RunEnd::kRuntimeError;
    const char* name = ::sigabbrev_np(report.signal);
    result.detail = fmt::format("signal SIG{}", name == nullptr ? "?" : name);
  } else if (report.exit_code != 0) {
    result.end = RunEnd::kRuntimeError;
    const std::string line = last_line(pumped.stderr_tail);
    result.detail =
        line.empty() || !is_python ? fmt::format("exit status {}", report.exit_code) : line;
  } else if (pumped.is_over_result) {
    result.end = RunEnd::kRuntimeError;
    result.detail = "the returned value is too large";
  } else {
    result.end = RunEnd::kFinished;
  }
}

}  // namespace

void set_limits(wire::Request& request, const RunLimits& limits) {
  request.cpu_s = limits.cpu_s;
  request.wall_s = limits.wall_s;
  request.memory_bytes = std::max<std::int64_t>(1, limits.memory_mib) << 20;
  request.pids = std::max<std::int64_t>(1, limits.pids);
  request.scratch_bytes = std::max<std::int64_t>(1, limits.scratch_mib) << 20;
  request.scratch_inodes = std::max<std::int64_t>(8, limits.scratch_inodes);
}

SlotOutcome run_on_slot(SlotPool& slots, const SlotRun& run) {
  return run_on_slot(slots, run, {}, {});
}

SlotOutcome run_on_slot(SlotPool& slots, const SlotRun& run, const PumpResultWatcher& watcher,
                        const std::function<bool()>& may_retry) {
  SlotOutcome outcome;
  std::string failure;
  for (int attempt = 0; attempt < 3; ++attempt) {
    outcome = SlotOutcome{};
    if (attempt > 0 && may_retry && !may_retry()) {
      break;
    }
    SlotPool::Lease lease(slots, run.is_quiet);
    const int socket = lease.socket();
    if (socket < 0) {
      failure = "the supervisor could not be started";
      continue;
    }
    Result<Pipe> input = make_pipe();
    Result<Pipe> output = make_pipe();
    Result<Pipe> errors = make_pipe();
    Result<Pipe> results = make_pipe();
    if (!input || !output || !errors || !results) {
      failure = "no pipes";
      continue;
    }
    PumpPipes pipes;
    pipes.input = std::move(input->write);
    pipes.output = std::move(output->read);
    pipes.errors = std::move(errors->read);
    pipes.result = std::move(results->read);
    {
      // The program's ends live here only until they are sent: an end kept back would keep a reader
      // from ever seeing the end of its input.
      const int fds[wire::kRunDescriptors] = {run.program_fd, input->read.get(),
                                              output->write.get(), errors->write.get(),
                                              results->write.get()};
      iovec part{const_cast<wire::Request*>(&run.request), sizeof run.request};
      alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof fds);
      std::memcpy(CMSG_DATA(header), fds, sizeof fds);
      const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
      if (sent != static_cast<ssize_t>(sizeof run.request)) {
        lease.discard();
        failure = "the supervisor is gone";
        continue;
      }
    }
    input->read.reset();
    output->write.reset();
    errors->write.reset();
    results->write.reset();
    PumpLimits limits;
    limits.stdout_bytes = run.stdout_bytes;
    limits.result_bytes = run.result_bytes + 1;
    // All that such a program's side writes there is that it begins.
    limits.result_fits_pipe = !watcher && (run.request.engine == wire::Engine::kNative ||
                                           (run.request.engine != wire::Engine::kCompile &&
                                            run.request.profile != wire::Profile::kOfficial &&
                                            run.request.is_functional == 0));
    Pumped pumped = pump_run(socket, std::move(pipes), run.stdin_bytes, limits, watcher);
    if (!pumped.has_report) {
      lease.discard();
      failure = "the supervisor died";
      continue;
    }
    const wire::Report& report = pumped.report;
    if (report.why == wire::Why::kFailed) {
      failure = std::string(report.message);
      continue;
    }
    RunResult& result = outcome.result;
    const bool has_begun =
        pumped.result_bytes.starts_with('B') &&
        !(run.request.engine == wire::Engine::kNative && pumped.result_bytes.starts_with("BX"));
    conclude(run, pumped, has_begun, result);
    result.exit_code = report.exit_code;
    result.signal = report.signal;
    result.cpu_s = report.cpu_s;
    result.wall_s = report.wall_s;
    result.elapsed_s = report.elapsed_s;
    result.peak_mib = static_cast<double>(report.peak_bytes) / (1 << 20);
    result.kill_us = report.kill_us;
    result.stdout_bytes = std::move(pumped.stdout_bytes);
    result.stderr_tail = std::move(pumped.stderr_tail);
    outcome.result_bytes = std::move(pumped.result_bytes);
    if (!outcome.result_bytes.empty()) {
      outcome.result_bytes.erase(0, 1);
    }
    if (result.end != RunEnd::kSandboxError) {
      return outcome;
    }
    failure = result.detail;
  }
  outcome.result.end = RunEnd::kSandboxError;
  outcome.result.detail = failure;
  return outcome;
}

}  // namespace r1eval
