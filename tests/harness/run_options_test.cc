#include "harness/run_options.h"

#include <gtest/gtest.h>

#include "harness/progress.h"

namespace r1eval {
namespace {

RunOptions with(void (*change)(RunOptions&)) {
  RunOptions options;
  options.tasks = {"mini_math"};
  change(options);
  return options;
}

void expect_flag_named(const RunOptions& options, const std::string& flag) {
  const Status status = check_run_options(options);
  ASSERT_FALSE(status.has_value()) << flag;
  EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(status.error().message.find(flag), std::string::npos) << status.error().message;
}

TEST(RunOptionsTest, ErrorsNameTheFlag) {
  expect_flag_named(with([](RunOptions& o) { o.limit = "0"; }), "--limit");
  expect_flag_named(with([](RunOptions& o) { o.limit = "101%"; }), "--limit");
  expect_flag_named(with([](RunOptions& o) { o.limit = "2.5"; }), "--limit");
  expect_flag_named(with([](RunOptions& o) { o.k = 0; }), "--k");
  expect_flag_named(with([](RunOptions& o) { o.top_p = 1.5; }), "--top-p");
  expect_flag_named(with([](RunOptions& o) { o.extra_body = "[1]"; }), "--extra-body");
  expect_flag_named(with([](RunOptions& o) { o.labels = {"x"}; }), "--label");
  expect_flag_named(with([](RunOptions& o) { o.think_tags = "<a>"; }), "--think-tags");
  expect_flag_named(with([](RunOptions& o) { o.concurrency = "many"; }), "--concurrency");
  expect_flag_named(with([](RunOptions& o) { o.suite = "math"; }), "--suite");
  EXPECT_TRUE(check_run_options(with([](RunOptions& o) { o.limit = "10%"; })).has_value());
}

TEST(RunOptionsTest, ReadBackAsTheyWereStoredWithoutSecrets) {
  RunOptions options = with([](RunOptions& o) {
    o.k = 4;
    o.temperature = 0.7;
    o.headers = {"X-Secret: value"};
    o.seed = 9;
  });
  const OrderedJson json = run_options_to_json(options);
  EXPECT_EQ(dump_json(json).find("value\""), std::string::npos);
  const auto back = run_options_from_json(parse_json(dump_json(json)).value());
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(dump_json(run_options_to_json(*back)).find("X-Secret"), std::string::npos);
  EXPECT_EQ(back->k, options.k);
  EXPECT_EQ(back->temperature, options.temperature);
  EXPECT_EQ(back->seed, options.seed);
}

TEST(ProgressLineTest, EstimatesFromTokens) {
  ProgressCounts counts;
  counts.done = 10;
  counts.total = 20;
  counts.tokens = 1000;
  const std::string line = progress_line(counts, 10);
  EXPECT_NE(line.find("10/20 done"), std::string::npos);
  EXPECT_NE(line.find("100 tok/s"), std::string::npos);
  EXPECT_NE(line.find("about 0:10 left"), std::string::npos) << line;
}

}  // namespace
}  // namespace r1eval
