// Moves a run's data between this process and the program, bounded, until the supervisor reports
// the slot empty.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "graders/code/launch.h"

namespace r1eval {

struct PumpLimits {
  std::int64_t stdout_bytes = 0;
  std::int64_t result_bytes = 0;
  std::int64_t stderr_tail_bytes = 4096;
  bool result_fits_pipe = false;  // a few bytes, read when the run is over
};

struct Pumped {
  std::string stdout_bytes;
  std::string stderr_tail;
  std::string result_bytes;
  bool is_over_output = false;  // printed more than it may
  bool is_over_result = false;
  bool has_report = false;  // false: the supervisor died
  wire::Report report;
};

// Our ends of a run's pipes. `stdin_bytes` goes to input, which is closed at its end; further input
// may be appended by on_result, which sees all of the result pipe so far after each change, says
// what to send next, and whether to go on.
struct PumpPipes {
  UniqueFd input;
  UniqueFd output;
  UniqueFd errors;
  UniqueFd result;
};

enum class PumpStep : std::uint8_t { kGoOn, kStop };

using PumpResultWatcher =
    std::function<PumpStep(const std::string& result, std::string& more_input)>;

Pumped pump_run(int supervisor_socket, PumpPipes pipes, std::string_view stdin_bytes,
                const PumpLimits& limits, const PumpResultWatcher& on_result);

}  // namespace r1eval
