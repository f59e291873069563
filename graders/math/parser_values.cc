// Values and what stands in brackets: numbers, names, texts, tuples, intervals, sets.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "graders/math/exact.h"
#include "graders/math/parser.h"
#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

// The bar of {term | condition} or the colon of {term : condition}: its place, and that of the
// closing brace; 0 for other braces.
std::size_t Parser::builder_bar(std::size_t& end) const {
  int depth = 0;
  std::size_t bars = 0;
  std::size_t first_bar = 0;
  std::size_t colon = 0;
  bool has_relation = false;
  for (end = i_; end < t_.size(); ++end) {
    const std::string& text = t_[end].text;
    const bool is_operator = t_[end].kind == TokenKind::kOperator;
    depth += is_operator && (text == "{" || text == "\\{" || text == "(" || text == "[")   ? 1
             : is_operator && (text == "}" || text == "\\}" || text == ")" || text == "]") ? -1
                                                                                           : 0;
    if (depth == 0) {
      break;
    }
    if (depth == 1 && t_[end].kind == TokenKind::kCommand && (text == "mid" || text == "vert")) {
      return end;
    }
    if (depth == 1 && is_operator && text == "|") {
      first_bar = bars++ == 0 ? end : first_bar;
    }
    colon = depth == 1 && is_operator && text == ":" && colon == 0 ? end : colon;
    has_relation = has_relation || (is_operator && (text == "=" || text == "<" || text == ">")) ||
                   text == "in" || text == "le" || text == "ge" || text == "leq" || text == "geq" ||
                   text == "ne" || text == "neq";
  }
  return end >= t_.size() || !has_relation ? 0 : bars % 2 == 1 ? first_bar : colon;
}

Parser::Id Parser::set_builder(std::size_t bar, std::size_t end) {
  const std::size_t close = [&] {
    int depth = 0;
    for (std::size_t k = i_; k < t_.size(); ++k) {
      const std::string& text = t_[k].text;
      depth += text == "{" || text == "\\{" ? 1 : text == "}" || text == "\\}" ? -1 : 0;
      if (depth == 0) {
        return k;
      }
    }
    return t_.size();
  }();
  static_cast<void>(end);
  if (close >= t_.size() || bar <= i_ + 1 || bar >= close) {
    return bad("a set of values under a condition that is not understood");
  }
  ++i_;
  t_[bar] = {TokenKind::kOperator, "such that", false};
  std::vector<Id> parts = {relation()};
  if (parts[0] == kBad || !accept("such that")) {
    return bad("a set of values under a condition that is not understood");
  }
  bool has_or = false;
  while (!done() && !is_op("}") && !is_op("\\}")) {
    const Id one = relation();
    if (one == kBad) {
      return kBad;
    }
    parts.push_back(one);
    const std::size_t before = i_;
    if (is_op("}") || is_op("\\}")) {
      break;
    }
    if (!at_separator()) {
      return bad("a set of values under a condition that is not understood");
    }
    for (std::size_t k = before; k < i_; ++k) {
      has_or = has_or || fold_words(t_[k].text) == "or";
    }
  }
  if (done() || parts.size() < 2) {
    return bad("a set of values under a condition that is not understood");
  }
  ++i_;
  if (has_or) {
    const Id any = make(Kind::kList, std::vector<Id>(parts.begin() + 1, parts.end()), "o");
    parts = {parts[0], any};
    if (any == kBad) {
      return kBad;
    }
  }
  return make(Kind::kFunction, std::move(parts), "set of");
}

