// bench graders: microseconds a pair, memory and extraction speed of the math grader.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace r1eval {

struct GraderBench {
  std::string set;  // JSON lines as for `score math`
  std::int64_t repeat = 5;
  bool json = false;
};

// Prints to stdout. One thread; gold and answer are read anew for every pair and round, nothing is
// kept between them. Errors name the file and line.
Status bench_graders(const GraderBench& options);

}  // namespace r1eval
