// Tokens of one answer to its typed tree.
#pragma once

#include <string_view>

#include "base/result.h"
#include "graders/math/expression.h"

namespace r1eval {

// Errors: kParse naming what could not be read, kResourceExhausted past a limit (graders/bounds.h).
// `signs_end_arguments`: in "\cos a \cdot b" the sign ends the argument; without it the argument of
// a function without brackets reaches over it, and the tree says that there was one.
Result<Expression> parse_math(std::string_view text, bool has_plain_units = false,
                              bool signs_end_arguments = false);

// The text of an answer that is words: lower case, one space between words, no decoration.
std::string fold_words(std::string_view text);

}  // namespace r1eval
