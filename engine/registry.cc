#include "engine/registry.h"

#include <fmt/format.h>

#include <utility>

#include "base/file.h"
#include "engine/catalog.h"
#include "engine/embedded.h"
#include "engine/mock/mock_backend.h"
#include "engine/openai/openai_backend.h"

namespace r1eval {
namespace {

std::string file_stem(const std::string& path) {
  std::string name = path.substr(path.find_last_of('/') + 1);
  if (name.ends_with(".gguf")) {
    name.erase(name.size() - 5);
  }
  return name;
}

}  // namespace

constexpr std::string_view kMock = "mock:";

bool names_endpoint(const BackendOptions& options) {
  const std::string& model = options.model;
  return !model.starts_with(kMock) &&
         (!options.base_url.empty() || model.find("@http://") != std::string::npos ||
          model.find("@https://") != std::string::npos);
}

Result<std::unique_ptr<Backend>> open_backend(const BackendOptions& options) {
  const std::string& model = options.model;
  if (model.starts_with(kMock)) {
    return open_mock_backend(model.substr(kMock.size()), options);
  }
  if (names_endpoint(options)) {
    return open_openai_backend(options);
  }
  R1_TRY(const Catalog catalog, Catalog::open());
  if (const CatalogModel* entry = catalog.find(model)) {
    R1_TRY(const std::string path, locate_model(*entry));
    if (!entry->is_runnable) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("model {}: this build cannot run it: {}", model, entry->note));
    }
    BackendOptions with_tags = options;
    if (with_tags.think_open.empty()) {
      with_tags.think_open = entry->think_open;
      with_tags.think_close = entry->think_close;
    }
    return open_embedded_backend(path, model, with_tags);
  }
  if (is_directory(model)) {
    std::string folder = model;
    while (folder.size() > 1 && folder.back() == '/') {
      folder.pop_back();
    }
    return open_embedded_backend(folder, file_stem(folder), options);
  }
  if (model.find('/') != std::string::npos || model.ends_with(".gguf")) {
    return open_embedded_backend(model, file_stem(model), options);
  }
  std::string near;
  for (const std::string& alias : catalog.nearest(model)) {
    near += (near.empty() ? ": did you mean '" : "' or '") + alias;
  }
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("--model {}: no alias of the catalogue, no file{}{} (`r1eval models list`; an "
                  "endpoint is NAME@URL)",
                  model, near, near.empty() ? "" : "'?"));
}

std::map<std::string, std::string> list_backends() {
  return {{"embedded",
           "GGUF files and checkpoint folders of llama, qwen2 and DeepSeek models, on the CPU"},
          {"mock", "completions from a script (mock:SCRIPT.jsonl)"},
          {"openai", "any OpenAI-compatible endpoint (NAME@URL)"}};
}

}  // namespace r1eval
