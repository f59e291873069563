// Intervals, inequalities in one variable and finite sets as subsets of the real line.
#include <algorithm>
#include <cmath>

#include "graders/math/ball.h"
#include "graders/math/exact.h"
#include "graders/math/ladder.h"
#include "graders/math/numeric.h"
#include "graders/math/same_value.h"

namespace r1eval {

using Id = std::int32_t;

namespace {

// A copy of a subtree with a number in its variable's place.
Id substituted(Expression& tree, Id id, const std::string& name, const Rational& x) {
  Node node = tree.at(id);
  if (node.kind == Kind::kSymbol && node.text == name) {
    node = Node();
    node.value = x;
  }
  for (Id& kid : node.children) {
    kid = substituted(tree, kid, name, x);
  }
  return tree.add(std::move(node));
}

Id joined(Expression& tree, Kind kind, Id left, Id right) {
  Node node;
  node.kind = kind;
  node.children = {left, right};
  return tree.add(std::move(node));
}

Id negated(Expression& tree, Id id) {
  Node node;
  node.kind = Kind::kNegative;
  node.children = {id};
  return tree.add(std::move(node));
}

// a x + b for a scalar that is linear in its only name.
struct Line {
  std::shared_ptr<Expression> tree;
  Id slope = -1;
  Id constant = -1;
  bool falls = false;
};

std::optional<Line> line_of(const Side& s, const std::string& name, std::int64_t& fuel) {
  if (s.e->nodes.size() > 512) {
    return std::nullopt;
  }
  Line line{s.copy()};
  Expression& tree = *line.tree;
  const Id one = substituted(tree, s.id, name, Rational(Integer(1)));
  const Id two = substituted(tree, s.id, name, Rational(Integer(2)));
  line.slope = joined(tree, Kind::kSum, two, negated(tree, one));
  line.constant = joined(tree, Kind::kSum, one, negated(tree, line.slope));
  Node x;
  x.kind = Kind::kSymbol;
  x.text = name;
  const Id rise = joined(tree, Kind::kProduct, line.slope, tree.add(x));
  const Id total = joined(tree, Kind::kSum, rise, line.constant);
  const auto sign = order_of(tree, line.slope, -1, fuel);
  std::string ignored;
  if (!sign || *sign == 0 || same_value(*s.e, s.id, tree, total, fuel, ignored) != Same::kEqual) {
    return std::nullopt;
  }
  line.falls = *sign < 0;
  return line;
}

}  // namespace

double Ladder::end_value(const Side& s) {
  if (s.kind() == Kind::kPercent) {
    return end_value(s.child(0)) / 100;
  }
  if (s.kind() == Kind::kConstant && s.node().text == "infty") {
    return HUGE_VAL;
  }
  if ((s.kind() == Kind::kNegative || s.kind() == Kind::kSum) && s.size() == 1 &&
      s.child(0).kind() == Kind::kConstant && s.child(0).node().text == "infty") {
    return s.kind() == Kind::kNegative ? -HUGE_VAL : HUGE_VAL;
  }
  if (const auto exact = exact_value(*s.e, s.id)) {
    const double nearest = to_double(*exact);
    return std::isinf(nearest) ? std::nan("") : nearest;
  }
  const double value = has_symbols(*s.e, s.id) ? std::nan("") : numeric_value(*s.e, s.id, 0).real();
  return std::isinf(value) ? std::nan("") : value;  // too large is not infinite
}

// -1, 0 or 1 as the first end lies below, at or above the second. Values that floating point cannot
// tell apart are compared exactly where both are known.
int Ladder::order_of_ends(const Side& x, double u, const Side& y, double v) {
  const int apart = u < v ? -1 : u > v ? 1 : 0;
  if (std::isinf(u) || std::isinf(v) ||
      std::abs(u - v) > 1e-9 * std::max({1.0, std::abs(u), std::abs(v)})) {
    return apart;
  }
  if (x.id < 0 || y.id < 0) {
    return std::abs(u - v) <= 1e-11 * std::max(1.0, std::abs(u)) ? 0 : apart;
  }
  const auto a = exact_value(*x.e, x.id);
  const auto b = exact_value(*y.e, y.id);
  if (a && b) {
    return *a < *b ? -1 : *b < *a ? 1 : 0;
  }
  std::string ignored;
  if (same_value(*x.e, x.id, *y.e, y.id, fuel_, ignored) == Same::kEqual) {
    return 0;
  }
  const Side gap = combined(Kind::kSum, x, negated(y));
  return order_of(*gap.e, gap.id, -1, fuel_).value_or(apart);
}

bool Ladder::contains(const Piece& piece, const Side& s) {
  const double v = end_value(s);
  const int from = order_of_ends(piece.lo, piece.lo_value, s, v);
  const int to = order_of_ends(s, v, piece.hi, piece.hi_value);
  return (from < 0 || (from == 0 && !piece.lo_open)) && (to < 0 || (to == 0 && !piece.hi_open));
}

bool Ladder::pieces_of(const Side& s, std::vector<Piece>& out) {
  if (out.size() > 64) {
    return false;
  }
  const auto infinity = [&](bool minus) {
    const auto tree = std::make_shared<Expression>();
    Node inf;
    inf.kind = Kind::kConstant;
    inf.text = "infty";
    Id id = tree->add(inf);
    if (minus) {
      Node negative;
      negative.kind = Kind::kNegative;
      negative.children = {id};
      id = tree->add(negative);
    }
    return Side{tree, id};
  };
  if (s.kind() == Kind::kFunction && s.node().text == "set of") {
    // {x | …}, {x in R | …}: the conditions, all of them
    const Side term = s.child(0);
    const bool is_name = term.kind() == Kind::kSymbol;
    const bool is_real = is_membership(term) && term.child(0).kind() == Kind::kSymbol &&
                         term.child(1).kind() == Kind::kSymbol && term.child(1).node().text == "R";
    if (!is_name && !is_real) {
      return false;
    }
    std::vector<Piece> all;
    for (std::size_t k = 1; k < s.size(); ++k) {
      std::vector<Piece> one;
      if (!pieces_of(s.child(k), one)) {
        return false;
      }
      all = k == 1 ? one : intersection(all, one);
    }
    out.insert(out.end(), all.begin(), all.end());
    return s.size() > 1;
  }
  const auto put = [&](const Side& lo, const Side& hi, bool lo_open, bool hi_open) {
    out.push_back({lo, hi, lo_open, hi_open, end_value(lo), end_value(hi)});
    return !std::isnan(out.back().lo_value) && !std::isnan(out.back().hi_value);
  };
  if (is_membership(s)) {
    return pieces_of(s.child(1), out);
  }
  if (s.kind() == Kind::kTuple && s.size() == 2) {
    const std::string& b = s.node().text;
    const bool lo_open = b.front() != '[';
    const bool hi_open = b.back() != ']';
    return put(s.child(0), s.child(1), lo_open, hi_open);
  }
  if (s.kind() == Kind::kList && is_condition(s)) {
    // "or" joins; "and" and commas mean all of them, unless that leaves nothing: x < 1, x > 3.
    std::vector<Piece> joined;
    std::vector<Piece> common;
    for (std::size_t k = 0; k < s.size(); ++k) {
      std::vector<Piece> one;
      if (!pieces_of(s.child(k), one)) {
        return false;
      }
      joined.insert(joined.end(), one.begin(), one.end());
      common = k == 0 ? one : intersection(common, one);
    }
    const std::vector<Piece>& chosen = s.node().text == "o" || common.empty() ? joined : common;
    out.insert(out.end(), chosen.begin(), chosen.end());
    return true;
  }
  if (s.kind() == Kind::kUnion) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      if (!pieces_of(s.child(k), out)) {
        return false;
      }
    }
    return true;
  }
  if (s.kind() == Kind::kIntersection) {
    std::vector<Piece> left;
    std::vector<Piece> right;
    if (!pieces_of(s.child(0), left) || !pieces_of(s.child(1), right)) {
      return false;
    }
    const std::vector<Piece> both = intersection(left, right);
    out.insert(out.end(), both.begin(), both.end());
    return out.size() <= 64;
  }
  if (s.kind() == Kind::kSet && s.size() >= 1) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      if (!put(s.child(k), s.child(k), false, false)) {
        return false;
      }
    }
    return true;
  }
  if (s.kind() == Kind::kSymbol && s.node().text.starts_with("R")) {
    if (s.node().text == "R") {
      return put(infinity(true), infinity(false), true, true);
    }
    const auto tree = std::make_shared<Expression>();
    const Id zero_id = tree->add(Node());
    const Side zero{tree, zero_id};
    const std::string& name = s.node().text;
    const bool is_open = name.size() == 2;
    return name.size() < 2  ? false
           : name[1] == '+' ? put(zero, infinity(false), is_open, true)
           : name[1] == '-' ? put(infinity(true), zero, true, is_open)
                            : false;
  }
  if (s.kind() == Kind::kDifference && s.child(1).kind() == Kind::kSet) {
    if (!pieces_of(s.child(0), out)) {
      return false;
    }
    for (std::size_t k = 0; k < s.child(1).size(); ++k) {
      const Side hole = s.child(1).child(k);
      const double v = end_value(hole);
      for (std::size_t p = 0; p < out.size(); ++p) {
        const int from = order_of_ends(out[p].lo, out[p].lo_value, hole, v);
        const int to = order_of_ends(hole, v, out[p].hi, out[p].hi_value);
        if (from < 0 && to < 0) {
          Piece right = out[p];
          right.lo = hole;
          right.lo_value = v;
          right.lo_open = true;
          out[p].hi = hole;
          out[p].hi_value = v;
          out[p].hi_open = true;
          out.push_back(right);
          break;
        }
        // an end of a closed interval taken out
        out[p].lo_open = out[p].lo_open || from == 0;
        out[p].hi_open = out[p].hi_open || to == 0;
      }
    }
    return true;
  }
  if (s.kind() == Kind::kDifference) {
    // What lies outside every piece of the right side.
    std::vector<Piece> left;
    std::vector<Piece> taken;
    if (!pieces_of(s.child(0), left) || !pieces_of(s.child(1), taken)) {
      return false;
    }
    for (const Piece& hole : taken) {
      std::vector<Piece> outside;
      if (hole.lo_value > -HUGE_VAL) {
        outside.push_back({infinity(true), hole.lo, true, !hole.lo_open, -HUGE_VAL, hole.lo_value});
      }
      if (hole.hi_value < HUGE_VAL) {
        outside.push_back({hole.hi, infinity(false), !hole.hi_open, true, hole.hi_value, HUGE_VAL});
      }
      left = intersection(left, outside);
    }
    out.insert(out.end(), left.begin(), left.end());
    return out.size() <= 64;
  }
  if (is_inequality(s)) {
    const std::string& ops = s.node().text;
    const auto open = [](char c) { return c == '<' || c == '>'; };
    const auto less = [](char c) { return c == '<' || c == 'l'; };
    const auto is_variable = [](const Side& side) {
      return side.kind() == Kind::kSymbol ||
             (side.kind() == Kind::kFunction && side.node().text.size() == 1);
    };
    if (ops.size() == 2 && is_variable(s.child(1)) && less(ops[0]) == less(ops[1])) {
      return less(ops[0]) ? put(s.child(0), s.child(2), open(ops[0]), open(ops[1]))
                          : put(s.child(2), s.child(0), open(ops[1]), open(ops[0]));
    }
    if (ops.size() == 1 && is_variable(s.child(0)) && !has_symbols(*s.e, s.child(1).id)) {
      return less(ops[0]) ? put(infinity(true), s.child(1), true, open(ops[0]))
                          : put(s.child(1), infinity(false), open(ops[0]), true);
    }
    if (ops.size() == 1 && is_variable(s.child(1)) && !has_symbols(*s.e, s.child(0).id)) {
      return less(ops[0]) ? put(s.child(0), infinity(false), open(ops[0]), true)
                          : put(infinity(true), s.child(0), true, open(ops[0]));
    }
    // |x| < c with any constant c
    const auto is_absolute = [&](const Side& side) {
      return side.kind() == Kind::kFunction && side.node().text == "abs" &&
             side.child(0).kind() == Kind::kSymbol;
    };
    const bool mirrored = ops.size() == 1 && is_absolute(s.child(1));
    if (ops.size() == 1 && (mirrored || is_absolute(s.child(0)))) {
      const Side bound = s.child(mirrored ? 0 : 1);
      const double size = end_value(bound);
      if (size > 0 && !std::isinf(size)) {
        const auto tree = bound.copy();
        Node negative;
        negative.kind = Kind::kNegative;
        negative.children = {bound.id};
        const Id id = tree->add(std::move(negative));
        const Side minus{tree, id};
        if (less(ops[0]) != mirrored) {
          return put(minus, bound, open(ops[0]), open(ops[0]));
        }
        return put(infinity(true), minus, true, open(ops[0])) &&
               put(bound, infinity(false), open(ops[0]), true);
      }
    }
    if (solved_pieces(s, out)) {
      return true;
    }
    // a x + b against constants: the ends are (c - b) / a.
    std::vector<std::string> names;
    names_in_order(*s.e, s.id, names);
    if (names.size() != 1 || ops.size() > 2) {
      return false;
    }
    const Side middle = ops.size() == 2 ? s.child(1) : difference_of(s);
    if (ops.size() == 2 && (less(ops[0]) != less(ops[1]) || has_symbols(*s.e, s.child(0).id) ||
                            has_symbols(*s.e, s.child(2).id))) {
      return false;
    }
    const auto line = line_of(middle, names[0], fuel_);
    if (!line) {
      return false;
    }
    const auto solved = [&](Id from) {
      const auto tree = std::make_shared<Expression>(*line->tree);
      Id top = negated(*tree, line->constant);
      top = from < 0 ? top : joined(*tree, Kind::kSum, from, top);
      const Id end = joined(*tree, Kind::kQuotient, top, line->slope);
      return Side{tree, end};
    };
    const bool upward = less(ops[0]) == !line->falls;
    if (ops.size() == 1) {
      const Side end = solved(-1);
      return upward ? put(infinity(true), end, true, open(ops[0]))
                    : put(end, infinity(false), open(ops[0]), true);
    }
    const Side first = solved(s.child(0).id);
    const Side last = solved(s.child(2).id);
    return upward ? put(first, last, open(ops[0]), open(ops[1]))
                  : put(last, first, open(ops[1]), open(ops[0]));
  }
  return s.kind() == Kind::kRelation && solved_pieces(s, out);
}

