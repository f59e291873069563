// Random answers and pairs of them.
#include <array>

#include "tests/graders/generated/term.h"

namespace r1eval::generated {
namespace {

namespace mp = boost::multiprecision;

constexpr int kPoints = 6;

// --- random terms

class Builder {
 public:
  Builder(Random& random, std::vector<std::string> names)
      : random_(random), names_(std::move(names)) {}

  TermPtr scalar(int size);
  TermPtr positive_number();

 private:
  TermPtr leaf();
  TermPtr angle(int size);
  TermPtr positive(int size);

  Random& random_;
  std::vector<std::string> names_;
};

TermPtr Builder::leaf() {
  const int kind = random_.between(0, 19);
  if (!names_.empty() && kind < 9) {
    return symbol(random_.pick(names_));
  }
  if (kind < 13) {
    return number(random_.between(1, 12));
  }
  if (kind < 15) {
    return number(Fraction(random_.between(1, 30), random_.between(2, 24)));
  }
  if (kind == 15) {
    static const std::array<int, 5> kScales = {2, 4, 5, 10, 100};
    const Fraction q(random_.between(1, 999), random_.pick(kScales));
    return number(q, !is_integer(q));
  }
  if (kind == 16) {
    return constant("pi");
  }
  if (kind == 17) {
    return number(random_.between(-40, -1));
  }
  if (kind == 18) {
    return number(random_.between(1000, 2000000));
  }
  Whole large = 1;
  for (int k = random_.between(1, 4); k > 0; --k) {
    large = large * 1000003 + random_.between(0, 999999);
  }
  return random_.one_in(3) ? number(Fraction(large)) : number(random_.between(1, 99));
}

TermPtr Builder::positive_number() {
  return random_.one_in(4) ? number(Fraction(random_.between(1, 40), random_.between(2, 12)))
                           : number(random_.between(2, 60));
}

TermPtr Builder::positive(int size) {
  if (names_.empty() || size < 4 || random_.one_in(2)) {
    return positive_number();
  }
  return sum(power(leaf(), 2), number(random_.between(1, 9)));
}

TermPtr Builder::angle(int size) {
  if (names_.empty() || random_.one_in(2)) {
    static const std::array<int, 7> kParts = {2, 3, 4, 6, 12, 5, 8};
    return product(number(Fraction(random_.between(1, 11), random_.pick(kParts))), constant("pi"));
  }
  const TermPtr name = symbol(random_.pick(names_));
  if (size < 4 || random_.one_in(2)) {
    return random_.one_in(2) ? name : product(number(random_.between(2, 4)), name);
  }
  return sum(name, leaf());
}

TermPtr Builder::scalar(int size) {
  if (size <= 1) {
    return leaf();
  }
  const int left = (size - 1) / 2;
  const int right = size - 1 - left;
  switch (random_.between(0, 21)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return random_.one_in(3) && size > 6
                 ? make(Op::kSum, {scalar(left / 2), scalar(left / 2), scalar(right)})
                 : sum(scalar(left), scalar(right));
    case 5:
      return sum(scalar(left), negative(scalar(right)));
    case 6:
    case 7:
    case 8:
    case 9:
      return product(scalar(left), scalar(right));
    case 10:
    case 11:
    case 12:
      return quotient(scalar(left), scalar(right));
    case 13:
    case 14:
      return power(scalar(size - 2),
                   random_.one_in(4) ? -random_.between(1, 3) : random_.between(2, 5));
    case 15:
      return root(positive(size - 1), random_.one_in(4) ? random_.between(3, 5) : 2);
    case 16: {
      static const std::array<std::string, 3> kNames = {"sin", "cos", "tan"};
      return call(random_.pick(kNames), angle(size - 1));
    }
    case 17:
      return call("exp", size > 6 ? scalar(2) : leaf());
    case 18:
      return random_.one_in(2)
                 ? call("ln", positive_number())
                 : make(Op::kFunction, {positive_number(), number(random_.between(2, 12))}, "log");
    case 19:
      return call("abs", scalar(size - 1));
    case 20:
      if (!names_.empty()) {
        return power(number(random_.between(2, 5)), scalar(2));
      }
      return random_.one_in(2)
                 ? call("factorial", number(random_.between(0, 12)))
                 : make(Op::kFunction,
                        {number(random_.between(3, 14)), number(random_.between(0, 3))},
                        "binomial");
    default:
      return negative(scalar(size - 1));
  }
}

// --- one mutated leaf

int count_leaves(const TermPtr& t) {
  if (t->kids.empty()) {
    return 1;
  }
  int n = 0;
  for (const TermPtr& kid : t->kids) {
    n += kid ? count_leaves(kid) : 0;
  }
  return n;
}

TermPtr mutate_leaf(const TermPtr& t, int& index, Random& random,
                    const std::vector<std::string>& names) {
  if (t->kids.empty()) {
    if (index-- != 0) {
      return t;
    }
    if (t->op == Op::kSymbol) {
      for (const std::string& name : names) {
        if (name != t->text && !random.one_in(3)) {
          return symbol(name);
        }
      }
      return number(random.between(2, 9));
    }
    if (t->op == Op::kConstant) {
      return random.one_in(2) ? constant(t->text == "pi" ? "e" : "pi") : number(3);
    }
    const Fraction& q = t->value;
    switch (random.between(0, 4)) {
      case 0:
        return number(q + 1, t->is_decimal);
      case 1:
        return number(q > 1 || q < 0 ? q - 1 : q + 2, t->is_decimal);
      case 2:
        return is_integer(q)
                   ? number(q + 1)
                   : number(Fraction(mp::numerator(q) + 1, mp::denominator(q)), t->is_decimal);
      case 3:
        return number(q * 10, t->is_decimal && !is_integer(q * 10));
      default:
        return q == 0 ? number(1) : number(-q, t->is_decimal);
    }
  }
  auto copy = std::make_shared<Term>(*t);
  for (TermPtr& kid : copy->kids) {
    if (kid && index >= 0) {
      kid = mutate_leaf(kid, index, random, names);
    }
  }
  return copy;
}

TermPtr mutated(const TermPtr& t, Random& random, const std::vector<std::string>& names) {
  int index = random.between(0, count_leaves(t) - 1);
  return mutate_leaf(t, index, random, names);
}

// --- what evaluation says of two scalars

enum class Seen : std::uint8_t { kSame, kApart, kUnclear };

Seen compare(const TermPtr& a, const TermPtr& b) {
  const bool has_names = has_symbols(a) || has_symbols(b);
  if (!has_names && !has_decimals(a) && !has_decimals(b)) {
    const auto x = evaluate_exactly(a);
    const auto y = evaluate_exactly(b);
    if (x && y) {
      return *x == *y ? Seen::kSame : Seen::kApart;
    }
  }
  static const Real noise("1e-60");
  static const Real clear("1e-30");
  const bool has_decimal = has_decimals(a) || has_decimals(b);
  int same = 0;
  int apart = 0;
  for (int point = 0; point < (has_names ? kPoints : 1); ++point) {
    const auto x = evaluate(a, point);
    const auto y = evaluate(b, point);
    if (!x || !y) {
      continue;
    }
    const Real size = std::max(abs(*x), abs(*y));
    const Real gap = abs(*x - *y);
    if (gap <= noise * (size + 1)) {
      ++same;
    } else if (gap > clear * size && gap > clear &&
               (!has_decimal || gap > Real("1e-5") * (size < 1 ? size : Real(1)))) {
      ++apart;
    } else {
      return Seen::kUnclear;
    }
  }
  const int needed = has_names ? 4 : 1;
  // A value at too few points could be outside what a grader may call a common domain.
  if (same + apart < needed) {
    return Seen::kUnclear;
  }
  return apart == 0 ? Seen::kSame : apart >= (has_names ? 2 : 1) ? Seen::kApart : Seen::kUnclear;
}

std::vector<std::string> some_names(Random& random, int at_most) {
  static const std::array<std::array<std::string, 3>, 4> kFamilies = {
      {{"x", "y", "z"}, {"a", "b", "c"}, {"n", "k", "m"}, {"t", "u", "v"}}};
  const auto& family = random.pick(kFamilies);
  const int n = random.between(0, at_most);
  return {family.begin(), family.begin() + n};
}

// --- kinds of pairs. Each gives gold, pred and whether they are equal, or nothing.

struct Terms {
  TermPtr gold;
  TermPtr pred;
  bool is_equal;
};

class PairMaker {
 public:
  PairMaker(Random& random, int& defects) : random_(random), defects_(defects) {}

