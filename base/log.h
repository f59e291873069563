// Levelled log, one line per message, the only writer to stderr beside the progress line.
//
// Threads  any; lines never interleave. While a progress line is shown (set_log_prelude), each
//          message first erases it.
// Secrets  register_secret(key) once; every later message has it replaced by "[redacted]".
#pragma once

#include <string>
#include <string_view>

namespace r1eval {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

void set_log_level(LogLevel level);
LogLevel log_level();

void log_message(LogLevel level, std::string_view text);

inline void log_debug(std::string_view text) {
  log_message(LogLevel::kDebug, text);
}

inline void log_info(std::string_view text) {
  log_message(LogLevel::kInfo, text);
}

inline void log_warning(std::string_view text) {
  log_message(LogLevel::kWarning, text);
}

inline void log_error(std::string_view text) {
  log_message(LogLevel::kError, text);
}

// Bytes written before each message, e.g. "\r\033[K" while a progress line stands on the terminal.
void set_log_prelude(std::string_view prelude);

// Writes `text` to stderr under the log's lock, without a level or a newline: progress lines.
void write_progress(std::string_view text);

// Texts of at least 6 bytes are hidden from then on, in messages and by redact().
void register_secret(std::string_view secret);
std::string redact(std::string_view text);

}  // namespace r1eval
