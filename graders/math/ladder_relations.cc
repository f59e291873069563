// Names in front of values, equations, inequalities, congruences.
#include <algorithm>
#include <cctype>
#include <utility>

#include "graders/math/exact.h"
#include "graders/math/ladder.h"
#include "graders/math/numeric.h"
#include "graders/math/same_value.h"

namespace r1eval {

using Id = std::int32_t;

namespace {

// A name as written, for names that stand before "=".
std::string name_of(const Side& s) {
  std::string out = s.kind() == Kind::kSymbol || s.kind() == Kind::kFunction ? s.node().text : "";
  for (std::size_t k = 0; k < s.size(); ++k) {
    out += (s.kind() == Kind::kFunction ? " " : "") + name_of(s.child(k));
  }
  return out;
}

using Assignments = std::vector<std::pair<std::string, Side>>;

// "x = 1, y = 2" and "(x, y) = (1, 2)": different names with their values, in the order written.
std::optional<Assignments> assignments_of(const Side& s) {
  Assignments out;
  if (s.kind() == Kind::kList || s.kind() == Kind::kSet) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      const Side one = s.child(k);
      if (!is_equation(one) || !is_lone_name(one.child(0)) || one.child(0).kind() == Kind::kTuple ||
          one.child(0).kind() == Kind::kRatio) {
        return std::nullopt;
      }
      out.emplace_back(name_of(one.child(0)), last_exact(one));
    }
  } else if (is_equation(s) && s.child(0).kind() == Kind::kTuple &&
             last_exact(s).kind() == Kind::kTuple && s.child(0).size() == last_exact(s).size()) {
    for (std::size_t k = 0; k < s.child(0).size(); ++k) {
      if (!is_lone_name(s.child(0).child(k))) {
        return std::nullopt;
      }
      out.emplace_back(name_of(s.child(0).child(k)), last_exact(s).child(k));
    }
  }
  if (out.size() < 2) {
    return std::nullopt;
  }
  Assignments sorted = out;
  const auto by_name = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::sort(sorted.begin(), sorted.end(), by_name);
  for (std::size_t k = 0; k + 1 < sorted.size(); ++k) {
    if (sorted[k].first == sorted[k + 1].first) {
      return std::nullopt;
    }
  }
  return out;
}

void sort_by_name(Assignments& list) {
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
}

// x_1 = …, x_2 = … are roots of one name: their order says nothing.
bool are_indexed(const Assignments& list) {
  const std::string stem = list[0].first.substr(0, list[0].first.find('_'));
  return std::all_of(list.begin(), list.end(), [&](const auto& one) {
    return one.first.size() > stem.size() + 1 && one.first.starts_with(stem + "_");
  });
}

// "m + n", "abc", "x^2 + y^2": what a question asks for by name, at least two different names
// without coefficients. "2x + z" is a side of an equation.
bool is_combination_of_names(const Side& s) {
  if (s.kind() != Kind::kSum && s.kind() != Kind::kProduct) {
    return false;
  }
  std::vector<std::string> seen;
  const auto is_name = [&](Side one) {
    one = one.kind() == Kind::kNegative ? one.child(0) : one;
    const bool is_power = one.kind() == Kind::kPower && one.child(1).kind() == Kind::kNumber;
    const Side base = is_power ? one.child(0) : one;
    if (base.kind() != Kind::kSymbol ||
        std::find(seen.begin(), seen.end(), base.node().text) != seen.end()) {
      return false;
    }
    seen.push_back(base.node().text);
    return true;
  };
  // Products are nested: (a b) c.
  const auto all = [&](const auto& self, const Side& one) -> bool {
    if (one.kind() != s.kind()) {
      return is_name(one);
    }
    for (std::size_t k = 0; k < one.size(); ++k) {
      if (!self(self, one.child(k))) {
        return false;
      }
    }
    return true;
  };
  return all(all, s) && seen.size() >= 2;
}

// The point C(7, 4) as the number of ways to choose 4 of 7; nothing for other equations.
std::optional<Side> as_combinations(const Side& s) {
  if (s.kind() != Kind::kRelation || s.node().text != "=" || s.child(0).kind() != Kind::kSymbol ||
      s.child(0).node().text != "C" || s.child(1).kind() != Kind::kTuple ||
      s.child(1).size() != 2 || s.child(1).node().text != "()") {
    return std::nullopt;
  }
  const auto tree = s.child(1).copy_alone();
  Node& node = tree->nodes[static_cast<std::size_t>(tree->root)];
  node.kind = Kind::kFunction;
  node.text = "binomial";
  return Side{tree, tree->root};
}