Parser::Id Parser::brackets() {
  const std::string open = t_[i_].text;
  const bool is_brace = open == "\\{";
  std::size_t end = 0;
  if (const std::size_t bar = is_brace ? builder_bar(end) : 0; bar != 0) {
    return set_builder(bar, end);
  }
  ++i_;
  const int bars = bars_;
  const bool outer = in_function_;
  bars_ = 0;
  in_function_ = false;
  std::vector<Id> members;
  std::string close;
  std::vector<std::size_t> row_ends;  // where semicolons stand
  bool has_comma = false;
  const auto closes = [&] {
    return is_op(")") || is_op("]") || is_op("\\}") || is_command("rangle") ||
           (open == "]" && is_op("[")) || (open == "[" && members.size() == 2 && is_op("["));
  };
  while (!done() && !closes()) {
    const Id member = relation();
    if (member == kBad) {
      return kBad;
    }
    members.push_back(member);
    if (unit_follows() && !is_brace) {
      return bad("words inside brackets");
    }
    if (is_op(",") || is_op(";")) {
      if (is_op(";")) {
        row_ends.push_back(members.size());
      }
      has_comma = has_comma || is_op(",");
      ++i_;
    } else if (is_brace && at_separator()) {
      continue;
    } else if (!done() && !closes()) {
      return bad(fmt::format("'{}' is not understood inside brackets", t_[i_].text.substr(0, 40)));
    }
    if (static_cast<std::int64_t>(members.size()) > bounds::kMaxSetMembers) {
      return bad("too many members in brackets");
    }
  }
  close = done() ? (open == "(" ? ")" : open == "[" ? "]" : open) : t_[i_].text;
  if (!done()) {
    ++i_;
  }
  bars_ = bars;
  in_function_ = outer;
  if (is_brace) {
    return make(Kind::kSet, std::move(members));
  }
  if (open == "[" && close == "]" && has_comma && !row_ends.empty()) {
    // [1, 2; 3, 4]: rows of a matrix
    const std::size_t width = row_ends[0];
    bool is_regular = width > 0 && members.size() == width * (row_ends.size() + 1);
    for (std::size_t k = 0; k < row_ends.size(); ++k) {
      is_regular = is_regular && row_ends[k] == width * (k + 1);
    }
    if (!is_regular) {
      return bad("rows of different lengths");
    }
    const Id id = make(Kind::kMatrix, std::move(members));
    if (id != kBad) {
      e_.nodes.back().columns = static_cast<std::int32_t>(width);
    }
    return id;
  }
  if (members.size() == 1 && open == "(" && close == ")") {
    const Kind kind = e_.at(members[0]).kind;
    if (kind == Kind::kRelation) {
      return members[0];
    }
    return members[0];
  }
  if (members.size() == 1 && e_.at(members[0]).kind == Kind::kMatrix) {
    return members[0];
  }
  if (open == "langle") {
    return make(Kind::kTuple, std::move(members), "()");
  }
  // ]0, 1[ is (0, 1)
  const bool is_outward = members.size() == 2;
  const std::string left = is_outward && open == "]" ? "(" : open;
  const std::string right = is_outward && close == "[" ? ")" : close;
  return make(Kind::kTuple, std::move(members), left + right);
}

// A letter with its primes: a name, or one of the letters that usually name a function.
Parser::Id Parser::letter(std::string name) {
  // C(7, 4) beside other factors and terms; alone, or in a list, it is a point.
  const auto is_arithmetic = [&](std::size_t k) {
    static constexpr std::array<std::string_view, 9> kSigns = {"+",     "-", "*", "/", "cdot",
                                                               "times", "{", "}", "="};
    return k < t_.size() && contains(kSigns, t_[k].text);
  };
  if (name == "C" && is_op("(") && is_kind(TokenKind::kNumber, 1) && is_op(",", 2) &&
      is_kind(TokenKind::kNumber, 3) && is_op(")", 4) &&
      (is_arithmetic(i_ + 5) || (i_ >= 2 && is_arithmetic(i_ - 2)))) {
    std::array<Id, 2> ends{};
    for (Id& end : ends) {
      ++i_;
      end = primary();
    }
    return ends[0] == kBad || ends[1] == kBad || !accept(")")
               ? kBad
               : make(Kind::kFunction, {ends[0], ends[1]}, "binomial");
  }
  bool has_primes = false;
  while (true) {
    std::size_t taken = 0;
    if (is_op("'")) {
      taken = 1;
    } else if (is_op("^") && is_command("prime", 1)) {
      taken = 2;
    } else if (is_op("^") && is_op("{", 1) && (is_command("prime", 2) || is_op("'", 2))) {
      // ^{\prime\prime}
      std::size_t k = 2;
      for (; is_command("prime", k) || is_op("'", k); ++k) {
        name += '\'';
      }
      if (!is_op("}", k)) {
        return bad("an exponent that starts with a prime");
      }
      i_ += k + 1;
      has_primes = true;
      continue;
    } else {
      break;
    }
    i_ += taken;
    name += '\'';
    has_primes = true;
  }
  if (!has_primes && (name == "e" || name == "i")) {
    return make(Kind::kConstant, {}, name);
  }
  const bool is_usual = name[0] == 'f' || name[0] == 'g' || name[0] == 'h' || name[0] == 'F';
  if (is_usual && is_op("^") && is_op("{", 1) && is_op("-", 2) && is_kind(TokenKind::kNumber, 3) &&
      t_[i_ + 3].text == "1" && is_op("}", 4)) {
    i_ += 5;
    name += "^{-1}";
    has_primes = true;
  }
  if ((is_usual || has_primes) && (is_op("(") || (is_op("{") && is_op("(", 1)))) {
    return function("@" + name);
  }
  return make(Kind::kSymbol, {}, name);
}