// Every relation of the chain solved for its one name.
bool Ladder::solved_pieces(const Side& relation, std::vector<Piece>& out) {
  if (relation.node().text.find_first_not_of("=<>lgn") != std::string::npos) {
    return false;
  }
  if (has_plus_minus(relation)) {
    std::vector<Piece> plus;
    std::vector<Piece> minus;
    if (!solved_pieces(choose_signs(relation, 0), plus) ||
        !solved_pieces(choose_signs(relation, 1), minus)) {
      return false;
    }
    // x = 1 or -1, but neither 1 nor -1 in x != +-1
    if (relation.node().text == "n") {
      plus = intersection(plus, minus);
    } else {
      plus.insert(plus.end(), minus.begin(), minus.end());
    }
    out.insert(out.end(), plus.begin(), plus.end());
    return true;
  }
  std::vector<std::string> names;
  names_in_order(*relation.e, relation.id, names);
  if (names.size() != 1) {
    return false;
  }
  std::vector<Piece> all;
  for (std::size_t k = 0; k < relation.node().text.size(); ++k) {
    std::vector<Piece> one;
    fuel_ -= 2000;
    if (fuel_ < 0 || !solve_on_line(relation, k, names[0], one)) {
      return false;
    }
    all = k == 0 ? one : intersection(all, one);
  }
  out.insert(out.end(), all.begin(), all.end());
  return true;
}

