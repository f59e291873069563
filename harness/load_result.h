// A run directory, or a baseline file, as comparisons and gates need it.
#pragma once

#include <string>

#include "base/result.h"
#include "harness/grading.h"
#include "harness/plan.h"
#include "results/compare.h"

namespace r1eval {

struct LoadOptions {
  bool as_graded = false;  // take the stored verdicts as they are
};

// What was read of a directory, for writers that need more than numbers.
struct LoadedRun {
  RunScores result;
  Plan plan;
  GradedRun graded;
  Json manifest;
  std::string directory;
};

// Grades all records with the running grader (programs only where no verdict of this very grader is
// stored) and counts the verdicts that changed. Errors: kNotFound (no run there, no data for its
// tasks), kUnsupported (a newer schema), kParse, kInvalidArgument (as_graded without grades).
Result<LoadedRun> load_run(const std::string& directory, const LoadOptions& options);

// The same of a directory, or of a file that `export --to baseline` made.
Result<RunScores> load_result(const std::string& path, const LoadOptions& options);

// Is there a run or a baseline at all?
bool result_exists(const std::string& path);

// Hash of a question's text, white space and case aside: what items of different harnesses share.
std::string question_hash(std::string_view question);

}  // namespace r1eval
