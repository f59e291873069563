// import.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "harness/batch.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/import.h"
#include "harness/run.h"

namespace r1eval {
namespace {

struct ImportFlags {
  ImportOptions options;
  std::string from;
  std::string path;
  std::vector<std::string> map;
  bool no_grade = false;
  bool json = false;
};

Result<int> import_with(const ImportFlags& flags) {
  if (flags.from == "batch") {
    return import_batch(flags.path, flags.options.out, flags.no_grade, flags.json);
  }
  ImportOptions options = flags.options;
  for (const std::string& pair : flags.map) {
    const std::size_t equals = pair.find('=');
    options.map[pair.substr(0, equals)] =
        equals == std::string::npos ? "" : pair.substr(equals + 1);
  }
  R1_TRY(ForeignRun run, read_foreign(flags.from, flags.path, options));
  const std::int64_t n_malformed = run.n_malformed;
  const std::vector<std::string> losses = run.losses;
  options.command = command_line();
  R1_TRY(const ImportReport report, write_import(std::move(run), options));
  log_info(fmt::format("{} samples in {}", report.n_samples, options.out));
  for (const std::string& task : report.tasks) {
    log_info(task);
  }
  for (const std::string& loss : losses) {
    log_info("not in these records: " + loss);
  }
  if (report.n_duplicates > 0) {
    log_warning(
        fmt::format("{} records stand twice; the first of each is kept", report.n_duplicates));
  }
  if (report.n_failed > 0) {
    log_warning(fmt::format("{} requests had failed there; they are missing here, not wrong",
                            report.n_failed));
  }
  if (report.n_without_gold > 0) {
    log_warning(fmt::format("{} items have no gold and cannot be scored{}", report.n_without_gold,
                            options.trust ? "" : " (--trust takes the records' own scores)"));
  }
  int code = kExitOk;
  if (!flags.no_grade) {
    code = grade_run({options.out, "", "", "", "", flags.json});
  }
  if (n_malformed > 0) {
    log_warning(fmt::format("{} malformed records were left out", n_malformed));
    return code == kExitOk ? kExitMalformedInput : code;
  }
  return code;
}

}  // namespace

void add_import_commands(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("import", "another harness's records as a run directory of ours");
  auto flags = std::make_shared<ImportFlags>();
  std::vector<std::string> formats = import_formats();
  formats.push_back("batch");
  command->add_option("--from", flags->from, fmt::format("{}", fmt::join(formats, ", ")))
      ->required()
      ->check(CLI::IsMember(formats));
  command->add_option("PATH", flags->path, "file or folder of the records")->required();
  command
      ->add_option("--out", flags->options.out,
                   "the run directory to make; batch: the one whose requests were written")
      ->required();
  command->add_option("--task", flags->options.task,
                      "all items belong to this task of ours: matched by id, else by question");
  command
      ->add_option("--grader", flags->options.grader,
                   "of tasks that are not ours; default: from the golds")
      ->check(CLI::IsMember({"math", "choice", "text"}));
  command->add_option("--model", flags->options.model,
                      "its name, where the records do not tell; where they hold several: which");
  command->add_option("--map", flags->map,
                      "jsonl: FIELD=PATH, their name of a field of ours; a path goes through "
                      "members and list positions: response=output.choices.0.text");
  command->add_flag("--trust", flags->options.trust,
                    "take the records' own scores over in place of grading");
  command->add_flag("--no-grade", flags->no_grade, "only write the records");
  command->add_flag("--json", flags->json, "print one line of JSON in place of the table");
  command->callback([&action, flags] {
    action = [flags] {
      const Result<int> code = import_with(*flags);
      return code ? *code : report_failure(code.error());
    };
  });
}

}  // namespace r1eval
