// The judge over an executor that acts out programs: verdicts, first failing test, official codes.
#include "graders/code/judge.h"

#include <gtest/gtest.h>

#include <map>

#include "graders/code/code_grader.h"

namespace r1eval {
namespace {

RunResult printed(std::string text) {
  RunResult run;
  run.end = RunEnd::kFinished;
  run.exit_code = 0;
  run.stdout_bytes = std::move(text);
  run.cpu_s = 0.25;
  run.peak_mib = 10;
  return run;
}

RunResult returned(std::string value) {
  RunResult run = printed("");
  run.value_bytes = std::move(value);
  return run;
}

RunResult ended(RunEnd end, std::string detail = "") {
  RunResult run;
  run.end = end;
  run.detail = std::move(detail);
  return run;
}

// Answers the n-th run with the n-th result.
class ScriptedExecutor : public CodeExecutor {
 public:
  explicit ScriptedExecutor(std::vector<RunResult> results) : results_(std::move(results)) {}

  RunResult run(const ProgramSpec& program, const RunInput&, const RunLimits&) override {
    last_program = program;
    return results_[n_runs++];
  }

  RunResult run_shared(
      const ProgramSpec& program, std::span<const RunInput> inputs, const RunLimits&,
      const std::function<bool(std::size_t, const RunResult&)>& on_result) override {
    last_program = program;
    RunResult last;
    for (std::size_t i = 0; i < results_.size(); ++i) {
      last = results_[i];
      if (last.end == RunEnd::kSandboxError || i == inputs.size()) {
        return last;
      }
      ++n_runs;
      if (!on_result(i, last) || last.ended_process) {
        return last;
      }
    }
    return last;
  }

  std::size_t n_runs = 0;
  ProgramSpec last_program;

