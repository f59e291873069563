// Whole problems from outside the repository: stored verdicts, the official evaluator's stored
// results, and the data sets' own solutions, which pass, while the same with another value returned
// fail.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <mutex>

#include "base/json.h"
#include "graders/code/code_grader.h"
#include "graders/code/problem.h"
#include "tests/graders/code/sandbox_fixture.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

// The best level that this machine gives; null: none.
Sandbox* any_sandbox() {
  for (const SandboxLevel level : {SandboxLevel::kA, SandboxLevel::kB, SandboxLevel::kC}) {
    if (Sandbox* sandbox = sandbox_at(level).sandbox.get(); sandbox != nullptr) {
      return sandbox;
    }
  }
  return nullptr;
}

std::vector<Json> rows_of(const std::string& path) {
  std::vector<Json> rows;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) {
      rows.push_back(parse_json(line).value());
    }
  }
  return rows;
}

// A data set's row as the store keeps it: every column a text.
std::string columns_of(const Json& row) {
  OrderedJson columns;
  for (const auto& [key, value] : row.items()) {
    columns[key] = value.is_string() ? value.get<std::string>() : dump_json(value);
  }
  return dump_json(columns);
}

// The program with `name` returning something else than it did, to the outside only: recursive
// calls get the right value.
std::string with_other_value(const std::string& program, const std::string& name) {
  return program + R"(

def r1_other(v):
    if isinstance(v, bool):
        return not v
    if isinstance(v, (int, float, complex)):
        return v + 1 + abs(v)
    if isinstance(v, str):
        return v + 'x'
    if isinstance(v, list):
        return v + [None]
    if isinstance(v, tuple):
        return v + (None,)
    if isinstance(v, set):
        return v | {None}
    return [v]

def r1_wrap(f):
    depth = [0]
    def wrapped(*a, **k):
        depth[0] += 1
        try:
            v = f(*a, **k)
        finally:
            depth[0] -= 1
        return v if depth[0] else r1_other(v)
    return wrapped

)" + name +
         " = r1_wrap(" + name + ")\n";
}

// The first function that a check calls and the program defines.
std::string function_called_in(const std::string& checks, const std::string& program) {
  for (std::size_t at = checks.find('('); at != std::string::npos; at = checks.find('(', at + 1)) {
    std::size_t from = at;
    while (from > 0 && (std::isalnum(static_cast<unsigned char>(checks[from - 1])) != 0 ||
                        checks[from - 1] == '_')) {
      --from;
    }
    const std::string name = checks.substr(from, at - from);
    if (!name.empty() && (program.find("def " + name + "(") != std::string::npos ||
                          program.find("def " + name + " (") != std::string::npos)) {
      return name;
    }
  }
  return "";
}

struct Case {
  std::string name;
  CodeProblem problem;
  std::string program;
  std::string expected;  // verdict, empty: anything but OK
};

void expect_verdicts(const std::vector<Case>& cases) {
  Sandbox* sandbox = any_sandbox();
  if (sandbox == nullptr) {
    GTEST_SKIP() << "no sandbox on this machine";
  }
  std::vector<std::string> wrong(cases.size());
  run_on_threads(cases.size(), sandbox->slots(), [&](std::size_t i) {
    SandboxCode executor(*sandbox);
    JudgeOptions options;
    const Judgement judgement =
        judge_program(executor, cases[i].problem, cases[i].program, options);
    const std::string verdict(code_verdict_name(judgement.verdict));
    const bool is_right = cases[i].expected.empty() ? verdict != "OK" && verdict != "IE"
                                                    : verdict == cases[i].expected;
    if (!is_right) {
      wrong[i] = verdict + ": " + judgement.detail + " " + judgement.got;
    }
  });
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(wrong[i], "") << cases[i].name;
  }
}

TEST(SolutionsTest, HumanEvalsOwnPassAndChangedOnesFail) {
  R1_REQUIRE_SHARED(path, "data/humaneval/HumanEval.jsonl");
  std::vector<Case> cases;
  for (const Json& row : rows_of(path)) {
    Case one;
    one.name = string_or(row, "task_id");
    one.problem = read_code_problem(columns_of(row)).value();
    one.program = string_or(row, "prompt") + string_or(row, "canonical_solution");
    one.expected = "OK";
    Case changed = one;
    cases.push_back(std::move(one));
    changed.name += " changed";
    changed.program = with_other_value(changed.program, string_or(row, "entry_point"));
    changed.expected.clear();
    cases.push_back(std::move(changed));
  }
  expect_verdicts(cases);
  report_cases("HumanEval solutions", static_cast<long>(cases.size()));
}

TEST(SolutionsTest, MbppsOwnPassAndChangedOnesFail) {
  R1_REQUIRE_SHARED(path, "data/mbpp/mbpp.jsonl");
  std::vector<Case> cases;
  for (const Json& row : rows_of(path)) {
    Case one;
    one.name = dump_json(row["task_id"]);
    one.problem = read_code_problem(columns_of(row)).value();
    one.program = string_or(row, "code");
    one.expected = "OK";
    const std::string function = function_called_in(one.problem.checks, one.program);
    if (!function.empty()) {
      Case changed = one;
      changed.name += " changed";
      changed.program = with_other_value(changed.program, function);
      changed.expected.clear();
      cases.push_back(std::move(changed));
    }
    cases.push_back(std::move(one));
  }
  expect_verdicts(cases);
  report_cases("MBPP solutions", static_cast<long>(cases.size()));
}

