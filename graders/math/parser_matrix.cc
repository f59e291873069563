// Matrices: their environments, and their sums and products carried out.
#include <fmt/format.h>

#include "graders/math/exact.h"
#include "graders/math/parser.h"
#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

// Square brackets and braces around one value, used as parentheses in arithmetic.
Parser::Id Parser::scalar(Id id) const {
  const Node& n = e_.at(id);
  const bool is_bracket =
      (n.kind == Kind::kTuple || n.kind == Kind::kSet) && n.children.size() == 1;
  return is_bracket ? n.children[0] : id;
}

// Cells of products share their factors, so a tree with few nodes may stand for a huge expression:
// the number of nodes when every use is counted, up to a limit.
std::int64_t Parser::unfolded_size(Id id) {
  if (sizes_.size() < e_.nodes.size()) {
    sizes_.resize(e_.nodes.size(), 0);
  }
  std::int64_t& known = sizes_[static_cast<std::size_t>(id)];
  if (known == 0) {
    std::int64_t size = 1;
    for (const Id kid : std::vector<Id>(e_.at(id).children)) {
      size = std::min(bounds::kMaxUnfolded + 1, size + unfolded_size(kid));
    }
    sizes_[static_cast<std::size_t>(id)] = size;
    return size;
  }
  return known;
}

// Products and sums of matrices are carried out, so that only entries are left to compare.
Parser::Id Parser::multiply(Id a, Id b) {
  a = scalar(a);
  b = scalar(b);
  if (a == kBad || b == kBad) {
    return kBad;
  }
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
    if (unfolded_size(id) > bounds::kMaxUnfolded) {
      return bad("a product of matrices that is too large");
    }
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

// By the first row; every cell is copied, so that the limit on nodes bounds the work.
Parser::Id Parser::determinant(Id matrix) {
  const Node m = e_.at(matrix);
  const auto n = static_cast<std::size_t>(m.columns);
  if (n * n != m.children.size() || n > 5) {
    return bad("a determinant of a matrix that is not square, or too large");
  }
  if (n == 1) {
    return copy_of(m.children[0]);
  }
  std::vector<Id> terms;
  for (std::size_t c = 0; c < n; ++c) {
    Node minor;
    minor.kind = Kind::kMatrix;
    minor.columns = static_cast<std::int32_t>(n - 1);
    for (std::size_t k = n; k < n * n; ++k) {
      if (k % n != c) {
        minor.children.push_back(m.children[k]);
      }
    }
    const Id inner = determinant(e_.add(std::move(minor)));
    const Id cell = inner == kBad ? kBad : copy_of(m.children[c]);
    Id term = cell == kBad ? kBad : make(Kind::kProduct, {cell, inner});
    if (term != kBad && c % 2 == 1) {
      term = make(Kind::kNegative, {term});
    }
    if (term == kBad) {
      return kBad;
    }
    terms.push_back(term);
  }
  return make(Kind::kSum, std::move(terms));
}

// A^n by repeated products, A^{-n} by the adjugate. Cells with rational values are folded.
Parser::Id Parser::matrix_power(Id base, std::int64_t exponent) {
  const Node m = e_.at(base);
  const auto n = static_cast<std::size_t>(m.columns);
  if (n * n != m.children.size() || n > 4 || exponent > 1000 || exponent < -1000) {
    return bad("a power of a matrix that is not judged");
  }
  const auto fold = [&](Id id) {
    for (std::size_t k = 0; k < n * n && id != kBad; ++k) {
      const Id cell = e_.at(id).children[k];
      if (const auto exact = exact_value(e_, cell); exact && e_.at(cell).kind != Kind::kNumber) {
        const Id folded = number(*exact);
        if (folded == kBad) {
          return kBad;
        }
        e_.nodes[static_cast<std::size_t>(id)].children[k] = folded;
      }
    }
    return id;
  };
  if (exponent < 0) {
    const Id det = determinant(base);
    if (det == kBad) {
      return kBad;
    }
    Node inverse;
    inverse.kind = Kind::kMatrix;
    inverse.columns = m.columns;
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t c = 0; c < n; ++c) {
        // the minor without row c and column r
        Node minor;
        minor.kind = Kind::kMatrix;
        minor.columns = static_cast<std::int32_t>(n - 1);
        for (std::size_t k = 0; k < n * n; ++k) {
          if (k / n != c && k % n != r) {
            minor.children.push_back(m.children[k]);
          }
        }
        Id top = n == 1 ? number(Rational(Integer(1))) : determinant(e_.add(std::move(minor)));
        if (top != kBad && (r + c) % 2 == 1) {
          top = make(Kind::kNegative, {top});
        }
        const Id below = top == kBad ? kBad : copy_of(det);
        const Id cell = below == kBad ? kBad : make(Kind::kQuotient, {top, below});
        if (cell == kBad) {
          return kBad;
        }
        inverse.children.push_back(cell);
      }
    }
    base = fold(e_.add(std::move(inverse)));
    exponent = -exponent;
  }
  Id result = kBad;
  for (; base != kBad; exponent >>= 1) {
    if ((exponent & 1) != 0) {
      result = result == kBad ? base : fold(multiply(result, base));
      if (result == kBad) {
        return kBad;
      }
    }
    if (exponent <= 1) {
      break;
    }
    base = fold(multiply(base, base));
  }
  if (result == kBad && base != kBad) {  // A^0
    Node unit;
    unit.kind = Kind::kMatrix;
    unit.columns = m.columns;
    for (std::size_t k = 0; k < n * n; ++k) {
      const Id cell = number(Rational(Integer(k % (n + 1) == 0 ? 1 : 0)));
      if (cell == kBad) {
        return kBad;
      }
      unit.children.push_back(cell);
    }
    return e_.add(std::move(unit));
  }
  return result;
}

