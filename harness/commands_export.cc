// export.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/export_foreign.h"
#include "harness/export_writers.h"
#include "harness/load_result.h"
#include "results/baseline.h"

namespace r1eval {
namespace {

struct ExportFlags {
  std::string to;
  std::string directory;
  std::string out;
  ExportOptions options;
};

const std::vector<std::string>& export_formats() {
  static const std::vector<std::string> kFormats = {
      "baseline", "csv", "csv-items", "csv-samples", "eval-results", "inspect", "jsonl",
      "junit",    "lcb", "lm-eval",   "markdown",    "model-index",  "sft"};
  return kFormats;
}

// Formats of several files go into a folder; one file may also go to standard output.
Result<int> export_files(LoadedRun& run, const ExportFlags& flags) {
  const std::vector<TaskScores> scores = score_tasks(run.plan, run.graded);
  R1_TRY(const ExportedFiles files, flags.to == "inspect"
                                        ? inspect_files(run, scores, flags.options)
                                        : lm_eval_files(run, scores, flags.options));
  if (flags.out.empty()) {
    if (files.size() != 1) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--to {} writes {} files: --out FOLDER", flags.to, files.size()));
    }
    std::fwrite(files.begin()->second.data(), 1, files.begin()->second.size(), stdout);
    return kExitOk;
  }
  for (const auto& [name, bytes] : files) {
    const std::string path = flags.out + "/" + name;
    R1_RETURN_IF_ERROR(make_directories(path.substr(0, path.rfind('/'))));
    R1_RETURN_IF_ERROR(write_file_atomic(path, bytes));
  }
  return kExitOk;
}

Result<int> export_with(const ExportFlags& flags) {
  R1_TRY(LoadedRun run, load_run(flags.directory, {}));
  std::string text;
  if (flags.to == "baseline") {
    text = baseline_json(run.result);
  } else if (flags.to == "csv-items") {
    text = items_csv(run);
  } else if (flags.to == "csv-samples") {
    R1_TRY(text, samples_csv(run));
  } else if (flags.to == "lm-eval" || flags.to == "inspect") {
    return export_files(run, flags);
  } else if (flags.to == "lcb") {
    R1_TRY(text, lcb_json(run, flags.options));
  } else if (flags.to == "jsonl") {
    R1_TRY(text, samples_jsonl(run, flags.options));
  } else if (flags.to == "sft") {
    R1_TRY(text, sft_jsonl(run, flags.options));
  } else {
    const std::vector<TaskScores> scores = score_tasks(run.plan, run.graded);
    text = flags.to == "csv"            ? tasks_csv(run, scores)
           : flags.to == "model-index"  ? model_index_yaml(run, scores)
           : flags.to == "eval-results" ? eval_results_yaml(run, scores)
           : flags.to == "junit"        ? scores_junit({&run}, {scores})
                                        : scores_markdown({&run}, {scores});
  }
  if (flags.out.empty()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return kExitOk;
  }
  R1_RETURN_IF_ERROR(write_file_atomic(flags.out, text));
  return kExitOk;
}

}  // namespace

void add_export_commands(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("export", "a run in another form");
  auto flags = std::make_shared<ExportFlags>();
  command->add_option("--to", flags->to, fmt::format("{}", fmt::join(export_formats(), ", ")))
      ->required()
      ->check(CLI::IsMember(export_formats()));
  command->add_option("DIR", flags->directory, "the run directory")->required();
  command->add_option("--out", flags->out,
                      "file (lm-eval, inspect: folder); default: standard output");
  command->add_flag("--include-restricted", flags->options.include_restricted,
                    "also texts of tasks that must not be passed on");
  command->add_option("--max-per-item", flags->options.max_per_item, "sft: correct samples an item")
      ->check(CLI::Range(1, 1000000));
  command->callback([&action, flags] {
    action = [flags] {
      const Result<int> code = export_with(*flags);
      return code ? *code : report_failure(code.error());
    };
  });
}

}  // namespace r1eval
