#include "graders/extract/choice_tokens.h"

#include <algorithm>

#include "graders/extract/choice_words.h"
#include "graders/math/characters.h"

namespace r1eval {
namespace {

using choice_chars::is_digit;
using choice_chars::is_letter;
using choice_chars::is_lower_letter;
using choice_chars::is_upper_letter;
using choice_chars::lower;
using choice_chars::upper;

bool is_yes(std::uint32_t c) {
  return c == 0x2713U || c == 0x2714U || c == 0x2705U || c == 0x2611U;
}

bool is_no(std::uint32_t c) {
  return c == 0x2717U || c == 0x2718U || c == 0x274CU || c == 0x2716U || c == 0x274EU;
}

bool is_arrow(std::uint32_t c) {
  return (c >= 0x2190U && c <= 0x21FFU) || (c >= 0x27F0U && c <= 0x27FFU) || c == 0x2234U;
}

// Symbols, emoji and unknown punctuation: decoration.
bool is_symbol(std::uint32_t c) {
  return (c >= 0x2000U && c < 0x2C00U) || c >= 0x1F000U || (c >= 0x80U && c < 0xC0U) ||
         c == 0xFFFDU || (c >= 0x3000U && c < 0x3040U);
}

class Tokenizer {
 public:
  Tokenizer(const FoldedText& folded, const ChoiceTokenRules& rules) : f_(folded), rules_(rules) {}

  std::vector<ChoiceToken> run();

 private:
  char at(std::size_t i) const { return i < f_.text.size() ? f_.text[i] : '\0'; }

  char before(std::size_t i) const { return i > 0 ? f_.text[i - 1] : '\0'; }

  void add(TokenKind kind, std::size_t from, std::size_t to, std::uint32_t classes = 0) {
    ChoiceToken token;
    token.kind = kind;
    token.from = from;
    token.to = to;
    token.classes = classes;
    tokens_.push_back(token);
  }

  bool is_option_letter(std::size_t i) const;
  void add_letter(std::size_t i, std::uint32_t classes);
  std::size_t read_word(std::size_t i);
  std::size_t read_command(std::size_t i);
  std::size_t read_tag(std::size_t i);
  std::size_t read_foreign(std::size_t i);
  std::size_t read_sign(std::size_t i);

