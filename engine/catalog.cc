#include "engine/catalog.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/nearest.h"

namespace r1eval {

std::span<const std::pair<std::string_view, std::string_view>> embedded_catalog();

namespace {

Status read_entries(std::string_view text, const std::string& origin,
                    std::vector<CatalogModel>& models) {
  const toml::parse_result parsed = toml::parse(text, origin);
  if (!parsed) {
    return fail(ErrorCode::kParse,
                fmt::format("{} line {}: {}", origin, parsed.error().source().begin.line,
                            parsed.error().description()));
  }
  const toml::array* entries = parsed.table()["model"].as_array();
  if (entries == nullptr) {
    return fail(ErrorCode::kParse, fmt::format("{}: no [[model]] stands in it", origin));
  }
  for (const toml::node& node : *entries) {
    const toml::table* entry = node.as_table();
    if (entry == nullptr) {
      return fail(ErrorCode::kParse, fmt::format("{}: 'model' must be a list of tables", origin));
    }
    const toml::table& t = *entry;
    const auto bad = [&](std::string_view key, std::string_view what) {
      return fail(ErrorCode::kParse,
                  fmt::format("{} line {}: {}: {}", origin, t.source().begin.line, key, what));
    };
    static constexpr std::string_view kKeys[] = {
        "alias",    "description",  "architecture", "license",         "source",       "repository",
        "revision", "wheel_member", "files",        "total_bytes",     "memory_bytes", "runnable",
        "note",     "think_open",   "think_close",  "assistant_prefix"};
    for (const auto& [key, value] : t) {
      if (std::find(std::begin(kKeys), std::end(kKeys), key.str()) == std::end(kKeys)) {
        return bad(key.str(), "unknown key");
      }
    }
    CatalogModel model;
    model.alias = t["alias"].value_or("");
    model.description = t["description"].value_or("");
    model.architecture = t["architecture"].value_or("");
    model.license = t["license"].value_or("");
    model.source = t["source"].value_or("");
    model.repository = t["repository"].value_or("");
    model.revision = t["revision"].value_or("main");
    model.wheel_member = t["wheel_member"].value_or(".gguf");
    model.total_bytes = t["total_bytes"].value_or(std::int64_t{-1});
    model.memory_bytes = t["memory_bytes"].value_or(std::int64_t{-1});
    model.is_runnable = t["runnable"].value_or(true);
    model.note = t["note"].value_or("");
    model.think_open = t["think_open"].value_or("");
    model.think_close = t["think_close"].value_or("");
    model.assistant_prefix = t["assistant_prefix"].value_or("");
    if (model.alias.empty() || model.alias.find_first_of("/ @:") != std::string::npos) {
      return bad("alias", "must be a name without '/', '@', ':' or blanks");
    }
    if (model.source != "wheel" && model.source != "hub" && model.source != "url") {
      return bad("source", "must be 'wheel', 'hub' or 'url'");
    }
    const toml::array* files = t["files"].as_array();
    if (files == nullptr || files->empty()) {
      return bad("files", "is missing: files = [{name = \"model.gguf\"}]");
    }
    std::int64_t total = 0;
    for (const toml::node& member : *files) {
      const toml::table* f = member.as_table();
      if (f == nullptr) {
        return bad("files", "must be a list of tables");
      }
      CatalogFile file;
      file.name = (*f)["name"].value_or("");
      file.url = (*f)["url"].value_or("");
      file.sha256 = (*f)["sha256"].value_or("");
      file.bytes = (*f)["bytes"].value_or(std::int64_t{-1});
      if (file.name.empty() || file.name.find('/') != std::string::npos) {
        return bad("files", "every file needs a plain name");
      }
      if (model.source == "hub" && file.url.empty()) {
        file.url = fmt::format("hub:{}/resolve/{}/{}", model.repository, model.revision, file.name);
      }
      if (model.source == "url" && file.url.empty()) {
        return bad("files", "a file of source 'url' needs its url");
      }
      total = total < 0 || file.bytes < 0 ? -1 : total + file.bytes;
      model.files.push_back(std::move(file));
    }
    if (model.total_bytes < 0) {
      model.total_bytes = total;
    }
    const auto same = std::find_if(models.begin(), models.end(), [&](const CatalogModel& other) {
      return other.alias == model.alias;
    });
    if (same != models.end()) {
      *same = std::move(model);
    } else {
      models.push_back(std::move(model));
    }
  }
  return ok_status();
}

std::string user_catalog() {
  const std::string named = environment("R1EVAL_MODEL_CATALOG");
  if (!named.empty()) {
    return named;
  }
  std::string root = environment("XDG_CONFIG_HOME");
  if (root.empty()) {
    root = environment("HOME") + "/.config";
  }
  const std::string path = root + "/r1eval/models.toml";
  return path_exists(path) ? path : "";
}

}  // namespace

Result<Catalog> Catalog::open() {
  Catalog catalog;
  for (const auto& [name, text] : embedded_catalog()) {
    R1_RETURN_IF_ERROR(read_entries(text, "engine/" + std::string(name), catalog.models_));
  }
  if (const std::string path = user_catalog(); !path.empty()) {
    R1_TRY(const std::string text, read_file(path));
    R1_RETURN_IF_ERROR(read_entries(text, path, catalog.models_));
  }
  return catalog;
}

const CatalogModel* Catalog::find(const std::string& alias) const {
  for (const CatalogModel& model : models_) {
    if (model.alias == alias) {
      return &model;
    }
  }
  return nullptr;
}

std::vector<std::string> Catalog::nearest(const std::string& name) const {
  std::vector<std::string> aliases;
  for (const CatalogModel& model : models_) {
    aliases.push_back(model.alias);
  }
  return nearest_names(name, aliases);
}

std::string model_directory(const CatalogModel& model) {
  return cache_directory() + "/models/" + model.alias;
}

Result<std::string> locate_model(const CatalogModel& model) {
  const std::string folder = model_directory(model);
  for (const CatalogFile& file : model.files) {
    const Result<std::int64_t> size = file_size(folder + "/" + file.name);
    if (!size || (file.bytes >= 0 && *size != file.bytes)) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("model {} is not in the cache: `r1eval models fetch {}`", model.alias,
                              model.alias));
    }
  }
  return model.files.size() == 1 ? folder + "/" + model.files.front().name : folder;
}

}  // namespace r1eval
