#include <gtest/gtest.h>

#include "graders/bounds.h"
#include "graders/extract/math_answer.h"
#include "graders/grader.h"
#include "graders/math/equality.h"
#include "tests/graders/cases.h"

namespace r1eval {
namespace {

Verdict grade(const std::string& gold, const std::string& pred, const std::string& mode,
              const std::string& profile = "default") {
  GraderSpec spec;
  spec.profile = profile;
  spec.extraction = mode == "text" ? "auto" : "whole";
  auto grader = make_grader(spec);
  EXPECT_TRUE(grader.has_value());
  GradeRequest request;
  request.text = pred;
  request.target = gold;
  return (*grader)->grade(request);
}

Outcome compare(const std::string& gold, const std::string& pred) {
  return compare_math(gold, pred, MathRules()).outcome;
}

TEST(MathGraderTest, GivesTheVerdictOfEveryCase) {
  for (const Json& c : read_cases(R1EVAL_TEST_DATA "/math_cases.jsonl")) {
    const Verdict verdict = grade(string_or(c, "gold"), string_or(c, "pred"), string_or(c, "mode"),
                                  string_or(c, "profile", "default"));
    EXPECT_EQ(outcome_name(verdict.outcome), string_or(c, "verdict"))
        << string_or(c, "why") << ": " << c.dump() << "\n  " << verdict.rule << ": "
        << verdict.evidence;
  }
}

// Pairs of many kinds, labelled by what is true before the grader saw them.
TEST(MathGraderTest, AgreesWithLabelsWrittenBeforeItSawThem) {
  for (const Json& c : read_cases(R1EVAL_TEST_DATA "/math_unseen_cases.jsonl")) {
    const Verdict verdict = grade(string_or(c, "gold"), string_or(c, "pred"), string_or(c, "mode"));
    EXPECT_EQ(verdict.outcome == Outcome::kCorrect, bool_or(c, "equal", false))
        << c.dump() << "\n  " << verdict.rule << ": " << verdict.evidence;
  }
}

TEST(MathGraderTest, EqualityOfValuesHasNoDirection) {
  for (const Json& c : read_cases(R1EVAL_TEST_DATA "/math_cases.jsonl")) {
    const std::string gold = string_or(c, "gold");
    const std::string pred = string_or(c, "pred");
    const bool one_sided = (gold + pred).find_first_of("=<>{,") != std::string::npos ||
                           (gold + pred).find("\\le") != std::string::npos ||
                           string_or(c, "verdict") == "unscored" || c.contains("one_way") ||
                           c.contains("profile") || pred.find("import") != std::string::npos;
    if (string_or(c, "mode") == "answer" && !one_sided) {
      EXPECT_EQ(compare(gold, pred), compare(pred, gold)) << c.dump();
    }
  }
}

TEST(MathGraderTest, EveryReadableGoldIsItself) {
  for (const Json& c : read_cases(R1EVAL_TEST_DATA "/math_cases.jsonl")) {
    const std::string gold = string_or(c, "gold");
    EXPECT_EQ(compare(gold, gold), Outcome::kCorrect) << gold;
    EXPECT_EQ(compare(gold, " $\\left. " + gold + " \\right.$ "), Outcome::kCorrect) << gold;
  }
}

TEST(MathGraderTest, AddingOneMakesAValueWrong) {
  for (const char* gold : {"7", "\\frac{2}{9}", "\\sqrt{7}", "3\\pi", "x^2-1", "2^{n}", "5-2i"}) {
    EXPECT_EQ(compare(gold, std::string(gold) + "+1"), Outcome::kIncorrect) << gold;
  }
}

TEST(MathGraderTest, SpanPointsIntoTheGradedText) {
  const std::string text = "<think>no</think> Therefore \\boxed{42}, as was asked.";
  const Verdict verdict = grade("42", text, "text");
  ASSERT_EQ(verdict.outcome, Outcome::kCorrect);
  EXPECT_EQ(text.substr(static_cast<std::size_t>(verdict.span_from),
                        static_cast<std::size_t>(verdict.span_to - verdict.span_from)),
            "42");
}

TEST(MathGraderTest, UnreadableGoldIsRefusedWithTheReason) {
  auto grader = make_grader(GraderSpec());
  ASSERT_TRUE(grader.has_value());
  GradeRequest request;
  request.target = "\\oint_C F(x)\\,dx";
  const Status status = (*grader)->check_target(request);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(status.error().message.find("oint"), std::string::npos) << status.error().message;
}

TEST(MathGraderTest, HostileTextEndsInAVerdict) {
  const auto repeat = [](const std::string& part, std::size_t bytes) {
    std::string text;
    text.reserve(bytes + part.size());
    while (text.size() < bytes) {
      text += part;
    }
    return text;
  };
  const std::size_t full = 1 << 20;
  const std::vector<std::string> texts = {
      repeat("{", static_cast<std::size_t>(bounds::kMaxScannedBytes) + 5),
      repeat("{", full),
      repeat("\\boxed{", full),
      "\\boxed{" + repeat("{", full) + "1" + repeat("}", full) + "}",
      repeat("$", full),
      repeat("\\frac{1}{", 1 << 20),
      repeat("answer is ", full),
      repeat("<think>", full),
      repeat("((", 8000),
      repeat("|", 8000),
      repeat("-", 8000),
      repeat("2^", 8000) + "2",
      repeat("1+", 8000) + "1",
      repeat("x*", 8000) + "x",
      repeat("\\sqrt{1+", 900) + "2" + repeat("}", 112),
      repeat("9", 10000),
      repeat("9", 200000),
      repeat("\\pm 1", 4000),
      repeat("x_", 8000),
      repeat("\xff\xc0\x80", 9000),
      "2^{2^{2^{2^{2^{2}}}}}",
      "999999!",
      "((10^{4000})!)!",
      "\\binom{1000000}{500000}",
      "(x+y+z+w+1)^{99999999999999999999}",
      "1e999999999999",
      std::string("1\0 2", 4),
  };
  for (const std::string& text : texts) {
    for (const char* mode : {"answer", "text"}) {
      const Verdict verdict = grade("1", text, mode);
      EXPECT_NE(verdict.outcome, Outcome::kCorrect) << text.substr(0, 40);
      EXPECT_NE(verdict.outcome, Outcome::kUnscored) << text.substr(0, 40);
    }
    static_cast<void>(grade(text.substr(0, 20000), "1", "answer"));  // as a gold: any verdict
  }
}

TEST(FindMathAnswerTest, FindsAgainWhatItFound) {
  const auto level = [](std::string_view text) { return static_cast<int>(how_readable(text)); };
  for (const char* text : {"so \\boxed{\\frac12}", "The answer is 12.", "#### 18", "thus $x+1$."}) {
    const FoundAnswer once = find_math_answer(text, level);
    ASSERT_TRUE(once.found) << text;
    const FoundAnswer again = find_math_answer("\\boxed{" + once.text + "}", level);
    EXPECT_EQ(again.text, once.text) << text;
  }
}

}  // namespace
}  // namespace r1eval
