// A loaded run in the files of other harnesses, as their own readers take them.
//
// Texts of items that must not be passed on appear as their hash, unless `include_restricted`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "harness/export_writers.h"

namespace r1eval {

using ExportedFiles = std::map<std::string, std::string>;  // relative path -> bytes

// lm-evaluation-harness: MODEL/results_DATE.json and MODEL/samples_TASK_DATE.jsonl.
Result<ExportedFiles> lm_eval_files(LoadedRun& run, const std::vector<TaskScores>& scores,
                                    const ExportOptions& options);

// inspect_ai: one JSON log of version 2 a task, TASK.json.
Result<ExportedFiles> inspect_files(LoadedRun& run, const std::vector<TaskScores>& scores,
                                    const ExportOptions& options);

// LiveCodeBench: the list of …_eval_all.json, as its submissions want it; of tasks whose answers
// are programs. kInvalidArgument when the run has none.
Result<std::string> lcb_json(LoadedRun& run, const ExportOptions& options);

}  // namespace r1eval
