#include "graders/math/equality.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "graders/bounds.h"
#include "graders/math/canon.h"
#include "graders/math/lexer.h"
#include "graders/math/parser.h"

namespace r1eval {
namespace {

using Id = std::int32_t;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && is_space(s.front())) {
    s.remove_prefix(1);
  }
  while (!s.empty() && is_space(s.back())) {
    s.remove_suffix(1);
  }
  return s;
}

// One side's tree with the operations that the ladder does on it.
struct Side {
  std::shared_ptr<const Expression> e;
  Id id = -1;

  const Node& node() const { return e->at(id); }

  // A copy of the tree that can be added to.
  std::shared_ptr<Expression> copy() const { return std::make_shared<Expression>(*e); }

  Side at(Id other) const { return {e, other}; }

  Side child(std::size_t k) const { return {e, node().children[k]}; }

  std::size_t size() const { return node().children.size(); }

  Kind kind() const { return node().kind; }
};

bool is_lone_name(const Side& s) {
  switch (s.kind()) {
    case Kind::kSymbol:
      return true;
    case Kind::kFunction:
      return s.node().text.size() == 1 || s.node().text == "abs";
    case Kind::kTuple:
    case Kind::kRatio:
    case Kind::kProduct:
    case Kind::kSum: {
      for (std::size_t k = 0; k < s.size(); ++k) {
        if (!is_lone_name(s.child(k))) {
          return false;
        }
      }
      // A product of capitals names a segment or an angle; a sum of f(…) names a value.
      if (s.kind() == Kind::kSum) {
        return s.child(0).kind() != Kind::kSymbol;
      }
      return s.kind() != Kind::kProduct || s.child(s.size() - 1).kind() != Kind::kSymbol ||
             std::isupper(static_cast<unsigned char>(s.child(s.size() - 1).node().text[0])) != 0;
    }
    default:
      return false;
  }
}

bool same_tree(const Side& a, const Side& b) {
  if (a.kind() != b.kind() || a.node().text != b.node().text || a.size() != b.size() ||
      !(a.node().value == b.node().value) || a.node().columns != b.node().columns) {
    return false;
  }
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!same_tree(a.child(k), b.child(k))) {
      return false;
    }
  }
  return true;
}

bool has_decimal(const Expression& e, Id id) {
  if (e.at(id).is_decimal) {
    return true;
  }
  for (const Id kid : e.at(id).children) {
    if (has_decimal(e, kid)) {
      return true;
    }
  }
  return false;
}

// Chinese numerals always; English number words where the profile asks.
std::optional<Rational> number_from_words(const std::string& text, bool english) {
  static const std::map<std::string, std::int64_t> kChinese = {
      {"零", 0},  {"〇", 0},   {"一", 1},    {"二", 2},    {"两", 2}, {"三", 3},
      {"四", 4},  {"五", 5},   {"六", 6},    {"七", 7},    {"八", 8}, {"九", 9},
      {"十", 10}, {"百", 100}, {"千", 1000}, {"万", 10000}};
  std::int64_t total = 0;
  std::int64_t section = 0;
  std::int64_t digit = -1;
  bool any = false;
  for (std::size_t i = 0; i + 2 < text.size() + 0 || i + 3 == text.size(); i += 3) {
    const auto found = kChinese.find(text.substr(i, 3));
    if (found == kChinese.end() || text.size() > 60) {
      any = false;
      break;
    }
    any = true;
    const std::int64_t v = found->second;
    if (v < 10) {
      digit = digit > 0 && v < 10 ? digit * 10 + v : v;
    } else if (v == 10000) {
      total = (total + section + std::max<std::int64_t>(digit, 0)) * v;
      section = 0;
      digit = -1;
    } else {
      section += (digit < 0 ? 1 : digit) * v;
      digit = -1;
    }
  }
  if (any && text.size() % 3 == 0) {
    return Rational(Integer(total + section + std::max<std::int64_t>(digit, 0)));
  }
  if (!english) {
    return std::nullopt;
  }
  static const std::map<std::string, std::int64_t> kEnglish = {
      {"zero", 0},         {"one", 1},      {"two", 2},        {"three", 3},     {"four", 4},
      {"five", 5},         {"six", 6},      {"seven", 7},      {"eight", 8},     {"nine", 9},
      {"ten", 10},         {"eleven", 11},  {"twelve", 12},    {"thirteen", 13}, {"fourteen", 14},
      {"fifteen", 15},     {"sixteen", 16}, {"seventeen", 17}, {"eighteen", 18}, {"nineteen", 19},
      {"twenty", 20},      {"thirty", 30},  {"forty", 40},     {"fifty", 50},    {"sixty", 60},
      {"seventy", 70},     {"eighty", 80},  {"ninety", 90},    {"hundred", 100}, {"thousand", 1000},
      {"million", 1000000}};
  std::int64_t sum = 0;
  std::int64_t part = 0;
  bool negative = false;
  bool some = false;
  std::string word;
  for (std::size_t i = 0; i <= text.size() && i < 200; ++i) {
    const char c = i < text.size() ? text[i] : ' ';
    if (c != ' ' && c != '-') {
      word += c;
      continue;
    }
    if (word.empty() || word == "and") {
      word.clear();
      continue;
    }
    if ((word == "minus" || word == "negative") && !some) {
      negative = true;
      word.clear();
      continue;
    }
    const auto found = kEnglish.find(word);
    if (found == kEnglish.end()) {
      return std::nullopt;
    }
    some = true;
    const std::int64_t v = found->second;
    if (v == 100) {
      part = std::max<std::int64_t>(part, 1) * 100;
    } else if (v >= 1000) {
      sum += std::max<std::int64_t>(part, 1) * v;
      part = 0;
    } else {
      part += v;
    }
    word.clear();
  }
  if (!some) {
    return std::nullopt;
  }
  return Rational(Integer(negative ? -(sum + part) : sum + part));
}

