// Programs graded inside runs: through the real sandbox where this machine has one.
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/json.h"
#include "harness/exit_codes.h"
#include "harness/run.h"
#include "harness/sandbox_executor.h"
#include "results/run_store.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

RunOptions options_in(const TempDir& dir, const std::string& script) {
  EXPECT_TRUE(write_file_atomic(dir.file("script.jsonl"), script).has_value());
  RunOptions options;
  options.tasks = {"mini_code"};
  options.items = {"code-01", "code-02"};
  options.model = "mock:" + dir.file("script.jsonl");
  options.out = dir.file("run");
  options.sandbox_min = "C";
  options.quiet = true;
  options.json = true;
  return options;
}

std::string fenced(const std::string& code) {
  OrderedJson line;
  line["content"] = "<think>x</think>So:\n```python\n" + code + "\n```\nThat is it.";
  return dump_json(line) + "\n";
}

Json run(const RunOptions& options, int& code) {
  testing::internal::CaptureStdout();
  code = run_evaluation(options);
  return parse_json(testing::internal::GetCapturedStdout()).value_or(Json());
}

class CodeRunTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto sandbox = SandboxExecutor::open(SandboxLevel::kC); !sandbox) {
      GTEST_SKIP() << "no sandbox here: " << sandbox.error().message;
    }
  }
};

TEST_F(CodeRunTest, GradesProgramsAndKeepsWhatFailed) {
  const TempDir dir;
  RunOptions options = options_in(dir, fenced("a, b = map(int, input().split())\nprint(a + b)"));
  options.k = 3;
  int code = 0;
  const Json line = run(options, code);
  ASSERT_EQ(code, kExitOk);
  const Json& result = line["results"]["mini_code"];
  EXPECT_EQ(result["value"], 0.5);  // it adds; the other item asks for a reversed line
  EXPECT_EQ(result["unscored"], 0);
  const Json stored = parse_json(read_file(dir.file("run/results.json")).value()).value();
  const Json& metrics = stored["tasks"]["mini_code"]["metrics"];
  EXPECT_EQ(metrics["pass@3"]["value"], 0.5);
  EXPECT_FALSE(metrics.contains("cons@3"));  // nothing says which programs are the same
  const std::string events = read_file(dir.file("run/events.jsonl")).value();
  EXPECT_NE(events.find("\"sandbox\""), std::string::npos);

  // Grading again, by other rules, gives the same and sends nothing.
  const std::string before = read_file(dir.file("run/results.json")).value();
  testing::internal::CaptureStdout();
  ASSERT_EQ(grade_run({dir.file("run"), "", "strict", "last_python_block", "", true}), kExitOk);
  const Json again = parse_json(testing::internal::GetCapturedStdout()).value_or(Json());
  EXPECT_EQ(again["results"]["mini_code"]["value"], 0.5);
  testing::internal::CaptureStdout();
  ASSERT_EQ(grade_run({dir.file("run"), "", "", "", "", true}), kExitOk);
  testing::internal::GetCapturedStdout();
  EXPECT_EQ(read_file(dir.file("run/results.json")).value(), before);
}

TEST_F(CodeRunTest, SaysInHowManyAnswersStylesDiffer) {
  const TempDir dir;
  OrderedJson line;
  line["content"] = "```python\nprint(input()[::-1])\n```\nComplexity:\n```\nO(n)\n```";
  RunOptions options = options_in(dir, dump_json(line) + "\n");
  int code = 0;
  EXPECT_EQ(run(options, code)["results"]["mini_code"]["value"], 0.0);
  EXPECT_NE(read_file(dir.file("run/results.json")).value().find("in 2 of 2 answers another style"),
            std::string::npos);
  options.out = dir.file("run2");
  options.code_extraction = "last_python_block";
  EXPECT_EQ(run(options, code)["results"]["mini_code"]["value"], 0.5);
}

TEST(CodeRunOptionsTest, AnUnknownProfileOrLevelStopsBeforeAnything) {
  const TempDir dir;
  RunOptions options = options_in(dir, fenced("pass"));
  options.code_profile = "official";
  int code = 0;
  run(options, code);
  EXPECT_EQ(code, kExitUsage);
  options.code_profile = "";
  options.sandbox_min = "D";
  run(options, code);
  EXPECT_EQ(code, kExitUsage);
  options.sandbox_min = "B";
  options.window = "2024";
  run(options, code);
  EXPECT_EQ(code, kExitUsage);
  EXPECT_FALSE(path_exists(dir.file("run")));
}

}  // namespace
}  // namespace r1eval
