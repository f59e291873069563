// Pieces of a completion that an answer can be: delimited mathematics, LaTeX without delimiters,
// numbers in prose. Byte offsets into the text; linear in it.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "graders/math/characters.h"  // is_space, trim

namespace r1eval {

struct Span {
  std::size_t from = 0;  // of the content
  std::size_t to = 0;
  std::size_t outer_from = 0;
  std::size_t outer_to = 0;
};

bool is_blank(std::string_view s);
// Without decoration around it: spaces, emphasis, quotes, colons, the sentence's end.
std::string_view strip_statement(std::string_view s);

// Delimited mathematics, $…$, $$…$$, \(…\), \[…\], one after the other. Dollar signs that are
// currency, or around prose, open nothing.
class MathSpans {
 public:
  // `is_strict`: inline mathematics does not run over a line's end.
  MathSpans(std::string_view text, std::size_t from, std::size_t to, bool is_strict = false)
      : text_(text), at_(from), to_(to), is_strict_(is_strict) {}

  bool next(Span& span);

 private:
  std::string_view text_;
  std::size_t at_;
  std::size_t to_;
  bool is_strict_;
  std::array<bool, 4> is_spent_ = {};
};

// Does nothing but a separator ("and", ",") stand between two spans that are members of one list?
bool is_list_separator(std::string_view between);

// The first or last number in text[from, to): sign, groups, decimals, fraction, mixed number, clock
// time, power of ten, percent, "million"; digits of any script.
bool number_in(std::string_view text, std::size_t from, std::size_t to, bool last, Span& span);
// Is a number no part of an expression that could not be read? Its last operand is not its value.
bool stands_alone(std::string_view text, const Span& span);
// A run of LaTeX that lost its delimiters, around a command in text[from, to): "(\frac{2}{5}) kg".
bool bare_latex(std::string_view text, std::size_t from, std::size_t to, Span& span);

}  // namespace r1eval
