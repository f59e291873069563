#include "graders/math/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "graders/math/characters.h"
#include "graders/math/function_names.h"
#include "graders/math/lexer_impl.h"
#include "graders/math/lexer_tables.h"
#include "graders/math/units.h"

namespace r1eval::lexing {

void Lexer::word() {
  const std::size_t from = i_;
  while (i_ < s_.size() && is_letter(s_[i_])) {
    ++i_;
  }
  const std::string_view run = s_.substr(from, i_ - from);
  const char next = char_at(skip_spaces(i_));
  // "1.2 x 10^3"
  if ((run == "x" || run == "X") && after_number()) {
    const std::size_t ten = skip_spaces(i_);
    const std::string_view power = s_.substr(ten, 4);
    if (power.starts_with("10^") || power.starts_with("10**") || power.starts_with("10\xE2\x81") ||
        power.starts_with("10\xC2")) {
      put(TokenKind::kOperator, "*");
      return;
    }
  }
  // "12 a.m."
  if (after_number() && run.size() == 1 && s_.size() >= i_ + 2 && s_[i_] == '.' &&
      (s_[i_ + 1] == 'm' || s_[i_ + 1] == 'M') && !is_letter(char_at(i_ + 2)) &&
      std::string_view("aApP").find(run[0]) != npos) {
    put(TokenKind::kWord, run == "a" || run == "A" ? "am" : "pm");
    i_ += char_at(i_ + 2) == '.' ? 3 : 2;
    return;
  }
  if (after_number() && (run == "AM" || run == "PM")) {
    put(TokenKind::kWord, run == "AM" ? "am" : "pm");
    return;
  }
  // "USD 12", "US$12", "Rs. 12"
  static constexpr std::array<std::string_view, 12> kCurrencies = {
      "USD", "EUR", "GBP", "INR", "RMB", "CNY", "JPY", "CAD", "AUD", "Rs", "US", "HK"};
  if (contains(kCurrencies, run) && !after_value()) {
    const std::size_t number_at = skip_spaces(i_ + (next == '.' ? 1 : 0));
    if (is_digit(char_at(number_at)) || char_at(number_at) == '$' ||
        s_.substr(number_at, 2) == "\\$") {
      i_ = number_at;
      return;
    }
  }
  if (contains(kPlainNames, run) || is_plain_function(run) ||
      ((run == "Re" || run == "Im") && peek() == '(')) {
    const bool is_infinity = run == "infinity" || run == "oo" || run == "inf";
    put(TokenKind::kCommand, std::string(is_infinity ? "infty" : run == "eps" ? "epsilon" : run));
    return;
  }
  // "sinx", "lny"
  const char last = run.back();
  if ((last == 'x' || last == 'y' || last == 'z') && run.size() > 2 &&
      is_plain_function(run.substr(0, run.size() - 1))) {
    put(TokenKind::kCommand, std::string(run.substr(0, run.size() - 1)));
    put(TokenKind::kLetter, std::string(1, last));
    return;
  }
  const bool is_long = run.size() >= 4;
  if (run.size() >= 2 && (is_long || contains(kWords, run))) {
    // "sqrtx", "2xsin" and the like are not words, but nobody writes them.
    put(TokenKind::kWord, std::string(run));
    return;
  }
  for (const char c : run) {
    put(TokenKind::kLetter, std::string(1, c));
  }
}

Status Lexer::command() {
  ++i_;  // the backslash
  const char c = peek();
  if (c == '\\') {
    // A row's end, or a doubled backslash before a command or delimiter.
    if (i_ + 1 < s_.size() && is_letter(s_[i_ + 1])) {
      std::size_t j = i_ + 1;
      while (j < s_.size() && is_letter(s_[j])) {
        ++j;
      }
      const std::string_view name = s_.substr(i_ + 1, j - i_ - 1);
      static constexpr std::array<std::string_view, 18> kNames = {
          "frac", "dfrac", "tfrac", "sqrt", "pi",   "boxed", "text", "left",  "right",
          "le",   "leq",   "ge",    "geq",  "cdot", "times", "pm",   "infty", "in"};
      if (contains(kNames, name) && s_.find("\\begin") == npos) {
        return ok_status();  // the next step reads the command
      }
    }
    ++i_;
    put(TokenKind::kOperator, "\\\\");
    // "\\[4pt]": the distance to the next row
    std::size_t j = i_;
    if (peek() == '[') {
      for (++j; j < s_.size() && (is_digit(s_[j]) || s_[j] == '.' || s_[j] == '-'); ++j) {
      }
      if (j > i_ + 1 && j + 2 < s_.size() && is_letter(s_[j]) && is_letter(s_[j + 1]) &&
          s_[j + 2] == ']') {
        i_ = j + 3;
      }
    }
    return ok_status();
  }
  if (!is_letter(c)) {
    ++i_;
    switch (c) {
      case '{':
        ++bracket_depth_;
        put(TokenKind::kOperator, "\\{");
        break;
      case '}':
        --bracket_depth_;
        put(TokenKind::kOperator, "\\}");
        break;
      case '|':
        put(TokenKind::kOperator, "|");
        break;
      case '%':
        put(TokenKind::kOperator, "%");
        break;
      case '$':
      case '!':
      case '(':
      case ')':
      case '[':
      case ']':
        break;
      default:  // spacing
        space_ = true;
        break;
    }
    return ok_status();
  }
  const std::size_t from = i_;
  while (i_ < s_.size() && is_letter(s_[i_])) {
    ++i_;
  }
  const std::string_view name = s_.substr(from, i_ - from);
  if (name.starts_with("quad") && name != "quad") {
    i_ = from + 4;  // "\quadx": a space and what follows
    space_ = true;
    return ok_status();
  }
  if (contains(kDropped, name)) {
    if ((name == "left" || name == "right") && peek() == '.') {
      ++i_;
    }
    if (contains(kDroppedWithArgument, name)) {
      group();
    }
    space_ = true;
    return ok_status();
  }
  if (contains(kTextCommands, name)) {
    const std::string_view inner = group();
    if (inner == "cis" || inner == "lcm" || inner == "arcsinh" || inner == "sgn" ||
        (inner.size() == 3 && is_plain_function(inner) && argument_follows())) {
      put(TokenKind::kCommand, std::string(inner));
      return ok_status();
    }
    return inline_text(inner);
  }
  if (contains(kTransparent, name)) {
    std::size_t j = i_;
    while (j < s_.size() && s_[j] == ' ') {
      ++j;
    }
    if (j < s_.size() && s_[j] == '{' &&
        (name == "mathrm" || name == "operatorname" || name == "mathbf")) {
      const std::size_t saved = i_;
      const std::string inner(group());
      if (after_value() && peek() != '_' && plain_unit_end(inner, 0, true) == inner.size()) {
        put(TokenKind::kText, inner);
        return ok_status();
      }
      const bool is_word = inner.size() >= 2 && std::all_of(inner.begin(), inner.end(), [](char x) {
                             return is_letter(x) || x == ' ';
                           });
      if (name == "mathbf" && (inner == "i" || inner == "j" || inner == "k")) {
        put(TokenKind::kCommand, "hat");  // a unit vector
        put(TokenKind::kOperator, "{");
        put(TokenKind::kLetter, inner);
        put(TokenKind::kOperator, "}");
        return ok_status();
      }
      if (inner.size() == 1 && is_letter(inner[0])) {
        put(TokenKind::kLetter, inner);
        return ok_status();
      }
      if (is_word) {
        if (contains(kPlainNames, inner) || !function_named(inner).empty()) {
          put(TokenKind::kCommand, inner);
        } else if (name == "operatorname" && argument_follows()) {
          put(TokenKind::kCommand, "@" + inner);  // a function that we only know by its name
        } else {
          put(TokenKind::kText, inner);
        }
        return ok_status();
      }
      i_ = saved;
    }
    return ok_status();
  }
  for (const Delimiter& delimiter : kDelimiters) {
    if (name.starts_with(delimiter.name)) {
      i_ = from + delimiter.name.size();
      bracket_depth_ += delimiter.token == "[" || delimiter.token == "("   ? 1
                        : delimiter.token == "]" || delimiter.token == ")" ? -1
                                                                           : 0;
      put(delimiter.kind, std::string(delimiter.token));
      return ok_status();
    }
  }
  if (name == "mu" && after_value()) {  // "12\\,\\mu\\text{m}"
    std::string_view rest = s_.substr(i_);
    for (const std::string_view open : {" ", "\\mathrm{", "\\text{", "\\textrm{"}) {
      if (rest.starts_with(open)) {
        rest.remove_prefix(open.size());
      }
    }
    if (rest.size() >= 2 && s_[s_.size() - rest.size() - 1] == '{' && is_letter(rest[0]) &&
        rest[1] == '}') {
      put(TokenKind::kText, std::string("μ") + rest[0]);
      i_ = s_.size() - rest.size() + 2;
      return ok_status();
    }
  }
  if (name == "exponentialE" || name == "imaginaryI" || name == "imaginaryJ") {
    put(TokenKind::kLetter, name == "exponentialE" ? "e" : "i");
    return ok_status();
  }
  if (name == "cr") {
    put(TokenKind::kOperator, "\\\\");
    return ok_status();
  }
  if (name == "char" && peek() == '"') {
    return character();
  }
  if (name == "variable" && peek() == '{') {
    return variable();
  }
  if (name == "textdegree") {
    put(TokenKind::kCommand, "degree");
    return ok_status();
  }
  if (name == "differentialD") {
    put(TokenKind::kLetter, "d");
    return ok_status();
  }
  put(TokenKind::kCommand, std::string(name));
  return ok_status();
}

// \char"00190: a character by its code point.
Status Lexer::character() {
  ++i_;
  std::uint32_t code = 0;
  std::size_t digits = 0;
  for (; digits < 6 && std::isxdigit(static_cast<unsigned char>(peek())) != 0; ++digits, ++i_) {
    const char c = peek();
    code = code * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  if (digits == 0 || code < 0x20 || code > 0xFFFF) {
    return fail(ErrorCode::kParse, "a character code that is not understood");
  }
  std::string utf8;
  if (code < 0x80) {
    utf8 += static_cast<char>(code);
  } else if (code < 0x800) {
    utf8 += static_cast<char>(0xC0 | (code >> 6));
    utf8 += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    utf8 += static_cast<char>(0xE0 | (code >> 12));
    utf8 += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    utf8 += static_cast<char>(0x80 | (code & 0x3F));
  }
  Lexer inner(utf8);
  R1_TRY(const std::vector<Token> tokens, inner.run());
  for (const Token& token : tokens) {
    put(token.kind, token.text);
  }
  return ok_status();
}

// \variable{value1}: one name of several letters; digits at its end are its subscript.
Status Lexer::variable() {
  const std::size_t from = i_;
  const std::string_view inner = group();
  std::size_t letters = 0;
  while (letters < inner.size() && is_letter(inner[letters])) {
    ++letters;
  }
  std::string subscript;
  bool is_name = letters >= 1;
  for (const char c : inner.substr(letters)) {
    is_name = is_name && (is_digit(c) || is_letter(c) || c == '_' || c == '{' || c == '}');
    if (is_digit(c) || is_letter(c)) {
      subscript += c;
    }
  }
  if (!is_name) {
    i_ = from;  // the braces group an expression
    return ok_status();
  }
  put(TokenKind::kLetter, std::string(inner.substr(0, letters)));
  if (!subscript.empty()) {
    put(TokenKind::kOperator, "_");
    put(TokenKind::kLetter, subscript);
  }
  return ok_status();
}

Status Lexer::step() {
  const char c = s_[i_];
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~') {
    space_ = true;
    ++i_;
    return ok_status();
  }
  if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
    number();
    return ok_status();
  }
  if (ordinal_suffix() || degree_scale() || plain_unit()) {
    return ok_status();
  }
  if (is_letter(c)) {
    word();
    return ok_status();
  }
  if (c == '\\') {
    return command();
  }
  if (c == '{' && lost_braces()) {
    return ok_status();
  }
  if (static_cast<unsigned char>(c) >= 0x80) {
    if (scripts()) {
      return ok_status();
    }
    const std::string_view rest = s_.substr(i_);
    for (const Mapping& mapping : kUnicode) {
      if (rest.substr(0, mapping.bytes.size()) == mapping.bytes) {
        i_ += mapping.bytes.size();
        Lexer inner(mapping.replacement);
        R1_TRY(const std::vector<Token> tokens, inner.run());
        for (const Token& token : tokens) {
          put(token.kind, token.text);
        }
        space_ = space_ || mapping.replacement == " ";
        return ok_status();
      }
    }
    // Other scripts: a run of such bytes is a word.
    std::size_t j = i_;
    while (j < s_.size() && static_cast<unsigned char>(s_[j]) >= 0x80) {
      ++j;
    }
    put(TokenKind::kWord, std::string(s_.substr(i_, j - i_)));
    i_ = j;
    return ok_status();
  }
  ++i_;
  switch (c) {
    case '$':
      space_ = true;
      break;
    case '(':
    case '[':
      ++bracket_depth_;
      put(TokenKind::kOperator, std::string(1, c));
      break;
    case ')':
    case ']':
      --bracket_depth_;
      put(TokenKind::kOperator, std::string(1, c));
      break;
    case '*':
      if (peek() == '*') {
        ++i_;
        put(TokenKind::kOperator, "^");
      } else {
        put(TokenKind::kOperator, "*");
      }
      break;
    case '<':
    case '>':
    case '!':
      if (peek() == '=') {
        ++i_;
        put(TokenKind::kCommand, c == '<' ? "le" : c == '>' ? "ge" : "ne");
      } else {
        put(TokenKind::kOperator, std::string(1, c));
      }
      break;
    case '{':
      ++brace_depth_;
      if (opens_set()) {
        int depth = 1;
        set_ends_ = i_;
        while (set_ends_ < s_.size() && depth > 0) {
          depth += s_[set_ends_] == '{' ? 1 : s_[set_ends_] == '}' ? -1 : 0;
          ++set_ends_;
        }
        ++bracket_depth_;
      }
      put(TokenKind::kOperator, "{");
      break;
    case '}':
      if (i_ == set_ends_) {
        --bracket_depth_;
      }
      // One brace too many says nothing.
      if (brace_depth_ > 0) {
        --brace_depth_;
        put(TokenKind::kOperator, "}");
      }
      break;
    case '+':
    case '-':
    case '/':
    case '^':
    case '_':
    case ',':
    case ';':
    case ':':
    case '=':
    case '|':
    case '&':
    case '%':
    case '\'':
    case '.':
      if (c == '.' && peek() == '.' && peek(1) == '.') {
        i_ += 2;
        put(TokenKind::kCommand, "ldots");
        break;
      }
      put(TokenKind::kOperator, std::string(1, c));
      break;
    default:
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        return fail(ErrorCode::kParse, "a control character in an expression");
      }
      put(TokenKind::kOperator, std::string(1, c));
      break;
  }
  return ok_status();
}

}  // namespace r1eval::lexing

namespace r1eval {

Result<std::vector<Token>> lex_math(std::string_view text, bool has_plain_units) {
  if (!needs_folding(text)) {
    return lexing::Lexer(text, has_plain_units).run();
  }
  const std::string folded = fold_characters(text);
  return lexing::Lexer(folded, has_plain_units).run();
}

}  // namespace r1eval
