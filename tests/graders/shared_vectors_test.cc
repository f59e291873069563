// Agreement with outside vectors and answer keys; the floors are what holds today.
#include <gtest/gtest.h>

#include <algorithm>

#include "graders/extract/choice.h"
#include "graders/extract/thinking.h"
#include "graders/grader.h"
#include "graders/math/equality.h"
#include "tests/graders/cases.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

TEST(SharedVectorsTest, MathAnswersAgreeWithTheirLabels) {
  R1_REQUIRE_SHARED(path, "conformance/math_equiv.jsonl");
  long n = 0;
  long agreed = 0;
  long false_positives = 0;
  for (const Json& c : read_cases(path)) {
    if (string_or(c, "group") != "equiv" || string_or(c, "profile") != "default") {
      continue;
    }
    GraderSpec spec;
    spec.extraction = string_or(c, "mode") == "text" ? "auto" : "whole";
    if (const Json* config = find_member(c, "config")) {
      spec.decimals = static_cast<int>(int_or(*config, "decimals", 6));
    }
    const auto grader = make_grader(spec);
    ASSERT_TRUE(grader.has_value());
    const std::string gold = string_or(c, "gold");
    const std::string pred = string_or(c, "pred");
    GradeRequest request;
    request.text = pred;
    request.target = gold;
    const bool is_correct = grader.value()->grade(request).outcome == Outcome::kCorrect;
    const bool expected = bool_or(c, "expected", false);
    ++n;
    agreed += is_correct == expected ? 1 : 0;
    false_positives += is_correct && !expected ? 1 : 0;
  }
  report_cases("math_equiv (equiv, default)", n);
  EXPECT_GE(static_cast<double>(agreed), 0.965 * static_cast<double>(n));
  EXPECT_LE(false_positives, 1);
}

TEST(SharedVectorsTest, ChosenLettersAgree) {
  R1_REQUIRE_SHARED(path, "conformance/choice_extract.jsonl");
  long n = 0;
  long agreed = 0;
  long invented = 0;
  for (const Json& c : read_cases(path)) {
    const std::string text = string_or(c, "text");
    const std::string options = string_or(c, "options");
    std::vector<std::string> choices;
    if (const Json* list = find_member(c, "choices")) {
      choices = list->get<std::vector<std::string>>();
    }
    const std::string profile = string_or(c, "profile", "default");
    const AnswerPart part = find_answer_part(text, profile == "salvage-unfinished");
    ChoiceRules rules;
    rules.options = options;
    rules.option_texts = choices;
    rules.is_multi = bool_or(c, "multi", false);
    rules.is_case_sensitive = profile == "case-sensitive";
    const std::string got =
        extract_choice(std::string_view(text).substr(part.from, part.to - part.from), rules)
            .letters;
    const Json* refused = find_member(c, "expected_not");
    const bool ok =
        refused != nullptr ? got != string_or(c, "expected_not") : got == string_or(c, "expected");
    ++n;
    agreed += ok ? 1 : 0;
    invented += refused == nullptr && string_or(c, "expected").empty() && !got.empty() ? 1 : 0;
  }
  report_cases("choice_extract", n);
  EXPECT_GE(static_cast<double>(agreed), 0.98 * static_cast<double>(n));
  EXPECT_EQ(invented, 0);
}

// Every answer of a key is readable, equals itself however it is written, and equals no other.
void check_answer_key(const std::string& path, const std::string& name) {
  std::vector<std::string> answers;
  for (const Json& c : read_cases(path)) {
    const Json* answer = find_member(c, "answer");
    ASSERT_NE(answer, nullptr);
    answers.push_back(answer->is_string() ? answer->get<std::string>() : answer->dump());
  }
  const auto grader = make_grader(GraderSpec());
  ASSERT_TRUE(grader.has_value());
  for (const std::string& gold : answers) {
    GradeRequest request;
    request.target = gold;
    const Status readable = grader.value()->check_target(request);
    EXPECT_TRUE(readable.has_value()) << gold;
    for (const std::string& text :
         {"\\boxed{" + gold + "}", "The final answer is $" + gold + "$."}) {
      request.text = text;
      const Verdict verdict = grader.value()->grade(request);
      EXPECT_EQ(verdict.outcome, Outcome::kCorrect)
          << text << ": " << verdict.answer << ": " << verdict.evidence;
    }
  }
  std::sort(answers.begin(), answers.end());
  answers.erase(std::unique(answers.begin(), answers.end()), answers.end());
  long false_matches = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    for (std::size_t j = i + 1; j < answers.size(); ++j) {
      const Outcome there = compare_math(answers[i], answers[j], MathRules()).outcome;
      // Other spellings of one value are in the keys: they must agree in both directions.
      if (there == Outcome::kCorrect) {
        ++false_matches;

        std::printf("[extra] %s: %s = %s\n", name.c_str(), answers[i].c_str(), answers[j].c_str());
      }
    }
  }
  EXPECT_LE(false_matches, static_cast<long>(answers.size()) / 20);
  report_cases(name, static_cast<long>(answers.size()));
}

TEST(SharedVectorsTest, Math500AnswersEqualThemselvesOnly) {
  R1_REQUIRE_SHARED(path, "data/math500/test.jsonl");
  check_answer_key(path, "math500 answers");
}

TEST(SharedVectorsTest, Aime2024AnswersEqualThemselvesOnly) {
  R1_REQUIRE_SHARED(path, "data/aime/aime2024.jsonl");
  check_answer_key(path, "aime2024 answers");
}

TEST(SharedVectorsTest, Aime2025AnswersEqualThemselvesOnly) {
  R1_REQUIRE_SHARED(path, "data/aime/aime2025.jsonl");
  check_answer_key(path, "aime2025 answers");
}

}  // namespace
}  // namespace r1eval