Parser::Id Parser::primary() {
  if (done()) {
    return bad("the expression ends where a value is expected");
  }
  if (++depth_ > bounds::kMaxNesting) {
    return bad("the expression is nested too deeply");
  }
  const Token& token = t_[i_];
  Id result = kBad;
  switch (token.kind) {
    case TokenKind::kNumber: {
      const std::string text = token.text;
      const bool is_grouped = token.is_grouped;
      ++i_;
      const std::size_t dot = text.find('.');
      const bool decimal = dot != std::string::npos;
      std::string repeat;
      if (decimal && (is_command("overline") || is_command("bar") || is_command("dot"))) {
        ++i_;
        repeat = raw_group();
      } else if (!text.empty() && text.back() == '.' && is_op("(") &&
                 is_kind(TokenKind::kNumber, 1) && is_op(")", 2)) {
        repeat = t_[i_ + 1].text;
        i_ += 3;
      }
      const auto value = rational_from_decimal(text);
      if (!value) {
        bad("a number is too long");
        break;
      }
      if (!repeat.empty()) {
        if (!all_digits(repeat) || repeat.size() > 100) {
          bad("a repeating decimal is not understood");
          break;
        }
        const std::size_t point = text.find('.');
        const auto places = static_cast<unsigned>(text.size() - point - 1);
        const Integer scale = boost::multiprecision::pow(Integer(10), places);
        const Integer nines =
            boost::multiprecision::pow(Integer(10), static_cast<unsigned>(repeat.size())) - 1;
        const auto tail = rational_from_decimal(repeat);
        result = number(*value + Rational(tail->num, scale * nines));
        break;
      }
      result = number(*value, decimal && value->den != 1);
      if (result != kBad && text.find('e') == std::string::npos) {
        Node& node = e_.nodes.back();
        node.places = decimal ? static_cast<std::int32_t>(text.size() - dot - 1) : 0;
        node.width = is_grouped ? 0 : static_cast<std::int32_t>(decimal ? dot : text.size());
      }
      break;
    }
    case TokenKind::kLetter: {
      const std::string name = token.text;
      ++i_;
      result = name == "m" && is_command("angle") ? primary() : letter(name);  // its measure
      break;
    }
    case TokenKind::kCommand:
      result = command();
      break;
    case TokenKind::kOperator:
      if (token.text == "(" || token.text == "[" || token.text == "\\{" || token.text == "]") {
        result = brackets();
      } else if (token.text == "{") {
        const int bars = bars_;
        bars_ = 0;
        result = group();
        bars_ = bars;
      } else if (token.text == "|") {
        bar_open_at_ = i_;
        ++i_;
        ++bars_;
        const Id kid = sum();
        --bars_;
        if (kid != kBad && accept("|")) {
          result = e_.at(kid).kind == Kind::kMatrix ? determinant(kid)
                                                    : make(Kind::kFunction, {kid}, "abs");
        } else {
          bad("an absolute value is not closed");
        }
      } else if (token.text == "-" || token.text == "+") {
        result = unary();
      } else {
        bad(fmt::format("'{}' is not understood here", token.text.substr(0, 40)));
      }
      break;
    case TokenKind::kText: {
      // Digits, or one letter, in text are what they show.
      const std::string inner = fold_words(token.text);
      if (is_op("_", 1) && inner.size() <= 40) {
        i_ += 2;
        const std::string base = raw_group();
        if (all_digits(base) && base.size() <= 2) {
          std::string digits = inner;
          result = make(Kind::kBase, {}, digits);
          if (result != kBad) {
            e_.nodes.back().columns = static_cast<std::int32_t>(std::stoi(base));
          }
          break;
        }
        bad("a subscript where none is understood");
        break;
      }
      if (is_op("=", 1) && !inner.empty()) {  // "\text{Area} = 16"
        ++i_;
        result = make(Kind::kSymbol, {}, inner);
        break;
      }
      const auto value = rational_from_decimal(inner);
      if (value) {
        ++i_;
        result = number(*value, inner.find('.') != std::string::npos);
        break;
      }
      bad("words where a value is expected");
      break;
    }
    case TokenKind::kWord:
      if (is_op("_", 1)) {  // a name of several letters: value_{1}
        result = make(Kind::kSymbol, {}, token.text);
        ++i_;
        break;
      }
      if (is_op("=", 1)) {
        result = make(Kind::kSymbol, {}, t_[i_++].text);
        break;
      }
      bad(fmt::format("the word '{}' where a value is expected", token.text.substr(0, 40)));
      break;
  }
  --depth_;
  return result;
}

}  // namespace r1eval::parsing
