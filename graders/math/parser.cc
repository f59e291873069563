#include "graders/math/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "graders/bounds.h"
#include "graders/math/canon.h"
#include "graders/math/lexer.h"

namespace r1eval {
namespace {

constexpr std::array<std::string_view, 32> kFunctions = {
    "sin",  "cos", "tan", "cot", "sec",   "csc",  "arcsin", "arccos", "arctan", "sinh", "cosh",
    "tanh", "ln",  "exp", "abs", "floor", "ceil", "gcd",    "lcm",    "max",    "min",  "det",
    "deg",  "arg", "Re",  "Im",  "lg",    "coth", "arccot", "cbrt",   "sgn",    "log"};

constexpr std::array<std::string_view, 34> kSymbols = {
    "alpha",    "beta",    "gamma", "delta",  "epsilon", "varepsilon", "zeta",  "eta",   "theta",
    "vartheta", "iota",    "kappa", "lambda", "mu",      "nu",         "xi",    "rho",   "sigma",
    "tau",      "upsilon", "phi",   "varphi", "chi",     "psi",        "omega", "Gamma", "Delta",
    "Theta",    "Lambda",  "Sigma", "Phi",    "Psi",     "Omega",      "ell"};

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct Factors;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : t_(std::move(tokens)) {}

  Result<Expression> run();

 private:
  using Id = std::int32_t;
  static constexpr Id kBad = -1;

  // --- tokens
  bool done() const { return i_ >= t_.size(); }

  bool is_op(std::string_view text, std::size_t k = 0) const {
    return i_ + k < t_.size() && t_[i_ + k].kind == TokenKind::kOperator && t_[i_ + k].text == text;
  }

  bool is_command(std::string_view text, std::size_t k = 0) const {
    return i_ + k < t_.size() && t_[i_ + k].kind == TokenKind::kCommand && t_[i_ + k].text == text;
  }

  bool is_kind(TokenKind kind, std::size_t k = 0) const {
    return i_ + k < t_.size() && t_[i_ + k].kind == kind;
  }

  bool accept(std::string_view op) {
    if (is_op(op)) {
      ++i_;
      return true;
    }
    return false;
  }

  Id bad(std::string why) {
    if (why_.empty()) {
      why_ = std::move(why);
    }
    return kBad;
  }

  Id make(Kind kind, std::vector<Id> children = {}, std::string text = "") {
    if (static_cast<std::int64_t>(e_.nodes.size()) >= bounds::kMaxNodes) {
      return bad("the expression has too many parts");
    }
    Node node;
    node.kind = kind;
    node.children = std::move(children);
    node.text = std::move(text);
    return e_.add(std::move(node));
  }

  Id number(Rational value, bool is_decimal = false) {
    const Id id = make(Kind::kNumber);
    if (id != kBad) {
      e_.nodes.back().value = std::move(value);
      e_.nodes.back().is_decimal = is_decimal;
    }
    return id;
  }

  // --- grammar, loosest first
  Id answers();
  Id relation();
  Id set_expression();
  Id sum();
  Id product();
  Id unary();
  Id powers();
  Id primary();
  Id command();
  Id brackets();
  Id matrix();
  Id group();
  Id argument();
  Id function(std::string name);
  Id separated_words();
  Id integral();
  Id repeated(const std::string& name);
  Id limit();
  Id reduce_gcd(bool is_lcm, const std::vector<Id>& arguments);
  bool split_factors(Id id, int exponent, Factors& out, int depth);
  std::string serial(Id id) const;
  Id multiply(Id a, Id b);
  Id add_terms(Id a, Id b);
  Id scalar(Id id) const;
  void rename_symbol(Id from, const std::string& name, const std::string& to);
  bool is_modulo() const;
  std::string relation_operator();
  bool starts_primary() const;
  bool at_separator();
  bool unit_follows() const;
  bool unit_is_and() const;
  std::string raw_group();

  std::vector<Token> t_;
  std::size_t i_ = 0;
  Expression e_;
  std::string why_;
  std::int64_t depth_ = 0;
  int bars_ = 0;
  int bound_ = 0;  // bound variables so far: each gets a name of its own, so that renaming agrees
  bool in_function_ = false;
};

// A product as a rational coefficient and powers of everything else, by its serial text.
struct Factors {
  struct Power {
    std::int32_t base;
    int exponent;
  };

