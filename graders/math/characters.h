// One spelling for the characters of an answer: digits of other scripts, full-width forms, spaces,
// invisible marks, letters of mathematical alphabets, HTML entities, and LaTeX commands whose
// backslash and first letter a string escape turned into a control character ("\t" + "ext").
// Pure functions, linear in the text, safe from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace r1eval {

// Is there anything that fold_characters would look at? Plain ASCII answers are not copied.
bool needs_folding(std::string_view text);
std::string fold_characters(std::string_view text);

// Does `text` begin with a control character that was a command's backslash and first letter?
bool hides_command(std::string_view text);

// ASCII white space inside a line or at its end.
inline bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Without white space around it, but with one that was a command's first letter.
std::string_view trim(std::string_view text);

// The value of the decimal digit, of any script, at text[at], or -1; `width` is its bytes.
int digit_value(std::string_view text, std::size_t at, std::size_t& width);

// Lower case of ASCII, Latin-1, Greek and Cyrillic letters. The length in bytes does not change.
std::string lower_case(std::string_view text);

}  // namespace r1eval
