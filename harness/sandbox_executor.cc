#include "harness/sandbox_executor.h"

#include <fmt/format.h>

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
  return fmt::format("sandbox level {} ({}), {}", sandbox_level_name(sandbox_->level()),
                     fmt::join(sandbox_->active_layers(), ", "),
                     sandbox_->interpreter_version("python"));
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
