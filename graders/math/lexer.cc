#include "graders/math/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "graders/bounds.h"
#include "graders/math/function_names.h"

namespace r1eval {
namespace {

constexpr std::size_t npos = std::string_view::npos;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct Mapping {
  std::string_view bytes;
  std::string_view replacement;  // lexed in its place
};

constexpr std::array<Mapping, 110> kUnicode = {{
    {"Ɛ", "\\epsilon "},
    {"ε", "\\epsilon "},
    {"ϵ", "\\epsilon "},
    {"ζ", "\\zeta "},
    {"η", "\\eta "},
    {"κ", "\\kappa "},
    {"ν", "\\nu "},
    {"ξ", "\\xi "},
    {"τ", "\\tau "},
    {"χ", "\\chi "},
    {"ψ", "\\psi "},
    {"ϕ", "\\phi "},
    {"Γ", "\\Gamma "},
    {"Δ", "\\Delta "},
    {"Θ", "\\Theta "},
    {"Λ", "\\Lambda "},
    {"Σ", "\\Sigma "},
    {"Φ", "\\Phi "},
    {"Ψ", "\\Psi "},
    {"Ω", "\\Omega "},
    {"ℂ", "\\mathbb{C}"},
    {"∉", "\\notin "},
    {"∣", "\\mid "},
    {"∀", "\\forall "},
    {"∠", "\\angle "},
    {"ⁿ", "^n"},
    {"…", "\\ldots "},
    {"−", "-"},
    {"–", "-"},
    {"—", "-"},
    {"×", "*"},
    {"·", "*"},
    {"⋅", "*"},
    {"÷", "/"},
    {"√", "\\sqrt "},
    {"π", "\\pi "},
    {"∞", "\\infty "},
    {"≤", "\\le "},
    {"≥", "\\ge "},
    {"≠", "\\ne "},
    {"∪", "\\cup "},
    {"∩", "\\cap "},
    {"∈", "\\in "},
    {"∅", "\\emptyset "},
    {"∖", "\\setminus "},
    {"→", "\\to "},
    {"≡", "\\equiv "},
    {"∫", "\\int "},
    {"∑", "\\sum "},
    {"∏", "\\prod "},
    {"∂", "\\partial "},
    {"°", "\\degree "},
    {"²", "^2"},
    {"³", "^3"},
    {"¹", "^1"},
    {"⁴", "^4"},
    {"⁵", "^5"},
    {"⁶", "^6"},
    {"⁷", "^7"},
    {"⁸", "^8"},
    {"⁹", "^9"},
    {"⁰", "^0"},
    {"½", "\\frac{1}{2}"},
    {"⅓", "\\frac{1}{3}"},
    {"⅔", "\\frac{2}{3}"},
    {"¼", "\\frac{1}{4}"},
    {"¾", "\\frac{3}{4}"},
    {"⅕", "\\frac{1}{5}"},
    {"⅛", "\\frac{1}{8}"},
    {"⅙", "\\frac{1}{6}"},
    {"±", "\\pm "},
    {"∓", "\\mp "},
    {"≈", "\\approx "},
    {"θ", "\\theta "},
    {"α", "\\alpha "},
    {"β", "\\beta "},
    {"γ", "\\gamma "},
    {"δ", "\\delta "},
    {"λ", "\\lambda "},
    {"μ", "\\mu "},
    {"φ", "\\varphi "},
    {"ω", "\\omega "},
    {"σ", "\\sigma "},
    {"ρ", "\\rho "},
    {"ℝ", "\\mathbb{R}"},
    {"ℤ", "\\mathbb{Z}"},
    {"ℕ", "\\mathbb{N}"},
    {"ℚ", "\\mathbb{Q}"},
    {"€", " "},
    {"£", " "},
    {"¥", " "},
    {"\xC2\xA0", " "},
    {"\xE2\x80\x89", " "},
    {"\xE2\x80\xAF", " "},
    {"\xE3\x80\x80", " "},
    {"，", ","},
    {"。", "."},
    {"：", ":"},
    {"（", "("},
    {"）", ")"},
    {"％", "%"},
    {"＋", "+"},
    {"－", "-"},
    {"＝", "="},
    {"⌊", "\\lfloor "},
    {"⌋", "\\rfloor "},
    {"⟨", "\\langle "},
    {"⟩", "\\rangle "},
    {"△", "-"},
    {"▲", "-"},
}};

constexpr std::array<std::string_view, 38> kDropped = {
    "mleft",      "mright",     "bigm",         "Bigm",      "left",      "right",    "big",
    "Big",        "bigl",       "bigr",         "Bigl",      "Bigr",      "bigg",     "biggl",
    "biggr",      "Bigg",       "displaystyle", "textstyle", "limits",    "nolimits", "quad",
    "qquad",      "phantom",    "hspace",       "rm",        "bf",        "it",       "scriptstyle",
    "mathord",    "middle",     "hfill",        "nonumber",  "thinspace", "enspace",  "medspace",
    "boldsymbol", "ensuremath", "strut"};

// Commands whose argument stands for itself.
constexpr std::array<std::string_view, 10> kTransparent = {
    "mathrm", "mathbf", "operatorname", "mathit", "boxed",
    "fbox",   "mathsf", "bm",           "mathop", "displaylimits"};
constexpr std::array<std::string_view, 9> kTextCommands = {
    "text", "textbf", "mbox", "textnormal", "textit", "textrm", "hbox", "texttt", "textsf"};

// Letter runs of plain text that are names of constants, symbols or constructions; functions are in
// function_names.h.
constexpr std::array<std::string_view, 25> kPlainNames = {
    "sqrt",  "pi",    "infty",  "infinity", "oo",    "inf",  "theta", "alpha", "beta",
    "gamma", "delta", "lambda", "omega",    "phi",   "psi",  "sigma", "rho",   "tau",
    "mu",    "eps",   "lfloor", "rfloor",   "binom", "frac", "choose"};

// Words that part several answers, name units or numbers: never a product of letters.
constexpr std::array<std::string_view, 62> kWords = {
    "and",   "or",  "cm",  "mm",   "km",   "kg",   "mg",  "ft",   "in",   "yd",   "mi",
    "lb",    "oz",  "ml",  "pm",   "am",   "pct",  "hr",  "hrs",  "min",  "mins", "sec",
    "secs",  "deg", "rad", "day",  "yes",  "no",   "odd", "even", "day",  "cup",  "men",
    "mph",   "rpm", "per", "sq",   "the",  "if",   "not", "dog",  "cat",  "red",  "mod",
    "kmh",   "gal", "usd", "eur",  "Yes",  "No",   "Odd", "Even", "None", "True", "False",
    "North", "Hz",  "dm",  "inch", "foot", "feet", "all"};

// Delimiters by name, and the token each one is. They are also found glued to what follows
// ("\\lvertx"), as converters of documents leave them.
struct Delimiter {
  std::string_view name;
  TokenKind kind;
  std::string_view token;
};

constexpr std::array<Delimiter, 19> kDelimiters = {{{"lbrace", TokenKind::kOperator, "\\{"},
                                                    {"rbrace", TokenKind::kOperator, "\\}"},
                                                    {"lbrack", TokenKind::kOperator, "["},
                                                    {"rbrack", TokenKind::kOperator, "]"},
                                                    {"lgroup", TokenKind::kOperator, "("},
                                                    {"rgroup", TokenKind::kOperator, ")"},
                                                    {"lparen", TokenKind::kOperator, "("},
                                                    {"rparen", TokenKind::kOperator, ")"},
                                                    {"ulcorner", TokenKind::kCommand, "lceil"},
                                                    {"urcorner", TokenKind::kCommand, "rceil"},
                                                    {"llcorner", TokenKind::kCommand, "lfloor"},
                                                    {"lrcorner", TokenKind::kCommand, "rfloor"},
                                                    {"lvert", TokenKind::kCommand, "lvert"},
                                                    {"vert", TokenKind::kCommand, "vert"},
                                                    {"rvert", TokenKind::kCommand, "rvert"},
                                                    {"lfloor", TokenKind::kCommand, "lfloor"},
                                                    {"rfloor", TokenKind::kCommand, "rfloor"},
                                                    {"lceil", TokenKind::kCommand, "lceil"},
                                                    {"rceil", TokenKind::kCommand, "rceil"}}};

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : s_(text) {}

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
    tokens_.push_back({kind, std::move(text), space_});
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
  void skip_ordinal_suffix();
  void number();
  bool are_thousands(std::size_t from) const;
  bool opens_set() const;
  void word();

