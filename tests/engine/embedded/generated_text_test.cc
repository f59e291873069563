#include "engine/generated_text.h"

#include <gtest/gtest.h>

namespace r1eval {
namespace {

// Adds the text in pieces of `size` bytes, as tokens would; true when a stop string was met.
bool add_in_pieces(GeneratedText& text, std::string_view bytes, std::size_t size) {
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    if (text.add(bytes.substr(at, size))) {
      return true;
    }
  }
  return false;
}

TEST(GeneratedTextTest, FindsStopStringsAcrossAnyBordersOfTokens) {
  for (std::size_t size = 1; size <= 12; ++size) {
    GeneratedText text({"\n\nQ:", "€nd"}, {});
    EXPECT_TRUE(add_in_pieces(text, "A: 4\n\nQ: more", size)) << size;
    EXPECT_EQ(text.whole_text(), "A: 4") << size;
    GeneratedText other({"\n\nQ:", "€nd"}, {});
    EXPECT_TRUE(add_in_pieces(other, "the €€nd\n\nQ:", size)) << size;
    EXPECT_EQ(other.whole_text(), "the €") << size;
  }
}

TEST(GeneratedTextTest, TheEarliestStopStringEndsTheText) {
  GeneratedText text({"cd", "bcde", ""}, {});
  EXPECT_TRUE(text.add("abcdef"));
  EXPECT_EQ(text.whole_text(), "a");
}

TEST(GeneratedTextTest, HoldsBackACharacterThatIsNotWhole) {
  GeneratedText text({}, {});
  text.add("caf\xC3");
  EXPECT_EQ(text.whole_text(), "caf");
  text.add("\xA9");
  EXPECT_EQ(text.whole_text(), "café");
}

TEST(GeneratedTextTest, OnlyWhatCanBecomeACharacterIsIncomplete) {
  EXPECT_EQ(incomplete_utf8(""), 0U);
  EXPECT_EQ(incomplete_utf8("a"), 0U);
  EXPECT_EQ(incomplete_utf8("\xE2"), 1U);
  EXPECT_EQ(incomplete_utf8("\xE2\x82"), 2U);
  EXPECT_EQ(incomplete_utf8("\xE2\x82\xAC"), 0U);
  EXPECT_EQ(incomplete_utf8("\xF0\x9F\x98"), 3U);
  EXPECT_EQ(incomplete_utf8("\xF0\x80"), 0U);  // overlong: never a character
  EXPECT_EQ(incomplete_utf8("\xED\xA0"), 0U);  // a surrogate
  EXPECT_EQ(incomplete_utf8("\xF4\x90"), 0U);  // beyond U+10FFFF
  EXPECT_EQ(incomplete_utf8("\x80\x80\x80\x80"), 0U);
  EXPECT_EQ(incomplete_utf8("\xC1"), 0U);
  EXPECT_EQ(incomplete_utf8("\xFF"), 0U);
}

TEST(GeneratedTextTest, CountsTokensInsideTheThinkTagsOnly) {
  ThinkRules rules;
  rules.budget = 3;
  GeneratedText text({}, rules);
  text.add("plain ");
  text.add("<thi");
  text.add("nk>");
  EXPECT_TRUE(text.is_thinking());
  text.add("one ");
  text.add("two ");
  EXPECT_FALSE(text.is_over_budget());
  text.add("three");
  EXPECT_TRUE(text.is_over_budget());
  text.add("</think>");
  EXPECT_FALSE(text.is_thinking());
  EXPECT_FALSE(text.is_over_budget());
  text.add("<think>");  // prose by now
  EXPECT_FALSE(text.is_thinking());
}

TEST(GeneratedTextTest, ThinkingMayHaveBeenOpenedByThePrompt) {
  ThinkRules rules;
  rules.budget = 2;
  rules.starts_open = true;
  GeneratedText text({}, rules);
  text.add("a");
  text.add("b</think> done");
  EXPECT_FALSE(text.is_over_budget());
}

}  // namespace
}  // namespace r1eval
