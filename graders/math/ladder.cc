#include "graders/math/ladder.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <complex>
#include <utility>

#include "graders/math/ball.h"
#include "graders/math/exact.h"
#include "graders/math/number_words.h"
#include "graders/math/numeric.h"
#include "graders/math/same_value.h"
#include "graders/math/units.h"

namespace r1eval {

using Id = std::int32_t;

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

// "a + b = 11 + 9 = 20", "33 - 27 = 6": the last two sides are constants of the same value, which
// the equation computes.
bool Ladder::is_computation(const Side& s) {
  const Side last = last_exact(s);
  for (std::size_t k = 1; k < s.size(); ++k) {
    if (s.child(k).id != last.id) {
      continue;
    }
    std::vector<std::string> names;
    names_in_order(*s.e, s.child(k - 1).id, names);
    names_in_order(*s.e, last.id, names);
    return names.empty() && equal(last, s.child(k - 1));
  }
  return false;
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

namespace {

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

// Decimals of a literal as written, also in a percentage (where they count two more).
std::int32_t written_places(const Side& s) {
  if (s.kind() == Kind::kNegative) {
    return written_places(s.child(0));
  }
  if (s.kind() == Kind::kPercent) {
    const std::int32_t inner = written_places(s.child(0));
    return inner == 0 ? 0 : inner + 2;
  }
  return s.kind() == Kind::kNumber ? s.node().places : 0;
}

bool is_written_integer(const Side& s) {
  const Side bare = s.kind() == Kind::kNegative ? s.child(0) : s;
  return bare.kind() == Kind::kNumber && bare.node().value.is_integer();
}

}  // namespace

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
  if (!rules_.rounds_to_gold && !rules_.is_loose) {
    return std::nullopt;
  }
  if (has_symbols(*gold.e, gold.id) || has_symbols(*pred.e, pred.id)) {
    return std::nullopt;
  }
  // Exactly where both sides are rational, else in floating point.
  const auto x = exact_value(*gold.e, gold.id);
  const auto y = exact_value(*pred.e, pred.id);
  const std::complex<double> u = numeric_value(*gold.e, gold.id, 0);
  const std::complex<double> v = numeric_value(*pred.e, pred.id, 0);
  if (rules_.is_loose) {
    bool close = std::abs(u - v) <= 1e-3 * std::max(std::abs(u), std::abs(v));
    if (x && y) {
      const Rational larger = absolute(*x) < absolute(*y) ? absolute(*y) : absolute(*x);
      close = !(larger * Rational(Integer(1), Integer(1000)) < absolute(*x - *y));
    }
    if (close) {
      evidence = "tolerance: within a thousandth";
      return true;
    }
  }
  const std::int32_t places = rules_.rounds_to_gold ? written_places(gold) : 0;
  if (places > 0 && places <= 30) {
    const Integer scale = boost::multiprecision::pow(Integer(10), static_cast<unsigned>(places));
    const Rational half(Integer(1), 2 * scale);
    const bool close =
        x && y ? !(half < absolute(*x - *y)) : std::abs(u - v) <= 0.5 * std::pow(10.0, -places);
    if (close) {
      evidence = "tolerance: rounded to the decimals of the gold";
      return true;
    }
  }
  return std::nullopt;
}

// "8 + 9 = 17", "3/4 = 0.75", "2/3 = 0.67": the value of a chain of constants that holds, its last
// exact side.
std::optional<Side> Ladder::value_of_chain(const Side& s) {
  const auto is_scalar = [](const Side& side) {
    switch (side.kind()) {
      case Kind::kNumber:
      case Kind::kConstant:
      case Kind::kSum:
      case Kind::kProduct:
      case Kind::kQuotient:
      case Kind::kPower:
      case Kind::kNegative:
      case Kind::kFunction:
      case Kind::kPercent:
      case Kind::kDegree:
        return !has_symbols(*side.e, side.id);
      default:
        return false;
    }
  };
  // The last side may carry the unit of all.
  const auto bare = [&](std::size_t k) {
    const bool has_unit = k + 1 == s.size() && s.child(k).kind() == Kind::kUnit;
    return has_unit ? s.child(k).child(0) : s.child(k);
  };
  for (std::size_t k = 0; k < s.size(); ++k) {
    if (!is_scalar(bare(k))) {
      return std::nullopt;
    }
  }
  std::size_t last = 0;
  for (std::size_t k = 1; k < s.size() && s.node().text[k - 1] == '='; ++k) {
    if (is_rounding_of(bare(k), bare(last)) && !has_decimal(*s.e, bare(last).id)) {
      std::string why;
      const bool is_exact =
          same_value(*s.e, bare(last).id, *s.e, bare(k).id, fuel_, why) == Same::kEqual;
      last = is_exact ? k : last;
      continue;
    }
    if (!value_equal(bare(last), bare(k))) {
      return std::nullopt;
    }
    last = k;
  }
  return s.child(last);
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
    close = within_tolerance(*gold.e, gold.id, *pred.e, pred.id, rules_.decimals, fuel_)
                .value_or(false);
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
  // "8 + 9 = 17" says 17, if it is true.
  if (g.kind() != Kind::kRelation && is_equation(p)) {
    if (const auto value = value_of_chain(p)) {
      return equal(g, *value);
    }
  }
  if (p.kind() != Kind::kRelation && is_equation(g)) {
    if (const auto value = value_of_chain(g)) {
      return equal(*value, p);
    }
  }
  if (is_equation(p) && g.kind() != Kind::kRelation &&
      (is_lone_name(p.child(0)) || g.kind() == Kind::kSet || g.kind() == Kind::kNumber)) {
    if (is_lone_name(p.child(0))) {
      return equal(g, last_exact(p));
    }
    if (is_lone_name(last_exact(p))) {
      return equal(g, p.child(0));
    }
    if (is_computation(p)) {
      return equal(g, last_exact(p));
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
    const Side& words = g.kind() == Kind::kText ? g : p;
    const Side& other = g.kind() == Kind::kText ? p : g;
    const auto value = number_from_numerals(words.node().text);
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
  if (p.kind() == Kind::kTuple && p.size() == 1 && p.node().text == "[]" &&
      g.kind() != Kind::kTuple) {
    return equal(g, p.child(0));  // "[15]"
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
    // "1,23" may be a decimal written with a comma, "1 and 3/4" a mixed number.
    const auto as_decimal = [](const Side& s) -> std::optional<Rational> {
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
    };
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
  // Degrees where the other side is an angle in radians.
  if ((g.kind() == Kind::kDegree) != (p.kind() == Kind::kDegree)) {
    const Side& degrees = g.kind() == Kind::kDegree ? g : p;
    const Side& other = g.kind() == Kind::kDegree ? p : g;
    const auto turns = exact_value(*degrees.e, degrees.child(0).id);
    if (turns && has_constant(other, "pi") && !has_symbols(*other.e, other.id)) {
      const auto tree = degrees.copy();
      Node factor;
      factor.value = *turns * Rational(Integer(1), Integer(180));
      Node pi;
      pi.kind = Kind::kConstant;
      pi.text = "pi";
      Node radians;
      radians.kind = Kind::kProduct;
      radians.children = {tree->add(factor), tree->add(pi)};
      const Id id = tree->add(radians);
      return value_equal({tree, id}, other);
    }
  }
  if (rules_.is_percent_lenient) {
    const auto x = exact_value(*g.e, g.id);
    const auto y = exact_value(*p.e, p.id);
    const Rational hundred(Integer(100));
    return x && y && (*x * hundred == *y || *y * hundred == *x);
  }
  return false;
}

}  // namespace r1eval
