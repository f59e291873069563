#include "graders/math/side.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <complex>

#include "graders/math/numeric.h"

namespace r1eval {

using Id = std::int32_t;

bool is_lone_name(const Side& s) {
  switch (s.kind()) {
    case Kind::kSymbol:
      return true;
    case Kind::kFunction: {
      const std::string& f = s.node().text;
      // Names with their arguments ("f(2)", "sin A", "Var(X)"), and closed expressions that are
      // asked for ("\\int … = 2").
      if (f == "sum" || f == "prod" || f == "integral" || f.starts_with("limit")) {
        return true;
      }
      if (f == "ln" || f == "log" || f == "exp" || f == "root" || f == "factorial" ||
          f == "double factorial" || f == "binomial" || f == "mod" || f == "antiderivative" ||
          f == "set of" || f == "floor" || f == "ceil" || f == "max" || f == "min" ||
          f.starts_with("arc") || f.starts_with("ar") || f == "sinh" || f == "cosh" ||
          f == "tanh" || f == "coth") {
        return false;
      }
      for (std::size_t k = 0; k < s.size() && f != "abs" && f.size() > 1; ++k) {
        if (s.child(k).kind() != Kind::kNumber && s.child(k).kind() != Kind::kMatrix &&
            !is_lone_name(s.child(k))) {
          return false;
        }
      }
      return true;
    }
    case Kind::kTuple:
    case Kind::kRatio:
    case Kind::kProduct:
    case Kind::kSum: {
      for (std::size_t k = 0; k < s.size(); ++k) {
        if (!is_lone_name(s.child(k))) {
          return false;
        }
      }
      // A product of capitals names a segment or an angle; a sum of f(…) names a value.
      if (s.kind() == Kind::kSum) {
        return s.child(0).kind() != Kind::kSymbol;
      }
      return s.kind() != Kind::kProduct || s.child(s.size() - 1).kind() != Kind::kSymbol ||
             std::isupper(static_cast<unsigned char>(s.child(s.size() - 1).node().text[0])) != 0;
    }
    default:
      return false;
  }
}

bool same_tree(const Side& a, const Side& b) {
  if (a.kind() != b.kind() || a.node().text != b.node().text || a.size() != b.size() ||
      !(a.node().value == b.node().value) || a.node().columns != b.node().columns) {
    return false;
  }
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (!same_tree(a.child(k), b.child(k))) {
      return false;
    }
  }
  return true;
}

bool has_decimal(const Expression& e, Id id) {
  if (e.at(id).is_decimal) {
    return true;
  }
  for (const Id kid : e.at(id).children) {
    if (has_decimal(e, kid)) {
      return true;
    }
  }
  return false;
}

// The symbols of a tree in the order of their first appearance.
void names_in_order(const Expression& e, Id id, std::vector<std::string>& out) {
  const Node& n = e.at(id);
  if (n.kind == Kind::kSymbol && std::find(out.begin(), out.end(), n.text) == out.end()) {
    out.push_back(n.text);
  }
  for (const Id kid : n.children) {
    names_in_order(e, kid, out);
  }
}

bool has_constant(const Side& s, const std::string& name) {
  if (s.kind() == Kind::kConstant && s.node().text == name) {
    return true;
  }
  for (std::size_t k = 0; k < s.size(); ++k) {
    if (has_constant(s.child(k), name)) {
      return true;
    }
  }
  return false;
}

bool is_rounding_of(const Side& literal, const Side& value) {
  const bool minus = literal.kind() == Kind::kNegative;
  const Side number = minus ? literal.child(0) : literal;
  if (number.kind() != Kind::kNumber || number.node().places == 0 ||
      has_symbols(*value.e, value.id)) {
    return false;
  }
  const std::complex<double> exact = numeric_value(*value.e, value.id, 0);
  const double shown = to_double(number.node().value) * (minus ? -1 : 1);
  const double unit = std::pow(10.0, -std::min(number.node().places, 15));
  return std::abs(exact.imag()) < unit * 1e-3 && std::abs(exact.real() - shown) <= unit;
}

Side last_exact(const Side& s) {
  std::size_t last = 1;
  for (std::size_t k = 0; k < s.node().text.size(); ++k) {
    const char op = s.node().text[k];
    if (op != '=' && !(op == '~' && k == 0)) {
      break;
    }
    if (k == 0 || !is_rounding_of(s.child(k + 1), s.child(last))) {
      last = k + 1;
    }
  }
  return s.child(last);
}

