#include "graders/math/exact.h"

#include <algorithm>
#include <cmath>
#include <complex>

#include "graders/bounds.h"
#include "graders/math/ball.h"
#include "graders/math/numeric.h"

namespace r1eval {
namespace {

using Id = std::int32_t;

// Takes the work of one operation on numbers of `bits` bits; false when there is none left. A unit
// is about 5 ns; what an operation costs whatever its size is in the constant.
bool pay(const Expression& e, std::int64_t bits) {
  const std::int64_t words = bits / 64 + 1;
  *e.exact_fuel -= words * words / 4 + 40;
  return *e.exact_fuel >= 0;
}

// The same for an operation that reduces a fraction: for the common divisor, a step per pair of
// words.
bool pay(const Expression& e, const Rational& a, const Rational& b) {
  const std::int64_t top = bit_length(a.num) + bit_length(b.num);
  const std::int64_t below = bit_length(a.den) + bit_length(b.den);
  *e.exact_fuel -= (std::min(top, below) / 64) * (std::max(top, below) / 64 + 1);
  return pay(e, std::max(top, below));
}

// What floor and ceiling round: an exact value, or a constant that is clearly between integers.
std::optional<Rational> floor_argument(const Expression& e, Id id,
                                       const std::optional<Rational>& exact) {
  if (exact || has_symbols(e, id)) {
    return exact;
  }
  std::int64_t fuel = std::min<std::int64_t>(*e.exact_fuel, bounds::kMaxFuel / 8);
  *e.exact_fuel -= fuel;
  const auto below = floor_of(e, id, fuel);
  *e.exact_fuel += std::max<std::int64_t>(fuel, 0);
  return below ? std::optional<Rational>(Rational(2 * *below + 1, Integer(2))) : std::nullopt;
}

// A sum or product with closed integer bounds, term by term.
std::optional<Rational> repeated_exact(const Expression& e, const Node& n) {
  const auto from = exact_value(e, n.children[1]);
  const auto to = exact_value(e, n.children[2]);
  if (!from || !to || !from->is_integer() || !to->is_integer() || n.columns < 0) {
    return std::nullopt;
  }
  const std::int64_t a = from->small_int().value_or(1);
  const std::int64_t b = to->small_int().value_or(std::int64_t{1} << 61);
  if (b - a >= bounds::kMaxRepeatedTerms) {
    return std::nullopt;
  }
  Expression body;
  body.nodes.reserve(e.nodes.size());
  body.root = copy_subtree(e, n.children[0], body);
  // Sums in sums copy their bodies again and again.
  *e.exact_fuel -= 150 * static_cast<std::int64_t>(body.nodes.size());
  const std::string bound = "@" + std::to_string(n.columns);
  std::vector<std::size_t> slots;
  for (std::size_t k = 0; k < body.nodes.size(); ++k) {
    if (body.nodes[k].kind == Kind::kSymbol && body.nodes[k].text == bound) {
      body.nodes[k].kind = Kind::kNumber;
      slots.push_back(k);
    }
  }
  Rational total(Integer(n.text == "sum" ? 0 : 1));
  body.exact_fuel = e.exact_fuel;  // one account
  for (std::int64_t k = a; k <= b; ++k) {
    for (const std::size_t slot : slots) {
      body.nodes[slot].value = Rational(Integer(k));
    }
    body.exact.assign(body.nodes.size(), std::nullopt);
    *body.exact_fuel -= 16 * static_cast<std::int64_t>(body.nodes.size());
    const auto term = exact_value(body, body.root);
    if (!term || !pay(body, total, *term)) {
      return std::nullopt;
    }
    total = n.text == "sum" ? total + *term : total * *term;
    if (!total.is_small()) {
      return std::nullopt;
    }
  }
  return total;
}

std::optional<Rational> compute_exact(const Expression& e, Id id) {
  const Node& n = e.at(id);
  const auto kid = [&](std::size_t k) { return exact_value(e, n.children[k]); };
  std::optional<Rational> result;
  switch (n.kind) {
    case Kind::kNumber:
      return n.value;
    case Kind::kSum: {
      Rational total;
      for (std::size_t k = 0; k < n.children.size(); ++k) {
        const auto v = kid(k);
        if (!v || !total.is_small() || !pay(e, total, *v)) {
          return std::nullopt;
        }
        total = total + *v;
      }
      result = total;
      break;
    }
    case Kind::kProduct: {
      const auto a = kid(0);
      const auto b = a ? kid(1) : a;
      if (b && pay(e, *a, *b) &&
          bit_length(a->num) + bit_length(b->num) + bit_length(a->den) + bit_length(b->den) <
              2 * bounds::kMaxExactBits) {
        result = *a * *b;
      }
      break;
    }
    case Kind::kQuotient: {
      const auto a = kid(0);
      const auto b = a ? kid(1) : a;
      if (b && !b->is_zero() && pay(e, *a, *b)) {
        result = *a * Rational(b->den, b->num);
      }
      break;
    }
    case Kind::kNegative: {
      const auto v = kid(0);
      return v ? std::optional<Rational>(-*v) : v;
    }
    case Kind::kPercent: {
      const auto v = kid(0);
      return v ? std::optional<Rational>(*v * Rational(Integer(1), Integer(100))) : v;
    }
    case Kind::kDegree:
    case Kind::kUnit:
      return kid(0);
    case Kind::kPower: {
      const auto a = kid(0);
      const auto b = a ? kid(1) : a;
      if (b && a->den == 1 && a->num == -1 && b->is_integer()) {
        return Rational(Integer(b->num % 2 == 0 ? 1 : -1));
      }
      if (b && ((a->den == 1 && a->num == 1) || (a->is_zero() && b->num > 0))) {
        return *a;
      }
      const auto small = b ? b->small_int() : std::nullopt;
      const std::int64_t bits = b ? bit_length(a->num) + bit_length(a->den) : 0;
      if (small && std::abs(*small) <= bounds::kMaxExactBits && pay(e, bits * std::abs(*small))) {
        result = power(*a, *small);
      }
      break;
    }
    case Kind::kFunction: {
      if (n.text == "factorial") {
        const auto v = kid(0);
        const std::int64_t m = v ? v->small_int().value_or(-1) : -1;
        if (m >= 0 && m <= bounds::kMaxFactorial && pay(e, m * 10)) {
          return Rational(factorial_of(m));
        }
      } else if (n.text == "double factorial") {
        const auto v = kid(0);
        const std::int64_t m = v ? v->small_int().value_or(-1) : -1;
        if (m >= 0 && m <= bounds::kMaxFactorial && pay(e, m * 10)) {
          return Rational(double_factorial_of(m));
        }
      } else if (n.text == "binomial") {
        const auto a = kid(0);
        const auto b = a ? kid(1) : a;
        const std::int64_t m = a ? a->small_int().value_or(-1) : -1;
        const std::int64_t k = b ? b->small_int().value_or(-1) : -1;
        if (m >= 0 && m <= bounds::kMaxFactorial && k >= 0 && pay(e, m * 10)) {
          return Rational(k > m ? Integer(0) : binomial_of(m, k));
        }
      } else if (n.text == "floor" || n.text == "ceil") {
        if (const auto v = floor_argument(e, n.children[0], kid(0))) {
          Integer q = v->num / v->den;
          if (v->den != 1 && v->num < 0) {
            q -= 1;
          }
          return Rational(n.text == "ceil" && v->den != 1 ? q + 1 : q);
        }
      } else if (n.text == "mod") {
        const auto a = kid(0);
        const auto b = a ? kid(1) : a;
        if (b && !b->is_zero() && pay(e, *a, *b)) {
          const Rational q = *a * Rational(b->den, b->num);
          Integer whole = q.num / q.den;
          if (q.den != 1 && q.num < 0) {
            whole -= 1;
          }
          result = *a - *b * Rational(whole);
        }
      } else if (n.text == "max" || n.text == "min") {
        for (std::size_t k = 0; k < n.children.size(); ++k) {
          const auto v = kid(k);
          if (!v) {
            return std::nullopt;
          }
          if (!result || (n.text == "max" ? *result < *v : *v < *result)) {
            result = v;
          }
        }
      } else if ((n.text == "sum" || n.text == "prod") && n.children.size() == 3) {
        return repeated_exact(e, n);
      } else if (n.text == "abs") {
        const auto v = kid(0);
        return v ? std::optional<Rational>(absolute(*v)) : v;
      } else if (n.text == "root") {
        const auto v = kid(0);
        const auto d = v ? kid(1) : v;
        if (d && d->den == 1 && d->num == 2 && v->num >= 0) {
          const Integer a = sqrt(v->num);
          const Integer b = sqrt(v->den);
          if (a * a == v->num && b * b == v->den) {
            return Rational(a, b);
          }
        }
      }
      break;
    }
    default:
      break;
  }
  if (result && !result->is_small()) {
    return std::nullopt;
  }
  return result;
}

}  // namespace

std::optional<Rational> exact_value(const Expression& e, Id id) {
  const auto slot = static_cast<std::size_t>(id);
  if (e.exact.size() < e.nodes.size()) {
    e.exact.resize(e.nodes.size());
  }
  if (!e.exact[slot]) {
    auto value = compute_exact(e, id);
    e.exact[slot] = std::move(value);
  }
  return *e.exact[slot];
}

}  // namespace r1eval
