// models: the catalogue.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/log.h"
#include "base/nearest.h"
#include "engine/catalog.h"
#include "harness/command.h"
#include "harness/exit_codes.h"

namespace r1eval {
namespace {

Result<CatalogModel> find_model(const std::string& alias) {
  R1_TRY(const Catalog catalog, Catalog::open());
  if (const CatalogModel* model = catalog.find(alias)) {
    return *model;
  }
  std::vector<std::string> aliases;
  for (const CatalogModel& model : catalog.models()) {
    aliases.push_back(model.alias);
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("no model '{}' in the catalogue{}", alias, did_you_mean(alias, aliases)));
}

int list_models(bool json) {
  const Result<Catalog> catalog = Catalog::open();
  if (!catalog) {
    return report_failure(catalog.error());
  }
  OrderedJson out = OrderedJson::array();
  for (const CatalogModel& model : catalog->models()) {
    const Result<std::string> path = locate_model(model);
    if (json) {
      out.push_back(
          {{"alias", model.alias},
           {"description", model.description},
           {"architecture", model.architecture},
           {"license", model.license},
           {"source", model.source},
           {"repository", model.repository},
           {"revision", model.revision},
           {"bytes", model.total_bytes < 0 ? OrderedJson() : OrderedJson(model.total_bytes)},
           {"runnable", model.is_runnable},
           {"note", model.note},
           {"path", path ? OrderedJson(*path) : OrderedJson()}});
    } else {
      std::printf("%-30s %s%s%s\n", model.alias.c_str(), model.description.c_str(),
                  path ? " [fetched]" : "",
                  model.note.empty() ? ""
                                     : (std::string(" [") +
                                        (model.is_runnable ? "" : "not here: ") + model.note + "]")
                                           .c_str());
    }
  }
  if (json) {
    std::printf("%s\n", dump_json(out).c_str());
  }
  return kExitOk;
}

int fetch(const std::string& alias) {
  const Result<CatalogModel> model = find_model(alias);
  if (!model) {
    return report_failure(model.error());
  }
  const Status status = fetch_model(*model, log_info);
  if (!status) {
    // A wrong checksum is the world's fault here, not the command line's.
    log_error(status.error().message);
    return kExitEnvironment;
  }
  return kExitOk;
}

int print_path(const std::string& alias) {
  const Result<CatalogModel> model = find_model(alias);
  if (!model) {
    return report_failure(model.error());
  }
  const Result<std::string> path = locate_model(*model);
  if (!path) {
    return report_failure(path.error());
  }
  std::printf("%s\n", path->c_str());
  return kExitOk;
}

}  // namespace

void add_models_commands(CLI::App& app, Action& action) {
  CLI::App* models = app.add_subcommand("models", "the model catalogue: list, fetch, path");
  models->require_subcommand(1);
  auto json = std::make_shared<bool>(false);
  auto alias = std::make_shared<std::string>();
  CLI::App* list = models->add_subcommand("list", "every model, and which are fetched");
  list->add_flag("--json", *json, "a JSON array");
  list->callback([&action, json] { action = [json] { return list_models(*json); }; });
  CLI::App* fetch_command =
      models->add_subcommand("fetch", "bring a model into the cache, checked");
  fetch_command->add_option("ALIAS", *alias)->required();
  fetch_command->callback([&action, alias] { action = [alias] { return fetch(*alias); }; });
  CLI::App* path = models->add_subcommand("path", "where a fetched model lies");
  path->add_option("ALIAS", *alias)->required();
  path->callback([&action, alias] { action = [alias] { return print_path(*alias); }; });
}

}  // namespace r1eval
