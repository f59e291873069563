#include "graders/code/python_value.h"

#include <fmt/format.h>

#include <boost/multiprecision/cpp_int.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "graders/code/text.h"

namespace r1eval {
namespace {

using Kind = PythonValue::Kind;

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Result<PythonValue> read() {
    skip_space();
    PythonValue value;
    R1_RETURN_IF_ERROR(read_value(value, 0));
    skip_space();
    if (at_ != text_.size()) {
      return error("text after the value");
    }
    return value;
  }

 private:
  Error error(std::string_view what) const {
    return fail(ErrorCode::kParse, fmt::format("at byte {}: {}", at_, what));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) {
      return false;
    }
    at_ += word.size();
    return true;
  }

  Status read_value(PythonValue& value, std::int64_t depth) {
    if (depth > kMaxPythonNesting) {
      return error(fmt::format("nested deeper than {}", kMaxPythonNesting));
    }
    switch (peek()) {
      case '"':
        ++at_;
        value.kind = Kind::kStr;
        return read_string(value.text);
      case '[':
        return read_list(value, depth);
      case '{':
        return read_dict(value, depth);
      default:
        break;
    }
    if (take("null")) {
      return ok_status();
    }
    if (take("true") || take("false")) {
      value.kind = Kind::kBool;
      value.boolean = text_[at_ - 2] == 'u';
      return ok_status();
    }
    value.kind = Kind::kFloat;
    if (take("NaN")) {
      value.number = std::nan("");
      return ok_status();
    }
    if (take("Infinity")) {
      value.number = INFINITY;
      return ok_status();
    }
    if (take("-Infinity")) {
      value.number = -INFINITY;
      return ok_status();
    }
    return read_number(value);
  }

  std::size_t skip_digits(std::size_t from) const {
    while (from < text_.size() && text_[from] >= '0' && text_[from] <= '9') {
      ++from;
    }
    return from;
  }

  Status read_number(PythonValue& value) {
    const std::size_t sign = peek() == '-' ? 1 : 0;
    const std::size_t first = at_ + sign;
    std::size_t end = skip_digits(first);
    if (end == first) {
      return error("expected a value");
    }
    if (text_[first] == '0') {
      end = first + 1;  // what follows a leading zero is not part of the number
    }
    const std::size_t whole_end = end;
    if (end < text_.size() && text_[end] == '.') {
      if (const std::size_t fraction = skip_digits(end + 1); fraction > end + 1) {
        end = fraction;
      }
    }
    if (end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) {
        ++exponent;
      }
      if (const std::size_t digits = skip_digits(exponent); digits > exponent) {
        end = digits;
      }
    }
    const std::string_view literal = text_.substr(at_, end - at_);
    if (end == whole_end) {
      if (static_cast<std::int64_t>(end - first) > kMaxPythonIntDigits) {
        return error(fmt::format("an integer of more than {} digits", kMaxPythonIntDigits));
      }
      value.kind = Kind::kInt;
      value.text = literal == "-0" ? "0" : std::string(literal);
    } else {
      // Out of range gives an infinity or a zero, which from_chars reports and leaves to us.
      const auto [rest, code] =
          std::from_chars(literal.data(), literal.data() + literal.size(), value.number);
      if (code == std::errc::result_out_of_range) {
        value.number = std::strtod(std::string(literal).c_str(), nullptr);
      }
      static_cast<void>(rest);
    }
    at_ = end;
    return ok_status();
  }

  // The four hexadecimal digits at `from`, or -1.
  std::int32_t hex4(std::size_t from) const {
    if (from + 4 > text_.size()) {
      return -1;
    }
    std::int32_t code = 0;
    for (std::size_t i = from; i < from + 4; ++i) {
      const char c = text_[i];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) {
        return -1;
      }
      code = code * 16 + digit;
    }
    return code;
  }

  Status read_escape(std::string& out) {
    if (at_ >= text_.size()) {
      return error("a text that does not end");
    }
    const char c = text_[at_++];
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    if (const std::size_t which = kFrom.find(c); which != std::string_view::npos) {
      out += kTo[which];
      return ok_status();
    }
    if (c != 'u') {
      --at_;
      return error("an unknown escape");
    }
    std::int32_t code = hex4(at_);
    if (code < 0) {
      return error("expected four hexadecimal digits");
    }
    at_ += 4;
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
      const std::int32_t low = hex4(at_ + 2);
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        at_ += 6;
      }
    }
    append_utf8(out, static_cast<char32_t>(code));
    return ok_status();
  }

  // After the opening quote.
  Status read_string(std::string& out) {
    while (true) {
      const std::size_t plain = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        ++at_;
      }
      out.append(text_, plain, at_ - plain);
      if (at_ >= text_.size()) {
        return error("a text that does not end");
      }
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return ok_status();
      }
      if (c != '\\') {
        return error("a control character inside a text");
      }
      ++at_;
      R1_RETURN_IF_ERROR(read_escape(out));
    }
  }

  Status read_list(PythonValue& value, std::int64_t depth) {
    value.kind = Kind::kList;
    ++at_;
    skip_space();
    if (peek() == ']') {
      ++at_;
      return ok_status();
    }
    while (true) {
      R1_RETURN_IF_ERROR(read_value(value.items.emplace_back(), depth + 1));
      skip_space();
      if (peek() == ']') {
        ++at_;
        return ok_status();
      }
      if (peek() != ',') {
        return error("expected ',' or ']'");
      }
      ++at_;
      skip_space();
    }
  }

  Status read_dict(PythonValue& value, std::int64_t depth) {
    value.kind = Kind::kDict;
    ++at_;
    skip_space();
    if (peek() == '}') {
      ++at_;
      return ok_status();
    }
    std::map<std::string, std::size_t> seen;  // key -> index of its value
    while (true) {
      if (peek() != '"') {
        return error("expected a name in double quotes");
      }
      ++at_;
      PythonValue key;
      key.kind = Kind::kStr;
      R1_RETURN_IF_ERROR(read_string(key.text));
      skip_space();
      if (peek() != ':') {
        return error("expected ':'");
      }
      ++at_;
      skip_space();
      PythonValue member;
      R1_RETURN_IF_ERROR(read_value(member, depth + 1));
      const auto [place, is_new] = seen.emplace(key.text, value.items.size() + 1);
      if (is_new) {
        value.items.push_back(std::move(key));
        value.items.push_back(std::move(member));
      } else {
        value.items[place->second] = std::move(member);
      }
      skip_space();
      if (peek() == '}') {
        ++at_;
        return ok_status();
      }
      if (peek() != ',') {
        return error("expected ',' or '}'");
      }
      ++at_;
      skip_space();
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_number(Kind kind) {
  return kind == Kind::kBool || kind == Kind::kInt || kind == Kind::kFloat;
}

// The decimal digits of an integer given as "-ff".
std::string decimal_of_hex(const std::string& hex) {
  const bool is_negative = hex.starts_with('-');
  const std::string digits = hex.substr(is_negative ? 1 : 0);
  if (digits.size() <= 15) {
    std::int64_t small = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), small, 16);
    return std::to_string(is_negative ? -small : small);
  }
  const boost::multiprecision::cpp_int large("0x" + digits);
  return (is_negative ? "-" : "") + large.str();
}

