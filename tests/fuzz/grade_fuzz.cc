// Compares two arbitrary texts as mathematical answers: any verdict, no crash, no long run.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graders/math/equality.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\n');
  const std::string_view gold = text.substr(0, cut);
  const std::string_view pred = cut == std::string_view::npos ? gold : text.substr(cut + 1);
  const r1eval::MathComparison once = r1eval::compare_math(gold, pred, r1eval::MathRules());
  const r1eval::MathComparison again = r1eval::compare_math(gold, pred, r1eval::MathRules());
  if (once.outcome != again.outcome || once.evidence != again.evidence) {
    __builtin_trap();  // the same pair must get the same verdict
  }
  return 0;
}
