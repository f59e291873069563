// Files compiled into the program: the built-in task files, the suites and our own sets.
#pragma once

#include <span>
#include <string_view>
#include <utility>

namespace r1eval {

// (path relative to tasks/, bytes), e.g. "mini/mini_math.jsonl".
std::span<const std::pair<std::string_view, std::string_view>> embedded_task_files();

}  // namespace r1eval
