#include "graders/math/line_solver.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <utility>

#include "graders/math/exact.h"

namespace r1eval {
namespace {

using Id = std::int32_t;
using Poly = std::vector<Rational>;  // coefficients from the constant up; no leading zeros

constexpr std::size_t kMaxDegree = 12;
constexpr std::size_t kMaxAbsolutes = 3;
constexpr std::int64_t kMaxCoefficientBits = 512;

void trim(Poly& p) {
  while (!p.empty() && p.back().is_zero()) {
    p.pop_back();
  }
}

Poly plus(const Poly& a, const Poly& b) {
  Poly sum(std::max(a.size(), b.size()));
  for (std::size_t k = 0; k < sum.size(); ++k) {
    sum[k] = (k < a.size() ? a[k] : Rational()) + (k < b.size() ? b[k] : Rational());
  }
  trim(sum);
  return sum;
}

std::optional<Poly> times(const Poly& a, const Poly& b) {
  if (a.empty() || b.empty()) {
    return Poly();
  }
  if (a.size() + b.size() > kMaxDegree + 2) {
    return std::nullopt;
  }
  Poly product(a.size() + b.size() - 1);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      product[i + j] = product[i + j] + a[i] * b[j];
    }
  }
  for (const Rational& c : product) {
    if (bit_length(c.num) + bit_length(c.den) > kMaxCoefficientBits) {
      return std::nullopt;
    }
  }
  return product;
}

Rational inverse_of(const Rational& r) {
  return Rational(r.den, r.num);
}

// Quotient and remainder.
std::pair<Poly, Poly> divide(Poly a, const Poly& b) {
  Poly quotient(a.size() >= b.size() ? a.size() - b.size() + 1 : 0);
  const Rational lead = inverse_of(b.back());
  while (a.size() >= b.size()) {
    const std::size_t shift = a.size() - b.size();
    const Rational factor = a.back() * lead;
    quotient[shift] = factor;
    for (std::size_t k = 0; k < b.size(); ++k) {
      a[shift + k] = a[shift + k] - factor * b[k];
    }
    a.pop_back();
    trim(a);
  }
  return {quotient, a};
}

Poly derivative(const Poly& p) {
  Poly d;
  for (std::size_t k = 1; k < p.size(); ++k) {
    d.push_back(p[k] * Rational(Integer(k)));
  }
  return d;
}

Poly square_free(const Poly& p) {
  Poly a = p;
  Poly b = derivative(p);
  while (!b.empty()) {
    Poly r = divide(a, b).second;
    if (!r.empty()) {
      const Rational lead = inverse_of(r.back());
      for (Rational& c : r) {
        c = c * lead;
      }
    }
    a = std::move(b);
    b = std::move(r);
  }
  return a.size() <= 1 ? p : divide(p, a).first;
}

double value_at(const Poly& p, double x) {
  double v = 0;
  for (std::size_t k = p.size(); k-- > 0;) {
    v = v * x + to_double(p[k]);
  }
  return v;
}

Rational value_at(const Poly& p, const Rational& x) {
  Rational v;
  for (std::size_t k = p.size(); k-- > 0;) {
    v = v * x + p[k];
  }
  return v;
}

// Is the value at x zero as far as doubles can tell?
bool vanishes(const Poly& p, double x) {
  double size = 0;
  double power = 1;
  for (const Rational& c : p) {
    size += std::abs(to_double(c)) * power;
    power *= std::abs(x);
  }
  return std::abs(value_at(p, x)) <= 1e-10 * size;
}