  std::string_view s_;
  std::size_t i_ = 0;
  int bracket_depth_ = 0;
  std::size_t set_ends_ = 0;  // where the braces of a set without backslashes close
  bool space_ = false;
  std::vector<Token> tokens_;
};

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

// The raised ending of an ordinal: "12^{\\text{th}}", "3^\\mathrm{rd}", "21^{st}".
void Lexer::skip_ordinal_suffix() {
  if (peek() != '^') {
    return;
  }
  std::size_t j = i_ + 1;
  std::size_t open = 0;
  const auto skip_brace = [&] {
    if (j < s_.size() && s_[j] == '{') {
      ++j;
      ++open;
    }
  };
  skip_brace();
  for (const std::string_view command : {"\\text", "\\mathrm", "\\textrm", "\\rm ", "\\mbox"}) {
    if (s_.substr(j, command.size()) == command) {
      j += command.size();
      skip_brace();
      break;
    }
  }
  const std::string_view ending = s_.substr(std::min(j, s_.size()), 2);
  if (open == 0 || (ending != "th" && ending != "st" && ending != "nd" && ending != "rd")) {
    return;
  }
  j += 2;
  for (; open > 0; --open, ++j) {
    if (j >= s_.size() || s_[j] != '}') {
      return;
    }
  }
  i_ = j;
}

void Lexer::number() {
  std::string text;
  const bool after_comma = i_ >= 2 && s_[i_ - 1] == ',' && is_digit(s_[i_ - 2]);
  const auto digits = [&] {
    while (is_digit(peek())) {
      text += s_[i_++];
    }
  };
  digits();
  // After "_" and "^" a space ends the number: \log_5 125.
  const bool is_script = !tokens_.empty() && tokens_.back().kind == TokenKind::kOperator &&
                         (tokens_.back().text == "_" || tokens_.back().text == "^");
  const std::size_t first_group = is_script ? 0 : text.size();
  // Groups of three digits: "1,234", "1{,}234", "1,\!234", "1\,234", "1 234".
  while (first_group >= 1 && first_group <= 3) {
    std::size_t j = i_;
    const auto at = [&](std::size_t k) { return k < s_.size() ? s_[k] : '\0'; };
    bool separated = false;
    if (s_.substr(j, 3) == "{,}") {
      j += 3;
      separated = true;
    } else if (s_.substr(j, 3) == ",\\!" || s_.substr(j, 3) == ",\\,") {
      j += 3;
      separated = true;
    } else if (s_.substr(j, 2) == "\\," || s_.substr(j, 2) == "\\ ") {
      j += 2;
      separated = true;
    } else if (at(j) == ',' && bracket_depth_ == 0) {
      separated = is_digit(at(j + 1)) && !after_comma && are_thousands(j);
      j += 1;
    } else if (at(j) == ' ' && is_digit(at(j + 1)) && bracket_depth_ == 0) {
      j += 1;
      separated = true;
    }
    while (separated && at(j) == ' ') {
      ++j;
    }
    std::size_t k = j;
    while (is_digit(at(k))) {
      ++k;
    }
    if (!separated || k - j != 3) {
      break;
    }
    text.append(s_.substr(j, 3));
    i_ = k;
  }
  skip_ordinal_suffix();
  if (peek() == '.' && (is_digit(peek(1)) || !text.empty())) {
    text += '.';
    ++i_;
    digits();
  }
  if ((peek() == 'e' || peek() == 'E') &&
      (is_digit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && is_digit(peek(2))))) {
    text += 'e';
    ++i_;
    text += s_[i_++];
    digits();
  }
  put(TokenKind::kNumber, text);
}