// The symbols of a tree in the order of their first appearance.
void names_in_order(const Expression& e, Id id, std::vector<std::string>& out) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kSymbol && std::find(out.begin(), out.end(), n.text) == out.end()) {
    out.push_back(n.text);
  }
  for (const Id kid : n.children) {
    names_in_order(e, kid, out);
  }
}

class Ladder {
 public:
  explicit Ladder(const MathRules& rules) : rules_(rules) {}

  bool equal(Side gold, Side pred);
  std::string evidence = "structure";

 private:
  bool value_equal(const Side& gold, const Side& pred);
  std::optional<bool> by_written_form(const Side& gold, const Side& pred);
  bool members_equal(const std::vector<Side>& gold, const std::vector<Side>& pred);
  bool sets_on_line_equal(const Side& gold, const Side& pred);
  void members_of(const Side& s, std::vector<Side>& out, int plus_minus_left);
  bool relation_equal(const Side& gold, const Side& pred);

  struct Piece {
    Side lo, hi;
    bool lo_open, hi_open;
    double lo_value, hi_value;
  };

  bool pieces_of(const Side& s, std::vector<Piece>& out);
  Side evaluate_set(const Side& s);
  static double end_value(const Side& s);

  const MathRules& rules_;
  int depth_ = 0;
  int steps_ = 0;
  std::int64_t fuel_ = bounds::kMaxFuel;
};

// x = a = b ~ c: the first side and the last exact one.
Side last_exact(const Side& s) {
  std::size_t last = 1;
  for (std::size_t k = 0; k < s.node().text.size(); ++k) {
    if (s.node().text[k] == '=' || (s.node().text[k] == '~' && k == 0)) {
      last = k + 1;
    } else {
      break;
    }
  }
  return s.child(last);
}

bool is_equation(const Side& s) {
  return s.kind() == Kind::kRelation && (s.node().text[0] == '=' || s.node().text[0] == '~') &&
         s.node().text.find_first_not_of("=~") == std::string::npos;
}

bool is_membership(const Side& s) {
  return s.kind() == Kind::kRelation && s.node().text == "i";
}

bool is_inequality(const Side& s) {
  return s.kind() == Kind::kRelation &&
         s.node().text.find_first_not_of("<>lg") == std::string::npos;
}

// The expression with its k-th plus-minus read as bit k of `which`.
Side choose_signs(const Side& s, unsigned which) {
  const auto tree = s.copy();
  std::vector<Id> stack = {s.id};
  while (!stack.empty()) {
    const Id id = stack.back();
    stack.pop_back();
    Node& n = tree->nodes[static_cast<std::size_t>(id)];
    if (n.kind == Kind::kPlusMinus) {
      const bool minus = ((which & 1U) != 0) != (n.text == "-");
      if (n.children.size() == 1) {
        n.kind = minus ? Kind::kNegative : Kind::kSum;
      } else {
        n.kind = Kind::kSum;
        if (minus) {
          Node negative;
          negative.kind = Kind::kNegative;
          negative.children = {n.children[1]};
          const Id added = tree->add(negative);
          tree->nodes[static_cast<std::size_t>(id)].children[1] = added;
        }
      }
    }
    for (const Id kid : tree->at(id).children) {
      stack.push_back(kid);
    }
  }
  return {tree, s.id};
}

bool has_plus_minus(const Side& s) {
  if (s.kind() == Kind::kPlusMinus) {
    return true;
  }
  for (std::size_t k = 0; k < s.size(); ++k) {
    if (has_plus_minus(s.child(k))) {
      return true;
    }
  }
  return false;
}

void Ladder::members_of(const Side& s, std::vector<Side>& out, int depth) {
  if (static_cast<std::int64_t>(out.size()) > bounds::kMaxSetMembers || depth > 4) {
    return;
  }
  if (s.kind() == Kind::kList || s.kind() == Kind::kSet) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      members_of(s.child(k), out, depth + 1);
    }
  } else if (is_equation(s) && is_lone_name(s.child(0)) && depth > 0 &&
             (last_exact(s).kind() == Kind::kSet || last_exact(s).kind() == Kind::kTuple ||
              out.empty())) {
    out.push_back(s);
  } else if (s.kind() != Kind::kTuple && has_plus_minus(s)) {
    out.push_back(choose_signs(s, 0));
    out.push_back(choose_signs(s, 1));
  } else {
    out.push_back(s);
  }
}

bool Ladder::members_equal(const std::vector<Side>& gold, const std::vector<Side>& pred) {
  if (gold.size() != pred.size()) {
    return false;
  }
  std::vector<bool> used(pred.size(), false);
  for (const Side& g : gold) {
    bool found = false;
    for (std::size_t k = 0; k < pred.size() && !found; ++k) {
      if (!used[k] && equal(g, pred[k])) {
        used[k] = true;
        found = true;
      }
    }
    if (!found) {
      return false;
    }
  }
  return true;
}

double Ladder::end_value(const Side& s) {
  if (s.kind() == Kind::kPercent) {
    return end_value(s.child(0)) / 100;
  }
  if (s.kind() == Kind::kConstant && s.node().text == "infty") {
    return HUGE_VAL;
  }
  if ((s.kind() == Kind::kNegative || s.kind() == Kind::kSum) && s.size() == 1 &&
      s.child(0).kind() == Kind::kConstant && s.child(0).node().text == "infty") {
    return s.kind() == Kind::kNegative ? -HUGE_VAL : HUGE_VAL;
  }
  const double value = has_symbols(*s.e, s.id) ? std::nan("") : numeric_value(*s.e, s.id, 0).real();
  return std::isinf(value) ? std::nan("") : value;  // too large is not infinite
}

