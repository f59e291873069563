// Hostile programs, ours (tests/data/sandbox_attacks.jsonl) and from outside the repository: each
// must end in one of its allowed verdicts, and none may do what its line says it must not. At level
// C, which has no file system and no processes of its own, only the latter holds.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "base/json.h"
#include "tests/graders/code/sandbox_fixture.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

RunLimits limits_of(const Json& row) {
  RunLimits limits = quick_limits();
  if (const Json* given = find_member(row, "limits")) {
    limits.cpu_s = double_or(*given, "cpu_s", limits.cpu_s);
    limits.wall_s = double_or(*given, "wall_s", limits.wall_s);
    limits.memory_mib = int_or(*given, "memory_mib", limits.memory_mib);
    limits.pids = int_or(*given, "pids", limits.pids);
    limits.scratch_mib = int_or(*given, "scratch_mib", limits.scratch_mib);
    limits.scratch_inodes = int_or(*given, "scratch_inodes", limits.scratch_inodes);
  }
  return limits;
}

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
  options.limits = limits_of(row);
  for (std::int64_t i = 0; i < int_or(row, "repeat", 1); ++i) {
    SandboxCode executor(sandbox);
    const Judgement judgement =
        judge_program(executor, problem, string_or(row, "program"), options);
    const std::string verdict(code_verdict_name(judgement.verdict));
    const Json allowed = row["also_ok"];
    if (verdict == "IE") {
      return "verdict IE: " + judgement.detail;
    }
    if (sandbox.level() != SandboxLevel::kC && verdict != string_or(row, "expected_verdict") &&
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

INSTANTIATE_TEST_SUITE_P(Level, AttacksTest,
                         ::testing::Values(SandboxLevel::kA, SandboxLevel::kB, SandboxLevel::kC),
                         level_test_name);

void expect_holds(const std::string& path, SandboxLevel level) {
  // Most of the time is spent on programs that sleep, so more slots than cores.
  SandboxOptions options;
  options.min_level = level;
  options.level = level;
  options.slots = 6;
  Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::open(options);
  ASSERT_TRUE(sandbox.has_value()) << sandbox.error().message;
  std::vector<Json> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    rows.push_back(parse_json(line).value());
  }
  ASSERT_FALSE(rows.empty()) << path;
  std::vector<std::string> wrong(rows.size());
  run_on_threads(rows.size(), options.slots,
                 [&](std::size_t i) { wrong[i] = run_attack(**sandbox, rows[i]); });
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(wrong[i], "") << rows[i]["id"];
  }
  report_cases("sandbox attacks at level " + std::string(sandbox_level_name(level)),
               static_cast<long>(rows.size()));
}

TEST_P(AttacksTest, HoldsAgainstOurOwnSet) {
  expect_holds(R1EVAL_TEST_DATA "/sandbox_attacks.jsonl", GetParam());
}

TEST_P(AttacksTest, HoldsAgainstTheSharedSet) {
  R1_REQUIRE_SHARED(path, "conformance/sandbox_attacks.jsonl");
  expect_holds(path, GetParam());
}

}  // namespace
}  // namespace r1eval
