// Values: numbers with their groups and decimals, raised and lowered digits, units, \text{…} that
// is read like the rest of the answer.
#include <array>

#include "graders/math/lexer_impl.h"
#include "graders/math/lexer_tables.h"
#include "graders/math/units.h"

namespace r1eval::lexing {

// "1,234,567" from its first comma: every group has three digits. "62,279,5" is three numbers.
bool Lexer::are_thousands(std::size_t from) const {
  while (from + 1 < s_.size() && s_[from] == ',' && is_digit(s_[from + 1])) {
    std::size_t end = from + 1;
    while (end < s_.size() && is_digit(s_[end])) {
      ++end;
    }
    if (end - from != 4) {
      return false;
    }
    from = end;
  }
  return true;
}

// Does "{" here open a set whose backslashes were lost? Not a lone number ("{1,234}"), and not the
// argument of anything.
bool Lexer::opens_set() const {
  static constexpr std::array<std::string_view, 5> kBefore = {"=", ",", "(", "in", "cup"};
  if (set_ends_ > i_ || !(tokens_.empty() || contains(kBefore, tokens_.back().text))) {
    return false;
  }
  bool only_digits = true;
  int depth = 0;
  for (std::size_t k = i_; k < s_.size() && depth >= 0; ++k) {
    const char c = s_[k];
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    only_digits = only_digits && (is_digit(c) || c == ',' || c == ' ' || c == '}');
  }
  return !only_digits;
}

// The width of what parts two groups of three digits at `at`, or 0: "," "{,}" "{ , }" ",\!" "\," "
// "
// "'". Commas, spaces and apostrophes part groups outside brackets only.
std::size_t Lexer::group_separator(std::size_t at) const {
  const std::size_t brace = skip_spaces(at);
  if (char_at(brace) == '{') {
    std::size_t j = skip_spaces(brace + 1);
    if (char_at(j) == ',') {
      j = skip_spaces(j + 1);
      j += s_.substr(j, 2) == "\\!" || s_.substr(j, 2) == "\\," ? 2 : 0;
      j = skip_spaces(j);
      return char_at(j) == '}' ? j + 1 - at : 0;
    }
    return 0;
  }
  if (s_.substr(at, 3) == ",\\!" || s_.substr(at, 3) == ",\\,") {
    return 3;
  }
  if (s_.substr(at, 2) == "\\," || s_.substr(at, 2) == "\\ ") {
    return 2;
  }
  const char c = char_at(at);
  return bracket_depth_ == 0 && (c == ',' || c == ' ' || c == '\'') && is_digit(char_at(at + 1))
             ? 1
             : 0;
}

void Lexer::number() {
  std::string text;
  const bool after_comma = i_ >= 2 && s_[i_ - 1] == ',' && is_digit(s_[i_ - 2]);
  const auto digits = [&](std::size_t n) {
    text.append(s_.substr(i_, n));
    i_ += n;
  };
  digits(count_digits(i_));
  const std::size_t first_group = text.size();
  // After "_" and "^" a space ends the number: \\log_5 125.
  const bool is_script = !tokens_.empty() && tokens_.back().kind == TokenKind::kOperator &&
                         (tokens_.back().text == "_" || tokens_.back().text == "^");
  const bool can_group = first_group >= 1 && first_group <= 3 && text[0] != '0' && !is_script;
  bool has_decimal_comma = false;  // what parts the groups is not a comma
  const std::size_t start = i_;
  // "1.234.567" and "1.234,56".
  if (can_group && i_ == start && bracket_depth_ == 0) {
    std::size_t j = i_;
    std::size_t groups = 0;
    while (char_at(j) == '.' && count_digits(j + 1) == 3) {
      j += 4;
      ++groups;
    }
    const std::size_t decimals = char_at(j) == ',' ? count_digits(j + 1) : 0;
    const char next = char_at(j + 1 + decimals);
    const bool has_decimals = (decimals == 1 || decimals == 2) && next != ',' && next != '.';
    const bool ends = !is_digit(char_at(j)) && !(char_at(j) == '.' && is_digit(char_at(j + 1)));
    if (ends && (groups >= 2 || (groups == 1 && has_decimals))) {
      while (i_ < j) {
        ++i_;
        digits(3);
      }
      has_decimal_comma = true;
    }
  }
  // "1_234_567"
  if (can_group && i_ == start && char_at(i_) == '_' && count_digits(i_ + 1) == 3 &&
      char_at(i_ + 4) == '_' && count_digits(i_ + 5) == 3) {
    while (char_at(i_) == '_' && count_digits(i_ + 1) == 3) {
      ++i_;
      digits(3);
    }
  }
  while (can_group && !has_decimal_comma) {
    if (char_at(i_) == ',' && is_digit(char_at(i_ + 1)) &&
        (after_comma || (text.size() == first_group && !are_thousands(i_)))) {
      break;  // a list without spaces
    }
    const std::size_t width = group_separator(i_);
    const std::size_t j = width == 0 ? i_ : skip_spaces(i_ + width);
    if (width == 0 || count_digits(j) != 3) {
      break;
    }
    const bool is_spaced = s_[i_] == ' ' && s_[j - 1] == ' ';
    i_ = j;
    digits(3);
    has_decimal_comma = is_spaced && char_at(i_) == ',';
  }
  const bool is_grouped = text.size() > first_group;
  std::string repeated;
  if (has_decimal_comma && char_at(i_) == ',' && count_digits(i_ + 1) >= 1 &&
      count_digits(i_ + 1) <= 2) {
    text += '.';
    ++i_;
    digits(count_digits(i_));
  } else if (s_.substr(i_, 3) == "{,}" && is_digit(char_at(i_ + 3)) && !text.empty()) {
    text += '.';
    i_ += 3;
    digits(count_digits(i_));
  } else if (peek() == '.' && (is_digit(peek(1)) || !text.empty())) {
    text += '.';
    ++i_;
    while (is_digit(peek())) {
      const std::string_view mark = s_.substr(i_ + 1, 2);
      if (mark == "\xCC\x85" || mark == "\xCC\x87") {  // a line or a dot over the digit
        repeated += s_[i_];
        i_ += 3;
      } else {
        digits(1);
      }
    }
  }
  // "3e+4" is 30000, but "3e+4\\pi" has Euler's number.
  const auto before_pi = [&] {
    const std::string_view rest = s_.substr(i_ + 2 + count_digits(i_ + 2));
    return rest.starts_with("\\pi") || rest.starts_with("\u03c0");
  };
  if ((peek() == 'e' || peek() == 'E') &&
      (is_digit(peek(1)) ||
       ((peek(1) == '-' || peek(1) == '+') && is_digit(peek(2)) && !before_pi()))) {
    text += 'e';
    ++i_;
    text += s_[i_++];
    digits(count_digits(i_));
  }
  put(TokenKind::kNumber, text);
  tokens_.back().is_grouped = is_grouped;
  if (!repeated.empty()) {
    put(TokenKind::kCommand, "overline");
    put(TokenKind::kNumber, repeated);
  }
}

// "42nd", "12^{\text{th}}": the suffix says nothing about the value.
bool Lexer::ordinal_suffix() {
  if (!after_number() || space_) {
    return false;
  }
  std::string_view rest = s_.substr(i_);
  const std::size_t before = rest.size();
  for (const std::string_view open : {"^", "{", "\\text{", "\\mathrm{", "\\textrm{"}) {
    if (rest.starts_with(open)) {
      rest.remove_prefix(open.size());
    }
  }
  const std::string_view suffix = rest.substr(0, 2);
  if (suffix != "th" && suffix != "st" && suffix != "nd" && suffix != "rd") {
    return false;
  }
  rest.remove_prefix(2);
  while (rest.starts_with('}') && before - rest.size() > 2) {
    rest.remove_prefix(1);
  }
  if (!rest.empty() && is_letter(rest.front())) {
    return false;
  }
  i_ += before - rest.size();
  return true;
}

// "{/}", "{=}": braces around one sign.
bool Lexer::lost_braces() {
  static constexpr std::string_view kSigns = "/+-=<>:*";
  if (char_at(i_ + 2) != '}' || kSigns.find(char_at(i_ + 1)) == npos) {
    return false;
  }
  put(TokenKind::kOperator, std::string(1, s_[i_ + 1]));
  i_ += 3;
  return true;
}

// Runs of superscript and subscript characters: "x¹²", "10⁻³", "a₁₂", "³⁄₄".
bool Lexer::scripts() {
  static constexpr std::array<Mapping, 14> kSuper = {{{"⁰", "0"},
                                                      {"¹", "1"},
                                                      {"²", "2"},
                                                      {"³", "3"},
                                                      {"⁴", "4"},
                                                      {"⁵", "5"},
                                                      {"⁶", "6"},
                                                      {"⁷", "7"},
                                                      {"⁸", "8"},
                                                      {"⁹", "9"},
                                                      {"⁻", "-"},
                                                      {"⁺", "+"},
                                                      {"ⁿ", "n"},
                                                      {"ᵀ", "T"}}};
  const auto run = [&](bool is_super) {
    std::string out;
    while (i_ < s_.size()) {
      const std::string_view rest = s_.substr(i_);
      const auto* found = std::find_if(kSuper.begin(), kSuper.end(), [&](const Mapping& one) {
        return rest.starts_with(one.bytes);
      });
      if (is_super && found != kSuper.end()) {
        out += found->replacement;
        i_ += found->bytes.size();
      } else if (!is_super && rest.starts_with("\xE2\x82") && rest.size() > 2 &&
                 static_cast<unsigned char>(rest[2]) >= 0x80 &&
                 static_cast<unsigned char>(rest[2]) <= 0x89) {
        out += static_cast<char>('0' + (static_cast<unsigned char>(rest[2]) - 0x80));
        i_ += 3;
      } else {
        break;
      }
    }
    return out;
  };
  const auto group_of = [&](const char* sign, const std::string& inner) {
    if (sign != nullptr) {
      put(TokenKind::kOperator, sign);
    }
    put(TokenKind::kOperator, "{");
    for (const char c : inner) {
      if (is_digit(c) && tokens_.back().kind == TokenKind::kNumber) {
        tokens_.back().text += c;
      } else {
        put(is_digit(c)    ? TokenKind::kNumber
            : is_letter(c) ? TokenKind::kLetter
                           : TokenKind::kOperator,
            std::string(1, c));
      }
    }
    put(TokenKind::kOperator, "}");
  };
  const std::size_t from = i_;
  if (const std::string above = run(true); !above.empty()) {
    const std::size_t slash = s_.substr(i_).starts_with("⁄") ? 3 : peek() == '/' ? 1 : 0;
    const std::size_t after_above = i_;
    i_ += slash;
    const std::string below = slash == 0 ? "" : run(false);
    if (!below.empty()) {
      put(TokenKind::kCommand, "frac");
      group_of(nullptr, above);
      group_of(nullptr, below);
    } else {
      i_ = after_above;
      group_of("^", above);
    }
    return true;
  }
  if (const std::string below = run(false); !below.empty()) {
    group_of("_", below);
    return true;
  }
  i_ = from;
  return false;
}

// "12 °C", "12^\circ C", "12^{\circ}\mathrm{F}" after a number: a unit, not a product.
bool Lexer::degree_scale() {
  if (!after_number()) {
    return false;
  }
  std::string_view rest = s_.substr(i_);
  const std::size_t before = rest.size();
  bool has_sign = false;
  for (const std::string_view sign : {"^{\\circ}", "^\\circ", "°", "º", "˚", "\\degree"}) {
    if (rest.starts_with(sign)) {
      rest.remove_prefix(sign.size());
      has_sign = true;
      break;
    }
  }
  if (!has_sign) {
    return false;
  }
  for (const std::string_view open : {" ", "\\ ", "\\,", "\\text{", "\\mathrm{", "{\\rm ", " "}) {
    if (rest.starts_with(open)) {
      rest.remove_prefix(open.size());
    }
  }
  if (rest.empty() || (rest[0] != 'C' && rest[0] != 'F')) {
    return false;
  }
  const std::string unit = std::string("°") + rest[0];
  rest.remove_prefix(1);
  if (rest.starts_with('}')) {
    rest.remove_prefix(1);
  }
  if (!rest.empty() && is_letter(rest.front())) {
    return false;
  }
  put(TokenKind::kText, unit);
  i_ += before - rest.size();
  return true;
}

// A unit in plain letters after a value, where the caller asks for that reading.
bool Lexer::plain_unit() {
  if (!has_plain_units_ || !after_value()) {
    return false;
  }
  const std::size_t end = plain_unit_end(s_, i_, space_);
  if (end == npos) {
    return false;
  }
  put(TokenKind::kText, std::string(s_.substr(i_, end - i_)));
  i_ = end;
  return true;
}

// \text{…} that begins with a number or a fraction is read like the rest of the answer.
Status Lexer::inline_text(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '~')) {
    text.remove_prefix(1);
  }
  std::string_view bare = text;
  while (!bare.empty() && bare.back() == ' ') {
    bare.remove_suffix(1);
  }
  if (bare == "$" || bare == "\\$" || bare == "€" || bare == "£" || bare == "¥") {
    return ok_status();
  }
  const std::size_t sign = bare.find_first_not_of("+-.$\\");
  const bool is_number = sign <= 2 && sign < bare.size() && is_digit(bare[sign]);
  const bool is_value = is_number || bare == "%" || bare == "\\%" || bare.starts_with("\\frac") ||
                        bare.starts_with("\\dfrac") || bare.starts_with("\\sqrt");
  if (!is_value) {
    put(TokenKind::kText, std::string(text));
    return ok_status();
  }
  Lexer inner(bare, has_plain_units_);
  R1_TRY(const std::vector<Token> tokens, inner.run());
  for (const Token& token : tokens) {
    space_ = space_ || token.space_before;
    put(token.kind, token.text);
    tokens_.back().is_grouped = token.is_grouped;
  }
  return ok_status();
}

}  // namespace r1eval::lexing
