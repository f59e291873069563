#include <gtest/gtest.h>

#include "base/json.h"
#include "results/leaderboard.h"
#include "results/results_json.h"
#include "results/table.h"

namespace r1eval {
namespace {

RunSummary one_task() {
  RunSummary summary;
  summary.directory = "runs/x";
  summary.model = "m";
  TaskScores task;
  task.task = "t";
  task.score.value = 0.25;
  task.score.interval = {0.1, 0.5, "wilson", 0.95};
  task.score.n_items = 12;
  task.k = 1;
  task.n_samples = 12;
  task.n_planned = 12;
  task.n_truncated = 3;
  summary.tasks = {task};
  return summary;
}

TEST(ResultsJsonTest, HasTheFieldsThatScriptsRelyOn) {
  const Json json = parse_json(results_json(one_task())).value();
  EXPECT_EQ(json["schema"], 1);
  const Json& task = json["tasks"]["t"];
  for (const char* field :
       {"metric", "value", "se_pop", "se_run", "ci", "ci_method", "ci_level", "n", "k", "n_samples",
        "unscored", "truncated", "no_answer", "mean_completion_tokens", "metrics", "breakdown"}) {
    EXPECT_TRUE(task.contains(field)) << field;
  }
  EXPECT_EQ(task["ci"], Json::array({0.1, 0.5}));
  EXPECT_TRUE(task["se_run"].is_null());
}

TEST(SummaryLineTest, IsOneLineWithTheRequestsSent) {
  RunSummary summary = one_task();
  summary.requests_sent = 7;
  const std::string line = summary_line_json(summary);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(parse_json(line).value()["requests_sent"], 7);
}

TEST(LeaderboardTest, MarksWeightsThatNothingIdentifies) {
  const std::string named = R"({"config":{"model_identity":"endpoint m"}})";
  const std::string hashed = R"({"config":{"model_identity":"gguf sha256:abc"}})";
  EXPECT_EQ(parse_json(leaderboard_json(one_task(), named)).value()["entries"][0]["unidentified"],
            true);
  EXPECT_EQ(parse_json(leaderboard_json(one_task(), hashed)).value()["entries"][0]["unidentified"],
            false);
}

TEST(TableTest, ShowsScoreIntervalAndWhatIsMissing) {
  RunSummary summary = one_task();
  summary.tasks[0].n_planned = 20;
  summary.notes = {"a note"};
  const std::string table = results_table(summary);
  EXPECT_NE(table.find("25.0"), std::string::npos);
  EXPECT_NE(table.find("[10.0, 50.0]"), std::string::npos);
  EXPECT_NE(table.find("8 of 20 samples are missing"), std::string::npos);
  EXPECT_NE(table.find("note: a note"), std::string::npos);
  EXPECT_NE(table.find("records: runs/x"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
