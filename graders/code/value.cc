#include "graders/code/value.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>

namespace r1eval {
namespace {

using Kind = CodeValue::Kind;

constexpr int kMaxDepth = 1000;

class ValueReader {
 public:
  explicit ValueReader(std::string_view bytes) : bytes_(bytes) {}

  Result<CodeValue> read() {
    CodeValue value;
    R1_RETURN_IF_ERROR(read_value(value, 0));
    if (at_ != bytes_.size()) {
      return error("bytes after the value");
    }
    return value;
  }

 private:
  Error error(std::string_view what) const {
    return fail(ErrorCode::kParse, fmt::format("value byte {}: {}", at_, what));
  }

  Status count(std::size_t& out) {
    const std::size_t from = at_;
    out = 0;
    while (at_ < bytes_.size() && bytes_[at_] >= '0' && bytes_[at_] <= '9' && at_ - from < 12) {
      out = out * 10 + static_cast<std::size_t>(bytes_[at_++] - '0');
    }
    return at_ == from || out > bytes_.size() ? Status(error("a broken count")) : ok_status();
  }

  Status text(std::string& out) {
    std::size_t n = 0;
    R1_RETURN_IF_ERROR(count(n));
    if (at_ >= bytes_.size() || bytes_[at_] != ':' || n > bytes_.size() - at_ - 1) {
      return error("a broken length");
    }
    out = std::string(bytes_.substr(at_ + 1, n));
    at_ += n + 1;
    return ok_status();
  }

  Status items(CodeValue& value, std::size_t each, int depth) {
    std::size_t n = 0;
    R1_RETURN_IF_ERROR(count(n));
    if (at_ >= bytes_.size() || bytes_[at_] != ':') {
      return error("a broken count");
    }
    ++at_;
    for (std::size_t i = 0; i < n * each; ++i) {
      R1_RETURN_IF_ERROR(read_value(value.items.emplace_back(), depth + 1));
    }
    return ok_status();
  }

  Status read_value(CodeValue& value, int depth) {
    if (depth > kMaxDepth || at_ >= bytes_.size()) {
      return error(depth > kMaxDepth ? "nested too deep" : "ends too early");
    }
    switch (bytes_[at_++]) {
      case 'N':
        return ok_status();
      case 'T':
      case 'F':
        value.kind = Kind::kBool;
        value.is_true = bytes_[at_ - 1] == 'T';
        return ok_status();
      case 'i': {
        value.kind = Kind::kInt;
        R1_RETURN_IF_ERROR(text(value.text));
        const std::string digits = value.text.substr(value.text.starts_with('-') ? 1 : 0);
        const bool is_canonical =
            !digits.empty() && digits.find_first_not_of("0123456789abcdef") == std::string::npos &&
            (digits[0] != '0' || value.text == "0");
        return is_canonical ? ok_status() : Status(error("a broken integer"));
      }
      case 'd': {
        value.kind = Kind::kFloat;
        std::string number;
        R1_RETURN_IF_ERROR(text(number));
        char* end = nullptr;
        value.number = std::strtod(number.c_str(), &end);
        return number.empty() || end != number.c_str() + number.size()
                   ? Status(error("a broken float"))
                   : ok_status();
      }
      case 's':
        value.kind = Kind::kString;
        return text(value.text);
      case 'l':
        value.kind = Kind::kList;
        return items(value, 1, depth);
      case 't':
        value.kind = Kind::kTuple;
        return items(value, 1, depth);
      case 'e':
        value.kind = Kind::kSet;
        return items(value, 1, depth);
      case 'm':
        value.kind = Kind::kDict;
        return items(value, 2, depth);
      case 'o':
        value.kind = Kind::kOther;
        return text(value.text);
      default:
        --at_;
        return error("an unknown tag");
    }
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace

Result<CodeValue> decode_code_value(std::string_view bytes) {
  return ValueReader(bytes).read();
}

}  // namespace r1eval
