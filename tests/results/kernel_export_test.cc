#include "results/kernel_export.h"

#include <gtest/gtest.h>

#include <sstream>

#include "results/kernel_compare_report.h"
#include "tests/results/kernel_launches.h"

namespace r1eval {
namespace {

KernelRun measured() {
  KernelRun run;
  run.file = "x.json";
  run.context["date"] = "2026-01-02T03:04:05+00:00";
  run.context["r1eval.cpu"] = "Example CPU, 2 cores";
  run.context["r1eval.commit"] = "0123456789abcdef";
  run.context["r1eval.dirty"] = "true";
  KernelCase one;
  one.id = "norm.rms.cpu/bf16/T8.H2048/-/cold/avx2";
  for (const double ns : {100.0, 101.0, 102.0, 103.0, 104.0}) {
    KernelSample sample;
    sample.time_ns = ns;
    one.samples.push_back(sample);
  }
  one.summary = {{"ci_low", 101}, {"ci_high", 103}, {"gbs", 20}, {"pct_roof", 81.5}};
  run.cases.push_back(one);
  KernelCase wrong;
  wrong.id = "norm.rms.cpu/bf16/T8.H2048/-/cold/avx512";
  wrong.error = "wrong: row 1, \"quoted\"";
  wrong.is_wrong = true;
  run.cases.push_back(wrong);
  return run;
}

TEST(KernelExportTest, JsonAndBencherHoldMediansAndIntervals) {
  const Json list = parse_json(export_kernel_run(measured(), "json").value()).value();
  ASSERT_EQ(list.size(), 1U);  // no time, no entry
  EXPECT_EQ(list[0]["name"], "norm.rms.cpu/bf16/T8.H2048/-/cold/avx2");
  EXPECT_EQ(list[0]["unit"], "ns");
  EXPECT_EQ(list[0]["value"], 102.0);
  const Json bencher = parse_json(export_kernel_run(measured(), "bencher").value()).value();
  const Json& measures = bencher["norm.rms.cpu/bf16/T8.H2048/-/cold/avx2"];
  EXPECT_EQ(measures["latency"]["value"], 102.0);
  EXPECT_EQ(measures["latency"]["lower_value"], 101.0);
  EXPECT_EQ(measures["percent-of-measured-roof"]["value"], 81.5);
  EXPECT_LT(measures["bandwidth-gbs"]["lower_value"], measures["bandwidth-gbs"]["value"]);
}

TEST(KernelExportTest, CsvHasAsManyFieldsInEveryLine) {
  KernelRun run = measured();
  run.cases[1].error = "wrong: row 1";  // no quotes: fields can be counted by commas
  run.context["r1eval.cpu"] = "Example";
  std::istringstream lines(export_kernel_run(run, "csv").value());
  std::string header;
  std::getline(lines, header);
  int n_lines = 0;
  for (std::string line; std::getline(lines, line); ++n_lines) {
    EXPECT_EQ(std::count(line.begin(), line.end(), ','),
              std::count(header.begin(), header.end(), ','))
        << line;
  }
  EXPECT_EQ(n_lines, 2);
  EXPECT_NE(export_kernel_run(measured(), "csv").value().find("\"wrong: row 1, \"\"quoted\"\"\""),
            std::string::npos);
}

TEST(KernelExportTest, MlperfIsALineACaseWithParsableJson) {
  std::istringstream lines(export_kernel_run(measured(), "mlperf").value());
  int n = 0;
  for (std::string line; std::getline(lines, line); ++n) {
    const std::string mark = ":::MLLOG ";
    ASSERT_EQ(line.substr(0, mark.size()), mark);
    const Json json = parse_json(line.substr(mark.size())).value();
    EXPECT_EQ(json["time_ms"], 1767323045000);
    EXPECT_EQ(json["metadata"]["commit"], "0123456789abcdef+changes");
    EXPECT_EQ(json["value"].is_null(), n == 1);
  }
  EXPECT_EQ(n, 2);
}

TEST(KernelExportTest, MarkdownNamesTheRoofAndTheFailure) {
  const std::string text = export_kernel_run(measured(), "markdown").value();
  EXPECT_NE(text.find("% of measured roof"), std::string::npos);
  EXPECT_NE(text.find("81.5"), std::string::npos);
  EXPECT_NE(text.find("wrong: row 1"), std::string::npos);
  EXPECT_FALSE(export_kernel_run(measured(), "xml").has_value());
}

TEST(KernelExportTest, LaunchesPoolTheirSamplesAndOneFailureFailsTheCase) {
  MadeSuite suite;
  suite.n_cases = 2;
  suite.n_launches = 3;
  std::vector<KernelRun> runs = make_launches(suite, false);
  runs[1].cases[1].error = "wrong: row 9";
  runs[1].cases[1].samples.clear();
  const KernelRun pooled = pool_kernel_runs(runs);
  EXPECT_EQ(pooled.cases[0].samples.size(), 27U);
  EXPECT_EQ(pooled.cases[1].error, "wrong: row 9");
  EXPECT_TRUE(pooled.cases[1].samples.empty());
}

TEST(KernelExportTest, AComparisonAsASideGateSaysWhatFailed) {
  MadeSuite suite;
  suite.slowdown = 0.3;
  KernelComparison comparison =
      compare_kernel_runs(make_launches(suite, false), make_launches(suite, true), {}).value();
  const auto gate_of = [&](int code) {
    return kernel_side_gate(dump_json(kernel_comparison_json(comparison, code)), "k.json").value();
  };
  EXPECT_EQ(gate_of(1).verdict, GateVerdict::kFail);
  EXPECT_NE(gate_of(1).why.find("slower op.made/T:0"), std::string::npos);
  EXPECT_EQ(gate_of(3).verdict, GateVerdict::kInconclusive);
  EXPECT_EQ(gate_of(0).verdict, GateVerdict::kPass);
  EXPECT_FALSE(kernel_side_gate("{}", "k.json").has_value());
  EXPECT_FALSE(kernel_side_gate("{", "k.json").has_value());
  const std::string text = kernel_comparison_text(comparison, false);
  EXPECT_NE(text.find("slower"), std::string::npos);
  EXPECT_NE(text.find("5 of 5 pairs slower"), std::string::npos);
  EXPECT_NE(kernel_comparison_markdown(comparison).find("| slower |"), std::string::npos);
}

TEST(KernelExportTest, TimesHaveAUnitThatFits) {
  EXPECT_EQ(time_text(12.4), "12 ns");
  EXPECT_EQ(time_text(1234), "1.23 us");
  EXPECT_EQ(time_text(123456), "123 us");
  EXPECT_EQ(time_text(12.3e6), "12.3 ms");
  EXPECT_EQ(time_text(2e9), "2.00 s");
}

}  // namespace
}  // namespace r1eval