  std::optional<Terms> scalars(int most, int names);
  std::optional<Terms> members(Op op);
  std::optional<Terms> intervals();
  std::optional<Terms> unions();
  std::optional<Terms> matrices();
  std::optional<Terms> equations();
  std::optional<Terms> named_values();
  std::optional<Terms> inequalities();

 private:
  // The same value, rewritten; or one with a mutated leaf, rewritten and evaluated to differ.
  std::optional<TermPtr> other(const TermPtr& t, bool same, const std::vector<std::string>& names,
                               int rounds);

  Random& random_;
  int& defects_;
};

std::optional<TermPtr> PairMaker::other(const TermPtr& t, bool same,
                                        const std::vector<std::string>& names, int rounds) {
  const TermPtr start = same ? t : mutated(t, random_, names);
  const TermPtr result = rewrite(start, random_, rounds);
  const Seen seen = compare(t, result);
  if (same && seen == Seen::kApart) {
    ++defects_;
  }
  if (seen != (same ? Seen::kSame : Seen::kApart)) {
    return std::nullopt;
  }
  return result;
}

std::optional<Terms> PairMaker::scalars(int most, int at_most_names) {
  const std::vector<std::string> names = some_names(random_, at_most_names);
  Builder builder(random_, names);
  const TermPtr base = builder.scalar(random_.between(1, most));
  const bool same = random_.one_in(2);
  const TermPtr gold = random_.one_in(2) ? base : rewrite(base, random_, random_.between(1, 4));
  const auto pred = other(base, same, names, random_.between(1, 8));
  if (!pred || compare(base, gold) != Seen::kSame ||
      compare(gold, *pred) != (same ? Seen::kSame : Seen::kApart)) {
    return std::nullopt;
  }
  return Terms{gold, *pred, same};
}

bool are_distinct(const std::vector<TermPtr>& members) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (std::size_t j = i + 1; j < members.size(); ++j) {
      if (compare(members[i], members[j]) != Seen::kApart) {
        return false;
      }
    }
  }
  return true;
}