// The real roots of a square-free polynomial: between the roots of its derivative the sign changes
// at most once.
std::vector<double> real_roots(const Poly& p) {
  std::vector<double> roots;
  if (p.size() < 2) {
    return roots;
  }
  double bound = 1;
  for (const Rational& c : p) {
    bound = std::max(bound, 1 + std::abs(to_double(c) / to_double(p.back())));
  }
  std::vector<double> grid = {-bound};
  if (p.size() > 2) {
    const std::vector<double> turns = real_roots(derivative(p));
    grid.insert(grid.end(), turns.begin(), turns.end());
  }
  grid.push_back(bound);
  for (std::size_t k = 0; k + 1 < grid.size(); ++k) {
    double lo = grid[k];
    double hi = grid[k + 1];
    const double at_lo = value_at(p, lo);
    const double at_hi = value_at(p, hi);
    if (at_lo == 0 && (roots.empty() || roots.back() != lo)) {
      roots.push_back(lo);
    }
    if (at_lo * at_hi < 0) {
      for (int round = 0; round < 200 && lo < hi; ++round) {
        const double middle = lo + (hi - lo) / 2;
        (value_at(p, middle) * at_lo > 0 ? lo : hi) = middle;
      }
      roots.push_back(lo + (hi - lo) / 2);
    }
  }
  if (value_at(p, grid.back()) == 0) {
    roots.push_back(grid.back());
  }
  return roots;
}

struct Root {
  double value;
  std::optional<Rational> rational;
  Side exact;  // id -1: only the value is known
};

Side number_side(const Rational& r) {
  auto tree = std::make_shared<Expression>();
  Node node;
  node.value = r;
  const Id id = tree->add(std::move(node));
  return {tree, id};
}

// -b / 2a + sign sqrt(b^2 - 4ac) / 2a
Side surd_side(const Poly& p, bool is_upper) {
  auto tree = std::make_shared<Expression>();
  const auto number = [&](const Rational& r) {
    Node node;
    node.value = r;
    return tree->add(std::move(node));
  };
  const auto make = [&](Kind kind, std::vector<Id> children, std::string text = "") {
    Node node;
    node.kind = kind;
    node.children = std::move(children);
    node.text = std::move(text);
    return tree->add(std::move(node));
  };
  const Rational half = inverse_of(p[2] * Rational(Integer(2)));
  const Rational disc = p[1] * p[1] - Rational(Integer(4)) * p[2] * p[0];
  const Id root = make(Kind::kFunction, {number(disc), number(Rational(Integer(2)))}, "root");
  const Id scaled =
      make(Kind::kProduct, {number(is_upper ? absolute(half) : -absolute(half)), root});
  return {tree, make(Kind::kSum, {number(-p[1] * half), scaled})};
}

void roots_of(const Poly& p, std::vector<Root>& out) {
  if (p.size() < 2) {
    return;
  }
  Poly rest = square_free(p);
  for (const double r : real_roots(rest)) {
    for (std::int64_t den = 1; den <= 1000; ++den) {
      const double num = std::round(r * static_cast<double>(den));
      if (std::abs(num - r * static_cast<double>(den)) > 1e-6 || std::abs(num) > 1e15) {
        continue;
      }
      const Rational candidate(Integer(static_cast<std::int64_t>(num)), Integer(den));
      if (rest.size() >= 2 && value_at(rest, candidate).is_zero()) {
        rest = divide(rest, Poly{-candidate, Rational(Integer(1))}).first;
        out.push_back({to_double(candidate), candidate, number_side(candidate)});
        break;
      }
    }
  }
  const std::vector<double> others = real_roots(rest);
  for (std::size_t k = 0; k < others.size(); ++k) {
    out.push_back({others[k], std::nullopt, rest.size() == 3 ? surd_side(rest, k == 1) : Side()});
  }
}

struct Fraction {
  Poly top, below;
};

// The tree as a rational function of the variable, with absolute values read by `signs`.
class Reader {
 public:
  Reader(const Expression& e, const std::string& name) : e_(e), name_(name) {}

