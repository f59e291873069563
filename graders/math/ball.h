// Ball arithmetic: both sides are evaluated with rigorous error bounds (Arb: F. Johansson, "Arb:
// efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Trans. Computers 66(8),
// 2017). Balls that do not meet prove that two values differ. Values that agree to kAgreementBits
// at every sample point are taken for equal, and the evidence says that this is no proof.
#pragma once

#include <cstdint>
#include <string>

#include "graders/math/expression.h"

namespace r1eval {

enum class Balls : std::uint8_t { kDifferent, kAgree, kUnknown };

// `fuel` is spent by operation and precision; below zero the answer is kUnknown.
Balls compare_balls(const Expression& a, std::int32_t ia, const Expression& b, std::int32_t ib,
                    std::int64_t& fuel, std::string& evidence);

}  // namespace r1eval
