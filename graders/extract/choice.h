// Reads the letter that a completion chose among lettered options.
//
// The last clear statement wins (docs/grading.md has the rules in order); no statement, no letter:
// the first capital, the article "A" and the pronoun "I" are never taken for an answer.
// Pure function, linear in the text, safe from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace r1eval {

struct ChoiceRules {
  std::string_view options = "ABCD";          // valid letters, at most 26
  std::span<const std::string> option_texts;  // in the letters' order; may be empty
  bool is_multi = false;                      // several letters may be right together
  bool is_case_sensitive = false;             // lower-case letters are no answer
};

struct ChosenLetter {
  std::string letters;  // empty: no answer; sorted where several
  std::int64_t from = -1;
  std::int64_t to = -1;
  std::string_view
      rule;  // "marker", "boxed", "prose", "label", "line", "option_text", "single_letter"
};

// `text` is the answer part (thinking already taken off).
ChosenLetter extract_choice(std::string_view text, const ChoiceRules& rules);

}  // namespace r1eval