std::vector<LinePiece> Ladder::intersection(const std::vector<Piece>& left,
                                            const std::vector<Piece>& right) {
  std::vector<Piece> out;
  for (const Piece& a : left) {
    for (const Piece& b : right) {
      const int from = order_of_ends(a.lo, a.lo_value, b.lo, b.lo_value);
      const int to = order_of_ends(a.hi, a.hi_value, b.hi, b.hi_value);
      const Piece& lo = from > 0 || (from == 0 && a.lo_open) ? a : b;
      const Piece& hi = to < 0 || (to == 0 && a.hi_open) ? a : b;
      const int length = order_of_ends(lo.lo, lo.lo_value, hi.hi, hi.hi_value);
      if (length < 0 || (length == 0 && !lo.lo_open && !hi.hi_open)) {
        out.push_back({lo.lo, hi.hi, lo.lo_open, hi.hi_open, lo.lo_value, hi.hi_value});
      }
      if (out.size() > 64) {
        return {};
      }
    }
  }
  return out;
}

// Intersections and differences of finite sets, and of an interval with a finite set, carried out.
Side Ladder::evaluate_set(const Side& s) {
  if ((s.kind() != Kind::kIntersection && s.kind() != Kind::kUnion &&
       s.kind() != Kind::kDifference) ||
      depth_ > 32) {
    return s;
  }
  const Side left = evaluate_set(s.child(0));
  const Side right = evaluate_set(s.child(1));
  const bool finite_left = left.kind() == Kind::kSet;
  const bool finite_right = right.kind() == Kind::kSet;
  if (!finite_left && !(finite_right && s.kind() == Kind::kIntersection)) {
    return s;
  }
  const Side& members = finite_left ? left : right;
  const Side& other = finite_left ? right : left;
  const auto tree = std::make_shared<Expression>(*members.e);
  Node result;
  result.kind = Kind::kSet;
  std::vector<Piece> pieces;
  if (other.kind() != Kind::kSet && !pieces_of(other, pieces)) {
    return s;
  }
  if (s.kind() == Kind::kUnion) {
    return s;
  }
  for (std::size_t k = 0; k < members.size(); ++k) {
    const Side one = members.child(k);
    bool inside = false;
    if (other.kind() == Kind::kSet) {
      for (std::size_t j = 0; j < other.size() && !inside; ++j) {
        inside = equal(one, other.child(j));
      }
    } else {
      for (const Piece& piece : pieces) {
        inside = inside || contains(piece, one);
      }
    }
    if (inside == (s.kind() == Kind::kIntersection)) {
      result.children.push_back(one.id);
    }
  }
  const Id id = tree->add(std::move(result));
  return {tree, id};
}