std::optional<Terms> PairMaker::members(Op op) {
  const std::vector<std::string> names = some_names(random_, 1);
  Builder builder(random_, names);
  std::vector<TermPtr> gold;
  for (int n = random_.between(2, 5); n > 0; --n) {
    gold.push_back(builder.scalar(random_.between(1, 6)));
  }
  if (!are_distinct(gold)) {
    return std::nullopt;
  }
  const bool same = random_.one_in(2);
  std::vector<TermPtr> pred = gold;
  const std::size_t changed = random_.next() % gold.size();
  for (std::size_t k = 0; k < gold.size(); ++k) {
    const auto next = other(gold[k], same || k != changed, names, random_.between(0, 3));
    if (!next) {
      return std::nullopt;
    }
    pred[k] = *next;
  }
  if (!are_distinct(pred)) {
    return std::nullopt;
  }
  if (!same && op != Op::kTuple) {
    // The changed member must be none of the gold's.
    for (const TermPtr& g : gold) {
      if (compare(g, pred[changed]) != Seen::kApart) {
        return std::nullopt;
      }
    }
  }
  if (op != Op::kTuple) {
    random_.shuffle(pred);
  }
  const Op other_op = op == Op::kSet && random_.one_in(3) ? Op::kList : op;
  return Terms{make(op, gold), make(other_op, pred), same};
}

std::optional<Real> constant_value(const TermPtr& t) {
  return evaluate(t, 0);
}

