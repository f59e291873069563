#include "graders/code/stdout_match.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "graders/code/text.h"

namespace r1eval {
namespace {

constexpr std::int64_t kShownBytes = 300;
// Limits of exact decimals in a 64-bit CPython.
constexpr std::int64_t kMaxAdjusted = 999'999'999'999'999'999;
constexpr std::int64_t kMinExponent = -1'999'999'999'999'999'997;

// ASCII for what may stand in a number, without underscores; empty when another character occurs.
std::string as_ascii(std::string_view word) {
  std::string ascii;
  ascii.reserve(word.size());
  std::size_t at = 0;
  while (at < word.size()) {
    const char32_t c = next_code_point(word, at);
    if (c == '_') {
      continue;
    }
    if (c > 0 && c < 0x80) {
      ascii += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
      continue;
    }
    const int digit = python_decimal_digit(c);
    if (digit < 0) {
      return "";
    }
    ascii += static_cast<char>('0' + digit);
  }
  return ascii;
}

std::size_t skip_digits(std::string_view text, std::size_t from) {
  while (from < text.size() && text[from] >= '0' && text[from] <= '9') {
    ++from;
  }
  return from;
}

// False when the exponent is far beyond every limit.
bool read_exponent(std::string_view digits, bool is_negative, std::int64_t& out) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.size() > 18 + 1) {
    return false;
  }
  std::int64_t value = 0;
  for (const char c : digits) {
    if (value > 400'000'000'000'000'000) {
      return false;
    }
    value = value * 10 + (c - '0');
  }
  out = is_negative ? -value : value;
  return true;
}

std::optional<DecimalWord> read_finite(std::string_view text, bool is_negative) {
  const std::size_t whole = skip_digits(text, 0);
  std::string digits(text.substr(0, whole));
  std::size_t end = whole;
  std::int64_t fraction = 0;
  if (end < text.size() && text[end] == '.') {
    const std::size_t after = skip_digits(text, end + 1);
    fraction = static_cast<std::int64_t>(after - end - 1);
    digits += text.substr(end + 1, after - end - 1);
    end = after;
  }
  if (digits.empty()) {
    return std::nullopt;
  }
  std::int64_t exponent = 0;
  if (end < text.size() && text[end] == 'e') {
    std::size_t first = end + 1;
    const bool minus = first < text.size() && text[first] == '-';
    if (first < text.size() && (text[first] == '+' || text[first] == '-')) {
      ++first;
    }
    const std::size_t after = skip_digits(text, first);
    if (after == first || !read_exponent(text.substr(first, after - first), minus, exponent)) {
      return std::nullopt;
    }
    end = after;
  }
  if (end != text.size()) {
    return std::nullopt;
  }
  exponent -= fraction;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  const auto n = std::max<std::int64_t>(1, static_cast<std::int64_t>(digits.size()));
  if (exponent + n - 1 > kMaxAdjusted || exponent < kMinExponent) {
    return std::nullopt;
  }
  DecimalWord word;
  word.is_negative = is_negative && !digits.empty();
  const std::size_t last = digits.find_last_not_of('0');
  if (last == std::string::npos) {
    return word;  // zeros are equal whatever their exponent and sign
  }
  word.exponent = exponent + static_cast<std::int64_t>(digits.size() - last - 1);
  digits.resize(last + 1);
  word.digits = std::move(digits);
  return word;
}

enum class Comparison : std::uint8_t { kEqual, kDifferent, kRaises };

Comparison compare_words(const DecimalWord& a, const DecimalWord& b) {
  using Kind = DecimalWord::Kind;
  if (a.kind == Kind::kSignalingNaN || b.kind == Kind::kSignalingNaN) {
    return Comparison::kRaises;
  }
  const bool same = a.kind != Kind::kNaN && a.kind == b.kind && a.is_negative == b.is_negative &&
                    a.digits == b.digits && a.exponent == b.exponent;
  return same ? Comparison::kEqual : Comparison::kDifferent;
}

// All words of a line as numbers, or nothing.
std::optional<std::vector<DecimalWord>> read_numbers(std::string_view line) {
  std::vector<DecimalWord> numbers;
  for (const std::string_view word : python_split(line)) {
    std::optional<DecimalWord> number = read_decimal_word(word);
    if (!number) {
      return std::nullopt;
    }
    numbers.push_back(*std::move(number));
  }
  return numbers;
}

StdoutMatch compare_lines(std::string_view got, std::string_view expected) {
  if (got == expected) {
    return StdoutMatch::kSame;
  }
  const auto got_numbers = read_numbers(got);
  if (!got_numbers) {
    return StdoutMatch::kLine;
  }
  const auto expected_numbers = read_numbers(expected);
  if (!expected_numbers || expected_numbers->size() != got_numbers->size()) {
    return StdoutMatch::kLine;
  }
  for (std::size_t i = 0; i < got_numbers->size(); ++i) {
    const Comparison comparison = compare_words((*got_numbers)[i], (*expected_numbers)[i]);
    if (comparison != Comparison::kEqual) {
      return comparison == Comparison::kRaises ? StdoutMatch::kSignaling : StdoutMatch::kLine;
    }
  }
  return StdoutMatch::kSame;
}

}  // namespace

std::optional<DecimalWord> read_decimal_word(std::string_view word) {
  const std::string ascii = as_ascii(word);
  std::string_view text = ascii;
  if (text.empty()) {
    return std::nullopt;
  }
  DecimalWord number;
  if (text.front() == '+' || text.front() == '-') {
    number.is_negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "inf" || text == "infinity") {
    number.kind = DecimalWord::Kind::kInfinity;
    return number;
  }
  const bool is_signaling = text.starts_with("snan");
  if (is_signaling || text.starts_with("nan")) {
    const std::size_t payload = is_signaling ? 4 : 3;
    if (skip_digits(text, payload) != text.size()) {
      return std::nullopt;
    }
    number.kind = is_signaling ? DecimalWord::Kind::kSignalingNaN : DecimalWord::Kind::kNaN;
    return number;
  }
  return read_finite(text, number.is_negative);
}

StdoutComparison compare_stdout(std::string_view got, std::string_view expected) {
  const std::vector<std::string_view> got_lines = split_lines(python_strip(got));
  const std::vector<std::string_view> expected_lines = split_lines(python_strip(expected));
  StdoutComparison comparison;
  const std::size_t n = std::min(got_lines.size(), expected_lines.size());
  const bool same_count = got_lines.size() == expected_lines.size();
  for (std::size_t i = 0; i < n; ++i) {
    const std::string_view got_line = python_strip(got_lines[i]);
    const std::string_view expected_line = python_strip(expected_lines[i]);
    const StdoutMatch match = compare_lines(got_line, expected_line);
    if (match != StdoutMatch::kSame) {
      comparison.match = same_count ? match : StdoutMatch::kLineCount;
      comparison.line = static_cast<std::int64_t>(i);
      comparison.got = cut_middle(got_line, kShownBytes);
      comparison.expected = cut_middle(expected_line, kShownBytes);
      return comparison;
    }
  }
  if (!same_count) {
    comparison.match = StdoutMatch::kLineCount;
    comparison.line = static_cast<std::int64_t>(n);
    comparison.got =
        n < got_lines.size() ? cut_middle(python_strip(got_lines[n]), kShownBytes) : "";
    comparison.expected =
        n < expected_lines.size() ? cut_middle(python_strip(expected_lines[n]), kShownBytes) : "";
  }
  return comparison;
}

}  // namespace r1eval