bool Ladder::pieces_of(const Side& s, std::vector<Piece>& out) {
  if (out.size() > 64) {
    return false;
  }
  const auto infinity = [&](bool minus) {
    const auto tree = s.copy();
    Node inf;
    inf.kind = Kind::kConstant;
    inf.text = "infty";
    Id id = tree->add(inf);
    if (minus) {
      Node negative;
      negative.kind = Kind::kNegative;
      negative.children = {id};
      id = tree->add(negative);
    }
    return Side{tree, id};
  };
  const auto put = [&](const Side& lo, const Side& hi, bool lo_open, bool hi_open) {
    out.push_back({lo, hi, lo_open, hi_open, end_value(lo), end_value(hi)});
    return !std::isnan(out.back().lo_value) && !std::isnan(out.back().hi_value);
  };
  if (is_membership(s)) {
    return pieces_of(s.child(1), out);
  }
  if (s.kind() == Kind::kTuple && s.size() == 2) {
    const std::string& b = s.node().text;
    const bool lo_open = b.front() != '[';
    const bool hi_open = b.back() != ']';
    return put(s.child(0), s.child(1), lo_open, hi_open);
  }
  if (s.kind() == Kind::kUnion || (s.kind() == Kind::kList && is_inequality(s.child(0)))) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      if (!pieces_of(s.child(k), out)) {
        return false;
      }
    }
    return true;
  }
  if (s.kind() == Kind::kIntersection) {
    std::vector<Piece> left;
    std::vector<Piece> right;
    if (!pieces_of(s.child(0), left) || !pieces_of(s.child(1), right)) {
      return false;
    }
    for (const Piece& a : left) {
      for (const Piece& b : right) {
        const bool a_starts = a.lo_value > b.lo_value || (a.lo_value == b.lo_value && a.lo_open);
        const bool a_ends = a.hi_value < b.hi_value || (a.hi_value == b.hi_value && a.hi_open);
        const Piece& lo = a_starts ? a : b;
        const Piece& hi = a_ends ? a : b;
        const bool is_point = lo.lo_value == hi.hi_value && !lo.lo_open && !hi.hi_open;
        if (lo.lo_value < hi.hi_value || is_point) {
          out.push_back({lo.lo, hi.hi, lo.lo_open, hi.hi_open, lo.lo_value, hi.hi_value});
        }
        if (out.size() > 64) {
          return false;
        }
      }
    }
    return true;
  }
  if (s.kind() == Kind::kSet && s.size() >= 1) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      if (!put(s.child(k), s.child(k), false, false)) {
        return false;
      }
    }
    return true;
  }
  if (s.kind() == Kind::kSymbol && s.node().text.starts_with("R")) {
    if (s.node().text == "R") {
      return put(infinity(true), infinity(false), true, true);
    }
    const auto tree = s.copy();
    const Id zero_id = tree->add(Node());
    const Side zero{tree, zero_id};
    return s.node().text == "R+" ? put(zero, infinity(false), true, true)
                                 : put(infinity(true), zero, true, true);
  }
  if (s.kind() == Kind::kDifference && s.child(1).kind() == Kind::kSet) {
    if (!pieces_of(s.child(0), out)) {
      return false;
    }
    for (std::size_t k = 0; k < s.child(1).size(); ++k) {
      const Side hole = s.child(1).child(k);
      const double v = end_value(hole);
      for (std::size_t p = 0; p < out.size(); ++p) {
        if (out[p].lo_value < v && v < out[p].hi_value) {
          Piece right = out[p];
          right.lo = hole;
          right.lo_value = v;
          right.lo_open = true;
          out[p].hi = hole;
          out[p].hi_value = v;
          out[p].hi_open = true;
          out.push_back(right);
          break;
        }
      }
    }
    return true;
  }
  if (is_inequality(s)) {
    const std::string& ops = s.node().text;
    const auto open = [](char c) { return c == '<' || c == '>'; };
    const auto less = [](char c) { return c == '<' || c == 'l'; };
    const auto is_variable = [](const Side& side) {
      return side.kind() == Kind::kSymbol ||
             (side.kind() == Kind::kFunction && side.node().text.size() == 1);
    };
    if (ops.size() == 2 && is_variable(s.child(1)) && less(ops[0]) == less(ops[1])) {
      return less(ops[0]) ? put(s.child(0), s.child(2), open(ops[0]), open(ops[1]))
                          : put(s.child(2), s.child(0), open(ops[1]), open(ops[0]));
    }
    if (ops.size() == 1 && is_variable(s.child(0)) && !has_symbols(*s.e, s.child(1).id)) {
      return less(ops[0]) ? put(infinity(true), s.child(1), true, open(ops[0]))
                          : put(s.child(1), infinity(false), open(ops[0]), true);
    }
    if (ops.size() == 1 && is_variable(s.child(1)) && !has_symbols(*s.e, s.child(0).id)) {
      return less(ops[0]) ? put(s.child(0), infinity(false), open(ops[0]), true)
                          : put(infinity(true), s.child(0), true, open(ops[0]));
    }
  }
  return false;
}

// Intersections and differences of finite sets, and of an interval with a finite set, carried out.
Side Ladder::evaluate_set(const Side& s) {
  if ((s.kind() != Kind::kIntersection && s.kind() != Kind::kUnion &&
       s.kind() != Kind::kDifference) ||
      depth_ > 32) {
    return s;
  }
  const Side left = evaluate_set(s.child(0));
  const Side right = evaluate_set(s.child(1));
  const bool finite_left = left.kind() == Kind::kSet;
  const bool finite_right = right.kind() == Kind::kSet;
  if (!finite_left && !(finite_right && s.kind() == Kind::kIntersection)) {
    return s;
  }
  const Side& members = finite_left ? left : right;
  const Side& other = finite_left ? right : left;
  const auto tree = std::make_shared<Expression>(*members.e);
  Node result;
  result.kind = Kind::kSet;
  std::vector<Piece> pieces;
  if (other.kind() != Kind::kSet && !pieces_of(other, pieces)) {
    return s;
  }
  if (s.kind() == Kind::kUnion) {
    return s;
  }
  for (std::size_t k = 0; k < members.size(); ++k) {
    const Side one = members.child(k);
    bool inside = false;
    if (other.kind() == Kind::kSet) {
      for (std::size_t j = 0; j < other.size() && !inside; ++j) {
        inside = equal(one, other.child(j));
      }
    } else {
      const double v = end_value(one);
      for (const Piece& piece : pieces) {
        inside = inside || (piece.lo_value < v && v < piece.hi_value) ||
                 (v == piece.lo_value && !piece.lo_open) || (v == piece.hi_value && !piece.hi_open);
      }
    }
    if (inside == (s.kind() == Kind::kIntersection)) {
      result.children.push_back(one.id);
    }
  }
  const Id id = tree->add(std::move(result));
  return {tree, id};
}

