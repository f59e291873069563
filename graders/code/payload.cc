#include "graders/code/payload.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

#include "graders/code/text.h"

namespace r1eval {
namespace {

// ---- pickle -------------------------------------------------------------------------------------

// One text's opcodes: [PROTO] [FRAME] text [memo] STOP.
class TextPickle {
 public:
  explicit TextPickle(std::string_view bytes) : bytes_(bytes) {}

  Result<std::string> read() {
    R1_RETURN_IF_ERROR(read_header());
    std::string text;
    R1_RETURN_IF_ERROR(read_text(text));
    R1_RETURN_IF_ERROR(skip_memo());
    if (at_ >= bytes_.size() || bytes_[at_] != '.') {
      return unexpected("STOP");
    }
    ++at_;
    if (at_ != bytes_.size()) {
      return fail(ErrorCode::kParse,
                  fmt::format("pickle byte {}: {} bytes after STOP", at_, bytes_.size() - at_));
    }
    return text;
  }

 private:
  Error unexpected(std::string_view wanted) const {
    if (at_ >= bytes_.size()) {
      return fail(ErrorCode::kParse,
                  fmt::format("pickle byte {}: ends where {} should be", at_, wanted));
    }
    return fail(ErrorCode::kParse,
                fmt::format("pickle byte {}: opcode 0x{:02x} where {} should be; only a pickle of "
                            "one text is read",
                            at_, static_cast<unsigned char>(bytes_[at_]), wanted));
  }

  // A little-endian number of `n` bytes.
  Status number(std::size_t n, std::uint64_t& out) {
    if (bytes_.size() - at_ < n) {
      return fail(ErrorCode::kParse, fmt::format("pickle byte {}: ends inside a number", at_));
    }
    out = 0;
    for (std::size_t i = n; i-- > 0;) {
      out = (out << 8) | static_cast<unsigned char>(bytes_[at_ + i]);
    }
    at_ += n;
    return ok_status();
  }

  bool take(char opcode) {
    if (at_ < bytes_.size() && bytes_[at_] == opcode) {
      ++at_;
      return true;
    }
    return false;
  }

  Status read_header() {
    if (take('\x80')) {
      std::uint64_t protocol = 0;
      R1_RETURN_IF_ERROR(number(1, protocol));
      if (protocol < 2 || protocol > 5) {
        return fail(ErrorCode::kParse,
                    fmt::format("pickle protocol {}: 0 to 5 are known", protocol));
      }
    }
    return skip_frame();
  }

  Status skip_frame() {
    if (take('\x95')) {
      std::uint64_t length = 0;
      R1_RETURN_IF_ERROR(number(8, length));
      if (length > bytes_.size() - at_) {
        return fail(ErrorCode::kParse,
                    fmt::format("pickle byte {}: a frame of {} bytes, {} are left", at_, length,
                                bytes_.size() - at_));
      }
    }
    return ok_status();
  }

  Status read_text(std::string& text) {
    std::uint64_t length = 0;
    if (take('\x8c')) {
      R1_RETURN_IF_ERROR(number(1, length));
    } else if (take('X')) {
      R1_RETURN_IF_ERROR(number(4, length));
    } else if (take('\x8d')) {
      R1_RETURN_IF_ERROR(number(8, length));
    } else if (take('V')) {
      return read_escaped_text(text);
    } else {
      return unexpected("a text");
    }
    if (length > bytes_.size() - at_) {
      return fail(ErrorCode::kParse, fmt::format("pickle byte {}: a text of {} bytes, {} are left",
                                                 at_, length, bytes_.size() - at_));
    }
    text.assign(bytes_.substr(at_, length));
    for (std::size_t i = 0; i < text.size();) {
      if (next_code_point(text, i) >= 0x110000) {
        return fail(ErrorCode::kParse,
                    fmt::format("pickle byte {}: the text is not UTF-8", at_ + i - 1));
      }
    }
    at_ += length;
    return ok_status();
  }

  // Protocol 0: Latin-1 up to a newline, with \uXXXX and \UXXXXXXXX for the rest.
  Status read_escaped_text(std::string& text) {
    const std::size_t end = bytes_.find('\n', at_);
    if (end == std::string_view::npos) {
      return fail(ErrorCode::kParse, fmt::format("pickle byte {}: a text that does not end", at_));
    }
    while (at_ < end) {
      const auto c = static_cast<unsigned char>(bytes_[at_]);
      const std::size_t n = at_ + 1 >= end           ? 0
                            : bytes_[at_ + 1] == 'u' ? 4
                            : bytes_[at_ + 1] == 'U' ? 8
                                                     : 0;
      if (c != '\\' || n == 0) {
        append_utf8(text, c);
        ++at_;
        if (c == '\\' && at_ < end) {  // what a backslash precedes is never the start of an escape
          append_utf8(text, static_cast<unsigned char>(bytes_[at_++]));
        }
        continue;
      }
      char32_t code = 0;
      std::size_t i = at_ + 2;
      for (; i < std::min(end, at_ + 2 + n); ++i) {
        const char d = bytes_[i];
        const int digit = d >= '0' && d <= '9'   ? d - '0'
                          : d >= 'a' && d <= 'f' ? d - 'a' + 10
                          : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                                 : -1;
        if (digit < 0) {
          break;
        }
        code = code * 16 + static_cast<char32_t>(digit);
      }
      if (i != at_ + 2 + n || code > 0x10FFFF) {
        return fail(ErrorCode::kParse, fmt::format("pickle byte {}: a broken escape", at_));
      }
      append_utf8(text, code);
      at_ = i;
    }
    at_ = end + 1;
    return ok_status();
  }