// cases, aligned and their like: each row is one answer of a list; "&" only aligns.
Parser::Id Parser::environment_rows(const std::string& name) {
  std::vector<Id> rows;
  bool are_cases = false;
  while (!done() && !is_command("end")) {
    if (accept("\\\\") || accept("&") || accept(",") || accept(";")) {
      continue;
    }
    if (is_kind(TokenKind::kText) || is_kind(TokenKind::kWord)) {
      return bad("words in rows of equations");
    }
    // Tokens of one row without its alignment marks
    std::size_t end = i_;
    int depth = 0;
    for (; end < t_.size(); ++end) {
      const std::string& text = t_[end].text;
      depth += text == "begin" ? 1 : 0;
      if (depth == 0 && (text == "\\\\" || text == "end")) {
        break;
      }
      depth -= text == "end" ? 1 : 0;
      if (depth == 0 && text == "&" && name != "cases") {
        t_.erase(t_.begin() + static_cast<std::ptrdiff_t>(end));
        --end;
      }
    }
    Id row = relation();
    if (row == kBad) {
      return kBad;
    }
    accept(",");
    if (accept("&")) {
      // value & condition
      Id condition = kBad;
      while (is_kind(TokenKind::kText) || is_kind(TokenKind::kWord)) {
        const std::string words = fold_words(t_[i_++].text);
        if (words == "otherwise" || words == "else") {
          condition = make(Kind::kText, {}, "otherwise");
        }
      }
      if (condition == kBad && (condition = relation()) == kBad) {
        return kBad;
      }
      row = make(Kind::kTuple, {row, condition}, "()");
      are_cases = true;
      if (row == kBad) {
        return kBad;
      }
    }
    rows.push_back(row);
    if (static_cast<std::int64_t>(rows.size()) > bounds::kMaxSetMembers) {
      return bad("too many rows");
    }
  }
  if (is_command("end")) {
    ++i_;
    raw_group();
  }
  if (rows.empty()) {
    return bad("an environment without rows");
  }
  if (are_cases) {
    return make(Kind::kSet, std::move(rows));
  }
  return rows.size() == 1 ? rows[0] : make(Kind::kList, std::move(rows), ",");
}

Parser::Id Parser::matrix() {
  ++i_;  // begin
  std::string name = raw_group();
  if (name == "array") {
    if (is_op("{")) {
      raw_group();
    }
  } else if (name == "cases" || name == "aligned" || name == "align" || name == "align*" ||
             name == "gathered" || name == "split" || name == "equation" || name == "rcases") {
    return environment_rows(name);
  } else if (name != "pmatrix" && name != "bmatrix" && name != "matrix" && name != "smallmatrix" &&
             name != "Bmatrix" && name != "vmatrix") {
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
    if (accept("&") || accept(",") || is_command("hline")) {
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
    if (!done() && !is_op("&") && !is_op(",") && !is_op("\\\\") && !is_command("end")) {
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
  // \begin{array}{l} x = 1 \\ y = 2 \end{array} are two equations.
  const bool are_relations = std::all_of(
      cells.begin(), cells.end(), [&](Id cell) { return e_.at(cell).kind == Kind::kRelation; });
  if (are_relations && columns == 1) {
    return cells.size() == 1 ? cells[0] : make(Kind::kList, std::move(cells), ",");
  }
  const Id id = make(Kind::kMatrix, std::move(cells));
  if (id != kBad) {
    e_.nodes.back().columns = columns;
  }
  return id != kBad && name == "vmatrix" ? determinant(id) : id;
}

}  // namespace r1eval::parsing
