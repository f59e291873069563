// The sandbox as what the code grader runs programs with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "graders/code/judge.h"

namespace r1eval {

class SandboxExecutor : public CodeExecutor {
 public:
  // `slots` 0: one a core. Errors: as Sandbox::open.
  static Result<std::shared_ptr<CodeExecutor>> open(SandboxLevel min_level, int slots = 0);

  explicit SandboxExecutor(std::unique_ptr<Sandbox> sandbox) : sandbox_(std::move(sandbox)) {}

  int slots() const override;
  std::string description() const override;
  std::string details() const override;
  RunResult run(const ProgramSpec& program, const RunInput& input,
                const RunLimits& limits) override;
  RunResult run_shared(
      const ProgramSpec& program, std::span<const RunInput> inputs, const RunLimits& limits,
      const std::function<bool(std::size_t, const RunResult&)>& on_result) override;

 private:
  std::unique_ptr<Sandbox> sandbox_;
};

}  // namespace r1eval