TEST(SolutionsTest, StoredVerdictsAndOfficialResultsHold) {
  R1_REQUIRE_SHARED(path, "conformance/code_verdicts.jsonl");
  Sandbox* sandbox = any_sandbox();
  if (sandbox == nullptr) {
    GTEST_SKIP() << "no sandbox on this machine";
  }

  struct Work {
    CodeProblem problem;
    JudgeOptions options;
    std::string program;
    std::string name;
    Json solution;
  };

  std::vector<Work> all;
  for (const Json& row : rows_of(path)) {
    Work work;
    // Half of what the rows ask for: those beyond it are beyond any limit, the others far below.
    work.options.limits.cpu_s = double_or(row["limits"], "cpu_s", 6) / 2;
    if (string_or(row, "mode") == "functional") {
      work.problem.mode = CodeProblem::Mode::kFunctional;
      work.problem.fn_name = string_or(row, "fn_name");
    }
    for (const Json& test : row["tests"]) {
      work.problem.tests.push_back({string_or(test, "input"), string_or(test, "output")});
    }
    for (const Json& solution : row["solutions"]) {
      work.name = string_or(row, "id") + " " + string_or(solution, "note");
      work.solution = solution;
      work.program = string_or(solution, "code");
      work.options.language = string_or(solution, "language", "python");
      work.options.profile = CodeProfile::kLcb;
      all.push_back(work);
      if (work.options.language == "python" && !solution["lcb_official"].is_null()) {
        work.options.profile = CodeProfile::kLcbOfficial;
        all.push_back(work);
      }
    }
  }
  std::vector<std::string> wrong(all.size());
  run_on_threads(all.size(), sandbox->slots(), [&](std::size_t i) {
    const Work& work = all[i];
    SandboxCode executor(*sandbox);
    const Judgement judgement = judge_program(executor, work.problem, work.program, work.options);
    if (work.options.profile == CodeProfile::kLcbOfficial) {
      const OrderedJson json = judgement_json(judgement);
      const std::string results = dump_json(json["results"]);
      const std::string stored = dump_json(work.solution["lcb_official"]["results"]);
      wrong[i] = results == stored ? "" : results + " instead of " + stored;
      return;
    }
    const std::string verdict(code_verdict_name(judgement.verdict));
    if (verdict != string_or(work.solution, "expected_verdict") ||
        judgement.first_failing_test != int_or(work.solution, "first_failing_test", -1)) {
      wrong[i] =
          verdict + " at " + std::to_string(judgement.first_failing_test) + ": " + judgement.detail;
    }
  });
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(wrong[i], "") << all[i].name << " " << code_profile_name(all[i].options.profile);
  }
  report_cases("code verdicts", static_cast<long>(all.size()));
}

// Small programs, one a quirk. `official` is what LiveCodeBench's evaluator (28fef95) returned for
// them, `lcb` the honest verdict.
TEST(SolutionsTest, ProgramsOfEveryQuirkGetTheirVerdicts) {
  Sandbox* sandbox = any_sandbox();
  if (sandbox == nullptr) {
    GTEST_SKIP() << "no sandbox on this machine";
  }
  if (sandbox->interpreter_version("python").find("3.11") == std::string::npos) {
    GTEST_SKIP() << "the results are those of Python 3.11";
  }

  struct Work {
    const CodeProblem* problem;
    std::string program;
    CodeProfile profile;
    std::string expected;
  };

  const std::vector<Json> rows = rows_of(R1EVAL_TEST_DATA "/code_programs.jsonl");
  ASSERT_FALSE(rows.empty());
  std::vector<CodeProblem> problems(rows.size());
  std::vector<Work> all;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CodeProblem& problem = problems[i];
    if (string_or(rows[i], "mode") == "functional") {
      problem.mode = CodeProblem::Mode::kFunctional;
      problem.fn_name = string_or(rows[i], "fn_name");
    }
    for (const Json& test : rows[i]["tests"]) {
      problem.tests.push_back({string_or(test, "input"), string_or(test, "output")});
    }
    for (const Json& program : rows[i]["programs"]) {
      const std::string code = string_or(program, "code");
      all.push_back({&problem, code, CodeProfile::kLcbOfficial, dump_json(program["official"])});
      all.push_back({&problem, code, CodeProfile::kLcb, string_or(program, "lcb")});
    }
  }
  std::vector<std::string> got(all.size());
  run_on_threads(all.size(), sandbox->slots(), [&](std::size_t i) {
    SandboxCode executor(*sandbox);
    JudgeOptions options;
    options.profile = all[i].profile;
    const Judgement judgement = judge_program(executor, *all[i].problem, all[i].program, options);
    got[i] = all[i].profile == CodeProfile::kLcb ? std::string(code_verdict_name(judgement.verdict))
                                                 : dump_json(judgement_json(judgement)["results"]);
  });
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(got[i], all[i].expected) << code_profile_name(all[i].profile) << "\n"
                                       << all[i].program;
  }
}

}  // namespace
}  // namespace r1eval
