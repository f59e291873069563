// The lines that DeepGEMM, FlashMLA and FlashInfer print for people, read back.
//
// Used by results/kernel_import.h, which documents names and bounds. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/kernel_run.h"

namespace r1eval {

struct PerfLine {
  std::string id;
  KernelSample sample;
};

struct PerfText {
  std::vector<PerfLine> lines;
  std::vector<std::string> problems;
};

// format: "deepgemm", "flashmla" or "flashinfer".
PerfText read_perf_text(std::string_view format, std::string_view text);

// What a line of the format looks like, for messages.
std::string perf_line_example(std::string_view format);

}  // namespace r1eval
