// Single values, and values up to a constant or a parameter of their own.
#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <set>
#include <string_view>

#include "graders/math/exact.h"
#include "graders/math/ladder.h"
#include "graders/math/numeric.h"
#include "graders/math/same_value.h"

namespace r1eval {

using Id = std::int32_t;

namespace {

bool has_constant(const Side& s, const char* name) {
  return any_node(s, [&](const Node& n) { return n.kind == Kind::kConstant && n.text == name; });
}

bool has_degree(const Side& s) {
  return any_node(s, [](const Node& n) { return n.kind == Kind::kDegree; });
}

// 30 degrees as pi / 6
Side in_radians(const Side& s) {
  const auto tree = s.copy();
  const std::size_t count = tree->nodes.size();
  for (std::size_t k = 0; k < count; ++k) {
    if (tree->nodes[k].kind != Kind::kDegree) {
      continue;
    }
    Node pi;
    pi.kind = Kind::kConstant;
    pi.text = "pi";
    Node half_turn;
    half_turn.value = Rational(Integer(180));
    Node unit;
    unit.kind = Kind::kQuotient;
    unit.children = {tree->add(pi), tree->add(half_turn)};
    const Id id = tree->add(std::move(unit));
    Node& node = tree->nodes[k];
    node.kind = Kind::kProduct;
    node.children.push_back(id);
  }
  tree->exact.clear();
  return {tree, s.id};
}

// The constant of integration of a sum, a symbol that occurs nowhere else; "" for none.
std::string constant_of(const Side& s, const std::set<std::string>& may) {
  if (s.kind() != Kind::kSum) {
    return "";
  }
  std::string name;
  for (std::size_t k = 0; k < s.size(); ++k) {
    const Side one = s.child(k);
    if (one.kind() == Kind::kSymbol && may.contains(one.node().text)) {
      name = one.node().text;
    }
  }
  int uses = 0;
  bool has_other = false;
  any_node(s, [&](const Node& n) {
    uses += n.kind == Kind::kSymbol && n.text == name ? 1 : 0;
    has_other = has_other || (n.kind == Kind::kSymbol && n.text != name);
    return false;
  });
  // A x^2 + B x + C has C for a coefficient.
  const bool has_coefficients = any_node(s, [](const Node& n) {
    return n.kind == Kind::kSymbol && (n.text == "A" || n.text == "B" || n.text == "D");
  });
  return uses == 1 && has_other && !has_coefficients ? name : "";
}

// Is this an angle and a multiple of one for every integer `name`: pi/4 + k pi, but neither
// (k - 2) pi nor ln 2 + k pi?
bool is_angle_family(const Side& s, const std::string& name) {
  const auto at = [&](int k) {
    const Side one = substituted(s, name, Rational(), Rational(Integer(k)));
    return numeric_value(*one.e, one.id, 0).real();
  };
  const auto is_whole = [](double x) { return std::abs(x - std::round(x)) < 1e-9; };
  const auto is_turned = [&](double x) { return is_whole(x / std::numbers::pi * 360); };
  const bool has_inverse = any_node(
      s, [](const Node& n) { return n.kind == Kind::kFunction && n.text.starts_with("arc"); });
  const double offset = at(0);
  const double step = at(1) - offset;
  return std::abs(step) > 1e-3 && std::abs(at(2) - offset - 2 * step) < 1e-9 &&
         (has_degree(s) || (is_turned(step) && (is_turned(offset) || has_inverse))) &&
         !is_whole(offset / step);
}

}  // namespace

// F(x) + C and G(x) + c where F - G does not depend on x.
bool Ladder::antiderivatives_equal(const Side& gold, const Side& pred) {
  const std::string ours = constant_of(gold, {"C", "c", "C_1", "K"});
  const std::string theirs =
      ours.empty() ? "" : constant_of(pred, {"C", "c", "C_1", "K", "k", "C_0", "C'"});
  if (theirs.empty()) {
    return false;
  }
  const Side f = substituted(gold, ours, Rational(), Rational());
  const Side g = substituted(pred, theirs, Rational(), Rational());
  const Side here = combined(Kind::kSum, f, negated(g));
  // the same at one point
  std::vector<std::string> names;
  names_in_order(*here.e, here.id, names);
  Side there = here;
  for (std::size_t k = 0; k < names.size(); ++k) {
    there = substituted(there, names[k], Rational(),
                        Rational(Integer(13 + 4 * static_cast<std::int64_t>(k)), Integer(9)));
  }
  std::string ignored;
  if (same_value(*here.e, here.id, *there.e, there.id, fuel_, ignored) != Same::kEqual) {
    return false;
  }
  evidence = "equal up to the constant of integration";
  return true;
}

// pi/4 + k pi and 5 pi/4 + n pi: the same values over all integers. Only where "k in Z" is said, or
// where both are a fraction of a turn plus multiples of a turn's fraction; (n - 2) pi, an angle
// sum, is not.
bool Ladder::families_equal(const Side& gold, const Side& pred) {
  static const std::set<std::string> kParameters = {"k", "n", "m", "l", "t", "N", "K"};
  const auto parameter_of = [&](const Side& s) {
    std::vector<std::string> names;
    names_in_order(*s.e, s.id, names);
    names.erase(std::remove_if(names.begin(), names.end(),
                               [&](const std::string& n) { return !kParameters.contains(n); }),
                names.end());
    return names.size() == 1 ? names[0] : "";
  };
  const std::string ours = parameter_of(gold);
  const std::string theirs = parameter_of(pred);
  const bool is_said = parameters_are_integers_ ||
                       (has_constant(gold, "pi") && has_constant(pred, "pi") && ours != "t") ||
                       (has_degree(gold) && has_degree(pred));
  if (ours.empty() || theirs.empty() || !is_said ||
      (!parameters_are_integers_ &&
       (!is_angle_family(gold, ours) || !is_angle_family(pred, theirs)))) {
    return false;
  }
  Side other = renamed(pred, theirs, ours);
  const auto at = [&](const Side& s, int k) {
    const Side one = substituted(s, ours, Rational(), Rational(Integer(k)));
    return numeric_value(*one.e, one.id, 0).real();
  };
  const double a0 = at(gold, 0);
  const double a = at(gold, 1) - a0;
  const double b0 = at(other, 0);
  const double b = at(other, 1) - b0;
  if (!std::isfinite(a0 + a + b0 + b) || a == 0 || std::abs(std::abs(a) - std::abs(b)) > 1e-9) {
    return false;
  }
  // gold(k) = other(sign k + shift)
  const double shift = std::round((a0 - b0) / b);
  if (std::abs(shift) > 1e6 || std::abs((a0 - b0) / b - shift) > 1e-9) {
    return false;
  }
  // Where nobody says that the parameter is an integer, -k pi is not k pi, and (k + 1) pi neither.
  const double steps = a0 / a;
  if (!parameters_are_integers_ && std::abs(steps - std::round(steps)) < 1e-9 &&
      (shift != 0 || a * b < 0)) {
    return false;
  }
  other = substituted(other, ours, Rational(Integer(a * b > 0 ? 1 : -1)),
                      Rational(Integer(static_cast<std::int64_t>(shift))));
  if (!value_equal(gold, other)) {
    return false;
  }
  evidence = "the same values over all integers";
  return true;
}

bool Ladder::scalars_equal(const Side& g, const Side& p) {
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
  // The same sum, limit or integral of equal parts, where no value is known.
  const auto is_limit = [](const std::string& f) {
    return f == "sum" || f == "prod" || f == "integral" || f == "antiderivative" ||
           f.starts_with("limit") || f.starts_with("d/") || f.starts_with("partial/");
  };
  if (is_limit(g.node().text) && g.kind() == Kind::kFunction && p.kind() == Kind::kFunction &&
      g.node().text == p.node().text && g.size() == p.size() && g.size() > 0 &&
      g.node().columns == p.node().columns) {
    bool all = true;
    for (std::size_t k = 0; k < g.size() && all; ++k) {
      all = equal(g.child(k), p.child(k));
    }
    if (all) {
      return true;
    }
  }
  if (rules_.is_percent_lenient) {
    const auto x = exact_value(*g.e, g.id);
    const auto y = exact_value(*p.e, p.id);
    const Rational hundred(Integer(100));
    return x && y && (*x * hundred == *y || *y * hundred == *x);
  }
  if (has_degree(g) != has_degree(p)) {
    // 30 degrees for pi/6 or arcsin(1/2)
    const auto has_function = [](const Side& s, std::string_view start) {
      return any_node(s, [&](const Node& n) {
        return n.kind == Kind::kFunction && n.text.starts_with(start) && n.text != "root";
      });
    };
    const Side& degrees = has_degree(g) ? g : p;
    const Side& other = has_degree(g) ? p : g;
    if (!has_function(degrees, "") && !has_constant(degrees, "pi") &&
        (has_function(other, "arc") || (has_constant(other, "pi") && !has_function(other, "")))) {
      return value_equal(in_radians(g), in_radians(p));
    }
  }
  if (!has_symbols(*g.e, g.id) || !has_symbols(*p.e, p.id)) {
    return false;
  }
  const std::string why = evidence;
  if (families_equal(g, p) || antiderivatives_equal(g, p)) {
    return true;
  }
  // C_1 e^x + C_2 e^{-x}: which constant is called the first says nothing.
  const auto has_name = [](const Side& s, const char* name) {
    return any_node(s, [&](const Node& n) { return n.kind == Kind::kSymbol && n.text == name; });
  };
  if (has_name(g, "C_1") && has_name(g, "C_2") && has_name(p, "C_1") && has_name(p, "C_2") &&
      value_equal(g, renamed(renamed(renamed(p, "C_1", "#"), "C_2", "C_1"), "#", "C_2"))) {
    return true;
  }
  evidence = why;
  return false;
}

}  // namespace r1eval
