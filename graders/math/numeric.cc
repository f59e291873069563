#include "graders/math/numeric.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "graders/math/exact.h"
#include "graders/math/hash_text.h"

namespace r1eval {

using Id = std::int32_t;

bool has_symbols(const Expression& e, Id id) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kSymbol) {
    return true;
  }
  for (const Id kid : n.children) {
    if (has_symbols(e, kid)) {
      return true;
    }
  }
  return false;
}

namespace {

void find_integers(const Expression& e, Id id, bool inside, std::set<std::string>& out) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kSymbol && inside) {
    out.insert(n.text);
    return;
  }
  const bool counts = n.kind == Kind::kFunction && (n.text == "factorial" || n.text == "binomial" ||
                                                    n.text == "double factorial");
  const bool repeated = n.kind == Kind::kFunction && (n.text == "sum" || n.text == "prod");
  for (std::size_t k = 0; k < n.children.size(); ++k) {
    bool below = inside || counts || (repeated && k > 0);
    if (n.kind == Kind::kPower && k == 1) {
      const Node& base = e.at(n.children[0]);
      const auto exact = exact_value(e, n.children[0]);
      below =
          below || (exact && exact->num < 0) || (base.kind == Kind::kConstant && base.text == "i");
    }
    find_integers(e, n.children[k], below, out);
  }
}

bool has_logarithm_of_names(const Expression& e, Id id) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kFunction && (n.text == "ln" || n.text == "log") && !n.children.empty() &&
      has_symbols(e, n.children[0])) {
    return true;
  }
  return std::any_of(n.children.begin(), n.children.end(),
                     [&](Id kid) { return has_logarithm_of_names(e, kid); });
}

void find_names(const Expression& e, Id id, std::set<std::string>& out) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kSymbol) {
    out.insert(n.text);
  }
  for (const Id kid : n.children) {
    find_names(e, kid, out);
  }
}

}  // namespace

void note_integers(const Expression& a, Id ia, const Expression& b, Id ib) {
  std::set<std::string> names;
  find_integers(a, ia, false, names);
  find_integers(b, ib, false, names);
  a.integers = names;
  b.integers = std::move(names);
}

bool domains_differ(const Expression& a, Id ia, const Expression& b, Id ib) {
  if (!has_logarithm_of_names(a, ia) || !has_logarithm_of_names(b, ib)) {
    return false;
  }
  std::set<std::string> names;
  find_names(a, ia, names);
  find_names(b, ib, names);
  bool differ = false;
  for (auto it = names.begin(); it != names.end() && names.size() <= 8 && !differ; ++it) {
    a.flipped = *it;
    b.flipped = *it;
    const std::complex<double> x = numeric_value(a, ia, 0);
    const std::complex<double> y = numeric_value(b, ib, 0);
    differ = std::isfinite(std::abs(x)) != std::isfinite(std::abs(y));
  }
  a.flipped.clear();
  b.flipped.clear();
  return differ;
}

