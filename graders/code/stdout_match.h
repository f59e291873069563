// What a program printed against what a test expects, exactly as LiveCodeBench's evaluator does it:
// both texts and each of their lines are stripped, line counts must agree, and lines that differ as
// texts still agree when all their words are numbers with pairwise the same exact decimal value.
//
// There is no tolerance: 0.30000000000000004 is not 0.3, while 3.0, 3 and 3e0 are one number.
// Source   LiveCodeBench at 28fef95, and CPython's decimal module for what a number is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace r1eval {

enum class StdoutMatch : std::uint8_t {
  kSame,
  kLineCount,  // another number of lines
  kLine,       // a line differs
  kSignaling,  // a line differs by a signalling NaN, on whose comparison the official evaluator
               // stops with an error of its own
};

struct StdoutComparison {
  StdoutMatch match = StdoutMatch::kSame;
  std::int64_t line = -1;  // of the first difference, from 0
  std::string got;         // that line as compared, cut in the middle
  std::string expected;
};

StdoutComparison compare_stdout(std::string_view got, std::string_view expected);

// A word as Python's Decimal(word) reads it.
struct DecimalWord {
  enum class Kind : std::uint8_t { kFinite, kInfinity, kNaN, kSignalingNaN };
  Kind kind = Kind::kFinite;
  bool is_negative = false;
  std::string digits;         // without zeros at either end; empty for zero
  std::int64_t exponent = 0;  // the value is digits * 10^exponent
};

// Empty when Decimal would raise. Underscores anywhere and digits of every script are read.
std::optional<DecimalWord> read_decimal_word(std::string_view word);

}  // namespace r1eval
