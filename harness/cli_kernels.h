// The `kernels` command: its subcommands live in cli_kernels*.cc, each of which adds its own here.
#pragma once

#include "harness/command.h"

namespace r1eval {

void add_kernels_commands(CLI::App& app, Action& action);

}  // namespace r1eval
