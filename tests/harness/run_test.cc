// Whole runs on the mock backend: what is on disk, what is printed, what a second call does.
#include "harness/run.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "engine/mock/mock_server.h"
#include "harness/exit_codes.h"
#include "results/run_store.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

RunOptions options_in(const TempDir& dir, const std::string& script) {
  EXPECT_TRUE(write_file_atomic(dir.file("script.jsonl"), script).has_value());
  RunOptions options;
  options.tasks = {"mini_math"};
  options.model = "mock:" + dir.file("script.jsonl");
  options.out = dir.file("run");
  options.quiet = true;
  options.json = true;
  return options;
}

struct Outcome_ {
  int code;
  Json line;
};

Outcome_ run(const RunOptions& options) {
  testing::internal::CaptureStdout();
  const int code = run_evaluation(options);
  const std::string out = testing::internal::GetCapturedStdout();
  return {code, parse_json(out).value_or(Json())};
}

// Answers "12 + 7" rightly and everything else wrongly.
const char* const kOneRight =
    "{\"match\": \"What is 12 + 7?\", \"content\": \"It is \\\\boxed{19}.\"}\n"
    "{\"content\": \"The answer is \\\\boxed{123456}.\"}\n";

TEST(RunTest, ScoresRecordsAndSendsNothingTheSecondTime) {
  const TempDir dir;
  const RunOptions options = options_in(dir, kOneRight);
  const Outcome_ first = run(options);
  ASSERT_EQ(first.code, kExitOk);
  const Json& result = first.line["results"]["mini_math"];
  const double n = result["n"].get<double>();
  EXPECT_NEAR(result["value"].get<double>(), 1 / n, 1e-12);
  EXPECT_EQ(first.line["requests_sent"].get<double>(), n);
  const std::string samples = read_file(dir.file("run/samples.jsonl")).value();
  const std::string results = read_file(dir.file("run/results.json")).value();

  const Outcome_ second = run(options);
  EXPECT_EQ(second.code, kExitOk);
  EXPECT_EQ(second.line["requests_sent"], 0);
  EXPECT_EQ(second.line["results"], first.line["results"]);
  EXPECT_EQ(read_file(dir.file("run/samples.jsonl")).value(), samples);
  EXPECT_EQ(read_file(dir.file("run/results.json")).value(), results);
  EXPECT_TRUE(path_exists(dir.file("run/leaderboard.json")));
}

// Nobody listens at the endpoint: what no endpoint can do is said without asking it.
TEST(RunTest, RefusesScoringByAnEndpointBeforeItIsProbed) {
  const TempDir dir;
  RunOptions options = options_in(dir, kOneRight);
  constexpr const char* kTask = R"(name = "scored"
title = "scored"
version = "1"
suites = []
license = "Apache-2.0"
redistributable = true
k = 1
max_tokens = 1
[dataset]
format = "jsonl"
files = [{builtin = "mini/mini_mmlu.jsonl"}]
[columns]
id = "id"
question = "question"
choices = ["choices.0", "choices.1", "choices.2", "choices.3"]
target = "answer"
metadata = {subject = "subject", category = "category"}
[prompt]
style = "choice_loglikelihood"
shots = 0
shuffle = "none"
[grader]
name = "text"
extraction = "whole"
)";
  ASSERT_TRUE(write_file_atomic(dir.file("scored.toml"), kTask).has_value());
  options.tasks = {dir.file("scored.toml")};
  options.model = "some-model@http://127.0.0.1:1/v1";
  testing::internal::CaptureStderr();
  const Outcome_ outcome = run(options);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(outcome.code, kExitOk);
  EXPECT_NE(said.find("log-probabilities of given continuations"), std::string::npos) << said;
  EXPECT_FALSE(path_exists(dir.file("run/manifest.json")));
}

TEST(RunTest, GoesOnAfterATornRecord) {
  const TempDir dir;
  const RunOptions options = options_in(dir, kOneRight);
  ASSERT_EQ(run(options).code, kExitOk);
  std::string samples = read_file(dir.file("run/samples.jsonl")).value();
  samples.resize(samples.size() / 2);
  ASSERT_TRUE(write_file_atomic(dir.file("run/samples.jsonl"), samples).has_value());
  const Outcome_ again = run(options);
  EXPECT_EQ(again.code, kExitOk);
  EXPECT_GT(again.line["requests_sent"].get<int>(), 0);
  std::set<std::string> keys;
  std::int64_t n = 0;
  ASSERT_TRUE(read_samples(dir.file("run"), [&](const SampleRecord& record) {
                keys.insert(record.key);
                ++n;
                return ok_status();
              }).has_value());
  EXPECT_EQ(static_cast<std::int64_t>(keys.size()), n);
  EXPECT_EQ(n, again.line["results"]["mini_math"]["n_samples"].get<std::int64_t>());
}

