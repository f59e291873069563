// Values of expressions as complex balls (Arb): a sample point gives every symbol an exact value, a
// precision in bits bounds the work, fuel counts it. Threads: one evaluator belongs to one.
#pragma once

#include <acb.h>

#include <cstdint>
#include <map>
#include <string>

#include "graders/math/expression.h"
#include "graders/math/flint_caches.h"

namespace r1eval {

struct Ball {
  acb_t v;

  Ball() { acb_init(v); }

  ~Ball() { acb_clear(v); }

  Ball(const Ball& other) {
    acb_init(v);
    acb_set(v, other.v);
  }

  Ball& operator=(const Ball& other) {
    acb_set(v, other.v);
    return *this;
  }

  bool is_real() const { return arb_is_zero(acb_imagref(v)) != 0; }
};

// Sample points of one size; the next kPoints are near zero, the next large.
inline constexpr int kPoints = 8;

// One evaluation: a sample point, a precision, the values of bound variables.
class BallEvaluator {
 public:
  BallEvaluator(int point, slong precision, std::int64_t& fuel)
      : point_(point), precision_(precision), fuel_(fuel) {
    free_flint_caches_at_thread_exit();
  }

  // False: not defined here, or outside what is evaluated.
  bool value(const Expression& e, std::int32_t id, Ball& out);

 private:
  bool function(const Expression& e, const Node& n, Ball& out);
  bool repeated(const Expression& e, const Node& n, Ball& out);
  bool power(const Expression& e, std::int32_t base, std::int32_t exponent, Ball& out);
  bool root(Ball& x, std::int64_t degree, bool has_names, Ball& out);

  bool pay(std::int64_t units) {
    fuel_ -= units * (precision_ / 32);
    return fuel_ >= 0;
  }

  const int point_;
  const slong precision_;
  std::int64_t& fuel_;
  std::map<std::string, std::int64_t> bound_;
};

}  // namespace r1eval
