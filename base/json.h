// Reading JSON without exceptions: parse to a Result, fields by name with errors that name them.
//
// nlohmann/json is compiled with its exceptions reachable only inside base/json.cc; elsewhere use
// these readers. Depth is bounded (512), so hostile nesting cannot exhaust the stack.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace r1eval {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // keeps insertion order: for what people read

// Errors: kParse with byte offset and what was expected.
Result<Json> parse_json(std::string_view text);

// One line, UTF-8; invalid UTF-8 is replaced by U+FFFD, so that writing a record never fails.
std::string dump_json(const Json& value);
std::string dump_json(const OrderedJson& value);
// The same, indented by two spaces and with a final newline: for files that people open.
std::string dump_json_pretty(const OrderedJson& value);

// Required fields. Errors: kParse "field 'k': expected a string, got null".
Result<std::string> get_string(const Json& object, std::string_view key);
Result<std::int64_t> get_int(const Json& object, std::string_view key);
Result<double> get_double(const Json& object, std::string_view key);
Result<bool> get_bool(const Json& object, std::string_view key);
// The member, or nullptr when `object` is no object or has no such key (or it is null).
const Json* find_member(const Json& object, std::string_view key);

// Lenient readers, for records that may lack a field or carry null: the fallback instead of an
// error.
std::string string_or(const Json& object, std::string_view key, std::string_view fallback = "");
std::int64_t int_or(const Json& object, std::string_view key, std::int64_t fallback);
double double_or(const Json& object, std::string_view key, double fallback);
bool bool_or(const Json& object, std::string_view key, bool fallback);

// The shortest decimal text that reads back as the same double; "null" for NaN and infinities.
std::string format_double(double value);

}  // namespace r1eval
