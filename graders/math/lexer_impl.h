// The tokenizer's state, shared by the files that implement it: lexer.cc (words, commands, single
// characters), lexer_values.cc (numbers, raised and lowered digits, units, text that is a value).
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "graders/bounds.h"
#include "graders/math/lexer.h"

namespace r1eval::lexing {

inline constexpr std::size_t npos = std::string_view::npos;

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

inline bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

class Lexer {
 public:
  explicit Lexer(std::string_view text, bool has_plain_units = false)
      : s_(text), has_plain_units_(has_plain_units) {}

  Result<std::vector<Token>> run() {
    if (static_cast<std::int64_t>(s_.size()) > bounds::kMaxExpressionBytes * 4) {
      return fail(ErrorCode::kResourceExhausted, "the expression is too long");
    }
    while (i_ < s_.size()) {
      R1_RETURN_IF_ERROR(step());
      if (static_cast<std::int64_t>(tokens_.size()) > bounds::kMaxTokens) {
        return fail(ErrorCode::kResourceExhausted, "the expression has too many tokens");
      }
    }
    return std::move(tokens_);
  }

 private:
  void put(TokenKind kind, std::string text) {
    tokens_.push_back({kind, std::move(text), space_, false});
    space_ = false;
  }

  char peek(std::size_t k = 0) const { return i_ + k < s_.size() ? s_[i_ + k] : '\0'; }

  // The text of {…} at `at` (balanced), or of the next character; moves past it.
  std::string_view group() {
    while (peek() == ' ') {
      ++i_;
    }
    if (peek() != '{') {
      return "";
    }
    const std::size_t from = i_ + 1;
    int depth = 0;
    while (i_ < s_.size()) {
      const char c = s_[i_];
      if (c == '\\') {
        ++i_;
      } else if (c == '{') {
        ++depth;
      } else if (c == '}' && --depth == 0) {
        ++i_;
        return s_.substr(from, i_ - 1 - from);
      }
      ++i_;
    }
    i_ = s_.size();
    return s_.substr(std::min(from, s_.size()));
  }

  // Does an argument in parentheses come next?
  bool argument_follows() const {
    std::string_view rest = s_.substr(i_);
    while (true) {
      if (rest.starts_with(' ') || rest.starts_with('{')) {
        rest.remove_prefix(1);
      } else if (rest.starts_with("\\left")) {
        rest.remove_prefix(5);
      } else {
        return rest.starts_with('(');
      }
    }
  }

  Status step();
  Status command();
  Status character();
  Status variable();
  Status inline_text(std::string_view text);
  bool lost_braces();
  bool ordinal_suffix();
  bool scripts();
  bool degree_scale();
  bool plain_unit();
  std::size_t group_separator(std::size_t at) const;
  void number();
  bool are_thousands(std::size_t from) const;
  bool opens_set() const;
  void word();

  char char_at(std::size_t at) const { return at < s_.size() ? s_[at] : '\0'; }

  std::size_t skip_spaces(std::size_t at) const {
    while (char_at(at) == ' ') {
      ++at;
    }
    return at;
  }

  // Digits from `at` on.
  std::size_t count_digits(std::size_t at) const {
    std::size_t n = 0;
    while (is_digit(char_at(at + n))) {
      ++n;
    }
    return n;
  }

  bool after_number() const {
    return !tokens_.empty() && tokens_.back().kind == TokenKind::kNumber;
  }

  bool after_value() const {
    return after_number() || (!tokens_.empty() && tokens_.back().kind == TokenKind::kOperator &&
                              (tokens_.back().text == "}" || tokens_.back().text == ")"));
  }

  std::string_view s_;
  std::size_t i_ = 0;
  int bracket_depth_ = 0;
  std::size_t set_ends_ = 0;  // where the braces of a set without backslashes close
  int brace_depth_ = 0;
  bool space_ = false;
  bool has_plain_units_;
  std::vector<Token> tokens_;
};

}  // namespace r1eval::lexing