// Ratios of two parts as quotients.
Side with_quotients(const Side& s) {
  const auto tree = s.copy();
  for (Node& n : tree->nodes) {
    if (n.kind == Kind::kRatio && n.children.size() == 2) {
      n.kind = Kind::kQuotient;
    }
  }
  tree->exact.clear();
  return {tree, s.id};
}

// The symbol of a congruence; "" in "3 (mod 7)", which is about any name.
bool same_subject(const Side& gold, const Side& pred) {
  const Side a = gold.child(0);
  const Side b = pred.child(0);
  const auto is_any = [](const Side& s) {
    return s.kind() == Kind::kSymbol && s.node().text.empty();
  };
  return same_tree(a, b) || (is_any(a) && is_lone_name(b)) || (is_any(b) && is_lone_name(a));
}

}  // namespace

bool Ladder::relation_equal(const Side& gold, const Side& pred) {
  if (same_tree(gold, pred)) {
    return true;
  }
  const std::string& a = gold.node().text;
  const std::string& b = pred.node().text;
  if (a == "m" || b == "m") {
    // Congruences: the same modulus, the same left side, right sides in the same class.
    if (a != b || !equal(gold.child(2), pred.child(2)) || !same_subject(gold, pred)) {
      return false;
    }
    const auto x = exact_value(*gold.e, gold.child(1).id);
    const auto y = exact_value(*pred.e, pred.child(1).id);
    const auto m = exact_value(*gold.e, gold.child(2).id);
    evidence = "congruences";
    if (!x || !y || !m || !m->is_integer() || m->is_zero()) {
      return equal(gold.child(1), pred.child(1));
    }
    const Rational apart = *x - *y;
    return apart.is_integer() && apart.num % m->num == 0;
  }
  if (a.size() == 1 && b.size() == 1) {
    const bool equations = (a == "=" && b == "=") || (a == "n" && b == "n");
    const auto is_order = [](const std::string& op) {
      return op == "<" || op == ">" || op == "l" || op == "g";
    };
    if (equations || (is_order(a) && is_order(b))) {
      const Side x = difference_of(gold);
      const Side y = difference_of(pred);
      int sign = 0;
      if (!is_proportional(*x.e, x.id, *y.e, y.id, fuel_, sign)) {
        return equations && roots_equal(gold, pred);
      }
      evidence = "the two sides' differences are proportional";
      if (equations) {
        return true;
      }
      const auto less = [](const std::string& op) { return op == "<" || op == "l"; };
      const auto strict = [](const std::string& op) { return op == "<" || op == ">"; };
      return strict(a) == strict(b) && (less(a) == less(b)) == (sign > 0);
    }
  }
  return chain_equal(gold, pred);
}

// The same sides in the same order, or in the reverse order with the signs turned.
bool Ladder::chain_equal(const Side& gold, const Side& pred) {
  const std::string& a = gold.node().text;
  const std::string& b = pred.node().text;
  if (a.size() != b.size() || gold.size() != pred.size()) {
    return false;
  }
  const auto turned = [](char op) {
    return op == '<' ? '>' : op == '>' ? '<' : op == 'l' ? 'g' : op == 'g' ? 'l' : op;
  };
  bool forward = a == b;
  bool backward = a.find_first_of("iom") == std::string::npos;
  for (std::size_t k = 0; k < a.size(); ++k) {
    backward = backward && turned(a[k]) == b[b.size() - 1 - k];
  }
  const std::size_t last = gold.size() - 1;
  for (std::size_t k = 0; k <= last && forward; ++k) {
    forward = equal(gold.child(k), pred.child(k));
  }
  for (std::size_t k = 0; k <= last && !forward && backward; ++k) {
    backward = equal(gold.child(k), pred.child(last - k));
  }
  return forward || backward;
}

// Two equations in one name with the same real roots.
bool Ladder::roots_equal(const Side& gold, const Side& pred) {
  std::vector<std::string> ours;
  std::vector<std::string> theirs;
  names_in_order(*gold.e, gold.id, ours);
  names_in_order(*pred.e, pred.id, theirs);
  std::vector<Piece> roots;
  if (ours.size() != 1 || ours != theirs || is_lone_name(gold.child(0)) ||
      !pieces_of(gold, roots) || roots.empty()) {
    return false;
  }
  // x = 3, x = -3: the roots one by one
  Side others = pred;
  if (pred.kind() == Kind::kList) {
    const auto tree = pred.copy();
    Node all;
    all.kind = Kind::kUnion;
    all.children = pred.node().children;
    const Id id = tree->add(std::move(all));
    others = {tree, id};
  }
  if (!sets_on_line_equal(gold, others)) {
    return false;
  }
  evidence = "the same real roots";
  return true;
}

