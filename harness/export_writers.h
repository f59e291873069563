// A loaded run in other forms: tables, model cards, CI files, JSONL.
//
// Texts of items that must not be passed on appear as their hash, unless `include_restricted`.
#pragma once

#include <string>
#include <vector>

#include "harness/load_result.h"
#include "results/aggregate.h"

namespace r1eval {

struct ExportOptions {
  bool include_restricted = false;
  std::int64_t max_per_item = 1;    // sft: correct samples an item
  bool drop_language_mixed = true;  // sft
};

// One header line and documented columns (docs/outputs.md); a task, an item or a sample a line.
std::string tasks_csv(const LoadedRun& run, const std::vector<TaskScores>& scores);
std::string items_csv(const LoadedRun& run);
Result<std::string> samples_csv(const LoadedRun& run);

// Front matter of a model card (`model-index`), and the list of `.eval_results/NAME.yaml`.
std::string model_index_yaml(const LoadedRun& run, const std::vector<TaskScores>& scores);
std::string eval_results_yaml(const LoadedRun& run, const std::vector<TaskScores>& scores);

// Scores of runs: a Markdown table; JUnit with a case a task, failed where it is incomplete.
std::string scores_markdown(const std::vector<const LoadedRun*>& runs,
                            const std::vector<std::vector<TaskScores>>& scores);
std::string scores_junit(const std::vector<const LoadedRun*>& runs,
                         const std::vector<std::vector<TaskScores>>& scores);

// The generic JSONL that `import --from jsonl` reads; and correct samples as messages, deduplicated
// by answer text, for fine-tuning.
Result<std::string> samples_jsonl(const LoadedRun& run, const ExportOptions& options);
Result<std::string> sft_jsonl(const LoadedRun& run, const ExportOptions& options);

}  // namespace r1eval