  Rational coefficient{Integer(1)};
  std::map<std::string, Power> powers;
};

std::string Parser::serial(Id id) const {
  const Node& n = e_.at(id);
  std::string out = std::to_string(static_cast<int>(n.kind)) + n.text;
  if (n.kind == Kind::kNumber) {
    out += print_rational(n.value);
  }
  out += '(';
  for (const Id kid : n.children) {
    out += serial(kid) + ",";
    if (out.size() > 4096) {
      break;
    }
  }
  return out + ")";
}

bool Parser::split_factors(Id id, int exponent, Factors& out, int depth) {
  if (depth > 64) {
    return false;
  }
  if (const auto exact = exact_value(e_, id)) {
    if (exact->is_zero() && exponent < 0) {
      return false;
    }
    const auto raised = power(*exact, exponent);
    if (!raised) {
      return false;
    }
    out.coefficient = out.coefficient * *raised;
    return out.coefficient.is_small();
  }
  const Node n = e_.at(id);
  if (n.kind == Kind::kNegative) {
    out.coefficient = -out.coefficient;
    return split_factors(n.children[0], exponent, out, depth + 1);
  }
  if (n.kind == Kind::kProduct) {
    return split_factors(n.children[0], exponent, out, depth + 1) &&
           split_factors(n.children[1], exponent, out, depth + 1);
  }
  if (n.kind == Kind::kQuotient) {
    return split_factors(n.children[0], exponent, out, depth + 1) &&
           split_factors(n.children[1], -exponent, out, depth + 1);
  }
  if (n.kind == Kind::kPower) {
    const auto e = exact_value(e_, n.children[1]);
    const auto small = e ? e->small_int() : std::nullopt;
    if (small && std::abs(*small) < 1000) {
      return split_factors(n.children[0], exponent * static_cast<int>(*small), out, depth + 1);
    }
  }
  auto [it, is_new] = out.powers.emplace(serial(id), Factors::Power{id, 0});
  it->second.exponent += exponent;
  return true;
}

// gcd and lcm of products of rationals and other factors. Over the rationals the coefficient of a
// product with factors is a unit; lcm(a, b) = a b / gcd(a, b), as computer algebra systems have it.
Parser::Id Parser::reduce_gcd(bool is_lcm, const std::vector<Id>& arguments) {
  std::vector<Factors> parts;
  bool has_factors = false;
  bool has_fraction = false;
  for (const Id argument : arguments) {
    Factors one;
    if (!split_factors(argument, 1, one, 0)) {
      return kBad;
    }
    has_factors = has_factors || !one.powers.empty();
    has_fraction = has_fraction || !one.coefficient.is_integer();
    parts.push_back(std::move(one));
  }
  const auto gcd_of = [](const Rational& a, const Rational& b) {
    return Rational(gcd(a.num * b.den, b.num * a.den), a.den * b.den);
  };
  Factors total = parts[0];
  for (std::size_t k = 1; k < parts.size(); ++k) {
    const Factors& next = parts[k];
    Factors common;
    common.coefficient = gcd_of(total.coefficient, next.coefficient);
    for (const auto& [key, factor] : total.powers) {
      const auto other = next.powers.find(key);
      if (other != next.powers.end()) {
        common.powers[key] = {factor.base, std::min(factor.exponent, other->second.exponent)};
      }
    }
    if (!is_lcm) {
      total = std::move(common);
    } else if (common.coefficient.is_zero()) {
      total.coefficient = Rational();
    } else {
      total.coefficient = total.coefficient * next.coefficient *
                          Rational(common.coefficient.den, common.coefficient.num);
      for (const auto& [key, factor] : next.powers) {
        auto [it, is_new] = total.powers.emplace(key, Factors::Power{factor.base, 0});
        it->second.exponent += factor.exponent;
      }
      for (const auto& [key, factor] : common.powers) {
        total.powers[key].exponent -= factor.exponent;
      }
    }
    if (!total.coefficient.is_small()) {
      return kBad;
    }
  }
  if (!is_lcm || parts.size() == 1) {
    total.coefficient = absolute(total.coefficient);
  }
  if (has_factors && has_fraction && !total.coefficient.is_zero()) {
    total.coefficient = Rational(Integer(1));
  }
  Id result = number(total.coefficient);
  for (const auto& [key, factor] : total.powers) {
    if (result == kBad || factor.exponent == 0) {
      continue;
    }
    Id one = factor.base;
    if (factor.exponent != 1) {
      const Id exponent = number(Rational(Integer(factor.exponent)));
      one = exponent == kBad ? kBad : make(Kind::kPower, {one, exponent});
    }
    result = one == kBad ? kBad : make(Kind::kProduct, {result, one});
  }
  return result;
}

// Square brackets and braces around one value, used as parentheses in arithmetic.
Parser::Id Parser::scalar(Id id) const {
  const Node& n = e_.at(id);
  const bool is_bracket =
      (n.kind == Kind::kTuple || n.kind == Kind::kSet) && n.children.size() == 1;
  return is_bracket ? n.children[0] : id;
}

// Products and sums of matrices are carried out, so that only entries are left to compare.
Parser::Id Parser::multiply(Id a, Id b) {
  a = scalar(a);
  b = scalar(b);
  const bool left = e_.at(a).kind == Kind::kMatrix;
  const bool right = e_.at(b).kind == Kind::kMatrix;
  if (!left && !right) {
    return make(Kind::kProduct, {a, b});
  }
  const Node x = e_.at(a);
  const Node y = e_.at(b);
  std::vector<Id> cells;
  std::int32_t columns = 0;
  if (left != right) {
    const Node& matrix = left ? x : y;
    columns = matrix.columns;
    for (const Id cell : matrix.children) {
      const Id product = make(Kind::kProduct, {left ? b : a, cell});
      if (product == kBad) {
        return kBad;
      }
      cells.push_back(product);
    }
  } else {
    const auto inner = static_cast<std::size_t>(x.columns);
    columns = y.columns;
    if (inner * static_cast<std::size_t>(columns) != y.children.size()) {
      return bad("a product of matrices whose shapes do not fit");
    }
    const std::size_t rows = x.children.size() / inner;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < static_cast<std::size_t>(columns); ++c) {
        std::vector<Id> terms;
        for (std::size_t k = 0; k < inner; ++k) {
          terms.push_back(make(
              Kind::kProduct,
              {x.children[r * inner + k], y.children[k * static_cast<std::size_t>(columns) + c]}));
          if (terms.back() == kBad) {
            return kBad;
          }
        }
        const Id cell = make(Kind::kSum, std::move(terms));
        if (cell == kBad) {
          return kBad;
        }
        cells.push_back(cell);
      }
    }
  }
  const Id id = make(Kind::kMatrix, std::move(cells));
  if (id != kBad) {
    e_.nodes.back().columns = columns;
  }
  return id;
}

Parser::Id Parser::add_terms(Id a, Id b) {
  const Node x = e_.at(a);
  bool minus = false;
  Id right = b;
  if (e_.at(right).kind == Kind::kNegative) {
    minus = true;
    right = e_.at(right).children[0];
  }
  const Node y = e_.at(right);
  if (x.kind != Kind::kMatrix || y.kind != Kind::kMatrix || x.columns != y.columns ||
      x.children.size() != y.children.size()) {
    return make(Kind::kSum, {scalar(a), b});
  }
  std::vector<Id> cells;
  for (std::size_t k = 0; k < x.children.size(); ++k) {
    Id other = y.children[k];
    other = minus ? make(Kind::kNegative, {other}) : other;
    const Id cell = other == kBad ? kBad : make(Kind::kSum, {x.children[k], other});
    if (cell == kBad) {
      return kBad;
    }
    cells.push_back(cell);
  }
  const Id id = make(Kind::kMatrix, std::move(cells));
  if (id != kBad) {
    e_.nodes.back().columns = x.columns;
  }
  return id;
}

bool Parser::is_modulo() const {
  return is_command("mod") || is_command("bmod") ||
         (is_kind(TokenKind::kWord) && t_[i_].text == "mod");
}

// Nodes added since `from` that are this symbol get another name.
void Parser::rename_symbol(Id from, const std::string& name, const std::string& to) {
  for (auto k = static_cast<std::size_t>(from); k < e_.nodes.size(); ++k) {
    if (e_.nodes[k].kind == Kind::kSymbol && e_.nodes[k].text == name) {
      e_.nodes[k].text = to;
    }
  }
}

