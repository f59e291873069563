#include "graders/extract/thinking.h"

#include <gtest/gtest.h>

#include "tests/graders/cases.h"

namespace r1eval {
namespace {

TEST(SplitThinkingTest, FollowsTheRulesOfEveryCase) {
  for (const Json& c : read_cases(R1EVAL_TEST_DATA "/thinking_cases.jsonl")) {
    const std::string content = string_or(c, "content");
    const std::string reasoning = string_or(c, "reasoning");
    ThinkTags tags;
    tags.open = string_or(c, "open", tags.open);
    tags.close = string_or(c, "close", tags.close);
    ThinkingInput input;
    input.content = content;
    input.reasoning = reasoning;
    input.has_reasoning_field = find_member(c, "reasoning") != nullptr;
    input.prompt_opens_thinking = bool_or(c, "prompt_opens", false);
    const SplitThinking split = split_thinking(input, tags);
    SCOPED_TRACE(string_or(c, "why"));
    EXPECT_EQ(split.thinking, string_or(c, "thinking"));
    EXPECT_EQ(split.answer, string_or(c, "answer"));
    EXPECT_EQ(split.has_thinking, bool_or(c, "has_thinking", false));
    EXPECT_EQ(split.closed, bool_or(c, "closed", false));
    EXPECT_EQ(split.stray_tags, bool_or(c, "stray", false));
  }
}

TEST(SplitThinkingTest, LosesNoByteOfAPlainBlock) {
  ThinkingInput input;
  input.content = "<think>\n a \n</think>\n b";
  const SplitThinking split = split_thinking(input, ThinkTags());
  EXPECT_EQ("<think>" + split.thinking + "</think>" + split.answer, input.content);
}

TEST(AnswerPartTest, StopsAtTheEndOfTheTurn) {
  const std::string text = "Answer: 4<|im_end|>Answer: 5";
  const AnswerPart part = find_answer_part(text, false);
  EXPECT_EQ(text.substr(part.from, part.to - part.from), "Answer: 4");
}

TEST(AnswerPartTest, SalvagesUnfinishedThinkingOnlyWhenAsked) {
  const std::string text = "<think>it is 4";
  const AnswerPart strict = find_answer_part(text, false);
  EXPECT_TRUE(strict.is_unfinished);
  EXPECT_EQ(strict.from, strict.to);
  EXPECT_EQ(find_answer_part(text, true).to, text.size());
}

TEST(AnswerPartTest, TakesATextThatNothingClosesForThinkingWhereThePromptOpenedIt) {
  const std::string open = "it is 4";
  const AnswerPart part = find_answer_part(open, false, true);
  EXPECT_TRUE(part.is_unfinished);
  EXPECT_EQ(part.from, part.to);
  EXPECT_EQ(find_answer_part(open, true, true).to, open.size());
  const std::string closed = "it is 4</think>5";
  const AnswerPart answer = find_answer_part(closed, false, true);
  EXPECT_EQ(closed.substr(answer.from, answer.to - answer.from), "5");
}

}  // namespace
}  // namespace r1eval
