// kernels compare, history, export, import: what is done with results once they are there.
#pragma once

#include "harness/command.h"

namespace r1eval {

void add_kernels_tracking_commands(CLI::App& kernels, Action& action);

}  // namespace r1eval
