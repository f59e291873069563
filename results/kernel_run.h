// One run of a kernel suite: what a file in Google Benchmark's JSON format says of it.
//
// Layout   `context` holds the environment as text, ours under keys that begin with "r1eval.";
//          `benchmarks` holds one entry a repetition (run_type "iteration"), with time, counters
//          and errors. Of aggregates only the entry of the median is kept: our suite's carries what
//          is known of all repetitions together, and a foreign case may have nothing else.
// Case id  the benchmark's name without what Google Benchmark appends to it (manual_time,
//          repeats:N, …). Two runs are compared case by case under the same id.
// Units    times in nanoseconds, clocks in GHz, sizes in bytes.
// Errors   kParse names the file, the entry and the field. A file has at most 256 MiB and a
//          million entries: kResourceExhausted beyond.
// Threads  pure functions.
// Source   Google Benchmark 1.7.1 (docs/tools.md, src/json_reporter.cc), and the fields that later
//          releases added (skipped, skip_message).
// Tested   tests/results/kernel_run_test.cc; tests/fuzz/kernel_import_fuzz.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace r1eval {

// One repetition of a case.
struct KernelSample {
  double time_ns = 0;                      // of one call, wall or device, as the timer says
  double cpu_ns = 0;                       // processor time of one call; 0 where not known
  std::int64_t iterations = 1;             // calls that time_ns is the mean of
  std::map<std::string, double> counters;  // as in the file
};

struct KernelCase {
  std::string id;
  std::vector<KernelSample> samples;  // in the order of the file
  std::string label;
  std::map<std::string, double> summary;  // counters of the entry of the median
  std::string error;                      // why there is no time; empty: none
  bool is_wrong = false;        // … because the result failed its check: times are withheld
  bool is_skipped = false;      // … because this machine cannot run it
  bool from_aggregate = false;  // the file had only aggregates: one sample, the median
  std::int64_t threads = 1;

  // Median time of a call; 0 without samples.
  double median_ns() const;
  // Median of a counter over the samples that have it, else what the entry of the median says.
  std::optional<double> counter(std::string_view name) const;
};

struct KernelRun {
  std::string file;
  Json context = Json::object();
  std::vector<KernelCase> cases;  // in the order of the file
  std::vector<std::string> notes;

  const KernelCase* find(std::string_view id) const;
  // A text of the context; empty where it is missing or null.
  std::string text(std::string_view key) const;
};

// Bytes of a file whose name is `file`.
Result<KernelRun> parse_kernel_run(std::string_view bytes, const std::string& file);
Result<KernelRun> read_kernel_run(const std::string& path);

// The runs that `path` names: a file, or the *.json files of a directory in the order of their
// names (index.jsonl and what does not hold benchmarks are left out and named in `skipped`).
// Errors: kNotFound; kParse when nothing of a directory can be read.
Result<std::vector<KernelRun>> read_kernel_runs(const std::string& path,
                                                std::vector<std::string>* skipped = nullptr);

// The run in Google Benchmark's format again: context, every repetition, counters. compare.py and
// other readers of that format take it.
std::string kernel_run_json(const KernelRun& run);

// "moe.topk/T:128/manual_time/repeats:9" -> "moe.topk/T:128".
std::string kernel_case_id(std::string_view benchmark_name);

// Does the case's name match a pattern of * (any characters) and ? (one)? Without either, the
// pattern may stand anywhere in the name.
bool kernel_name_matches(std::string_view name, std::string_view pattern);

}  // namespace r1eval
