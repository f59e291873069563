#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>

#include "engine/model/jinja_ast.h"

namespace r1eval::jinja {
namespace {

constexpr int kDeepest = 100;

enum class TokenKind {
  kText,
  kPrintOpen,
  kPrintClose,
  kBlockOpen,
  kBlockClose,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  int line = 1;
};

Error syntax(int line, std::string_view text) {
  return fail(ErrorCode::kParse, fmt::format("line {}: {}", line, text));
}

// ---- lexer --------------------------------------------------------------------------------------

class Lexer {
 public:
  explicit Lexer(std::string_view source) : s_(source) {}

  Result<std::vector<Token>> run() {
    // A single newline at the very end of a template is dropped, as Jinja does.
    if (s_.ends_with('\n')) {
      s_.remove_suffix(1);
    }
    while (at_ < s_.size()) {
      R1_RETURN_IF_ERROR(text_then_tag());
    }
    push(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  void push(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  void advance(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      line_ += s_[at_ + i] == '\n' ? 1 : 0;
    }
    at_ += n;
  }

  Status text_then_tag() {
    std::size_t open = at_;
    while (open < s_.size() &&
           !(s_[open] == '{' && open + 1 < s_.size() &&
             (s_[open + 1] == '{' || s_[open + 1] == '%' || s_[open + 1] == '#'))) {
      ++open;
    }
    std::string text(s_.substr(at_, open - at_));
    const bool at_end = open >= s_.size();
    const char kind = at_end ? '\0' : s_[open + 1];
    const char control = open + 2 < s_.size() ? s_[open + 2] : '\0';
    if (strip_next_) {
      text.erase(0, std::min(text.find_first_not_of(" \t\r\n\f\v"), text.size()));
    } else if (trim_newline_ && !text.empty()) {
      text.erase(0, text.starts_with("\r\n") ? 2 : (text.front() == '\n' ? 1 : 0));
    }
    if (!at_end && control == '-') {
      const std::size_t last = text.find_last_not_of(" \t\r\n\f\v");
      text.erase(last == std::string::npos ? 0 : last + 1);
    } else if (!at_end && kind != '{' && control != '+') {
      // lstrip_blocks: white space between the line's start and a block goes.
      const std::size_t newline = text.find_last_of('\n');
      const std::size_t line_start = newline == std::string::npos ? 0 : newline + 1;
      const bool starts_line = newline != std::string::npos || at_ == 0 ||
                               (at_ > 0 && s_[at_ - 1] == '\n') || trim_newline_at_line_start_;
      if (starts_line && text.find_first_not_of(" \t", line_start) == std::string::npos) {
        text.erase(line_start);
      }
    }
    if (!text.empty()) {
      push(TokenKind::kText, std::move(text));
    }
    advance(open - at_);
    if (at_end) {
      return ok_status();
    }
    return tag(kind);
  }

  void after_tag(char kind, char control) {
    strip_next_ = control == '-';
    trim_newline_ = kind != '{' && control != '+';
    trim_newline_at_line_start_ = trim_newline_ && at_ < s_.size() && s_[at_] == '\n';
  }

  Status tag(char kind) {
    const int opened = line_;
    advance(2);
    if (at_ < s_.size() && (s_[at_] == '-' || s_[at_] == '+')) {
      advance(1);
    }
    if (kind == '#') {
      const std::size_t end = s_.find("#}", at_);
      if (end == std::string_view::npos) {
        return syntax(opened, "a comment is never closed");
      }
      const char control = end > at_ ? s_[end - 1] : '\0';
      advance(end + 2 - at_);
      after_tag(kind, control == '-' || control == '+' ? control : '\0');
      return ok_status();
    }
    push(kind == '{' ? TokenKind::kPrintOpen : TokenKind::kBlockOpen, "");
    const char close = kind == '{' ? '}' : '%';
    int depth = 0;
    for (;;) {
      while (at_ < s_.size() && std::isspace(static_cast<unsigned char>(s_[at_])) != 0) {
        advance(1);
      }
      if (at_ >= s_.size()) {
        return syntax(opened, kind == '{' ? "'{{' is never closed" : "'{%' is never closed");
      }
      const std::string_view left = s_.substr(at_);
      const bool signed_close = left.size() >= 3 && (left[0] == '-' || left[0] == '+') &&
                                left[1] == close && left[2] == '}';
      if (depth == 0 &&
          (signed_close || (left.size() >= 2 && left[0] == close && left[1] == '}'))) {
        const char control = signed_close ? left[0] : '\0';
        push(kind == '{' ? TokenKind::kPrintClose : TokenKind::kBlockClose, "");
        advance(signed_close ? 3 : 2);
        after_tag(kind, control);
        return ok_status();
      }
      R1_RETURN_IF_ERROR(token(depth));
    }
  }

  Status token(int& depth) {
    const char c = s_[at_];
    if (c == '\'' || c == '"') {
      return string(c);
    }
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      std::size_t end = at_;
      bool is_float = false;
      while (end < s_.size() && (std::isdigit(static_cast<unsigned char>(s_[end])) != 0 ||
                                 (s_[end] == '.' && end + 1 < s_.size() && !is_float &&
                                  std::isdigit(static_cast<unsigned char>(s_[end + 1])) != 0) ||
                                 s_[end] == '_')) {
        is_float = is_float || s_[end] == '.';
        ++end;
      }
      std::string text(s_.substr(at_, end - at_));
      text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
      push(is_float ? TokenKind::kFloat : TokenKind::kInteger, std::move(text));
      advance(end - at_);
      return ok_status();
    }
    if (std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_') {
      std::size_t end = at_;
      while (end < s_.size() &&
             (std::isalnum(static_cast<unsigned char>(s_[end])) != 0 || s_[end] == '_')) {
        ++end;
      }
      push(TokenKind::kName, std::string(s_.substr(at_, end - at_)));
      advance(end - at_);
      return ok_status();
    }
    static constexpr std::array<std::string_view, 7> kTwo = {
        "==", "!=", "<=", ">=", "//", "**", "||"};
    for (const std::string_view two : kTwo) {
      if (s_.substr(at_).starts_with(two)) {
        push(TokenKind::kOperator, std::string(two));
        advance(2);
        return ok_status();
      }
    }
    if (std::string_view("+-*/%~<>=()[]{},.:|").find(c) == std::string_view::npos) {
      return syntax(line_, fmt::format("'{}' has no meaning here", c));
    }
    depth += (c == '(' || c == '[' || c == '{') ? 1 : 0;
    depth -= (c == ')' || c == ']' || c == '}') ? 1 : 0;
    push(TokenKind::kOperator, std::string(1, c));
    advance(1);
    return ok_status();
  }

  Status string(char quote) {
    const int opened = line_;
    std::string text;
    std::size_t i = at_ + 1;
    for (; i < s_.size() && s_[i] != quote; ++i) {
      if (s_[i] != '\\' || i + 1 >= s_.size()) {
        text += s_[i];
        continue;
      }
      const char e = s_[++i];
      switch (e) {
        case 'n':
          text += '\n';
          break;
        case 't':
          text += '\t';
          break;
        case 'r':
          text += '\r';
          break;
        case '\\':
        case '\'':
        case '"':
          text += e;
          break;
        case 'u': {
          unsigned code = 0;
          const auto [end, error] =
              std::from_chars(s_.data() + i + 1, s_.data() + std::min(i + 5, s_.size()), code, 16);
          if (error != std::errc() || end != s_.data() + i + 5) {
            return syntax(opened, "\\u needs four hexadecimal digits");
          }
          if (code < 0x80) {
            text += static_cast<char>(code);
          } else if (code < 0x800) {
            text += static_cast<char>(0xC0 | (code >> 6));
            text += static_cast<char>(0x80 | (code & 0x3F));
          } else {
            text += static_cast<char>(0xE0 | (code >> 12));
            text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
            text += static_cast<char>(0x80 | (code & 0x3F));
          }
          i += 4;
          break;
        }
        default:
          text += '\\';
          text += e;
      }
    }
    if (i >= s_.size()) {
      return syntax(opened, "a string is never closed");
    }
    push(TokenKind::kString, std::move(text));
    advance(i + 1 - at_);
    return ok_status();
  }

  std::string_view s_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool strip_next_ = false;
  bool trim_newline_ = false;
  bool trim_newline_at_line_start_ = false;
  std::vector<Token> tokens_;
};

// ---- parser -------------------------------------------------------------------------------------

using ExprPtr = std::unique_ptr<Expr>;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Body> run() {
    R1_TRY(Body body, statements({}));
    if (peek().kind != TokenKind::kEnd) {
      return syntax(peek().line, "an 'end…' that closes nothing");
    }
    return body;
  }