// A text that is the same for two numbers exactly when they are equal; empty for NaN.
std::string number_key(const PythonValue& value) {
  switch (value.kind) {
    case Kind::kBool:
      return value.boolean ? "1" : "0";
    case Kind::kFloat:
      if (std::isnan(value.number)) {
        return "";
      }
      if (std::isinf(value.number)) {
        return value.number > 0 ? "inf" : "-inf";
      }
      if (value.number == 0) {
        return "0";
      }
      // All digits of a whole double; another one equals floats only, bit for bit.
      return std::trunc(value.number) == value.number ? fmt::format("{:.0f}", value.number)
                                                      : fmt::format("{:a}", value.number);
    default:
      return value.text;
  }
}

// As number_key, for anything that can stand in a set or as a key; empty: equal to nothing.
std::string hashable_key(const PythonValue& value, std::int64_t depth) {
  if (is_number(value.kind)) {
    return number_key(value);
  }
  switch (value.kind) {
    case Kind::kNone:
      return "None";
    case Kind::kStr:
      return "s" + value.text;
    case Kind::kTuple: {
      std::string key = "(";
      for (const PythonValue& item : value.items) {
        const std::string part =
            depth > kMaxPythonNesting ? std::string() : hashable_key(item, depth + 1);
        if (part.empty()) {
          return "";
        }
        key += fmt::format("{}:{}", part.size(), part);
      }
      return key;
    }
    case Kind::kSet: {
      std::vector<std::string> parts;
      for (const PythonValue& item : value.items) {
        parts.push_back(depth > kMaxPythonNesting ? std::string() : hashable_key(item, depth + 1));
        if (parts.back().empty()) {
          return "";
        }
      }
      std::sort(parts.begin(), parts.end());
      std::string key = "{";
      for (const std::string& part : parts) {
        key += fmt::format("{}:{}", part.size(), part);
      }
      return key;
    }
    default:
      return "";
  }
}

bool equal(const PythonValue& a, const PythonValue& b, std::int64_t depth) {
  if (depth > kMaxPythonNesting) {
    return false;
  }
  if (is_number(a.kind) && is_number(b.kind)) {
    const std::string key = number_key(a);
    return !key.empty() && key == number_key(b);
  }
  if (a.kind != b.kind) {
    return false;
  }
  switch (a.kind) {
    case Kind::kNone:
      return true;
    case Kind::kStr:
      return a.text == b.text;
    case Kind::kList:
    case Kind::kTuple:
      return a.items.size() == b.items.size() &&
             std::equal(a.items.begin(), a.items.end(), b.items.begin(),
                        [&](const PythonValue& x, const PythonValue& y) {
                          return equal(x, y, depth + 1);
                        });
    case Kind::kDict: {
      if (a.items.size() != b.items.size()) {
        return false;
      }
      std::map<std::string, const PythonValue*> members;
      for (std::size_t i = 0; i + 1 < b.items.size(); i += 2) {
        members.emplace(hashable_key(b.items[i], 0), &b.items[i + 1]);
      }
      for (std::size_t i = 0; i + 1 < a.items.size(); i += 2) {
        const std::string key = hashable_key(a.items[i], 0);
        const auto found = key.empty() ? members.end() : members.find(key);
        if (found == members.end() || !equal(a.items[i + 1], *found->second, depth + 1)) {
          return false;
        }
      }
      return true;
    }
    case Kind::kSet: {
      const std::string key = hashable_key(a, 0);
      return !key.empty() && key == hashable_key(b, 0);
    }
    default:
      return false;
  }
}