std::optional<Terms> PairMaker::intervals() {
  Builder builder(random_, {});
  TermPtr low = random_.one_in(4) ? nullptr : builder.scalar(random_.between(1, 5));
  TermPtr high = low && random_.one_in(4) ? nullptr : builder.scalar(random_.between(1, 5));
  const auto is_ordered = [](const TermPtr& a, const TermPtr& b) {
    const auto x = a ? constant_value(a) : std::optional<Real>(0);
    const auto y = b ? constant_value(b) : std::optional<Real>(0);
    return x && y && (!a || !b || *x + Real("1e-3") < *y);
  };
  if (!is_ordered(low, high)) {
    return std::nullopt;
  }
  std::string brackets = {low && random_.one_in(2) ? '[' : '(',
                          high && random_.one_in(2) ? ']' : ')'};
  if (brackets == "()" && low && high) {
    brackets = "(]";  // "(a, b)" may be a point
  }
  const bool same = random_.one_in(2);
  std::string their_brackets = brackets;
  TermPtr their_low = low;
  TermPtr their_high = high;
  const bool flips = !same && random_.one_in(2);
  const bool at_low = low && (!high || random_.one_in(2));
  for (TermPtr* end : {&their_low, &their_high}) {
    if (*end) {
      const bool changes = !same && !flips && (end == &their_low) == at_low;
      const auto next = other(*end, !changes, {}, random_.between(0, 3));
      if (!next) {
        return std::nullopt;
      }
      *end = *next;
    }
  }
  if (!is_ordered(their_low, their_high)) {
    return std::nullopt;
  }
  if (flips) {
    char& bracket = their_brackets[at_low ? 0 : 1];
    bracket = bracket == '(' ? '[' : bracket == '[' ? '(' : bracket == ')' ? ']' : ')';
    if (their_brackets == "()" && low && high) {
      return std::nullopt;
    }
  }
  const TermPtr pred = make(Op::kInterval, {their_low, their_high}, their_brackets);
  // An inequality as the gold may be answered by the interval.
  if (random_.one_in(3)) {
    const TermPtr x = symbol("x");
    const std::string first(1, brackets[0] == '[' ? 'l' : '<');
    const std::string second(1, brackets[1] == ']' ? 'l' : '<');
    const TermPtr gold = low && high ? make(Op::kChain, {low, x, high}, first + second)
                         : low       ? make(Op::kRelation, {low, x}, first)
                                     : make(Op::kRelation, {x, high}, second);
    return Terms{gold, pred, same};
  }
  return Terms{make(Op::kInterval, {low, high}, brackets), pred, same};
}

std::optional<Terms> PairMaker::unions() {
  std::vector<int> ends;
  int at = random_.between(-20, 0);
  for (int k = 0; k < 4; ++k) {
    ends.push_back(at);
    at += random_.between(1, 9);
  }
  const auto piece = [&](int a, int b, const std::string& brackets) {
    return make(Op::kInterval, {number(a), number(b)}, brackets);
  };
  const bool same = random_.one_in(2);
  const TermPtr one = piece(ends[0], ends[1], "(]");
  const TermPtr two = piece(ends[2], ends[3], "[)");
  switch (random_.between(0, 2)) {
    case 0: {  // another order, or another end
      const TermPtr changed = same ? two : piece(ends[2], ends[3] + 1, "[)");
      return Terms{make(Op::kUnion, {one, two}), make(Op::kUnion, {changed, one}), same};
    }
    case 1: {  // an interval in two parts; a point is missing between "(a,b)" and "(b,c]"
      const TermPtr whole = piece(ends[0], ends[2], "(]");
      return Terms{whole,
                   make(Op::kUnion, {piece(ends[0], ends[1], same ? "(]" : "()"),
                                     piece(ends[1], ends[2], "(]")}),
                   same};
    }
    default:  // everything outside an interval
      return Terms{
          make(Op::kUnion, {make(Op::kInterval, {nullptr, number(ends[1])}, "()"),
                            make(Op::kInterval, {number(ends[2]), nullptr}, "()")}),
          make(Op::kUnion, {make(Op::kInterval, {number(ends[2]), nullptr}, "()"),
                            make(Op::kInterval, {nullptr, number(ends[1])}, same ? "()" : "(]")}),
          same};
  }
}

std::optional<Terms> PairMaker::matrices() {
  const std::vector<std::string> names = some_names(random_, 1);
  Builder builder(random_, names);
  const int rows = random_.between(1, 3);
  const int columns = random_.between(rows == 1 ? 2 : 1, 3);
  std::vector<TermPtr> cells;
  for (int k = 0; k < rows * columns; ++k) {
    cells.push_back(builder.scalar(random_.between(1, 5)));
  }
  const bool same = random_.one_in(2);
  std::vector<TermPtr> theirs = cells;
  const std::size_t changed = random_.next() % cells.size();
  for (std::size_t k = 0; k < cells.size(); ++k) {
    const auto next = other(cells[k], same || k != changed, names, random_.between(0, 3));
    if (!next) {
      return std::nullopt;
    }
    theirs[k] = *next;
  }
  const auto matrix = [&](const std::vector<TermPtr>& entries) {
    auto t = std::make_shared<Term>();
    t->op = Op::kMatrix;
    t->kids = entries;
    t->columns = columns;
    return TermPtr(t);
  };
  return Terms{matrix(cells), matrix(theirs), same};
}

