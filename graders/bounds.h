// Every limit on model text, in one place: past each of them a grader stops looking, never crashes.
//
// Units are in the names. Work is counted in deterministic steps, never by the clock, so a loaded
// machine grades like an idle one.
#pragma once

#include <cstdint>

namespace r1eval::bounds {

inline constexpr std::int64_t kMaxScannedBytes = 8 << 20;     // of a completion; the tail is kept
inline constexpr std::int64_t kMaxExpressionBytes = 8 << 10;  // of one candidate answer
inline constexpr std::int64_t kMaxTokens = 4096;
inline constexpr std::int64_t kMaxNesting = 128;
inline constexpr std::int64_t kMaxNodes = 4096;
inline constexpr std::int64_t kMaxUnfolded = 16384;  // parts of a product of matrices, each use
inline constexpr std::int64_t kMaxLiteralDigits = 10000;
inline constexpr std::int64_t kMaxExactBits = 65536;  // of an exact integer result
inline constexpr std::int64_t kMaxFactorial = 2000;   // larger ones stay symbols
inline constexpr std::int64_t kMaxSetMembers = 256;
inline constexpr std::int64_t kMaxMatrixCells = 256;
inline constexpr std::int64_t kMaxPlusMinus = 4;          // 2^4 readings
inline constexpr std::int64_t kMaxExactFuel = 3 << 20;    // steps of exact arithmetic, of 5 ns
inline constexpr std::int64_t kMaxRepeatedTerms = 10000;  // of a sum or product with bounds
inline constexpr std::int64_t kMaxFactors = 512;          // in one product
inline constexpr std::int64_t kMaxPostfixes = 64;    // signs after one value, members of a union
inline constexpr std::int64_t kMaxFuel = 400000;     // steps for one pair
inline constexpr std::int64_t kMaxSignChoices = 64;  // branches of nested radicals tried
// Constants that the exact rung takes on: both sides together.
inline constexpr std::int64_t kMaxConstantNodes = 120;
inline constexpr std::int64_t kMaxConstantDegree =
    48;  // product of the degrees of roots and functions
inline constexpr std::int64_t kMaxConstantBits = 256;  // of one rational
inline constexpr std::int64_t kMaxOptions = 26;
inline constexpr std::int64_t kMaxStatements = 32;  // "the answer is …" tried from the end
inline constexpr std::int64_t kMaxBoxes = 4096;  // boxes of one completion, the last ones

}  // namespace r1eval::bounds
