#include "harness/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>

#include "base/clock.h"
#include "base/log.h"

namespace r1eval {
namespace {

constexpr std::chrono::milliseconds kTerminalPeriod{250};
constexpr std::chrono::seconds kPlainPeriod{60};

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole >= 3600) {
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  }
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

std::string progress_line(const ProgressCounts& c, double seconds) {
  std::string line = fmt::format("{}/{} done", c.done, c.total);
  if (c.in_flight > 0) {
    line += fmt::format(", {} in flight", c.in_flight);
  }
  if (seconds > 0 && c.tokens > 0) {
    line += fmt::format(", {:.0f} tok/s", static_cast<double>(c.tokens) / seconds);
  }
  if (c.scored > 0) {
    line += fmt::format(", score {:.1f} %",
                        100.0 * static_cast<double>(c.correct) / static_cast<double>(c.scored));
  }
  if (c.truncated > 0) {
    line += fmt::format(", {} truncated", c.truncated);
  }
  if (c.failed > 0) {
    line += fmt::format(", {} failed", c.failed);
  }
  // What is in flight has on average produced half of its tokens already.
  const std::int64_t waiting = c.total - c.done - c.failed - c.in_flight;
  if (c.done >= 3 && c.tokens > 0 && seconds > 0 && c.done + c.failed < c.total) {
    const double mean = static_cast<double>(c.tokens) / static_cast<double>(c.done);
    const double rate =
        (static_cast<double>(c.tokens) + mean * 0.5 * static_cast<double>(c.in_flight)) / seconds;
    const double left =
        mean * (static_cast<double>(waiting) + 0.5 * static_cast<double>(c.in_flight));
    line += fmt::format(", about {} left", duration_text(left / rate));
  }
  return line;
}

Progress::Progress(std::int64_t total, bool quiet, const CancelToken& cancel)
    : quiet_(quiet),
      is_terminal_(::isatty(STDERR_FILENO) != 0),
      start_(steady_clock().now()),
      cancel_(cancel) {
  counts_.total = total;
  if (!quiet_) {
    if (is_terminal_) {
      set_log_prelude("\r\033[K");
    }
    thread_ = std::thread([this] { print_loop(); });
  }
}

Progress::~Progress() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
  if (!quiet_ && is_terminal_) {
    write_progress("\r\033[K");
    set_log_prelude("");
  }
}

void Progress::request_sent() {
  const std::lock_guard lock(mutex_);
  ++counts_.in_flight;
}

void Progress::sample_done(std::int64_t tokens, bool truncated) {
  const std::lock_guard lock(mutex_);
  --counts_.in_flight;
  ++counts_.done;
  counts_.tokens += tokens > 0 ? tokens : 0;
  counts_.truncated += truncated ? 1 : 0;
}

void Progress::sample_scored(bool correct) {
  const std::lock_guard lock(mutex_);
  ++counts_.scored;
  counts_.correct += correct ? 1 : 0;
}

void Progress::sample_failed() {
  const std::lock_guard lock(mutex_);
  --counts_.in_flight;
  ++counts_.failed;
}

ProgressCounts Progress::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Progress::print_loop() {
  bool said_draining = false;
  std::unique_lock lock(mutex_);
  auto next_plain = std::chrono::steady_clock::now() + kPlainPeriod;
  while (!ended_) {
    wake_.wait_for(lock, kTerminalPeriod, [&] { return ended_; });
    if (ended_) {
      break;
    }
    const ProgressCounts counts = counts_;
    const bool plain_due = std::chrono::steady_clock::now() >= next_plain;
    lock.unlock();
    if (cancel_.is_draining() && !said_draining) {
      said_draining = true;
      log_info(fmt::format(
          "stopping: {} requests in flight are finished first; press Ctrl-C again to drop them",
          counts.in_flight));
    }
    const std::string line = progress_line(counts, steady_clock().now() - start_);
    if (is_terminal_) {
      write_progress("\r\033[K" + line);
    } else if (plain_due) {
      next_plain += kPlainPeriod;
      log_info(line);
    }
    lock.lock();
  }
}

}  // namespace r1eval
