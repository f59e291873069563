// Pairs of random answers that are equal by true identities or differ in one leaf, judged by the
// grader: no verdict may be wrong, and hardly any may stay open.
//
// R1EVAL_GENERATED_PAIRS and R1EVAL_GENERATED_SEED set another number and another beginning.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "graders/grader.h"
#include "graders/math/equality.h"
#include "tests/graders/generated/term.h"

namespace r1eval {
namespace {

long from_environment(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtol(text, nullptr, 10);
}

bool is_open(const MathComparison& c) {
  return c.outcome != Outcome::kCorrect &&
         (c.evidence.starts_with("undecided") || c.evidence.find("budget") != std::string::npos);
}

TEST(GeneratedTest, NoVerdictIsWrongAndFewStayOpen) {
  const long n = from_environment("R1EVAL_GENERATED_PAIRS", 2000);
  const auto seed = static_cast<std::uint64_t>(from_environment("R1EVAL_GENERATED_SEED", 20260101));
  generated::Random random(seed);
  int defects = 0;
  long wrong = 0;
  long open = 0;
  std::map<std::string, std::array<long, 3>> by_kind;  // pairs, wrong, open
  for (long k = 0; k < n;) {
    const auto pair = generated::make_pair_of_answers(random, defects);
    if (!pair) {
      continue;
    }
    ++k;
    const MathComparison c = compare_math(pair->gold, pair->pred, MathRules());
    const bool is_correct = c.outcome == Outcome::kCorrect;
    auto& counts = by_kind[pair->kind];
    ++counts[0];
    if (is_open(c)) {
      ++open;
      ++counts[2];
      if (open <= 2000) {
        std::printf("open: %s, %s: %s  ||  %s: %s\n", pair->kind.c_str(),
                    pair->is_equal ? "equal" : "different", pair->gold.c_str(), pair->pred.c_str(),
                    c.evidence.c_str());
      }
    } else if (is_correct != pair->is_equal) {
      ++wrong;
      ++counts[1];
      if (wrong <= 2000) {
        std::printf("wrong: %s, %s: %s  ||  %s: %s\n", pair->kind.c_str(),
                    pair->is_equal ? "equal" : "different", pair->gold.c_str(), pair->pred.c_str(),
                    c.evidence.c_str());
      }
    }
  }
  for (const auto& [kind, counts] : by_kind) {
    std::printf("%-12s %7ld pairs, %ld wrong, %ld open\n", kind.c_str(), counts[0], counts[1],
                counts[2]);
  }
  EXPECT_EQ(defects, 0) << "an identity of the generator is not true";
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(open * 1000, n);
}

}  // namespace
}  // namespace r1eval
