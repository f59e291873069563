#include "base/json.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace r1eval {
namespace {

constexpr int kMaxDepth = 512;

// Validates before the tree is built: nlohmann's own parser does not recurse, but destroying and
// dumping a tree does, so depth has to be refused up front.
class DepthSax : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }

  bool boolean(bool) override { return true; }

  bool number_integer(number_integer_t) override { return true; }

  bool number_unsigned(number_unsigned_t) override { return true; }

  bool number_float(number_float_t, const string_t&) override { return true; }

  bool string(string_t&) override { return true; }

  bool binary(binary_t&) override { return true; }

  bool start_object(std::size_t) override { return enter(); }

  bool key(string_t&) override { return true; }

  bool end_object() override {
    --depth_;
    return true;
  }

  bool start_array(std::size_t) override { return enter(); }

  bool end_array() override {
    --depth_;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& exception) override {
    position_ = position;
    message_ = exception.what();
    return false;
  }

  const std::string& message() const { return message_; }

  std::size_t position() const { return position_; }

 private:
  bool enter() {
    if (++depth_ > kMaxDepth) {
      message_ = fmt::format("nested deeper than {} levels", kMaxDepth);
      return false;
    }
    return true;
  }

  int depth_ = 0;
  std::size_t position_ = 0;
  std::string message_;
};

// Cheap upper bound of the nesting: only texts that might be too deep pay for the second pass.
bool may_be_deep(std::string_view text) {
  int open = 0;
  for (const char c : text) {
    open += static_cast<int>(c == '[' || c == '{');
    if (open > kMaxDepth) {
      return true;
    }
  }
  return false;
}

// "[json.exception.parse_error.101] parse error at line 1, column 5: …" without the first part.
std::string plain_message(std::string_view what) {
  const size_t end = what.find("] ");
  return std::string(end == std::string_view::npos ? what : what.substr(end + 2));
}

template <typename J>
std::string dump_with(const J& value, int indent) {
  return value.dump(indent, ' ', false, J::error_handler_t::replace);
}

std::string_view type_name(const Json* value) {
  return value == nullptr ? std::string_view("nothing") : std::string_view(value->type_name());
}

Error wrong_type(std::string_view key, std::string_view expected, const Json* got) {
  return fail(ErrorCode::kParse,
              fmt::format("field '{}': expected {}, got {}", key, expected, type_name(got)));
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (may_be_deep(text)) {
    DepthSax sax;
    if (!Json::sax_parse(text, &sax)) {
      return fail(ErrorCode::kParse, "JSON: " + plain_message(sax.message()));
    }
  }
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    DepthSax sax;
    (void)Json::sax_parse(text, &sax);
    return fail(ErrorCode::kParse, "JSON: " + plain_message(sax.message()));
  }
  return value;
}

std::string dump_json(const Json& value) {
  return dump_with(value, -1);
}

std::string dump_json(const OrderedJson& value) {
  return dump_with(value, -1);
}

std::string dump_json_pretty(const OrderedJson& value) {
  return dump_with(value, 2) + "\n";
}

const Json* find_member(const Json& object, std::string_view key) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

Result<std::string> get_string(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  if (member == nullptr || !member->is_string()) {
    return wrong_type(key, "a string", member);
  }
  return member->get<std::string>();
}

Result<std::int64_t> get_int(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  if (member == nullptr || !member->is_number_integer()) {
    return wrong_type(key, "an integer", member);
  }
  return member->get<std::int64_t>();
}

Result<double> get_double(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  if (member == nullptr || !member->is_number()) {
    return wrong_type(key, "a number", member);
  }
  return member->get<double>();
}

Result<bool> get_bool(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  if (member == nullptr || !member->is_boolean()) {
    return wrong_type(key, "true or false", member);
  }
  return member->get<bool>();
}

std::string string_or(const Json& object, std::string_view key, std::string_view fallback) {
  const Json* member = find_member(object, key);
  return member != nullptr && member->is_string() ? member->get<std::string>()
                                                  : std::string(fallback);
}

std::int64_t int_or(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json* member = find_member(object, key);
  return member != nullptr && member->is_number_integer() ? member->get<std::int64_t>() : fallback;
}

double double_or(const Json& object, std::string_view key, double fallback) {
  const Json* member = find_member(object, key);
  return member != nullptr && member->is_number() ? member->get<double>() : fallback;
}

bool bool_or(const Json& object, std::string_view key, bool fallback) {
  const Json* member = find_member(object, key);
  return member != nullptr && member->is_boolean() ? member->get<bool>() : fallback;
}

std::string format_double(double value) {
  if (!std::isfinite(value)) {
    return "null";
  }
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return error == std::errc() ? std::string(buffer, end) : std::string("null");
}

}  // namespace r1eval
