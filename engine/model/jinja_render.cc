#include "engine/model/jinja_render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <ctime>
#include <map>

#include "engine/model/jinja_value.h"

namespace r1eval::jinja {
namespace {

constexpr int kDeepestCall = 60;
constexpr std::int64_t kLongestRange = 1'000'000;

enum class Flow { kNormal, kBreak, kContinue };

struct Arguments {
  std::vector<Value> positional;
  std::map<std::string, Value> named;

  // The i-th argument or the one of that name; null when neither was given.
  const Value* find(std::size_t i, const std::string& name) const {
    if (i < positional.size()) {
      return &positional[i];
    }
    const auto found = named.find(name);
    return found == named.end() ? nullptr : &found->second;
  }
};

std::string strip_text(const std::string& text, const std::string& chars, bool left, bool right) {
  std::size_t begin = 0;
  std::size_t end = text.size();
  const auto strips = [&](char c) {
    return chars.empty() ? std::isspace(static_cast<unsigned char>(c)) != 0
                         : chars.find(c) != std::string::npos;
  };
  while (left && begin < end && strips(text[begin])) {
    ++begin;
  }
  while (right && end > begin && strips(text[end - 1])) {
    --end;
  }
  return text.substr(begin, end - begin);
}

std::string change_case(std::string text, bool upper) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x80) {
      c = static_cast<char>(upper ? std::toupper(c) : std::tolower(c));
    }
  }
  return text;
}

std::string capitalize(std::string text) {
  text = change_case(std::move(text), false);
  if (!text.empty()) {
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  }
  return text;
}

std::string title(std::string text) {
  bool in_word = false;
  for (char& c : text) {
    const bool letter = std::isalpha(static_cast<unsigned char>(c)) != 0;
    if (letter) {
      c = static_cast<char>(in_word ? std::tolower(static_cast<unsigned char>(c))
                                    : std::toupper(static_cast<unsigned char>(c)));
    }
    in_word = letter;
  }
  return text;
}

std::string replace_all(const std::string& text, const std::string& from, const std::string& to,
                        std::int64_t most) {
  if (from.empty()) {
    return text;
  }
  std::string out;
  std::size_t at = 0;
  for (std::int64_t n = 0; most < 0 || n < most; ++n) {
    const std::size_t found = text.find(from, at);
    if (found == std::string::npos) {
      break;
    }
    out += text.substr(at, found - at) + to;
    at = found + from.size();
  }
  return out + text.substr(at);
}

class Renderer {
 public:
  Renderer(const std::string& today, const RenderLimits& limits) : today_(today), limits_(limits) {}

  Result<std::string> run(const Body& body, const OrderedJson& variables) {
    scopes_.emplace_back();
    for (const auto& [key, value] : variables.items()) {
      scopes_.back()[key] = from_json(OrderedJson(value));
    }
    scopes_.emplace_back();
    std::string out;
    R1_TRY(const Flow flow, execute(body, out));
    (void)flow;
    return out;
  }

 private:
  using Scope = std::map<std::string, Value>;

