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
    const AnswerPart part = find_answer_part(text, false);
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

TEST(ExtractChoiceTest, ReadsItsOwnAnswerAgain) {
  for (const char* text : {"Answer: B", "\\boxed{D}", "Hence C.", "(A)"}) {
    const ChosenLetter once = extract_choice(text, ChoiceRules());
    ASSERT_FALSE(once.letters.empty()) << text;
    EXPECT_EQ(extract_choice(once.letters, ChoiceRules()).letters, once.letters) << text;
  }
}

}  // namespace
}  // namespace r1eval
