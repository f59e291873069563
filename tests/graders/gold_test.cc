// The answer keys of real tasks: every gold answers itself in whatever dress, and no gold answers
// another of another value.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "graders/grader.h"
#include "graders/math/equality.h"
#include "tests/graders/cases.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

std::vector<std::string> golds_of(const std::string& path) {
  std::vector<std::string> golds;
  for (const Json& c : read_cases(path)) {
    for (const char* field : {"answer", "target"}) {
      if (const Json* gold = find_member(c, field)) {
        golds.push_back(gold->is_string() ? gold->get<std::string>() : gold->dump());
        break;
      }
    }
  }
  std::sort(golds.begin(), golds.end());
  golds.erase(std::unique(golds.begin(), golds.end()), golds.end());
  return golds;
}

Verdict grade(const Grader& grader, const std::string& gold, const std::string& text) {
  GradeRequest request;
  request.target = gold;
  request.text = text;
  return grader.grade(request);
}

bool is_integer(const std::string& gold) {
  const std::size_t from = gold.starts_with("-") ? 1 : 0;
  return gold.size() > from && gold.find_first_not_of("0123456789", from) == std::string::npos;
}

std::string grouped(std::string digits, const std::string& separator) {
  const std::size_t from = digits.starts_with("-") ? 1 : 0;
  for (std::size_t k = digits.size(); k > from + 3;) {
    k -= 3;
    digits.insert(k, separator);
  }
  return digits;
}

void check_renderings(const std::vector<std::string>& golds) {
  const auto grader = make_grader(GraderSpec());
  ASSERT_TRUE(grader.has_value());
  for (const std::string& gold : golds) {
    GradeRequest request;
    request.target = gold;
    EXPECT_TRUE(grader.value()->check_target(request).has_value()) << gold;
    EXPECT_EQ(compare_math(gold, gold, MathRules()).outcome, Outcome::kCorrect) << gold;
    std::vector<std::string> texts = {
        "\\boxed{" + gold + "}",
        "\\[ \\boxed{ " + gold + " } \\]",
        "Adding these, we get $\\boxed{" + gold + "}$.",
        "So we are done.\n\nThe final answer is $" + gold + "$.",
        "**Answer:** $" + gold + "$",
        "<think>\nMaybe \\boxed{987654}?\n</think>\n\nIt is $$\\boxed{" + gold + "}$$",
    };
    if (is_integer(gold)) {
      texts.push_back("\\boxed{x = " + gold + "}");
      texts.push_back("\\boxed{" + grouped(gold, ",") + "}");
      texts.push_back("\\boxed{" + grouped(gold, "{,}") + "}");
      texts.push_back("\\boxed{" + grouped(gold, "\\,") + "}");
      texts.push_back("\\boxed{" + gold + ".0}");
      texts.push_back("The answer is " + gold + ".");
      texts.push_back("#### " + gold);
    }
    for (const std::string& text : texts) {
      const Verdict verdict = grade(*grader.value(), gold, text);
      EXPECT_EQ(verdict.outcome, Outcome::kCorrect)
          << text << ": found '" << verdict.answer << "': " << verdict.evidence;
    }
  }
}

// A gold without what section 3 of the rules drops: degree signs, units, currency.
std::string bare(std::string gold) {
  for (const std::string part : {"^\\circ", "^{\\circ}", "\\$", "\\!", "\\,", "{,}", ",", " "}) {
    for (std::size_t at = 0; (at = gold.find(part)) != std::string::npos;) {
      gold.erase(at, part.size());
    }
  }
  return gold;
}

void check_cross_product(const std::vector<std::string>& golds) {
  for (const std::string& gold : golds) {
    for (const std::string& other : golds) {
      // Two integers differ as their digits do; any other pair of equal golds is equal both ways.
      const bool is_correct = compare_math(gold, other, MathRules()).outcome == Outcome::kCorrect;
      if (gold == other || !is_correct) {
        continue;
      }
      EXPECT_FALSE(is_integer(gold) && is_integer(other)) << gold << " = " << other;
      EXPECT_EQ(compare_math(other, gold, MathRules()).outcome, Outcome::kCorrect)
          << other << " does not answer " << gold << " in return";
      if (bare(gold) != bare(other)) {
        std::printf("[extra] equal golds: %s = %s\n", gold.c_str(), other.c_str());
      }
    }
  }
}

TEST(GoldTest, Math500AnswersInEveryDress) {
  R1_REQUIRE_SHARED(path, "data/math500/test.jsonl");
  const auto golds = golds_of(path);
  check_renderings(golds);
  check_cross_product(golds);
  report_cases("math500 golds", static_cast<long>(golds.size()));
}

TEST(GoldTest, AimeAnswersInEveryDress) {
  R1_REQUIRE_SHARED(path, "data/aime/aime2024.jsonl");
  std::vector<std::string> golds = golds_of(path);
  if (const std::string next = shared_path("data/aime/aime2025.jsonl"); !next.empty()) {
    const auto more = golds_of(next);
    golds.insert(golds.end(), more.begin(), more.end());
    std::sort(golds.begin(), golds.end());
    golds.erase(std::unique(golds.begin(), golds.end()), golds.end());
  }
  check_renderings(golds);
  check_cross_product(golds);
  report_cases("aime golds", static_cast<long>(golds.size()));
}

TEST(GoldTest, MiniMathAnswersInEveryDress) {
  const auto golds = golds_of(std::string(R1EVAL_SOURCE_DIR) + "/tasks/mini/mini_math.jsonl");
  ASSERT_FALSE(golds.empty());
  check_renderings(golds);
  check_cross_product(golds);
}

}  // namespace
}  // namespace r1eval
