// Files: whole reads, atomic writes, lines, the folders of the XDG convention.
//
// Errors   name the path and the operating system's reason: kNotFound, kIo, kResourceExhausted
//          (disk full), kFailedPrecondition (read-only or no permission).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace r1eval {

// Turns errno of an operation on `path` into an Error: "write runs/x/samples.jsonl: No space left
// …".
Error errno_error(int error_number, std::string_view doing, std::string_view path);

Result<std::string> read_file(const std::string& path);

// Writes a temporary file beside `path`, flushes it to disk and renames it into place: a reader
// sees the old bytes or the new ones, never a part.
Status write_file_atomic(const std::string& path, std::string_view bytes);

// mkdir -p.
Status make_directories(const std::string& path);

bool path_exists(const std::string& path);
bool is_directory(const std::string& path);
Result<std::int64_t> file_size(const std::string& path);

// Calls `on_line(line, number)` for each line, without its line end, numbers from 1; a last line
// without a newline counts. Stops at the first error that `on_line` returns. Reads in pieces.
Status for_each_line(
    const std::string& path,
    const std::function<Status(std::string_view line, std::int64_t number)>& on_line);

// $XDG_CACHE_HOME/r1eval, or ~/.cache/r1eval. $XDG_DATA_HOME/r1eval, or ~/.local/share/r1eval.
std::string cache_directory();
std::string data_directory();

// An environment variable, or empty.
std::string environment(const char* name);

}  // namespace r1eval