TEST(RunTest, AFailedRequestIsNoWrongAnswer) {
  const TempDir dir;
  RunOptions options =
      options_in(dir,
                 "{\"match\": \"What is 12 + 7?\", \"error\": \"server on fire\"}\n"
                 "{\"content\": \"\\\\boxed{1}\"}\n");
  const Outcome_ failed = run(options);
  EXPECT_EQ(failed.code, kExitIncomplete);
  const Json& result = failed.line["results"]["mini_math"];
  EXPECT_EQ(result["missing"], 1);
  EXPECT_EQ(result["partial"], true);
  EXPECT_EQ(result["n"].get<int>(), result["n_samples"].get<int>());
  EXPECT_NE(read_file(dir.file("run/events.jsonl")).value().find("server on fire"),
            std::string::npos);

  options.max_failures = 0.5;
  EXPECT_EQ(run(options).code, kExitOk);
}

TEST(RunTest, TruncatedThinkingIsNoAnswerAndCountedApart) {
  const TempDir dir;
  RunOptions options = options_in(
      dir, "{\"content\": \"<think>so \\\\boxed{19} it seems\", \"finish_reason\": \"length\"}\n");
  options.items = {"math-001"};
  const Outcome_ outcome = run(options);
  EXPECT_EQ(outcome.code, kExitOk);
  const Json& result = outcome.line["results"]["mini_math"];
  EXPECT_EQ(result["value"], 0.0);
  EXPECT_EQ(result["truncated"], 1);
  EXPECT_EQ(result["no_answer"], 1);
}

TEST(RunTest, ADirectoryOfAnotherConfigurationIsRefused) {
  const TempDir dir;
  RunOptions options = options_in(dir, kOneRight);
  ASSERT_EQ(run(options).code, kExitOk);
  options.temperature = 0.1;
  EXPECT_EQ(run(options).code, kExitEnvironment);
  options.fresh = true;
  EXPECT_EQ(run(options).code, kExitOk);
  EXPECT_TRUE(path_exists(dir.file("run.old-1/samples.jsonl")));
}

TEST(RunTest, GradingAgainGivesTheSameResults) {
  const TempDir dir;
  ASSERT_EQ(run(options_in(dir, kOneRight)).code, kExitOk);
  const std::string results = read_file(dir.file("run/results.json")).value();
  testing::internal::CaptureStdout();
  const int code = grade_run({dir.file("run"), "", "", "", "", true});
  testing::internal::GetCapturedStdout();
  EXPECT_EQ(code, kExitOk);
  EXPECT_EQ(read_file(dir.file("run/results.json")).value(), results);
}

TEST(RunTest, RunsAgainstAnEndpointThatFailsNowAndThen) {
  const TempDir dir;
  MockServerOptions server_options;
  server_options.faults = parse_faults("500:5%,429:5%:retry-after=0,cut:2%").value();
  const auto server =
      MockServer::start(MockScript::parse(kOneRight, "script").value(), server_options).value();
  RunOptions options = options_in(dir, "");
  options.model = "mock";
  options.base_url = "http://127.0.0.1:" + std::to_string(server->port());
  options.max_attempts = 12;
  const Outcome_ outcome = run(options);
  EXPECT_EQ(outcome.code, kExitOk);
  const Json& result = outcome.line["results"]["mini_math"];
  EXPECT_EQ(result["missing"], 0);
  EXPECT_NEAR(result["value"].get<double>() * result["n"].get<double>(), 1, 1e-9);
}

TEST(RunTest, AnAnswerThatCannotFitTheContextIsRefusedBeforeItIsAskedFor) {
  const TempDir dir;
  MockServerOptions server_options;
  server_options.max_model_len = 2048;
  const auto server = MockServer::start(MockScript(), server_options).value();
  RunOptions options = options_in(dir, "");
  options.model = "mock";
  options.base_url = "http://127.0.0.1:" + std::to_string(server->port());
  options.max_tokens = 4096;
  EXPECT_EQ(run(options).code, kExitEnvironment);
  EXPECT_NE(server->stats_json().find("\"requests\":0"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
