// LaTeX and plain text to one stream of tokens: styling dropped, Unicode mapped, digit groups
// joined. Single pass; nothing is rewritten in the text, so no rule can spoil another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace r1eval {

enum class TokenKind : std::uint8_t { kNumber, kLetter, kCommand, kWord, kText, kOperator };

struct Token {
  TokenKind kind;
  std::string text;
  bool space_before = false;
  bool is_grouped = false;  // a number written in groups of digits
};

// Errors: kResourceExhausted past the limits of graders/bounds.h, kParse for bytes that are
// neither. `has_plain_units` reads "12 m" and "12 kJ" as values with units, not as products; a
// token's text never points into `text`.
Result<std::vector<Token>> lex_math(std::string_view text, bool has_plain_units = false);

}  // namespace r1eval