void Lexer::word() {
  const std::size_t from = i_;
  while (i_ < s_.size() && is_letter(s_[i_])) {
    ++i_;
  }
  const std::string_view run = s_.substr(from, i_ - from);
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
    if (name == "hspace" || name == "phantom") {
      group();
    }
    space_ = true;
    return ok_status();
  }
  if (contains(kTextCommands, name)) {
    const std::string inner(group());
    if (inner == "cis" || inner == "lcm" || inner == "arcsinh" || inner == "sgn" ||
        (inner.size() == 3 && is_plain_function(inner) && argument_follows())) {
      put(TokenKind::kCommand, inner);
    } else {
      put(TokenKind::kText, inner);
    }
    return ok_status();
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
  // "\\text" and its like whose first letters became a control character on the way here
  const auto lost = [&](char control, std::string_view rest) {
    return c == control && s_.substr(i_ + 1, rest.size()) == rest;
  };
  if (lost('\t', "ext{")) {
    ++i_;
    while (i_ < s_.size() && s_[i_] != '{') {
      ++i_;
    }
    put(TokenKind::kText, std::string(group()));
    return ok_status();
  }
  if (lost('\t', "imes") || lost('\f', "rac")) {
    i_ += c == '\t' ? 5 : 4;
    put(TokenKind::kCommand, c == '\t' ? "times" : "frac");
    return ok_status();
  }
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~') {
    space_ = true;
    ++i_;
    return ok_status();
  }
  if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
    number();
    return ok_status();
  }
  if (is_letter(c)) {
    word();
    return ok_status();
  }
  if (c == '\\') {
    return command();
  }
  if (static_cast<unsigned char>(c) >= 0x80) {
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
      put(TokenKind::kOperator, "}");
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

}  // namespace

Result<std::vector<Token>> lex_math(std::string_view text) {
  if (text.find_first_of("\xE2\xEF") == npos) {
    return Lexer(text).run();
  }
  // Full-width digits as ASCII; without what cannot be seen (U+200B to U+200F, U+202A to U+202E,
  // U+2060 to U+2069, U+FEFF).
  std::string folded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view lead = text.substr(i, 2);
    const auto third = i + 2 < text.size() ? static_cast<unsigned char>(text[i + 2]) : 0;
    if (lead == "\xEF\xBC" && third >= 0x90 && third <= 0x99) {
      folded += static_cast<char>('0' + (third - 0x90));
      i += 2;
    } else if ((lead == "\xE2\x80" &&
                ((third >= 0x8B && third <= 0x8F) || (third >= 0xAA && third <= 0xAE))) ||
               (lead == "\xE2\x81" && third >= 0xA0 && third <= 0xA9) ||
               (lead == "\xEF\xBB" && third == 0xBF)) {
      i += 2;
    } else {
      folded += text[i];
    }
  }
  return Lexer(folded).run();
}

}  // namespace r1eval
