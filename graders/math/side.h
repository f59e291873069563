// One side of a comparison: a tree and one of its nodes, with the questions that the ladder asks of
// it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graders/math/expression.h"

namespace r1eval {

// One side's tree with the operations that the ladder does on it.
struct Side {
  std::shared_ptr<const Expression> e;
  std::int32_t id = -1;

  const Node& node() const { return e->at(id); }

  // A copy of the tree that can be added to.
  std::shared_ptr<Expression> copy() const { return std::make_shared<Expression>(*e); }

  // The same with this side's subtree alone: what is done member by member stays linear.
  std::shared_ptr<Expression> copy_alone() const {
    auto tree = std::make_shared<Expression>();
    tree->exact_fuel = e->exact_fuel;
    tree->root = copy_subtree(*e, id, *tree);
    return tree;
  }

  Side at(std::int32_t other) const { return {e, other}; }

  Side child(std::size_t k) const { return {e, node().children[k]}; }

  std::size_t size() const { return node().children.size(); }

  Kind kind() const { return node().kind; }
};

// Does this name a value ("x", "f(x)", "AB")?
bool is_lone_name(const Side& s);
bool same_tree(const Side& a, const Side& b);
bool has_decimal(const Expression& e, std::int32_t id);
// The symbols of a tree in the order of their first appearance.
void names_in_order(const Expression& e, std::int32_t id, std::vector<std::string>& out);
bool has_constant(const Side& s, const std::string& name);
// Is this decimal literal `value` rounded to the decimals written?
bool is_rounding_of(const Side& literal, const Side& value);
// x = a = b ~ c: the last exact side; a decimal that rounds the side before it is a note.
Side last_exact(const Side& s);
bool is_equation(const Side& s);
bool is_membership(const Side& s);
bool is_inequality(const Side& s);
// Inequalities, "x != 2", or a list with one of them.
bool is_condition(const Side& s);
// The expression with its plus-minus signs read by the bits of `which`.
Side choose_signs(const Side& s, unsigned which);
bool has_plus_minus(const Side& s);
// The left side of a relation minus its right side.
Side difference_of(const Side& s);
// A copy with its sign turned; a sum or product of copies of two sides, which may be of two trees.
Side negated(const Side& s);
Side combined(Kind kind, const Side& a, const Side& b);
// A copy with another name in place of `from`.
Side renamed(const Side& s, const std::string& from, const std::string& to);
// A copy with `scale * name + offset` in place of a name; scale 0: the number itself.
Side substituted(const Side& s, const std::string& name, const Rational& scale,
                 const Rational& offset);

// Does the tree below contain a node that `is` says yes to?
template <typename Test>
bool any_node(const Side& s, const Test& is) {
  if (is(s.node())) {
    return true;
  }
  for (std::size_t k = 0; k < s.size(); ++k) {
    if (any_node(s.child(k), is)) {
      return true;
    }
  }
  return false;
}

}  // namespace r1eval
