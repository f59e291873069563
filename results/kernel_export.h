// Kernel results in the forms that other tools read.
//
//   gbench    Google Benchmark's JSON, every repetition (results/kernel_run.h)
//   json      [{"name","unit","value","range","extra"}], smaller is better: what
//             github-action-benchmark takes as customSmallerIsBetter
//   bencher   Bencher Metric Format: {CASE: {MEASURE: {"value","lower_value","upper_value"}}}
//   mlperf    one ":::MLLOG {…}" line a case
//   csv       a line a case, header first
//   markdown  a table with a caption that says on what and against which roof
//
// Times    medians with their 95 % intervals, nanoseconds. Cases without a time appear where the
//          form has a place for a reason (csv, markdown, mlperf) and are left out elsewhere.
// Percent  of the roof that the same run measured, never of a datasheet.
// Threads  pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "results/kernel_run.h"

namespace r1eval {

// "gbench", "json", "bencher", "mlperf", "csv", "markdown".
const std::vector<std::string>& kernel_export_formats();

// Several launches become one run: samples of a case follow one another; a case that failed in one
// of them has failed. One run stays as it is. `runs` is not empty.
KernelRun pool_kernel_runs(const std::vector<KernelRun>& runs);

struct KernelTime {
  double median_ns = 0;
  double lower_ns = 0;  // 95 % interval of the median
  double upper_ns = 0;
};

KernelTime kernel_time(const KernelCase& one);

Result<std::string> export_kernel_run(const KernelRun& run, std::string_view format);

// 12.3 us, 4.56 ms: three significant digits and a unit.
std::string time_text(double nanoseconds);

}  // namespace r1eval