// Names in front of values: x = 5 for 5, x = 1 and y = 2 for (1, 2).
std::optional<bool> Ladder::by_names(const Side& g, const Side& p) {
  const bool may_assign = [](const Side& a, const Side& b) {
    const auto may = [](const Side& s) {
      return s.kind() == Kind::kList || s.kind() == Kind::kSet ||
             (s.kind() == Kind::kRelation && s.child(0).kind() == Kind::kTuple);
    };
    return may(a) || may(b);
  }(g, p);
  if (may_assign) {
    auto ours = assignments_of(g);
    auto theirs = assignments_of(p);
    const auto all_equal = [&](const Assignments& a, const Assignments& b) {
      for (std::size_t k = 0; k < a.size(); ++k) {
        if (!equal(a[k].second, b[k].second)) {
          return false;
        }
      }
      return true;
    };
    const auto unnamed = [](const Side& s) {
      Assignments out;
      for (std::size_t k = 0; k < s.size(); ++k) {
        out.emplace_back("", s.child(k));
      }
      return out;
    };
    if (ours && theirs && ours->size() == theirs->size()) {
      sort_by_name(*ours);
      sort_by_name(*theirs);
      const bool same_names =
          std::equal(ours->begin(), ours->end(), theirs->begin(),
                     [](const auto& a, const auto& b) { return a.first == b.first; });
      if (same_names) {
        return all_equal(*ours, *theirs);
      }
    }
    if (ours && !theirs && p.size() == ours->size() &&
        (p.kind() == Kind::kTuple ||
         (p.kind() == Kind::kList && !are_indexed(*ours) && !is_condition(p) &&
          std::none_of(p.node().children.begin(), p.node().children.end(),
                       [&](Id kid) { return p.e->at(kid).kind == Kind::kRelation; })))) {
      return all_equal(*ours, unnamed(p));
    }
    if (theirs && !ours && g.kind() == Kind::kTuple && g.size() == theirs->size()) {
      sort_by_name(*theirs);
      return all_equal(unnamed(g), *theirs);
    }
  }
  // x = {1, 2} and x in {1, 2} say the same of a set of values.
  const auto is_set_of_name = [](const Side& s) {
    return (is_equation(s) || is_membership(s)) && s.size() == 2 && is_lone_name(s.child(0)) &&
           s.child(1).kind() == Kind::kSet;
  };
  if (is_set_of_name(g) && is_set_of_name(p) && same_tree(g.child(0), p.child(0))) {
    return equal(g.child(1), p.child(1));
  }
  if (is_equation(g) && is_equation(p)) {
    const Side left = g.child(0);
    const Side right = p.child(0);
    const bool lone_g = is_lone_name(left);
    const bool lone_p = is_lone_name(right);
    if (lone_g && lone_p && same_tree(left, right)) {
      return equal(last_exact(g), last_exact(p));
    }
    if (lone_g && lone_p && left.kind() == Kind::kRatio && right.kind() == Kind::kRatio) {
      return equal(last_exact(g), last_exact(p));
    }
    // f(x) = … and f(t) = …, f(x) = … and y = …
    const auto is_function_of_name = [](const Side& s) {
      return s.kind() == Kind::kFunction && s.size() == 1 && s.child(0).kind() == Kind::kSymbol;
    };
    if (is_function_of_name(left) && is_function_of_name(right) &&
        left.node().text == right.node().text) {
      return equal(last_exact(g),
                   renamed(last_exact(p), right.child(0).node().text, left.child(0).node().text));
    }
    const auto is_y = [](const Side& s) {
      return s.kind() == Kind::kSymbol && s.node().text == "y";
    };
    if ((is_function_of_name(left) && is_y(right) && left.child(0).node().text == "x") ||
        (is_function_of_name(right) && is_y(left) && right.child(0).node().text == "x")) {
      return equal(last_exact(g), last_exact(p));
    }
    // A : B = 7 : 32 as an equation between quotients. Names of figures are also printed in lower
    // case.
    const auto has_ratio = [](const Side& s) {
      return s.size() == 2 && s.child(0).kind() == Kind::kRatio && s.child(0).size() == 2;
    };
    if (has_ratio(g) != has_ratio(p)) {
      Side a = with_quotients(g);
      Side b = with_quotients(p);
      std::vector<std::string> ours;
      std::vector<std::string> theirs;
      names_in_order(*a.e, a.id, ours);
      names_in_order(*b.e, b.id, theirs);
      for (const std::string& name : has_ratio(p) ? theirs : ours) {
        std::string small = name;
        std::transform(small.begin(), small.end(), small.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const std::vector<std::string>& others = has_ratio(p) ? ours : theirs;
        if (std::find(others.begin(), others.end(), small) != others.end()) {
          (has_ratio(p) ? b : a) = renamed(has_ratio(p) ? b : a, name, small);
        }
      }
      return relation_equal(a, b);
    }
    return relation_equal(g, p);
  }
  // "8 + 9 = 17" says 17, if it is true.
  if (g.kind() != Kind::kRelation && is_equation(p)) {
    if (const auto value = value_of_chain(p)) {
      return equal(g, *value);
    }
  }
  if (p.kind() != Kind::kRelation && is_equation(g)) {
    if (const auto value = value_of_chain(g)) {
      return equal(*value, p);
    }
  }
  if (is_equation(p) && g.kind() != Kind::kRelation) {
    if (!has_symbols(*p.e, p.id) && p.child(0).kind() != Kind::kFunction &&
        p.child(0).kind() != Kind::kRatio) {
      // 2 + 3 = 5: every side has to be the gold
      for (std::size_t k = 0; k < p.size(); ++k) {
        if ((k == 0 || p.node().text[k - 1] == '=') && !equal(g, p.child(k))) {
          return false;
        }
      }
      return true;
    }
    if (const auto ways = as_combinations(p); ways && g.kind() != Kind::kTuple) {
      return equal(g, *ways);
    }
    if (is_lone_name(p.child(0)) ||
        (p.size() == 2 && is_combination_of_names(p.child(0)) && !has_symbols(*g.e, g.id))) {
      return equal(g, last_exact(p));
    }
    if ((g.kind() == Kind::kSet || g.kind() == Kind::kNumber) && is_lone_name(last_exact(p))) {
      return equal(g, p.child(0));
    }
    if (is_computation(p)) {
      return equal(g, last_exact(p));
    }
    if (g.kind() == Kind::kNumber) {
      evidence = "the answer is an equation";
      return false;
    }
  }
  if (is_equation(g) && p.kind() != Kind::kRelation) {
    if (is_lone_name(g.child(0))) {
      return equal(last_exact(g), p);
    }
    if (is_lone_name(last_exact(g))) {
      return equal(g.child(0), p);
    }
    return p.kind() == Kind::kList && roots_equal(g, p);
  }
  if (is_membership(g) && is_membership(p)) {
    // "k in Z" says something of k; sets of solutions are compared.
    if (g.child(0).kind() == Kind::kSymbol && p.child(0).kind() == Kind::kSymbol &&
        g.child(0).node().text != p.child(0).node().text) {
      return false;
    }
    return equal(g.child(1), p.child(1));
  }
  if (is_membership(p) && !is_condition(g) && g.kind() != Kind::kRelation) {
    return equal(g, p.child(1));
  }
  if (is_membership(g) && !is_condition(p) && p.kind() != Kind::kRelation) {
    return equal(g.child(1), p);
  }
  return std::nullopt;
}

std::optional<bool> Ladder::by_relation(const Side& g, const Side& p) {
  const bool is_condition_g = is_condition(g);
  const bool is_condition_p = is_condition(p);
  const bool is_builder = g.kind() == Kind::kFunction && g.node().text == "set of";
  if (is_condition_g || (is_condition_p && (is_builder || rules_.set_relation_both_ways))) {
    if (sets_on_line_equal(g, p)) {
      evidence = "the same set on the real line";
      return true;
    }
  }
  if (is_condition_p && !is_condition_g) {
    evidence = "an inequality where the gold is a set or value";
    return false;
  }
  if (g.kind() == Kind::kRelation && p.kind() == Kind::kRelation) {
    return relation_equal(g, p);
  }
  if (g.kind() == Kind::kRelation || p.kind() == Kind::kRelation) {
    return false;
  }
  return std::nullopt;
}

}  // namespace r1eval
