// From graded records to the files and lines that a user reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/backend.h"
#include "harness/grading.h"
#include "harness/plan.h"
#include "harness/run_options.h"
#include "results/run_store.h"

namespace r1eval {

struct Report {
  std::string directory;
  std::vector<TaskScores> scores;
  std::vector<std::string> notes;       // from the records
  std::vector<std::string> call_notes;  // from this call
  std::int64_t requests_sent = 0;
  bool json = false;
};

// Says where thinking was not closed anywhere, or unknown tags are left over in answers.
void add_thinking_notes(const std::vector<TaskScores>& scores, const ThinkTags& tags,
                        std::vector<std::string>& notes);

// What a reader of a code task's score must know: how its programs ran, answers in which another
// way to find the program gives another one, rows that are not the benchmark's own, and runs that
// failed for our own reasons.
void add_code_notes(const Plan& plan, const GradedRun& graded, Report& report);

// Records that stand twice, and how often another harness's verdict on an imported record is not
// ours.
void add_record_notes(const GradedRun& graded, Report& report);

// Writes grades, results and leaderboard, and prints the table or the line of JSON.
Status write_reports(const Plan& plan, RunStore& store, GradedRun& graded, const Report& report,
                     const RunOptions& options, const Capabilities& capabilities);

}  // namespace r1eval
