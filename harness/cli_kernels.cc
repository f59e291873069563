// kernels: operators of MoE and MLA, checked and measured. docs/kernels.md.
#include "harness/cli_kernels.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/json.h"
#include "harness/cli_kernels_track.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "kernels/operators/operators.h"

namespace r1eval {

namespace {

using kernels::GridPoint;
using kernels::OperatorSpec;

int list_operators(bool json) {
  if (!json) {
    std::printf("%-20s %-16s %-18s %s\n", "operator", "types", "dimensions", "what");
    for (const OperatorSpec& op : kernels::operators()) {
      std::printf("%-20s %-16s %-18s %s\n", std::string(op.id).c_str(),
                  std::string(op.dtypes).c_str(), std::string(op.dims).c_str(),
                  std::string(op.what).c_str());
    }
    return kExitOk;
  }
  OrderedJson out = OrderedJson::array();
  for (const OperatorSpec& op : kernels::operators()) {
    out.push_back({{"id", op.id}, {"what", op.what}, {"dims", op.dims}, {"dtypes", op.dtypes}});
  }
  std::fputs((dump_json(out) + "\n").c_str(), stdout);
  return kExitOk;
}

void add_list(CLI::App& kernels, Action& action) {
  CLI::App* list = kernels.add_subcommand("list", "operators, their dimensions and types");
  auto json = std::make_shared<bool>(false);
  list->add_flag("--json", *json, "one JSON array on stdout");
  list->callback([json, &action] { action = [json] { return list_operators(*json); }; });
}

}  // namespace

void add_kernels_commands(CLI::App& app, Action& action) {
  CLI::App* kernels =
      app.add_subcommand("kernels", "operators of MoE and MLA, checked and measured");
  kernels->require_subcommand(1);
  add_list(*kernels, action);
  add_kernels_tracking_commands(*kernels, action);
}

}  // namespace r1eval
