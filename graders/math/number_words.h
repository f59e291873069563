// Numbers written in words.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "graders/math/rational.h"

namespace r1eval {

// A whole text that is one number in Chinese numerals ("一百零五").
std::optional<Rational> number_from_numerals(std::string_view text);

struct WordNumber {
  Rational value;
  std::size_t from = 0;  // bytes of the words in the text
  std::size_t to = 0;
};

// English number words at the start of a lower-case text: "minus forty-two", "one hundred and
// five", "two point five", "three quarters", "two and a half", "a dozen". Words after them do not
// matter; words that are no number ("one two") give nothing.
std::optional<WordNumber> leading_number_words(std::string_view text);
// The last such number anywhere in the text.
std::optional<WordNumber> last_number_words(std::string_view text);
// `text` with a leading number in words replaced by digits, or nothing.
std::optional<std::string> with_digits(std::string_view text);

}  // namespace r1eval
