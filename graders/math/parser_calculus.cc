// Integrals, sums and products with bounds, limits.
#include "graders/math/parser_impl.h"

namespace r1eval::parsing {

// Nodes added since `from` that are this symbol get another name.
void Parser::rename_symbol(Id from, const std::string& name, const std::string& to) {
  for (auto k = static_cast<std::size_t>(from); k < e_.nodes.size(); ++k) {
    if (e_.nodes[k].kind == Kind::kSymbol && e_.nodes[k].text == name) {
      e_.nodes[k].text = to;
    }
  }
}

// \int_a^b f dx. The bound variable of a definite integral is renamed; an indefinite one keeps it.
Parser::Id Parser::integral() {
  Id lower = kBad;
  Id upper = kBad;
  for (int k = 0; k < 2; ++k) {
    const bool is_lower = is_op("_");
    if (!is_lower && !is_op("^")) {
      break;
    }
    ++i_;
    if (is_op("{") && is_op("}", 1)) {
      i_ += 2;
      continue;
    }
    const Id bound = argument();
    if (bound == kBad) {
      return kBad;
    }
    (is_lower ? lower : upper) = bound;
  }
  // The differential: "d" and a name beside it.
  std::size_t at = i_;
  int depth = 0;
  int found_depth = 0;
  bool found = false;
  for (; at + 1 < t_.size() && depth >= 0; ++at) {
    const std::string& text = t_[at].text;
    if (t_[at].kind == TokenKind::kOperator) {
      depth += text == "{" || text == "(" || text == "[" || text == "\\{"   ? 1
               : text == "}" || text == ")" || text == "]" || text == "\\}" ? -1
                                                                            : 0;
    }
    if (t_[at].kind == TokenKind::kLetter && text == "d" && !t_[at + 1].space_before &&
        (t_[at + 1].kind == TokenKind::kLetter ||
         (t_[at + 1].kind == TokenKind::kCommand && contains(kSymbolNames, t_[at + 1].text)))) {
      found = true;
      found_depth = depth;
      break;
    }
  }
  std::string variable = "x";
  if (found) {
    variable = t_[at + 1].text;
    const bool alone = at > 0 && is_op("{", at - 1 - i_) && at >= i_ + 1 && at + 2 < t_.size() &&
                       t_[at + 2].text == "}";
    if (found_depth == 0) {
      t_[at] = {TokenKind::kOperator, "d", false};
      t_.erase(t_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    } else if (alone) {
      t_[at] = {TokenKind::kNumber, "1", false};
      t_.erase(t_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    } else {
      t_.erase(t_.begin() + static_cast<std::ptrdiff_t>(at),
               t_.begin() + static_cast<std::ptrdiff_t>(at) + 2);
    }
  }
  const auto first = static_cast<Id>(e_.nodes.size());
  Id body = kBad;
  if (found && found_depth == 0) {
    body = is_op("d") ? number(Rational(Integer(1))) : sum();
    if (body != kBad && !accept("d")) {
      return bad("an integral's end is not understood");
    }
  } else {
    body = product();
  }
  if (body == kBad) {
    return kBad;
  }
  body = scalar(body);
  if (lower == kBad || upper == kBad) {
    const Id name = make(Kind::kSymbol, {}, variable);
    return name == kBad ? kBad : make(Kind::kFunction, {body, name}, "antiderivative");
  }
  rename_symbol(first, variable, "@" + std::to_string(bound_++));
  return make(Kind::kFunction, {body, lower, upper}, "integral");
}

// \sum_{k=a}^{b} and \prod: children body, from, to; the bound variable is "@N", N in columns.
Parser::Id Parser::repeated(const std::string& name) {
  Id lower = kBad;
  Id upper = kBad;
  for (int k = 0; k < 2; ++k) {
    const bool is_lower = is_op("_");
    if (!is_lower && !is_op("^")) {
      break;
    }
    ++i_;
    const Id bound = argument();
    if (bound == kBad) {
      return kBad;
    }
    (is_lower ? lower : upper) = bound;
  }
  const auto first = static_cast<Id>(e_.nodes.size());
  const bool outer = in_function_;
  in_function_ = false;
  Id body = product();
  in_function_ = outer;
  if (body == kBad) {
    return kBad;
  }
  body = scalar(body);
  std::vector<Id> children = {body};
  const int number_of_bound = bound_;
  if (lower != kBad) {
    const Node& from = e_.at(lower);
    if (from.kind == Kind::kRelation && from.text == "=" &&
        e_.at(from.children[0]).kind == Kind::kSymbol) {
      const std::string variable = e_.at(from.children[0]).text;
      lower = from.children[1];
      rename_symbol(first, variable, "@" + std::to_string(bound_++));
    } else if (from.kind == Kind::kRelation && from.text == "=" &&
               e_.at(from.children[0]).kind == Kind::kConstant &&
               e_.at(from.children[0]).text == "i") {
      lower = from.children[1];
      for (auto k = static_cast<std::size_t>(first); k < e_.nodes.size(); ++k) {
        if (e_.nodes[k].kind == Kind::kConstant && e_.nodes[k].text == "i") {
          e_.nodes[k].kind = Kind::kSymbol;
          e_.nodes[k].text = "@" + std::to_string(number_of_bound);
        }
      }
      ++bound_;
    }
    children.push_back(lower);
  }
  if (upper != kBad) {
    children.push_back(upper);
  }
  const Id id = make(Kind::kFunction, std::move(children), name);
  if (id != kBad) {
    e_.nodes.back().columns = bound_ > number_of_bound ? number_of_bound : -1;
  }
  return id;
}

// \lim_{x \to a} f
Parser::Id Parser::limit() {
  if (!accept("_") || !accept("{") ||
      !(is_kind(TokenKind::kLetter) ||
        (is_kind(TokenKind::kCommand) && contains(kSymbolNames, t_[i_].text)))) {
    return bad("a limit whose variable is not understood");
  }
  const std::string variable = t_[i_++].text;
  if (!is_command("to") && !is_command("rightarrow") && !is_command("Rightarrow") &&
      !is_command("longrightarrow") && !is_command("Longrightarrow")) {
    return bad("a limit whose variable is not understood");
  }
  ++i_;
  // One-sided: "3^+", "3^{-}", "3+"; the sign is taken off before the target is read.
  std::string side;
  std::size_t end = i_;
  for (int depth = 1; end < t_.size(); ++end) {
    depth += t_[end].text == "{" ? 1 : t_[end].text == "}" ? -1 : 0;
    if (depth == 0) {
      break;
    }
  }
  if (end >= t_.size()) {
    return bad("a limit's target is not understood");
  }
  const auto sign_at = [&](std::size_t k) {
    return k > i_ && k < t_.size() && (t_[k].text == "+" || t_[k].text == "-");
  };
  std::size_t cut = end;
  if (end >= 1 && t_[end - 1].text == "}" && sign_at(end - 2) && end >= 4 &&
      t_[end - 3].text == "{" && t_[end - 4].text == "^") {
    side = t_[end - 2].text;
    cut = end - 4;
  } else if (sign_at(end - 1)) {
    side = t_[end - 1].text;
    cut = t_[end - 2].text == "^" ? end - 2 : end - 1;
  }
  t_.erase(t_.begin() + static_cast<std::ptrdiff_t>(cut),
           t_.begin() + static_cast<std::ptrdiff_t>(end));
  const Id target = sum();
  if (target == kBad || !accept("}")) {
    return bad("a limit's target is not understood");
  }
  const auto first = static_cast<Id>(e_.nodes.size());
  const bool outer = in_function_;
  in_function_ = false;
  const Id body = product();
  in_function_ = outer;
  if (body == kBad) {
    return kBad;
  }
  rename_symbol(first, variable, "@" + std::to_string(bound_++));
  return make(Kind::kFunction, {body, target}, "limit" + side);
}

// \frac{d}{dx} f, and \frac{dy}{dx} as one name. Not a derivative: kBad, with nothing said.
Parser::Id Parser::derivative_operator() {
  const auto is_differential = [&](std::size_t k) {
    return k < t_.size() && (t_[k].text == "d" || t_[k].text == "partial") &&
           (t_[k].kind == TokenKind::kLetter || t_[k].kind == TokenKind::kCommand);
  };
  if (!is_op("{") || !is_differential(i_ + 1)) {
    return kBad;
  }
  const std::size_t top = i_ + 1;
  std::size_t middle = top;
  int depth = 1;
  for (; middle < t_.size() && depth > 0; ++middle) {
    depth += t_[middle].text == "{" ? 1 : t_[middle].text == "}" ? -1 : 0;
  }
  if (middle >= t_.size() || t_[middle].text != "{" || !is_differential(middle + 1) ||
      t_[middle + 1].text != t_[top].text) {
    return kBad;
  }
  std::size_t end = middle + 1;
  for (depth = 1; end < t_.size() && depth > 0; ++end) {
    depth += t_[end].text == "{" ? 1 : t_[end].text == "}" ? -1 : 0;
  }
  // d, a name, perhaps a power: "dx", "dx^2", "\partial x \partial y"
  if (depth != 0 || end < middle + 4 || t_[middle + 2].kind == TokenKind::kNumber ||
      t_[middle + 2].kind == TokenKind::kOperator) {
    return kBad;
  }
  std::string text;
  bool has_body = false;  // \frac{dy}{dx}
  for (std::size_t k = top; k < end - 1; ++k) {
    if (k == middle - 1) {
      text += '/';
      ++k;
      continue;
    }
    has_body = has_body || (k > top && k < middle && t_[k].kind != TokenKind::kOperator &&
                            t_[k].kind != TokenKind::kNumber);
    if (t_[k].text != "{" && t_[k].text != "}") {
      text += t_[k].text;
    }
  }
  const std::string variable = t_[middle + 2].text;
  const auto derivative_of = [&](Id body, const std::string& operation) {
    const Id name = body == kBad ? kBad : make(Kind::kSymbol, {}, variable);
    return name == kBad ? kBad : make(Kind::kFunction, {scalar(body), name}, operation);
  };
  // \frac{dy}{dx} and \frac{d(x^2)}{dx}: what is derived stands above.
  const bool is_letter_above = middle == top + 3 && is_kind(TokenKind::kLetter, top + 1 - i_);
  if (has_body && (is_letter_above || t_[top + 1].text == "(") && end == middle + 4) {
    i_ = top + 1;
    const Id body = primary();
    if (body != kBad && i_ + 1 == middle) {
      i_ = end;
      return derivative_of(body, t_[top].text + "/" + t_[top].text + variable);
    }
    why_.clear();
  }
  i_ = end;
  if (has_body || !(is_op("(") || is_op("[") || is_op("{") || starts_primary())) {
    return make(Kind::kSymbol, {}, text);
  }
  return derivative_of(product(), text);
}

// The complex conjugate: i becomes -i. Names stand for real numbers.
Parser::Id Parser::conjugate(Id id) {
  const Id copy = copy_of(id);
  if (copy == kBad) {
    return kBad;
  }
  std::vector<Id> open = {copy};
  while (!open.empty()) {
    const Id at = open.back();
    open.pop_back();
    const Node node = e_.at(at);
    if (node.kind == Kind::kConstant && node.text == "i") {
      const Id unit = make(Kind::kConstant, {}, "i");
      if (unit == kBad) {
        return kBad;
      }
      Node& negative = e_.nodes[static_cast<std::size_t>(at)];
      negative.kind = Kind::kNegative;
      negative.text.clear();
      negative.children = {unit};
    }
    open.insert(open.end(), node.children.begin(), node.children.end());
  }
  return copy;
}

}  // namespace r1eval::parsing