 private:
  std::vector<RunResult> results_;
};

CodeProblem stdin_problem(std::vector<CodeTest> tests) {
  CodeProblem problem;
  problem.tests = std::move(tests);
  return problem;
}

CodeProblem functional_problem(std::vector<CodeTest> tests) {
  CodeProblem problem = stdin_problem(std::move(tests));
  problem.mode = CodeProblem::Mode::kFunctional;
  problem.fn_name = "f";
  return problem;
}

using Results = std::vector<LcbResult>;

TEST(CodeJudgeTest, AllTestsMustPass) {
  ScriptedExecutor executor({printed("1\n"), printed("2")});
  const Judgement judgement =
      judge_program(executor, stdin_problem({{"a", "1"}, {"b", "2\n"}}), "p", {});
  EXPECT_EQ(judgement.verdict, CodeVerdict::kOk);
  EXPECT_EQ(judgement.first_failing_test, -1);
  EXPECT_EQ(judgement.results, Results({LcbResult::kTrue, LcbResult::kTrue}));
  EXPECT_DOUBLE_EQ(judgement.cpu_s, 0.5);
  EXPECT_DOUBLE_EQ(judgement.peak_mib, 10);
}

TEST(CodeJudgeTest, StopsAtTheFirstFailure) {
  ScriptedExecutor executor({printed("1\n"), printed("7")});
  const Judgement judgement =
      judge_program(executor, stdin_problem({{"a", "1"}, {"b", "2"}, {"c", "3"}}), "p", {});
  EXPECT_EQ(judgement.verdict, CodeVerdict::kWa);
  EXPECT_EQ(judgement.first_failing_test, 1);
  EXPECT_EQ(judgement.n_tests, 3);
  EXPECT_EQ(executor.n_runs, 2U);
  EXPECT_EQ(judgement.results, Results({LcbResult::kTrue, LcbResult::kWrongOutput}));
  EXPECT_EQ(judgement.input, "b");
  EXPECT_EQ(judgement.got, "7");
  EXPECT_EQ(judgement.expected, "2");
}

TEST(CodeJudgeTest, EveryEndHasItsVerdictAndOfficialCode) {
  const std::map<RunEnd, std::pair<CodeVerdict, LcbResult>> expected = {
      {RunEnd::kSecurityViolation, {CodeVerdict::kSv, LcbResult::kError}},
      {RunEnd::kOutputLimit, {CodeVerdict::kOle, LcbResult::kError}},
      {RunEnd::kMemoryLimit, {CodeVerdict::kMle, LcbResult::kError}},
      {RunEnd::kTimeLimit, {CodeVerdict::kTle, LcbResult::kTimeLimit}},
      {RunEnd::kRuntimeError, {CodeVerdict::kRe, LcbResult::kError}},
      {RunEnd::kCompileError, {CodeVerdict::kCe, LcbResult::kError}}};
  for (const auto& [end, want] : expected) {
    ScriptedExecutor executor({ended(end, "because")});
    const Judgement judgement = judge_program(executor, stdin_problem({{"a", "1"}}), "p", {});
    EXPECT_EQ(judgement.verdict, want.first);
    EXPECT_EQ(judgement.results, Results({want.second}));
    EXPECT_EQ(judgement.first_failing_test, end == RunEnd::kCompileError ? -1 : 0);
    EXPECT_EQ(judgement.detail, "because");
  }
}

TEST(CodeJudgeTest, OurOwnFailureIsNoResult) {
  ScriptedExecutor executor({printed("1"), ended(RunEnd::kSandboxError, "zygote gone")});
  const Judgement judgement =
      judge_program(executor, stdin_problem({{"a", "1"}, {"b", "2"}}), "p", {});
  EXPECT_EQ(judgement.verdict, CodeVerdict::kIe);
  EXPECT_EQ(judgement.results, Results({LcbResult::kTrue}));
}

TEST(CodeJudgeTest, ComparesReturnedValues) {
  ScriptedExecutor executor({returned("t2:i1:1i1:2"), returned("l1:i1:1")});
  const Judgement judgement =
      judge_program(executor, functional_problem({{"1", "[1, 2]"}, {"2\n\"x\"", "[2]"}}), "p", {});
  EXPECT_EQ(executor.last_program.fn_name, "f");
  EXPECT_EQ(judgement.verdict, CodeVerdict::kWa);
  EXPECT_EQ(judgement.results, Results({LcbResult::kTrue, LcbResult::kFalse}));
  EXPECT_EQ(judgement.got, "[1]");
  EXPECT_EQ(judgement.expected, "[2]");
}

TEST(CodeJudgeTest, AValueThatCannotBeReadIsARuntimeError) {
  for (const char* const bytes : {"", "N N", "x", "l9999999999:", "i1:Z"}) {
    ScriptedExecutor executor({returned(bytes)});
    EXPECT_EQ(judge_program(executor, functional_problem({{"1", "null"}}), "p", {}).verdict,
              CodeVerdict::kRe)
        << bytes;
  }
}

TEST(CodeJudgeTest, BrokenTestsAreNeverTheProgramsFault) {
  for (const CodeTest& test : {CodeTest{"1\n", "1"}, CodeTest{"x", "1"}, CodeTest{"1", "x"}}) {
    ScriptedExecutor executor({});
    EXPECT_EQ(judge_program(executor, functional_problem({test}), "p", {}).verdict,
              CodeVerdict::kIe);
    JudgeOptions official;
    official.profile = CodeProfile::kLcbOfficial;
    EXPECT_EQ(judge_program(executor, functional_problem({test}), "p", official).results,
              Results({LcbResult::kError}));
  }
  ScriptedExecutor executor({});
  EXPECT_EQ(judge_program(executor, stdin_problem({}), "p", {}).verdict, CodeVerdict::kIe);
}

TEST(CodeJudgeTest, OfficialRunnerLosesResultsWithItsProcess) {
  JudgeOptions official;
  official.profile = CodeProfile::kLcbOfficial;
  RunResult crash = ended(RunEnd::kRuntimeError, "signal 11");
  crash.ended_process = true;
  ScriptedExecutor executor({printed("1"), crash});
  const Judgement judgement =
      judge_program(executor, stdin_problem({{"a", "1"}, {"b", "2"}}), "p", official);
  EXPECT_EQ(judgement.verdict, CodeVerdict::kRe);
  EXPECT_EQ(judgement.first_failing_test, 1);
  EXPECT_EQ(judgement.results, Results({LcbResult::kWrongOutput}));
}

TEST(CodeJudgeTest, OfficialRunnerReportsErrorsAsItsOwn) {
  JudgeOptions official;
  official.profile = CodeProfile::kLcbOfficial;
  ScriptedExecutor raises({printed("1"), ended(RunEnd::kRuntimeError, "ValueError")});
  EXPECT_EQ(judge_program(raises, stdin_problem({{"a", "1"}, {"b", "2"}}), "p", official).results,
            Results({LcbResult::kTrue, LcbResult::kError}));
  ScriptedExecutor compiles({ended(RunEnd::kCompileError, "SyntaxError")});
  EXPECT_EQ(judge_program(compiles, stdin_problem({{"a", "1"}, {"b", "2"}}), "p", official).results,
            Results({LcbResult::kError}));
  ScriptedExecutor passes({printed("1"), printed("2")});
  EXPECT_EQ(judge_program(passes, stdin_problem({{"a", "1"}, {"b", "2"}}), "p", official).verdict,
            CodeVerdict::kOk);
  ScriptedExecutor breaks({printed("1"), ended(RunEnd::kSandboxError)});
  EXPECT_EQ(judge_program(breaks, stdin_problem({{"a", "1"}, {"b", "2"}}), "p", official).verdict,
            CodeVerdict::kIe);
}

// ---- scripts ------------------------------------------------------------------------------------

// Prints what the last line of a script would.
class TokenExecutor : public CodeExecutor {
 public:
  explicit TokenExecutor(bool reaches_the_end) : reaches_the_end_(reaches_the_end) {}