  Status skip_memo() {
    std::uint64_t index = 0;
    if (take('\x94')) {
      return ok_status();
    }
    if (take('q')) {
      return number(1, index);
    }
    if (take('r')) {
      return number(4, index);
    }
    if (take('p')) {
      std::size_t end = at_;
      while (end < bytes_.size() && bytes_[end] >= '0' && bytes_[end] <= '9') {
        ++end;
      }
      if (end == at_ || end - at_ > 9 || end >= bytes_.size() || bytes_[end] != '\n') {
        return fail(ErrorCode::kParse, fmt::format("pickle byte {}: a broken memo index", at_));
      }
      at_ = end + 1;
    }
    return ok_status();
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

constexpr std::array<std::int8_t, 256> base64_values() {
  std::array<std::int8_t, 256> values{};
  for (auto& value : values) {
    value = -1;
  }
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}

}  // namespace

Result<std::string> decode_base64(std::string_view text) {
  constexpr auto kValues = base64_values();
  std::string out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  int n = 0;
  std::size_t at = 0;
  for (; at < text.size() && text[at] != '='; ++at) {
    const char c = text[at];
    if (c == '\n' || c == '\r') {
      continue;
    }
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) {
      return fail(ErrorCode::kParse,
                  fmt::format("base64 byte {}: 0x{:02x} is none of its 64 characters", at,
                              static_cast<unsigned char>(c)));
    }
    group = (group << 6) | static_cast<std::uint32_t>(value);
    if (++n == 4) {
      out += static_cast<char>(group >> 16);
      out += static_cast<char>(group >> 8);
      out += static_cast<char>(group);
      group = 0;
      n = 0;
    }
  }
  int n_padding = 0;
  for (; at < text.size(); ++at) {
    if (text[at] == '=') {
      ++n_padding;
    } else if (text[at] != '\n' && text[at] != '\r') {
      return fail(ErrorCode::kParse, fmt::format("base64 byte {}: text after the padding", at));
    }
  }
  if (n == 1 || (n + n_padding != 4 && (n != 0 || n_padding != 0))) {
    return fail(ErrorCode::kParse, "base64: cut off, or padded wrongly");
  }
  if (n >= 2) {
    group <<= 6 * (4 - n);
    out += static_cast<char>(group >> 16);
    if (n == 3) {
      out += static_cast<char>(group >> 8);
    }
  }
  return out;
}

Result<std::string> inflate_zlib(std::string_view bytes, const PayloadLimits& limits) {
  if (bytes.size() > std::numeric_limits<uInt>::max()) {
    return fail(ErrorCode::kResourceExhausted, "zlib: more than 4 GiB packed");
  }
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) {
    return fail(ErrorCode::kResourceExhausted, "zlib: no memory");
  }

  struct Closer {
    z_stream* stream;

    ~Closer() { inflateEnd(stream); }
  } closer{&stream};

  // zlib reads through a pointer that is not const, and does not write there.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  const auto most = static_cast<std::size_t>(
      std::min(limits.max_inflated_bytes,
               std::max(limits.min_inflated_bytes,
                        static_cast<std::int64_t>(bytes.size()) * limits.max_ratio)));
  std::string out;
  int code = Z_OK;
  while (code == Z_OK) {
    const std::size_t had = out.size();
    const std::size_t step = std::max<std::size_t>(std::size_t{64} << 10, had / 2);
    out.resize(std::min(had + step, most + 1));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + had);
    stream.avail_out = static_cast<uInt>(out.size() - had);
    code = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (out.size() > most) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("zlib: {} packed bytes give more than {}", bytes.size(), most));
    }
    if (code == Z_OK && stream.avail_in == 0 && out.size() == had) {
      break;
    }
  }
  if (code != Z_STREAM_END) {
    return fail(ErrorCode::kParse,
                fmt::format("zlib: {} after {} bytes",
                            stream.msg != nullptr ? stream.msg : "cut off", out.size()));
  }
  if (stream.avail_in != 0) {
    return fail(ErrorCode::kParse, fmt::format("zlib: {} bytes after the end", stream.avail_in));
  }
  return out;
}

Result<std::string> unpickle_text(std::string_view bytes) {
  return TextPickle(bytes).read();
}

Result<std::string> decode_test_payload(std::string_view field, const PayloadLimits& limits) {
  const std::string_view text = python_strip(field);
  if (text.starts_with('[') || text.starts_with('{')) {
    return std::string(field);
  }
  if (text.empty()) {
    return fail(ErrorCode::kParse, "the field is empty");
  }
  R1_TRY(std::string packed, decode_base64(text));
  R1_TRY(const std::string pickle, inflate_zlib(packed, limits));
  packed = std::string();
  return unpickle_text(pickle);
}

}  // namespace r1eval