std::complex<double> numeric_value(const Expression& e, Id id, int point) {
  using C = std::complex<double>;
  const C nan(std::nan(""), 0);
  const Node& n = e.at(id);
  const auto kid = [&](std::size_t k) { return numeric_value(e, n.children[k], point); };
  switch (n.kind) {
    case Kind::kNumber:
      return to_double(n.value);
    case Kind::kSymbol: {
      const std::uint64_t h = hash_text(n.text, static_cast<std::uint64_t>(point));
      if (!e.integers.empty() && e.integers.contains(n.text)) {
        return static_cast<double>(2 + (h >> 20) % 9);
      }
      const double u = static_cast<double>(h >> 11) * 0x1p-53;
      const double v = point < 4 ? 0.3 + 2.1 * u : 4.0 * u - 2.0;
      return n.text == e.flipped ? -v : v;
    }
    case Kind::kConstant:
      return n.text == "e"    ? C(std::numbers::e)
             : n.text == "pi" ? C(std::numbers::pi)
             : n.text == "i"  ? C(0, 1)
                              : nan;
    case Kind::kSum: {
      C total = 0;
      for (std::size_t k = 0; k < n.children.size(); ++k) {
        total += kid(k);
      }
      return total;
    }
    case Kind::kProduct:
      return kid(0) * kid(1);
    case Kind::kQuotient:
      return kid(0) / kid(1);
    case Kind::kNegative:
      return -kid(0);
    case Kind::kPercent:
      return kid(0) / 100.0;
    case Kind::kDegree:
    case Kind::kUnit:
      return kid(0);
    case Kind::kPower: {
      const C a = kid(0);
      const C b = kid(1);
      if (a == C(0)) {
        return b.real() > 0 ? C(0) : nan;
      }
      if (b.imag() == 0 && b.real() == std::round(b.real()) && std::abs(b.real()) < 1e6) {
        return std::pow(a, static_cast<int>(b.real()));
      }
      if (a.imag() == 0 && a.real() < 0) {
        const auto r = exact_value(e, n.children[1]);
        if (r && r->den % 2 != 0) {  // odd roots of negative reals are real
          const double size = std::pow(-a.real(), b.real());
          return r->num % 2 == 0 ? size : -size;
        }
        // A power of a variable is meant where it is real.
        return has_symbols(e, n.children[0]) ? nan : std::pow(C(a.real(), 0.0), b);
      }
      return std::pow(a, b);
    }
    case Kind::kFunction: {
      const std::string& f = n.text;
      if (f == "sum" || f == "prod" || f == "integral" || f == "antiderivative" ||
          f.starts_with("limit")) {
        const auto exact = exact_value(e, id);
        return exact ? C(to_double(*exact)) : nan;
      }
      if (f == "max" || f == "min") {
        C best = kid(0);
        for (std::size_t k = 1; k < n.children.size(); ++k) {
          const C v = kid(k);
          best = (f == "max" ? v.real() > best.real() : v.real() < best.real()) ? v : best;
          best = std::isfinite(v.real()) ? best : nan;
        }
        return best;
      }
      if (f == "mod") {
        const double a = kid(0).real();
        const double b = kid(1).real();
        return a - b * std::floor(a / b);
      }
      if (f == "binomial") {
        const double n_of = kid(0).real();
        const double k_of = kid(1).real();
        const bool whole = n_of == std::round(n_of) && k_of == std::round(k_of);
        if (!whole || k_of < 0 || k_of > n_of || k_of > 1000) {
          return nan;
        }
        double ways = 1;
        for (double k = 1; k <= k_of; ++k) {
          ways = ways * (n_of - k_of + k) / k;
        }
        return ways;
      }
      C a = kid(0);
      if (a.imag() == 0) {
        a = C(a.real(), 0.0);  // never the branch below a cut
      }
      if (e.at(n.children[0]).kind == Kind::kDegree &&
          (f == "sin" || f == "cos" || f == "tan" || f == "cot" || f == "sec" || f == "csc")) {
        a *= std::numbers::pi / 180;
      }
      if (std::abs(a) > 1e8 &&
          (f == "sin" || f == "cos" || f == "tan" || f == "cot" || f == "sec" || f == "csc")) {
        return nan;
      }
      if (f == "root") {
        const C d = kid(1);
        const double degree = d.real();
        if (a.imag() == 0 && a.real() < 0 && std::fmod(degree, 2.0) == 1.0) {
          return -std::pow(-a.real(), 1 / degree);
        }
        // A variable under an even root is meant where the root is real.
        if (a.imag() == 0 && a.real() < 0 && has_symbols(e, n.children[0])) {
          return nan;
        }
        return degree == 2 ? std::sqrt(a) : std::pow(a, 1 / degree);
      }
      if (f == "sin") return std::sin(a);
      if (f == "cos") return std::cos(a);
      if (f == "tan") return std::tan(a);
      if (f == "cot") return 1.0 / std::tan(a);
      if (f == "sec") return 1.0 / std::cos(a);
      if (f == "csc") return 1.0 / std::sin(a);
      if ((f == "ln" || f == "log") && a.imag() == 0 && a.real() < 0 &&
          has_symbols(e, n.children[0])) {
        return nan;
      }
      if (f == "ln") return std::log(a);
      if (f == "log")
        return std::log(a) / (n.children.size() == 2 ? std::log(kid(1)) : C(std::log(10.0)));
      if (f == "exp") return std::exp(a);
      if (f == "abs") return std::abs(a);
      if (f == "Re") return a.real();
      if (f == "Im") return a.imag();
      if (f == "arg") return a == C(0) ? nan : C(std::arg(a));
      if (f == "sgn") return a == C(0) ? C(0) : a / std::abs(a);
      const double x = a.real();
      const bool real = a.imag() == 0;
      if (f == "arctan" && real) return std::atan(x);
      if (f == "arccot" && real) return std::numbers::pi / 2 - std::atan(x);
      if (f == "arcsin" && real && std::abs(x) <= 1) return std::asin(x);
      if (f == "arccos" && real && std::abs(x) <= 1) return std::acos(x);
      if (f == "sinh" && real) return std::sinh(x);
      if (f == "cosh" && real) return std::cosh(x);
      if (f == "tanh" && real) return std::tanh(x);
      if (f == "coth" && real) return 1 / std::tanh(x);
      if (f == "floor" && a.imag() == 0) return std::floor(a.real());
      if (f == "ceil" && a.imag() == 0) return std::ceil(a.real());
      if (f == "factorial" && a.imag() == 0 && a.real() >= 0) return std::tgamma(a.real() + 1);
      return nan;
    }
    default:
      return nan;
  }
}

bool differ_at_a_point(const Expression& a, Id ia, const Expression& b, Id ib, int& points) {
  points = 0;
  const bool constant = !has_symbols(a, ia) && !has_symbols(b, ib);
  for (int point = 0; point < (constant ? 1 : 8); ++point) {
    const std::complex<double> x = numeric_value(a, ia, point);
    const std::complex<double> y = numeric_value(b, ib, point);
    if (!std::isfinite(std::abs(x)) || !std::isfinite(std::abs(y))) {
      continue;
    }
    ++points;
    const double scale = std::max({1e-6, std::abs(x), std::abs(y)});
    if (std::abs(x - y) > 1e-7 * std::max(1.0, scale) && scale < 1e12) {
      return true;
    }
  }
  return false;
}

}  // namespace r1eval