  RunResult run(const ProgramSpec& program, const RunInput&, const RunLimits&) override {
    source = program.source;
    const std::size_t from = source.rfind("r1eval-");
    return printed(reaches_the_end_ ? "noise\n" + source.substr(from, 23) + "\n" : "noise\n");
  }

  RunResult run_shared(const ProgramSpec&, std::span<const RunInput>, const RunLimits&,
                       const std::function<bool(std::size_t, const RunResult&)>&) override {
    return {};
  }

  std::string source;

 private:
  bool reaches_the_end_;
};

TEST(CodeJudgeTest, AScriptPassesOnlyIfItsChecksWereReached) {
  const CodeProblem problem =
      read_code_problem(
          R"({"test_list": "[\"assert f() == 1\"]", "test_setup_code": "import math"})")
          .value();
  TokenExecutor passes(true);
  EXPECT_EQ(judge_program(passes, problem, "def f(): return 1", {}).verdict, CodeVerdict::kOk);
  EXPECT_LT(passes.source.find("def f"), passes.source.find("import math"));
  EXPECT_LT(passes.source.find("import math"), passes.source.find("assert f() == 1"));
  TokenExecutor leaves(false);
  EXPECT_EQ(judge_program(leaves, problem, "exit(0)", {}).verdict, CodeVerdict::kRe);
  ScriptedExecutor fails({ended(RunEnd::kRuntimeError, "AssertionError")});
  EXPECT_EQ(judge_program(fails, problem, "def f(): return 2", {}).verdict, CodeVerdict::kWa);
  ScriptedExecutor raises({ended(RunEnd::kRuntimeError, "NameError")});
  EXPECT_EQ(judge_program(raises, problem, "x", {}).verdict, CodeVerdict::kRe);
}

// The official runner keeps the elementwise comparison of an array, then fails to ask for its
// truth.
TEST(CodeJudgeTest, ComparesArraysAsTheOfficialRunnerDoes) {
  const auto results_for = [](const std::string& array, const std::string& expected) {
    CodeProblem problem;
    problem.mode = CodeProblem::Mode::kFunctional;
    problem.fn_name = "f";
    problem.tests = {{"1", expected}};
    RunResult run = ended(RunEnd::kRuntimeError, "ValueError");
    run.value_bytes = array;
    ScriptedExecutor executor({run});
    JudgeOptions options;
    options.profile = CodeProfile::kLcbOfficial;
    return dump_json(judgement_json(judge_program(executor, problem, "", options))["results"]);
  };
  EXPECT_EQ(results_for("l2:i1:1i1:2", "[1, 2]"), "[true,-4]");
  EXPECT_EQ(results_for("l2:i1:1i1:2", "[2, 2]"), "[false,-4]");
  EXPECT_EQ(results_for("l2:i1:1i1:2", "[1, 2, 3]"), "[-4]");
  EXPECT_EQ(results_for("l2:i1:1i1:2", "1"), "[true,-4]");
  EXPECT_EQ(results_for("l1:i1:1", "1"), "[true]");
  EXPECT_EQ(results_for("l1:i1:1", "[2]"), "[false]");
  EXPECT_EQ(results_for("l0:", "[]"), "[-4]");
}

TEST(CodeJudgeTest, NamesTheCheckThatFailed) {
  CodeProblem problem;
  problem.mode = CodeProblem::Mode::kScript;
  problem.checks = "assert f(1) == 2\nassert f(2) == 4";
  RunResult run = ended(RunEnd::kRuntimeError, "AssertionError");
  run.stderr_tail =
      "Traceback (most recent call last):\n  File \"main.py\", line 9, in <module>\n"
      "    assert f(2) == 4\n           ^^^^^^^^^\nAssertionError\n";
  ScriptedExecutor executor({run});
  const Judgement judgement = judge_program(executor, problem, "f = abs", JudgeOptions());
  EXPECT_EQ(judgement.verdict, CodeVerdict::kWa);
  EXPECT_EQ(judgement.input, "assert f(2) == 4");
  EXPECT_EQ(judgement.detail, "AssertionError: assert f(2) == 4");
}

TEST(CodeProblemTest, AHumanEvalProgramStandsOnItsPrompt) {
  CodeProblem problem =
      read_code_problem(
          R"({"prompt": "import math\n\ndef h(x):\n    return x\n\n\ndef f(x):\n    \"\"\"doc\"\"\"\n",)"
          R"( "test": "def check(c):\n    assert c(1) == 1\n", "entry_point": "f"})")
          .value();
  const std::string whole = assemble_script(problem, "def f(x):\n    return h(x)", "T");
  EXPECT_EQ(whole.find("doc"), std::string::npos);
  EXPECT_NE(whole.find("def h(x)"), std::string::npos);
  EXPECT_NE(whole.find("check(f)"), std::string::npos);
  const std::string body = assemble_script(problem, "    return h(x)", "T");
  EXPECT_NE(body.find("\"\"\"doc\"\"\"\n    return h(x)\n"), std::string::npos);
}

TEST(CodeProblemTest, ReadsLiveCodeBenchColumnsPublicFirst) {
  const CodeProblem problem =
      read_code_problem(
          R"({"public_test_cases": "[{\"input\": \"1\", \"output\": \"2\", \"testtype\": \"stdin\"}]",)"
          R"( "private_test_cases": "[{\"input\": \"3\", \"output\": \"\\ud800\"}]",)"
          R"( "metadata": "{\"func_name\": \"g\"}", "starter_code": ""})")
          .value();
  EXPECT_EQ(problem.mode, CodeProblem::Mode::kFunctional);
  EXPECT_EQ(problem.fn_name, "g");
  ASSERT_EQ(problem.tests.size(), 2U);
  EXPECT_EQ(problem.n_public, 1);
  EXPECT_EQ(problem.tests[0].input, "1");
  EXPECT_EQ(problem.tests[1].expected, "\xED\xA0\x80");
}

TEST(CodeProblemTest, ReadsPairs) {
  EXPECT_EQ(
      read_code_problem(R"({"tests": "[{\"input\": \"1\", \"output\": \"2\"}]"})")->tests.size(),
      1U);
  EXPECT_EQ(
      read_code_problem(R"({"tests": "{\"inputs\": [\"1\", \"2\"], \"outputs\": [\"a\", \"b\"]}"})")
          ->tests[1]
          .expected,
      "b");
  EXPECT_EQ(read_code_problem(R"({"tests": "{\"functional\": \"check(f)\"}"})")->mode,
            CodeProblem::Mode::kScript);
}

TEST(CodeProblemTest, RefusesRowsThatCannotBeJudged) {
  for (
      const char* const columns :
      {"{}", "[]", "x", R"({"public_test_cases": "[]", "private_test_cases": ""})",
       R"({"public_test_cases": "{", "private_test_cases": ""})",
       R"({"public_test_cases": "[{\"input\": 1, \"output\": \"\"}]"})",
       R"({"public_test_cases": "[]", "private_test_cases": "!!!"})",
       R"({"public_test_cases": "[{\"input\": \"\", \"output\": \"\"}]", "metadata": "["})",
       R"({"public_test_cases": "[{\"input\": \"\", \"output\": \"\"}]", "metadata": "{\"func_name\": 3}"})",
       R"({"test_list": "[]"})", R"({"test_list": "[3]"})", R"({"test": " ", "entry_point": "f"})",
       R"({"tests": "[]"})", R"({"tests": "{\"inputs\": [\"1\"], \"outputs\": []}"})"}) {
    EXPECT_FALSE(read_code_problem(columns).has_value()) << columns;
    EXPECT_FALSE(check_code_problem(columns).has_value()) << columns;
  }
}

// ---- the grader ---------------------------------------------------------------------------------

GradeRequest request_for(std::string_view text) {
  GradeRequest request;
  request.text = text;
  request.item = "item";
  request.load_tests = [] {
    return Result<std::string>(
        R"({"public_test_cases": "[{\"input\": \"1\", \"output\": \"2\"}]", "metadata": "{}"})");
  };
  return request;
}

std::unique_ptr<Grader> grader_over(std::vector<RunResult> results) {
  GraderSpec spec;
  spec.grader = "code";
  return make_grader(spec, std::make_shared<ScriptedExecutor>(std::move(results))).value();
}

TEST(CodeGraderTest, SaysWhatHappened) {
  const Verdict right = grader_over({printed("2")})->grade(request_for("So:\n```python\np\n```"));
  EXPECT_EQ(right.outcome, Outcome::kCorrect);
  EXPECT_EQ(right.answer, "p");
  EXPECT_EQ(right.span_from, 14);
  const Verdict wrong = grader_over({printed("3")})->grade(request_for("```python\np\n```"));
  EXPECT_EQ(wrong.outcome, Outcome::kIncorrect);
  EXPECT_EQ(wrong.evidence, "WA at test 1 of 1: line 1 differs; got '3', expected '2'");
  const Json details = parse_json(wrong.details).value();
  EXPECT_EQ(details["verdict"], "WA");
  EXPECT_EQ(details["first_failing_test"], 0);
  EXPECT_EQ(details["results"][0], -2);
}

TEST(CodeGraderTest, AnAnswerWithoutAProgramIsNoAnswer) {
  EXPECT_EQ(grader_over({})->grade(request_for("I cannot.")).outcome, Outcome::kNoAnswer);
  EXPECT_EQ(grader_over({})->grade(request_for("```python\n \n```")).outcome, Outcome::kNoAnswer);
}

TEST(CodeGraderTest, OurFailuresAreUnscored) {
  const char* const program = "```python\np\n```";
  EXPECT_EQ(grader_over({ended(RunEnd::kSandboxError)})->grade(request_for(program)).outcome,
            Outcome::kUnscored);
  GradeRequest broken = request_for(program);
  broken.load_tests = [] { return Result<std::string>("{\"private_test_cases\": \"AAAA\"}"); };
  EXPECT_EQ(grader_over({})->grade(broken).outcome, Outcome::kUnscored);
  GraderSpec spec;
  spec.grader = "code";
  EXPECT_EQ(make_grader(spec).value()->grade(request_for(program)).outcome, Outcome::kUnscored);
}

TEST(CodeGraderTest, KnowsItsNames) {
  GraderSpec spec;
  spec.grader = "code";
  for (const char* const profile : {"default", "lcb", "lcb-official", "strict"}) {
    spec.profile = profile;
    EXPECT_TRUE(make_grader(spec).has_value()) << profile;
  }
  spec.profile = "official";
  EXPECT_EQ(make_grader(spec).error().code, ErrorCode::kInvalidArgument);
  spec.profile = "default";
  spec.extraction = "last_python_blok";
  EXPECT_NE(make_grader(spec).error().message.find("last_python_block"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