bool is_equation(const Side& s) {
  return s.kind() == Kind::kRelation && (s.node().text[0] == '=' || s.node().text[0] == '~') &&
         s.node().text.find_first_not_of("=~") == std::string::npos;
}

bool is_membership(const Side& s) {
  return s.kind() == Kind::kRelation && s.node().text == "i";
}

bool is_inequality(const Side& s) {
  return s.kind() == Kind::kRelation &&
         s.node().text.find_first_not_of("<>lg") == std::string::npos;
}

bool is_condition(const Side& s) {
  if (s.kind() == Kind::kList) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      if (s.child(k).kind() == Kind::kRelation && is_condition(s.child(k))) {
        return true;
      }
    }
    return false;
  }
  return is_inequality(s) || (s.kind() == Kind::kRelation && s.node().text == "n");
}

// The expression with its k-th plus-minus read as bit k of `which`.
Side choose_signs(const Side& s, unsigned which) {
  const auto tree = s.copy_alone();
  std::vector<Id> stack = {tree->root};
  while (!stack.empty()) {
    const Id id = stack.back();
    stack.pop_back();
    Node& n = tree->nodes[static_cast<std::size_t>(id)];
    if (n.kind == Kind::kPlusMinus) {
      const bool minus = ((which & 1U) != 0) != (n.text == "-");
      if (n.children.size() == 1) {
        n.kind = minus ? Kind::kNegative : Kind::kSum;
      } else {
        n.kind = Kind::kSum;
        if (minus) {
          Node negative;
          negative.kind = Kind::kNegative;
          negative.children = {n.children[1]};
          const Id added = tree->add(negative);
          tree->nodes[static_cast<std::size_t>(id)].children[1] = added;
        }
      }
    }
    for (const Id kid : tree->at(id).children) {
      stack.push_back(kid);
    }
  }
  return {tree, tree->root};
}

bool has_plus_minus(const Side& s) {
  if (s.kind() == Kind::kPlusMinus) {
    return true;
  }
  for (std::size_t k = 0; k < s.size(); ++k) {
    if (has_plus_minus(s.child(k))) {
      return true;
    }
  }
  return false;
}

Side negated(const Side& s) {
  const auto tree = s.copy_alone();
  Node negative;
  negative.kind = Kind::kNegative;
  negative.children = {tree->root};
  tree->root = tree->add(std::move(negative));
  return {tree, tree->root};
}

Side combined(Kind kind, const Side& a, const Side& b) {
  const auto tree = a.copy_alone();
  Node both;
  both.kind = kind;
  both.children = {tree->root, copy_subtree(*b.e, b.id, *tree)};
  tree->root = tree->add(std::move(both));
  return {tree, tree->root};
}

Side difference_of(const Side& s) {
  return combined(Kind::kSum, s.child(0), negated(s.child(1)));
}

Side renamed(const Side& s, const std::string& from, const std::string& to) {
  const auto tree = s.copy_alone();
  for (Node& n : tree->nodes) {
    if (n.kind == Kind::kSymbol && n.text == from) {
      n.text = to;
    }
  }
  return {tree, tree->root};
}

Side substituted(const Side& s, const std::string& name, const Rational& scale,
                 const Rational& offset) {
  const auto tree = s.copy_alone();
  const std::size_t count = tree->nodes.size();
  for (std::size_t k = 0; k < count; ++k) {
    if (tree->nodes[k].kind != Kind::kSymbol || tree->nodes[k].text != name) {
      continue;
    }
    Node number;
    number.value = offset;
    if (scale.is_zero()) {
      tree->nodes[k] = number;
      continue;
    }
    Node factor;
    factor.value = scale;
    Node symbol;
    symbol.kind = Kind::kSymbol;
    symbol.text = name;
    Node product;
    product.kind = Kind::kProduct;
    product.children = {tree->add(factor), tree->add(symbol)};
    Node sum;
    sum.kind = Kind::kSum;
    sum.children = {tree->add(product), tree->add(number)};
    tree->nodes[k] = std::move(sum);
  }
  return {tree, tree->root};
}

}  // namespace r1eval