bool Ladder::sets_on_line_equal(const Side& gold, const Side& pred) {
  std::vector<Piece> a;
  std::vector<Piece> b;
  if (!pieces_of(gold, a) || !pieces_of(pred, b)) {
    return false;
  }
  const auto normal = [](std::vector<Piece>& pieces) {
    std::sort(pieces.begin(), pieces.end(),
              [](const Piece& x, const Piece& y) { return x.lo_value < y.lo_value; });
    std::vector<Piece> merged;
    for (const Piece& piece : pieces) {
      if (!merged.empty()) {
        Piece& last = merged.back();
        const double gap = piece.lo_value - last.hi_value;
        const bool touch = std::abs(gap) < 1e-12 && !(piece.lo_open && last.hi_open);
        if (gap < -1e-12 || touch) {
          if (piece.hi_value > last.hi_value) {
            last.hi = piece.hi;
            last.hi_value = piece.hi_value;
            last.hi_open = piece.hi_open;
          }
          continue;
        }
      }
      merged.push_back(piece);
    }
    pieces = std::move(merged);
  };
  normal(a);
  normal(b);
  if (a.size() != b.size()) {
    return false;
  }
  const auto ends_equal = [&](const Side& x, const Side& y, double u, double v) {
    if (std::isinf(u) || std::isinf(v)) {
      return u == v;
    }
    return value_equal(x, y);
  };
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k].lo_open != b[k].lo_open || a[k].hi_open != b[k].hi_open ||
        !ends_equal(a[k].lo, b[k].lo, a[k].lo_value, b[k].lo_value) ||
        !ends_equal(a[k].hi, b[k].hi, a[k].hi_value, b[k].hi_value)) {
      return false;
    }
  }
  return true;
}

Side difference_of(const Side& s) {
  const auto tree = s.copy();
  Node negative;
  negative.kind = Kind::kNegative;
  negative.children = {s.node().children[1]};
  Node sum;
  sum.kind = Kind::kSum;
  sum.children = {s.node().children[0], tree->add(negative)};
  const Id id = tree->add(sum);
  return {tree, id};
}

bool Ladder::relation_equal(const Side& gold, const Side& pred) {
  if (same_tree(gold, pred)) {
    return true;
  }
  const std::string& a = gold.node().text;
  const std::string& b = pred.node().text;
  if (a == "m" || b == "m") {
    // Congruences: the same modulus, the same left side, right sides in the same class.
    if (a != b || !equal(gold.child(2), pred.child(2)) || !equal(gold.child(0), pred.child(0))) {
      return false;
    }
    const auto x = exact_value(*gold.e, gold.child(1).id);
    const auto y = exact_value(*pred.e, pred.child(1).id);
    const auto m = exact_value(*gold.e, gold.child(2).id);
    evidence = "congruences";
    if (!x || !y || !m || !m->is_integer() || m->is_zero()) {
      return equal(gold.child(1), pred.child(1));
    }
    const Rational apart = *x - *y;
    return apart.is_integer() && apart.num % m->num == 0;
  }
  if (a.size() == 1 && b.size() == 1) {
    const bool equations = (a == "=" && b == "=") || (a == "n" && b == "n");
    const auto is_order = [](const std::string& op) {
      return op == "<" || op == ">" || op == "l" || op == "g";
    };
    if (equations || (is_order(a) && is_order(b))) {
      const Side x = difference_of(gold);
      const Side y = difference_of(pred);
      int sign = 0;
      if (!is_proportional(*x.e, x.id, *y.e, y.id, fuel_, sign)) {
        return false;
      }
      evidence = "the two sides' differences are proportional";
      if (equations) {
        return true;
      }
      const auto less = [](const std::string& op) { return op == "<" || op == "l"; };
      const auto strict = [](const std::string& op) { return op == "<" || op == ">"; };
      return strict(a) == strict(b) && (less(a) == less(b)) == (sign > 0);
    }
  }
  if (a.size() == b.size()) {
    bool forward = a == b;
    for (std::size_t k = 0; k < gold.size() && forward; ++k) {
      forward = equal(gold.child(k), pred.child(k));
    }
    return forward;
  }
  return false;
}

// A fraction of two integers as written, with its sign.
std::optional<std::pair<Integer, Integer>> written_fraction(const Side& s) {
  if (s.kind() == Kind::kNegative) {
    auto inner = written_fraction(s.child(0));
    if (inner) {
      inner->first = -inner->first;
    }
    return inner;
  }
  if (s.kind() != Kind::kQuotient) {
    return std::nullopt;
  }
  const auto integer = [](const Side& part) -> std::optional<Integer> {
    const bool minus = part.kind() == Kind::kNegative;
    const Side& bare = minus ? part.child(0) : part;
    if (bare.kind() != Kind::kNumber || !bare.node().value.is_integer()) {
      return std::nullopt;
    }
    return minus ? Integer(-bare.node().value.num) : bare.node().value.num;
  };
  const auto top = integer(s.child(0));
  const auto bottom = integer(s.child(1));
  if (!top || !bottom || *bottom == 0) {
    return std::nullopt;
  }
  return *bottom < 0 ? std::make_pair(Integer(-*top), Integer(-*bottom))
                     : std::make_pair(*top, *bottom);
}

bool is_written_integer(const Side& s) {
  const Side bare = s.kind() == Kind::kNegative ? s.child(0) : s;
  return bare.kind() == Kind::kNumber && bare.node().value.is_integer();
}

