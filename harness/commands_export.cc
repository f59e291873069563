// export.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/file.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/load_result.h"
#include "results/baseline.h"

namespace r1eval {
namespace {

struct ExportFlags {
  std::string to;
  std::string directory;
  std::string out;
};

Result<int> export_with(const ExportFlags& flags) {
  R1_TRY(LoadedRun run, load_run(flags.directory, {}));
  std::string text;
  if (flags.to == "baseline") {
    text = baseline_json(run.result);
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
  command->add_option("--to", flags->to, "baseline")
      ->required()
      ->check(CLI::IsMember({"baseline"}));
  command->add_option("DIR", flags->directory, "the run directory")->required();
  command->add_option("--out", flags->out, "file; default: standard output");
  command->callback([&action, flags] {
    action = [flags] {
      const Result<int> code = export_with(*flags);
      return code ? *code : report_failure(code.error());
    };
  });
}

}  // namespace r1eval
