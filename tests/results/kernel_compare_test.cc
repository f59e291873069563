#include "results/kernel_compare.h"

#include <gtest/gtest.h>

#include "tests/results/kernel_launches.h"

namespace r1eval {
namespace {

KernelComparison compared(const MadeSuite& suite, const KernelCompareOptions& options = {}) {
  return compare_kernel_runs(make_launches(suite, false), make_launches(suite, true), options)
      .value();
}

MadeSuite quiet(double slowdown) {
  MadeSuite suite;
  suite.slowdown = slowdown;
  suite.offset = 0.002;
  return suite;
}

TEST(KernelCompareTest, ASlowdownIsSlowerASpeedUpFasterAndNothingTheSame) {
  EXPECT_EQ(compared(quiet(0.05)).cases[0].verdict, KernelVerdict::kSlower);
  EXPECT_EQ(compared(quiet(-0.05)).cases[0].verdict, KernelVerdict::kFaster);
  EXPECT_EQ(compared(quiet(0)).cases[0].verdict, KernelVerdict::kSame);
  const KernelCaseComparison slower = compared(quiet(0.05)).cases[0];
  EXPECT_NEAR(slower.effect, 0.05, 0.006);
  EXPECT_LE(slower.lower, 0.05);
  EXPECT_GE(slower.upper, 0.05);
  EXPECT_NEAR(slower.sign_p, 1.0 / 32, 1e-12);
}

TEST(KernelCompareTest, ShortCasesNeedFivePercentAndHalfAMicrosecond) {
  MadeSuite suite = quiet(0.04);
  suite.base_ns = 15e3;
  EXPECT_EQ(compared(suite).cases[0].verdict, KernelVerdict::kSame);
  suite.slowdown = 0.08;
  EXPECT_EQ(compared(suite).cases[0].verdict, KernelVerdict::kSlower);
  suite.base_ns = 4e3;  // 8 % are 0.32 us here
  EXPECT_EQ(compared(suite).cases[0].verdict, KernelVerdict::kSame);
}

TEST(KernelCompareTest, FewLaunchesOrRepetitionsProveNothing) {
  MadeSuite suite = quiet(0.5);
  suite.n_launches = 1;
  EXPECT_EQ(compared(suite).cases[0].verdict, KernelVerdict::kUnproven);
  EXPECT_NEAR(compared(suite).cases[0].effect, 0.5, 0.02);  // shown all the same
  suite.n_launches = 4;
  EXPECT_EQ(compared(suite).cases[0].verdict, KernelVerdict::kUnproven);
  suite.n_launches = 5;
  suite.n_repetitions = 8;
  const KernelCaseComparison one = compared(suite).cases[0];
  EXPECT_EQ(one.verdict, KernelVerdict::kUnproven);
  EXPECT_NE(one.why.find("repetitions"), std::string::npos);
}

TEST(KernelCompareTest, LaunchesThatDidNotAlternateProveNothing) {
  const MadeSuite suite = quiet(0.5);
  std::vector<KernelRun> base = make_launches(suite, false);
  std::vector<KernelRun> head = make_launches(suite, true);
  for (std::size_t i = 0; i < 5; ++i) {
    base[i].context["r1eval.launch_order"] = std::to_string(i);
    head[i].context["r1eval.launch_order"] = std::to_string(5 + i);
  }
  KernelCompareOptions options;
  KernelCaseComparison one = compare_kernel_runs(base, head, options).value().cases[0];
  EXPECT_EQ(one.verdict, KernelVerdict::kUnproven);
  EXPECT_NE(one.why.find("alternating"), std::string::npos);
  options.allow = {"order"};
  EXPECT_EQ(compare_kernel_runs(base, head, options).value().cases[0].verdict,
            KernelVerdict::kSlower);
  // Base first in every pair: what going first does is measured with it.
  for (std::size_t i = 0; i < 5; ++i) {
    base[i].context["r1eval.launch_order"] = std::to_string(2 * i);
    head[i].context["r1eval.launch_order"] = std::to_string(2 * i + 1);
  }
  EXPECT_EQ(compare_kernel_runs(base, head, {}).value().cases[0].verdict, KernelVerdict::kUnproven);
}

TEST(KernelCompareTest, TheSameCodeIsIdenticalAndMeasuresTheNoise) {
  MadeSuite suite;
  suite.n_cases = 40;
  suite.offset = 0.05;  // a noisy machine
  suite.label = "code=ab12 launch=132x256 seed=4";
  const KernelComparison comparison = compared(suite);
  double widest = 0;
  for (const KernelCaseComparison& one : comparison.cases) {
    EXPECT_EQ(one.verdict, KernelVerdict::kIdentical);
    widest = std::max(widest, std::abs(one.effect));
    EXPECT_GT(one.noise_floor, 0.01);
  }
  EXPECT_GT(widest, comparison.cases[0].noise_floor * 0.9);
  // A changed case among them must stand out of that noise.
  std::vector<KernelRun> base = make_launches(suite, false);
  std::vector<KernelRun> head = make_launches(suite, true);
  for (std::size_t i = 0; i < 5; ++i) {
    head[i].cases[0].label = "code=cd34 launch=132x256 seed=4";
    for (std::size_t r = 0; r < head[i].cases[0].samples.size(); ++r) {
      head[i].cases[0].samples[r].time_ns = 1.04 * base[i].cases[0].samples[r].time_ns;
    }
  }
  const KernelComparison changed = compare_kernel_runs(base, head, {}).value();
  EXPECT_EQ(changed.cases[0].verdict, KernelVerdict::kUnclear);
  // Other arguments are another case, whatever the code.
  head[0].cases[1].label = "code=ab12 launch=64x256 seed=4";
  EXPECT_NE(compare_kernel_runs(base, head, {}).value().cases[1].verdict,
            KernelVerdict::kIdentical);
}

TEST(KernelCompareTest, KnownNoiseIsKeptOverComparisons) {
  MadeSuite suite = quiet(0.04);
  KernelCompareOptions options;
  options.noise = parse_kernel_noise(R"({"schema":1,"noise":{"op.made/T:0":0.03}})", "n").value();
  EXPECT_EQ(compared(suite, options).cases[0].verdict, KernelVerdict::kUnclear);
  suite.label = "code=1";
  suite.slowdown = 0.1;  // a bad day of the machine
  const std::string file = kernel_noise_json(options.noise, compared(suite));
  EXPECT_GT(parse_kernel_noise(file, "n").value().at("op.made/T:0"), 0.08);
  EXPECT_FALSE(parse_kernel_noise(R"({"noise":{"a":-1}})", "n").has_value());
  EXPECT_FALSE(parse_kernel_noise(R"({"noise":3})", "n").has_value());
}

TEST(KernelCompareTest, ADifferentClockIsNoDifferentCode) {
  MadeSuite suite = quiet(0.05);
  suite.clock_ghz = 1.6;
  std::vector<KernelRun> base = make_launches(suite, false);
  std::vector<KernelRun> head = make_launches(suite, true);
  for (std::size_t i = 0; i < 5; ++i) {
    base[i].cases[0].id = head[i].cases[0].id = "norm.rms/bf16/T8.H64/-/cold/cuda";
  }
  EXPECT_EQ(compare_kernel_runs(base, head, {}).value().cases[0].verdict, KernelVerdict::kSlower);
  for (KernelRun& run : head) {
    for (KernelSample& sample : run.cases[0].samples) {
      sample.counters["clock_ghz"] = 1.6 / 1.05;
    }
  }
  const KernelCaseComparison one = compare_kernel_runs(base, head, {}).value().cases[0];
  EXPECT_EQ(one.verdict, KernelVerdict::kUnclear);
  EXPECT_NE(one.why.find("clock"), std::string::npos);
  EXPECT_NEAR(one.cycles_effect.value(), 0, 0.01);
  for (KernelRun& run : head) {
    for (KernelSample& sample : run.cases[0].samples) {
      sample.counters.clear();
    }
  }
  EXPECT_EQ(compare_kernel_runs(base, head, {}).value().cases[0].verdict, KernelVerdict::kUnproven);
}

TEST(KernelCompareTest, ResultsMeasuredOtherwiseAreRefusedByName) {
  const auto measure = [](const std::string& guard, const std::string& value, bool is_head) {
    std::vector<KernelRun> runs = make_launches(quiet(0), is_head);
    for (KernelRun& run : runs) {
      KernelCase& one = run.cases[0];
      one.id = "norm.rms/bf16/T8.H64/-/cold/cuda";
      if (value.empty()) {
        continue;
      }
      if (guard == "machine") {
        run.context["r1eval.gpu"] = value;
      } else if (guard == "suite") {
        run.context["r1eval.suite_version"] = value;
      } else if (guard == "cache") {
        one.id = "norm.rms/bf16/T8.H64/-/" + value + "/cuda";
      } else {
        one.label = (guard == "data" ? "generator" : guard) + "=" + value;
      }
    }
    return runs;
  };
  for (const std::string guard : {"machine", "timer", "duty", "cache", "data", "suite"}) {
    const std::string one = guard == "cache" ? "cold" : "one";
    const std::string other = guard == "cache" ? "hot" : "other";
    const std::vector<KernelRun> base = measure(guard, one, false);
    const std::vector<KernelRun> head = measure(guard, other, true);
    EXPECT_TRUE(compare_kernel_runs(base, measure(guard, one, true), {}).has_value()) << guard;
    const Result<KernelComparison> refused = compare_kernel_runs(base, head, {});
    ASSERT_FALSE(refused.has_value()) << guard;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(refused.error().message.find("--allow " + guard), std::string::npos);
    EXPECT_NE(refused.error().message.find(other + "'"), std::string::npos);
    KernelCompareOptions options;
    options.allow = {guard};
    const Result<KernelComparison> allowed = compare_kernel_runs(base, head, options);
    ASSERT_TRUE(allowed.has_value());
    ASSERT_EQ(allowed->cases.size(), 1U);
    EXPECT_NE(allowed->cases[0].verdict, KernelVerdict::kMissing);
    ASSERT_EQ(allowed->differences.size(), 1U);
    if (guard != "cache") {  // recorded on one side only is a difference, too
      EXPECT_FALSE(compare_kernel_runs(base, measure(guard, "", true), {}).has_value());
    }
  }
}

TEST(KernelCompareTest, OneProgramOnBothSidesIsIdentical) {
  MadeSuite suite = quiet(0);
  suite.offset = 0.03;
  std::vector<KernelRun> base = make_launches(suite, false);
  std::vector<KernelRun> head = make_launches(suite, true);
  for (std::size_t i = 0; i < 5; ++i) {
    base[i].context["r1eval.program_sha256"] = "aa";
    head[i].context["r1eval.program_sha256"] = "aa";
  }
  EXPECT_EQ(compare_kernel_runs(base, head, {}).value().cases[0].verdict,
            KernelVerdict::kIdentical);
  head[4].context["r1eval.program_sha256"] = "bb";  // rebuilt in between
  EXPECT_NE(compare_kernel_runs(base, head, {}).value().cases[0].verdict,
            KernelVerdict::kIdentical);
}

TEST(KernelCompareTest, WrongResultsHaveNoTimes) {
  const MadeSuite suite = quiet(0);
  std::vector<KernelRun> base = make_launches(suite, false);
  std::vector<KernelRun> head = make_launches(suite, true);
  head[3].cases[0].is_wrong = true;
  head[3].cases[0].error = "wrong: row 3";
  head[3].cases[0].samples.clear();
  const KernelComparison comparison = compare_kernel_runs(base, head, {}).value();
  EXPECT_EQ(comparison.cases[0].verdict, KernelVerdict::kWrong);
  EXPECT_EQ(comparison.cases[0].head_ns, 0);
  EXPECT_EQ(comparison.cases[0].base_ns, 0);
  EXPECT_EQ(kernel_exit_code(comparison, false), 1);
  // The head mends what the base had wrong: nothing to hold against it.
  std::swap(base, head);
  const KernelComparison mended = compare_kernel_runs(base, head, {}).value();
  EXPECT_EQ(mended.cases[0].verdict, KernelVerdict::kWrong);
  EXPECT_EQ(kernel_exit_code(mended, true), 0);
}

TEST(KernelCompareTest, WhatTheHeadCanNoLongerRunFails) {
  std::vector<KernelRun> base = make_launches(quiet(0), false);
  std::vector<KernelRun> head = make_launches(quiet(0), true);
  for (KernelRun& run : head) {
    run.cases[0].error = "cannot: no such instruction";
    run.cases[0].samples.clear();
  }
  EXPECT_EQ(kernel_exit_code(compare_kernel_runs(base, head, {}).value(), false), 1);
  for (KernelRun& run : base) {
    run.cases[0].error = "cannot: no such instruction";
    run.cases[0].samples.clear();
  }
  const KernelComparison neither = compare_kernel_runs(base, head, {}).value();
  EXPECT_EQ(neither.cases[0].verdict, KernelVerdict::kError);
  EXPECT_EQ(kernel_exit_code(neither, true), 0);
}

TEST(KernelCompareTest, WhatLooksSlowerMustLookSlowerAgain) {
  MadeSuite suite = quiet(0.03);
  suite.offset = 0.008;
  suite.seed = 3;
  KernelComparison comparison = compared(suite);
  ASSERT_EQ(comparison.cases[0].verdict, KernelVerdict::kSlower);
  ASSERT_EQ(comparison.cases[0].confirmation, KernelConfirmation::kNotRun);
  EXPECT_EQ(kernel_exit_code(comparison, false), 0);
  EXPECT_EQ(kernel_exit_code(comparison, true), 3);
  ASSERT_EQ(cases_to_confirm(comparison).size(), 1U);
  suite.n_launches = 9;
  KernelComparison again = comparison;
  ASSERT_TRUE(confirm_kernel_runs(again, make_launches(suite, false, "second"),
                                  make_launches(suite, true, "second"), {})
                  .has_value());
  EXPECT_EQ(again.cases[0].confirmation, KernelConfirmation::kConfirmed);
  EXPECT_EQ(kernel_exit_code(again, false), 1);
  suite.slowdown = 0;
  ASSERT_TRUE(confirm_kernel_runs(comparison, make_launches(suite, false, "second"),
                                  make_launches(suite, true, "second"), {})
                  .has_value());
  EXPECT_EQ(comparison.cases[0].verdict, KernelVerdict::kUnclear);
  EXPECT_EQ(comparison.cases[0].confirmation, KernelConfirmation::kRefuted);
  EXPECT_EQ(kernel_exit_code(comparison, false), 0);
}

TEST(KernelCompareTest, AGrossSlowdownNeedsNoSecondLook) {
  const KernelComparison comparison = compared(quiet(0.2));
  EXPECT_EQ(comparison.cases[0].confirmation, KernelConfirmation::kBeyondMargin);
  EXPECT_EQ(kernel_exit_code(comparison, false), 1);
}

TEST(KernelCompareTest, CasesOfOneSideAreNamedNotCompared) {
  MadeSuite suite = quiet(0);
  std::vector<KernelRun> base = make_launches(suite, false);
  suite.n_cases = 3;
  const KernelComparison comparison =
      compare_kernel_runs(base, make_launches(suite, true), {}).value();
  ASSERT_EQ(comparison.cases.size(), 3U);
  EXPECT_EQ(comparison.cases[2].verdict, KernelVerdict::kMissing);
  KernelCompareOptions options;
  options.patterns = {"T:2"};
  EXPECT_EQ(compare_kernel_runs(base, make_launches(suite, true), options).value().cases.size(),
            1U);
  options.patterns = {"nothing"};
  EXPECT_FALSE(compare_kernel_runs(base, make_launches(suite, true), options).has_value());
}

}  // namespace
}  // namespace r1eval