// What a profile says of two scalars before their values are compared; nothing: go on.
std::optional<bool> Ladder::by_written_form(const Side& gold, const Side& pred) {
  const auto g = written_fraction(gold);
  const auto p = written_fraction(pred);
  if (rules_.needs_reduced_form) {
    if (g && p && *g != *p) {
      evidence = "not the fraction of the gold";
      return false;
    }
    if (is_written_integer(gold) != is_written_integer(pred)) {
      evidence = "only one side is written as an integer";
      return false;
    }
  }
  if (rules_.is_trivial_only) {
    const auto is_reducible = [](const auto& f) {
      return f && boost::multiprecision::gcd(f->first, f->second) != 1;
    };
    if ((is_reducible(g) || is_reducible(p)) && !(g && p && *g == *p)) {
      evidence = "a fraction would have to be cancelled";
      return false;
    }
  }
  const auto x =
      rules_.rounds_to_gold || rules_.is_loose ? exact_value(*gold.e, gold.id) : std::nullopt;
  const auto y = x ? exact_value(*pred.e, pred.id) : std::nullopt;
  if (!x || !y) {
    return std::nullopt;
  }
  if (rules_.is_loose) {
    const Rational larger = absolute(*x) < absolute(*y) ? absolute(*y) : absolute(*x);
    if (!(larger * Rational(Integer(1), Integer(1000)) < absolute(*x - *y))) {
      evidence = "tolerance: within a thousandth";
      return true;
    }
  }
  if (rules_.rounds_to_gold && has_decimal(*gold.e, gold.id)) {
    Integer scale = 1;
    for (int places = 0; places < 30 && (x->num * scale) % x->den != 0; ++places) {
      scale *= 10;
    }
    const Rational half(Integer(1), 2 * scale);
    if (!(half < absolute(*x - *y))) {
      evidence = "tolerance: rounded to the decimals of the gold";
      return true;
    }
  }
  return std::nullopt;
}

bool Ladder::value_equal(const Side& gold, const Side& pred) {
  if (const auto decided = by_written_form(gold, pred)) {
    return *decided;
  }
  std::string why;
  const Same same = same_value(*gold.e, gold.id, *pred.e, pred.id, fuel_, why);
  evidence = why;
  if (same == Same::kEqual) {
    return true;
  }
  if (has_symbols(*gold.e, gold.id) || has_symbols(*pred.e, pred.id) ||
      (!has_decimal(*gold.e, gold.id) && !has_decimal(*pred.e, pred.id))) {
    return false;
  }
  // Decimal literals: |a - b| <= 10^-D min(1, max(|a|, |b|)), exactly where both are rational.
  const auto x = exact_value(*gold.e, gold.id);
  const auto y = exact_value(*pred.e, pred.id);
  bool close = false;
  if (x && y) {
    const Rational largest = absolute(*x) < absolute(*y) ? absolute(*y) : absolute(*x);
    const Rational one(Integer(1));
    const Rational scale = largest < one ? largest : one;
    const Rational bound =
        scale * Rational(Integer(1), boost::multiprecision::pow(
                                         Integer(10), static_cast<unsigned>(rules_.decimals)));
    close = !(bound < absolute(*x - *y));
  } else {
    const std::complex<double> u = numeric_value(*gold.e, gold.id, 0);
    const std::complex<double> v = numeric_value(*pred.e, pred.id, 0);
    const double scale = std::min(1.0, std::max(std::abs(u), std::abs(v)));
    close = std::abs(u - v) <= std::pow(10.0, -rules_.decimals) * scale;
  }
  if (close) {
    evidence = "tolerance: within 10^-" + std::to_string(rules_.decimals) + " of a decimal";
  }
  return close;
}

