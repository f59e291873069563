// Compares two arbitrary texts as mathematical answers: the same pair gets the same verdict,
// whatever is readable equals itself, and no value equals itself plus one.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "graders/math/equality.h"

namespace {

using r1eval::compare_math;
using r1eval::MathComparison;
using r1eval::MathRules;
using r1eval::Outcome;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\n');
  const std::string_view gold = text.substr(0, cut);
  const std::string_view pred = cut == std::string_view::npos ? gold : text.substr(cut + 1);
  const MathRules rules;
  const MathComparison once = compare_math(gold, pred, rules);
  const MathComparison again = compare_math(gold, pred, rules);
  if (once.outcome != again.outcome || once.evidence != again.evidence) {
    __builtin_trap();
  }
  const MathComparison self = compare_math(gold, gold, rules);
  if (self.outcome == Outcome::kIncorrect) {
    __builtin_trap();
  }
  // A gold with an exact value: its rung says so.
  const MathComparison zero = compare_math(gold, "0.5", rules);
  if (zero.rung == "value" && zero.outcome != Outcome::kUnscored) {
    const std::string& value = zero.gold_form;
    if (compare_math(value, value + "+1", rules).outcome == Outcome::kCorrect) {
      __builtin_trap();
    }
  }
  return 0;
}
