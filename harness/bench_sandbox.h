// bench sandbox: isolated programs a second, beside what they are compared with, in the same
// minutes.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace r1eval {

struct SandboxBench {
  std::int64_t rounds = 7;
  std::int64_t runs = 100;  // of each kind a round; slow kinds a tenth
  std::string level;        // empty: the best there is
  bool json = false;
};

// Prints a table, or one JSON object. Rounds are interleaved, medians are over rounds.
Status bench_sandbox(const SandboxBench& options);

}  // namespace r1eval