// \int_a^b f dx. The bound variable of a definite integral is renamed; an indefinite one keeps it.
Parser::Id Parser::integral() {
  Id lower = kBad;
  Id upper = kBad;
  for (int k = 0; k < 2; ++k) {
    const bool is_lower = is_op("_");
    if (!is_lower && !is_op("^")) {
      break;
    }
    ++i_;
    if (is_op("{") && is_op("}", 1)) {
      i_ += 2;
      continue;
    }
    const Id bound = argument();
    if (bound == kBad) {
      return kBad;
    }
    (is_lower ? lower : upper) = bound;
  }
  // The differential: "d" and a name beside it.
  std::size_t at = i_;
  int depth = 0;
  int found_depth = 0;
  bool found = false;
  for (; at + 1 < t_.size() && depth >= 0; ++at) {
    const std::string& text = t_[at].text;
    if (t_[at].kind == TokenKind::kOperator) {
      depth += text == "{" || text == "(" || text == "[" || text == "\\{"   ? 1
               : text == "}" || text == ")" || text == "]" || text == "\\}" ? -1
                                                                            : 0;
    }
    if (t_[at].kind == TokenKind::kLetter && text == "d" && !t_[at + 1].space_before &&
        (t_[at + 1].kind == TokenKind::kLetter ||
         (t_[at + 1].kind == TokenKind::kCommand && contains(kSymbols, t_[at + 1].text)))) {
      found = true;
      found_depth = depth;
      break;
    }
  }
  std::string variable = "x";
  if (found) {
    variable = t_[at + 1].text;
    const bool alone = at > 0 && is_op("{", at - 1 - i_) && at >= i_ + 1 && at + 2 < t_.size() &&
                       t_[at + 2].text == "}";
    if (found_depth == 0) {
      t_[at] = {TokenKind::kOperator, "d", false};
      t_.erase(t_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    } else if (alone) {
      t_[at] = {TokenKind::kNumber, "1", false};
      t_.erase(t_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    } else {
      t_.erase(t_.begin() + static_cast<std::ptrdiff_t>(at),
               t_.begin() + static_cast<std::ptrdiff_t>(at) + 2);
    }
  }
  const auto first = static_cast<Id>(e_.nodes.size());
  Id body = kBad;
  if (found && found_depth == 0) {
    body = is_op("d") ? number(Rational(Integer(1))) : sum();
    if (body != kBad && !accept("d")) {
      return bad("an integral's end is not understood");
    }
  } else {
    body = product();
  }
  if (body == kBad) {
    return kBad;
  }
  body = scalar(body);
  if (lower == kBad || upper == kBad) {
    const Id name = make(Kind::kSymbol, {}, variable);
    return name == kBad ? kBad : make(Kind::kFunction, {body, name}, "antiderivative");
  }
  rename_symbol(first, variable, "@" + std::to_string(bound_++));
  return make(Kind::kFunction, {body, lower, upper}, "integral");
}

// \sum_{k=a}^{b} and \prod: children body, from, to; the bound variable is "@N", N in columns.
Parser::Id Parser::repeated(const std::string& name) {
  Id lower = kBad;
  Id upper = kBad;
  for (int k = 0; k < 2; ++k) {
    const bool is_lower = is_op("_");
    if (!is_lower && !is_op("^")) {
      break;
    }
    ++i_;
    const Id bound = argument();
    if (bound == kBad) {
      return kBad;
    }
    (is_lower ? lower : upper) = bound;
  }
  const auto first = static_cast<Id>(e_.nodes.size());
  const bool outer = in_function_;
  in_function_ = false;
  Id body = product();
  in_function_ = outer;
  if (body == kBad) {
    return kBad;
  }
  body = scalar(body);
  std::vector<Id> children = {body};
  const int number_of_bound = bound_;
  if (lower != kBad) {
    const Node& from = e_.at(lower);
    if (from.kind == Kind::kRelation && from.text == "=" &&
        e_.at(from.children[0]).kind == Kind::kSymbol) {
      const std::string variable = e_.at(from.children[0]).text;
      lower = from.children[1];
      rename_symbol(first, variable, "@" + std::to_string(bound_++));
    } else if (from.kind == Kind::kRelation && from.text == "=" &&
               e_.at(from.children[0]).kind == Kind::kConstant &&
               e_.at(from.children[0]).text == "i") {
      lower = from.children[1];
      for (auto k = static_cast<std::size_t>(first); k < e_.nodes.size(); ++k) {
        if (e_.nodes[k].kind == Kind::kConstant && e_.nodes[k].text == "i") {
          e_.nodes[k].kind = Kind::kSymbol;
          e_.nodes[k].text = "@" + std::to_string(number_of_bound);
        }
      }
      ++bound_;
    }
    children.push_back(lower);
  }
  if (upper != kBad) {
    children.push_back(upper);
  }
  const Id id = make(Kind::kFunction, std::move(children), name);
  if (id != kBad) {
    e_.nodes.back().columns = bound_ > number_of_bound ? number_of_bound : -1;
  }
  return id;
}

// \lim_{x \to a} f
Parser::Id Parser::limit() {
  if (!accept("_") || !accept("{") || !is_kind(TokenKind::kLetter)) {
    return bad("a limit whose variable is not understood");
  }
  const std::string variable = t_[i_++].text;
  if (!is_command("to") && !is_command("rightarrow")) {
    return bad("a limit whose variable is not understood");
  }
  ++i_;
  const Id target = sum();
  std::string side;
  if (target != kBad && is_op("^")) {
    ++i_;
    side = raw_group();
  }
  if (target == kBad || !accept("}")) {
    return bad("a limit's target is not understood");
  }
  const auto first = static_cast<Id>(e_.nodes.size());
  const Id body = product();
  if (body == kBad) {
    return kBad;
  }
  rename_symbol(first, variable, "@" + std::to_string(bound_++));
  return make(Kind::kFunction, {body, target}, "limit" + side);
}

std::string Parser::relation_operator() {
  if (done()) {
    return "";
  }
  const Token& token = t_[i_];
  if (token.kind == TokenKind::kOperator &&
      (token.text == "=" || token.text == "<" || token.text == ">")) {
    return token.text;
  }
  if (token.kind == TokenKind::kCommand) {
    static constexpr std::array<std::array<std::string_view, 2>, 16> kNames = {{{"le", "l"},
                                                                                {"leq", "l"},
                                                                                {"ge", "g"},
                                                                                {"geq", "g"},
                                                                                {"ne", "n"},
                                                                                {"neq", "n"},
                                                                                {"lt", "<"},
                                                                                {"gt", ">"},
                                                                                {"leqslant", "l"},
                                                                                {"geqslant", "g"},
                                                                                {"in", "i"},
                                                                                {"approx", "~"},
                                                                                {"simeq", "~"},
                                                                                {"equiv", "e"},
                                                                                {"cong", "e"},
                                                                                {"notin", "o"}}};
    for (const auto& [name, code] : kNames) {
      if (token.text == name) {
        return std::string(code);
      }
    }
  }
  return "";
}

bool Parser::at_separator() {
  if (is_op(",") || is_op(";")) {
    ++i_;
    if (is_kind(TokenKind::kText) || is_kind(TokenKind::kWord)) {
      const std::string word = fold_words(t_[i_].text);
      if (word == "and" || word == "or") {
        ++i_;
      }
    }
    return true;
  }
  if (is_kind(TokenKind::kText) || is_kind(TokenKind::kWord)) {
    const std::string word = fold_words(t_[i_].text);
    if ((word == "and" || word == "or") && i_ + 1 < t_.size()) {
      ++i_;
      return true;
    }
  }
  return false;
}

// Is what follows words or a unit up to the end of the answer (or the next separator)?
bool Parser::unit_follows() const {
  if (!(is_kind(TokenKind::kText) || is_kind(TokenKind::kWord))) {
    return false;
  }
  const std::string word = fold_words(t_[i_].text);
  return word != "and" && word != "or";
}

bool Parser::unit_is_and() const {
  return (is_kind(TokenKind::kText) || is_kind(TokenKind::kWord)) &&
         (fold_words(t_[i_].text) == "and" || fold_words(t_[i_].text) == "or");
}

Parser::Id Parser::answers() {
  std::vector<Id> members;
  std::vector<std::size_t> group_ends;  // where a semicolon stood
  bool only_commas = true;
  while (!done()) {
    Id member = relation();
    if (member == kBad) {
      return kBad;
    }
    // A unit or explaining words after a complete value.
    if (unit_follows()) {
      std::string unit;
      while (!done() && !is_op(",") && !is_op(";")) {
        const std::string word = fold_words(t_[i_].text);
        if (is_kind(TokenKind::kText) || is_kind(TokenKind::kWord)) {
          if (word == "and" || word == "or") {
            break;
          }
        }
        unit += (unit.empty() || t_[i_].kind == TokenKind::kOperator ? "" : " ") + word;
        if (is_op("^") || is_op("{") || is_op("}") || is_op("/") || is_op("_")) {
          unit += t_[i_].text;
        }
        ++i_;
      }
      if (unit == "percent" || unit == "pct" || unit == "percentage" || unit == "per cent") {
        member = make(Kind::kPercent, {member});
      } else if (unit == "degrees" || unit == "degree" || unit == "deg") {
        member = make(Kind::kDegree, {member});
      } else if (unit == "million" || unit == "billion" || unit == "thousand" ||
                 unit == "million dollars") {
        const Id factor = number(Rational(Integer(unit == "billion"    ? 1000000000
                                                  : unit == "thousand" ? 1000
                                                                       : 1000000)));
        member = make(Kind::kProduct, {member, factor});
      } else {
        member = make(Kind::kUnit, {member}, unit);
      }
      if (member == kBad) {
        return kBad;
      }
    }
    members.push_back(member);
    if (static_cast<std::int64_t>(members.size()) > bounds::kMaxSetMembers) {
      return bad("too many answers in a list");
    }
    if (done()) {
      break;
    }
    only_commas = only_commas && is_op(",");
    const bool and_between =
        unit_is_and() && e_.at(members.back()).kind == Kind::kRelation && members.size() > 1;
    if (is_op(";") || and_between) {
      group_ends.push_back(members.size());
    }
    if (!at_separator()) {
      return bad(fmt::format("'{}' is not understood here", t_[i_].text.substr(0, 40)));
    }
  }
  if (members.empty()) {
    return bad("there is nothing to read");
  }
  if (members.size() == 1) {
    return members[0];
  }
  // "p = 5, q = 2; p = 7, q = 2": groups of as many members between semicolons are tuples.
  if (!group_ends.empty() && group_ends[0] > 1) {
    const std::size_t width = group_ends[0];
    bool regular = members.size() == width * (group_ends.size() + 1);
    for (std::size_t k = 0; k < group_ends.size(); ++k) {
      regular = regular && group_ends[k] == width * (k + 1);
    }
    if (regular) {
      std::vector<Id> tuples;
      for (std::size_t k = 0; k < members.size(); k += width) {
        const auto from = members.begin() + static_cast<std::ptrdiff_t>(k);
        tuples.push_back(make(
            Kind::kTuple, std::vector<Id>(from, from + static_cast<std::ptrdiff_t>(width)), "()"));
        if (tuples.back() == kBad) {
          return kBad;
        }
      }
      members = std::move(tuples);
    }
  }
  return make(Kind::kList, std::move(members), only_commas ? "," : ";");
}

Parser::Id Parser::relation() {
  std::vector<Id> sides;
  std::string operators;
  Id left = set_expression();
  if (left == kBad) {
    return kBad;
  }
  sides.push_back(left);
  while (true) {
    std::string op = relation_operator();
    if (op.empty()) {
      break;
    }
    ++i_;
    // "\le q" and the like: "=" after "<" or ">" was one operator in the text.
    if (op == "o") {
      return bad("non-membership is not judged");
    }
    const Id right = set_expression();
    if (right == kBad) {
      return kBad;
    }
    operators += op;
    sides.push_back(right);
    if (op == "e") {
      // a \equiv b \pmod m, also with "(mod m)" in plain parentheses
      const std::size_t start = i_;
      const bool parenthesis = accept("(");
      if (is_command("pmod") || is_modulo()) {
        ++i_;
        const Id modulus = is_op("{") ? group() : sum();
        if (modulus == kBad || (parenthesis && !accept(")"))) {
          return bad("a modulus is not understood");
        }
        if (operators.size() != 1) {
          return bad("a chain of congruences is not judged");
        }
        sides.push_back(modulus);
        return make(Kind::kRelation, std::move(sides), "m");
      }
      i_ = start;
    }
  }
  if (operators.empty()) {
    if (is_command("choose")) {
      ++i_;
      const Id below = set_expression();
      return below == kBad ? kBad : make(Kind::kFunction, {left, below}, "binomial");
    }
    return left;
  }
  return make(Kind::kRelation, std::move(sides), operators);
}

Parser::Id Parser::set_expression() {
  Id left = sum();
  for (std::int64_t members = 0; left != kBad; ++members) {
    if (members > bounds::kMaxPostfixes) {
      return bad("too many members of a union");
    }
    Kind kind;
    if (is_command("cup")) {
      kind = Kind::kUnion;
    } else if (is_command("cap")) {
      kind = Kind::kIntersection;
    } else if (is_command("setminus") || is_command("backslash")) {
      kind = Kind::kDifference;
    } else if (is_op(":") && i_ + 1 < t_.size()) {
      ++i_;
      const Id right = sum();
      if (right == kBad) {
        return kBad;
      }
      if (e_.at(left).kind == Kind::kRatio) {
        e_.nodes[static_cast<std::size_t>(left)].children.push_back(right);
      } else {
        left = make(Kind::kRatio, {left, right});
      }
      continue;
    } else {
      break;
    }
    ++i_;
    Id right = sum();
    // "{0.5}" lost its backslashes on the way
    const auto as_set = [&](Id id) {
      return id != kBad && e_.at(id).kind == Kind::kNumber ? make(Kind::kSet, {id}) : id;
    };
    right = as_set(right);
    left = as_set(left);
    left = right == kBad || left == kBad ? kBad : make(kind, {left, right});
  }
  return left;
}

Parser::Id Parser::sum() {
  if (++depth_ > bounds::kMaxNesting) {
    return bad("the expression is nested too deeply");
  }
  std::vector<Id> terms;
  Id left = kBad;
  if (is_command("pm") || is_command("mp")) {
    const std::string sign = is_command("pm") ? "+" : "-";
    ++i_;
    const Id kid = product();
    left = kid == kBad ? kBad : make(Kind::kPlusMinus, {kid}, sign);
  } else {
    left = product();
  }
  std::int64_t plus_minus = 0;
  while (left != kBad) {
    if (is_op("+") || is_op("-")) {
      const bool minus = is_op("-");
      ++i_;
      Id right = product();
      if (right != kBad && minus) {
        right = make(Kind::kNegative, {right});
      }
      if (right == kBad) {
        left = kBad;
      } else if (e_.at(left).kind == Kind::kSum && !terms.empty()) {
        e_.nodes[static_cast<std::size_t>(left)].children.push_back(right);
      } else {
        left = add_terms(left, scalar(right));
        if (left != kBad && e_.at(left).kind == Kind::kSum) {
          terms.push_back(left);
        }
      }
    } else if (is_command("pm") || is_command("mp")) {
      if (++plus_minus > bounds::kMaxPlusMinus) {
        return bad("too many plus-minus signs");
      }
      const std::string sign = is_command("pm") ? "+" : "-";
      ++i_;
      const Id right = product();
      left = right == kBad ? kBad : make(Kind::kPlusMinus, {left, right}, sign);
      terms.clear();
    } else {
      break;
    }
  }
  --depth_;
  return left;
}

bool Parser::starts_primary() const {
  if (done()) {
    return false;
  }
  const Token& token = t_[i_];
  switch (token.kind) {
    case TokenKind::kNumber:
    case TokenKind::kLetter:
      return true;
    case TokenKind::kWord:
    case TokenKind::kText:
      return false;
    case TokenKind::kOperator:
      return token.text == "(" || token.text == "{" || (token.text == "|" && bars_ == 0) ||
             (token.text == "[" && false);
    case TokenKind::kCommand:
      break;
  }
  static constexpr std::array<std::string_view, 12> kPrimary = {
      "frac",  "dfrac", "tfrac",  "cfrac",  "sqrt",   "pi",
      "infty", "binom", "dbinom", "tbinom", "lfloor", "lceil"};
  return contains(kPrimary, token.text) || contains(kFunctions, token.text) ||
         contains(kSymbols, token.text) || token.text == "vec" || token.text == "hat" ||
         token.text == "lvert" || token.text == "begin" || token.text == "overline" ||
         token.text == "bar" || token.text == "sum" || token.text == "prod" ||
         token.text == "int" || token.text == "lim" || token.text == "partial";
}

Parser::Id Parser::product() {
  Id left = unary();
  for (std::int64_t factors = 0; left != kBad; ++factors) {
    if (factors > bounds::kMaxFactors) {
      return bad("too many factors in a product");
    }
    if (is_op("*") || is_command("cdot") || is_command("times") || is_command("ast")) {
      ++i_;
      const Id right = unary();
      left = right == kBad ? kBad : multiply(left, right);
    } else if (is_op("/") || is_command("div")) {
      ++i_;
      const Id right = unary();
      left = right == kBad ? kBad : make(Kind::kQuotient, {scalar(left), scalar(right)});
    } else if (is_modulo() && i_ + 1 < t_.size()) {
      ++i_;
      const Id right = unary();
      left = right == kBad ? kBad : make(Kind::kFunction, {scalar(left), scalar(right)}, "mod");
    } else if ((is_op("[") && is_command("begin", 1)) ||
               ((is_op("[") || is_op("\\{")) &&
                (scalar(left) != left || e_.at(left).kind == Kind::kMatrix))) {
      const Id right = powers();  // [1 + 2][3 - 4]
      left = right == kBad ? kBad : multiply(left, right);
    } else if (starts_primary()) {
      if (in_function_ && is_kind(TokenKind::kCommand) && contains(kFunctions, t_[i_].text)) {
        break;
      }
      // "1 1/2" and "1\frac12" are mixed numbers; "2 3" is not a product.
      const bool integer_left = e_.at(left).kind == Kind::kNumber &&
                                e_.at(left).value.is_integer() && !e_.at(left).is_decimal;
      if (is_kind(TokenKind::kNumber)) {
        if (integer_left && is_op("/", 1) && is_kind(TokenKind::kNumber, 2) &&
            all_digits(t_[i_].text) && all_digits(t_[i_ + 2].text)) {
          const Id top = powers();
          ++i_;
          const Id bottom = powers();
          const Id fraction =
              top == kBad || bottom == kBad ? kBad : make(Kind::kQuotient, {top, bottom});
          left = fraction == kBad ? kBad : make(Kind::kSum, {left, fraction});
          continue;
        }
        if (integer_left || e_.at(left).kind == Kind::kNumber) {
          return bad("two numbers side by side");
        }
      }
      const bool fraction_next = is_command("frac") || is_command("dfrac") || is_command("tfrac");
      const Id right = powers();
      if (right == kBad) {
        return kBad;
      }
      const Node& node = e_.at(right);
      const bool mixed = integer_left && fraction_next && node.kind == Kind::kQuotient &&
                         e_.at(node.children[0]).kind == Kind::kNumber &&
                         e_.at(node.children[1]).kind == Kind::kNumber;
      left = mixed ? make(Kind::kSum, {left, right}) : multiply(left, right);
    } else {
      break;
    }
  }
  return left;
}

Parser::Id Parser::unary() {
  if (is_op("-") || is_op("+")) {
    bool minus = false;
    std::int64_t signs = 0;
    while (is_op("-") || is_op("+")) {
      minus = minus != is_op("-");
      ++i_;
      if (++signs > bounds::kMaxNesting) {
        return bad("too many signs");
      }
    }
    // -2\frac13 is -(2 + 1/3): the sign is taken after the mixed number was read.
    Id kid = powers();
    if (kid != kBad && e_.at(kid).kind == Kind::kNumber && e_.at(kid).value.is_integer() &&
        (is_command("frac") || is_command("dfrac") || is_command("tfrac"))) {
      const Id fraction = powers();
      if (fraction == kBad) {
        return kBad;
      }
      const Node& node = e_.at(fraction);
      const bool mixed = node.kind == Kind::kQuotient &&
                         e_.at(node.children[0]).kind == Kind::kNumber &&
                         e_.at(node.children[1]).kind == Kind::kNumber;
      kid = make(mixed ? Kind::kSum : Kind::kProduct, {kid, fraction});
    }
    return kid == kBad || !minus ? kid : make(Kind::kNegative, {kid});
  }
  return powers();
}

std::string Parser::raw_group() {
  std::string text;
  if (accept("{")) {
    int depth = 1;
    while (!done()) {
      if (is_op("{")) {
        ++depth;
      } else if (is_op("}") && --depth == 0) {
        ++i_;
        break;
      }
      text += t_[i_++].text;
    }
  } else if (!done()) {
    text = t_[i_++].text;
  }
  return text;
}

Parser::Id Parser::powers() {
  const std::size_t start = i_;
  Id base = primary();
  for (std::int64_t postfixes = 0; base != kBad; ++postfixes) {
    if (postfixes > bounds::kMaxPostfixes) {
      return bad("too many signs after a value");
    }
    if (is_op("^")) {
      ++i_;
      std::size_t k = is_op("{") ? 1 : 0;
      if (is_command("circ", k) || is_command("degree", k)) {
        i_ += k + 1;
        if (k == 1 && !accept("}")) {
          return bad("a degree sign with more in its exponent");
        }
        base = make(Kind::kDegree, {base});
        continue;
      }
      if (is_op("'", k) || is_command("prime", k)) {
        return bad("derivatives are not judged");
      }
      const bool was_matrix = e_.at(base).kind == Kind::kMatrix;
      if (was_matrix && i_ + k < t_.size() &&
          (t_[i_ + k].text == "T" || t_[i_ + k].text == "top")) {
        i_ += k + 1;
        if (k == 1) {
          accept("}");
        }
        Node matrix = e_.at(base);
        const auto columns = static_cast<std::size_t>(matrix.columns);
        const std::size_t rows = matrix.children.size() / columns;
        Node turned;
        turned.kind = Kind::kMatrix;
        turned.columns = static_cast<std::int32_t>(rows);
        for (std::size_t c = 0; c < columns; ++c) {
          for (std::size_t r = 0; r < rows; ++r) {
            turned.children.push_back(matrix.children[r * columns + c]);
          }
        }
        base = e_.add(std::move(turned));
        continue;
      }
      if ((is_op("+", k) || is_op("-", k)) && e_.at(base).kind == Kind::kSymbol &&
          e_.at(base).text.starts_with("R")) {
        e_.nodes[static_cast<std::size_t>(base)].text += t_[i_ + k].text;
        i_ += k + 1;
        if (k == 1) {
          accept("}");
        }
        continue;
      }
      if (++depth_ > bounds::kMaxNesting) {
        return bad("powers are nested too deeply");
      }
      const bool outer = in_function_;
      in_function_ = false;
      Id exponent = kBad;
      if (is_op("{")) {
        exponent = group();
      } else if (is_op("-")) {
        ++i_;
        const Id kid = primary();
        exponent = kid == kBad ? kBad : make(Kind::kNegative, {kid});
      } else {
        exponent = primary();
        if (exponent != kBad && is_op("^")) {  // 9^9^9 is 9^(9^9)
          ++i_;
          const Id upper = is_op("{") ? group() : powers();
          exponent = upper == kBad ? kBad : make(Kind::kPower, {exponent, upper});
        }
      }
      in_function_ = outer;
      --depth_;
      base = exponent == kBad ? kBad : make(Kind::kPower, {scalar(base), exponent});
    } else if (is_command("degree") || is_command("circ")) {
      ++i_;
      base = make(Kind::kDegree, {base});
    } else if (is_op("!")) {
      ++i_;
      base = make(Kind::kFunction, {base}, "factorial");
    } else if (is_op("%")) {
      ++i_;
      base = make(Kind::kPercent, {base});
    } else if (is_op("_")) {
      ++i_;
      // x^{2}_{i}: the subscript belongs to what was raised
      const Node& outermost = e_.at(base);
      const bool raised =
          outermost.kind == Kind::kPower && e_.at(outermost.children[0]).kind == Kind::kSymbol;
      Node& node = e_.nodes[static_cast<std::size_t>(raised ? outermost.children[0] : base)];
      const std::string sub = raw_group();
      if (node.kind == Kind::kSymbol) {
        node.text += "_" + sub;
      } else if (node.kind == Kind::kNumber && i_ >= start + 2 && all_digits(t_[start].text) &&
                 all_digits(sub) && sub.size() <= 2) {
        node.kind = Kind::kBase;
        node.text = t_[start].text;
        node.columns = static_cast<std::int32_t>(std::stoi(sub));
      } else if (node.kind == Kind::kConstant) {
        node.kind = Kind::kSymbol;
        node.text += "_" + sub;
      } else {
        return bad("a subscript where none is understood");
      }
    } else if (is_op("'")) {
      return bad("derivatives are not judged");
    } else {
      break;
    }
  }
  return base;
}

Parser::Id Parser::group() {
  if (!accept("{")) {
    return bad("a group in braces is missing");
  }
  if (is_op("}")) {
    return bad("an empty group");
  }
  std::vector<Id> members;
  while (true) {
    const Id member = relation();
    if (member == kBad) {
      return kBad;
    }
    members.push_back(member);
    if (!is_op(",") && !is_op(";")) {
      break;
    }
    ++i_;
    if (static_cast<std::int64_t>(members.size()) > bounds::kMaxSetMembers) {
      return bad("too many members in a set");
    }
  }
  // "{a \over b}"
  if (is_command("over") && members.size() == 1) {
    ++i_;
    const Id below = sum();
    if (below == kBad) {
      return kBad;
    }
    members[0] = make(Kind::kQuotient, {members[0], below});
  }
  if (!done() && !accept("}")) {
    return bad(fmt::format("'{}' is not understood here", t_[i_].text.substr(0, 40)));
  }
  return members.size() == 1 ? members[0] : make(Kind::kSet, std::move(members));
}

// A command's argument: a group, one digit of a number, or one token.
Parser::Id Parser::argument() {
  if (is_op("{")) {
    return group();
  }
  if (is_kind(TokenKind::kNumber)) {
    Token& token = t_[i_];
    if (all_digits(token.text) && token.text.size() > 1) {
      const std::string digit = token.text.substr(0, 1);
      token.text.erase(0, 1);
      return number(*rational_from_decimal(digit));
    }
  }
  return primary();
}

Parser::Id Parser::function(std::string name) {
  if (name == "lg") {
    name = "log";
  }
  Id base = kBad;
  Id exponent = kBad;
  for (int k = 0; k < 2; ++k) {
    if (is_op("_") && base == kBad) {
      ++i_;
      base = is_op("{") ? group() : (is_kind(TokenKind::kNumber) ? primary() : argument());
      if (base == kBad) {
        return kBad;
      }
    } else if (is_op("^") && exponent == kBad) {
      ++i_;
      exponent = is_op("{") ? group() : argument();
      if (exponent == kBad) {
        return kBad;
      }
    }
  }
  std::vector<Id> arguments;
  if (is_op("(") || is_op("[") || is_op("\\{")) {
    const std::string close = is_op("(") ? ")" : is_op("[") ? "]" : "\\}";
    ++i_;
    const bool outer = in_function_;
    in_function_ = false;
    while (true) {
      const Id one = sum();
      if (one == kBad) {
        return kBad;
      }
      arguments.push_back(one);
      if (!is_op(",")) {
        break;
      }
      ++i_;
    }
    in_function_ = outer;
    if (!done() && !accept(close)) {
      return bad("a function's argument is not closed");
    }
  } else {
    const bool outer = in_function_;
    in_function_ = true;
    Id one = kBad;
    if (!done() && (is_op("-") || starts_primary())) {
      one = product();
    } else {
      bad(fmt::format("the function {} has no argument", name));
    }
    in_function_ = outer;
    if (one == kBad) {
      return kBad;
    }
    arguments.push_back(one);
  }
  if (base != kBad) {
    arguments.push_back(base);
  }
  if (arguments.size() == 1 && e_.at(arguments[0]).kind == Kind::kSet &&
      (name == "max" || name == "min" || name == "gcd" || name == "lcm")) {
    arguments = std::vector<Id>(e_.at(arguments[0]).children);  // \max\{1, 2\}
  }
  if ((name == "gcd" || name == "lcm") && !arguments.empty()) {
    const Id reduced = reduce_gcd(name == "lcm", arguments);
    if (reduced != kBad) {
      return reduced;
    }
  }
  Id call = make(Kind::kFunction, std::move(arguments), name);
  if (call != kBad && exponent != kBad) {
    const Node& node = e_.at(exponent);
    if (node.kind == Kind::kNegative) {
      return bad("inverse functions are not judged");
    }
    call = make(Kind::kPower, {call, exponent});
  }
  return call;
}

Parser::Id Parser::brackets() {
  const std::string open = t_[i_].text;
  const bool is_brace = open == "\\{";
  ++i_;
  const int bars = bars_;
  const bool outer = in_function_;
  bars_ = 0;
  in_function_ = false;
  std::vector<Id> members;
  std::string close;
  const auto closes = [&] {
    return is_op(")") || is_op("]") || is_op("\\}") || is_command("rangle") ||
           (open == "]" && is_op("["));
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
  return make(Kind::kTuple, std::move(members), open + close);
}

Parser::Id Parser::matrix() {
  ++i_;  // begin
  std::string name = raw_group();
  if (name == "array") {
    if (is_op("{")) {
      raw_group();
    }
  } else if (name != "pmatrix" && name != "bmatrix" && name != "matrix" && name != "smallmatrix" &&
             name != "Bmatrix") {
    return bad(fmt::format("the environment {} is not judged", name.substr(0, 40)));
  }
  std::vector<Id> cells;
  std::int32_t columns = 0;
  std::int32_t in_row = 0;
  const auto end_row = [&] {
    if (in_row == 0) {
      return true;
    }
    const bool fits = columns == 0 || columns == in_row;
    columns = in_row;
    in_row = 0;
    return fits;
  };
  while (!done() && !is_command("end")) {
    if (accept("\\\\")) {
      if (!end_row()) {
        return bad("a matrix whose rows differ in length");
      }
      continue;
    }
    if (accept("&") || is_command("hline")) {
      i_ += is_command("hline") ? 1 : 0;
      continue;
    }
    const Id cell = relation();
    if (cell == kBad) {
      return kBad;
    }
    cells.push_back(cell);
    ++in_row;
    if (static_cast<std::int64_t>(cells.size()) > bounds::kMaxMatrixCells) {
      return bad("a matrix with too many cells");
    }
    if (!done() && !is_op("&") && !is_op("\\\\") && !is_command("end")) {
      return bad("a matrix cell is not understood");
    }
  }
  if (!end_row() || cells.empty()) {
    return bad("a matrix whose rows differ in length");
  }
  if (is_command("end")) {
    ++i_;
    raw_group();
  }
  const Id id = make(Kind::kMatrix, std::move(cells));
  if (id != kBad) {
    e_.nodes.back().columns = columns;
  }
  return id;
}

Parser::Id Parser::command() {
  const std::string name = t_[i_].text;
  if (name == "begin") {
    return matrix();
  }
  ++i_;
  if (name == "frac" || name == "dfrac" || name == "tfrac" || name == "cfrac") {
    const Id top = argument();
    const Id bottom = top == kBad ? kBad : argument();
    return bottom == kBad ? bad("a fraction lacks a part") : make(Kind::kQuotient, {top, bottom});
  }
  if (name == "sqrt" || name == "cbrt") {
    Id degree = kBad;
    if (is_op("[")) {
      ++i_;
      degree = sum();
      if (degree == kBad || !accept("]")) {
        return bad("a root's degree is not understood");
      }
    }
    Id radicand = kBad;
    if (is_op("{")) {
      radicand = group();
    } else {
      radicand = primary();
    }
    if (radicand == kBad) {
      return kBad;
    }
    if (degree == kBad) {
      degree = number(Rational(Integer(name == "cbrt" ? 3 : 2)));
    }
    return make(Kind::kFunction, {radicand, degree}, "root");
  }
  if (name == "binom" || name == "dbinom" || name == "tbinom") {
    const Id n = argument();
    const Id k = n == kBad ? kBad : argument();
    return k == kBad ? kBad : make(Kind::kFunction, {n, k}, "binomial");
  }
  if (name == "pi") {
    return make(Kind::kConstant, {}, "pi");
  }
  if (name == "infty") {
    return make(Kind::kConstant, {}, "infty");
  }
  if (name == "emptyset" || name == "varnothing") {
    return make(Kind::kSet);
  }
  if (name == "mathbb" || name == "mathcal" || name == "Bbb") {
    return make(Kind::kSymbol, {}, raw_group());
  }
  if (name == "lfloor" || name == "lceil") {
    const Id kid = sum();
    if (kid == kBad || !(is_command(name == "lfloor" ? "rfloor" : "rceil"))) {
      return bad("a floor or ceiling is not closed");
    }
    ++i_;
    return make(Kind::kFunction, {kid}, name == "lfloor" ? "floor" : "ceil");
  }
  if (name == "lvert" || name == "vert") {
    ++bars_;
    const Id kid = sum();
    --bars_;
    if (kid == kBad || !(is_command("rvert") || is_command("vert") || is_op("|"))) {
      return bad("an absolute value is not closed");
    }
    ++i_;
    return make(Kind::kFunction, {kid}, "abs");
  }
  if (name == "langle") {
    --i_;
    return brackets();
  }
  if (name == "vec" || name == "hat" || name == "overline" || name == "bar" ||
      name == "overrightarrow" || name == "tilde") {
    return make(Kind::kSymbol, {}, name + "(" + raw_group() + ")");
  }
  if (name == "angle" || name == "triangle" || name == "therefore") {
    return primary();
  }
  if (name == "int") {
    return integral();
  }
  if (name == "sum" || name == "prod") {
    return repeated(name);
  }
  if (name == "lim") {
    return limit();
  }
  if (name == "partial") {
    return make(Kind::kSymbol, {}, name);
  }
  if (contains(kFunctions, name)) {
    return function(name);
  }
  if (contains(kSymbols, name)) {
    return make(Kind::kSymbol, {}, name);
  }
  return bad(fmt::format("the command \\{} is not understood", name.substr(0, 40)));
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
      ++i_;
      const bool decimal = text.find('.') != std::string::npos;
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
      break;
    }
    case TokenKind::kLetter: {
      const std::string name = token.text;
      ++i_;
      if (name == "e" || name == "i") {
        result = make(Kind::kConstant, {}, name);
      } else if ((name == "f" || name == "g" || name == "h" || name == "F") && is_op("(")) {
        result = function(name);
      } else {
        result = make(Kind::kSymbol, {}, name);
      }
      break;
    }
    case TokenKind::kCommand:
      result = command();
      break;
    case TokenKind::kOperator:
      if (token.text == "(" || token.text == "[" || token.text == "\\{" ||
          (token.text == "]" && i_ == 0)) {
        result = brackets();
      } else if (token.text == "{") {
        const int bars = bars_;
        bars_ = 0;
        result = group();
        bars_ = bars;
      } else if (token.text == "|") {
        ++i_;
        ++bars_;
        const Id kid = sum();
        --bars_;
        if (kid != kBad && accept("|")) {
          result = make(Kind::kFunction, {kid}, "abs");
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
      bad(fmt::format("the word '{}' where a value is expected", token.text.substr(0, 40)));
      break;
  }
  --depth_;
  return result;
}

Result<Expression> Parser::run() {
  // Trailing full stops end a sentence, not an expression.
  while (!t_.empty() && t_.back().kind == TokenKind::kOperator &&
         (t_.back().text == "." || t_.back().text == "," || t_.back().text == ";" ||
          t_.back().text == "\\\\")) {
    t_.pop_back();
  }
  if (t_.empty()) {
    return fail(ErrorCode::kParse, "there is nothing to read");
  }
  // An answer of nothing but words.
  bool any_word = false;
  bool only_words = true;
  std::string words;
  for (const Token& token : t_) {
    const bool is_word = token.kind == TokenKind::kWord || token.kind == TokenKind::kText;
    any_word = any_word || is_word;
    only_words = only_words && (is_word || token.kind == TokenKind::kLetter);
    words += (token.space_before || is_word ? " " : "") + token.text;
  }
  const bool text_is_value =
      t_.size() == 1 && t_[0].kind == TokenKind::kText &&
      (rational_from_decimal(fold_words(t_[0].text)) || fold_words(t_[0].text).size() == 1);
  if (any_word && only_words && !text_is_value) {
    std::string folded = fold_words(words);
    if (folded.size() > 2 && folded.front() == '(' && folded.back() == ')') {
      folded = folded.substr(1, folded.size() - 2);
    }
    if (folded.size() == 1) {
      e_.root = make(Kind::kSymbol, {}, std::string(1, static_cast<char>(std::toupper(folded[0]))));
    } else {
      e_.root = make(Kind::kText, {}, folded);
    }
    return std::move(e_);
  }
  if (t_.size() == 1 && t_[0].kind == TokenKind::kText && fold_words(t_[0].text).size() == 1 &&
      !rational_from_decimal(fold_words(t_[0].text))) {
    std::string letter = t_[0].text;
    letter.erase(
        std::remove_if(letter.begin(), letter.end(),
                       [](char c) { return std::isalpha(static_cast<unsigned char>(c)) == 0; }),
        letter.end());
    e_.root = make(Kind::kSymbol, {}, letter);
    return std::move(e_);
  }
  // "1A_{16}": digits beyond 9, then a base.
  if (t_.size() >= 4 && t_[0].kind == TokenKind::kNumber && t_[1].kind == TokenKind::kLetter) {
    std::string digits;
    std::size_t k = 0;
    while (k < t_.size() &&
           (t_[k].kind == TokenKind::kNumber || t_[k].kind == TokenKind::kLetter)) {
      digits += t_[k++].text;
    }
    i_ = k + 1;
    if (k < t_.size() && t_[k].text == "_" && all_digits(digits.substr(0, 1))) {
      const std::string base = raw_group();
      if (done() && all_digits(base) && base.size() == 2) {
        e_.root = make(Kind::kBase, {}, digits);
        e_.nodes.back().columns = static_cast<std::int32_t>(std::stoi(base));
        return std::move(e_);
      }
    }
    i_ = 0;
  }
  const Id root = answers();
  if (root == kBad) {
    return fail(ErrorCode::kParse, why_.empty() ? "the expression is not understood" : why_);
  }
  e_.root = root;
  e_.exact.clear();  // values found while the tree was still growing
  return std::move(e_);
}

}  // namespace

std::string fold_words(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      while (i + 1 < text.size() && std::isalpha(static_cast<unsigned char>(text[i + 1])) != 0) {
        ++i;
      }
      if (i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == ',')) {
        ++i;
      }
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == '~') {
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else if (c == '$' || c == '{' || c == '}' || c == '*' || c == '"' || c == '`') {
      continue;
    } else {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.' || out.back() == ',' ||
                          out.back() == ';' || out.back() == ':')) {
    out.pop_back();
  }
  return out;
}

Result<Expression> parse_math(std::string_view text) {
  R1_TRY(std::vector<Token> tokens, lex_math(text));
  return Parser(std::move(tokens)).run();
}

}  // namespace r1eval
