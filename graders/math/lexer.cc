#include "graders/math/lexer.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "graders/bounds.h"
#include "graders/math/characters.h"
#include "graders/math/function_names.h"
#include "graders/math/units.h"

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

constexpr std::array<Mapping, 130> kUnicode = {{
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
    {"。", "."},
    {"⌊", "\\lfloor "},
    {"⌋", "\\rfloor "},
    {"⟨", "\\langle "},
    {"⟩", "\\rangle "},
    {"△", "-"},
    {"▲", "-"},
    {"‐", "-"},
    {"‑", "-"},
    {"‒", "-"},
    {"―", "-"},
    {"⁄", "/"},
    {"∕", "/"},
    {"∙", "*"},
    {"•", "*"},
    {"∗", "*"},
    {"⩽", "\\le "},
    {"≦", "\\le "},
    {"⩾", "\\ge "},
    {"≧", "\\ge "},
    {"∛", "\\cbrt "},
    {"∜", "\\sqrt[4]"},
    {"∶", ":"},
    {"º", "\\degree "},
    {"˚", "\\degree "},
    {"⌈", "\\lceil "},
    {"⌉", "\\rceil "},
    {"≅", "\\cong "},
    {"⅐", "\\frac{1}{7}"},
    {"⅑", "\\frac{1}{9}"},
    {"⅒", "\\frac{1}{10}"},
    {"⅖", "\\frac{2}{5}"},
    {"⅗", "\\frac{3}{5}"},
    {"⅘", "\\frac{4}{5}"},
    {"⅚", "\\frac{5}{6}"},
    {"⅜", "\\frac{3}{8}"},
    {"⅝", "\\frac{5}{8}"},
    {"⅞", "\\frac{7}{8}"},
    {"∆", "\\Delta "},
    {"₹", " "},
    {"₽", " "},
    {"₩", " "},
    {"￥", " "},
    {"‘", "'"},
    {"’", "'"},
    {"“", "\""},
    {"”", "\""},
    {"、", ","},
    {"；", ";"},
    {"∘", "\\degree "},
}};

constexpr std::array<std::string_view, 54> kDropped = {
    "mleft",      "mright",   "bigm",      "Bigm",         "left",         "right",
    "big",        "Big",      "bigl",      "bigr",         "Bigl",         "Bigr",
    "bigg",       "biggl",    "biggr",     "Bigg",         "displaystyle", "textstyle",
    "limits",     "nolimits", "quad",      "qquad",        "phantom",      "hspace",
    "rm",         "bf",       "it",        "scriptstyle",  "mathord",      "middle",
    "hfill",      "nonumber", "thinspace", "enspace",      "medspace",     "boldsymbol",
    "ensuremath", "strut",    "large",     "Large",        "LARGE",        "huge",
    "Huge",       "small",    "tiny",      "footnotesize", "normalsize",   "color",
    "textcolor",  "vspace",   "tag",       "label",        "negthinspace", "allowbreak"};

// Of those, the ones whose argument goes with them.
constexpr std::array<std::string_view, 7> kDroppedWithArgument = {
    "hspace", "phantom", "color", "textcolor", "vspace", "tag", "label"};

// Commands whose argument stands for itself.
constexpr std::array<std::string_view, 12> kTransparent = {
    "mathrm", "mathbf", "operatorname", "mathit",        "boxed",  "fbox",
    "mathsf", "bm",     "mathop",       "displaylimits", "mathtt", "underline"};
constexpr std::array<std::string_view, 12> kTextCommands = {
    "text", "textbf", "mbox",   "textnormal", "textit", "textrm",
    "hbox", "texttt", "textsf", "textup",     "emph",   "textsc"};

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
    "secs",  "deg", "rad", "day",  "yes",  "no",   "odd", "even", "of",   "cup",  "men",
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
    // "0.333…" is what it shows; how far that is from 1/3 is the comparison's affair.
    if (s_.substr(i_, 3) == "...") {
      i_ += 3;
    }
  }
  if ((peek() == 'e' || peek() == 'E') &&
      (is_digit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && is_digit(peek(2))))) {
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

}  // namespace

Result<std::vector<Token>> lex_math(std::string_view text, bool has_plain_units) {
  if (!needs_folding(text)) {
    return Lexer(text, has_plain_units).run();
  }
  const std::string folded = fold_characters(text);
  return Lexer(folded, has_plain_units).run();
}

}  // namespace r1eval
