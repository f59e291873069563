// r1eval: the command line. Each subcommand lives in a commands_*.cc.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "base/log.h"
#include "harness/cli_kernels.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/version.h"

namespace r1eval {
namespace {

int parse_and_run(int argc, char** argv) {
  CLI::App app{
      "r1eval: evaluation of reasoning language models, with verdicts that can be checked"};
  app.name("r1eval");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("r1eval ") + kVersion);
  app.footer(
      "Start:     r1eval run --task mini_math --model smollm2-135m --max-tokens 512\n"
      "Look:      r1eval list, r1eval show TASK ITEM, r1eval data list, r1eval models list\n"
      "Decide:    r1eval gate --candidate RUN --baseline RUN --margin math_500=2\n"
      "Exit code: 0 done, 1 gate failed, 2 usage, 3 gate inconclusive, 4 run incomplete, 5 "
      "environment (endpoint, model, data), 6 bad\n"
      "           input lines, 70 a bug of ours, 130 interrupted");
  Action action;
  add_run_commands(app, action);
  add_task_commands(app, action);
  add_models_commands(app, action);
  add_model_commands(app, action);
  add_score_commands(app, action);
  add_bench_commands(app, action);
  add_sandbox_commands(app, action);
  add_serve_mock_commands(app, action);
  add_compare_commands(app, action);
  add_export_commands(app, action);
  add_import_commands(app, action);
  add_plan_command(app, action);
  add_report_commands(app, action);
  add_kernels_commands(app, action);
  CLI::App* version = app.add_subcommand("version", "print the version");
  version->callback([&action] {
    action = [] {
      std::printf("r1eval %s\n", kVersion);
      return kExitOk;
    };
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);  // prints help, or the message
    return code == 0 ? kExitOk : kExitUsage;
  }
  return action ? action() : kExitUsage;
}

}  // namespace
}  // namespace r1eval

int main(int argc, char** argv) {
  // `--version` is asked by scripts, often: it is answered before anything is set up.
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::printf("r1eval %s\n", r1eval::kVersion);
    return r1eval::kExitOk;
  }
  try {
    return r1eval::parse_and_run(argc, argv);
  } catch (const std::exception& error) {
    r1eval::log_error(std::string("a bug in r1eval, please report it: ") + error.what());
    return r1eval::kExitInternal;
  }
}
