// Values of a template: what Python's None, bool, int, float, str, list and dict are there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"

namespace r1eval::jinja {

struct Undefined {
  bool operator==(const Undefined&) const = default;
};

struct None {
  bool operator==(const None&) const = default;
};

struct Value;
struct Stmt;
using List = std::vector<Value>;
using Dict = std::vector<std::pair<std::string, Value>>;  // in order of insertion

struct Macro {
  const Stmt* stmt = nullptr;
};

// A method of a value, or a global function, waiting for its arguments.
struct Callable {
  std::string name;
  std::shared_ptr<Value> self;  // null for global functions
};

struct Value {
  std::variant<Undefined, None, bool, std::int64_t, double, std::string, std::shared_ptr<List>,
               std::shared_ptr<Dict>, Macro, Callable>
      data;
  bool is_namespace = false;

  Value() = default;

  template <typename T>
  Value(T value) : data(std::move(value)) {}

  template <typename T>
  const T* get() const {
    return std::get_if<T>(&data);
  }

  const std::string* string() const { return get<std::string>(); }

  const List* list() const {
    const auto* p = get<std::shared_ptr<List>>();
    return p == nullptr ? nullptr : p->get();
  }

  Dict* dict() const {
    const auto* p = get<std::shared_ptr<Dict>>();
    return p == nullptr ? nullptr : p->get();
  }

  bool is_undefined() const { return get<Undefined>() != nullptr; }

  bool is_none() const { return get<None>() != nullptr; }
};

Value make_list(List list);
Value make_dict(Dict dict);
Value from_json(const OrderedJson& json);
Value from_json(const Json& json);
const Value* find(const Dict& dict, const std::string& key);
void put(Dict& dict, const std::string& key, Value value);

bool is_true(const Value& value);
bool equal(const Value& a, const Value& b);
// What {{ value }} prints: str() of Python.
std::string to_text(const Value& value);
// json.dumps with ensure_ascii=False; indent < 0: one line.
std::string to_json(const Value& value, int indent);
std::string type_name(const Value& value);
// Characters of UTF-8 text, one string each.
std::vector<std::string> characters(const std::string& text);

}  // namespace r1eval::jinja
