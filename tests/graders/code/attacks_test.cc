// Hostile programs from outside the repository: each must end in one of its allowed verdicts, and
// none may do what its line says it must not.
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "graders/code/code_grader.h"
#include "tests/graders/code/sandbox_fixture.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

class Executor : public CodeExecutor {
 public:
  explicit Executor(Sandbox& sandbox) : sandbox_(sandbox) {}

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

// What is wrong with a row's run, or empty.
std::string run_attack(Sandbox& sandbox, const Json& row) {
  CodeProblem problem;
  std::string input = string_or(row, "stdin");
  if (const Json* made = find_member(row, "stdin_gen")) {
    const std::string piece = string_or(*made, "repeat");
    while (static_cast<std::int64_t>(input.size()) < int_or(*made, "bytes", 0)) {
      input += piece;
    }
  }
  if (string_or(row, "mode") == "functional") {
    problem.mode = CodeProblem::Mode::kFunctional;
    problem.fn_name = string_or(row, "fn_name");
    for (const Json& test : row["tests"]) {
      problem.tests.push_back({string_or(test, "input"), string_or(test, "output")});
    }
  } else {
    problem.tests.push_back({input, string_or(row, "expected_stdout")});
  }
  JudgeOptions options;
  options.language = string_or(row, "language");
  options.limits = quick_limits();
  for (std::int64_t i = 0; i < int_or(row, "repeat", 1); ++i) {
    Executor executor(sandbox);
    const Judgement judgement =
        judge_program(executor, problem, string_or(row, "program"), options);
    const std::string verdict(code_verdict_name(judgement.verdict));
    const Json allowed = row["also_ok"];
    if (verdict != string_or(row, "expected_verdict") &&
        std::find(allowed.begin(), allowed.end(), verdict) == allowed.end()) {
      return "verdict " + verdict + ": " + judgement.detail;
    }
    for (const Json& word : row["must_not"]) {
      const std::string text = word.get<std::string>();
      const std::string what = text.substr(text.find(':') + 1);
      if ((text.starts_with("stdout_contains:") &&
           executor.last.stdout_bytes.find(what) != std::string::npos) ||
          (text.starts_with("report_contains:") &&
           judgement.detail.find(what) != std::string::npos) ||
          (text.starts_with("verdict:") && verdict == what) ||
          (text == "wall_over_limit" && executor.last.wall_s > options.limits.wall_s + 1)) {
        return text;
      }
    }
  }
  return "";
}

class AttacksTest : public SandboxTest {};

INSTANTIATE_TEST_SUITE_P(Level, AttacksTest, ::testing::Values(SandboxLevel::kA, SandboxLevel::kB),
                         level_test_name);

TEST_P(AttacksTest, HoldsAgainstTheSharedSet) {
  R1_REQUIRE_SHARED(path, "conformance/sandbox_attacks.jsonl");
  // Most of the time is spent on programs that sleep, so more slots than cores.
  SandboxOptions options;
  options.level = GetParam();
  options.slots = 6;
  Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::open(options);
  ASSERT_TRUE(sandbox.has_value()) << sandbox.error().message;
  std::vector<Json> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    rows.push_back(parse_json(line).value());
  }
  std::atomic<std::size_t> next = 0;
  std::vector<std::string> wrong(rows.size());
  std::vector<std::thread> threads;
  for (int t = 0; t < options.slots; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < rows.size(); i = next++) {
        wrong[i] = run_attack(**sandbox, rows[i]);
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(wrong[i], "") << rows[i]["id"];
  }
  report_cases("sandbox attacks at level " + std::string(sandbox_level_name(GetParam())),
               static_cast<long>(rows.size()));
}

}  // namespace
}  // namespace r1eval