  // The absolute values of arguments with the variable; false: too many, or one inside another.
  bool find_absolutes(Id id, bool inside) {
    const Node& n = e_.at(id);
    const bool is_absolute = n.kind == Kind::kFunction && n.text == "abs" && !exact_value(e_, id);
    if (is_absolute) {
      if (inside || absolutes.size() >= kMaxAbsolutes) {
        return false;
      }
      absolutes.push_back(id);
    }
    return std::all_of(n.children.begin(), n.children.end(),
                       [&](Id kid) { return find_absolutes(kid, inside || is_absolute); });
  }

  std::optional<Fraction> read(Id id, unsigned signs) const {
    if (const auto exact = exact_value(e_, id)) {
      Poly constant = {*exact};
      trim(constant);
      return Fraction{constant, {Rational(Integer(1))}};
    }
    const Node& n = e_.at(id);
    switch (n.kind) {
      case Kind::kSymbol:
        if (n.text != name_) {
          return std::nullopt;
        }
        return Fraction{{Rational(), Rational(Integer(1))}, {Rational(Integer(1))}};
      case Kind::kSum: {
        Fraction total{{}, {Rational(Integer(1))}};
        for (const Id kid : n.children) {
          const auto term = read(kid, signs);
          if (!term || !add(total, *term)) {
            return std::nullopt;
          }
        }
        return total;
      }
      case Kind::kNegative: {
        auto inner = read(n.children[0], signs);
        if (inner) {
          for (Rational& c : inner->top) {
            c = -c;
          }
        }
        return inner;
      }
      case Kind::kProduct:
      case Kind::kQuotient: {
        const auto a = read(n.children[0], signs);
        const auto b = a ? read(n.children[1], signs) : std::nullopt;
        if (!b) {
          return std::nullopt;
        }
        const bool is_quotient = n.kind == Kind::kQuotient;
        const auto top = times(a->top, is_quotient ? b->below : b->top);
        const auto below = times(a->below, is_quotient ? b->top : b->below);
        if (!top || !below || below->empty()) {
          return std::nullopt;
        }
        return Fraction{*top, *below};
      }
      case Kind::kPower: {
        const auto exponent = exact_value(e_, n.children[1]);
        const auto whole = exponent ? exponent->small_int() : std::nullopt;
        auto base = whole ? read(n.children[0], signs) : std::nullopt;
        if (!base || std::abs(*whole) > static_cast<std::int64_t>(kMaxDegree)) {
          return std::nullopt;
        }
        if (*whole < 0) {
          std::swap(base->top, base->below);
          if (base->below.empty()) {
            return std::nullopt;
          }
        }
        Fraction result{{Rational(Integer(1))}, {Rational(Integer(1))}};
        for (std::int64_t k = 0; k < std::abs(*whole); ++k) {
          const auto top = times(result.top, base->top);
          const auto below = times(result.below, base->below);
          if (!top || !below) {
            return std::nullopt;
          }
          result = {*top, *below};
        }
        return result;
      }
      case Kind::kFunction: {
        const auto at = std::find(absolutes.begin(), absolutes.end(), id);
        if (at == absolutes.end()) {
          return std::nullopt;
        }
        auto inner = read(n.children[0], signs);
        if (inner && ((signs >> (at - absolutes.begin())) & 1U) != 0) {
          for (Rational& c : inner->top) {
            c = -c;
          }
        }
        return inner;
      }
      default:
        return std::nullopt;
    }
  }

  static bool add(Fraction& total, const Fraction& term) {
    const auto left = times(total.top, term.below);
    const auto right = times(term.top, total.below);
    const auto below = times(total.below, term.below);
    if (!left || !right || !below) {
      return false;
    }
    total = {plus(*left, *right), *below};
    return true;
  }

  std::vector<Id> absolutes;

 private:
  const Expression& e_;
  const std::string& name_;
};

}  // namespace

