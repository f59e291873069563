// Tokens for the choice reader: words with their classes, letters that may name an option, signs,
// ends of clauses and lines. Decoration is dropped: bold, quotes, dollar signs, LaTeX style
// commands, HTML tags. One pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "graders/extract/choice_text.h"

namespace r1eval {

enum class TokenKind : std::uint8_t {
  kWord,    // `classes` may be 0: a word that says nothing here
  kLetter,  // may name an option
  kNumber,
  kSign,  // : = ->
  kDash,  // a dash between spaces, or at the start of a line
  kComma,
  kSemicolon,
  kStop,  // . !
  kQuestion,
  kLine,  // one or more line ends
  kOpen,
  kClose,
  kJoin,  // / & +
  kBox,   // \boxed
  kYes,   // a tick
  kNo,    // a cross
  kBar,   // |
};

struct ChoiceToken {
  TokenKind kind = TokenKind::kWord;
  std::uint32_t classes = 0;
  std::size_t from = 0;  // in the folded text
  std::size_t to = 0;
  char letter = '\0';         // upper case, of kLetter
  bool is_lower = false;      // written in lower case
  bool is_wrapped = false;    // (C), [C]: opened just before it and closed just after
  bool is_bold = false;       // bold begins at it
  bool is_labelled = false;   // "(C) text", "C) text", "C: text", "C. text"
  bool is_set_apart = false;  // **C**, `C`, "C"
  bool is_struck = false;     // ~~C~~
};

struct ChoiceTokenRules {
  std::string_view options;
  bool is_case_sensitive = false;
};

std::vector<ChoiceToken> tokenize_choice_text(const FoldedText& folded,
                                              const ChoiceTokenRules& rules);

// Questions about tokens by index; an index past the end answers no.
class TokenView {
 public:
  TokenView(const FoldedText& folded, const std::vector<ChoiceToken>& tokens)
      : f_(folded), tokens_(tokens) {}

  std::size_t size() const { return tokens_.size(); }

  const ChoiceToken& operator[](std::size_t i) const { return tokens_[i]; }

  // The folded text from the token on starts with `word`.
  bool reads(std::size_t i, std::string_view word) const {
    return f_.low.compare(tokens_[i].from, word.size(), word) == 0;
  }

  bool has(std::size_t i, std::uint32_t classes) const {
    return i < tokens_.size() && (tokens_[i].classes & classes) != 0;
  }

  bool is(std::size_t i, TokenKind kind) const {
    return i < tokens_.size() && tokens_[i].kind == kind;
  }

  bool is_clause_end(std::size_t i) const {
    return i >= tokens_.size() || is(i, TokenKind::kStop) || is(i, TokenKind::kLine) ||
           is(i, TokenKind::kSemicolon) || is(i, TokenKind::kComma) || is(i, TokenKind::kBar);
  }

  std::size_t skip_closers(std::size_t i) const {
    while (is(i, TokenKind::kClose)) {
      ++i;
    }
    return i;
  }

  // Where the brackets that close before `i` begin.
  std::size_t skip_closers_back(std::size_t i) const {
    while (i > 0 && is(i - 1, TokenKind::kClose)) {
      --i;
    }
    return i;
  }

  // The first token of a line, list marks aside.
  bool is_line_start(std::size_t i) const;

  // A letter that may be a label; capital A as an article and I as a pronoun may not.
  bool is_label_letter(std::size_t i) const;

  // Does the clause of the letter end after it, or go on as after a label?
  bool clause_ends(std::size_t letter) const;

 private:
  const FoldedText& f_;
  const std::vector<ChoiceToken>& tokens_;
};

}  // namespace r1eval
