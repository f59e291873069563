// Starts benchmark programs in pairs, one after the other, and collects their result files: the
// measuring half of `kernels compare --base PROGRAM --head PROGRAM`.
//
// Order    pair 0 is A B, pair 1 is B A, and so on, so that what goes first, or what the machine
// does
//          over time, falls on both sides alike. Never two programs at once.
// Kinds    "r1eval": PROGRAM kernels run; "gbench": any program linked with Google Benchmark. Told
// apart
//          by the file's name, as asking would start a benchmark that does not know the question.
// Files    DIR/base/00.json, DIR/head/00.json, …, each with "r1eval.launch_order" and
//          "r1eval.program_sha256" added to its context; what the program printed lies beside it as
//          00.log. Comparing the two folders later gives the same verdicts.
// Errors   kNotFound: no such program. kUnavailable: it failed or wrote no result; the log's end is
//          in the message. kResourceExhausted: it ran past the limit, and was ended with all it
//          had started. kCancelled: Ctrl-C.
// Threads  one caller at a time: it listens to SIGINT while it runs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "results/kernel_run.h"

namespace r1eval {

struct KernelLaunchPlan {
  std::string base;  // programs
  std::string head;
  std::string runner;                  // "r1eval", "gbench"; empty: by the file's name
  std::vector<std::string> arguments;  // of both, after ours
  std::string directory;               // where files go; made if need be
  std::string prefix;                  // "" or "confirm-", before base and head
  std::int64_t n_pairs = 5;
  std::int64_t n_repetitions = 9;  // of a Google Benchmark program
  double limit_seconds = 600;      // of one launch
  std::vector<std::string> cases;  // only these names; empty: all
};

struct KernelLaunches {
  std::vector<KernelRun> base;
  std::vector<KernelRun> head;
};

// `progress` is told before each launch.
Result<KernelLaunches> launch_kernel_pairs(const KernelLaunchPlan& plan,
                                           const std::function<void(const std::string&)>& progress);

// A regular expression that matches exactly one of the names.
std::string exact_names_regex(const std::vector<std::string>& names);

}  // namespace r1eval
