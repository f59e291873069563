// Finds an option by its own text instead of its letter.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graders/extract/choice_tokens.h"

namespace r1eval {

struct OptionValue {
  char letter = '\0';
  std::size_t from = 0;  // in the folded text
  std::size_t to = 0;
  std::size_t last = 0;  // the last token of it
};

// Values are compared as words, then as mathematics (1/2 is 0.5); a value that equals two options
// names neither.
class OptionTexts {
 public:
  OptionTexts(std::string_view options, std::span<const std::string> texts);

  // The last value after a marker ("the answer is Paris") that is an option.
  std::optional<OptionValue> last_marked(const FoldedText& folded,
                                         const std::vector<ChoiceToken>& tokens) const;

  // Does `value` begin as the letter's text does, with nothing but an aside after it?
  bool begins(char letter, std::string_view value) const;

  // The last line, where it is one option's text and nothing else.
  std::optional<OptionValue> last_line(const FoldedText& folded) const;

 private:
  char find(std::string_view low, std::string_view text, bool may_go_on) const;
  char find_words(std::string_view value, bool may_go_on) const;
  char find_math(std::string_view value) const;

  std::string_view options_;
  std::span<const std::string> texts_;
  std::vector<std::string> words_;
};

}  // namespace r1eval