// The left side minus the right side.
TermPtr difference(const TermPtr& relation) {
  return sum(relation->kids[0], negative(relation->kids[1]));
}

// Are the two equations' differences in one constant ratio at the sample points?
Seen ratio_of(const TermPtr& a, const TermPtr& b) {
  std::optional<Real> ratio;
  for (int point = 0; point < kPoints; ++point) {
    const auto x = evaluate(difference(a), point);
    const auto y = evaluate(difference(b), point);
    if (!x || !y || abs(*x) < Real("1e-20") || abs(*y) < Real("1e-20")) {
      return Seen::kUnclear;
    }
    const Real r = *x / *y;
    if (ratio && abs(r - *ratio) > Real("1e-8") * abs(r)) {
      return Seen::kApart;
    }
    ratio = r;
  }
  return Seen::kSame;
}

// A side of an equation or inequality, rewritten. A hole in it would take a point away from the
// solutions, so identities that divide by a symbol are not for them.
TermPtr rewritten_side(const TermPtr& side, Random& random, int rounds) {
  TermPtr other = rewrite(side, random, rounds);
  return divides_by_symbols(other) ? side : other;
}

// A polynomial with rational coefficients in two or three names.
TermPtr random_polynomial(Random& random, const std::vector<std::string>& names) {
  std::vector<TermPtr> terms;
  for (int k = random.between(2, 4); k > 0; --k) {
    TermPtr term = random.one_in(3)
                       ? symbol(random.pick(names))
                       : product(number(random.between(2, 9)), symbol(random.pick(names)));
    if (random.one_in(3)) {
      term = product(number(random.between(2, 9)), power(symbol(random.pick(names)), 2));
    }
    terms.push_back(random.one_in(3) ? negative(term) : term);
  }
  terms.push_back(number(random.between(1, 30)));
  return make(Op::kSum, terms);
}

std::optional<Terms> PairMaker::equations() {
  static const std::vector<std::string> kNames = {"x", "y", "z"};
  const std::vector<std::string> names(kNames.begin(), kNames.begin() + random_.between(2, 3));
  const TermPtr left = random_polynomial(random_, names);
  const TermPtr right =
      random_.one_in(2) ? number(random_.between(0, 20)) : random_polynomial(random_, names);
  const TermPtr gold = make(Op::kRelation, {left, right}, "=");
  const bool same = random_.one_in(2);
  TermPtr a = same ? left : mutated(left, random_, names);
  TermPtr b = right;
  // Move a term, scale, swap.
  if (random_.one_in(2)) {
    const TermPtr moved = random_.one_in(2) ? number(random_.between(1, 9)) : symbol("y");
    a = sum(a, moved);
    b = sum(b, moved);
  }
  if (random_.one_in(2)) {
    const TermPtr factor = number(Fraction(
        random_.one_in(2) ? -random_.between(1, 9) : random_.between(2, 9), random_.between(1, 4)));
    a = product(factor, a);
    b = product(factor, b);
  }
  a = rewritten_side(a, random_, random_.between(0, 4));
  b = rewritten_side(b, random_, random_.between(0, 2));
  const TermPtr pred =
      random_.one_in(2) ? make(Op::kRelation, {a, b}, "=") : make(Op::kRelation, {b, a}, "=");
  const Seen seen = ratio_of(gold, pred);
  if (same && seen == Seen::kApart) {
    ++defects_;
  }
  if (seen != (same ? Seen::kSame : Seen::kApart)) {
    return std::nullopt;
  }
  return Terms{gold, pred, same};
}

// "y = …" for a gold of "…" and the other way round.
std::optional<Terms> PairMaker::named_values() {
  const auto terms = scalars(8, 1);
  if (!terms || terms->gold->op == Op::kSymbol || terms->pred->op == Op::kSymbol) {
    return std::nullopt;
  }
  const TermPtr name = symbol("w");
  const int way = random_.between(0, 2);
  return Terms{way != 0 ? make(Op::kRelation, {name, terms->gold}, "=") : terms->gold,
               way != 1 ? make(Op::kRelation, {name, terms->pred}, "=") : terms->pred,
               terms->is_equal};
}