  const FoldedText& f_;
  const ChoiceTokenRules& rules_;
  std::vector<ChoiceToken> tokens_;
};

bool is_word_char(char c) {
  return is_letter(c) || is_digit(c);
}

// Does the letter stand alone, and not in a formula, a name or a range?
bool Tokenizer::is_option_letter(std::size_t i) const {
  const char c = at(i);
  if (!is_lower_letter(c) && !is_upper_letter(c)) {
    return false;
  }
  if (rules_.options.find(upper(c)) == std::string_view::npos ||
      (rules_.is_case_sensitive && is_lower_letter(c))) {
    return false;
  }
  if (is_word_char(at(i + 1)) || is_word_char(before(i))) {
    return false;
  }
  // c_1, B-cells, C-14, A(x), C++, A^2
  std::size_t next = i + 1;
  const char n = at(next);
  if ((n == '_' || n == '-') && is_word_char(at(i + 2))) {
    return false;
  }
  if (n == '(' && f_.from[next + 1] - f_.from[next] == 1) {
    return false;  // a full-width bracket needs no space before it
  }
  if (n == '^' || (n == '+' && at(next + 1) == '+')) {
    return false;
  }
  while (at(next) == ' ') {
    ++next;
  }
  const char sign = at(next);
  if (sign == '=' && at(next + 1) != '>') {
    return false;
  }
  if ((sign == '<' && at(next + 1) == ' ') || (sign == '>' && is_digit(at(next + 2)))) {
    return false;
  }
  if (sign == '\xC2' && at(next + 1) == '\xB7') {
    return false;  // a·b
  }
  if (n == '/' && is_word_char(at(i + 2)) && is_word_char(at(i + 3))) {
    return false;  // d/dx
  }
  if (n == '/' && lower(c) == 'n' && lower(at(i + 2)) == 'a') {
    return false;  // N/A
  }
  if ((n == '.' && is_letter(at(i + 2)) && at(i + 3) == '.') ||
      (before(i) == '.' && i > 1 && is_letter(f_.text[i - 2]) && n == '.')) {
    return false;  // a.m.
  }
  if (n == '|' && is_word_char(at(i + 2))) {
    return false;  // P(A|B)
  }
  const char last = before(i);
  const char last2 = i > 1 ? f_.text[i - 2] : '\0';
  if (last == '\\' || last == '^' || (last == '_' && is_word_char(last2))) {
    return false;
  }
  if ((last == '\xB0' || last == '\xB7') && last2 == '\xC2') {
    return false;  // °C, a·b
  }
  if (last == '|' && is_word_char(last2)) {
    return false;
  }
  if (last == '/' &&
      (lower(last2) == 'n' ||
       (is_word_char(last2) && rules_.options.find(upper(last2)) == std::string_view::npos))) {
    return false;  // N/A, m/s
  }
  if (last == '(' && is_word_char(last2) && f_.from[i] - f_.from[i - 1] == 1) {
    return false;  // P(A)
  }
  if (last == '\'' && is_word_char(last2) && lower(last2) != 'l') {
    return false;
  }
  if (last == '-' && is_word_char(last2) &&
      (tokens_.empty() || (tokens_.back().classes & (kAnchor | kOption)) == 0)) {
    return false;  // A-D
  }
  // 100 C is a temperature.
  if (last == ' ' && is_digit(last2) && is_upper_letter(c) && at(i + 1) != ')' && i > 2 &&
      !(tokens_.size() > 1 && tokens_[tokens_.size() - 2].kind == TokenKind::kLine)) {
    return false;
  }
  return true;
}

void Tokenizer::add_letter(std::size_t i, std::uint32_t classes) {
  ChoiceToken token;
  token.kind = TokenKind::kLetter;
  token.classes = classes;
  token.from = i;
  token.to = i + 1;
  token.letter = upper(at(i));
  token.is_lower = is_lower_letter(at(i));
  const auto is_style = [](char c) {
    return c == '*' || c == '_' || c == '`' || c == '"' || c == '\'' || c == '$';
  };
  std::size_t left = i;
  std::size_t right = i + 1;
  while (left > 0 && is_style(f_.text[left - 1])) {
    --left;
  }
  while (is_style(at(right))) {
    ++right;
  }
  token.is_set_apart = left < i && right > i + 1;
  const char open = before(left);
  const char close = at(right);
  token.is_wrapped = (open == '(' && close == ')') || (open == '[' && close == ']') ||
                     (open == '{' && close == '}');
  for (std::size_t outer = left; outer > 0; --outer) {
    const char c = before(outer);
    if (!is_style(c) && c != '(' && c != '[') {
      break;
    }
    token.is_bold = token.is_bold || c == '*';
  }
  token.is_bold = token.is_bold || (left < i && before(i) == '*');
  // After "C." a sentence begins with a capital, an option's text with anything, in bold even so.
  std::size_t text = right + 1;
  while (is_style(at(text)) || at(text) == ' ') {
    ++text;
  }
  const bool has_text = text < f_.text.size() && at(text) != '\n';
  token.is_labelled = token.is_wrapped || (has_text && (close == ')' || close == ':')) ||
                      (has_text && close == '.' && (token.is_bold || !is_upper_letter(at(text))));
  if (before(i) == '~' && at(i + 1) == '~') {
    return;  // struck out
  }
  tokens_.push_back(token);
}

std::size_t Tokenizer::read_word(std::size_t i) {
  const bool is_mark = at(i) == '\'';
  const std::size_t word = choice_word_length(f_.low, is_mark ? i + 1 : i) + (is_mark ? 1 : 0);
  const WordMatch match = match_choice_word(f_.low, i);
  if (word == 1 && !is_mark && is_option_letter(i)) {
    // "I'm", "A's" and "d'eau" hold no label; "B'dir" and the quoted 'B' do.
    const bool has_tail = at(i + 1) == '\'' && is_letter(at(i + 2));
    const bool is_suffixed = has_tail && match_choice_word(f_.low, i + 1).length > 2;
    const bool is_phrase = match.length > 1 && at(i + 1) != '\'';
    if (!is_phrase && (!has_tail || is_suffixed)) {
      add_letter(i, match.length == 1 ? match.classes : 0);
      return i + 1;
    }
  }
  // One accented vowel may be a verb: é, è.
  if (word == 1 && at(i) == kAccented) {
    const bool is_verb = f_.low[i] == 'e';
    add(TokenKind::kWord, i, i + 1, is_verb ? kCopula | kPronoun | kFunction : kGlue);
    return i + 1;
  }
  if (match.length > 0) {
    const std::size_t end = i + match.length;
    add(TokenKind::kWord, i, end, match.classes);
    if (at(end) == '.' && (f_.low.compare(i, match.length, "ans") == 0 ||
                           f_.low.compare(i, match.length, "odp") == 0)) {
      add(TokenKind::kSign, end, end + 1);
      return end + 1;
    }
    return end;
  }
  if (is_mark) {
    return i + 1;
  }
  add(TokenKind::kWord, i, i + word);
  return i + word;
}

std::size_t Tokenizer::read_command(std::size_t i) {
  std::size_t end = i + 1;
  while (is_lower_letter(at(end)) || is_upper_letter(at(end))) {
    ++end;
  }
  const std::string_view name = std::string_view(f_.text).substr(i + 1, end - i - 1);
  if (name.empty()) {
    return at(end) == '\n' ? end : end + 1;  // \( \, \\ and their like
  }
  if (name == "boxed" || name == "fbox" || name == "framebox" || name == "beginboxed") {
    add(TokenKind::kBox, i, end);
  } else if (name == "checkmark") {
    add(TokenKind::kYes, i, end);
  } else if (name == "therefore" || name == "implies" || name == "Rightarrow" || name == "to" ||
             name == "rightarrow" || name == "Longrightarrow") {
    add(TokenKind::kSign, i, end, kConclude);
  } else if (name == "color" || name == "textcolor") {
    const std::size_t close = at(end) == '{' ? f_.text.find('}', end) : std::string::npos;
    return close != std::string::npos && close < end + 32 ? close + 1 : end;
  } else if (const WordMatch match = match_choice_word(f_.low, i + 1);
             match.length == name.size() && (match.classes & (kAnchor | kOption)) != 0) {
    add(TokenKind::kWord, i, end, match.classes);
    add(TokenKind::kSign, end, end);  // \answer{B}
  } else if (name == "frac" || name == "dfrac" || name == "sqrt") {
    add(TokenKind::kNumber, i, end);
  }
  return end;  // other commands are style
}

// <answer> names an answer; other tags are style. Returns `i` where no tag begins.
std::size_t Tokenizer::read_tag(std::size_t i) {
  std::size_t name = i + 1;
  const bool is_end = at(name) == '/';
  if (is_end) {
    ++name;
  }
  std::size_t end = name;
  while (is_letter(at(end)) || at(end) == '_' || at(end) == ' ' || is_digit(at(end))) {
    if (++end > name + 24) {
      return i;
    }
  }
  if (end == name || at(end) != '>') {
    return i;
  }
  if (end == name + 1 && is_upper_letter(at(name))) {
    return i;  // <B>
  }
  std::uint32_t classes = 0;
  for (std::size_t word = name; word < end; ++word) {
    classes |= is_letter(at(word)) && (word == name || !is_letter(at(word - 1)))
                   ? match_choice_word(f_.low, word).classes
                   : 0;
  }
  if (!is_end && (classes & (kAnchor | kOption)) != 0) {
    add(TokenKind::kWord, name, end, classes);
    add(TokenKind::kSign, end, end + 1);
  }
  return end + 1;
}

std::size_t Tokenizer::read_foreign(std::size_t i) {
  std::size_t length = 0;
  const std::uint32_t c = decode_choice_char(f_.low, i, length);
  const std::size_t word = choice_word_length(f_.low, i);
  const WordMatch match = match_choice_word(f_.low, i);
  if (match.length > 0) {
    add(TokenKind::kWord, i, i + match.length, match.classes);
    return i + match.length;
  }
  if (word > 0) {
    add(TokenKind::kWord, i, i + word);
    return i + word;
  }
  if (is_yes(c) || is_no(c)) {
    add(is_yes(c) ? TokenKind::kYes : TokenKind::kNo, i, i + length);
  } else if (is_arrow(c)) {
    add(TokenKind::kSign, i, i + length, kConclude);
  } else if (c >= 0x2012U && c <= 0x2015U) {
    add(TokenKind::kDash, i, i + length);
  } else if (c == 0xB0U || !is_symbol(c)) {
    add(TokenKind::kWord, i, i + length);
  }
  return i + length;
}

std::size_t Tokenizer::read_sign(std::size_t i) {
  const char c = at(i);
  const char n = at(i + 1);
  if ((c == '-' || c == '=') && n == '>') {
    add(TokenKind::kSign, i, i + 2, kConclude);
    return i + 2;
  }
  switch (c) {
    case '\n': {
      if (tokens_.empty() || tokens_.back().kind != TokenKind::kLine) {
        add(TokenKind::kLine, i, i + 1);
      }
      break;
    }
    case ':':
    case '=':
      add(TokenKind::kSign, i, i + 1);
      break;
    case '-': {
      if (is_space(before(i)) || before(i) == '\0' || is_space(n) ||
          (!tokens_.empty() && (tokens_.back().classes & (kAnchor | kOption)) != 0)) {
        add(TokenKind::kDash, i, i + 1);
      }
      break;
    }
    case ',':
      add(TokenKind::kComma, i, i + 1);
      break;
    case ';':
      add(TokenKind::kSemicolon, i, i + 1);
      break;
    case '.':
    case '!':
      add(TokenKind::kStop, i, i + 1);
      break;
    case '?':
      add(TokenKind::kQuestion, i, i + 1);
      break;
    case '(':
    case '[':
    case '{':
      add(TokenKind::kOpen, i, i + 1);
      break;
    case ')':
    case ']':
    case '}':
      add(TokenKind::kClose, i, i + 1);
      break;
    case '/':
    case '&':
    case '+':
      add(TokenKind::kJoin, i, i + 1);
      break;
    case '|':
      add(TokenKind::kBar, i, i + 1);
      break;
    default:
      break;  // decoration
  }
  return i + 1;
}

std::vector<ChoiceToken> Tokenizer::run() {
  tokens_.reserve(f_.text.size() / 4 + 8);
  std::size_t i = 0;
  while (i < f_.text.size()) {
    const char c = at(i);
    if (is_letter(c) || (c == '\'' && is_letter(at(i + 1)) && is_word_char(before(i)))) {
      // "boxed{C}": the backslash was lost.
      if ((f_.low.compare(i, 6, "boxed{") == 0 || f_.low.compare(i, 5, "oxed{") == 0)) {
        add(TokenKind::kBox, i, i + 5);
        i = f_.low.find('{', i);
        continue;
      }
      i = read_word(i);
    } else if (is_digit(c)) {
      std::size_t end = i + 1;
      while (is_word_char(at(end)) ||
             ((at(end) == '.' || at(end) == ',') && is_digit(at(end + 1)))) {
        ++end;
      }
      add(TokenKind::kNumber, i, end);
      i = end;
    } else if (c == '\\') {
      i = read_command(i);
    } else if (c == '<') {
      const std::size_t end = read_tag(i);
      i = end > i ? end : i + 1;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      i = read_foreign(i);
    } else {
      i = read_sign(i);
    }
  }
  return std::move(tokens_);
}

}  // namespace

std::vector<ChoiceToken> tokenize_choice_text(const FoldedText& folded,
                                              const ChoiceTokenRules& rules) {
  return Tokenizer(folded, rules).run();
}

bool TokenView::is_line_start(std::size_t i) const {
  while (i > 0 && !is(i - 1, TokenKind::kLine)) {
    --i;
    const bool is_mark = is(i, TokenKind::kDash) || is(i, TokenKind::kOpen) ||
                         is(i, TokenKind::kBar) || is(i, TokenKind::kYes) ||
                         is(i, TokenKind::kNo) || has(i, kOption) || is(i, TokenKind::kNumber) ||
                         (is(i, TokenKind::kStop) && i > 0 && is(i - 1, TokenKind::kNumber));
    if (!is_mark) {
      return false;
    }
  }
  return true;
}

// An article or a pronoun is followed by a word that goes on with the sentence, and not by one that
// can only follow a label ("is", "because", "and").
bool TokenView::is_label_letter(std::size_t i) const {
  if (!is(i, TokenKind::kLetter)) {
    return false;
  }
  const ChoiceToken& token = tokens_[i];
  if (token.is_wrapped || token.is_set_apart) {
    return true;
  }
  const bool is_before_word = i + 1 < tokens_.size() && tokens_[i + 1].kind == TokenKind::kWord &&
                              tokens_[i + 1].from == token.to + 1;
  if (token.is_lower && token.classes != 0) {
    const bool is_before_letter =
        is(i + 1, TokenKind::kLetter) && tokens_[i + 1].from == token.to + 1;
    return !is_before_letter &&
           (!is_before_word || has(i + 1, kReason));  // "a", "y", "e" are words first
  }
  const bool may_be_word = std::string_view("AIEOYU").find(token.letter) != std::string_view::npos;
  if (!may_be_word || !is_before_word || (i > 0 && has(i - 1, kOption))) {
    return true;
  }
  // "A y B", "A mà là B", "A şıkkı".
  const char next = f_.text[tokens_[i + 1].from];
  if ((has(i + 1, kAnd | kOr | kContrast | kNot) && is(i + 2, TokenKind::kLetter)) ||
      (next == kAccented && tokens_[i + 1].classes != 0)) {
    return true;
  }
  if (next != kAccented && (next < 'a' || next > 'z')) {
    return true;
  }
  if (token.letter == 'I') {
    return has(i + 1, kCopula) && f_.low.compare(tokens_[i + 1].from, 3, "was") != 0;
  }
  return has(i + 1, kFunction);
}

bool TokenView::clause_ends(std::size_t letter) const {
  const ChoiceToken& last = tokens_[letter];
  if (last.is_wrapped || last.is_set_apart) {
    return true;
  }
  const std::size_t next = skip_closers(letter + 1);
  if (next > letter + 1 || next >= tokens_.size()) {
    return true;
  }
  const ChoiceToken& token = tokens_[next];
  if (token.kind == TokenKind::kWord) {
    return (token.classes & ~(kPrep | kIf | kPast | kBelieve | kNamed)) != 0;
  }
  if (token.kind == TokenKind::kOpen) {
    return true;
  }
  return token.kind != TokenKind::kNumber && token.kind != TokenKind::kLetter &&
         token.kind != TokenKind::kBox;
}

}  // namespace r1eval
