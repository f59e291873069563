#include "results/kernel_run.h"

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "results/kernel_facts.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

// As Google Benchmark 1.7.1 writes it: repetitions, aggregates, an error, another unit.
const char* const kFile = R"({
  "context": {"date": "2026-01-02T03:04:05+01:00", "num_cpus": 2, "library_build_type": "debug",
              "r1eval.machine": "H100"},
  "benchmarks": [
    {"name": "moe.topk/T:8/manual_time/repeats:2", "run_name": "moe.topk/T:8/manual_time/repeats:2",
     "run_type": "iteration", "repetitions": 2, "repetition_index": 0, "threads": 1,
     "iterations": 100, "real_time": 5.0, "cpu_time": 4.0, "time_unit": "us", "clock_ghz": 1.5},
    {"name": "moe.topk/T:8/manual_time/repeats:2", "run_name": "moe.topk/T:8/manual_time/repeats:2",
     "run_type": "iteration", "repetitions": 2, "repetition_index": 1, "threads": 1,
     "iterations": 100, "real_time": 7.0, "cpu_time": 4.0, "time_unit": "us", "clock_ghz": 1.7},
    {"name": "moe.topk/T:8/manual_time/repeats:2_median",
     "run_name": "moe.topk/T:8/manual_time/repeats:2", "run_type": "aggregate",
     "aggregate_name": "median", "aggregate_unit": "time", "threads": 1, "iterations": 2,
     "real_time": 6.0, "cpu_time": 4.0, "time_unit": "us"},
    {"name": "norm.rms/T:1", "run_type": "iteration", "error_occurred": true,
     "error_message": "wrong: row 3 differs by 0.5", "real_time": 1, "time_unit": "ns"},
    {"name": "only.median_median", "run_name": "only.median", "run_type": "aggregate",
     "aggregate_name": "median", "real_time": 2.0, "cpu_time": 2.0, "time_unit": "ms"}
  ]})";

TEST(KernelRunTest, ReadsRepetitionsCountersUnitsAndErrors) {
  const KernelRun run = parse_kernel_run(kFile, "x.json").value();
  ASSERT_EQ(run.cases.size(), 3U);
  const KernelCase* topk = run.find("moe.topk/T:8");
  ASSERT_NE(topk, nullptr);
  EXPECT_EQ(topk->samples.size(), 2U);  // the aggregate is no repetition
  EXPECT_DOUBLE_EQ(topk->median_ns(), 6000);
  EXPECT_DOUBLE_EQ(topk->counter("clock_ghz").value(), 1.6);
  EXPECT_FALSE(topk->counter("absent").has_value());
  EXPECT_TRUE(run.find("norm.rms/T:1")->is_wrong);
  EXPECT_TRUE(run.find("norm.rms/T:1")->samples.empty());
  EXPECT_TRUE(run.find("only.median")->from_aggregate);
  EXPECT_DOUBLE_EQ(run.find("only.median")->median_ns(), 2e6);
  EXPECT_EQ(run.text("r1eval.machine"), "H100");
  EXPECT_EQ(run.text("num_cpus"), "2");
}

TEST(KernelRunTest, WritingAndReadingAgainKeepsEveryRepetition) {
  const KernelRun run = parse_kernel_run(kFile, "x.json").value();
  const KernelRun again = parse_kernel_run(kernel_run_json(run), "y.json").value();
  ASSERT_EQ(again.cases.size(), run.cases.size());
  for (std::size_t i = 0; i < run.cases.size(); ++i) {
    EXPECT_EQ(again.cases[i].id, run.cases[i].id);
    EXPECT_EQ(again.cases[i].error, run.cases[i].error);
    ASSERT_EQ(again.cases[i].samples.size(), run.cases[i].samples.size());
    for (std::size_t s = 0; s < run.cases[i].samples.size(); ++s) {
      EXPECT_EQ(again.cases[i].samples[s].time_ns, run.cases[i].samples[s].time_ns);
      EXPECT_EQ(again.cases[i].samples[s].counters, run.cases[i].samples[s].counters);
    }
  }
  EXPECT_EQ(again.context, run.context);
}

