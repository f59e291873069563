#include "graders/math/exact_constants.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "graders/bounds.h"
#include "graders/math/exact.h"

#ifdef R1EVAL_CALCIUM
#include "graders/math/exact_constants_shim.h"
#endif

namespace r1eval {

#ifdef R1EVAL_CALCIUM
namespace {

using Id = std::int32_t;

// The largest denominator of a number in the tree; degrees count as 360 parts of a turn.
std::int64_t largest_denominator(const Expression& e, Id id) {
  if (const auto exact = exact_value(e, id)) {
    const bool is_degrees = e.at(id).kind == Kind::kDegree;
    const Rational part = is_degrees ? *exact * Rational(Integer(1), Integer(180)) : *exact;
    return Rational(part.den).small_int().value_or(bounds::kMaxConstantDegree * 4);
  }
  std::int64_t largest = 1;
  const Node& n = e.at(id);
  for (const Id kid : n.children) {
    largest = std::max(largest, largest_denominator(e, kid));
  }
  if (n.kind == Kind::kQuotient) {
    const auto below = exact_value(e, n.children[1]);
    const auto d = below ? below->small_int() : std::nullopt;
    largest = d ? std::max(largest, std::abs(*d)) : bounds::kMaxConstantDegree * 4;
  }
  return largest;
}

// Walks a tree and lets the machine follow; false where a node is outside what it can do. Without a
// machine it only looks whether both trees are within the limits: Calcium may work hard on each
// step.
class Walk {
 public:
  explicit Walk(r1eval_constants* machine) : machine_(machine) {}

  bool push(const Expression& e, Id id);

 private:
  bool push_rational(const Rational& r) {
    return bit_length(r.num) + bit_length(r.den) <= bounds::kMaxConstantBits &&
           (machine_ == nullptr ||
            r1eval_constants_push_rational(machine_, print_integer(r.num).c_str(),
                                           print_integer(r.den).c_str()) != 0);
  }

  bool push_named(const char* name) {
    return machine_ == nullptr || r1eval_constants_push_named(machine_, name) != 0;
  }

  bool apply(const char* operation) {
    return machine_ == nullptr || r1eval_constants_apply(machine_, operation) != 0;
  }

  bool root(std::int64_t degree) {
    return machine_ == nullptr || r1eval_constants_root(machine_, static_cast<long>(degree)) != 0;
  }

  bool two(const Expression& e, const Node& n, const char* operation) {
    return push(e, n.children[0]) && push(e, n.children[1]) && apply(operation);
  }

  bool function(const Expression& e, const Node& n);

  r1eval_constants* machine_;

  // Room for one more generator, whose minimal polynomial has this degree (a stand-in for
  // functions, whose relations are searched for). Calcium's work grows with the product of the
  // degrees.
  bool grow(std::int64_t degree) {
    degree_ = degree < 1 || degree > bounds::kMaxConstantDegree ? bounds::kMaxConstantDegree + 1
                                                                : degree_ * degree;
    return degree_ <= bounds::kMaxConstantDegree;
  }

