// What may not change a verdict, and what must.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "graders/grader.h"
#include "graders/math/equality.h"
#include "tests/graders/cases.h"

namespace r1eval {
namespace {

struct Case {
  std::string gold;
  std::string pred;
  bool is_one_way = false;  // a gold reads otherwise than an answer
  bool is_text = false;     // pred is a completion, not an answer
  Outcome outcome = Outcome::kIncorrect;
};

const Grader& grader_of(const std::string& extraction) {
  static const auto make = [](const std::string& rule) {
    GraderSpec spec;
    spec.extraction = rule;
    return make_grader(spec).value();
  };
  static const std::unique_ptr<Grader> whole = make("whole");
  static const std::unique_ptr<Grader> automatic = make("auto");
  return extraction == "whole" ? *whole : *automatic;
}

Verdict grade(const std::string& gold, const std::string& text, const std::string& extraction) {
  GradeRequest request;
  request.target = gold;
  request.text = text;
  return grader_of(extraction).grade(request);
}

// The answers of the repository's own cases, with the verdict that the grader gives them.
const std::vector<Case>& cases() {
  static const std::vector<Case> list = [] {
    std::vector<Case> out;
    for (const Json& c : read_cases(std::string(R1EVAL_TEST_DATA) + "/math_cases.jsonl")) {
      if (!string_or(c, "profile").empty() || find_member(c, "decimals") != nullptr) {
        continue;
      }
      Case one;
      one.gold = string_or(c, "gold");
      one.pred = string_or(c, "pred");
      one.is_text = string_or(c, "mode") == "text";
      one.is_one_way = find_member(c, "one_way") != nullptr;
      one.outcome = grade(one.gold, one.pred, one.is_text ? "auto" : "whole").outcome;
      out.push_back(std::move(one));
    }
    return out;
  }();
  return list;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

TEST(MetamorphicTest, EveryReadableAnswerEqualsItself) {
  for (const Case& c : cases()) {
    if (c.outcome == Outcome::kCorrect && !c.is_text) {
      EXPECT_EQ(compare_math(c.pred, c.pred, MathRules()).outcome, Outcome::kCorrect) << c.pred;
      EXPECT_EQ(compare_math(c.gold, c.gold, MathRules()).outcome, Outcome::kCorrect) << c.gold;
    }
  }
}

TEST(MetamorphicTest, WrappingAnAnswerChangesNoVerdict) {
  for (const Case& c : cases()) {
    if (c.is_text || holds(c.pred, "$") || holds(c.pred, "boxed") || holds(c.pred, "\\(") ||
        holds(c.pred, "\\[")) {
      continue;
    }
    for (const std::string& text :
         {"$" + c.pred + "$", "  " + c.pred + "\n", "\\boxed{" + c.pred + "}",
          "$\\boxed{" + c.pred + "}$", "\\(" + c.pred + "\\)"}) {
      EXPECT_EQ(grade(c.gold, text, "whole").outcome, c.outcome) << c.gold << "  ||  " << text;
    }
  }
}

TEST(MetamorphicTest, StylingChangesNoVerdict) {
  for (const Case& c : cases()) {
    if (c.is_text || holds(c.pred, "\\left") || holds(c.pred, "\\right")) {
      continue;
    }
    for (const std::string& text :
         {replaced(c.pred, "\\frac", "\\dfrac"), replaced(c.pred, "\\frac", "\\tfrac"),
          replaced(replaced(c.pred, "(", "\\left("), ")", "\\right)"),
          "\\displaystyle " + c.pred}) {
      if (holds(c.pred, "\\(") || holds(c.pred, "\\dfrac") || holds(c.pred, "text")) {
        continue;
      }
      EXPECT_EQ(grade(c.gold, text, "whole").outcome, c.outcome) << c.gold << "  ||  " << text;
    }
  }
}

TEST(MetamorphicTest, ThinkingWithWrongBoxesChangesNoVerdict) {
  for (const Case& c : cases()) {
    if (holds(c.pred, "think") || holds(c.pred, "THINK") || holds(c.pred, "thought")) {
      continue;
    }
    const std::string answer = c.is_text ? c.pred : "\\boxed{" + c.pred + "}";
    const Outcome plain = grade(c.gold, answer, "auto").outcome;
    for (const std::string before :
         {"<think>\nSo it is \\boxed{987654}. The final answer is 987654.\n</think>\n",
          "Maybe \\boxed{987654}?\n</think>\n\n"}) {
      EXPECT_EQ(grade(c.gold, before + answer, "auto").outcome, plain)
          << c.gold << " || " << answer;
    }
  }
}

TEST(MetamorphicTest, ValuesAreSymmetric) {
  for (const Case& c : cases()) {
    const MathComparison there = compare_math(c.gold, c.pred, MathRules());
    if (c.is_text || c.is_one_way || there.rung != "value") {
      continue;
    }
    const MathComparison back = compare_math(c.pred, c.gold, MathRules());
    if (back.rung == "value") {
      EXPECT_EQ(there.outcome, back.outcome) << c.gold << "  ||  " << c.pred;
    }
  }
}

TEST(MetamorphicTest, OneMoreIsAnotherValue) {
  for (const Case& c : cases()) {
    const MathComparison there = compare_math(c.gold, c.pred, MathRules());
    if (c.is_text || there.rung != "value" || there.outcome != Outcome::kCorrect ||
        holds(c.pred, "=") || holds(c.pred, "text") || holds(c.pred, ",")) {
      continue;
    }
    EXPECT_NE(compare_math(c.gold, "(" + c.pred + ")+1", MathRules()).outcome, Outcome::kCorrect)
        << c.gold << "  ||  " << c.pred;
    EXPECT_NE(compare_math("(" + c.gold + ")+1", c.pred, MathRules()).outcome, Outcome::kCorrect)
        << c.gold << "  ||  " << c.pred;
  }
}

// --- threads

std::string written(const Verdict& v) {
  return std::string(outcome_name(v.outcome)) + "\n" + v.answer + "\n" + v.pred_form + "\n" +
         v.gold_form + "\n" + v.rule + "\n" + v.evidence + "\n" + std::to_string(v.span_from) +
         ":" + std::to_string(v.span_to);
}

TEST(ThreadsTest, EightThreadsGiveTheVerdictsOfOne) {
  // Every gold against the answers near it: right ones, wrong ones, other kinds.
  std::vector<std::pair<std::string, std::string>> pairs;
  for (std::size_t k = 0; k < cases().size(); ++k) {
    for (std::size_t j = k; j < std::min(cases().size(), k + 5); ++j) {
      pairs.emplace_back(cases()[k].gold, cases()[j].pred);
    }
  }
  std::vector<std::string> alone(pairs.size());
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    alone[k] = written(grade(pairs[k].first, pairs[k].second, "whole"));
  }
  std::vector<std::string> together(pairs.size());
  std::atomic<std::size_t> next = 0;  // each thread takes the next pair; its slot is its own
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (std::size_t k = next++; k < pairs.size(); k = next++) {
        together[k] = written(grade(pairs[k].first, pairs[k].second, "whole"));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (std::size_t k = 0; k < pairs.size(); ++k) {
    ASSERT_EQ(alone[k], together[k]) << pairs[k].first << "  ||  " << pairs[k].second;
  }
}

}  // namespace
}  // namespace r1eval