void append_repr_text(std::string_view text, std::string& out) {
  const char quote =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"'
                                                                                            : '\'';
  out += quote;
  for (const char c : text) {
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += quote;
}

// Stops adding once `out` is longer than any limit that is used.
void append_repr(const PythonValue& value, std::string& out, std::size_t enough,
                 std::int64_t depth) {
  if (out.size() > enough || depth > kMaxPythonNesting) {
    out += "...";
    return;
  }
  const auto members = [&](std::string_view open, std::string_view close, bool pairs) {
    out += open;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      if (i > 0) {
        out += pairs && i % 2 == 1 ? ": " : ", ";
      }
      if (out.size() > enough) {
        out += "...";
        break;
      }
      append_repr(value.items[i], out, enough, depth + 1);
    }
    out += close;
  };
  switch (value.kind) {
    case Kind::kNone:
      out += "None";
      return;
    case Kind::kBool:
      out += value.boolean ? "True" : "False";
      return;
    case Kind::kFloat:
      if (std::isfinite(value.number)) {
        const std::string digits = fmt::format("{}", value.number);
        out += digits;
        out += digits.find_first_of(".e") == std::string::npos ? ".0" : "";
      } else {
        out += std::isnan(value.number) ? "nan" : value.number > 0 ? "inf" : "-inf";
      }
      return;
    case Kind::kStr:
      append_repr_text(std::string_view(value.text).substr(0, enough + 8), out);
      return;
    case Kind::kList:
      members("[", "]", false);
      return;
    case Kind::kTuple:
      members("(", value.items.size() == 1 ? ",)" : ")", false);
      return;
    case Kind::kDict:
      members("{", "}", true);
      return;
    case Kind::kSet:
      members("{", "}", false);
      return;
    case Kind::kOther:
      out += fmt::format("<{}>", value.text);
      return;
    case Kind::kInt:
      out += value.text;
      return;
  }
}

}  // namespace

Result<PythonValue> parse_python_json(std::string_view text) {
  return JsonReader(text).read();
}

PythonValue to_python_value(CodeValue value) {
  // Digits of 10^kMaxPythonIntDigits in base 16, rounded up.
  constexpr std::int64_t kMaxHexDigits = kMaxPythonIntDigits * 84 / 100;
  PythonValue out;
  switch (value.kind) {
    case CodeValue::Kind::kNone:
      return out;
    case CodeValue::Kind::kBool:
      out.kind = Kind::kBool;
      out.boolean = value.is_true;
      return out;
    case CodeValue::Kind::kInt:
      if (static_cast<std::int64_t>(value.text.size()) > kMaxHexDigits) {
        out.kind = Kind::kOther;
        out.text = fmt::format("an int of {} hexadecimal digits", value.text.size());
        return out;
      }
      out.kind = Kind::kInt;
      out.text = decimal_of_hex(value.text);
      return out;
    case CodeValue::Kind::kFloat:
      out.kind = Kind::kFloat;
      out.number = value.number;
      return out;
    case CodeValue::Kind::kString:
      out.kind = Kind::kStr;
      break;
    case CodeValue::Kind::kList:
      out.kind = Kind::kList;
      break;
    case CodeValue::Kind::kTuple:
      out.kind = Kind::kTuple;
      break;
    case CodeValue::Kind::kSet:
      out.kind = Kind::kSet;
      break;
    case CodeValue::Kind::kDict:
      out.kind = Kind::kDict;
      break;
    case CodeValue::Kind::kOther:
      out.kind = Kind::kOther;
      break;
  }
  out.text = std::move(value.text);
  out.items.reserve(value.items.size());
  for (CodeValue& item : value.items) {
    out.items.push_back(to_python_value(std::move(item)));
  }
  return out;
}

bool python_equal(const PythonValue& a, const PythonValue& b) {
  return equal(a, b, 0);
}

bool returned_value_matches(PythonValue returned, const PythonValue& expected) {
  if (returned.kind == Kind::kTuple) {
    returned.kind = Kind::kList;
  }
  return python_equal(returned, expected);
}

std::string python_repr(const PythonValue& value, std::int64_t limit) {
  std::string out;
  append_repr(value, out, static_cast<std::size_t>(4 * limit), 0);
  return cut_middle(out, limit);
}

}  // namespace r1eval
