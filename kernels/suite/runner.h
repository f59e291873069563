// Measures cases and writes them down: Google Benchmark runs the samples, the suite decides how
// many and what else stands beside them.
//
// Samples   after a warm-up (until three windows of 50 ms agree within 1 %, at most max_warm_up),
// at
//           least 15 samples and 100 ms; then until the 95 % interval of the median is narrower
//           than 0.5 % of it, or the case's budget is spent (converged 0). All samples are kept.
// Failures  a case that is wrong is not timed; its entry says so and the run goes on.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/suite/checker.h"
#include "kernels/suite/execution.h"
#include "kernels/suite/roofs.h"
#include "kernels/suite/statistics.h"

namespace r1eval::kernels {

struct RunOptions {
  int threads = 1;
  double case_seconds = 1.5;
  double max_warm_up_seconds = 0.3;
  std::int64_t min_samples = 15;
  double min_seconds = 0.1;
  double ci_ratio = 0.005;
  bool checks_first = true;
  double check_flop_budget = 2e8;
  double budget_seconds = 0;      // of the whole run; 0: none
  std::int64_t memory_bytes = 0;  // for one case's arguments; 0: half of what is available
  std::function<bool()> is_cancelled;
};

struct CaseResult {
  OperatorCase c;
  std::string failure;  // "wrong: …" or "cannot: …"; empty: measured
  Measures measures;
  std::vector<TimedSample> samples;
  std::int64_t discarded = 0;
  bool converged = false;
  bool unstable = false;
  SampleSummary summary;  // seconds
  Cost cost;
  Work work;
  std::int64_t copies = 1;
  double clock_ghz = 0;  // median
  std::string timer;
};

struct RunResult {
  Roofs roofs;
  std::vector<std::pair<std::string, std::string>> context;  // r1eval.* keys
  std::vector<CaseResult> cases;
  std::int64_t n_left_out = 0;  // cases that the budget did not reach
};

// `progress` is called after each case.
Result<RunResult> run_cases(const std::vector<OperatorCase>& cases, const RunOptions& options,
                            const std::function<void(const CaseResult&, const Roofs&)>& progress);

// The file described in record.h.
std::string benchmark_json(const RunResult& run);

// A line per case: time, interval, rate, share of the roof and which roof it is.
std::string table_header();
std::string table_line(const CaseResult& result, const Roofs& roofs);

}  // namespace r1eval::kernels
