// Runs as one self-contained page: scores, comparisons with the first run, transcripts.
//
// Texts of tasks that must not be passed on appear as their hash, unless `include_restricted`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "harness/load_result.h"
#include "results/aggregate.h"
#include "results/summary.h"

namespace r1eval {

// A run with its scores, graded by the running grader.
struct ScoredRun {
  LoadedRun run;
  std::vector<TaskScores> scores;
  RunSummary summary;
  OrderedJson lengths;  // histograms of completion tokens
};

Result<std::unique_ptr<ScoredRun>> score_run(const std::string& directory);

struct PageOptions {
  std::string transcripts = "all";  // all, failures, sample:N (a seeded choice), none
  std::string title;
  bool include_restricted = false;
};

// Errors: kInvalidArgument (transcripts), those of reading the records again.
Result<std::string> report_page(const std::vector<std::unique_ptr<ScoredRun>>& runs,
                                const PageOptions& options);

}  // namespace r1eval
