#include "graders/code/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace r1eval {
namespace {

// The zeros of all scripts with decimal digits (Unicode 14, category Nd); nine digits follow each.
constexpr std::array<char32_t, 66> kZeros = {
    0x30,    0x660,   0x6F0,   0x7C0,   0x966,   0x9E6,   0xA66,   0xAE6,   0xB66,   0xBE6,
    0xC66,   0xCE6,   0xD66,   0xDE6,   0xE50,   0xED0,   0xF20,   0x1040,  0x1090,  0x17E0,
    0x1810,  0x1946,  0x19D0,  0x1A80,  0x1A90,  0x1B50,  0x1BB0,  0x1C40,  0x1C50,  0xA620,
    0xA8D0,  0xA900,  0xA9D0,  0xA9F0,  0xAA50,  0xABF0,  0xFF10,  0x104A0, 0x10D30, 0x11066,
    0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0,
    0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2,
    0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0};

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

}  // namespace

bool is_python_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

int python_decimal_digit(char32_t c) {
  const auto above = std::upper_bound(kZeros.begin(), kZeros.end(), c);
  if (above == kZeros.begin()) {
    return -1;
  }
  const char32_t digit = c - *(above - 1);
  return digit < 10 ? static_cast<int>(digit) : -1;
}

char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0x80) {
    ++at;
    return first;
  }
  const std::size_t n = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  char32_t code = first & (0xFFU >> (n + 1));
  bool is_valid = first >= 0xC2 && first <= 0xF4 && at + n <= text.size();
  for (std::size_t i = 1; is_valid && i < n; ++i) {
    is_valid = is_continuation(text[at + i]);
    code = (code << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  is_valid =
      is_valid && code <= 0x10FFFF && (n != 3 || code >= 0x800) && (n != 4 || code >= 0x10000);
  if (!is_valid) {
    ++at;
    return 0x110000 + first;
  }
  at += n;
  return code;
}

void append_utf8(std::string& out, char32_t c) {
  const auto add = [&out](char32_t byte) { out += static_cast<char>(byte); };
  if (c < 0x80) {
    add(c);
  } else if (c < 0x800) {
    add(0xC0 | (c >> 6));
    add(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    add(0xE0 | (c >> 12));
    add(0x80 | ((c >> 6) & 0x3F));
    add(0x80 | (c & 0x3F));
  } else {
    add(0xF0 | (c >> 18));
    add(0x80 | ((c >> 12) & 0x3F));
    add(0x80 | ((c >> 6) & 0x3F));
    add(0x80 | (c & 0x3F));
  }
}

std::string_view python_strip(std::string_view text) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t next = begin;
    if (!is_python_space(next_code_point(text, next))) {
      break;
    }
    begin = next;
  }
  std::size_t end = text.size();
  while (end > begin) {
    // No white space is longer than three bytes.
    std::size_t last = end - 1;
    while (last > begin && end - last < 3 && is_continuation(text[last])) {
      --last;
    }
    std::size_t next = last;
    if (!is_python_space(next_code_point(text, next)) || next != end) {
      break;
    }
    end = last;
  }
  return text.substr(begin, end - begin);
}

std::vector<std::string_view> python_split(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t at = 0;
  std::size_t begin = 0;
  while (at < text.size()) {
    const std::size_t before = at;
    if (is_python_space(next_code_point(text, at))) {
      if (before > begin) {
        parts.push_back(text.substr(begin, before - begin));
      }
      begin = at;
    }
  }
  if (begin < text.size()) {
    parts.push_back(text.substr(begin));
  }
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (true) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return lines;
    }
    text.remove_prefix(end + 1);
  }
}

std::string cut_middle(std::string_view text, std::int64_t limit) {
  const auto most = static_cast<std::size_t>(limit);
  if (text.size() <= most) {
    return std::string(text);
  }
  std::size_t head = most / 2;
  while (head > 0 && is_continuation(text[head])) {
    --head;
  }
  std::size_t tail = text.size() - most / 2;
  while (tail < text.size() && is_continuation(text[tail])) {
    ++tail;
  }
  return fmt::format("{}...({} bytes)...{}", text.substr(0, head), text.size(), text.substr(tail));
}

}  // namespace r1eval
