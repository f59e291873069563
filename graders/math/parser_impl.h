// The parser's state and grammar, shared by the files that implement it: parser.cc (whole answers),
// parser_relations.cc, parser_products.cc (sums and products), parser_powers.cc (what follows a
// value), parser_values.cc (values and brackets), parser_commands.cc and parser_functions.cc,
// parser_calculus.cc (integrals, sums with bounds, limits), parser_matrix.cc, parser_gcd.cc,
// parser_units.cc.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "graders/bounds.h"
#include "graders/math/expression.h"
#include "graders/math/function_names.h"
#include "graders/math/lexer.h"

namespace r1eval::parsing {

inline constexpr std::array<std::string_view, 34> kSymbolNames = {
    "alpha",    "beta",    "gamma", "delta",  "epsilon", "varepsilon", "zeta",  "eta",   "theta",
    "vartheta", "iota",    "kappa", "lambda", "mu",      "nu",         "xi",    "rho",   "sigma",
    "tau",      "upsilon", "phi",   "varphi", "chi",     "psi",        "omega", "Gamma", "Delta",
    "Theta",    "Lambda",  "Sigma", "Phi",    "Psi",     "Omega",      "ell"};

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

inline bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct Factors;

// Recursive descent; one object reads one answer.
class Parser {
 public:
  Parser(std::vector<Token> tokens, bool signs_end_arguments)
      : t_(std::move(tokens)), signs_end_arguments_(signs_end_arguments) {}

  Result<Expression> run();

 private:
  using Id = std::int32_t;
  static constexpr Id kBad = -1;

  // --- tokens
  bool done() const { return i_ >= t_.size(); }

  bool is_op(std::string_view text, std::size_t k = 0) const {
    return i_ + k < t_.size() && t_[i_ + k].kind == TokenKind::kOperator && t_[i_ + k].text == text;
  }

  bool is_command(std::string_view text, std::size_t k = 0) const {
    return i_ + k < t_.size() && t_[i_ + k].kind == TokenKind::kCommand && t_[i_ + k].text == text;
  }

  bool is_kind(TokenKind kind, std::size_t k = 0) const {
    return i_ + k < t_.size() && t_[i_ + k].kind == kind;
  }

  // A function's name; "@" marks one that is only known by its name.
  bool is_function(std::size_t k = 0) const {
    return is_kind(TokenKind::kCommand, k) &&
           (!function_named(t_[i_ + k].text).empty() || t_[i_ + k].text.starts_with('@'));
  }

  bool accept(std::string_view op) {
    if (is_op(op)) {
      ++i_;
      return true;
    }
    return false;
  }

  Id bad(std::string why) {
    if (why_.empty()) {
      why_ = std::move(why);
    }
    return kBad;
  }

  Id make(Kind kind, std::vector<Id> children = {}, std::string text = "") {
    if (static_cast<std::int64_t>(e_.nodes.size()) >= bounds::kMaxNodes) {
      return bad("the expression has too many parts");
    }
    if (kind == Kind::kFunction && children.empty()) {  // "\\max\\{\\}"
      return bad("a function has no argument");
    }
    Node node;
    node.kind = kind;
    node.children = std::move(children);
    node.text = std::move(text);
    return e_.add(std::move(node));
  }

  Id number(Rational value, bool is_decimal = false) {
    const Id id = make(Kind::kNumber);
    if (id != kBad) {
      e_.nodes.back().value = std::move(value);
      e_.nodes.back().is_decimal = is_decimal;
    }
    return id;
  }

  // --- grammar, loosest first
  Id answers();
  Id named_application();
  bool ends_argument(Id left) const;
  bool bar_opens() const;
  Id relation();
  Id set_expression();
  Id sum();
  Id product();
  Id unary();
  Id powers();
  Id primary();
  Id letter(std::string name);
  Id command();
  Id brackets();
  Id matrix();
  Id group();
  Id argument();
  Id function(std::string name);
  bool arguments_of(const std::string& name, std::vector<Id>& arguments);
  Id apply(const std::string& name, std::vector<Id> arguments);
  Id elementary(const std::string& name, Id x);
  Id copy_of(Id id);
  std::int64_t unfolded_size(Id id);
  Id matrix_power(Id base, std::int64_t exponent);
  Id determinant(Id matrix);
  Id derivative_operator();
  Id conjugate(Id id);
  Id set_builder(std::size_t bar, std::size_t end);
  std::size_t builder_bar(std::size_t& end) const;
  Id environment_rows(const std::string& name);
  Id separated_words();
  Id integral();
  Id repeated(const std::string& name);
  Id limit();
  Id reduce_gcd(bool is_lcm, const std::vector<Id>& arguments);
  bool split_factors(Id id, int exponent, Factors& out, int depth);
  std::string serial(Id id) const;
  Id multiply(Id a, Id b);
  Id add_terms(Id a, Id b);
  Id scalar(Id id) const;
  void rename_symbol(Id from, const std::string& name, const std::string& to);
  bool is_modulo() const;
  bool is_fraction_next() const;
  std::string relation_operator();
  bool starts_primary() const;
  bool is_grouping_bracket() const;
  bool at_separator();
  bool is_word(std::size_t k) const;
  bool unit_follows() const;
  bool joins_answers(std::size_t at) const;
  bool qualifier_follows() const;
  bool unit_in_brackets() const;
  bool unit_is_and() const;
  Id with_unit(Id value);
  Id mixed_number(Id integer, Id fraction);
  Id mixed_in_line(Id integer);
  Id quotient(Id top, Id bottom);
  void skip_introduction();
  std::optional<Expression> whole_in_base();
  std::string raw_group();

  std::vector<Token> t_;
  bool signs_end_arguments_ = false;
  std::size_t i_ = 0;
  Expression e_;
  std::string why_;
  std::int64_t depth_ = 0;
  std::vector<std::int64_t> sizes_;  // unfolded_size's memory
  int bars_ = 0;
  std::size_t bar_open_at_ = static_cast<std::size_t>(-1);  // the last bar that opened
  int bound_ = 0;  // bound variables so far: each gets a name of its own, so that renaming agrees
  bool in_function_ = false;
};

}  // namespace r1eval::parsing
