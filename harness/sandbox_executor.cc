#include "harness/sandbox_executor.h"

#include <fmt/format.h>

#include "base/json.h"

namespace r1eval {

Result<std::shared_ptr<CodeExecutor>> SandboxExecutor::open(SandboxLevel min_level, int slots) {
  SandboxOptions options;
  options.slots = slots;
  options.min_level = min_level;
  R1_TRY(std::unique_ptr<Sandbox> sandbox, Sandbox::open(options));
  return std::shared_ptr<CodeExecutor>(std::make_shared<SandboxExecutor>(std::move(sandbox)));
}

int SandboxExecutor::slots() const {
  return sandbox_->slots();
}

std::string SandboxExecutor::description() const {
  return fmt::format("sandbox level {}, {}", sandbox_level_name(sandbox_->level()),
                     sandbox_->interpreter_version("python"));
}

std::string SandboxExecutor::details() const {
  OrderedJson json;
  json["level"] = sandbox_level_name(sandbox_->level());
  json["layers"] = OrderedJson::array();
  for (const LayerStatus& layer : sandbox_->layers()) {
    json["layers"].push_back({{"name", layer.name},
                              {"available", layer.is_available},
                              {"active", layer.is_active},
                              {"evidence", layer.evidence},
                              {"fallback", layer.fallback}});
  }
  json["python"] = sandbox_->interpreter_version("python");
  json["slots"] = sandbox_->slots();
  return dump_json(json);
}

RunResult SandboxExecutor::run(const ProgramSpec& program, const RunInput& input,
                               const RunLimits& limits) {
  return sandbox_->run(program, input, limits);
}

RunResult SandboxExecutor::run_shared(
    const ProgramSpec& program, std::span<const RunInput> inputs, const RunLimits& limits,
    const std::function<bool(std::size_t, const RunResult&)>& on_result) {
  return sandbox_->run_shared(program, inputs, limits, on_result);
}

}  // namespace r1eval
