// The syntax tree of the Jinja subset that chat templates are written in.
//
// Source   the Jinja 3.1 template designer documentation; blocks are trimmed and left-stripped as
//          the transformers library sets it (trim_blocks, lstrip_blocks, loop controls).
// Bounds   templates come from model files: nesting is limited when parsing, steps and output when
//          rendering (engine/model/jinja_render.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace r1eval::jinja {

enum class ExprKind {
  kLiteral,    // literal
  kName,       // text
  kAttribute,  // a.text
  kIndex,      // a[b]
  kSlice,      // a[b:c:d], missing parts are null
  kCall,       // a(args, text=…)
  kFilter,     // a | text(args)
  kTest,       // a is text(args); negated: is not
  kNot,
  kNegate,
  kPlus,
  kAnd,
  kOr,
  kIf,      // a if b else c; c may be null
  kBinary,  // a text b: + - * / // % ** ~ == != < > <= >= in, not in
  kList,
  kDict,  // children: key, value, key, value
};

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  std::string text;
  Json literal;
  bool negated = false;
  std::vector<std::unique_ptr<Expr>> children;
  // Named arguments of calls, filters and tests.
  std::vector<std::pair<std::string, std::unique_ptr<Expr>>> named;
  int line = 0;
};

enum class StmtKind {
  kText,
  kPrint,      // {{ expr }}
  kIf,         // branches: (condition or null, body)
  kFor,        // for names in expr if condition; body, else_body
  kSet,        // names = expr, or namespace attribute
  kSetBlock,   // names, body
  kMacro,      // text, parameters, body
  kCallBlock,  // {% call expr %}: prints the call, its body is not given on
  kFilterBlock,
  kBreak,
  kContinue,
};

struct Stmt {
  StmtKind kind = StmtKind::kText;
  std::string text;
  std::vector<std::string> names;
  std::string attribute;  // set ns.attribute
  std::unique_ptr<Expr> expr;
  std::unique_ptr<Expr> condition;
  std::vector<std::pair<std::unique_ptr<Expr>, std::vector<std::unique_ptr<Stmt>>>> branches;
  std::vector<std::unique_ptr<Stmt>> body;
  std::vector<std::unique_ptr<Stmt>> else_body;
  std::vector<std::pair<std::string, std::unique_ptr<Expr>>> parameters;
  int line = 0;
};

using Body = std::vector<std::unique_ptr<Stmt>>;

// Errors: kParse "line N: …"; kUnsupported for statements of Jinja that templates do not need
// (import, include, extends, block).
Result<Body> parse(std::string_view source);

}  // namespace r1eval::jinja
