// gcd and lcm of expressions.
#include <cstdlib>

#include "graders/math/exact.h"
#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

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

}  // namespace r1eval::parsing