 private:
  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }

  Token next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }

  bool is_op(std::string_view op) const {
    return peek().kind == TokenKind::kOperator && peek().text == op;
  }

  bool is_word(std::string_view word) const {
    return peek().kind == TokenKind::kName && peek().text == word;
  }

  bool take_op(std::string_view op) {
    if (is_op(op)) {
      next();
      return true;
    }
    return false;
  }

  bool take_word(std::string_view word) {
    if (is_word(word)) {
      next();
      return true;
    }
    return false;
  }

  Status expect_op(std::string_view op) {
    return take_op(op) ? ok_status()
                       : Status(syntax(peek().line, fmt::format("expected '{}'", op)));
  }

  Status close_block() {
    if (peek().kind != TokenKind::kBlockClose) {
      return syntax(peek().line, fmt::format("'{}' was not expected here", peek().text));
    }
    next();
    return ok_status();
  }

  Result<std::string> name() {
    if (peek().kind != TokenKind::kName) {
      return syntax(peek().line, "expected a name");
    }
    return next().text;
  }

  // Statements up to a block that begins with one of `ends`, which is left for the caller (its
  // opening token is taken).
  Result<Body> statements(const std::vector<std::string_view>& ends) {
    Body body;
    if (++depth_ > kDeepest) {
      return syntax(peek().line, "nested too deeply");
    }
    while (peek().kind != TokenKind::kEnd) {
      auto stmt = std::make_unique<Stmt>();
      stmt->line = peek().line;
      if (peek().kind == TokenKind::kText) {
        stmt->kind = StmtKind::kText;
        stmt->text = next().text;
      } else if (peek().kind == TokenKind::kPrintOpen) {
        next();
        stmt->kind = StmtKind::kPrint;
        R1_TRY(stmt->expr, tuple());
        if (peek().kind != TokenKind::kPrintClose) {
          return syntax(peek().line, fmt::format("'{}' was not expected here", peek().text));
        }
        next();
      } else {
        next();  // kBlockOpen
        if (peek().kind == TokenKind::kName &&
            std::find(ends.begin(), ends.end(), peek().text) != ends.end()) {
          --depth_;
          return body;
        }
        R1_TRY(const bool kept, block(*stmt));
        if (!kept) {
          continue;
        }
      }
      body.push_back(std::move(stmt));
    }
    --depth_;
    if (!ends.empty()) {
      return syntax(peek().line, fmt::format("'{}' is missing", ends.back()));
    }
    return body;
  }

