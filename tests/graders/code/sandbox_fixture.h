// A sandbox at a given level, shared by the tests of a program: opening one costs more than a run.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "graders/code/sandbox.h"

namespace r1eval {

struct OpenedSandbox {
  std::unique_ptr<Sandbox> sandbox;
  std::string why_not;
};

inline OpenedSandbox& sandbox_at(SandboxLevel level) {
  static std::map<SandboxLevel, OpenedSandbox> opened;
  const auto [entry, is_new] = opened.try_emplace(level);
  if (is_new) {
    // The environment must not reach programs; a canary says so if it does.
    ::setenv("R1EVAL_CANARY_KEY", "CANARY", 1);
    SandboxOptions options;
    options.min_level = SandboxLevel::kC;
    options.level = level;
    options.slots = 2;
    Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::open(options);
    if (sandbox) {
      entry->second.sandbox = std::move(sandbox).value();
    } else {
      entry->second.why_not = sandbox.error().message;
    }
  }
  return entry->second;
}

// Small limits, so that tests of limits are quick.
inline RunLimits quick_limits() {
  RunLimits limits;
  limits.cpu_s = 2;
  limits.wall_s = 6;
  limits.memory_mib = 256;
  limits.pids = 32;
  limits.scratch_mib = 16;
  limits.scratch_inodes = 256;
  return limits;
}

class SandboxTest : public ::testing::TestWithParam<SandboxLevel> {
 protected:
  void SetUp() override {
    OpenedSandbox& opened = sandbox_at(GetParam());
    if (opened.sandbox == nullptr) {
      GTEST_SKIP() << "level " << sandbox_level_name(GetParam()) << ": " << opened.why_not;
    }
    sandbox_ = opened.sandbox.get();
  }

  RunResult run(const std::string& source, std::string_view input = "",
                CodeProfile profile = CodeProfile::kLcb) {
    ProgramSpec program;
    program.source = source;
    program.profile = profile;
    RunInput data;
    data.stdin_bytes = input;
    return sandbox_->run(program, data, limits_);
  }

  RunResult run_cpp(const std::string& source, std::string_view input = "") {
    ProgramSpec program;
    program.language = "cpp";
    program.source = source;
    RunInput data;
    data.stdin_bytes = input;
    return sandbox_->run(program, data, limits_);
  }

  RunResult call(const std::string& source, const std::string& function, std::string_view args,
                 CodeProfile profile = CodeProfile::kLcb) {
    ProgramSpec program;
    program.source = source;
    program.mode = ProgramMode::kFunctional;
    program.fn_name = function;
    program.profile = profile;
    RunInput data;
    data.args_json = args;
    return sandbox_->run(program, data, limits_);
  }

  bool has_namespaces() const { return GetParam() != SandboxLevel::kC; }

  Sandbox* sandbox_ = nullptr;
  RunLimits limits_ = quick_limits();
};

inline std::string level_test_name(const ::testing::TestParamInfo<SandboxLevel>& info) {
  return std::string(sandbox_level_name(info.param));
}

#define R1_EXPECT_END(result, expected)                                                     \
  EXPECT_EQ(run_end_verdict((result).end), std::string_view(expected))                      \
      << (result).detail << " exit " << (result).exit_code << " signal " << (result).signal \
      << "\n"                                                                               \
      << (result).stderr_tail

}  // namespace r1eval
