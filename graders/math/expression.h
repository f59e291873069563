// The typed tree of a mathematical answer. Nodes live in one array and name each other by index.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graders/math/rational.h"

namespace r1eval {

enum class Kind : std::uint8_t {
  kNumber,    // value; is_decimal when written with a point
  kSymbol,    // text: name, with its subscript
  kConstant,  // text: "e", "pi", "i", "infty"
  kSum,       // children
  kProduct,   // children
  kQuotient,  // two children
  kPower,     // two children
  kNegative,
  kFunction,   // text: name; children: arguments ("root": radicand, degree; "log": value, base)
  kPlusMinus,  // text "+" (pm) or "-" (mp); one child (prefix) or two
  kSet,        // written in braces
  kList,       // several answers, no braces; text: "," (no space after it), ", ", "and" or ";"
  kTuple,      // text: its two brackets
  kUnion,
  kIntersection,
  kDifference,
  kMatrix,    // children row by row; columns
  kRelation,  // operators in text, one byte each: = < > l(e) g(e) n(e) i(n) ~(approx)
  kText,      // text: folded words
  kUnit,      // one child, text: unit
  kPercent,
  kDegree,
  kRatio,  // children
  kBase,   // text: digits; columns: base
};

struct Node {
  Kind kind = Kind::kNumber;
  std::string text;
  std::vector<std::int32_t> children;
  Rational value;
  std::int32_t columns = 0;
  std::int32_t places = 0;  // digits written after the point of a number
  std::int32_t width = 0;   // and before it; 0 where written in groups
  bool is_decimal = false;
};

// Belongs to one comparison on one thread: exact values are remembered as they are found.
struct Expression {
  std::vector<Node> nodes;
  std::int32_t root = -1;
  bool has_signs_in_arguments = false;  // parse_math's "\cos a \cdot b"
  // exact_value's memory: per node whether it was asked and what it gave; work left for it.
  mutable std::vector<std::optional<std::optional<Rational>>> exact;
  // Shared by all copies, so that what is left is left for one comparison.
  std::shared_ptr<std::int64_t> exact_fuel = std::make_shared<std::int64_t>(bounds::kMaxExactFuel);
  // For sample points: names that stand for integers, and a name taken with the other sign.
  mutable std::set<std::string> integers;
  mutable std::string flipped;

  const Node& at(std::int32_t i) const { return nodes[static_cast<std::size_t>(i)]; }

  std::int32_t add(Node node) {
    nodes.push_back(std::move(node));
    return static_cast<std::int32_t>(nodes.size()) - 1;
  }
};

// Adds a copy of a subtree of one expression to another; its root there.
inline std::int32_t copy_subtree(const Expression& from, std::int32_t id, Expression& to) {
  Node node = from.at(id);
  for (std::int32_t& kid : node.children) {
    kid = copy_subtree(from, kid, to);
  }
  return to.add(std::move(node));
}

}  // namespace r1eval