  // False: the block leaves nothing in the tree.
  Result<bool> block(Stmt& stmt) {
    R1_TRY(const std::string word, name());
    if (word == "if") {
      R1_RETURN_IF_ERROR(if_block(stmt));
    } else if (word == "for") {
      R1_RETURN_IF_ERROR(for_block(stmt));
    } else if (word == "set") {
      R1_RETURN_IF_ERROR(set_block(stmt));
    } else if (word == "macro") {
      R1_RETURN_IF_ERROR(macro_block(stmt));
    } else if (word == "break" || word == "continue") {
      stmt.kind = word == "break" ? StmtKind::kBreak : StmtKind::kContinue;
      R1_RETURN_IF_ERROR(close_block());
    } else if (word == "call") {
      stmt.kind = StmtKind::kCallBlock;
      R1_TRY(stmt.expr, expression());
      R1_RETURN_IF_ERROR(close_block());
      R1_TRY(stmt.body, statements({"endcall"}));
      next();
      R1_RETURN_IF_ERROR(close_block());
    } else if (word == "filter") {
      stmt.kind = StmtKind::kFilterBlock;
      auto subject = std::make_unique<Expr>();
      subject->kind = ExprKind::kName;
      subject->text = " filtered";  // no template can name it
      R1_TRY(stmt.expr, filter_after(std::move(subject)));
      R1_RETURN_IF_ERROR(close_block());
      R1_TRY(stmt.body, statements({"endfilter"}));
      next();
      R1_RETURN_IF_ERROR(close_block());
    } else if (word == "generation") {  // marks the assistant's part for training; prints its body
      stmt.kind = StmtKind::kIf;
      R1_RETURN_IF_ERROR(close_block());
      stmt.branches.emplace_back();
      R1_TRY(stmt.branches.back().second, statements({"endgeneration"}));
      next();
      R1_RETURN_IF_ERROR(close_block());
    } else if (word == "raw") {
      return syntax(stmt.line, "raw blocks are not read");
    } else {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("line {}: statement '{}' is not read", stmt.line, word));
    }
    return true;
  }

  Status if_block(Stmt& stmt) {
    stmt.kind = StmtKind::kIf;
    R1_TRY(ExprPtr condition, expression());
    R1_RETURN_IF_ERROR(close_block());
    for (;;) {
      R1_TRY(Body body, statements({"elif", "else", "endif"}));
      stmt.branches.emplace_back(std::move(condition), std::move(body));
      const std::string word = next().text;
      if (word == "elif") {
        R1_TRY(condition, expression());
        R1_RETURN_IF_ERROR(close_block());
        continue;
      }
      R1_RETURN_IF_ERROR(close_block());
      if (word == "else") {
        R1_TRY(Body rest, statements({"endif"}));
        stmt.branches.emplace_back(nullptr, std::move(rest));
        next();
        R1_RETURN_IF_ERROR(close_block());
      }
      return ok_status();
    }
  }

  Status for_block(Stmt& stmt) {
    stmt.kind = StmtKind::kFor;
    const bool parenthesis = take_op("(");
    do {
      R1_TRY(std::string variable, name());
      stmt.names.push_back(std::move(variable));
    } while (take_op(","));
    if (parenthesis) {
      R1_RETURN_IF_ERROR(expect_op(")"));
    }
    if (!take_word("in")) {
      return syntax(peek().line, "expected 'in'");
    }
    R1_TRY(stmt.expr, disjunction());  // no inline if: 'if' filters the loop
    if (is_op(",")) {
      return syntax(peek().line, "a tuple to loop over needs parentheses");
    }
    if (take_word("if")) {
      R1_TRY(stmt.condition, expression());
    }
    take_word("recursive");
    R1_RETURN_IF_ERROR(close_block());
    R1_TRY(stmt.body, statements({"else", "endfor"}));
    if (next().text == "else") {
      R1_RETURN_IF_ERROR(close_block());
      R1_TRY(stmt.else_body, statements({"endfor"}));
      next();
    }
    return close_block();
  }

  Status set_block(Stmt& stmt) {
    do {
      R1_TRY(std::string variable, name());
      stmt.names.push_back(std::move(variable));
      if (take_op(".")) {
        R1_TRY(stmt.attribute, name());
      }
    } while (take_op(","));
    if (take_op("=")) {
      stmt.kind = StmtKind::kSet;
      R1_TRY(stmt.expr, tuple());
      return close_block();
    }
    stmt.kind = StmtKind::kSetBlock;
    R1_RETURN_IF_ERROR(close_block());
    R1_TRY(stmt.body, statements({"endset"}));
    next();
    return close_block();
  }

  Status macro_block(Stmt& stmt) {
    stmt.kind = StmtKind::kMacro;
    R1_TRY(stmt.text, name());
    R1_RETURN_IF_ERROR(expect_op("("));
    while (!is_op(")")) {
      R1_TRY(std::string parameter, name());
      ExprPtr fallback;
      if (take_op("=")) {
        R1_TRY(fallback, expression());
      }
      stmt.parameters.emplace_back(std::move(parameter), std::move(fallback));
      if (!take_op(",")) {
        break;
      }
    }
    R1_RETURN_IF_ERROR(expect_op(")"));
    R1_RETURN_IF_ERROR(close_block());
    R1_TRY(stmt.body, statements({"endmacro"}));
    next();
    return close_block();
  }

  // ---- expressions, loosest first ----

  ExprPtr make(ExprKind kind, std::string text = "") const {
    auto expr = std::make_unique<Expr>();
    expr->kind = kind;
    expr->text = std::move(text);
    expr->line = peek().line;
    return expr;
  }

  // expression {, expression}: a list where there is a comma
  Result<ExprPtr> tuple() {
    R1_TRY(ExprPtr first, expression());
    if (!is_op(",")) {
      return first;
    }
    ExprPtr list = make(ExprKind::kList);
    list->children.push_back(std::move(first));
    while (take_op(",")) {
      R1_TRY(ExprPtr member, expression());
      list->children.push_back(std::move(member));
    }
    return list;
  }

  Result<ExprPtr> expression() {
    if (++depth_ > kDeepest) {
      return syntax(peek().line, "nested too deeply");
    }
    R1_TRY(ExprPtr value, disjunction());
    while (take_word("if")) {
      ExprPtr inline_if = make(ExprKind::kIf);
      R1_TRY(ExprPtr condition, disjunction());
      ExprPtr otherwise;
      if (take_word("else")) {
        R1_TRY(otherwise, expression());
      }
      inline_if->children.push_back(std::move(value));
      inline_if->children.push_back(std::move(condition));
      inline_if->children.push_back(std::move(otherwise));
      value = std::move(inline_if);
    }
    --depth_;
    return value;
  }

  Result<ExprPtr> disjunction() {
    R1_TRY(ExprPtr left, conjunction());
    while (take_word("or")) {
      ExprPtr expr = make(ExprKind::kOr);
      R1_TRY(ExprPtr right, conjunction());
      expr->children.push_back(std::move(left));
      expr->children.push_back(std::move(right));
      left = std::move(expr);
    }
    return left;
  }

  Result<ExprPtr> conjunction() {
    R1_TRY(ExprPtr left, negation());
    while (take_word("and")) {
      ExprPtr expr = make(ExprKind::kAnd);
      R1_TRY(ExprPtr right, negation());
      expr->children.push_back(std::move(left));
      expr->children.push_back(std::move(right));
      left = std::move(expr);
    }
    return left;
  }

  Result<ExprPtr> negation() {
    if (is_word("not")) {
      if (++depth_ > kDeepest) {
        return syntax(peek().line, "nested too deeply");
      }
      next();
      ExprPtr expr = make(ExprKind::kNot);
      R1_TRY(ExprPtr operand, negation());
      expr->children.push_back(std::move(operand));
      --depth_;
      return expr;
    }
    return comparison();
  }

  Result<ExprPtr> comparison() {
    R1_TRY(ExprPtr left, sum());
    for (;;) {
      std::string op;
      if (peek().kind == TokenKind::kOperator &&
          (peek().text == "==" || peek().text == "!=" || peek().text == "<" || peek().text == ">" ||
           peek().text == "<=" || peek().text == ">=")) {
        op = next().text;
      } else if (is_word("in")) {
        next();
        op = "in";
      } else if (is_word("not") && peek(1).kind == TokenKind::kName && peek(1).text == "in") {
        next();
        next();
        op = "not in";
      } else {
        return left;
      }
      R1_TRY(left, binary(std::move(left), op, [this] { return sum(); }));
    }
  }

  template <typename Next>
  Result<ExprPtr> binary(ExprPtr left, const std::string& op, Next next_level) {
    ExprPtr expr = make(ExprKind::kBinary, op);
    R1_TRY(ExprPtr right, next_level());
    expr->children.push_back(std::move(left));
    expr->children.push_back(std::move(right));
    return expr;
  }

  Result<ExprPtr> sum() {
    R1_TRY(ExprPtr left, concatenation());
    while (is_op("+") || is_op("-")) {
      const std::string op = next().text;
      R1_TRY(left, binary(std::move(left), op, [this] { return concatenation(); }));
    }
    return left;
  }

  Result<ExprPtr> concatenation() {
    R1_TRY(ExprPtr left, product());
    while (take_op("~")) {
      R1_TRY(left, binary(std::move(left), "~", [this] { return product(); }));
    }
    return left;
  }

  Result<ExprPtr> product() {
    R1_TRY(ExprPtr left, power());
    while (is_op("*") || is_op("/") || is_op("//") || is_op("%")) {
      const std::string op = next().text;
      R1_TRY(left, binary(std::move(left), op, [this] { return power(); }));
    }
    return left;
  }

  Result<ExprPtr> power() {
    R1_TRY(ExprPtr left, unary());
    while (take_op("**")) {
      R1_TRY(left, binary(std::move(left), "**", [this] { return unary(); }));
    }
    return left;
  }

  Result<ExprPtr> unary() {
    if (is_op("-") || is_op("+")) {
      if (++depth_ > kDeepest) {
        return syntax(peek().line, "nested too deeply");
      }
      ExprPtr expr = make(is_op("-") ? ExprKind::kNegate : ExprKind::kPlus);
      next();
      R1_TRY(ExprPtr operand, unary());
      expr->children.push_back(std::move(operand));
      --depth_;
      return expr;
    }
    R1_TRY(ExprPtr value, primary());
    return filters_and_tests(std::move(value));
  }

  Result<ExprPtr> primary() {
    const Token token = peek();
    ExprPtr value = make(ExprKind::kLiteral);
    if (token.kind == TokenKind::kString) {
      std::string text;
      while (peek().kind == TokenKind::kString) {  // neighbours are one string, as in Python
        text += next().text;
      }
      value->literal = text;
    } else if (token.kind == TokenKind::kInteger) {
      std::int64_t number = 0;
      const auto parsed =
          std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
      if (parsed.ec != std::errc()) {
        return syntax(token.line, fmt::format("the number {} is too large", token.text));
      }
      value->literal = number;
      next();
    } else if (token.kind == TokenKind::kFloat) {
      double number = 0;
      std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
      value->literal = number;
      next();
    } else if (token.kind == TokenKind::kName) {
      next();
      if (token.text == "true" || token.text == "True") {
        value->literal = true;
      } else if (token.text == "false" || token.text == "False") {
        value->literal = false;
      } else if (token.text != "none" && token.text != "None") {
        value->kind = ExprKind::kName;
        value->text = token.text;
      }
    } else if (take_op("(")) {
      if (take_op(")")) {
        value->kind = ExprKind::kList;
      } else {
        R1_TRY(value, tuple_in_parentheses());
        R1_RETURN_IF_ERROR(expect_op(")"));
      }
    } else if (take_op("[")) {
      value->kind = ExprKind::kList;
      while (!is_op("]")) {
        R1_TRY(ExprPtr member, expression());
        value->children.push_back(std::move(member));
        if (!take_op(",")) {
          break;
        }
      }
      R1_RETURN_IF_ERROR(expect_op("]"));
    } else if (take_op("{")) {
      value->kind = ExprKind::kDict;
      while (!is_op("}")) {
        R1_TRY(ExprPtr key, expression());
        R1_RETURN_IF_ERROR(expect_op(":"));
        R1_TRY(ExprPtr member, expression());
        value->children.push_back(std::move(key));
        value->children.push_back(std::move(member));
        if (!take_op(",")) {
          break;
        }
      }
      R1_RETURN_IF_ERROR(expect_op("}"));
    } else {
      return syntax(token.line, token.kind == TokenKind::kEnd
                                    ? std::string("the template ends inside an expression")
                                    : fmt::format("'{}' was not expected here", token.text));
    }
    return postfix(std::move(value));
  }

  Result<ExprPtr> tuple_in_parentheses() {
    R1_TRY(ExprPtr first, expression());
    if (!is_op(",")) {
      return first;
    }
    ExprPtr list = make(ExprKind::kList);
    list->children.push_back(std::move(first));
    while (take_op(",") && !is_op(")")) {
      R1_TRY(ExprPtr member, expression());
      list->children.push_back(std::move(member));
    }
    return list;
  }

  Result<ExprPtr> postfix(ExprPtr value) {
    for (int n = 0;; ++n) {
      if (n > 10 * kDeepest) {
        return syntax(peek().line, "too many accesses in a row");
      }
      if (take_op(".")) {
        ExprPtr expr = make(ExprKind::kAttribute);
        if (peek().kind == TokenKind::kInteger) {
          expr->text = next().text;
        } else {
          R1_TRY(expr->text, name());
        }
        expr->children.push_back(std::move(value));
        value = std::move(expr);
      } else if (take_op("[")) {
        R1_TRY(value, index(std::move(value)));
      } else if (take_op("(")) {
        ExprPtr expr = make(ExprKind::kCall);
        expr->children.push_back(std::move(value));
        R1_RETURN_IF_ERROR(arguments(*expr));
        value = std::move(expr);
      } else {
        return value;
      }
    }
  }

  Result<ExprPtr> index(ExprPtr value) {
    ExprPtr expr = make(ExprKind::kIndex);
    std::array<ExprPtr, 3> parts;
    std::size_t n = 0;
    bool is_slice = false;
    for (;;) {
      if (!is_op(":") && !is_op("]")) {
        R1_TRY(parts[n], expression());
      }
      if (take_op(":") && n < 2) {
        is_slice = true;
        ++n;
        continue;
      }
      break;
    }
    R1_RETURN_IF_ERROR(expect_op("]"));
    expr->children.push_back(std::move(value));
    if (is_slice) {
      expr->kind = ExprKind::kSlice;
      for (ExprPtr& part : parts) {
        expr->children.push_back(std::move(part));
      }
    } else {
      if (parts[0] == nullptr) {
        return syntax(peek().line, "an index is missing");
      }
      expr->children.push_back(std::move(parts[0]));
    }
    return expr;
  }

  // After '(' up to and with ')'.
  Status arguments(Expr& call) {
    while (!is_op(")")) {
      if (peek().kind == TokenKind::kName && peek(1).kind == TokenKind::kOperator &&
          peek(1).text == "=") {
        std::string key = next().text;
        next();
        R1_TRY(ExprPtr value, expression());
        call.named.emplace_back(std::move(key), std::move(value));
      } else {
        R1_TRY(ExprPtr value, expression());
        call.children.push_back(std::move(value));
      }
      if (!take_op(",")) {
        break;
      }
    }
    return expect_op(")");
  }

  Result<ExprPtr> filter_after(ExprPtr value) {
    ExprPtr expr = make(ExprKind::kFilter);
    R1_TRY(expr->text, name());
    expr->children.push_back(std::move(value));
    if (take_op("(")) {
      R1_RETURN_IF_ERROR(arguments(*expr));
    }
    return expr;
  }

  Result<ExprPtr> filters_and_tests(ExprPtr value) {
    for (int n = 0;; ++n) {
      if (n > 10 * kDeepest) {
        return syntax(peek().line, "too many filters in a row");
      }
      if (take_op("|")) {
        R1_TRY(value, filter_after(std::move(value)));
        R1_TRY(value, postfix(std::move(value)));
      } else if (take_word("is")) {
        ExprPtr expr = make(ExprKind::kTest);
        expr->negated = take_word("not");
        R1_TRY(expr->text, name());
        expr->children.push_back(std::move(value));
        if (take_op("(")) {
          R1_RETURN_IF_ERROR(arguments(*expr));
        } else if (peek().kind == TokenKind::kString || peek().kind == TokenKind::kInteger ||
                   (peek().kind == TokenKind::kName && !is_word("and") && !is_word("or") &&
                    !is_word("if") && !is_word("else") && !is_word("is") && !is_word("not") &&
                    !is_word("in"))) {
          R1_TRY(ExprPtr argument, primary());  // {{ x is divisibleby 3 }}
          expr->children.push_back(std::move(argument));
        }
        value = std::move(expr);
      } else {
        return value;
      }
    }
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<Body> parse(std::string_view source) {
  R1_TRY(std::vector<Token> tokens, Lexer(source).run());
  return Parser(std::move(tokens)).run();
}

}  // namespace r1eval::jinja
