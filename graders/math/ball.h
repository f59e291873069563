// Ball arithmetic: both sides are evaluated with rigorous error bounds (Arb: F. Johansson, "Arb:
// efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Computers 66(8),
// 2017). Balls that do not meet prove that two values differ. Values that agree to kAgreementBits
// at every sample point are taken for equal, and the evidence says that this is no proof.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "graders/math/expression.h"

namespace r1eval {

enum class Balls : std::uint8_t { kDifferent, kAgree, kUnknown };

// `fuel` is spent by operation and precision; below zero the answer is kUnknown.
Balls compare_balls(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                    std::int64_t& fuel, std::string& evidence);

// The cheap half of compare_balls: kDifferent is proved, kAgree only says that the balls of a few
// hundred bits meet wherever both sides have a value.
Balls balls_meet(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                 std::int64_t& fuel, std::string& evidence);

// Is |a - b| <= 10^-decimals min(1, max(|a|, |b|))? For constants; nothing where a side has no
// value or the balls cannot tell.
std::optional<bool> within_tolerance(const Expression& a, std::int32_t ia, const Expression& b,
                                     std::int32_t ib, int decimals, std::int64_t& fuel);

// The sign of a - b for two real constants of one tree; b < 0: the sign of a. Never 0 unless
// exactly zero; nothing where the balls cannot tell.
std::optional<int> order_of(const Expression& e, std::int32_t a, std::int32_t b,
                            std::int64_t& fuel);
// The floor of a real constant that is no integer; nothing where the balls cannot tell.
std::optional<Integer> floor_of(const Expression& e, std::int32_t id, std::int64_t& fuel);

}  // namespace r1eval