bool Ladder::equal(Side g, Side p) {
  if (++depth_ > 64 || ++steps_ > 100000) {
    --depth_;
    evidence = "budget";
    return false;
  }

  struct Leave {
    int& d;

    ~Leave() { --d; }
  } leave{depth_};

  // Names in front of values.
  if (is_equation(g) && is_equation(p)) {
    const bool lone_g = is_lone_name(g.child(0));
    const bool lone_p = is_lone_name(p.child(0));
    const bool lone_pr = is_lone_name(last_exact(p));
    if (lone_g && lone_p && same_tree(g.child(0), p.child(0))) {
      return equal(last_exact(g), last_exact(p));
    }
    if (lone_g && lone_p && g.child(0).kind() == Kind::kRatio &&
        p.child(0).kind() == Kind::kRatio) {
      return equal(last_exact(g), last_exact(p));
    }
    static_cast<void>(lone_pr);
    return relation_equal(g, p);
  }
  if (is_equation(p) && g.kind() != Kind::kRelation &&
      (is_lone_name(p.child(0)) || g.kind() == Kind::kSet || g.kind() == Kind::kNumber)) {
    if (is_lone_name(p.child(0))) {
      return equal(g, last_exact(p));
    }
    if (is_lone_name(last_exact(p))) {
      return equal(g, p.child(0));
    }
    if (g.kind() == Kind::kNumber) {
      evidence = "the answer is an equation";
      return false;
    }
  }
  if (is_equation(g) && p.kind() != Kind::kRelation) {
    if (is_lone_name(g.child(0))) {
      return equal(last_exact(g), p);
    }
    if (is_lone_name(last_exact(g))) {
      return equal(g.child(0), p);
    }
    return false;
  }
  if (is_membership(g) && is_membership(p)) {
    return equal(g.child(1), p.child(1));
  }
  if (is_membership(p) && !is_inequality(g)) {
    return equal(g, p.child(1));
  }
  if (is_membership(g) && !is_inequality(p)) {
    return equal(g.child(1), p);
  }
  if (is_inequality(g) || (g.kind() == Kind::kList && is_inequality(g.child(0)))) {
    if (sets_on_line_equal(g, p)) {
      evidence = "the same set on the real line";
      return true;
    }
  }
  if (is_inequality(p) && !is_inequality(g)) {
    if (rules_.set_relation_both_ways) {
      return sets_on_line_equal(g, p);
    }
    evidence = "an inequality where the gold is a set or value";
    return false;
  }
  if (g.kind() == Kind::kRelation && p.kind() == Kind::kRelation) {
    return relation_equal(g, p);
  }
  if (g.kind() == Kind::kRelation || p.kind() == Kind::kRelation) {
    return false;
  }

  // Units: dropped when only one side has one.
  if (g.kind() == Kind::kUnit && p.kind() == Kind::kUnit) {
    const auto squeeze = [](std::string unit) {
      unit.erase(std::remove_if(unit.begin(), unit.end(),
                                [](char c) { return c == ' ' || c == '{' || c == '}'; }),
                 unit.end());
      if (unit.size() > 3 && unit.back() == 's') {
        unit.pop_back();
      }
      return unit;
    };
    if (squeeze(g.node().text) != squeeze(p.node().text)) {
      evidence = "different units";
      return false;
    }
    return equal(g.child(0), p.child(0));
  }
  if (g.kind() == Kind::kUnit) {
    return equal(g.child(0), p);
  }
  if (p.kind() == Kind::kUnit) {
    return equal(g, p.child(0));
  }

  if ((g.kind() == Kind::kText) != (p.kind() == Kind::kText)) {
    const Side& words = g.kind() == Kind::kText ? g : p;
    const Side& other = g.kind() == Kind::kText ? p : g;
    const auto value = number_from_words(words.node().text, false);
    if (value) {
      const auto y = exact_value(*other.e, other.id);
      evidence = "a number in words";
      return y && *value == *y;
    }
  }
  if (g.kind() == Kind::kText || p.kind() == Kind::kText) {
    evidence = "text";
    return g.kind() == p.kind() && g.node().text == p.node().text;
  }
  if (g.kind() == Kind::kBase || p.kind() == Kind::kBase) {
    evidence = "digits in a base";
    const auto lower = [](std::string s) {
      std::transform(s.begin(), s.end(), s.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return s;
    };
    if (g.kind() == Kind::kBase && p.kind() == Kind::kBase) {
      return lower(g.node().text) == lower(p.node().text) && g.node().columns == p.node().columns;
    }
    const Side& based = g.kind() == Kind::kBase ? g : p;
    const Side& other = g.kind() == Kind::kBase ? p : g;
    return other.kind() == Kind::kNumber && print_rational(other.node().value) == based.node().text;
  }
  if (g.kind() == Kind::kRatio || p.kind() == Kind::kRatio) {
    if (g.kind() != p.kind() || g.size() != p.size()) {
      return false;
    }
    // Two-digit second parts read as clock times: 12:00 is not 1:00.
    const auto product = [](const Side& a, std::size_t i, const Side& b,
                            std::size_t j) -> std::optional<Rational> {
      const auto x = exact_value(*a.e, a.child(i).id);
      const auto y = exact_value(*b.e, b.child(j).id);
      return x && y ? std::optional<Rational>(*x * *y) : std::nullopt;
    };
    for (std::size_t k = 0; k < g.size(); ++k) {
      const auto x = exact_value(*g.e, g.child(k).id);
      if (x && x->is_zero()) {
        return same_tree(g, p);
      }
    }
    for (std::size_t k = 1; k < g.size(); ++k) {
      const auto x = product(g, 0, p, k);
      const auto y = product(g, k, p, 0);
      if (!x || !y) {
        return same_tree(g, p);
      }
      if (!(*x == *y)) {
        return false;
      }
    }
    evidence = "the same ratio";
    return true;
  }

  // Matrices, and brackets that show them.
  const auto as_matrix = [](const Side& s, std::vector<Side>& cells, std::size_t& columns) {
    if (s.kind() == Kind::kMatrix) {
      columns = static_cast<std::size_t>(s.node().columns);
      for (std::size_t k = 0; k < s.size(); ++k) {
        cells.push_back(s.child(k));
      }
      return true;
    }
    if (s.kind() == Kind::kTuple && s.size() > 0 && s.child(0).kind() == Kind::kTuple) {
      columns = s.child(0).size();
      for (std::size_t r = 0; r < s.size(); ++r) {
        if (s.child(r).kind() != Kind::kTuple || s.child(r).size() != columns) {
          return false;
        }
        for (std::size_t c = 0; c < columns; ++c) {
          cells.push_back(s.child(r).child(c));
        }
      }
      return true;
    }
    if (s.kind() == Kind::kTuple) {
      columns = 1;
      for (std::size_t k = 0; k < s.size(); ++k) {
        cells.push_back(s.child(k));
      }
      return true;
    }
    return false;
  };
  if (g.kind() == Kind::kMatrix || p.kind() == Kind::kMatrix) {
    std::vector<Side> a;
    std::vector<Side> b;
    std::size_t columns_a = 0;
    std::size_t columns_b = 0;
    if (!as_matrix(g, a, columns_a) || !as_matrix(p, b, columns_b) || a.size() != b.size()) {
      return false;
    }
    const bool vectors = (columns_a == 1 || columns_a == a.size()) &&
                         (columns_b == 1 || columns_b == b.size()) && (g.kind() != p.kind());
    if (columns_a != columns_b && !vectors) {
      return false;
    }
    for (std::size_t k = 0; k < a.size(); ++k) {
      if (!equal(a[k], b[k])) {
        return false;
      }
    }
    return true;
  }

  if (g.kind() == Kind::kIntersection || g.kind() == Kind::kDifference ||
      p.kind() == Kind::kIntersection || p.kind() == Kind::kDifference) {
    const Side a = evaluate_set(g);
    const Side b = evaluate_set(p);
    if (a.kind() != g.kind() || b.kind() != p.kind()) {
      return equal(a, b);
    }
    if (same_tree(g, p)) {
      return true;
    }
  }
  const auto is_interval_like = [](const Side& s) {
    return s.kind() == Kind::kUnion || s.kind() == Kind::kDifference ||
           s.kind() == Kind::kIntersection ||
           (s.kind() == Kind::kSymbol &&
            (s.node().text == "R" || s.node().text == "R+" || s.node().text == "R-")) ||
           (s.kind() == Kind::kTuple && s.size() == 2 && s.node().text != "()");
  };
  if ((is_interval_like(g) || is_interval_like(p)) && g.kind() != Kind::kSymbol) {
    if (sets_on_line_equal(g, p)) {
      evidence = "the same set on the real line";
      return true;
    }
    if (g.kind() != Kind::kTuple || p.kind() != Kind::kTuple || g.node().text != p.node().text) {
      return false;
    }
  }
  if (g.kind() == Kind::kTuple && p.kind() == Kind::kTuple) {
    if (g.size() != p.size() || (g.size() == 2 && g.node().text != p.node().text)) {
      return false;
    }
    for (std::size_t k = 0; k < g.size(); ++k) {
      if (!equal(g.child(k), p.child(k))) {
        return false;
      }
    }
    return true;
  }
  const auto is_several = [](const Side& s) {
    return s.kind() == Kind::kList || s.kind() == Kind::kSet;
  };
  // x = 1, y = 2 for (1, 2): by the names' alphabetical order.
  const auto assignments = [](const Side& s, std::vector<std::pair<std::string, Side>>& out) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      if (!is_equation(s.child(k)) || s.child(k).child(0).kind() != Kind::kSymbol) {
        return false;
      }
      out.emplace_back(s.child(k).child(0).node().text, last_exact(s.child(k)));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    return true;
  };
  if (g.kind() == Kind::kTuple && p.kind() == Kind::kList) {
    std::vector<std::pair<std::string, Side>> named;
    if (assignments(p, named) && named.size() == g.size()) {
      for (std::size_t k = 0; k < g.size(); ++k) {
        if (!equal(g.child(k), named[k].second)) {
          return false;
        }
      }
      return true;
    }
  }
  if (g.kind() == Kind::kTuple && p.kind() == Kind::kSet && g.size() == p.size()) {
    for (std::size_t k = 0; k < g.size(); ++k) {
      if (!equal(g.child(k), p.child(k))) {
        return false;
      }
    }
    return true;
  }
  if (is_several(g) && p.kind() == Kind::kTuple && g.kind() == Kind::kSet) {
    std::vector<Side> a;
    std::vector<Side> b;
    members_of(g, a, 0);
    for (std::size_t k = 0; k < p.size(); ++k) {
      b.push_back(p.child(k));
    }
    return members_equal(a, b);
  }
  if (is_several(g) || is_several(p) || has_plus_minus(g) || has_plus_minus(p)) {
    std::vector<Side> a;
    std::vector<Side> b;
    members_of(g, a, 0);
    members_of(p, b, 0);
    if (a.size() == b.size() && members_equal(a, b)) {
      evidence = "the same members";
      return true;
    }
    // "1,23" may be a decimal written with a comma.
    const auto as_decimal = [](const Side& s) -> std::optional<Rational> {
      if (s.kind() != Kind::kList || s.size() != 2 || s.child(0).kind() != Kind::kNumber ||
          s.child(1).kind() != Kind::kNumber || !s.child(1).node().value.is_integer() ||
          !s.child(0).node().value.is_integer() || s.child(1).node().value.num < 0) {
        return std::nullopt;
      }
      return rational_from_decimal(print_rational(s.child(0).node().value) + "." +
                                   print_rational(s.child(1).node().value));
    };
    const auto x = is_several(g) ? as_decimal(g) : exact_value(*g.e, g.id);
    const auto y = is_several(p) ? as_decimal(p) : exact_value(*p.e, p.id);
    if (x && y && is_several(g) != is_several(p) && *x == *y) {
      evidence = "a decimal comma";
      return true;
    }
    return false;
  }
  if (g.kind() == Kind::kTuple || p.kind() == Kind::kTuple || g.kind() == Kind::kUnion ||
      p.kind() == Kind::kUnion) {
    return false;
  }
  const auto is_infinite = [](const Side& s) { return std::isinf(end_value(s)); };
  if (is_infinite(g) || is_infinite(p)) {
    return end_value(g) == end_value(p);
  }
  if (g.kind() == Kind::kSymbol && p.kind() == Kind::kSymbol) {
    evidence = "symbols";
    return g.node().text == p.node().text;
  }
  if (value_equal(g, p)) {
    return true;
  }
  if (rules_.is_percent_lenient) {
    const auto x = exact_value(*g.e, g.id);
    const auto y = exact_value(*p.e, p.id);
    const Rational hundred(Integer(100));
    return x && y && (*x * hundred == *y || *y * hundred == *x);
  }
  return false;
}

