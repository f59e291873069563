#include "graders/grader.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

namespace r1eval {
namespace {

TEST(MakeGraderTest, NamesTheNearestGrader) {
  GraderSpec spec;
  spec.grader = "maths";
  const auto grader = make_grader(spec);
  ASSERT_FALSE(grader);
  EXPECT_EQ(grader.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(grader.error().message.find("'math'"), std::string::npos) << grader.error().message;
}

TEST(MakeGraderTest, ListsTheProfilesThereAre) {
  GraderSpec spec;
  spec.profile = "loosest";
  const auto grader = make_grader(spec);
  ASSERT_FALSE(grader);
  EXPECT_NE(grader.error().message.find("percent-lenient"), std::string::npos);
}

Outcome by_profile(const std::string& profile, const std::string& gold, const std::string& text,
                   const std::string& extraction = "whole") {
  GraderSpec spec;
  spec.profile = profile;
  spec.extraction = extraction;
  const auto grader = make_grader(spec);
  EXPECT_TRUE(grader.has_value()) << profile;
  GradeRequest request;
  request.text = text;
  request.target = gold;
  return (*grader)->grade(request).outcome;
}

TEST(ProfileTest, DecidesWhatTheDefaultDecidesOtherwise) {
  struct Case {
    std::string profile;
    std::string gold;
    std::string text;
    bool by_default;
    bool by_profile;
  };

  const std::vector<Case> cases = {
      {"percent-lenient", "40", "40\\%", false, true},
      {"set-relation-both-ways", "(-1, 3]", "-1 < x \\le 3", false, true},
      {"free-variable-names", "a^2 + 3b", "x^2 + 3y", false, true},
      {"free-variable-names", "a^2 + 3b", "x^2 + 4y", false, false},
      {"loose-numeric", "1000", "1000.9", false, true},
      {"loose-numeric", "1000", "1002", false, false},
      {"round-to-gold-decimals", "0.67", "\\frac{2}{3}", false, true},
      {"round-to-gold-decimals", "0.66", "\\frac{2}{3}", false, false},
      {"prm800k-reduced-form", "\\frac{3}{4}", "\\frac{6}{8}", true, false},
      {"prm800k-reduced-form", "3", "\\frac{6}{2}", true, false},
      {"trivial-simplification-only", "\\frac{91}{7}", "13", true, false},
      {"trivial-simplification-only", "2x + 3", "3 + 2x", true, true},
      {"number-words", "42", "forty-two", false, true},
      {"number-words", "1300", "one thousand three hundred", false, true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(by_profile("default", c.gold, c.text) == Outcome::kCorrect, c.by_default)
        << c.gold << " | " << c.text;
    EXPECT_EQ(by_profile(c.profile, c.gold, c.text) == Outcome::kCorrect, c.by_profile)
        << c.profile << ": " << c.gold << " | " << c.text;
  }
}

TEST(ProfileTest, DecidesWhereTheAnswerIs) {
  const std::string two = "\\boxed{3}, \\boxed{5}";
  EXPECT_EQ(by_profile("default", "5", two, "auto"), Outcome::kIncorrect);
  EXPECT_EQ(by_profile("last-box-only", "5", two, "auto"), Outcome::kCorrect);
  const std::string both = "The final answer is $8$. As a check: \\boxed{2}";
  EXPECT_EQ(by_profile("default", "8", both, "auto"), Outcome::kIncorrect);
  EXPECT_EQ(by_profile("boxed-after-final-answer", "8", both, "auto"), Outcome::kCorrect);
}

TEST(MakeGraderTest, RefusesAPatternWithoutAGroup) {
  GraderSpec spec;
  spec.extraction = "regex";
  for (const char* pattern : {"[0-9]+", "([0-9]+", ""}) {
    spec.pattern = pattern;
    const auto grader = make_grader(spec);
    ASSERT_FALSE(grader) << pattern;
    EXPECT_EQ(grader.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(RegexExtractionTest, TakesTheLastMatchsGroup) {
  GraderSpec spec;
  spec.extraction = "regex";
  spec.pattern = "Result: ([0-9/]+)";
  const auto grader = make_grader(spec);
  ASSERT_TRUE(grader.has_value());
  GradeRequest request;
  request.text = "Result: 1/3 then Result: 2/4.";
  request.target = "0.5";
  const Verdict verdict = grader.value()->grade(request);
  EXPECT_EQ(verdict.outcome, Outcome::kCorrect);
  EXPECT_EQ(verdict.answer, "2/4");
  EXPECT_EQ(verdict.span_from, 25);
  request.text = "nothing of the kind 0.5";
  EXPECT_EQ(grader.value()->grade(request).outcome, Outcome::kNoAnswer);
}

TEST(ChoiceGraderTest, ComparesTheLetterWithTheTarget) {
  GraderSpec spec;
  spec.grader = "choice";
  const auto grader = make_grader(spec);
  ASSERT_TRUE(grader.has_value());
  const std::array<std::string, 4> options = {"one", "two", "three", "four"};
  GradeRequest request;
  request.choices = options;
  request.target = "C";
  request.text = "Answer: C";
  EXPECT_EQ(grader.value()->grade(request).outcome, Outcome::kCorrect);
  request.text = "Answer: three";
  EXPECT_EQ(grader.value()->grade(request).outcome, Outcome::kCorrect);
  request.text = "Answer: B";
  EXPECT_EQ(grader.value()->grade(request).outcome, Outcome::kIncorrect);
  request.text = "I cannot say.";
  EXPECT_EQ(grader.value()->grade(request).outcome, Outcome::kNoAnswer);
  request.target = "E";
  EXPECT_FALSE(grader.value()->check_target(request));
}

TEST(TextGraderTest, IgnoresCaseAndSpacing) {
  GraderSpec spec;
  spec.grader = "text";
  const auto grader = make_grader(spec);
  ASSERT_TRUE(grader.has_value());
  GradeRequest request;
  request.target = "Lake Victoria";
  request.text = " lake  victoria. ";
  EXPECT_EQ(grader.value()->grade(request).outcome, Outcome::kCorrect);
  request.text = "Lake Tanganyika";
  EXPECT_EQ(grader.value()->grade(request).outcome, Outcome::kIncorrect);
}

TEST(GraderHashTest, ChangesWithEveryPartOfTheSpec) {
  const GraderSpec base;
  GraderSpec other = base;
  other.profile = "percent-lenient";
  EXPECT_EQ(grader_hash(base), grader_hash(GraderSpec()));
  EXPECT_NE(grader_hash(base), grader_hash(other));
  other = base;
  other.decimals = 3;
  EXPECT_NE(grader_hash(base), grader_hash(other));
}

TEST(MathGraderTest, ManyThreadsAgreeWithOne) {
  const auto grader = make_grader(GraderSpec());
  ASSERT_TRUE(grader.has_value());
  const auto grade_all = [&] {
    std::string verdicts;
    for (int i = 0; i < 200; ++i) {
      GradeRequest request;
      const std::string text = "\\boxed{\\frac{" + std::to_string(i) + "}{2}+\\sqrt{8}}";
      request.text = text;
      request.target = "2\\sqrt2+25";
      const Verdict verdict = grader.value()->grade(request);
      verdicts += std::string(outcome_name(verdict.outcome)) + verdict.evidence + verdict.pred_form;
    }
    return verdicts;
  };
  const std::string expected = grade_all();
  std::vector<std::string> got(8);
  std::vector<std::thread> threads;
  for (std::string& slot : got) {
    threads.emplace_back([&] { slot = grade_all(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const std::string& verdicts : got) {
    EXPECT_EQ(verdicts, expected);
  }
}

}  // namespace
}  // namespace r1eval
