// A run as a serial list of passes: load, open, plan, generate, grade, aggregate, report.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "harness/plan.h"
#include "harness/run_options.h"

namespace r1eval {

// Runs to the end or to the first thing that cannot go on; prints the table (or, under --json, one
// last line of JSON) to stdout and everything else to the log. Returns the exit code.
int run_evaluation(const RunOptions& options);

// Begins the name of a task whose file lies in the run directory itself.
inline constexpr std::string_view kTaskOfRun = "@run/";

// Opens the sandbox of a plan's code tasks.
ExecutorSource sandbox_source(const RunOptions& options);

// Reads the options of a run directory back, for `resume`.
Result<RunOptions> options_of_run(const std::string& directory);

struct RegradeOptions {
  std::string directory;
  std::string task;         // profile and extraction are for this one; empty: for all
  std::string profile;      // empty: each task's own
  std::string extraction;   // of programs; empty: each task's own
  std::string sandbox_min;  // empty: as the run had it
  bool json = false;
};

// Grades the records of a run directory again with this build's graders and writes grades, results
// and leaderboard anew.
int grade_run(const RegradeOptions& options);

}  // namespace r1eval
