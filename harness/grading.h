// Grading of recorded samples: the same code during a run, after it, and for `grade DIR`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/verdict.h"
#include "engine/backend.h"
#include "graders/extract/thinking.h"
#include "harness/plan.h"
#include "results/aggregate.h"
#include "results/record.h"

namespace r1eval {

// A completion that arrived whole, as the record of its planned sample: thinking split off, a
// "stop" at the token limit relabelled "length".
SampleRecord make_record(const Plan& plan, const PlannedSample& sample, Completion completion,
                         const ThinkTags& tags);

// Threads that keep the plan's executors busy; 0 when no grader waits for one.
std::int64_t grading_threads(const Plan& plan);

// The verdict of one record. Truncated inside the thinking, or an empty answer, is no_answer; a
// task without a grader, or a gold that it cannot read, is unscored.
Verdict grade_record(const Plan& plan, const PlannedSample& sample, const SampleRecord& record);

// Where the plan's samples stand: (task, item, sample) -> index into Plan::samples.
class PlanIndex {
 public:
  explicit PlanIndex(const Plan& plan);
  // -1 when the plan has no such sample.
  std::int64_t find(const std::string& task, const std::string& item, std::int64_t sample) const;

 private:
  std::map<std::string, std::int64_t> index_;
};

// What scores are computed from: one slot a planned sample.
struct GradedRun {
  std::vector<GradeRecord> grades;                           // in plan order, only those that exist
  std::map<std::string, std::vector<GradedSample>> samples;  // by task
  std::map<std::string, std::int64_t> n_duplicates;  // by task: records of a sample that was there
  std::map<std::string, std::int64_t> n_foreign;     // by task: with another harness's verdict
  std::map<std::string, std::int64_t> n_disagree;    // … that is not ours
  std::map<std::string, std::map<std::string, std::string>> prompts;  // by task: item -> first hash
};

// Reads all samples of `directory`, grades those without a verdict in `known` (by plan index, may
// be empty) in parallel, and returns everything in plan order.
Result<GradedRun> grade_directory(const Plan& plan, const std::string& directory,
                                  std::vector<std::optional<Verdict>> known);

// One TaskScores per planned task, in plan order.
std::vector<TaskScores> score_tasks(const Plan& plan, GradedRun& graded);

}  // namespace r1eval
