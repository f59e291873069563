#include <gtest/gtest.h>
#include <r1eval/grade.h>

#include <string>
#include <thread>
#include <vector>

namespace {

int outcome_of(r1eval_grader* grader, const std::string& gold, const std::string& text) {
  r1eval_verdict verdict;
  EXPECT_EQ(r1eval_grade(grader, gold.data(), gold.size(), text.data(), text.size(), &verdict), 0);
  return verdict.outcome;
}

TEST(CApiTest, GradesWithEvidenceAndSpan) {
  r1eval_grader* grader = r1eval_grader_new("math", nullptr, 0);
  const std::string text = "so \\boxed{2/8}";
  r1eval_verdict verdict;
  ASSERT_EQ(r1eval_grade(grader, "0.25", 4, text.data(), text.size(), &verdict), 0);
  EXPECT_EQ(verdict.outcome, R1EVAL_CORRECT);
  EXPECT_STREQ(verdict.answer, "2/8");
  EXPECT_EQ(text.substr(static_cast<std::size_t>(verdict.span_from),
                        static_cast<std::size_t>(verdict.span_to - verdict.span_from)),
            "2/8");
  EXPECT_EQ(outcome_of(grader, "7", "<think>7"), R1EVAL_NO_ANSWER);
  EXPECT_EQ(outcome_of(grader, "", "7"), R1EVAL_UNSCORED);
  r1eval_grader_free(grader);
}

TEST(CApiTest, SaysWhatIsWrongWithAName) {
  r1eval_grader* grader = r1eval_grader_new("maths", "", 0);
  ASSERT_NE(grader, nullptr);
  EXPECT_NE(std::string(r1eval_grader_error(grader)).find("maths"), std::string::npos);
  r1eval_verdict verdict;
  EXPECT_EQ(r1eval_grade(grader, "1", 1, "1", 1, &verdict), -1);
  r1eval_grader_free(grader);
}

TEST(CApiTest, OptionsBoundTheLetters) {
  r1eval_grader* grader = r1eval_grader_new("choice", "", 0);
  EXPECT_EQ(outcome_of(grader, "E", "Answer: E"), R1EVAL_UNSCORED);
  EXPECT_EQ(r1eval_grader_set_options(grader, 1), -1);
  EXPECT_EQ(r1eval_grader_set_options(grader, 5), 0);
  EXPECT_EQ(outcome_of(grader, "E", "Answer: E"), R1EVAL_CORRECT);
  r1eval_grader_free(grader);
}

TEST(CApiTest, HandlesOnManyThreadsAgree) {
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&wrong, t] {
      r1eval_grader* grader = r1eval_grader_new("math", "", 1);
      for (int i = 1; i < 100; ++i) {
        const std::string gold = "\\cos\\frac{\\pi}{5} + " + std::to_string(i);
        const std::string pred = "\\frac{1+\\sqrt5}{4} + " + std::to_string(i);
        wrong[t] += outcome_of(grader, gold, pred) != R1EVAL_CORRECT;
        wrong[t] += outcome_of(grader, gold, pred + "1") != R1EVAL_INCORRECT;
      }
      r1eval_grader_free(grader);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
