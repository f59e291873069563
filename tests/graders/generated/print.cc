// Notation. Nothing printed here may have two readings: a slash below a slash, a number beside a
// number, a sign beside a sign get parentheses.
#include <array>

#include "tests/graders/generated/term.h"

namespace r1eval::generated {
namespace {

namespace mp = boost::multiprecision;

// What binds how tightly.
constexpr int kAddition = 0;
constexpr int kMultiplication = 1;
constexpr int kPowers = 2;  // may be a factor, may not be raised
constexpr int kAtom = 3;

struct Piece {
  std::string text;
  int binding = kAtom;
  bool starts_with_digit = false;
  bool is_number = false;    // a fraction after it would read as a mixed number
  bool is_fraction = false;  // \frac{…}{…}
  bool needs_sign = false;   // no factor beside it without a sign between
  bool is_open = false;      // "\sin x": what follows would join the argument
};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

class Printer {
 public:
  Printer(Random& random, bool is_latex) : random_(random), latex_(is_latex) {}

  std::string top(const TermPtr& t);
  std::string any(const TermPtr& t);

 private:
  Piece scalar(const TermPtr& t);
  Piece number(const Fraction& q, bool is_decimal);
  Piece product(const std::vector<TermPtr>& kids);
  Piece function(const Term& t);

  std::string space() {
    if (!random_.one_in(4)) {
      return random_.one_in(2) ? " " : "";
    }
    static const std::array<std::string, 4> kLatex = {"\\, ", " ", "\\; ", "~"};
    return latex_ ? random_.pick(kLatex) : " ";
  }

  std::string in_parentheses(const std::string& inner) {
    const int style = latex_ ? random_.between(0, 4) : 0;
    return style == 3   ? "\\left(" + inner + "\\right)"
           : style == 4 ? "\\bigl(" + inner + "\\bigr)"
                        : "(" + inner + ")";
  }

  std::string at_least(const Piece& piece, int binding) {
    return piece.binding < binding ? in_parentheses(piece.text) : piece.text;
  }

  std::string at_least(const TermPtr& t, int binding) { return at_least(scalar(t), binding); }

  std::string minus() { return random_.one_in(8) ? "−" : "-"; }

  std::string joined(const std::vector<TermPtr>& kids, const std::string& separator) {
    std::string out;
    for (const TermPtr& kid : kids) {
      out += (out.empty() ? "" : separator) + any(kid);
    }
    return out;
  }

  std::string fraction(const std::string& top, const std::string& bottom) {
    const int style = random_.between(0, 9);
    if (style == 0) {
      return "{" + top + " \\over " + bottom + "}";
    }
    const std::string name = style == 1 ? "\\dfrac" : style == 2 ? "\\tfrac" : "\\frac";
    const bool digits = top.size() == 1 && bottom.size() == 1 && top[0] >= '0' && top[0] <= '9' &&
                        bottom[0] >= '0' && bottom[0] <= '9';
    return digits && random_.one_in(3) ? name + top + bottom
                                       : name + "{" + top + "}{" + bottom + "}";
  }

