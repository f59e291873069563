// The names under which functions are written ("arcsin", "asin", "\operatorname{tg}") and the one
// name that the rest of the grader knows each function by.
#pragma once

#include <string_view>

namespace r1eval {

// The grader's name of a function, or nothing where the word names no function.
std::string_view function_named(std::string_view word);
// The inverse of a function, for f^{-1}; nothing where that notation is not usual.
std::string_view inverse_function(std::string_view name);
// Is this word a function's name in plain text too, without a backslash? ("th" is not.)
bool is_plain_function(std::string_view word);

}  // namespace r1eval