bool solve_on_line(const Side& relation, std::size_t k, const std::string& name,
                   std::vector<LinePiece>& out) {
  const char op = relation.node().text[k];
  Reader reader(*relation.e, name);
  const Id left = relation.child(k).id;
  const Id right = relation.child(k + 1).id;
  if (!reader.find_absolutes(left, false) || !reader.find_absolutes(right, false)) {
    return false;
  }
  // One difference of the sides for every choice of the absolute values' signs.
  std::vector<Fraction> differences;
  std::vector<Root> critical;
  for (unsigned signs = 0; signs < 1U << reader.absolutes.size(); ++signs) {
    auto a = reader.read(left, signs);
    auto b = a ? reader.read(right, signs) : std::nullopt;
    if (!b) {
      return false;
    }
    for (Rational& c : b->top) {
      c = -c;
    }
    if (!Reader::add(*a, *b)) {
      return false;
    }
    roots_of(a->top, critical);
    roots_of(a->below, critical);
    differences.push_back(std::move(*a));
  }
  std::vector<Fraction> arguments;
  for (const Id absolute : reader.absolutes) {
    const auto argument = reader.read(relation.e->at(absolute).children[0], 0);
    if (!argument) {
      return false;
    }
    roots_of(argument->top, critical);
    roots_of(argument->below, critical);
    arguments.push_back(*argument);
  }
  std::sort(critical.begin(), critical.end(), [](const Root& a, const Root& b) {
    return a.value != b.value ? a.value < b.value : a.exact.id > b.exact.id;
  });
  critical.erase(std::unique(critical.begin(), critical.end(),
                             [](const Root& a, const Root& b) {
                               return std::abs(a.value - b.value) <=
                                      1e-9 * std::max(1.0, std::abs(a.value));
                             }),
                 critical.end());
  if (critical.size() > 24) {
    return false;
  }
  const auto holds = [&](double x, const Root* root) {
    unsigned signs = 0;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      signs |= value_at(arguments[i].top, x) * value_at(arguments[i].below, x) < 0 ? 1U << i : 0U;
    }
    const Fraction& f = differences[signs];
    const auto is_zero = [&](const Poly& p) {
      return root == nullptr  ? p.empty()
             : root->rational ? value_at(p, *root->rational).is_zero()
                              : vanishes(p, x);
    };
    if (is_zero(f.below)) {
      return false;
    }
    const double v = is_zero(f.top) ? 0 : value_at(f.top, x) * value_at(f.below, x);
    switch (op) {
      case '<':
        return v < 0;
      case '>':
        return v > 0;
      case 'l':
        return v <= 0;
      case 'g':
        return v >= 0;
      case 'n':
        return v != 0;
      default:
        return v == 0;
    }
  };
  // Gaps and points in turn; runs that hold become pieces.
  std::optional<LinePiece> open;
  const auto close = [&](const Root* at, bool is_open) {
    if (open) {
      open->hi = at != nullptr ? at->exact : Side();
      open->hi_value = at != nullptr ? at->value : HUGE_VAL;
      open->hi_open = is_open;
      out.push_back(*open);
      open.reset();
    }
  };
  const auto start = [&](const Root* at, bool is_open) {
    if (!open) {
      open.emplace();
      open->lo = at != nullptr ? at->exact : Side();
      open->lo_value = at != nullptr ? at->value : -HUGE_VAL;
      open->lo_open = is_open;
    }
  };
  for (std::size_t i = 0; i <= critical.size(); ++i) {
    const Root* before = i > 0 ? &critical[i - 1] : nullptr;
    const Root* after = i < critical.size() ? &critical[i] : nullptr;
    const double inside = before == nullptr && after == nullptr ? 0.5
                          : before == nullptr                   ? after->value - 1
                          : after == nullptr                    ? before->value + 1
                                             : (before->value + after->value) / 2;
    if (holds(inside, nullptr)) {
      start(before, true);
    } else {
      close(before, false);
    }
    if (after != nullptr) {
      if (holds(after->value, after)) {
        start(after, false);
      } else {
        close(after, true);
      }
    }
  }
  close(nullptr, true);
  return true;
}

}  // namespace r1eval
