// The plan of a run: which samples there are to be, with what prompts, limits, seeds and keys.
//
// Planning is pure: the same options and data give the same plan, in the same order, on any
// machine. What the store already has is then dropped by key.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/backend.h"
#include "graders/code/judge.h"
#include "graders/grader.h"
#include "harness/prices.h"
#include "harness/run_options.h"
#include "tasks/dataset_store.h"
#include "tasks/prompt.h"
#include "tasks/registry.h"

namespace r1eval {

// A task with its data loaded and its items chosen.
struct PlannedTask {
  Task task;
  TaskData data;
  std::vector<std::int64_t> items;  // indices into data.items that are asked, in dataset order
  std::int64_t k = 1;
  bool is_partial = false;      // --limit or --items left some out
  std::int64_t max_tokens = 0;  // the limit before the context bounds it
  bool max_tokens_explicit = false;
  double temperature = 0;
  double top_p = 1;
  std::unique_ptr<PromptRenderer> renderer;
  std::shared_ptr<CodeExecutor> executor;   // of a grader that runs programs
  std::unique_ptr<Grader> grader;           // null: the task cannot be graded here
  std::string grader_problem;               // why not
  std::vector<std::string> unscored_items;  // golds that the grader cannot read, "ID: reason"
};

// One sample to be asked for.
struct PlannedSample {
  std::int32_t task = 0;  // index into Plan::tasks
  std::int64_t item = 0;  // index into the task's data.items
  std::int64_t sample = 0;
  std::int64_t max_tokens = 0;  // after bounding by the context
  std::uint64_t seed = 0;
  std::string prompt_sha256;
  std::string key;
};

struct Plan {
  std::vector<PlannedTask> tasks;
  std::vector<PlannedSample> samples;  // grouped by item, all tasks
  Prices prices;                       // of the model's tokens, where known
};

// Opens what runs programs, for tasks whose answers are programs; asked at most once a plan.
using ExecutorSource = std::function<Result<std::shared_ptr<CodeExecutor>>()>;

// Loads what the options name. `default_max_tokens` is used where neither flag nor task says.
// Errors: kInvalidArgument (unknown task, item, shuffle), kNotFound (data missing, with the
// commands that bring it), kUnsupported (a task that this build cannot grade, unless no_grade).
Result<Plan> load_plan(const RunOptions& options, const TaskRegistry& registry,
                       const DatasetStore& store, const ExecutorSource& open_executor = {});

// Renders every prompt (in parallel) and fills in samples: hashes and seeds; keys when a model is
// known (identity non-empty).
void plan_samples(Plan& plan, const RunOptions& options, const std::string& model_identity);

// Whether the backend can do what the tasks need. Errors: kUnsupported, with what can.
Status check_abilities(const Plan& plan, const RunOptions& options,
                       const Capabilities& capabilities);

// Bounds every sample's max_tokens by the context. Errors: kResourceExhausted naming task, item,
// prompt tokens and context when an explicit --max-tokens, or any answer at all, cannot fit.
// Says through `notes` what was limited.
Status bound_max_tokens(Plan& plan, const Backend& backend, const RunOptions& options,
                        std::vector<std::string>& notes);

// The request of a planned sample.
GenerateRequest make_request(const Plan& plan, const RunOptions& options, std::int64_t index,
                             const std::string& assistant_prefix);

// `n` of the items, chosen by the seed and spread over strata (or subjects) in proportion, in
// dataset order. Adding or dropping items of one stratum leaves the choice in the others nearly as
// it was.
std::vector<std::int64_t> sample_items(const std::vector<Item>& items, std::int64_t n,
                                       std::uint64_t seed, const std::string& task);

}  // namespace r1eval
