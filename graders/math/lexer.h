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
};

// Errors: kResourceExhausted past the limits of graders/bounds.h, kParse for bytes that are
// neither.
Result<std::vector<Token>> lex_math(std::string_view text);

}  // namespace r1eval
