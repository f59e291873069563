// Matrices: their environments, and their sums and products carried out.
#include <fmt/format.h>

#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

// Square brackets and braces around one value, used as parentheses in arithmetic.
Parser::Id Parser::scalar(Id id) const {
  const Node& n = e_.at(id);
  const bool is_bracket =
      (n.kind == Kind::kTuple || n.kind == Kind::kSet) && n.children.size() == 1;
  return is_bracket ? n.children[0] : id;
}

// Products and sums of matrices are carried out, so that only entries are left to compare.
Parser::Id Parser::multiply(Id a, Id b) {
  a = scalar(a);
  b = scalar(b);
  const bool left = e_.at(a).kind == Kind::kMatrix;
  const bool right = e_.at(b).kind == Kind::kMatrix;
  if (!left && !right) {
    return make(Kind::kProduct, {a, b});
  }
  const Node x = e_.at(a);
  const Node y = e_.at(b);
  std::vector<Id> cells;
  std::int32_t columns = 0;
  if (left != right) {
    const Node& matrix = left ? x : y;
    columns = matrix.columns;
    for (const Id cell : matrix.children) {
      const Id product = make(Kind::kProduct, {left ? b : a, cell});
      if (product == kBad) {
        return kBad;
      }
      cells.push_back(product);
    }
  } else {
    const auto inner = static_cast<std::size_t>(x.columns);
    columns = y.columns;
    if (inner * static_cast<std::size_t>(columns) != y.children.size()) {
      return bad("a product of matrices whose shapes do not fit");
    }
    const std::size_t rows = x.children.size() / inner;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < static_cast<std::size_t>(columns); ++c) {
        std::vector<Id> terms;
        for (std::size_t k = 0; k < inner; ++k) {
          terms.push_back(make(
              Kind::kProduct,
              {x.children[r * inner + k], y.children[k * static_cast<std::size_t>(columns) + c]}));
          if (terms.back() == kBad) {
            return kBad;
          }
        }
        const Id cell = make(Kind::kSum, std::move(terms));
        if (cell == kBad) {
          return kBad;
        }
        cells.push_back(cell);
      }
    }
  }
  const Id id = make(Kind::kMatrix, std::move(cells));
  if (id != kBad) {
    e_.nodes.back().columns = columns;
  }
  return id;
}

Parser::Id Parser::add_terms(Id a, Id b) {
  const Node x = e_.at(a);
  bool minus = false;
  Id right = b;
  if (e_.at(right).kind == Kind::kNegative) {
    minus = true;
    right = e_.at(right).children[0];
  }
  const Node y = e_.at(right);
  if (x.kind != Kind::kMatrix || y.kind != Kind::kMatrix || x.columns != y.columns ||
      x.children.size() != y.children.size()) {
    return make(Kind::kSum, {scalar(a), b});
  }
  std::vector<Id> cells;
  for (std::size_t k = 0; k < x.children.size(); ++k) {
    Id other = y.children[k];
    other = minus ? make(Kind::kNegative, {other}) : other;
    const Id cell = other == kBad ? kBad : make(Kind::kSum, {x.children[k], other});
    if (cell == kBad) {
      return kBad;
    }
    cells.push_back(cell);
  }
  const Id id = make(Kind::kMatrix, std::move(cells));
  if (id != kBad) {
    e_.nodes.back().columns = x.columns;
  }
  return id;
}

Parser::Id Parser::matrix() {
  ++i_;  // begin
  std::string name = raw_group();
  if (name == "array") {
    if (is_op("{")) {
      raw_group();
    }
  } else if (name != "pmatrix" && name != "bmatrix" && name != "matrix" && name != "smallmatrix" &&
             name != "Bmatrix") {
    return bad(fmt::format("the environment {} is not judged", name.substr(0, 40)));
  }
  std::vector<Id> cells;
  std::int32_t columns = 0;
  std::int32_t in_row = 0;
  const auto end_row = [&] {
    if (in_row == 0) {
      return true;
    }
    const bool fits = columns == 0 || columns == in_row;
    columns = in_row;
    in_row = 0;
    return fits;
  };
  while (!done() && !is_command("end")) {
    if (accept("\\\\")) {
      if (!end_row()) {
        return bad("a matrix whose rows differ in length");
      }
      continue;
    }
    if (accept("&") || is_command("hline")) {
      i_ += is_command("hline") ? 1 : 0;
      continue;
    }
    const Id cell = relation();
    if (cell == kBad) {
      return kBad;
    }
    cells.push_back(cell);
    ++in_row;
    if (static_cast<std::int64_t>(cells.size()) > bounds::kMaxMatrixCells) {
      return bad("a matrix with too many cells");
    }
    if (!done() && !is_op("&") && !is_op("\\\\") && !is_command("end")) {
      return bad("a matrix cell is not understood");
    }
  }
  if (!end_row() || cells.empty()) {
    return bad("a matrix whose rows differ in length");
  }
  if (is_command("end")) {
    ++i_;
    raw_group();
  }
  const Id id = make(Kind::kMatrix, std::move(cells));
  if (id != kBad) {
    e_.nodes.back().columns = columns;
  }
  return id;
}

}  // namespace r1eval::parsing