namespace {

// The name that a condition is about.
void condition_names(const Side& s, std::vector<std::string>& out) {
  if (is_membership(s)) {
    names_in_order(*s.e, s.child(0).id, out);
  } else if (s.kind() == Kind::kRelation) {
    names_in_order(*s.e, s.id, out);
  } else if (s.kind() == Kind::kList) {
    for (std::size_t k = 0; k < s.size(); ++k) {
      condition_names(s.child(k), out);
    }
  }
}

}  // namespace

bool Ladder::sets_on_line_equal(const Side& gold, const Side& pred) {
  std::vector<std::string> ours;
  std::vector<std::string> theirs;
  condition_names(gold, ours);
  condition_names(pred, theirs);
  if (!ours.empty() && !theirs.empty() && ours != theirs) {
    return false;
  }
  std::vector<Piece> a;
  std::vector<Piece> b;
  if (!pieces_of(gold, a) || !pieces_of(pred, b)) {
    return false;
  }
  const auto normal = [&](std::vector<Piece>& pieces) {
    // By insertion: orders that fuel cut short need not be consistent, which std::sort relies on.
    std::vector<Piece> sorted;
    for (const Piece& piece : pieces) {
      const auto at = std::find_if(sorted.begin(), sorted.end(), [&](const Piece& other) {
        const int order = order_of_ends(piece.lo, piece.lo_value, other.lo, other.lo_value);
        return order < 0 || (order == 0 && !piece.lo_open && other.lo_open);
      });
      sorted.insert(at, piece);
    }
    pieces = std::move(sorted);
    std::vector<Piece> merged;
    for (const Piece& piece : pieces) {
      if (!merged.empty()) {
        Piece& last = merged.back();
        const int gap = order_of_ends(piece.lo, piece.lo_value, last.hi, last.hi_value);
        if (gap < 0 || (gap == 0 && !(piece.lo_open && last.hi_open))) {
          const int longer = order_of_ends(piece.hi, piece.hi_value, last.hi, last.hi_value);
          if (longer > 0) {
            last.hi = piece.hi;
            last.hi_value = piece.hi_value;
            last.hi_open = piece.hi_open;
          } else if (longer == 0) {
            last.hi_open = last.hi_open && piece.hi_open;
          }
          continue;
        }
      }
      merged.push_back(piece);
    }
    pieces = std::move(merged);
  };
  normal(a);
  normal(b);
  if (a.size() != b.size()) {
    return false;
  }
  const auto ends_equal = [&](const Side& x, const Side& y, double u, double v) {
    if (std::isinf(u) || std::isinf(v)) {
      return u == v;
    }
    if (x.id < 0 || y.id < 0) {
      return std::abs(u - v) <= 1e-11 * std::max(1.0, std::abs(u));
    }
    return value_equal(x, y);
  };
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k].lo_open != b[k].lo_open || a[k].hi_open != b[k].hi_open ||
        !ends_equal(a[k].lo, b[k].lo, a[k].lo_value, b[k].lo_value) ||
        !ends_equal(a[k].hi, b[k].hi, a[k].hi_value, b[k].hi_value)) {
      return false;
    }
  }
  return true;
}

}  // namespace r1eval