bool is_less(char op) {
  return op == '<' || op == 'l';
}

char turned(char op) {
  return op == '<' ? '>' : op == '>' ? '<' : op == 'l' ? 'g' : 'l';
}

// a x + b < c by linear steps, with its solution x < r known exactly.
std::optional<Terms> PairMaker::inequalities() {
  struct Linear {
    Fraction a, b, c;
    char op;
  };

  const auto solution = [](const Linear& s) {
    return std::make_pair(Fraction((s.c - s.b) / s.a), s.a > 0 ? s.op : turned(s.op));
  };
  static const std::string kOps = "<>lg";
  Linear gold{random_.between(1, 9), random_.between(-20, 20), random_.between(-20, 20),
              random_.pick(kOps)};
  Linear pred = gold;
  const bool same = random_.one_in(2);
  if (!same) {
    switch (random_.between(0, 3)) {
      case 0:
        pred.c += random_.between(1, 4);
        break;
      case 1:
        pred.op = turned(pred.op);
        break;
      case 2:
        pred.op = pred.op == '<' ? 'l' : pred.op == 'l' ? '<' : pred.op == '>' ? 'g' : '>';
        break;
      default:
        pred.a += 1;
    }
  }
  const Fraction factor(random_.one_in(2) ? -random_.between(1, 6) : random_.between(1, 6),
                        random_.between(1, 3));
  pred.a *= factor;
  pred.b *= factor;
  pred.c *= factor;
  pred.op = factor > 0 ? pred.op : turned(pred.op);
  const bool equal = solution(gold) == solution(pred);
  if (equal != same) {
    return std::nullopt;
  }
  const auto written = [&](const Linear& s) {
    const TermPtr x = symbol("x");
    TermPtr left = s.a == 1 ? x : product(number(s.a), x);
    if (s.b != 0) {
      left = sum(left, number(s.b));
    }
    TermPtr right = number(s.c);
    char op = s.op;
    if (random_.one_in(3)) {
      std::swap(left, right);
      op = turned(op);
    }
    const TermPtr other_left = rewritten_side(left, random_, random_.between(0, 2));
    return make(Op::kRelation,
                {compare(left, other_left) == Seen::kSame ? other_left : left, right},
                std::string(1, op));
  };
  const TermPtr first = written(gold);
  if (random_.one_in(3)) {  // the solution as an interval
    const auto [end, op] = solution(pred);
    const bool closed = op == 'l' || op == 'g';
    return Terms{first,
                 is_less(op) ? make(Op::kInterval, {nullptr, number(end)}, closed ? "(]" : "()")
                             : make(Op::kInterval, {number(end), nullptr}, closed ? "[)" : "()"),
                 same};
  }
  return Terms{first, written(pred), same};
}

}  // namespace

std::optional<Pair> make_pair_of_answers(Random& random, int& defects) {
  PairMaker maker(random, defects);
  std::optional<Terms> terms;
  std::string kind;
  const int which = random.between(0, 99);
  if (which < 25) {
    kind = "constant";
    terms = maker.scalars(40, 0);
  } else if (which < 55) {
    kind = "expression";
    terms = maker.scalars(40, 2);
  } else if (which < 62) {
    kind = "set";
    terms = maker.members(Op::kSet);
  } else if (which < 66) {
    kind = "list";
    terms = maker.members(Op::kList);
  } else if (which < 72) {
    kind = "tuple";
    terms = maker.members(Op::kTuple);
  } else if (which < 78) {
    kind = "interval";
    terms = maker.intervals();
  } else if (which < 81) {
    kind = "union";
    terms = maker.unions();
  } else if (which < 85) {
    kind = "matrix";
    terms = maker.matrices();
  } else if (which < 90) {
    kind = "equation";
    terms = maker.equations();
  } else if (which < 95) {
    kind = "named value";
    terms = maker.named_values();
  } else {
    kind = "inequality";
    terms = maker.inequalities();
  }
  if (!terms) {
    return std::nullopt;
  }
  Pair pair;
  pair.kind = kind;
  pair.is_equal = terms->is_equal;
  pair.gold = print(terms->gold, random);
  pair.pred = print(terms->pred, random);
  return pair;
}

}  // namespace r1eval::generated
