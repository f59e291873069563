// True identities. Each holds wherever both of its sides have real values.
#include "tests/graders/generated/term.h"

namespace r1eval::generated {
namespace {

namespace mp = boost::multiprecision;

bool is_number(const TermPtr& t) {
  return t->op == Op::kNumber;
}

bool is_positive_number(const TermPtr& t) {
  return is_number(t) && t->value > 0;
}

std::optional<int> small_whole(const TermPtr& t) {
  if (!is_number(t) || !is_integer(t->value) || abs(t->value) > 12) {
    return std::nullopt;
  }
  return static_cast<int>(mp::numerator(t->value));
}

TermPtr any_symbol(const TermPtr& t) {
  if (t->op == Op::kSymbol) {
    return t;
  }
  for (const TermPtr& kid : t->kids) {
    if (TermPtr found = any_symbol(kid)) {
      return found;
    }
  }
  return nullptr;
}

// A small term for both sides of something that cancels.
TermPtr filler(const TermPtr& t, Random& random) {
  const TermPtr name = any_symbol(t);
  switch (random.between(0, 5)) {
    case 0:
      return name ? name : number(random.between(2, 9));
    case 1:
      return name ? sum(name, number(random.between(1, 5))) : root(number(random.between(2, 7)), 2);
    case 2:
      return number(Fraction(random.between(1, 9), random.between(2, 7)));
    case 3:
      return constant("pi");
    default:
      return number(random.between(2, 12));
  }
}

TermPtr whole(const Whole& n) {
  return number(Fraction(n));
}

std::vector<TermPtr> rest_of(const std::vector<TermPtr>& kids, std::size_t without) {
  std::vector<TermPtr> rest;
  for (std::size_t k = 0; k < kids.size(); ++k) {
    if (k != without) {
      rest.push_back(kids[k]);
    }
  }
  return rest;
}

TermPtr folded(Op op, const std::vector<TermPtr>& kids) {
  return kids.size() == 1 ? kids[0] : make(op, kids);
}

TermPtr rewrite_number(const TermPtr& t, Random& random) {
  const Fraction& q = t->value;
  const int k = random.between(2, 9);
  switch (random.between(0, 8)) {
    case 0:
      return sum(number(q - k), number(k));
    case 1:
      return q == 0 ? nullptr : product(number(q * k), number(Fraction(1, k)));
    case 2:
      return quotient(whole(mp::numerator(q) * k), whole(mp::denominator(q) * k));
    case 3: {  // another way of writing it
      Whole bottom = mp::denominator(q);
      while (bottom % 2 == 0) {
        bottom /= 2;
      }
      while (bottom % 5 == 0) {
        bottom /= 5;
      }
      return bottom == 1 && mp::denominator(q) < 10000 ? number(q, !t->is_decimal) : nullptr;
    }
    case 4:
      return q > 0 && q < 1000 ? call("exp", call("ln", t)) : nullptr;
    case 5:
      return q > 0 && q < 1000 ? power(root(t, 2), 2) : nullptr;
    case 6:
      return negative(number(-q));
    case 7:
      return is_integer(q) && q > 1 && q < 12
                 ? quotient(call("factorial", t), call("factorial", number(q - 1)))
                 : nullptr;
    default:
      return is_integer(q) && abs(q) < 100000
                 ? sum(product(number(k), number(Fraction(mp::numerator(q) / k))),
                       number(Fraction(mp::numerator(q) % k)))
                 : nullptr;
  }
}

TermPtr rewrite_sum(const TermPtr& t, Random& random) {
  std::vector<TermPtr> kids = t->kids;
  const std::size_t i = random.next() % kids.size();
  switch (random.between(0, 5)) {
    case 0:
      random.shuffle(kids);
      return make(Op::kSum, kids);
    case 1: {  // a + rest = -(-a - rest)
      std::vector<TermPtr> turned;
      for (const TermPtr& kid : kids) {
        turned.push_back(kid->op == Op::kNegative ? kid->kids[0] : negative(kid));
      }
      return negative(make(Op::kSum, turned));
    }
    case 2:  // a/b + c/d over one denominator
      if (kids[0]->op == Op::kQuotient || kids[1]->op == Op::kQuotient) {
        const auto top = [](const TermPtr& x) { return x->op == Op::kQuotient ? x->kids[0] : x; };
        const auto bottom = [](const TermPtr& x) {
          return x->op == Op::kQuotient ? x->kids[1] : number(1);
        };
        TermPtr one = quotient(
            sum(product(top(kids[0]), bottom(kids[1])), product(top(kids[1]), bottom(kids[0]))),
            product(bottom(kids[0]), bottom(kids[1])));
        std::vector<TermPtr> all = {std::move(one)};
        all.insert(all.end(), kids.begin() + 2, kids.end());
        return folded(Op::kSum, all);
      }
      return nullptr;
    case 3: {  // take a factor out
      const TermPtr factor = number(random.between(2, 6));
      std::vector<TermPtr> parts;
      for (const TermPtr& kid : kids) {
        parts.push_back(is_number(kid) ? number(kid->value / factor->value)
                                       : quotient(kid, factor));
      }
      return product(factor, make(Op::kSum, parts));
    }
    case 4:
      return kids.size() < 3 ? nullptr : sum(kids[i], make(Op::kSum, rest_of(kids, i)));
    default: {  // a sum within a sum loses its parentheses
      std::vector<TermPtr> flat;
      for (const TermPtr& kid : kids) {
        if (kid->op == Op::kSum) {
          flat.insert(flat.end(), kid->kids.begin(), kid->kids.end());
        } else {
          flat.push_back(kid);
        }
      }
      return make(Op::kSum, flat);
    }
  }
}

TermPtr rewrite_product(const TermPtr& t, Random& random) {
  std::vector<TermPtr> kids = t->kids;
  switch (random.between(0, 4)) {
    case 0:
      random.shuffle(kids);
      return make(Op::kProduct, kids);
    case 1:  // distribute over a sum
      for (std::size_t k = 0; k < kids.size(); ++k) {
        if (kids[k]->op == Op::kSum) {
          std::vector<TermPtr> terms;
          for (const TermPtr& term : kids[k]->kids) {
            std::vector<TermPtr> factors = rest_of(kids, k);
            factors.push_back(term);
            terms.push_back(make(Op::kProduct, factors));
          }
          return make(Op::kSum, terms);
        }
      }
      return nullptr;
    case 2:  // a * b = a / (1/b)
      return quotient(kids[0], quotient(number(1), folded(Op::kProduct, rest_of(kids, 0))));
    case 3:  // sqrt(a) * sqrt(b) of positive numbers
      if (kids[0]->op == Op::kRoot && kids[1]->op == Op::kRoot &&
          kids[0]->value == kids[1]->value && is_positive_number(kids[0]->kids[0]) &&
          is_positive_number(kids[1]->kids[0]) && kids.size() == 2) {
        return root(number(kids[0]->kids[0]->value * kids[1]->kids[0]->value),
                    static_cast<int>(mp::numerator(kids[0]->value)));
      }
      return nullptr;
    default:  // -a * -b
      if (kids.size() == 2) {
        return product(negative(kids[0]), negative(kids[1]));
      }
      return nullptr;
  }
}

TermPtr rewrite_quotient(const TermPtr& t, Random& random) {
  const TermPtr& a = t->kids[0];
  const TermPtr& b = t->kids[1];
  switch (random.between(0, 5)) {
    case 0:
      return product(a, power(b, -1));
    case 1: {
      const TermPtr k = filler(t, random);
      return quotient(product(a, k), product(b, k));
    }
    case 2:
      return a->op == Op::kSum ? [&] {
        std::vector<TermPtr> parts;
        for (const TermPtr& kid : a->kids) {
          parts.push_back(quotient(kid, b));
        }
        return make(Op::kSum, parts);
      }()
                               : nullptr;
    case 3:  // 1/sqrt(n) = sqrt(n)/n
      return b->op == Op::kRoot && b->value == 2 && is_positive_number(b->kids[0])
                 ? quotient(product(a, b), b->kids[0])
                 : nullptr;
    case 4:  // 1/(p + q) = (p - q)/(p^2 - q^2), a conjugate
      if (b->op == Op::kSum && b->kids.size() == 2) {
        const TermPtr& p = b->kids[0];
        const TermPtr& q = b->kids[1];
        return quotient(product(a, sum(p, negative(q))), sum(power(p, 2), negative(power(q, 2))));
      }
      return nullptr;
    default:
      return negative(quotient(negative(a), b));
  }
}

TermPtr rewrite_power(const TermPtr& t, Random& random) {
  const TermPtr& base = t->kids[0];
  const TermPtr& exponent = t->kids[1];
  const auto n = small_whole(exponent);
  if (!n) {
    if (is_positive_number(base) && !is_number(exponent)) {
      switch (random.between(0, 2)) {
        case 0:
          return product(base, power(base, sum(exponent, number(-1))));
        case 1:
          return power(number(base->value * base->value), quotient(exponent, number(2)));
        default:
          return quotient(number(1), power(base, negative(exponent)));
      }
    }
    return nullptr;
  }
  switch (random.between(0, 4)) {
    case 0:
      if (*n >= 2 && *n <= 4) {
        return make(Op::kProduct, std::vector<TermPtr>(static_cast<std::size_t>(*n), base));
      }
      return nullptr;
    case 1:
      if (*n == 2 && base->op == Op::kSum) {
        const TermPtr a = base->kids[0];
        const TermPtr b = folded(Op::kSum, rest_of(base->kids, 0));
        return make(Op::kSum, {power(a, 2), make(Op::kProduct, {number(2), a, b}), power(b, 2)});
      }
      return nullptr;
    case 2:
      return *n > 2   ? product(power(base, *n - 1), base)
             : *n < 0 ? quotient(number(1), power(base, -*n))
                      : nullptr;
    case 3:
      if (base->op == Op::kProduct) {
        std::vector<TermPtr> factors;
        for (const TermPtr& kid : base->kids) {
          factors.push_back(power(kid, *n));
        }
        return make(Op::kProduct, factors);
      }
      return nullptr;
    default:
      if (*n == 2 && base->op == Op::kFunction && base->text == "cos") {
        return sum(number(1), negative(power(call("sin", base->kids[0]), 2)));
      }
      return *n % 2 == 0 ? power(negative(base), *n) : negative(power(negative(base), *n));
  }
}

TermPtr rewrite_root(const TermPtr& t, Random& random) {
  const TermPtr& inner = t->kids[0];
  const int degree = static_cast<int>(mp::numerator(t->value));
  const int k = random.between(2, 7);
  switch (random.between(0, 3)) {
    case 0:
      return power(inner, number(Fraction(1, degree)));
    case 1:
      if (is_positive_number(inner)) {
        Fraction scale = 1;
        for (int j = 0; j < degree; ++j) {
          scale *= k;
        }
        return quotient(root(number(inner->value * scale), degree), number(k));
      }
      return nullptr;
    case 2:
      return is_positive_number(inner) ? product(root(number(inner->value * k), degree),
                                                 root(number(Fraction(1, k)), degree))
                                       : nullptr;
    default:
      return is_positive_number(inner) ? root(power(inner, 2), 2 * degree) : nullptr;
  }
}

TermPtr rewrite_function(const TermPtr& t, Random& random) {
  const std::string& f = t->text;
  const TermPtr& u = t->kids[0];
  const TermPtr half = product(number(Fraction(1, 2)), u);
  const TermPtr quarter_turn = quotient(constant("pi"), number(2));
  const int way = random.between(0, 3);
  if (f == "sin" || f == "cos") {
    const bool is_sin = f == "sin";
    switch (way) {
      case 0:
        return call(is_sin ? "cos" : "sin", sum(quarter_turn, negative(u)));
      case 1:
        return is_sin ? make(Op::kProduct, {number(2), call("sin", half), call("cos", half)})
                      : sum(number(1), negative(product(number(2), power(call("sin", half), 2))));
      case 2:
        return is_sin ? negative(call("sin", negative(u))) : call("cos", negative(u));
      default:
        if (u->op == Op::kSum && u->kids.size() == 2) {
          const TermPtr& a = u->kids[0];
          const TermPtr& b = u->kids[1];
          return is_sin ? sum(product(call("sin", a), call("cos", b)),
                              product(call("cos", a), call("sin", b)))
                        : sum(product(call("cos", a), call("cos", b)),
                              negative(product(call("sin", a), call("sin", b))));
        }
        return call(f, sum(u, product(number(2 * random.between(-3, 3)), constant("pi"))));
    }
  }
  if (f == "tan") {
    return way < 3 ? quotient(call("sin", u), call("cos", u)) : call("tan", sum(u, constant("pi")));
  }
  if (f == "exp") {
    switch (way) {
      case 0: {
        const TermPtr k = filler(t, random);
        return product(call("exp", sum(u, negative(k))), call("exp", k));
      }
      case 1:
        return quotient(number(1), call("exp", negative(u)));
      case 2:
        return power(call("exp", half), 2);
      default:
        return u->op == Op::kSum ? [&] {
          std::vector<TermPtr> factors;
          for (const TermPtr& kid : u->kids) {
            factors.push_back(call("exp", kid));
          }
          return make(Op::kProduct, factors);
        }()
                                 : nullptr;
    }
  }
  if ((f == "ln" || f == "log") && is_positive_number(u)) {
    const TermPtr k = number(random.between(2, 9));
    const auto same = [&](TermPtr argument) {
      return f == "ln" ? call("ln", std::move(argument))
                       : make(Op::kFunction, {std::move(argument), t->kids[1]}, "log");
    };
    switch (way) {
      case 0:
        return sum(same(number(u->value * k->value)), negative(same(k)));
      case 1:
        return quotient(same(number(u->value * u->value)), number(2));
      case 2:
        return f == "log" ? quotient(call("ln", u), call("ln", t->kids[1]))
                          : product(make(Op::kFunction, {u, k}, "log"), call("ln", k));
      default:
        return negative(same(number(1 / u->value)));
    }
  }
  if (f == "abs") {
    return way == 0   ? call("abs", negative(u))
           : way == 1 ? root(power(u, 2), 2)
           : way == 2 && u->op == Op::kProduct && u->kids.size() == 2
               ? product(call("abs", u->kids[0]), call("abs", u->kids[1]))
               : nullptr;
  }
  if (f == "factorial" && u->value >= 1) {
    return product(u, call("factorial", number(u->value - 1)));
  }
  if (f == "binomial" && is_number(u) && u->value >= t->kids[1]->value) {
    return make(Op::kFunction, {u, number(u->value - t->kids[1]->value)}, "binomial");
  }
  return nullptr;
}

TermPtr rewrite_any(const TermPtr& t, Random& random) {
  const TermPtr k = filler(t, random);
  switch (random.between(0, 5)) {
    case 0:
      return sum(sum(t, k), negative(k));
    case 1:
      return quotient(product(t, k), k);
    case 2: {
      const TermPtr u = filler(t, random);
      return product(t, sum(power(call("sin", u), 2), power(call("cos", u), 2)));
    }
    case 3:
      return negative(negative(t));
    case 4:
      return product(number(2), quotient(t, number(2)));
    default:
      return sum(product(number(3), t), negative(product(number(2), t)));
  }
}

TermPtr rewrite_here(const TermPtr& t, Random& random) {
  if (random.one_in(12)) {
    return rewrite_any(t, random);
  }
  switch (t->op) {
    case Op::kNumber:
      return rewrite_number(t, random);
    case Op::kSum:
      return rewrite_sum(t, random);
    case Op::kProduct:
      return rewrite_product(t, random);
    case Op::kQuotient:
      return rewrite_quotient(t, random);
    case Op::kPower:
      return rewrite_power(t, random);
    case Op::kRoot:
      return rewrite_root(t, random);
    case Op::kFunction:
      return rewrite_function(t, random);
    case Op::kNegative:
      return t->kids[0]->op == Op::kNegative ? t->kids[0]->kids[0]
                                             : product(number(-1), t->kids[0]);
    default:
      return nullptr;
  }
}

// Applies one identity at the node that `index` counts to. Bases of logarithms and arguments of
// factorials stay numbers.
TermPtr rewrite_at(const TermPtr& t, int& index, Random& random) {
  if (index-- == 0) {
    TermPtr other = rewrite_here(t, random);
    return other ? other : t;
  }
  const bool is_fixed = t->op == Op::kFunction &&
                        (t->text == "factorial" || t->text == "binomial" || t->text == "log");
  if (is_fixed || index < 0) {
    return t;
  }
  std::vector<TermPtr> kids = t->kids;
  // An exponent that is a number stays one, so that the power stays readable; so does a radicand.
  const bool keeps_number = t->op == Op::kPower || t->op == Op::kRoot;
  for (TermPtr& kid : kids) {
    if (index < 0) {
      break;
    }
    if (keeps_number && is_number(kid)) {
      --index;
      continue;
    }
    kid = rewrite_at(kid, index, random);
  }
  auto copy = std::make_shared<Term>(*t);
  copy->kids = std::move(kids);
  return copy;
}

}  // namespace

TermPtr rewrite(const TermPtr& t, Random& random, int rounds) {
  TermPtr now = t;
  for (int k = 0; k < rounds; ++k) {
    int index = random.between(0, size_of(now) - 1);
    TermPtr next = rewrite_at(now, index, random);
    if (size_of(next) <= 120) {
      now = std::move(next);
    }
  }
  return now;
}

}  // namespace r1eval::generated
