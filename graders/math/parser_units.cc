// What stands after a complete value: units, percent, words for large numbers, a base.
#include <algorithm>

#include "graders/math/parser.h"
#include "graders/math/parser_impl.h"
#include "graders/math/units.h"

namespace r1eval::parsing {

namespace {

// The multiplier that a word after a value is, or 0.
std::int64_t scale_of(std::string_view word) {
  struct Scale {
    std::string_view word;
    std::int64_t factor;
  };

  static constexpr std::array<Scale, 9> kScales = {{{"hundred", 100},
                                                    {"thousand", 1000},
                                                    {"million", 1000000},
                                                    {"millions", 1000000},
                                                    {"billion", 1000000000},
                                                    {"billions", 1000000000},
                                                    {"trillion", 1000000000000},
                                                    {"lakh", 100000},
                                                    {"crore", 10000000}}};
  for (const auto& [name, factor] : kScales) {
    if (name == word) {
      return factor;
    }
  }
  return 0;
}

bool is_percent(std::string_view word) {
  return word == "percent" || word == "pct" || word == "percentage" || word == "per cent" ||
         word == "percents";
}

// The base that a word or number names, or 0.
int base_of(std::string_view word) {
  static constexpr std::array<std::string_view, 17> kNames = {
      "",     "",    "two",    "three",  "four",     "five",     "six",     "seven",  "eight",
      "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"};
  for (std::size_t k = 2; k < kNames.size(); ++k) {
    if (kNames[k] == word) {
      return static_cast<int>(k);
    }
  }
  if (!all_digits(word) || word.size() > 2) {
    return 0;
  }
  const int base = std::stoi(std::string(word));
  return base >= 2 && base <= 36 ? base : 0;
}

}  // namespace

bool Parser::is_word(std::size_t k) const {
  return is_kind(TokenKind::kText, k) || is_kind(TokenKind::kWord, k);
}

// "(units)", "\frac{\text{m}}{\text{s}}": words in brackets, never a factor.
bool Parser::unit_in_brackets() const {
  if (is_op("(") && is_word(1)) {
    const TokenKind kind = t_[i_ + 1].kind;
    return kind == TokenKind::kText || t_[i_ + 1].text != "mod";
  }
  return (is_command("frac") || is_command("dfrac") || is_command("tfrac")) && is_op("{", 1) &&
         is_kind(TokenKind::kText, 2);
}

// Is what follows words or a unit up to the end of the answer (or the next separator)?
bool Parser::unit_follows() const {
  if (unit_in_brackets()) {
    return true;
  }
  return is_word(0) && !unit_is_and();
}

bool Parser::unit_is_and() const {
  return joins_answers(i_);
}

// A value with the unit or the words that follow it.
Parser::Id Parser::with_unit(Id value) {
  if (value == kBad || !unit_follows()) {
    return value;
  }
  // "x = 5 cm": the unit is that of the last side.
  if (e_.at(value).kind == Kind::kRelation && e_.at(value).text.back() == '=') {
    const Id side = with_unit(e_.at(value).children.back());
    if (side != kBad) {
      e_.nodes[static_cast<std::size_t>(value)].children.back() = side;
    }
    return side == kBad ? kBad : value;
  }
  std::string unit;
  std::string first;
  std::size_t words = 0;
  int depth = 0;
  while (!done() && !(depth == 0 && (is_op(",") || is_op(";") || is_op("}") || is_op("\\}")))) {
    const Token& token = t_[i_];
    if (is_word(0)) {
      const std::string word = fold_words(token.text);
      if (words > 0 && joins_answers(i_)) {
        break;
      }
      if (words++ == 0) {
        first = word;
      }
      // Case matters to symbols of units, not to words.
      unit += (unit.empty() ? "" : " ") + (token.text.size() <= 4 ? token.text : word);
    } else if (token.kind == TokenKind::kOperator) {
      depth += token.text == "{" || token.text == "(" ? 1 : 0;
      depth -= token.text == "}" || token.text == ")" ? 1 : 0;
      unit += token.text;
    } else {
      unit += token.kind == TokenKind::kCommand ? "\\" + token.text + " " : " " + token.text;
    }
    ++i_;
  }
  // \frac{\text{m}}{\text{s}}
  for (const std::string_view command : {"\\frac", "\\dfrac", "\\tfrac"}) {
    const std::size_t middle = unit.find("}{");
    if (unit.starts_with(command) && middle != std::string::npos && unit.back() == '}') {
      const std::size_t open = unit.find('{');
      unit = unit.substr(open + 1, middle - open - 1) + "/" +
             unit.substr(middle + 2, unit.size() - middle - 3);
    }
  }
  const std::size_t space = first.find(' ');
  const std::string head = first.substr(0, space);
  // "million", "million dollars", "2.5 million of them"
  if (const std::int64_t factor = scale_of(head); factor != 0) {
    const Id scale = number(Rational(Integer(factor)));
    value = scale == kBad ? kBad : make(Kind::kProduct, {value, scale});
    const std::size_t at = unit.find(head);
    unit.erase(0, at == std::string::npos ? unit.size() : at + head.size());
    if (value == kBad || unit.find_first_not_of(' ') == std::string::npos) {
      return value;
    }
    return make(Kind::kUnit, {value}, unit);
  }
  if (is_percent(head) || is_percent(first) || unit.starts_with("per cent")) {
    return make(Kind::kPercent, {value});
  }
  if (first == "degrees" || first == "degree" || first == "deg") {
    return words == 1 ? make(Kind::kDegree, {value}) : make(Kind::kUnit, {value}, unit);
  }
  return make(Kind::kUnit, {value}, unit);
}

// "101_{two}", "(101)_2", "101_{\text{2}}", "543 base 7", "FF_{16}", "1A_{12}": digits in a base
// as the whole answer. Nothing is taken where it is something else.
std::optional<Expression> Parser::whole_in_base() {
  const bool may_be = t_.size() >= 3 && std::any_of(t_.begin() + 1, t_.end(), [](const Token& one) {
                        return one.text == "_" || one.text.find("base") != std::string::npos;
                      });
  if (!may_be) {
    return std::nullopt;
  }
  std::size_t k = 0;
  const auto op = [&](std::string_view text) {
    return k < t_.size() && t_[k].kind == TokenKind::kOperator && t_[k].text == text;
  };
  const bool minus = op("-");
  k += minus ? 1 : 0;
  const bool braced = op("(") || op("{");
  k += braced ? 1 : 0;
  std::string digits;
  bool has_letter = false;
  while (k < t_.size() && digits.size() < 64 &&
         (t_[k].kind == TokenKind::kNumber || t_[k].kind == TokenKind::kLetter ||
          t_[k].kind == TokenKind::kText)) {
    if (t_[k].text == "base" || t_[k].text.find(' ') != std::string::npos) {
      break;
    }
    has_letter = has_letter || t_[k].kind != TokenKind::kNumber;
    digits += t_[k++].text;
  }
  k += braced && (op(")") || op("}")) ? 1 : 0;
  if (digits.empty() || k >= t_.size()) {
    return std::nullopt;
  }
  // The base: "_ 7", "_ { word }", "base 7", "(base 7)".
  std::string name;
  if (op("_")) {
    for (++k; k < t_.size(); ++k) {
      if (!op("{") && !op("}") && !op("(") && !op(")")) {
        name += t_[k].text;
      }
    }
  } else {
    k += op("(") ? 1 : 0;
    const std::string word = k < t_.size() ? fold_words(t_[k].text) : "";
    if (word != "base" && !word.starts_with("base ") && !word.starts_with("(base ")) {
      return std::nullopt;
    }
    for (; k < t_.size(); ++k) {
      name += t_[k].text;
    }
    name.erase(0, std::min(name.find("base") + 4, name.size()));
    name.erase(std::remove_if(name.begin(), name.end(),
                              [](char c) { return c == ' ' || c == '(' || c == ')'; }),
               name.end());
  }
  const int base = base_of(fold_words(name));
  if (base == 0 || (has_letter && digits.size() < 2)) {
    return std::nullopt;
  }
  for (const char c : digits) {
    const int value = c >= '0' && c <= '9'                                      ? c - '0'
                      : c >= 'A' && c <= 'Z'                                    ? c - 'A' + 10
                      : c >= 'a' && c <= 'z' && all_digits(digits.substr(0, 1)) ? c - 'a' + 10
                      : c == '.'                                                ? 0
                                                                                : 99;
    if (value >= base) {
      return std::nullopt;
    }
  }
  if (has_letter && base <= 10) {
    return std::nullopt;
  }
  e_.root = make(Kind::kBase, {}, (minus ? "-" : "") + digits);
  e_.nodes.back().columns = base;
  return std::move(e_);
}

}  // namespace r1eval::parsing