std::string normal_string(std::string_view text) {
  std::string out;
  const auto tokens = lex_math(text);
  if (!tokens) {
    return std::string(trim(text));
  }
  for (const Token& token : *tokens) {
    if (token.kind == TokenKind::kText) {
      out += "\\text{" + fold_words(token.text) + "}";
    } else if (token.kind == TokenKind::kCommand) {
      out += "\\" + (token.text == "dfrac" || token.text == "tfrac" ? "frac" : token.text) + " ";
    } else {
      out += (token.space_before && token.kind == TokenKind::kWord ? " " : "") + token.text;
    }
  }
  return out;
}

}  // namespace

std::string_view unwrap_answer(std::string_view text) {
  for (int round = 0; round < 8; ++round) {
    text = trim(text);
    const std::size_t before = text.size();
    const auto strip = [&](std::string_view open, std::string_view close) {
      if (text.size() >= open.size() + close.size() && text.starts_with(open) &&
          text.ends_with(close)) {
        const std::string_view inner =
            text.substr(open.size(), text.size() - open.size() - close.size());
        if (inner.find(close) == std::string_view::npos) {
          text = inner;
        }
      }
    };
    strip("$$", "$$");
    strip("$", "$");
    strip("\\(", "\\)");
    strip("\\[", "\\]");
    strip("**", "**");
    strip("`", "`");
    for (const std::string_view box : {"\\boxed{", "\\fbox{", "\\framebox{"}) {
      if (text.starts_with(box)) {
        int depth = 0;
        std::size_t i = box.size() - 1;
        for (; i < text.size(); ++i) {
          if (text[i] == '\\') {
            ++i;
          } else if (text[i] == '{') {
            ++depth;
          } else if (text[i] == '}' && --depth == 0) {
            break;
          }
        }
        if (i + 1 >= text.size()) {
          text = text.substr(box.size(), (i < text.size() ? i : text.size()) - box.size());
        }
      }
    }
    if (!text.empty() && text.back() == '.' && text.size() > 1) {
      text.remove_suffix(1);
    }
    if (text.size() == before) {
      break;
    }
  }
  return text;
}

