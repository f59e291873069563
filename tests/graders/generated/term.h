// Expressions of the generated test: built, rewritten by true identities, printed in varied
// notation and evaluated to 150 digits, all without a line of the graders' own code.
#pragma once

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace r1eval::generated {

using Whole = boost::multiprecision::number<boost::multiprecision::cpp_int_backend<>,
                                            boost::multiprecision::et_off>;
using Fraction = boost::multiprecision::number<
    boost::multiprecision::rational_adaptor<boost::multiprecision::cpp_int_backend<>>,
    boost::multiprecision::et_off>;
using Real = boost::multiprecision::number<boost::multiprecision::cpp_bin_float<150>,
                                           boost::multiprecision::et_off>;

enum class Op : std::uint8_t {
  kNumber,    // value; is_decimal when it shall be printed with a point
  kConstant,  // text: "pi", "e"
  kSymbol,    // text: a letter
  kSum,
  kProduct,
  kQuotient,
  kPower,
  kNegative,
  kRoot,      // radicand; value: degree
  kFunction,  // text: sin cos tan exp ln log abs factorial binomial; log: value, base
  // Not scalars:
  kSet,
  kList,
  kTuple,
  kInterval,  // lower, upper (null: infinite); text: its brackets
  kUnion,
  kMatrix,    // row by row; columns
  kRelation,  // left, right; text: = < > l g
  kChain,     // lower, middle, upper; text: two of < and l
};

struct Term;
using TermPtr = std::shared_ptr<const Term>;

struct Term {
  Op op = Op::kNumber;
  std::string text;
  Fraction value;
  std::vector<TermPtr> kids;
  int columns = 0;
  bool is_decimal = false;
};

TermPtr number(const Fraction& value, bool is_decimal = false);
TermPtr symbol(const std::string& name);
TermPtr constant(const std::string& name);
TermPtr make(Op op, std::vector<TermPtr> kids, std::string text = "");
TermPtr root(TermPtr radicand, int degree);

inline TermPtr sum(TermPtr a, TermPtr b) {
  return make(Op::kSum, {std::move(a), std::move(b)});
}

inline TermPtr product(TermPtr a, TermPtr b) {
  return make(Op::kProduct, {std::move(a), std::move(b)});
}

inline TermPtr quotient(TermPtr a, TermPtr b) {
  return make(Op::kQuotient, {std::move(a), std::move(b)});
}

inline TermPtr power(TermPtr a, TermPtr b) {
  return make(Op::kPower, {std::move(a), std::move(b)});
}

inline TermPtr power(TermPtr a, int n) {
  return power(std::move(a), number(n));
}

inline TermPtr negative(TermPtr a) {
  return make(Op::kNegative, {std::move(a)});
}

inline TermPtr call(const std::string& name, TermPtr a) {
  return make(Op::kFunction, {std::move(a)}, name);
}

int size_of(const TermPtr& t);
bool has_symbols(const TermPtr& t);
bool has_decimals(const TermPtr& t);
// Is there a division by something with a symbol? Its zeros are holes: x/x is 1 but for one point.
bool divides_by_symbols(const TermPtr& t);
bool is_integer(const Fraction& q);

// The value at sample point `point`; nothing where a part is undefined, not real, or too large.
std::optional<Real> evaluate(const TermPtr& t, int point);
// The exact value, where the term is made of rationals by arithmetic and whole powers alone.
std::optional<Fraction> evaluate_exactly(const TermPtr& t);

// A small generator of random numbers: the same sequence on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
  }

  // Both ends belong to the range.
  int between(int low, int high) {
    return low + static_cast<int>(next() % static_cast<std::uint64_t>(high - low + 1));
  }

  bool one_in(int n) { return between(1, n) == 1; }

  template <typename List>
  const auto& pick(const List& list) {
    return list[next() % list.size()];
  }

  template <typename List>
  void shuffle(List& list) {
    for (std::size_t k = list.size(); k > 1; --k) {
      std::swap(list[k - 1], list[next() % k]);
    }
  }

 private:
  std::uint64_t state_;
};

// LaTeX or plain text, in notation that varies with the generator's state.
std::string print(const TermPtr& t, Random& random);

// The same value, written by other true identities.
TermPtr rewrite(const TermPtr& t, Random& random, int rounds);

struct Pair {
  std::string gold;
  std::string pred;
  std::string kind;  // "scalar", "set", …
  bool is_equal = false;
};

// A pair that is equal by construction, or that differs in one leaf and was evaluated to differ.
// Nothing when the evaluation could not confirm what the construction says it is: the caller asks
// again. `defects` counts equal constructions that evaluate to different values: it must stay 0.
std::optional<Pair> make_pair_of_answers(Random& random, int& defects);

}  // namespace r1eval::generated
