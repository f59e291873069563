#include "tests/graders/generated/term.h"

#include <boost/math/constants/constants.hpp>

namespace r1eval::generated {

namespace mp = boost::multiprecision;

TermPtr number(const Fraction& value, bool is_decimal) {
  auto t = std::make_shared<Term>();
  t->value = value;
  t->is_decimal = is_decimal;
  return t;
}

TermPtr symbol(const std::string& name) {
  auto t = std::make_shared<Term>();
  t->op = Op::kSymbol;
  t->text = name;
  return t;
}

TermPtr constant(const std::string& name) {
  auto t = std::make_shared<Term>();
  t->op = Op::kConstant;
  t->text = name;
  return t;
}

TermPtr make(Op op, std::vector<TermPtr> kids, std::string text) {
  auto t = std::make_shared<Term>();
  t->op = op;
  t->kids = std::move(kids);
  t->text = std::move(text);
  return t;
}

TermPtr root(TermPtr radicand, int degree) {
  auto t = std::make_shared<Term>();
  t->op = Op::kRoot;
  t->kids = {std::move(radicand)};
  t->value = degree;
  return t;
}

int size_of(const TermPtr& t) {
  int n = 1;
  for (const TermPtr& kid : t->kids) {
    n += kid ? size_of(kid) : 0;
  }
  return n;
}

bool has_symbols(const TermPtr& t) {
  if (t->op == Op::kSymbol) {
    return true;
  }
  for (const TermPtr& kid : t->kids) {
    if (kid && has_symbols(kid)) {
      return true;
    }
  }
  return false;
}

bool has_decimals(const TermPtr& t) {
  if (t->is_decimal) {
    return true;
  }
  for (const TermPtr& kid : t->kids) {
    if (kid && has_decimals(kid)) {
      return true;
    }
  }
  return false;
}

bool divides_by_symbols(const TermPtr& t) {
  if ((t->op == Op::kQuotient && has_symbols(t->kids[1])) ||
      (t->op == Op::kPower && has_symbols(t->kids[0]) &&
       (t->kids[1]->op != Op::kNumber || t->kids[1]->value < 0))) {
    return true;
  }
  for (const TermPtr& kid : t->kids) {
    if (kid && divides_by_symbols(kid)) {
      return true;
    }
  }
  return false;
}

bool is_integer(const Fraction& q) {
  return mp::denominator(q) == 1;
}

namespace {

Real real_of(const Fraction& q) {
  return Real(mp::numerator(q)) / Real(mp::denominator(q));
}

// Symbols are positive at the first three points and of either sign at the others.
Real symbol_at(const std::string& name, int point) {
  std::uint64_t h = 1469598103934665603ULL;
  for (const char c : name + static_cast<char>('A' + point)) {
    h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  h ^= h >> 31;
  const int top = static_cast<int>(h % 2903) + 211;
  const bool minus = point >= 3 && ((h >> 33) & 1) != 0;
  return Real(minus ? -top : top) / 1009;
}

std::optional<Real> bounded(const Real& x) {
  static const Real limit("1e100");
  return abs(x) < limit ? std::optional<Real>(x) : std::nullopt;
}

std::optional<Real> whole_power(const Real& base, long n) {
  if (n < 0) {
    return abs(base) < Real("1e-40") ? std::nullopt : bounded(1 / pow(base, static_cast<int>(-n)));
  }
  return bounded(pow(base, static_cast<int>(n)));
}

}  // namespace

std::optional<Fraction> evaluate_exactly(const TermPtr& t) {
  std::vector<Fraction> kids;
  if (t->op != Op::kNumber && t->op != Op::kSum && t->op != Op::kProduct &&
      t->op != Op::kQuotient && t->op != Op::kNegative && t->op != Op::kPower) {
    return std::nullopt;
  }
  for (const TermPtr& kid : t->kids) {
    const auto v = evaluate_exactly(kid);
    if (!v) {
      return v;
    }
    kids.push_back(*v);
  }
  switch (t->op) {
    case Op::kNumber:
      return t->value;
    case Op::kSum: {
      Fraction total = 0;
      for (const Fraction& kid : kids) {
        total += kid;
      }
      return total;
    }
    case Op::kProduct: {
      Fraction total = 1;
      for (const Fraction& kid : kids) {
        total *= kid;
      }
      return total;
    }
    case Op::kQuotient:
      return kids[1] == 0 ? std::nullopt : std::optional<Fraction>(kids[0] / kids[1]);
    case Op::kNegative:
      return Fraction(-kids[0]);
    default: {
      if (!is_integer(kids[1]) || abs(kids[1]) > 200 || (kids[0] == 0 && kids[1] <= 0)) {
        return std::nullopt;
      }
      const int n = static_cast<int>(mp::numerator(kids[1]));
      Fraction total = 1;
      for (int k = 0; k < std::abs(n); ++k) {
        total *= kids[0];
      }
      return n < 0 ? Fraction(1 / total) : total;
    }
  }
}

std::optional<Real> evaluate(const TermPtr& t, int point) {
  std::vector<Real> x;
  for (const TermPtr& kid : t->kids) {
    const auto v = evaluate(kid, point);
    if (!v) {
      return v;
    }
    x.push_back(*v);
  }
  switch (t->op) {
    case Op::kNumber:
      return bounded(real_of(t->value));
    case Op::kConstant:
      return t->text == "pi" ? boost::math::constants::pi<Real>()
                             : boost::math::constants::e<Real>();
    case Op::kSymbol:
      return symbol_at(t->text, point);
    case Op::kSum: {
      Real total = 0;
      for (const Real& v : x) {
        total += v;
      }
      return bounded(total);
    }
    case Op::kProduct: {
      Real total = 1;
      for (const Real& v : x) {
        total *= v;
      }
      return bounded(total);
    }
    case Op::kQuotient:
      return abs(x[1]) < Real("1e-40") ? std::nullopt : bounded(x[0] / x[1]);
    case Op::kNegative:
      return -x[0];
    case Op::kPower: {
      const auto exact = evaluate_exactly(t->kids[1]);
      if (exact && is_integer(*exact) && abs(*exact) <= 400) {
        return whole_power(x[0], static_cast<long>(mp::numerator(*exact)));
      }
      if (exact && mp::denominator(*exact) % 2 == 1 && x[0] < 0) {
        const Real size = pow(-x[0], x[1]);
        return bounded(mp::numerator(*exact) % 2 == 0 ? size : -size);
      }
      if (!(x[0] > 0) || abs(x[1] * log(x[0])) > 250) {
        return std::nullopt;
      }
      return bounded(pow(x[0], x[1]));
    }
    case Op::kRoot: {
      const int degree = static_cast<int>(mp::numerator(t->value));
      if (x[0] == 0) {
        return Real(0);
      }
      if (x[0] < 0) {
        return degree % 2 == 0 ? std::nullopt : std::optional<Real>(-pow(-x[0], Real(1) / degree));
      }
      return degree == 2 ? sqrt(x[0]) : pow(x[0], Real(1) / degree);
    }
    case Op::kFunction: {
      const std::string& f = t->text;
      if (f == "sin" || f == "cos" || f == "tan") {
        if (abs(x[0]) > Real("1e30")) {
          return std::nullopt;
        }
        const Real c = cos(x[0]);
        if (f == "tan") {
          return abs(c) < Real("1e-20") ? std::nullopt : bounded(sin(x[0]) / c);
        }
        return f == "sin" ? sin(x[0]) : c;
      }
      if (f == "exp") {
        return abs(x[0]) > 250 ? std::nullopt : std::optional<Real>(exp(x[0]));
      }
      if (f == "ln") {
        return x[0] > 0 ? std::optional<Real>(log(x[0])) : std::nullopt;
      }
      if (f == "log") {
        if (!(x[0] > 0) || !(x[1] > 0) || x[1] == 1) {
          return std::nullopt;
        }
        return log(x[0]) / log(x[1]);
      }
      if (f == "abs") {
        return abs(x[0]);
      }
      if ((f == "factorial" || f == "binomial") && (x[0] < 0 || x.back() < 0 || x[0] > 300)) {
        return std::nullopt;
      }
      if (f == "factorial") {
        Real total = 1;
        for (int k = 2; k <= static_cast<int>(x[0]); ++k) {
          total *= k;
        }
        return bounded(total);
      }
      if (f == "binomial") {
        const int n = static_cast<int>(x[0]);
        const int m = static_cast<int>(x[1]);
        Real total = m > n ? 0 : 1;
        for (int k = 1; k <= m; ++k) {
          total = total * (n - m + k) / k;
        }
        return round(total);
      }
      return std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

}  // namespace r1eval::generated
