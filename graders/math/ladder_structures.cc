// Units and words, digits in a base, ratios, matrices and vectors, sets, lists.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <utility>

#include "graders/math/exact.h"
#include "graders/math/ladder.h"
#include "graders/math/number_words.h"
#include "graders/math/numeric.h"
#include "graders/math/same_value.h"
#include "graders/math/units.h"

namespace r1eval {

using Id = std::int32_t;

namespace {

// Words that name a set of numbers: nothing where they name none.
Side set_from_words(const std::string& words) {
  static constexpr std::array<std::string_view, 8> kNothing = {
      "no solution",   "no solutions", "no real solution", "no real solutions",
      "the empty set", "empty set",    "no such value",    "there is no solution"};
  static constexpr std::array<std::string_view, 8> kEverything = {
      "all real numbers",  "all reals",       "any real number",
      "every real number", "all real values", "the set of all real numbers",
      "the real numbers",  "real numbers"};
  Node node;
  if (std::find(kNothing.begin(), kNothing.end(), words) != kNothing.end()) {
    node.kind = Kind::kSet;
  } else if (std::find(kEverything.begin(), kEverything.end(), words) != kEverything.end()) {
    node.kind = Kind::kSymbol;
    node.text = "R";
  } else {
    return {};
  }
  auto tree = std::make_shared<Expression>();
  const Id id = tree->add(std::move(node));
  return {tree, id};
}

bool is_interval_like(const Side& s) {
  return s.kind() == Kind::kUnion || s.kind() == Kind::kDifference ||
         s.kind() == Kind::kIntersection ||
         (s.kind() == Kind::kFunction && s.node().text == "set of") ||
         (s.kind() == Kind::kSymbol && s.node().text.starts_with("R") &&
          (s.node().text.size() == 1 || s.node().text[1] == '+' || s.node().text[1] == '-')) ||
         (s.kind() == Kind::kTuple && s.size() == 2 && s.node().text != "()");
}

// Nested unions or intersections as one list of members.
void flatten(const Side& s, Kind kind, std::vector<Side>& out) {
  if (s.kind() != kind) {
    out.push_back(s);
    return;
  }
  for (std::size_t k = 0; k < s.size(); ++k) {
    flatten(s.child(k), kind, out);
  }
}

bool as_matrix(const Side& s, std::vector<Side>& cells, std::size_t& columns) {
  const bool has_rows =
      s.kind() == Kind::kTuple && s.size() > 0 && s.child(0).kind() == Kind::kTuple;
  if (s.kind() != Kind::kMatrix && s.kind() != Kind::kTuple) {
    return false;
  }
  columns = s.kind() == Kind::kMatrix ? static_cast<std::size_t>(s.node().columns)
            : has_rows                ? s.child(0).size()
                                      : 1;
  for (std::size_t r = 0; r < s.size(); ++r) {
    if (!has_rows) {
      cells.push_back(s.child(r));
      continue;
    }
    if (s.child(r).kind() != Kind::kTuple || s.child(r).size() != columns) {
      return false;
    }
    for (std::size_t c = 0; c < columns; ++c) {
      cells.push_back(s.child(r).child(c));
    }
  }
  return true;
}

// i + 2j + 3k with unit vectors as its components; nothing for other expressions.
std::vector<Side> components(const Side& s, std::size_t n) {
  static constexpr std::array<const char*, 3> kUnits = {"hat(i)", "hat(j)", "hat(k)"};
  const auto has = [&](const char* unit) {
    return any_node(
        s, [&](const Node& node) { return node.kind == Kind::kSymbol && node.text == unit; });
  };
  if (n < 2 || n > 3 || s.kind() == Kind::kTuple || s.kind() == Kind::kMatrix ||
      (!has(kUnits[0]) && !has(kUnits[1]) && !has(kUnits[2])) || (n == 2 && has(kUnits[2]))) {
    return {};
  }
  std::vector<Side> out;
  for (std::size_t k = 0; k < n; ++k) {
    Side one = s;
    for (std::size_t j = 0; j < 3; ++j) {
      one = substituted(one, kUnits[j], Rational(), Rational(Integer(j == k ? 1 : 0)));
    }
    out.push_back(one);
  }
  return out;
}

// "12,34,567": groups of two digits before the last one of three.
std::optional<Rational> as_grouped_in_pairs(const Side& list) {
  std::string digits;
  for (std::size_t k = 0; k < list.size(); ++k) {
    const Side member = list.child(k);
    const bool is_first = k == 0;
    const std::int32_t width = is_first ? member.node().width : k + 1 == list.size() ? 3 : 2;
    if (member.kind() != Kind::kNumber || !member.node().value.is_integer() ||
        member.node().places != 0 || member.node().width != width || width < 1 || width > 3 ||
        (is_first && width > 2)) {
      return std::nullopt;
    }
    const std::string shown = print_rational(member.node().value);
    digits += std::string(static_cast<std::size_t>(width) - shown.size(), '0') + shown;
  }
  return rational_from_decimal(digits);
}

// "1,23" may be a decimal written with a comma, "1 and 3/4" a mixed number.
std::optional<Rational> as_decimal(const Side& s) {
  if (s.kind() == Kind::kList && s.size() > 2 && s.node().text == ",") {
    return as_grouped_in_pairs(s);
  }
  if (s.kind() != Kind::kList || s.size() != 2) {
    return std::nullopt;
  }
  const bool minus = s.child(0).kind() == Kind::kNegative;
  const Side whole = minus ? s.child(0).child(0) : s.child(0);
  if (whole.kind() != Kind::kNumber || !whole.node().value.is_integer()) {
    return std::nullopt;
  }
  std::optional<Rational> value;
  // "2,5 km", "12,5%"
  const Kind last = s.child(1).kind();
  const bool is_percent = last == Kind::kPercent;
  const bool is_marked = is_percent || last == Kind::kUnit || last == Kind::kDegree;
  const Side tail = is_marked ? s.child(1).child(0) : s.child(1);
  if (s.node().text == "," && tail.kind() == Kind::kNumber && tail.node().value.is_integer() &&
      tail.node().places == 0 && tail.node().width > 0 && whole.node().places == 0 &&
      whole.node().width > 0) {
    std::string digits = print_rational(tail.node().value);
    const auto width = static_cast<std::size_t>(std::max(tail.node().width, 0));
    digits.insert(0, width > digits.size() ? width - digits.size() : 0, '0');
    value = rational_from_decimal(print_rational(whole.node().value) + "." + digits);
  } else if (s.node().text == "and" && tail.kind() == Kind::kQuotient) {
    const auto part = exact_value(*s.e, tail.id);
    const Rational one(Integer(1));
    if (part && *part < one && Rational() < *part) {
      value = whole.node().value + *part;
    }
  }
  if (value && is_percent) {
    value = *value * Rational(Integer(1), Integer(100));
  }
  return value && minus ? std::optional<Rational>(-*value) : value;
}

}  // namespace

std::optional<bool> Ladder::by_unit_or_text(const Side& g, const Side& p) {
  // Units: dropped when only one side has one.
  if (g.kind() == Kind::kUnit && p.kind() == Kind::kUnit) {
    if (!same_unit(g.node().text, p.node().text)) {
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
    const bool is_gold = g.kind() == Kind::kText;
    const Side& words = is_gold ? g : p;
    const Side& other = is_gold ? p : g;
    if (const Side named = set_from_words(words.node().text); named.id >= 0) {
      return is_gold ? equal(named, other) : equal(other, named);
    }
    if (const auto value = number_from_numerals(words.node().text)) {
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
    return ratios_equal(g, p);
  }
  return std::nullopt;
}

// a : b = c : d by a d = b c; a ratio of two is also its quotient. 12:30 and 6:15
// are times of day.
bool Ladder::ratios_equal(const Side& g, const Side& p) {
  const auto is_time = [](const Side& s) {
    if (s.kind() != Kind::kRatio || s.size() != 2 || s.child(0).kind() != Kind::kNumber ||
        s.child(1).kind() != Kind::kNumber) {
      return false;
    }
    const auto hours = s.child(0).node().value.small_int().value_or(-1);
    const auto minutes = s.child(1).node().value.small_int().value_or(-1);
    return hours >= 0 && hours < 24 && ((minutes >= 10 && minutes < 60) || minutes == 0);
  };
  evidence = "the same ratio";
  if (is_time(g) && is_time(p)) {
    return same_tree(g, p);
  }
  const auto product = [](const Side& a, const Side& b) { return combined(Kind::kProduct, a, b); };
  if (g.kind() != p.kind()) {
    const Side& ratio = g.kind() == Kind::kRatio ? g : p;
    const Side& value = g.kind() == Kind::kRatio ? p : g;
    if (ratio.size() != 2 || value.kind() == Kind::kTuple || value.kind() == Kind::kMatrix ||
        value.kind() == Kind::kSet || value.kind() == Kind::kList) {
      return false;
    }
    // a : b is value where a = b value
    return value.kind() == Kind::kQuotient &&
           value_equal(ratio.child(0), product(ratio.child(1), value));
  }
  if (g.size() != p.size()) {
    return false;
  }
  for (std::size_t k = 0; k < g.size(); ++k) {
    const auto x = exact_value(*g.e, g.child(k).id);
    const auto y = exact_value(*p.e, p.child(k).id);
    if ((x && x->is_zero()) || (y && y->is_zero())) {
      return same_tree(g, p);
    }
  }
  for (std::size_t k = 1; k < g.size(); ++k) {
    if (!value_equal(product(g.child(0), p.child(k)), product(g.child(k), p.child(0)))) {
      return false;
    }
  }
  evidence = "the same ratio";
  return true;
}

// Matrices, brackets that show them, and vectors in any notation.
std::optional<bool> Ladder::by_matrix(const Side& g, const Side& p) {
  if (const auto decided = by_identity_matrix(g, p)) {
    return decided;
  }
  std::vector<Side> a;
  std::vector<Side> b;
  std::size_t columns_a = 0;
  std::size_t columns_b = 0;
  if (g.kind() == Kind::kMatrix || p.kind() == Kind::kMatrix) {
    const auto vector_of = [&](const Side& s, std::size_t n, std::vector<Side>& cells,
                               std::size_t& columns) {
      if (as_matrix(s, cells, columns)) {
        return true;
      }
      cells = components(s, n);
      columns = 1;
      return !cells.empty();
    };
    if (!vector_of(g, p.size(), a, columns_a) || !vector_of(p, g.size(), b, columns_b) ||
        a.size() != b.size()) {
      return false;
    }
    const bool vectors = (columns_a == 1 || columns_a == a.size()) &&
                         (columns_b == 1 || columns_b == b.size()) && (g.kind() != p.kind());
    if (columns_a != columns_b && !vectors) {
      return false;
    }
  } else if (g.kind() == Kind::kTuple || p.kind() == Kind::kTuple) {
    const Side& tuple = g.kind() == Kind::kTuple ? g : p;
    const Side& other = g.kind() == Kind::kTuple ? p : g;
    const std::vector<Side> cells = components(other, tuple.size());
    if (cells.empty()) {
      return std::nullopt;
    }
    for (std::size_t k = 0; k < tuple.size(); ++k) {
      a.push_back(g.kind() == Kind::kTuple ? g.child(k) : cells[k]);
      b.push_back(g.kind() == Kind::kTuple ? cells[k] : p.child(k));
    }
  } else {
    return std::nullopt;
  }
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!equal(a[k], b[k])) {
      return false;
    }
  }
  return true;
}

// c I for a matrix with c on its diagonal and zeros elsewhere.
std::optional<bool> Ladder::by_identity_matrix(const Side& g, const Side& p) {
  const auto is_identity = [](const Node& n) { return n.kind == Kind::kSymbol && n.text == "I"; };
  const std::size_t n = g.kind() == Kind::kMatrix ? static_cast<std::size_t>(g.node().columns) : 0;
  if (n < 2 || g.size() != n * n || p.kind() == Kind::kMatrix || p.kind() == Kind::kTuple ||
      !any_node(p, is_identity)) {
    return std::nullopt;
  }
  const Side zero = substituted(p, "I", Rational(), Rational());
  const Side factor = substituted(p, "I", Rational(), Rational(Integer(1)));
  const auto none = exact_value(*zero.e, zero.id);
  if (!none || !none->is_zero()) {
    return std::nullopt;
  }
  for (std::size_t k = 0; k < g.size(); ++k) {
    if (!equal(g.child(k), k % (n + 1) == 0 ? factor : zero)) {
      return false;
    }
  }
  evidence = "a multiple of the identity matrix";
  return true;
}

// {2k | k in Z} and {2n | n in Z}: the same up to the bound names.
bool Ladder::builders_equal(const Side& gold, const Side& pred) {
  // {x | x = 2k, k in Z} is {2k | k in Z}
  const auto simplified = [](const Side& s, std::vector<Side>& conditions) {
    Side term = s.child(0);
    for (std::size_t k = 1; k < s.size(); ++k) {
      const Side one = s.child(k);
      if (is_equation(one) && one.size() == 2 && same_tree(one.child(0), s.child(0))) {
        term = one.child(1);
      } else {
        conditions.push_back(one);
      }
    }
    return term;
  };
  std::vector<Side> ours;
  std::vector<Side> theirs;
  const Side a = simplified(gold, ours);
  Side b = simplified(pred, theirs);
  std::vector<std::string> our_names;
  std::vector<std::string> their_names;
  names_in_order(*a.e, a.id, our_names);
  names_in_order(*b.e, b.id, their_names);
  if (our_names.size() != their_names.size() || ours.size() != theirs.size()) {
    return false;
  }
  for (std::size_t k = 0; k < our_names.size(); ++k) {
    const std::string to = "#" + our_names[k];
    b = renamed(b, their_names[k], to);
    for (Side& one : theirs) {
      one = renamed(one, their_names[k], to);
    }
  }
  for (const std::string& name : our_names) {
    b = renamed(b, "#" + name, name);
    for (Side& one : theirs) {
      one = renamed(one, "#" + name, name);
    }
  }
  return equal(a, b) && members_equal(ours, theirs);
}

std::optional<bool> Ladder::by_set(const Side& g, const Side& p) {
  const auto is_builder = [](const Side& s) {
    return s.kind() == Kind::kFunction && s.node().text == "set of";
  };
  if (is_builder(g) && is_builder(p) && builders_equal(g, p)) {
    evidence = "the same set up to bound names";
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
  if (is_interval_like(g) || is_interval_like(p)) {
    if (sets_on_line_equal(g, p)) {
      evidence = "the same set on the real line";
      return true;
    }
    // Names of sets, ends that are names: member by member
    if (g.kind() == p.kind() && (g.kind() == Kind::kUnion || g.kind() == Kind::kIntersection)) {
      std::vector<Side> a;
      std::vector<Side> b;
      flatten(g, g.kind(), a);
      flatten(p, p.kind(), b);
      return members_equal(a, b);
    }
    if (g.kind() == p.kind() && g.kind() == Kind::kDifference) {
      return equal(g.child(0), p.child(0)) && equal(g.child(1), p.child(1));
    }
    const bool are_brackets = g.kind() == Kind::kTuple && p.kind() == Kind::kTuple;
    if (!are_brackets && !(g.kind() == Kind::kSymbol && p.kind() == Kind::kSymbol)) {
      return false;
    }
    if (are_brackets && g.node().text != p.node().text) {
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
  return std::nullopt;
}

std::optional<bool> Ladder::by_members(const Side& g, const Side& p) {
  const auto is_several = [](const Side& s) {
    return s.kind() == Kind::kList || s.kind() == Kind::kSet;
  };
  if (p.kind() == Kind::kTuple && p.size() == 1 && p.node().text == "[]" &&
      g.kind() != Kind::kTuple) {
    return equal(g, p.child(0));  // "[15]"
  }
  if (g.kind() == Kind::kSet && p.kind() == Kind::kTuple && g.size() == 1) {
    return equal(g.child(0), p);
  }
  if (g.kind() == Kind::kTuple && p.kind() == Kind::kSet && p.size() == 1) {
    return equal(g, p.child(0));
  }
  if (g.kind() == Kind::kTuple && p.kind() == Kind::kSet && g.size() == p.size()) {
    for (std::size_t k = 0; k < g.size(); ++k) {
      if (!equal(g.child(k), p.child(k))) {
        return false;
      }
    }
    return true;
  }
  // "1, 2, 3" without brackets is the tuple in its order, and a list that "(2, 1, 3)" answers. Two
  // in brackets may be an interval, whose ends are no answer to it, unless the first is the larger.
  const auto is_point = [](const Side& s) {
    return s.kind() == Kind::kTuple && s.node().text == "()" &&
           (s.size() > 2 || (s.size() == 2 && end_value(s.child(0)) >= end_value(s.child(1))));
  };
  const auto is_comma_list = [](const Side& s) {
    return s.kind() == Kind::kList && s.node().text.starts_with(',') &&
           !any_node(s, [](const Node& n) { return n.kind == Kind::kRelation; });
  };
  if (is_point(g) && is_comma_list(p) && g.size() == p.size()) {
    for (std::size_t k = 0; k < g.size(); ++k) {
      if (!equal(g.child(k), p.child(k))) {
        return false;
      }
    }
    evidence = "a tuple without its brackets";
    return true;
  }
  const bool is_bracketed_list = is_comma_list(g) && is_point(p) && p.size() == g.size();
  if (is_bracketed_list || (p.kind() == Kind::kTuple && g.kind() == Kind::kSet)) {
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
    // A set has each member once.
    const auto merge = [&](const Side& s, std::vector<Side>& members) {
      for (std::size_t k = 0; s.kind() == Kind::kSet && members.size() <= 16 && k < members.size();
           ++k) {
        for (std::size_t j = members.size() - 1; j > k; --j) {
          if (equal(members[k], members[j])) {
            members.erase(members.begin() + static_cast<std::ptrdiff_t>(j));
          }
        }
      }
    };
    if (a.size() != b.size()) {
      merge(g, a);
      merge(p, b);
    }
    if (a.size() == b.size() && members_equal(a, b)) {
      evidence = "the same members";
      return true;
    }
    const auto x = is_several(g) ? as_decimal(g) : exact_value(*g.e, g.id);
    const auto y = is_several(p) ? as_decimal(p) : exact_value(*p.e, p.id);
    if (x && y && is_several(g) != is_several(p) && *x == *y) {
      evidence = "a decimal comma or a mixed number";
      return true;
    }
    return false;
  }
  if (g.kind() == Kind::kTuple || p.kind() == Kind::kTuple || g.kind() == Kind::kUnion ||
      p.kind() == Kind::kUnion) {
    return false;
  }
  return std::nullopt;
}

}  // namespace r1eval
