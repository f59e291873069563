#include "graders/math/identity.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <mutex>
#include <optional>
#include <vector>

#include "graders/bounds.h"
#include "graders/math/ball.h"
#include "graders/math/exact.h"
#include "graders/math/modular_field.h"
#include "graders/math/numeric.h"

namespace r1eval {
namespace {

using namespace modular;

constexpr int kMaxExponents = 6;  // of -1, in one comparison

bool is_prime(U64 n) {
  U64 d = n - 1;
  int s = 0;
  for (; (d & 1) == 0; d >>= 1) {
    ++s;
  }
  for (const U64 a :
       {2ULL, 3ULL, 5ULL, 7ULL, 11ULL, 13ULL, 17ULL, 19ULL, 23ULL, 29ULL, 31ULL, 37ULL}) {
    U64 x = pow_mod(a, d, n);
    if (x == 1 || x == n - 1) {
      continue;
    }
    bool composite = true;
    for (int r = 1; r < s && composite; ++r) {
      x = mul(x, x, n);
      composite = x != n - 1;
    }
    if (composite) {
      return false;
    }
  }
  return true;
}

// Primes below 2^61 that leave 23 (real: 2 and 3 are squares, -1 is not, cube roots are unique) or
// 1 (complex: -1, 2 and 3 are squares) modulo 24. They are looked for when they are asked for:
// three are nearly always enough, and all of them would cost a short run 10 ms.
class PrimeList {
 public:
  static constexpr std::size_t kCount = 160;

  explicit PrimeList(U64 residue) : next_((U64{1} << 61) - 1 - mix(residue) % (U64{1} << 50)) {
    next_ += residue - next_ % 24;
  }

  U64 at(std::size_t k) {
    if (const U64 known = found_[k].load(std::memory_order_acquire); known != 0) {
      return known;
    }
    const std::lock_guard lock(mutex_);
    while (found_[k].load(std::memory_order_relaxed) == 0) {
      if (is_prime(next_)) {
        found_[n_found_++].store(next_, std::memory_order_release);
      }
      next_ -= 24;
    }
    return found_[k].load(std::memory_order_relaxed);
  }

 private:
  std::mutex mutex_;  // guards next_ and n_found_; found_ is written under it, read without
  U64 next_;
  std::size_t n_found_ = 0;
  std::array<std::atomic<U64>, kCount> found_ = {};
};

PrimeList& primes(bool is_complex) {
  static PrimeList real(23);
  static PrimeList complex(1);
  return is_complex ? complex : real;
}

bool needs_complex(const Expression& e, Id id) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kConstant && n.text == "i") {
    return true;
  }
  if (n.kind == Kind::kFunction && n.text == "root") {
    const auto value = exact_value(e, n.children[0]);
    const auto degree = exact_value(e, n.children[1]);
    if (value && value->num < 0 && degree && degree->small_int().value_or(1) % 2 == 0) {
      return true;
    }
  }
  for (const Id kid : n.children) {
    if (needs_complex(e, kid)) {
      return true;
    }
  }
  return false;
}

}  // namespace

Same same_by_identity(const Expression& a, Id ia, const Expression& b, Id ib, int points,
                      std::int64_t& fuel, std::string& evidence) {
  const bool is_complex = needs_complex(a, ia) || needs_complex(b, ib);
  int agreed = 0;
  bool any_value = false;
  bool any_branch = false;
  for (std::size_t k = 0; k < PrimeList::kCount; ++k) {
    const U64 p = primes(is_complex).at(k);
    bool equal = false;
    bool has_value = false;
    // Every parity of the exponents of -1 has to agree, under some choice of the roots' signs.
    for (U64 parities = 0; parities == 0 || equal; ++parities) {
      int exponents = 0;
      equal = false;
      for (U64 signs = 0; signs < static_cast<U64>(bounds::kMaxSignChoices); ++signs) {
        Field field(p, is_complex, signs, parities, fuel);
        const auto u = field.value(a, ia);
        const auto v = u ? field.value(b, ib) : u;
        if (fuel < 0) {
          evidence = "budget";
          return Same::kBudget;
        }
        if (!v) {
          if (field.why == Field::Why::kFail) {
            evidence = "undecided: outside what the identity test covers";
            return Same::kUndecided;
          }
          break;
        }
        has_value = true;
        any_value = true;
        any_branch = any_branch || field.roots_used() > 0;
        exponents = field.exponents_used();
        // A root's sign is only known from the values at a point.
        equal = *u == *v && (field.roots_used() == 0 || points > 0);
        if (equal || (U64{1} << std::min(field.roots_used(), 20)) <= signs + 1) {
          break;
        }
      }
      if (exponents > kMaxExponents) {
        evidence = "undecided: too many exponents of -1";
        return Same::kUndecided;
      }
      if (parities + 1 >= U64{1} << exponents) {
        break;
      }
    }
    if (!has_value) {
      continue;
    }
    if (!equal) {
      evidence = "undecided: the identity test does not confirm it";
      return Same::kUndecided;
    }
    if (++agreed == 3) {
      // Which branch of a root is meant, only the values at a point say; a double has few digits.
      if (any_branch && balls_meet(a, ia, b, ib, fuel, evidence) == Balls::kDifferent) {
        return Same::kDifferent;
      }
      evidence = "identity_bound: equal modulo 3 primes of 61 bits";
      return Same::kEqual;
    }
  }
  evidence = any_value ? "undecided: too few usable primes" : "undecided: no value";
  return Same::kUndecided;
}

}  // namespace r1eval
