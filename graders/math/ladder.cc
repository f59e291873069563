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

namespace r1eval {

using Id = std::int32_t;

void Ladder::members_of(const Side& s, std::vector<Side>& out, int depth) {
  if (static_cast<std::int64_t>(out.size()) > bounds::kMaxSetMembers || depth > 4) {
    return;
  }
  // A set inside a set is a member; a list inside is only written inside.
  if (s.kind() == Kind::kList || (s.kind() == Kind::kSet && depth == 0)) {
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
  if (++depth_ > 64 || ++steps_ > 100000 || fuel_ < 0) {
    --depth_;
    evidence = "budget";
    return false;
  }

  struct Leave {
    int& d;

    ~Leave() { --d; }
  } leave{depth_};

  // What is said of parameters ("k in Z") is taken off.
  const auto without_qualifiers = [&](const Side& s) {
    if (s.kind() != Kind::kList || s.size() < 2) {
      return s;
    }
    const auto is_qualifier = [](const Side& one) {
      return is_membership(one) && one.child(0).kind() == Kind::kSymbol &&
             one.child(1).kind() == Kind::kSymbol && one.child(1).node().text == "Z";
    };
    Node rest;
    rest.kind = Kind::kList;
    rest.text = s.node().text;
    for (std::size_t k = 0; k < s.size(); ++k) {
      if (!is_qualifier(s.child(k))) {
        rest.children.push_back(s.child(k).id);
      }
    }
    if (rest.children.size() == s.size() || rest.children.empty()) {
      return s;
    }
    parameters_are_integers_ = true;
    if (rest.children.size() == 1) {
      return s.at(rest.children[0]);
    }
    const auto tree = s.copy();
    const Id id = tree->add(std::move(rest));
    return Side{tree, id};
  };
  g = without_qualifiers(g);
  p = without_qualifiers(p);
  for (const auto rung : {&Ladder::by_names, &Ladder::by_relation, &Ladder::by_unit_or_text,
                          &Ladder::by_matrix, &Ladder::by_set, &Ladder::by_members}) {
    if (const auto decided = (this->*rung)(g, p)) {
      return *decided;
    }
  }
  return scalars_equal(g, p);
}

}  // namespace r1eval
