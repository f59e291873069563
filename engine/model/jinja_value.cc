#include "engine/model/jinja_value.h"

#include <algorithm>
#include <cmath>

namespace r1eval::jinja {
namespace {

std::optional<double> number_of(const Value& value) {
  if (const auto* b = value.get<bool>()) {
    return *b ? 1 : 0;
  }
  if (const auto* i = value.get<std::int64_t>()) {
    return static_cast<double>(*i);
  }
  if (const auto* d = value.get<double>()) {
    return *d;
  }
  return std::nullopt;
}

std::string float_text(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value > 0 ? "inf" : "-inf";
  }
  std::string text = format_double(value);
  if (text.find_first_of(".e") == std::string::npos) {
    text += ".0";
  }
  return text;
}

// repr() of Python, for texts inside lists and dicts.
std::string repr(const Value& value) {
  const std::string* text = value.string();
  if (text == nullptr) {
    return to_text(value);
  }
  const char quote =
      text->find('\'') != std::string::npos && text->find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : *text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\\' || c == quote) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out + quote;
}

std::string json_string(const std::string& text) {
  return dump_json(Json(text));
}

void write_json(const Value& value, int indent, int depth, std::string& out) {
  const auto line = [&](int d) {
    if (indent >= 0) {
      out += '\n';
      out.append(static_cast<std::size_t>(indent * d), ' ');
    }
  };
  const std::string separator = indent >= 0 ? "," : ", ";
  if (const List* list = value.list()) {
    if (list->empty()) {
      out += "[]";
      return;
    }
    out += '[';
    for (std::size_t i = 0; i < list->size(); ++i) {
      out += i == 0 ? "" : separator;
      line(depth + 1);
      write_json((*list)[i], indent, depth + 1, out);
    }
    line(depth);
    out += ']';
  } else if (const Dict* dict = value.dict()) {
    if (dict->empty()) {
      out += "{}";
      return;
    }
    out += '{';
    for (std::size_t i = 0; i < dict->size(); ++i) {
      out += i == 0 ? "" : separator;
      line(depth + 1);
      out += json_string((*dict)[i].first) + ": ";
      write_json((*dict)[i].second, indent, depth + 1, out);
    }
    line(depth);
    out += '}';
  } else if (const std::string* text = value.string()) {
    out += json_string(*text);
  } else if (const auto* b = value.get<bool>()) {
    out += *b ? "true" : "false";
  } else if (value.get<std::int64_t>() != nullptr || value.get<double>() != nullptr) {
    out += to_text(value);
  } else {
    out += "null";
  }
}

template <typename J>
Value convert(const J& json) {
  if (json.is_string()) {
    return Value(json.template get<std::string>());
  }
  if (json.is_boolean()) {
    return Value(json.template get<bool>());
  }
  if (json.is_number_integer()) {
    return Value(json.template get<std::int64_t>());
  }
  if (json.is_number()) {
    return Value(json.template get<double>());
  }
  if (json.is_array()) {
    List list;
    for (const auto& member : json) {
      list.push_back(convert(member));
    }
    return make_list(std::move(list));
  }
  if (json.is_object()) {
    Dict dict;
    for (const auto& [key, member] : json.items()) {
      dict.emplace_back(key, convert(member));
    }
    return make_dict(std::move(dict));
  }
  return Value(None{});
}

}  // namespace

Value make_list(List list) {
  return Value(std::make_shared<List>(std::move(list)));
}

Value make_dict(Dict dict) {
  return Value(std::make_shared<Dict>(std::move(dict)));
}

Value from_json(const OrderedJson& json) {
  return convert(json);
}

Value from_json(const Json& json) {
  return convert(json);
}

const Value* find(const Dict& dict, const std::string& key) {
  for (const auto& [name, value] : dict) {
    if (name == key) {
      return &value;
    }
  }
  return nullptr;
}

void put(Dict& dict, const std::string& key, Value value) {
  for (auto& [name, old] : dict) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  dict.emplace_back(key, std::move(value));
}

bool is_true(const Value& value) {
  if (const auto number = number_of(value)) {
    return *number != 0;
  }
  if (const std::string* text = value.string()) {
    return !text->empty();
  }
  if (const List* list = value.list()) {
    return !list->empty();
  }
  if (const Dict* dict = value.dict()) {
    return !dict->empty() || value.is_namespace;
  }
  return !value.is_undefined() && !value.is_none();
}

bool equal(const Value& a, const Value& b) {
  const auto x = number_of(a);
  const auto y = number_of(b);
  if (x || y) {
    return x && y && *x == *y;
  }
  if (const std::string* text = a.string()) {
    return b.string() != nullptr && *text == *b.string();
  }
  if (const List* list = a.list()) {
    return b.list() != nullptr && list->size() == b.list()->size() &&
           std::equal(list->begin(), list->end(), b.list()->begin(), equal);
  }
  if (const Dict* dict = a.dict()) {
    if (b.dict() == nullptr || dict->size() != b.dict()->size()) {
      return false;
    }
    return std::all_of(dict->begin(), dict->end(), [&](const auto& member) {
      const Value* other = find(*b.dict(), member.first);
      return other != nullptr && equal(member.second, *other);
    });
  }
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

std::string to_text(const Value& value) {
  if (const std::string* text = value.string()) {
    return *text;
  }
  if (const auto* b = value.get<bool>()) {
    return *b ? "True" : "False";
  }
  if (const auto* i = value.get<std::int64_t>()) {
    return std::to_string(*i);
  }
  if (const auto* d = value.get<double>()) {
    return float_text(*d);
  }
  if (value.is_none()) {
    return "None";
  }
  std::string out;
  if (const List* list = value.list()) {
    for (const Value& member : *list) {
      out += (out.empty() ? "" : ", ") + repr(member);
    }
    return "[" + out + "]";
  }
  if (const Dict* dict = value.dict()) {
    for (const auto& [key, member] : *dict) {
      out += (out.empty() ? "" : ", ") + repr(Value(key)) + ": " + repr(member);
    }
    return "{" + out + "}";
  }
  return "";
}

std::string to_json(const Value& value, int indent) {
  std::string out;
  write_json(value, indent, 0, out);
  return out;
}

std::string type_name(const Value& value) {
  static constexpr const char* kNames[] = {"undefined", "None",      "a bool", "an int",
                                           "a float",   "a text",    "a list", "a dict",
                                           "a macro",   "a function"};
  return kNames[value.data.index()];
}

std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80 && !out.empty()) {
      out.back() += c;
    } else {
      out.emplace_back(1, c);
    }
  }
  return out;
}

}  // namespace r1eval::jinja