  static Error error(int line, std::string_view text) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("chat template line {}: {}", line, text));
  }

  Status step(int line) {
    if (++steps_ > limits_.steps) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("chat template line {}: more than {} steps", line, limits_.steps));
    }
    return ok_status();
  }

  Status append(std::string& out, const std::string& text, int line) {
    if (out.size() + text.size() > limits_.output_bytes) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("chat template line {}: more than {} bytes of text", line,
                              limits_.output_bytes));
    }
    out += text;
    return ok_status();
  }

  // ---- statements ----

  Result<Flow> execute(const Body& body, std::string& out) {
    for (const auto& stmt : body) {
      R1_RETURN_IF_ERROR(step(stmt->line));
      R1_TRY(const Flow flow, execute(*stmt, out));
      if (flow != Flow::kNormal) {
        return flow;
      }
    }
    return Flow::kNormal;
  }

  Result<Flow> execute(const Stmt& stmt, std::string& out) {
    switch (stmt.kind) {
      case StmtKind::kText:
        R1_RETURN_IF_ERROR(append(out, stmt.text, stmt.line));
        return Flow::kNormal;
      case StmtKind::kPrint:
      case StmtKind::kCallBlock: {
        R1_TRY(const Value value, evaluate(*stmt.expr));
        R1_RETURN_IF_ERROR(append(out, to_text(value), stmt.line));
        return Flow::kNormal;
      }
      case StmtKind::kIf:
        for (const auto& [condition, body] : stmt.branches) {
          bool taken = true;
          if (condition != nullptr) {
            R1_TRY(const Value value, evaluate(*condition));
            taken = is_true(value);
          }
          if (taken) {
            return execute(body, out);
          }
        }
        return Flow::kNormal;
      case StmtKind::kFor:
        return loop(stmt, out);
      case StmtKind::kSet: {
        R1_TRY(Value value, evaluate(*stmt.expr));
        R1_RETURN_IF_ERROR(assign(stmt, std::move(value)));
        return Flow::kNormal;
      }
      case StmtKind::kSetBlock: {
        std::string text;
        R1_TRY(const Flow flow, execute(stmt.body, text));
        R1_RETURN_IF_ERROR(assign(stmt, Value(std::move(text))));
        return flow;
      }
      case StmtKind::kFilterBlock: {
        std::string text;
        R1_TRY(const Flow flow, execute(stmt.body, text));
        scopes_.back()[" filtered"] = Value(std::move(text));
        R1_TRY(const Value value, evaluate(*stmt.expr));
        R1_RETURN_IF_ERROR(append(out, to_text(value), stmt.line));
        return flow;
      }
      case StmtKind::kMacro:
        scopes_.back()[stmt.text] = Value(Macro{&stmt});
        return Flow::kNormal;
      case StmtKind::kBreak:
        return Flow::kBreak;
      case StmtKind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNormal;
  }

  Status assign(const Stmt& stmt, Value value) {
    if (!stmt.attribute.empty()) {
      const Value* target = lookup(stmt.names[0]);
      if (target == nullptr || !target->is_namespace) {
        return error(stmt.line, fmt::format("'{}' is no namespace", stmt.names[0]));
      }
      put(*target->dict(), stmt.attribute, std::move(value));
      return ok_status();
    }
    return bind(stmt.names, std::move(value), stmt.line);
  }

  Status bind(const std::vector<std::string>& names, Value value, int line) {
    if (names.size() == 1) {
      scopes_.back()[names[0]] = std::move(value);
      return ok_status();
    }
    const List* list = value.list();
    if (list == nullptr || list->size() != names.size()) {
      return error(line,
                   fmt::format("cannot unpack {} into {} names", type_name(value), names.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      scopes_.back()[names[i]] = (*list)[i];
    }
    return ok_status();
  }

  Result<List> items_of(const Value& value, int line) {
    if (const List* list = value.list()) {
      return *list;
    }
    List out;
    if (const Dict* dict = value.dict()) {
      for (const auto& [key, member] : *dict) {
        out.emplace_back(key);
      }
      return out;
    }
    if (const std::string* text = value.string()) {
      for (std::string& c : characters(*text)) {
        out.emplace_back(std::move(c));
      }
      return out;
    }
    if (value.is_undefined()) {
      return out;
    }
    return error(line, fmt::format("{} cannot be looped over", type_name(value)));
  }

  Result<Flow> loop(const Stmt& stmt, std::string& out) {
    R1_TRY(const Value subject, evaluate(*stmt.expr));
    R1_TRY(List items, items_of(subject, stmt.line));
    if (stmt.condition != nullptr) {
      List kept;
      for (Value& item : items) {
        scopes_.emplace_back();
        R1_RETURN_IF_ERROR(bind(stmt.names, item, stmt.line));
        Result<Value> keep = evaluate(*stmt.condition);
        scopes_.pop_back();
        R1_TRY(const Value decided, std::move(keep));
        if (is_true(decided)) {
          kept.push_back(std::move(item));
        }
      }
      items = std::move(kept);
    }
    if (items.empty()) {
      return execute(stmt.else_body, out);
    }
    const auto n = static_cast<std::int64_t>(items.size());
    for (std::int64_t i = 0; i < n; ++i) {
      R1_RETURN_IF_ERROR(step(stmt.line));
      scopes_.emplace_back();
      const auto at = static_cast<std::size_t>(i);
      Dict state;
      state.emplace_back("index", Value(i + 1));
      state.emplace_back("index0", Value(i));
      state.emplace_back("revindex", Value(n - i));
      state.emplace_back("revindex0", Value(n - i - 1));
      state.emplace_back("first", Value(i == 0));
      state.emplace_back("last", Value(i + 1 == n));
      state.emplace_back("length", Value(n));
      state.emplace_back("depth", Value(std::int64_t{1}));
      state.emplace_back("depth0", Value(std::int64_t{0}));
      if (i > 0) {
        state.emplace_back("previtem", items[at - 1]);
      }
      if (i + 1 < n) {
        state.emplace_back("nextitem", items[at + 1]);
      }
      scopes_.back()["loop"] = make_dict(std::move(state));
      R1_RETURN_IF_ERROR(bind(stmt.names, items[at], stmt.line));
      Result<Flow> flow = execute(stmt.body, out);
      scopes_.pop_back();
      R1_TRY(const Flow ended, std::move(flow));
      if (ended == Flow::kBreak) {
        break;
      }
    }
    return Flow::kNormal;
  }

  // ---- expressions ----

  const Value* lookup(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      const auto found = scope->find(name);
      if (found != scope->end()) {
        return &found->second;
      }
    }
    return nullptr;
  }

  Result<Value> evaluate(const Expr& expr) {
    R1_RETURN_IF_ERROR(step(expr.line));
    switch (expr.kind) {
      case ExprKind::kLiteral:
        return from_json(expr.literal);
      case ExprKind::kName: {
        if (const Value* value = lookup(expr.text)) {
          return *value;
        }
        static const std::vector<std::string> kGlobals = {
            "namespace", "raise_exception", "range", "strftime_now", "dict", "list", "str"};
        if (std::find(kGlobals.begin(), kGlobals.end(), expr.text) != kGlobals.end()) {
          return Value(Callable{expr.text, nullptr});
        }
        return Value();
      }
      case ExprKind::kAttribute: {
        R1_TRY(const Value object, evaluate(*expr.children[0]));
        return attribute(object, expr.text, expr.line);
      }
      case ExprKind::kIndex: {
        R1_TRY(const Value object, evaluate(*expr.children[0]));
        R1_TRY(const Value key, evaluate(*expr.children[1]));
        return index(object, key, expr.line);
      }
      case ExprKind::kSlice:
        return slice(expr);
      case ExprKind::kCall: {
        R1_TRY(const Value callee, evaluate(*expr.children[0]));
        R1_TRY(const Arguments arguments, evaluate_arguments(expr, 1));
        return call(callee, arguments, expr.line);
      }
      case ExprKind::kFilter: {
        R1_TRY(const Value value, evaluate(*expr.children[0]));
        R1_TRY(const Arguments arguments, evaluate_arguments(expr, 1));
        return filter(expr.text, value, arguments, expr.line);
      }
      case ExprKind::kTest: {
        R1_TRY(const Value value, evaluate(*expr.children[0]));
        R1_TRY(const Arguments arguments, evaluate_arguments(expr, 1));
        R1_TRY(const bool holds, test(expr.text, value, arguments, expr.line));
        return Value(holds != expr.negated);
      }
      case ExprKind::kNot: {
        R1_TRY(const Value value, evaluate(*expr.children[0]));
        return Value(!is_true(value));
      }
      case ExprKind::kNegate:
      case ExprKind::kPlus: {
        R1_TRY(const Value value, evaluate(*expr.children[0]));
        const std::int64_t sign = expr.kind == ExprKind::kNegate ? -1 : 1;
        if (const auto* i = value.get<std::int64_t>()) {
          return Value(*i == INT64_MIN ? *i : *i * sign);
        }
        if (const auto* d = value.get<double>()) {
          return Value(*d * static_cast<double>(sign));
        }
        return error(expr.line, fmt::format("{} has no sign", type_name(value)));
      }
      case ExprKind::kAnd:
      case ExprKind::kOr: {
        R1_TRY(Value left, evaluate(*expr.children[0]));
        if (is_true(left) != (expr.kind == ExprKind::kAnd)) {
          return left;
        }
        return evaluate(*expr.children[1]);
      }
      case ExprKind::kIf: {
        R1_TRY(const Value condition, evaluate(*expr.children[1]));
        if (is_true(condition)) {
          return evaluate(*expr.children[0]);
        }
        return expr.children[2] == nullptr ? Result<Value>(Value()) : evaluate(*expr.children[2]);
      }
      case ExprKind::kBinary:
        return binary(expr);
      case ExprKind::kList: {
        List list;
        for (const auto& child : expr.children) {
          R1_TRY(Value value, evaluate(*child));
          list.push_back(std::move(value));
        }
        return make_list(std::move(list));
      }
      case ExprKind::kDict: {
        Dict dict;
        for (std::size_t i = 0; i + 1 < expr.children.size(); i += 2) {
          R1_TRY(const Value key, evaluate(*expr.children[i]));
          R1_TRY(Value value, evaluate(*expr.children[i + 1]));
          put(dict, to_text(key), std::move(value));
        }
        return make_dict(std::move(dict));
      }
    }
    return Value();
  }

  Result<Arguments> evaluate_arguments(const Expr& expr, std::size_t from) {
    Arguments arguments;
    for (std::size_t i = from; i < expr.children.size(); ++i) {
      R1_TRY(Value value, evaluate(*expr.children[i]));
      arguments.positional.push_back(std::move(value));
    }
    for (const auto& [name, child] : expr.named) {
      R1_TRY(Value value, evaluate(*child));
      arguments.named[name] = std::move(value);
    }
    return arguments;
  }

  Result<Value> attribute(const Value& object, const std::string& name, int line) {
    if (object.is_undefined()) {
      return error(line, fmt::format("'{}' of something undefined", name));
    }
    if (const Dict* dict = object.dict()) {
      if (const Value* member = find(*dict, name)) {
        return *member;
      }
    }
    static const std::map<std::string, std::vector<std::string>> kMethods = {
        {"text", {"split",      "rsplit",       "strip",        "lstrip",  "rstrip",
                  "startswith", "endswith",     "replace",      "upper",   "lower",
                  "title",      "capitalize",   "join",         "find",    "count",
                  "splitlines", "removeprefix", "removesuffix", "isdigit", "format"}},
        {"dict", {"items", "keys", "values", "get", "update"}},
        {"list", {"append", "index", "count", "pop"}}};
    const std::string kind =
        object.string() != nullptr ? "text" : (object.dict() != nullptr ? "dict" : "list");
    const auto& methods = kMethods.at(kind);
    if ((object.string() != nullptr || object.dict() != nullptr || object.list() != nullptr) &&
        std::find(methods.begin(), methods.end(), name) != methods.end()) {
      return Value(Callable{name, std::make_shared<Value>(object)});
    }
    return Value();
  }

  Result<Value> index(const Value& object, const Value& key, int line) {
    if (object.is_undefined()) {
      return error(line, fmt::format("'{}' of something undefined", to_text(key)));
    }
    const auto* i = key.get<std::int64_t>();
    if (const List* list = object.list(); list != nullptr && i != nullptr) {
      const auto n = static_cast<std::int64_t>(list->size());
      const std::int64_t at = *i < 0 ? *i + n : *i;
      return at >= 0 && at < n ? (*list)[static_cast<std::size_t>(at)] : Value();
    }
    if (const std::string* text = object.string(); text != nullptr && i != nullptr) {
      const std::vector<std::string> all = characters(*text);
      const auto n = static_cast<std::int64_t>(all.size());
      const std::int64_t at = *i < 0 ? *i + n : *i;
      return at >= 0 && at < n ? Value(all[static_cast<std::size_t>(at)]) : Value();
    }
    if (key.string() != nullptr) {
      return attribute(object, *key.string(), line);
    }
    return Value();
  }

  Result<Value> slice(const Expr& expr) {
    R1_TRY(const Value object, evaluate(*expr.children[0]));
    std::optional<std::int64_t> parts[3];
    for (std::size_t p = 0; p < 3; ++p) {
      if (expr.children[p + 1] != nullptr) {
        R1_TRY(const Value value, evaluate(*expr.children[p + 1]));
        if (const auto* i = value.get<std::int64_t>()) {
          parts[p] = *i;
        } else if (!value.is_none()) {
          return error(expr.line, "a slice needs integers");
        }
      }
    }
    const std::int64_t by = parts[2].value_or(1);
    if (by == 0) {
      return error(expr.line, "a slice cannot step by 0");
    }
    List items;
    if (const List* list = object.list()) {
      items = *list;
    } else if (const std::string* text = object.string()) {
      for (std::string& c : characters(*text)) {
        items.emplace_back(std::move(c));
      }
    } else {
      return error(expr.line, fmt::format("{} cannot be sliced", type_name(object)));
    }
    const auto n = static_cast<std::int64_t>(items.size());
    const auto clamp = [&](std::int64_t i, std::int64_t low, std::int64_t high) {
      return std::clamp(i < 0 ? i + n : i, low, high);
    };
    std::int64_t begin = by > 0 ? 0 : n - 1;
    std::int64_t end = by > 0 ? n : -1;
    if (parts[0]) {
      begin = by > 0 ? clamp(*parts[0], 0, n) : clamp(*parts[0], -1, n - 1);
    }
    if (parts[1]) {
      end = by > 0 ? clamp(*parts[1], 0, n) : clamp(*parts[1], -1, n - 1);
    }
    List kept;
    for (std::int64_t i = begin; by > 0 ? i < end : i > end; i += by) {
      kept.push_back(items[static_cast<std::size_t>(i)]);
    }
    if (object.string() == nullptr) {
      return make_list(std::move(kept));
    }
    std::string text;
    for (const Value& c : kept) {
      text += *c.string();
    }
    return Value(std::move(text));
  }

  Result<Value> binary(const Expr& expr) {
    R1_TRY(const Value a, evaluate(*expr.children[0]));
    R1_TRY(const Value b, evaluate(*expr.children[1]));
    const std::string& op = expr.text;
    if (op == "==" || op == "!=") {
      return Value(equal(a, b) == (op == "=="));
    }
    if (op == "in" || op == "not in") {
      R1_TRY(const bool inside, contains(b, a, expr.line));
      return Value(inside == (op == "in"));
    }
    if (op == "~") {
      return Value(to_text(a) + to_text(b));
    }
    if (op == "+" && a.string() != nullptr && b.string() != nullptr) {
      return Value(*a.string() + *b.string());
    }
    if (op == "+" && a.list() != nullptr && b.list() != nullptr) {
      List list = *a.list();
      list.insert(list.end(), b.list()->begin(), b.list()->end());
      return make_list(std::move(list));
    }
    if (op == "*" && a.string() != nullptr && b.get<std::int64_t>() != nullptr) {
      std::string text;
      for (std::int64_t i = 0; i < *b.get<std::int64_t>(); ++i) {
        R1_RETURN_IF_ERROR(step(expr.line));
        R1_RETURN_IF_ERROR(append(text, *a.string(), expr.line));
      }
      return Value(std::move(text));
    }
    if (a.string() != nullptr && b.string() != nullptr) {
      const int order = a.string()->compare(*b.string());
      if (op == "<" || op == ">" || op == "<=" || op == ">=") {
        return Value(op == "<"    ? order < 0
                     : op == ">"  ? order > 0
                     : op == "<=" ? order <= 0
                                  : order >= 0);
      }
    }
    return arithmetic(op, a, b, expr.line);
  }

  static Result<Value> arithmetic(const std::string& op, const Value& a, const Value& b, int line) {
    const auto integer = [](const Value& v) -> std::optional<std::int64_t> {
      if (const auto* i = v.get<std::int64_t>()) {
        return *i;
      }
      if (const auto* f = v.get<bool>()) {
        return *f ? 1 : 0;
      }
      return std::nullopt;
    };
    const auto i = integer(a);
    const auto j = integer(b);
    const auto* da = a.get<double>();
    const auto* db = b.get<double>();
    if ((!i && da == nullptr) || (!j && db == nullptr)) {
      return error(line, fmt::format("'{}' of {} and {}", op, type_name(a), type_name(b)));
    }
    const double x = i ? static_cast<double>(*i) : *da;
    const double y = j ? static_cast<double>(*j) : *db;
    if (op == "<" || op == ">" || op == "<=" || op == ">=") {
      return Value(op == "<" ? x < y : op == ">" ? x > y : op == "<=" ? x <= y : x >= y);
    }
    if ((op == "/" || op == "//" || op == "%") && y == 0) {
      return error(line, "division by zero");
    }
    if (op == "/") {
      return Value(x / y);
    }
    if (i && j && op != "**") {
      std::int64_t out = 0;
      bool overflow = false;
      if (op == "+") {
        overflow = __builtin_add_overflow(*i, *j, &out);
      } else if (op == "-") {
        overflow = __builtin_sub_overflow(*i, *j, &out);
      } else if (op == "*") {
        overflow = __builtin_mul_overflow(*i, *j, &out);
      } else if (*i == INT64_MIN && *j == -1) {
        overflow = true;
      } else {
        const std::int64_t quotient = *i / *j;
        const std::int64_t rest = *i % *j;
        const bool adjust = rest != 0 && ((rest < 0) != (*j < 0));
        out = op == "//" ? quotient - (adjust ? 1 : 0) : rest + (adjust ? *j : 0);
      }
      if (overflow) {
        return error(line, "a number became too large");
      }
      return Value(out);
    }
    if (op == "+") {
      return Value(x + y);
    }
    if (op == "-") {
      return Value(x - y);
    }
    if (op == "*") {
      return Value(x * y);
    }
    if (op == "//") {
      return Value(std::floor(x / y));
    }
    if (op == "%") {
      return Value(x - y * std::floor(x / y));
    }
    const double power = std::pow(x, y);
    if (i && j && *j >= 0 && std::abs(power) < 9e15) {
      return Value(static_cast<std::int64_t>(std::llround(power)));
    }
    return Value(power);
  }

  static Result<bool> contains(const Value& container, const Value& value, int line) {
    if (const std::string* text = container.string()) {
      if (value.string() == nullptr) {
        return error(line, fmt::format("'in' a text needs a text, not {}", type_name(value)));
      }
      return text->find(*value.string()) != std::string::npos;
    }
    if (const List* list = container.list()) {
      return std::any_of(list->begin(), list->end(),
                         [&](const Value& member) { return equal(member, value); });
    }
    if (const Dict* dict = container.dict()) {
      return find(*dict, to_text(value)) != nullptr;
    }
    if (container.is_undefined()) {
      return false;
    }
    return error(line, fmt::format("{} contains nothing", type_name(container)));
  }

  // ---- calls ----

  Result<Value> call(const Value& callee, const Arguments& arguments, int line) {
    if (const auto* macro = callee.get<Macro>()) {
      return call_macro(*macro->stmt, arguments, line);
    }
    const auto* function = callee.get<Callable>();
    if (function == nullptr) {
      return error(line, fmt::format("{} cannot be called", type_name(callee)));
    }
    return function->self == nullptr
               ? call_global(function->name, arguments, line)
               : call_method(*function->self, function->name, arguments, line);
  }

  Result<Value> call_macro(const Stmt& stmt, const Arguments& arguments, int line) {
    if (++depth_ > kDeepestCall) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("chat template line {}: macros call one another too deeply", line));
    }
    scopes_.emplace_back();
    for (std::size_t i = 0; i < stmt.parameters.size(); ++i) {
      const auto& [name, fallback] = stmt.parameters[i];
      Value value;
      if (const Value* given = arguments.find(i, name)) {
        value = *given;
      } else if (fallback != nullptr) {
        R1_TRY(value, evaluate(*fallback));
      }
      scopes_.back()[name] = std::move(value);
    }
    std::string out;
    Result<Flow> flow = execute(stmt.body, out);
    scopes_.pop_back();
    --depth_;
    R1_TRY(const Flow ended, std::move(flow));
    (void)ended;
    return Value(std::move(out));
  }

  Result<Value> call_global(const std::string& name, const Arguments& arguments, int line) {
    const Value* first = arguments.find(0, "");
    if (name == "raise_exception") {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("the chat template refuses: {}", first == nullptr ? "" : to_text(*first)));
    }
    if (name == "namespace" || name == "dict") {
      Dict dict;
      if (first != nullptr && first->dict() != nullptr) {
        dict = *first->dict();
      }
      for (const auto& [key, value] : arguments.named) {
        put(dict, key, value);
      }
      Value value = make_dict(std::move(dict));
      value.is_namespace = name == "namespace";
      return value;
    }
    if (name == "range") {
      std::int64_t bounds[3] = {0, 0, 1};
      const std::size_t n = arguments.positional.size();
      for (std::size_t i = 0; i < n && i < 3; ++i) {
        const auto* number = arguments.positional[i].get<std::int64_t>();
        if (number == nullptr) {
          return error(line, "range needs integers");
        }
        bounds[n == 1 ? 1 : i] = *number;
      }
      if (bounds[2] == 0 || n == 0) {
        return error(line, "range needs an end, and a step that is not 0");
      }
      List list;
      for (std::int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1];
           i += bounds[2]) {
        if (static_cast<std::int64_t>(list.size()) >= kLongestRange) {
          return fail(ErrorCode::kResourceExhausted,
                      fmt::format("chat template line {}: a range of over {} numbers", line,
                                  kLongestRange));
        }
        list.emplace_back(i);
      }
      return make_list(std::move(list));
    }
    if (name == "strftime_now") {
      const std::string format = first == nullptr ? "%d %b %Y" : to_text(*first);
      if (!today_.empty()) {
        return Value(today_);
      }
      const std::time_t now = std::time(nullptr);
      std::tm parts{};
      ::localtime_r(&now, &parts);
      char text[256];
      const std::size_t n =
          format.size() > 100 ? 0 : std::strftime(text, sizeof text, format.c_str(), &parts);
      return Value(std::string(text, n));
    }
    if (name == "str") {
      return Value(first == nullptr ? std::string() : to_text(*first));
    }
    if (name == "list") {
      R1_TRY(List list, items_of(first == nullptr ? Value() : *first, line));
      return make_list(std::move(list));
    }
    return error(line, fmt::format("'{}' cannot be called", name));
  }

  Result<Value> call_method(const Value& self, const std::string& name, const Arguments& arguments,
                            int line) {
    if (self.string() != nullptr) {
      return text_method(*self.string(), name, arguments, line);
    }
    const Value* first = arguments.find(0, "");
    if (Dict* dict = self.dict()) {
      if (name == "get") {
        const Value* found = first == nullptr ? nullptr : find(*dict, to_text(*first));
        const Value* fallback = arguments.find(1, "default");
        return found != nullptr ? *found : (fallback != nullptr ? *fallback : Value(None{}));
      }
      if (name == "update") {
        if (first != nullptr && first->dict() != nullptr) {
          for (const auto& [key, value] : *first->dict()) {
            put(*dict, key, value);
          }
        }
        return Value(None{});
      }
      return dict_items(*dict, name);
    }
    if (const auto* list = self.get<std::shared_ptr<List>>()) {
      if (name == "append" && first != nullptr) {
        (*list)->push_back(*first);
        return Value(None{});
      }
      if (name == "pop" && !(*list)->empty()) {
        Value last = (*list)->back();
        (*list)->pop_back();
        return last;
      }
      if (name == "count" && first != nullptr) {
        return Value(static_cast<std::int64_t>(
            std::count_if((*list)->begin(), (*list)->end(),
                          [&](const Value& member) { return equal(member, *first); })));
      }
      if (name == "index" && first != nullptr) {
        for (std::size_t i = 0; i < (*list)->size(); ++i) {
          if (equal((**list)[i], *first)) {
            return Value(static_cast<std::int64_t>(i));
          }
        }
        return error(line, "the value is not in the list");
      }
    }
    return error(line, fmt::format("method '{}'", name));
  }

  static Value dict_items(const Dict& dict, const std::string& what) {
    List list;
    for (const auto& [key, value] : dict) {
      if (what == "keys") {
        list.emplace_back(key);
      } else if (what == "values") {
        list.push_back(value);
      } else {
        list.push_back(make_list({Value(key), value}));
      }
    }
    return make_list(std::move(list));
  }

  Result<Value> text_method(const std::string& text, const std::string& name,
                            const Arguments& arguments, int line) {
    const Value* first = arguments.find(0, "");
    const std::string argument =
        first == nullptr || first->is_none() ? std::string() : to_text(*first);
    if (name == "strip" || name == "lstrip" || name == "rstrip") {
      return Value(strip_text(text, argument, name != "rstrip", name != "lstrip"));
    }
    if (name == "startswith" || name == "endswith") {
      std::vector<std::string> choices;
      if (first != nullptr && first->list() != nullptr) {
        for (const Value& choice : *first->list()) {
          choices.push_back(to_text(choice));
        }
      } else {
        choices.push_back(argument);
      }
      return Value(std::any_of(choices.begin(), choices.end(), [&](const std::string& choice) {
        return name == "startswith" ? text.starts_with(choice) : text.ends_with(choice);
      }));
    }
    if (name == "upper" || name == "lower") {
      return Value(change_case(text, name == "upper"));
    }
    if (name == "title") {
      return Value(title(text));
    }
    if (name == "capitalize") {
      return Value(capitalize(text));
    }
    if (name == "replace") {
      const Value* to = arguments.find(1, "new");
      const Value* most = arguments.find(2, "count");
      const auto* count = most == nullptr ? nullptr : most->get<std::int64_t>();
      return Value(replace_all(text, argument, to == nullptr ? "" : to_text(*to),
                               count == nullptr ? -1 : *count));
    }
    if (name == "removeprefix") {
      return Value(text.starts_with(argument) ? text.substr(argument.size()) : text);
    }
    if (name == "removesuffix") {
      return Value(text.ends_with(argument) ? text.substr(0, text.size() - argument.size()) : text);
    }
    if (name == "find") {
      const std::size_t at = text.find(argument);
      return Value(at == std::string::npos ? std::int64_t{-1} : static_cast<std::int64_t>(at));
    }
    if (name == "isdigit") {
      return Value(!text.empty() && text.find_first_not_of("0123456789") == std::string::npos);
    }
    if (name == "count") {
      std::int64_t n = 0;
      for (std::size_t at = argument.empty() ? std::string::npos : text.find(argument);
           at != std::string::npos; at = text.find(argument, at + argument.size())) {
        ++n;
      }
      return Value(n);
    }
    if (name == "join") {
      R1_TRY(const List list, items_of(first == nullptr ? Value() : *first, line));
      std::string out;
      for (std::size_t i = 0; i < list.size(); ++i) {
        out += (i == 0 ? "" : text) + to_text(list[i]);
      }
      return Value(std::move(out));
    }
    if (name == "split" || name == "rsplit" || name == "splitlines") {
      return split(text, name, argument, arguments);
    }
    return error(line, fmt::format("method '{}' of a text", name));
  }

  static Value split(const std::string& text, const std::string& name, const std::string& by,
                     const Arguments& arguments) {
    List parts;
    const Value* most_value = arguments.find(1, "maxsplit");
    const auto* most = most_value == nullptr ? nullptr : most_value->get<std::int64_t>();
    if (name == "splitlines" || by.empty()) {
      std::string part;
      for (const char c : text) {
        const bool ends =
            name == "splitlines" ? c == '\n' : std::isspace(static_cast<unsigned char>(c)) != 0;
        if (!ends) {
          part += c;
        } else if (!part.empty() || name == "splitlines") {
          parts.emplace_back(part);
          part.clear();
        }
      }
      if (!part.empty()) {
        parts.emplace_back(part);
      }
      return make_list(std::move(parts));
    }
    std::vector<std::string> pieces;
    std::size_t at = 0;
    for (std::size_t found = text.find(by); found != std::string::npos; found = text.find(by, at)) {
      pieces.push_back(text.substr(at, found - at));
      at = found + by.size();
    }
    pieces.push_back(text.substr(at));
    // With a limit the rest stays joined: at the right for split, at the left for rsplit.
    const std::size_t limit =
        most == nullptr || *most < 0 ? pieces.size() : static_cast<std::size_t>(*most);
    while (pieces.size() > limit + 1) {
      if (name == "split") {
        const std::string last = pieces.back();
        pieces.pop_back();
        pieces.back() += by + last;
      } else {
        pieces[1] = pieces[0] + by + pieces[1];
        pieces.erase(pieces.begin());
      }
    }
    for (std::string& piece : pieces) {
      parts.emplace_back(std::move(piece));
    }
    return make_list(std::move(parts));
  }

  // ---- filters and tests ----

  Result<Value> filter(const std::string& name, const Value& value, const Arguments& arguments,
                       int line) {
    const Value* first = arguments.find(0, "");
    if (name == "tojson") {
      const Value* indent = arguments.find(0, "indent");
      const auto* n = indent == nullptr ? nullptr : indent->get<std::int64_t>();
      return Value(to_json(
          value, n == nullptr ? -1 : static_cast<int>(std::clamp<std::int64_t>(*n, 0, 16))));
    }
    if (name == "default" || name == "d") {
      const Value* fallback = arguments.find(0, "default_value");
      const Value* also_false = arguments.find(1, "boolean");
      const bool replace = value.is_undefined() ||
                           (also_false != nullptr && is_true(*also_false) && !is_true(value));
      return replace ? (fallback == nullptr ? Value(std::string()) : *fallback) : value;
    }
    if (name == "length" || name == "count") {
      if (value.string() != nullptr) {
        return Value(static_cast<std::int64_t>(characters(*value.string()).size()));
      }
      R1_TRY(const List list, items_of(value, line));
      return Value(static_cast<std::int64_t>(list.size()));
    }
    if (name == "string" || name == "safe" || name == "escape" || name == "e") {
      return Value(to_text(value));
    }
    if (name == "int" || name == "float") {
      return number_filter(name, value);
    }
    if (name == "abs" || name == "round") {
      if (const auto* i = value.get<std::int64_t>()) {
        return Value(name == "abs" ? std::abs(*i) : *i);
      }
      const auto* d = value.get<double>();
      if (d == nullptr) {
        return error(line, fmt::format("filter '{}' of {}", name, type_name(value)));
      }
      return Value(name == "abs" ? std::abs(*d) : std::nearbyint(*d));
    }
    if (name == "items" || name == "dictsort") {
      if (value.dict() == nullptr) {
        return error(line, fmt::format("filter '{}' of {}", name, type_name(value)));
      }
      Dict dict = *value.dict();
      if (name == "dictsort") {
        std::stable_sort(dict.begin(), dict.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
      }
      return dict_items(dict, "items");
    }
    if (value.string() != nullptr || name == "trim" || name == "upper" || name == "lower" ||
        name == "title" || name == "capitalize" || name == "replace" || name == "indent") {
      if (name == "trim") {
        return Value(
            strip_text(to_text(value), first == nullptr ? "" : to_text(*first), true, true));
      }
      if (name == "upper" || name == "lower" || name == "title" || name == "capitalize" ||
          name == "replace") {
        return text_method(to_text(value), name, arguments, line);
      }
      if (name == "indent") {
        const Value* width = arguments.find(0, "width");
        const auto* n = width == nullptr ? nullptr : width->get<std::int64_t>();
        const std::string pad(
            static_cast<std::size_t>(n == nullptr ? 4 : std::clamp<std::int64_t>(*n, 0, 100)), ' ');
        return Value(replace_all(to_text(value), "\n", "\n" + pad, -1));
      }
    }
    return list_filter(name, value, arguments, line);
  }

  static Value number_filter(const std::string& name, const Value& value) {
    double number = 0;
    if (const auto* i = value.get<std::int64_t>()) {
      number = static_cast<double>(*i);
      if (name == "int") {
        return value;
      }
    } else if (const auto* d = value.get<double>()) {
      number = *d;
    } else if (const auto* b = value.get<bool>()) {
      number = *b ? 1 : 0;
    } else if (value.string() != nullptr) {
      number = std::strtod(value.string()->c_str(), nullptr);
    }
    if (name == "float") {
      return Value(number);
    }
    return Value(std::abs(number) < 9e18 ? static_cast<std::int64_t>(number) : std::int64_t{0});
  }

  Result<Value> list_filter(const std::string& name, const Value& value, const Arguments& arguments,
                            int line) {
    R1_TRY(List list, items_of(value, line));
    const Value* first = arguments.find(0, "");
    if (name == "list") {
      return make_list(std::move(list));
    }
    if (name == "first") {
      return list.empty() ? Value() : list.front();
    }
    if (name == "last") {
      return list.empty() ? Value() : list.back();
    }
    if (name == "join") {
      const Value* by = arguments.find(0, "d");
      const Value* of = arguments.find(1, "attribute");
      std::string out;
      for (std::size_t i = 0; i < list.size(); ++i) {
        Value member = list[i];
        if (of != nullptr) {
          R1_TRY(member, attribute(list[i], to_text(*of), line));
        }
        out += (i == 0 || by == nullptr ? "" : to_text(*by)) + to_text(member);
      }
      return Value(std::move(out));
    }
    if (name == "reverse") {
      std::reverse(list.begin(), list.end());
      if (value.string() != nullptr) {
        std::string out;
        for (const Value& c : list) {
          out += to_text(c);
        }
        return Value(std::move(out));
      }
      return make_list(std::move(list));
    }
    if (name == "sort" || name == "unique" || name == "sum" || name == "max" || name == "min") {
      return fold_filter(name, std::move(list), line);
    }
    if (name == "map") {
      const Value* of =
          arguments.named.contains("attribute") ? &arguments.named.at("attribute") : nullptr;
      for (Value& member : list) {
        if (of != nullptr) {
          R1_TRY(member, attribute(member, to_text(*of), line));
          const Value* fallback =
              arguments.named.contains("default") ? &arguments.named.at("default") : nullptr;
          if (member.is_undefined() && fallback != nullptr) {
            member = *fallback;
          }
        } else if (first != nullptr) {
          Arguments rest;
          rest.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
          R1_TRY(member, filter(to_text(*first), member, rest, line));
        }
      }
      return make_list(std::move(list));
    }
    if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
      const bool by_attribute = name.ends_with("attr");
      const bool keep = name.starts_with("select");
      const std::size_t test_at = by_attribute ? 1 : 0;
      List kept;
      for (Value& member : list) {
        Value subject = member;
        if (by_attribute && first != nullptr) {
          R1_TRY(subject, attribute(member, to_text(*first), line));
        }
        bool holds = is_true(subject);
        if (arguments.positional.size() > test_at) {
          Arguments rest;
          rest.positional.assign(
              arguments.positional.begin() + static_cast<std::ptrdiff_t>(test_at) + 1,
              arguments.positional.end());
          R1_TRY(holds, test(to_text(arguments.positional[test_at]), subject, rest, line));
        }
        if (holds == keep) {
          kept.push_back(std::move(member));
        }
      }
      return make_list(std::move(kept));
    }
    return error(line, fmt::format("filter '{}' is unknown", name));
  }

  static Result<Value> fold_filter(const std::string& name, List list, int line) {
    const auto less = [](const Value& a, const Value& b) {
      if (a.string() != nullptr && b.string() != nullptr) {
        return *a.string() < *b.string();
      }
      const auto number = [](const Value& v) {
        const auto* i = v.get<std::int64_t>();
        const auto* d = v.get<double>();
        return i != nullptr ? static_cast<double>(*i) : (d != nullptr ? *d : 0.0);
      };
      return number(a) < number(b);
    };
    if (name == "sort") {
      std::stable_sort(list.begin(), list.end(), less);
      return make_list(std::move(list));
    }
    if (name == "unique") {
      List kept;
      for (Value& member : list) {
        if (std::none_of(kept.begin(), kept.end(),
                         [&](const Value& old) { return equal(old, member); })) {
          kept.push_back(std::move(member));
        }
      }
      return make_list(std::move(kept));
    }
    if (name == "sum") {
      Value total(std::int64_t{0});
      for (const Value& member : list) {
        R1_TRY(total, arithmetic("+", total, member, line));
      }
      return total;
    }
    if (list.empty()) {
      return Value();
    }
    return name == "max" ? *std::max_element(list.begin(), list.end(), less)
                         : *std::min_element(list.begin(), list.end(), less);
  }

  static Result<bool> test(const std::string& name, const Value& value, const Arguments& arguments,
                           int line) {
    const Value* first = arguments.find(0, "");
    const bool is_integer = value.get<std::int64_t>() != nullptr;
    const bool is_float = value.get<double>() != nullptr;
    if (name == "defined") {
      return !value.is_undefined();
    }
    if (name == "undefined") {
      return value.is_undefined();
    }
    if (name == "none") {
      return value.is_none();
    }
    if (name == "string") {
      return value.string() != nullptr;
    }
    if (name == "mapping") {
      return value.dict() != nullptr;
    }
    if (name == "iterable" || name == "sequence") {
      return value.string() != nullptr || value.list() != nullptr || value.dict() != nullptr;
    }
    if (name == "number") {
      return is_integer || is_float || value.get<bool>() != nullptr;
    }
    if (name == "integer") {
      return is_integer;
    }
    if (name == "float") {
      return is_float;
    }
    if (name == "boolean") {
      return value.get<bool>() != nullptr;
    }
    if (name == "true" || name == "false") {
      return value.get<bool>() != nullptr && *value.get<bool>() == (name == "true");
    }
    if (name == "callable") {
      return value.get<Macro>() != nullptr || value.get<Callable>() != nullptr;
    }
    if (name == "upper" || name == "lower") {
      return value.string() != nullptr &&
             *value.string() == change_case(*value.string(), name == "upper");
    }
    if (name == "odd" || name == "even") {
      return is_integer && (*value.get<std::int64_t>() % 2 != 0) == (name == "odd");
    }
    if (first == nullptr) {
      return error(line, fmt::format("test '{}' is unknown, or lacks its argument", name));
    }
    if (name == "equalto" || name == "eq" || name == "==" || name == "sameas") {
      return equal(value, *first);
    }
    if (name == "ne" || name == "!=") {
      return !equal(value, *first);
    }
    if (name == "in") {
      return contains(*first, value, line);
    }
    if (name == "divisibleby") {
      const auto* by = first->get<std::int64_t>();
      return is_integer && by != nullptr && *by != 0 && *value.get<std::int64_t>() % *by == 0;
    }
    static const std::map<std::string, std::string> kOrders = {
        {"lt", "<"},  {"gt", ">"},       {"le", "<="},
        {"ge", ">="}, {"lessthan", "<"}, {"greaterthan", ">"}};
    if (const auto order = kOrders.find(name); order != kOrders.end()) {
      R1_TRY(const Value holds, arithmetic(order->second, value, *first, line));
      return is_true(holds);
    }
    return error(line, fmt::format("test '{}' is unknown", name));
  }

  const std::string today_;
  const RenderLimits limits_;
  std::vector<Scope> scopes_;
  std::int64_t steps_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<std::string> render(const Body& body, const OrderedJson& variables, const std::string& today,
                           const RenderLimits& limits) {
  return Renderer(today, limits).run(body, variables);
}

}  // namespace r1eval::jinja