TEST(KernelRunTest, MalformedFilesAreErrorsThatNameFileEntryAndField) {
  const auto message = [](const std::string& bytes) {
    const Result<KernelRun> run = parse_kernel_run(bytes, "bad.json");
    return run ? std::string("read") : run.error().message;
  };
  EXPECT_NE(message("{").find("bad.json"), std::string::npos);
  EXPECT_NE(message("[]").find("'benchmarks'"), std::string::npos);
  EXPECT_NE(message(R"({"benchmarks": [3]})").find("benchmarks[0]"), std::string::npos);
  EXPECT_NE(message(R"({"benchmarks": [{"name": "a", "real_time": "x"}]})").find("'real_time'"),
            std::string::npos);
  EXPECT_NE(message(R"({"benchmarks": [{"name": "a", "real_time": -1}]})").find("no time"),
            std::string::npos);
  EXPECT_NE(
      message(R"({"benchmarks": [{"name": "a", "real_time": 1, "time_unit": "h"}]})").find("'h'"),
      std::string::npos);
  EXPECT_NE(message(R"({"context": 3, "benchmarks": []})").find("'context'"), std::string::npos);
}

TEST(KernelRunTest, ADirectoryIsItsJsonFilesInOrder) {
  const TempDir dir;
  const std::string one = R"({"benchmarks": [{"name": "a", "real_time": 1}]})";
  ASSERT_TRUE(write_file_atomic(dir.file("b.json"), one).has_value());
  ASSERT_TRUE(write_file_atomic(dir.file("a.json"), one).has_value());
  ASSERT_TRUE(write_file_atomic(dir.file("torn.json"), one.substr(0, 20)).has_value());
  ASSERT_TRUE(write_file_atomic(dir.file("note.txt"), "no JSON").has_value());
  std::vector<std::string> skipped;
  const std::vector<KernelRun> runs = read_kernel_runs(dir.path(), &skipped).value();
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].file, dir.file("a.json"));
  ASSERT_EQ(skipped.size(), 1U);
  EXPECT_NE(skipped[0].find("torn.json"), std::string::npos);
  const Result<std::vector<KernelRun>> none = read_kernel_runs(dir.file("nowhere"));
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
}

TEST(KernelRunTest, NamesLoseWhatTheRunnerAppends) {
  EXPECT_EQ(kernel_case_id("a/b:1/iterations:5/manual_time"), "a/b:1");
  EXPECT_EQ(kernel_case_id("a/min_time:0.5/process_time/threads:4"), "a/threads:4");
  EXPECT_EQ(kernel_case_id("plain"), "plain");
}

TEST(KernelRunTest, PatternsMatchNames) {
  EXPECT_TRUE(kernel_name_matches("moe.topk/T:8", "topk"));
  EXPECT_TRUE(kernel_name_matches("moe.topk/T:8", "moe.*/T:?"));
  EXPECT_FALSE(kernel_name_matches("moe.topk/T:16", "moe.*/T:?"));
  EXPECT_FALSE(kernel_name_matches("norm.rms", "moe*"));
  EXPECT_TRUE(kernel_name_matches("", "*"));
}

TEST(KernelRunTest, TimesOfLaunchesCountTheirOffsets) {
  EXPECT_EQ(parse_iso_time("1970-01-02T00:00:00+00:00"), 86400);
  EXPECT_EQ(parse_iso_time("2026-01-02T03:04:05+01:00"), parse_iso_time("2026-01-02T02:04:05Z"));
  EXPECT_EQ(parse_iso_time("2024-03-01T00:00:00Z").value() -
                parse_iso_time("2024-02-28T00:00:00Z").value(),
            2 * 86400);
  EXPECT_FALSE(parse_iso_time("yesterday").has_value());
  EXPECT_FALSE(parse_iso_time("2026-13-02T03:04:05Z").has_value());
}

}  // namespace
}  // namespace r1eval
