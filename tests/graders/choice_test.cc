#include "graders/extract/choice.h"

#include <gtest/gtest.h>

#include "graders/extract/thinking.h"
#include "tests/graders/cases.h"

namespace r1eval {
namespace {

TEST(ExtractChoiceTest, ReadsEveryCase) {
  for (const Json& c : read_cases(R1EVAL_TEST_DATA "/choice_cases.jsonl")) {
    const std::string text = string_or(c, "text");
    const std::string options = string_or(c, "options");
    std::vector<std::string> choices;
    if (const Json* list = find_member(c, "choices")) {
      choices = list->get<std::vector<std::string>>();
    }
    ChoiceRules rules;
    rules.options = options;
    rules.option_texts = choices;
    rules.is_multi = bool_or(c, "multi", false);
    const std::string profile = string_or(c, "profile");
    rules.is_case_sensitive = profile == "case-sensitive";
    const AnswerPart part = find_answer_part(text, profile == "salvage-unfinished");
    const ChosenLetter chosen =
        extract_choice(std::string_view(text).substr(part.from, part.to - part.from), rules);
    EXPECT_EQ(chosen.letters, string_or(c, "expected")) << string_or(c, "why") << ": " << text;
  }
}

TEST(ExtractChoiceTest, PointsAtTheLetterInTheText) {
  const std::string text = "正确答案：（Ｃ）";
  const ChosenLetter chosen = extract_choice(text, ChoiceRules());
  ASSERT_EQ(chosen.letters, "C");
  EXPECT_EQ(text.substr(static_cast<std::size_t>(chosen.from),
                        static_cast<std::size_t>(chosen.to - chosen.from)),
            "Ｃ");
}

// Decoration never changes what was chosen.
TEST(ExtractChoiceTest, ReadsALetterHoweverItIsWrapped) {
  for (const std::string before :
       {"Answer: ", "The answer is ", "Antwort: ", "答案：", "\\boxed{"}) {
    for (const std::string letter : {"C", "(C)", "[C]", "**C**", "`C`", "\"C\"", "$C$", "\\text{C}",
                                     "**(C)**", "Ｃ", "𝐂", "Ⓒ"}) {
      const std::string text = before + letter + (before == "\\boxed{" ? "}" : "");
      EXPECT_EQ(extract_choice(text, ChoiceRules()).letters, "C") << text;
    }
  }
}

// Time is linear: each repeated piece is large enough for a quadratic reader to hang.
TEST(ExtractChoiceTest, ReadsHostileRepetition) {
  for (const std::string piece :
       {"A", "A ", "A, ", "(((A", "A)))", "the answer is ", "\\boxed{A}", "| A ", "A\n", "A) x\n",
        "not ", "- ", "is correct ", "答案是", "\xFF", "<", "'"}) {
    std::string text;
    while (text.size() < (1U << 17U)) {
      text += piece;
    }
    for (const bool is_multi : {false, true}) {
      ChoiceRules rules;
      rules.is_multi = is_multi;
      const std::string letters = extract_choice(text, rules).letters;
      EXPECT_TRUE(letters.empty() || letters == "A") << piece;
    }
  }
}

TEST(ExtractChoiceTest, ReadsItsOwnAnswerAgain) {
  for (const char* text : {"Answer: B", "\\boxed{D}", "Hence C.", "(A)"}) {
    const ChosenLetter once = extract_choice(text, ChoiceRules());
    ASSERT_FALSE(once.letters.empty()) << text;
    EXPECT_EQ(extract_choice(once.letters, ChoiceRules()).letters, once.letters) << text;
  }
}

}  // namespace
}  // namespace r1eval
