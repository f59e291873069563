// The command line in this process: what it prints and how it ends.
#pragma once

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "harness/cli_kernels.h"
#include "harness/command.h"
#include "harness/exit_codes.h"

namespace r1eval {

struct CliResult {
  int code = 0;
  std::string out;
};

inline CliResult cli(std::vector<std::string> arguments) {
  CLI::App app{"r1eval"};
  app.require_subcommand(1);
  Action action;
  add_run_commands(app, action);
  add_compare_commands(app, action);
  add_export_commands(app, action);
  add_import_commands(app, action);
  add_plan_command(app, action);
  add_report_commands(app, action);
  add_kernels_commands(app, action);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  testing::internal::CaptureStdout();
  int code = kExitUsage;
  try {
    app.parse(reversed);
    code = action();
  } catch (const CLI::ParseError&) {
    code = kExitUsage;
  }
  return {code, testing::internal::GetCapturedStdout()};
}

}  // namespace r1eval
