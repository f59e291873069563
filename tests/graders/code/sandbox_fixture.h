// A sandbox at a given level, shared by the tests of a program: opening one costs more than a run.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "graders/code/judge.h"
#include "graders/code/sandbox.h"

namespace r1eval {

// Programs of a judge go to the sandbox; what the last one did is kept.
class SandboxCode : public CodeExecutor {
 public:
  explicit SandboxCode(Sandbox& sandbox) : sandbox_(sandbox) {}

  RunResult run(const ProgramSpec& program, const RunInput& input,
                const RunLimits& limits) override {
    return last = sandbox_.run(program, input, limits);
  }

  RunResult run_shared(
      const ProgramSpec& program, std::span<const RunInput> inputs, const RunLimits& limits,
      const std::function<bool(std::size_t, const RunResult&)>& on_result) override {
    return last = sandbox_.run_shared(program, inputs, limits, on_result);
  }

  RunResult last;

 private:
  Sandbox& sandbox_;
};

// Calls each(i) for i below n from n_threads threads.
inline void run_on_threads(std::size_t n, int n_threads,
                           const std::function<void(std::size_t)>& each) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < n_threads; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < n; i = next++) {
        each(i);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

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
