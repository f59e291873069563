#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <vector>

namespace r1eval {
namespace {

struct LogState {
  std::mutex mutex;  // guards prelude, secrets and the order of writes
  std::string prelude;
  std::vector<std::string> secrets;
};

LogState& state() {
  static auto* const instance = new LogState;  // outlives every thread that may log at exit
  return *instance;
}

// Relaxed: the level is a filter, no other data depends on it.
std::atomic<LogLevel> g_level{LogLevel::kInfo};

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return;  // stderr is gone; there is nowhere left to say so
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
}

std::string redact_locked(std::string_view text, const std::vector<std::string>& secrets) {
  std::string out(text);
  for (const std::string& secret : secrets) {
    for (size_t at = out.find(secret); at != std::string::npos; at = out.find(secret, at)) {
      out.replace(at, secret.size(), "[redacted]");
      at += 10;
    }
  }
  return out;
}

}  // namespace

void set_log_level(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}

LogLevel log_level() {
  return g_level.load(std::memory_order_relaxed);
}

void log_message(LogLevel level, std::string_view text) {
  if (level < log_level()) {
    return;
  }
  std::string_view name = "debug: ";
  if (level == LogLevel::kInfo) {
    name = "";
  } else if (level == LogLevel::kWarning) {
    name = "warning: ";
  } else if (level == LogLevel::kError) {
    name = "error: ";
  }
  const std::lock_guard lock(state().mutex);
  std::string line = state().prelude;
  line += name;
  line += redact_locked(text, state().secrets);
  line += '\n';
  write_all(line);
}

void set_log_prelude(std::string_view prelude) {
  const std::lock_guard lock(state().mutex);
  state().prelude = prelude;
}

void write_progress(std::string_view text) {
  const std::lock_guard lock(state().mutex);
  write_all(text);
}

void register_secret(std::string_view secret) {
  if (secret.size() < 6) {
    return;
  }
  const std::lock_guard lock(state().mutex);
  std::vector<std::string>& secrets = state().secrets;
  if (std::find(secrets.begin(), secrets.end(), secret) == secrets.end()) {
    secrets.emplace_back(secret);
  }
}

std::string redact(std::string_view text) {
  const std::lock_guard lock(state().mutex);
  return redact_locked(text, state().secrets);
}

}  // namespace r1eval