  Random& random_;
  bool latex_;
  int bars_ = 0;
};

std::string digits_of(const Whole& n) {
  return n.str();
}

Piece Printer::number(const Fraction& q, bool is_decimal) {
  Piece piece;
  piece.starts_with_digit = true;
  piece.is_number = true;
  if (q < 0) {
    piece = number(-q, is_decimal);
    piece.text = minus() + at_least(piece, kMultiplication);
    piece.binding = kAddition;
    return piece;
  }
  const Whole top = mp::numerator(q);
  const Whole bottom = mp::denominator(q);
  if (is_decimal) {
    int places = 0;
    Whole scale = 1;
    while ((top * scale) % bottom != 0) {
      scale *= 10;
      ++places;
    }
    std::string all = digits_of(top * scale / bottom);
    while (static_cast<int>(all.size()) <= places) {
      all.insert(all.begin(), '0');
    }
    const std::size_t point = all.size() - static_cast<std::size_t>(places);
    piece.text = all.substr(0, point) + "." + all.substr(point);
    if (places == 0) {
      piece.text += "0";
    } else if (random_.one_in(5)) {
      piece.text += "0";
    }
    return piece;
  }
  if (bottom == 1) {
    piece.text = digits_of(top);
    if (top >= 1000 && random_.one_in(3)) {
      static const std::array<std::string, 3> kGroups = {"{,}", ",\\!", "\\,"};
      const std::string separator = random_.pick(kGroups);
      for (std::size_t k = piece.text.size(); k > 3;) {
        k -= 3;
        piece.text.insert(k, separator);
      }
    }
    return piece;
  }
  // A repeating decimal, where the period is short and begins at the point.
  if (random_.one_in(10)) {
    Whole nines = 9;
    int period = 1;
    while (period <= 6 && nines % bottom != 0) {
      nines = nines * 10 + 9;
      ++period;
    }
    if (period <= 6) {
      std::string tail = digits_of((top % bottom) * (nines / bottom));
      while (static_cast<int>(tail.size()) < period) {
        tail.insert(tail.begin(), '0');
      }
      piece.text = digits_of(top / bottom) + ".\\overline{" + tail + "}";
      piece.binding = kPowers;
      return piece;
    }
  }
  if (top > bottom && top < 100 * bottom && random_.one_in(4)) {
    const std::string whole = digits_of(top / bottom);
    const std::string rest = digits_of(top % bottom);
    piece.text = latex_ ? whole + fraction(rest, digits_of(bottom))
                        : whole + " " + rest + "/" + digits_of(bottom);
    piece.binding = kAddition;
    return piece;
  }
  if (latex_ && !random_.one_in(5)) {
    piece.text = fraction(digits_of(top), digits_of(bottom));
    piece.starts_with_digit = false;
    piece.is_fraction = true;
    piece.binding = kPowers;
    return piece;
  }
  piece.text = digits_of(top) + "/" + digits_of(bottom);
  piece.binding = kAddition;
  return piece;
}

Piece Printer::product(const std::vector<TermPtr>& kids) {
  std::vector<Piece> pieces;
  for (std::size_t k = 0; k < kids.size(); ++k) {
    Piece piece = scalar(kids[k]);
    if (piece.binding < kPowers || (piece.is_open && k + 1 < kids.size())) {
      piece = Piece();
      piece.text = in_parentheses(scalar(kids[k]).text);
    }
    pieces.push_back(std::move(piece));
  }
  Piece out;
  out.binding = kMultiplication;
  for (std::size_t k = 0; k < pieces.size(); ++k) {
    const Piece& next = pieces[k];
    if (k == 0) {
      out.text = next.text;
      continue;
    }
    const Piece& before = pieces[k - 1];
    const bool may_touch = !next.starts_with_digit && !next.needs_sign && !before.needs_sign &&
                           !(before.is_number && next.is_fraction);
    if (may_touch && random_.one_in(2)) {
      const bool letters = is_letter(next.text[0]) && is_letter(out.text.back());
      out.text += (letters ? " " : "") + next.text;
      continue;
    }
    static const std::array<std::string, 3> kLatex = {" \\cdot ", " \\times ", "\\cdot "};
    static const std::array<std::string, 3> kPlain = {"*", " * ", "·"};
    out.text += (latex_ ? random_.pick(kLatex) : random_.pick(kPlain)) + next.text;
  }
  out.starts_with_digit = pieces[0].starts_with_digit;
  out.needs_sign = true;
  out.is_open = pieces.back().is_open;
  return out;
}

Piece Printer::function(const Term& t) {
  Piece piece;
  const std::string& f = t.text;
  piece.binding = kPowers;
  piece.needs_sign = true;
  if (f == "factorial") {
    piece.text = at_least(t.kids[0], kAtom) + "!";
    piece.starts_with_digit = true;
    return piece;
  }
  if (f == "binomial") {
    piece.text = "\\binom{" + scalar(t.kids[0]).text + "}{" + scalar(t.kids[1]).text + "}";
    return piece;
  }
  if (f == "abs") {
    ++bars_;
    const std::string inner = scalar(t.kids[0]).text;
    --bars_;
    const bool nested = bars_ > 0 || inner.find('|') != std::string::npos ||
                        inner.find("vert") != std::string::npos;
    piece.text = nested || !latex_   ? "abs(" + inner + ")"
                 : random_.one_in(2) ? "\\left|" + inner + "\\right|"
                                     : "\\lvert " + inner + " \\rvert";
    if (nested && latex_) {
      piece.text = "\\left\\lvert " + inner + "\\right\\rvert ";
    }
    return piece;
  }
  if (f == "exp" && random_.one_in(2)) {
    piece.text =
        latex_ ? "e^{" + scalar(t.kids[0]).text + "}" : "e^(" + scalar(t.kids[0]).text + ")";
    return piece;
  }
  const std::string name = latex_ ? "\\" + f : f;
  if (f == "log") {
    const std::string base = scalar(t.kids[1]).text;
    piece.text = name + "_" + (base.size() == 1 ? base : "{" + base + "}") +
                 in_parentheses(scalar(t.kids[0]).text);
    return piece;
  }
  const Term& argument = *t.kids[0];
  if (latex_ && argument.op == Op::kSymbol && random_.one_in(2)) {
    piece.text = name + " " + argument.text;
    piece.is_open = true;
    return piece;
  }
  piece.text = name + in_parentheses(scalar(t.kids[0]).text);
  return piece;
}

Piece Printer::scalar(const TermPtr& t) {
  Piece piece;
  switch (t->op) {
    case Op::kNumber:
      return number(t->value, t->is_decimal);
    case Op::kConstant:
      if (t->text == "e") {
        piece.text = latex_ && random_.one_in(4) ? "\\mathrm{e}" : "e";
      } else {
        piece.text = latex_ ? "\\pi " : random_.one_in(2) ? "π" : "pi";
        piece.needs_sign = piece.text == "pi";
      }
      return piece;
    case Op::kSymbol:
      piece.text = t->text;
      return piece;
    case Op::kSum: {
      for (std::size_t k = 0; k < t->kids.size(); ++k) {
        const Term& kid = *t->kids[k];
        const bool is_minus = kid.op == Op::kNegative || (kid.op == Op::kNumber && kid.value < 0);
        if (k == 0) {
          piece.text = is_minus ? scalar(t->kids[k]).text : at_least(t->kids[k], kMultiplication);
          continue;
        }
        std::string term;
        if (kid.op == Op::kNegative) {
          term = at_least(kid.kids[0], kMultiplication);
        } else if (is_minus) {
          term = at_least(number(-kid.value, kid.is_decimal), kMultiplication);
        } else {
          term = at_least(t->kids[k], kMultiplication);
        }
        piece.text += space() + (is_minus ? minus() : "+") + space() + term;
      }
      piece.binding = kAddition;
      return piece;
    }
    case Op::kProduct:
      return product(t->kids);
    case Op::kQuotient:
      if (latex_ && !random_.one_in(5)) {
        piece.text = fraction(scalar(t->kids[0]).text, scalar(t->kids[1]).text);
        piece.binding = kPowers;
        piece.is_fraction = true;
        return piece;
      } else {
        const Piece top = scalar(t->kids[0]);
        const Piece bottom = scalar(t->kids[1]);
        const bool simple = bottom.binding >= kPowers && !bottom.is_fraction;
        piece.text =
            (top.binding < kPowers || top.is_open || top.is_fraction ? in_parentheses(top.text)
                                                                     : top.text) +
            (random_.one_in(3) ? " / " : "/") +
            (simple ? bottom.text : in_parentheses(bottom.text));
        piece.binding = kAddition;
        piece.is_open = bottom.is_open;
        return piece;
      }
    case Op::kNegative:
      piece.text = minus() + at_least(t->kids[0], kMultiplication);
      piece.binding = kAddition;
      return piece;
    case Op::kPower: {
      const Term& base = *t->kids[0];
      const Term& exponent = *t->kids[1];
      const std::string upper = scalar(t->kids[1]).text;
      const bool short_exponent = upper.size() == 1;
      const std::string raised = short_exponent ? "^" + upper
                                 : latex_       ? "^{" + upper + "}"
                                                : "^(" + upper + ")";
      const bool is_trig = base.op == Op::kFunction &&
                           (base.text == "sin" || base.text == "cos" || base.text == "tan");
      if (is_trig && latex_ && short_exponent && exponent.op == Op::kNumber && random_.one_in(2)) {
        piece.text = "\\" + base.text + raised + in_parentheses(scalar(base.kids[0]).text);
        piece.needs_sign = true;
      } else {
        const Piece below = scalar(t->kids[0]);
        piece.text =
            (below.binding < kAtom || below.is_open ? in_parentheses(below.text) : below.text) +
            raised;
        piece.starts_with_digit = below.binding == kAtom && below.starts_with_digit;
      }
      piece.binding = kPowers;
      return piece;
    }
    case Op::kRoot: {
      const std::string inner = scalar(t->kids[0]).text;
      const std::string degree = digits_of(mp::numerator(t->value));
      piece.binding = kPowers;
      if (t->value == 2) {
        const bool digit = inner.size() == 1 && inner[0] >= '0' && inner[0] <= '9';
        piece.text = !latex_                      ? "sqrt(" + inner + ")"
                     : digit && random_.one_in(3) ? "\\sqrt" + inner
                                                  : "\\sqrt{" + inner + "}";
        piece.needs_sign = !latex_ || piece.text.back() != '}';
      } else {
        piece.text = "\\sqrt[" + degree + "]{" + inner + "}";
      }
      return piece;
    }
    case Op::kFunction:
      return function(*t);
    default:
      return piece;
  }
}

std::string Printer::any(const TermPtr& t) {
  switch (t->op) {
    case Op::kSet: {
      const std::string inner = joined(t->kids, random_.one_in(4) ? "," : ", ");
      return !latex_             ? "{" + inner + "}"
             : random_.one_in(3) ? "\\left\\{" + inner + "\\right\\}"
                                 : "\\{" + inner + "\\}";
    }
    case Op::kList: {
      const std::string last = latex_              ? (random_.one_in(2) ? " \\text{ and } " : ", ")
                               : random_.one_in(2) ? " and "
                                                   : ", ";
      std::string out = any(t->kids[0]);
      for (std::size_t k = 1; k < t->kids.size(); ++k) {
        out += (k + 1 == t->kids.size() ? last : ", ") + any(t->kids[k]);
      }
      return out;
    }
    case Op::kTuple:
      return in_parentheses(joined(t->kids, ", "));
    case Op::kInterval: {
      const std::string lower = t->kids[0] ? any(t->kids[0]) : "-\\infty";
      const std::string upper = t->kids[1] ? any(t->kids[1]) : latex_ ? "\\infty" : "∞";
      const std::string open(1, t->text[0]);
      const std::string close(1, t->text[1]);
      return latex_ && random_.one_in(3)
                 ? "\\left" + open + lower + ", " + upper + "\\right" + close
                 : open + lower + ", " + upper + close;
    }
    case Op::kUnion:
      return joined(t->kids, latex_ ? " \\cup " : " ∪ ");
    case Op::kMatrix: {
      const std::string name = random_.one_in(2) ? "pmatrix" : "bmatrix";
      std::string out = "\\begin{" + name + "}";
      for (std::size_t k = 0; k < t->kids.size(); ++k) {
        const bool first = k % static_cast<std::size_t>(t->columns) == 0;
        out += (k == 0 ? "" : first ? " \\\\ " : " & ") + any(t->kids[k]);
      }
      return out + "\\end{" + name + "}";
    }
    case Op::kRelation:
    case Op::kChain: {
      std::string out = any(t->kids[0]);
      for (std::size_t k = 0; k < t->text.size(); ++k) {
        const char op = t->text[k];
        const bool less = op == 'l';
        std::string sign(1, op);
        if (op == 'l' || op == 'g') {
          const int style = random_.between(0, 2);
          sign = style == 0   ? (less ? "≤" : "≥")
                 : !latex_    ? (less ? "<=" : ">=")
                 : style == 1 ? (less ? "\\le " : "\\ge ")
                              : (less ? "\\leq " : "\\geq ");
        } else if (latex_ && op != '=' && random_.one_in(4)) {
          sign = op == '<' ? "\\lt " : "\\gt ";
        }
        out += " " + sign + " " + any(t->kids[k + 1]);
      }
      return out;
    }
    default:
      return scalar(t).text;
  }
}

std::string Printer::top(const TermPtr& t) {
  if (t->op == Op::kNumber && !latex_ && is_integer(t->value) && !t->is_decimal &&
      abs(t->value) >= 1000 && random_.one_in(2)) {
    std::string text = digits_of(mp::numerator(t->value));  // 1,234 stands alone only
    for (std::size_t k = text.size(); k > (t->value < 0 ? 4U : 3U);) {
      k -= 3;
      text.insert(k, ",");
    }
    return text;
  }
  if (t->op == Op::kNumber && random_.one_in(12)) {
    const Fraction hundredfold = t->value * 100;
    if (is_integer(hundredfold)) {
      return digits_of(mp::numerator(hundredfold)) + (latex_ ? "\\%" : "%");
    }
  }
  return any(t);
}

}  // namespace

std::string print(const TermPtr& t, Random& random) {
  const bool latex = !random.one_in(4);
  const std::string text = Printer(random, latex).top(t);
  switch (latex ? random.between(0, 9) : 0) {
    case 1:
    case 2:
      return "$" + text + "$";
    case 3:
      return "\\boxed{" + text + "}";
    case 4:
      return "\\(" + text + "\\)";
    case 5:
      return "$$ " + text + " $$";
    case 6:
      return "$\\boxed{" + text + "}$";
    default:
      return text;
  }
}

}  // namespace r1eval::generated