  std::int64_t nodes_ = 0;
  std::int64_t degree_ = 1;
  std::int64_t inside_ = 0;  // functions around the present node
};

bool Walk::function(const Expression& e, const Node& n) {
  if (n.children.empty()) {
    return false;
  }
  const std::string& f = n.text;
  if (f == "root") {
    const auto degree = n.children.size() == 2 ? exact_value(e, n.children[1]) : std::nullopt;
    const auto d = degree ? degree->small_int() : std::nullopt;
    return d && grow(*d) && push(e, n.children[0]) && root(*d);
  }
  const bool is_circular = f == "sin" || f == "cos" || f == "tan";
  // The cosine of a multiple of pi over n has a degree of about n / 2.
  if (!grow(is_circular   ? std::max<std::int64_t>(largest_denominator(e, n.children[0]) / 2, 2)
            : inside_ > 0 ? 4
                          : 2)) {
    return false;
  }
  ++inside_;
  const bool has_argument = push(e, n.children[0]);
  --inside_;
  if (!has_argument) {
    return false;
  }
  if (is_circular && e.at(n.children[0]).kind == Kind::kDegree) {
    if (!push_named("pi") || !apply("mul") || !push_rational(Rational(Integer(180))) ||
        !apply("div")) {
      return false;
    }
  }
  if (is_circular || f == "exp" || f == "abs") {
    return apply(f.c_str());
  }
  if (f == "ln") {
    return apply("log");
  }
  if (f == "log") {
    const bool has_base = n.children.size() == 2;
    return apply("log") &&
           (has_base ? push(e, n.children[1]) : push_rational(Rational(Integer(10)))) &&
           apply("log") && apply("div");
  }
  static constexpr std::array<std::pair<std::string_view, const char*>, 3> kInverse = {
      {{"arcsin", "asin"}, {"arccos", "acos"}, {"arctan", "atan"}}};
  for (const auto& [name, operation] : kInverse) {
    if (f == name) {
      return apply(operation);
    }
  }
  return false;
}

bool Walk::push(const Expression& e, Id id) {
  if (++nodes_ > bounds::kMaxConstantNodes) {
    return false;
  }
  if (const auto exact = exact_value(e, id)) {
    return push_rational(*exact);
  }
  const Node& n = e.at(id);
  switch (n.kind) {
    case Kind::kConstant:
      return grow(inside_ > 0 && n.text == "pi" ? 1 : 2) && push_named(n.text.c_str());
    case Kind::kSum: {
      if (n.children.empty() || !push(e, n.children[0])) {
        return false;
      }
      for (std::size_t k = 1; k < n.children.size(); ++k) {
        if (!push(e, n.children[k]) || !apply("add")) {
          return false;
        }
      }
      return true;
    }
    case Kind::kProduct:
      return two(e, n, "mul");
    case Kind::kQuotient:
      return two(e, n, "div");
    case Kind::kNegative:
      return push(e, n.children[0]) && apply("neg");
    case Kind::kPercent:
      return push(e, n.children[0]) && push_rational(Rational(Integer(100))) && apply("div");
    case Kind::kDegree:
    case Kind::kUnit:
      return push(e, n.children[0]);
    case Kind::kPower: {
      const auto exponent = exact_value(e, n.children[1]);
      if (exponent && bit_length(exponent->num) + bit_length(exponent->den) > 12) {
        return false;
      }
      // A power with an odd root of a negative number is read as real, as everywhere in the ladder.
      if (exponent && exponent->den != 1) {
        const auto d = Rational(exponent->den).small_int();
        return d && grow(*d) && push(e, n.children[0]) && root(*d) &&
               push_rational(Rational(exponent->num)) && apply("pow");
      }
      return (exponent || grow(inside_ > 0 ? 4 : 2)) && two(e, n, "pow");
    }
    case Kind::kFunction:
      return function(e, n);
    default:
      return false;
  }
}

}  // namespace

Same same_constant(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                   std::int64_t& fuel) {
  fuel -= 20000;  // as much as the slowest comparisons within the limits, in steps of the rest
  if (fuel < 0) {
    return Same::kUndecided;
  }
  Walk look(nullptr);
  if (!look.push(a, ia) || !look.push(b, ib)) {
    return Same::kUndecided;
  }
  const std::unique_ptr<r1eval_constants, void (*)(r1eval_constants*)> machine(
      r1eval_constants_new(), r1eval_constants_free);
  if (machine == nullptr) {
    return Same::kUndecided;
  }
  Walk walk(machine.get());
  if (!walk.push(a, ia) || !walk.push(b, ib)) {
    return Same::kUndecided;
  }
  const int equal = r1eval_constants_equal(machine.get());
  return equal == 1 ? Same::kEqual : equal == 0 ? Same::kDifferent : Same::kUndecided;
}

#else

Same same_constant(const Expression& /*a*/, std::int32_t /*ia*/, const Expression& /*b*/,
                   std::int32_t /*ib*/, std::int64_t& /*fuel*/) {
  return Same::kUndecided;
}

#endif

}  // namespace r1eval