Readable how_readable(std::string_view text) {
  const std::string_view bare = unwrap_answer(text);
  // A sentence with a number in it is neither a value nor a text answer.
  std::size_t run = 0;
  while (run < bare.size() && std::isalpha(static_cast<unsigned char>(bare[run])) != 0) {
    ++run;
  }
  const std::string_view first = bare.substr(0, run);
  const bool is_name = first == "sqrt" || first == "pi" || first == "sin" || first == "cos" ||
                       first == "tan" || first == "exp" || first == "ln" || first == "log";
  const bool has_digit = bare.find_first_of("0123456789") != std::string_view::npos;
  // Words outside \\text{…} that are no names of functions.
  std::int64_t words = 0;
  for (std::size_t i = 0; i < bare.size() && words < 4;) {
    if (std::isalpha(static_cast<unsigned char>(bare[i])) == 0) {
      ++i;
      continue;
    }
    const bool is_command = i > 0 && (bare[i - 1] == '\\' || bare[i - 1] == '{');
    const std::size_t from = i;
    while (i < bare.size() && std::isalpha(static_cast<unsigned char>(bare[i])) != 0) {
      ++i;
    }
    static constexpr std::array<std::string_view, 9> kVerbs = {
        "is", "are", "as", "the", "approximately", "about", "equals", "got", "get"};
    words += !is_command && std::find(kVerbs.begin(), kVerbs.end(), bare.substr(from, i - from)) !=
                                kVerbs.end()
                 ? 1
                 : 0;
  }
  if (words >= 2) {
    return Readable::kNo;
  }
  if (run >= 2 && !is_name && has_digit && bare.find(' ') != std::string_view::npos &&
      bare.find('=') != run && bare.find('=') != run + 1) {
    return Readable::kNo;
  }
  const auto parsed = parse_math(bare);
  if (!parsed) {
    return Readable::kNo;
  }
  if (parsed.value().at(parsed.value().root).kind == Kind::kText) {
    return std::count(bare.begin(), bare.end(), ' ') <= 6 ? Readable::kText : Readable::kNo;
  }
  return Readable::kMath;
}

Status check_gold(std::string_view gold) {
  const std::string_view bare = unwrap_answer(gold);
  if (bare.empty()) {
    return fail(ErrorCode::kUnsupported, "the gold is empty");
  }
  const auto parsed = parse_math(bare);
  if (!parsed) {
    return fail(ErrorCode::kUnsupported, "the gold '" + std::string(bare.substr(0, 80)) +
                                             "' cannot be read: " + parsed.error().message);
  }
  return ok_status();
}

MathComparison compare_math(std::string_view gold, std::string_view pred, const MathRules& rules) {
  MathComparison result;
  std::string_view g = unwrap_answer(gold);
  std::string_view p = unwrap_answer(pred);
  std::array<std::string, 2> digits;
  if (rules.reads_number_words) {
    const auto replace = [](std::string_view& text, std::string& value) {
      if (const auto number = number_from_words(fold_words(text), true)) {
        value = print_rational(*number);
        text = value;
      }
    };
    replace(g, digits[0]);
    replace(p, digits[1]);
  }
  result.gold_form = normal_string(g);
  result.pred_form = normal_string(p);
  if (p.empty()) {
    result.outcome = Outcome::kNoAnswer;
    result.evidence = "the answer is empty";
    return result;
  }
  if (result.gold_form == result.pred_form && !result.gold_form.empty()) {
    result.outcome = Outcome::kCorrect;
    result.rung = "string";
    result.evidence = "string";
    return result;
  }
  auto gold_tree = parse_math(g);
  auto pred_tree = parse_math(p);
  if (!gold_tree || !pred_tree) {
    result.rung = "text";
    if (!pred_tree && gold_tree) {
      result.outcome = Outcome::kIncorrect;
      result.evidence = "the answer cannot be read: " + pred_tree.error().message;
      if (gold_tree->at(gold_tree->root).kind == Kind::kText && fold_words(g) == fold_words(p)) {
        result.outcome = Outcome::kCorrect;
        result.evidence = "text";
      }
      return result;
    }
    result.outcome = Outcome::kUnscored;
    result.evidence = "the gold cannot be read: " + gold_tree.error().message;
    return result;
  }
  Ladder ladder(rules);
  const Id gold_root = gold_tree->root;
  const Id pred_root = pred_tree->root;
  const Side a{std::make_shared<Expression>(std::move(*gold_tree)), gold_root};
  if (rules.names_are_free) {
    std::vector<std::string> theirs;
    std::vector<std::string> ours;
    names_in_order(*pred_tree, pred_root, theirs);
    names_in_order(*a.e, a.id, ours);
    if (theirs.size() == ours.size()) {
      for (Node& node : pred_tree->nodes) {
        const auto at = std::find(theirs.begin(), theirs.end(), node.text);
        if (node.kind == Kind::kSymbol && at != theirs.end()) {
          node.text = ours[static_cast<std::size_t>(at - theirs.begin())];
        }
      }
    }
  }
  const Side b{std::make_shared<Expression>(std::move(*pred_tree)), pred_root};
  const bool equal =
      ladder.equal(a, b) ||
      (a.kind() != Kind::kText && fold_words(g) == fold_words(p) && b.kind() == Kind::kText);
  result.outcome = equal ? Outcome::kCorrect : Outcome::kIncorrect;
  result.rung = "structure";
  if (const auto value = exact_value(*a.e, a.id)) {
    result.gold_form = print_rational(*value);
    result.rung = "value";
  }
  if (const auto value = exact_value(*b.e, b.id)) {
    result.pred_form = print_rational(*value);
  }
  result.evidence = ladder.evidence;
  return result;
}

}  // namespace r1eval
