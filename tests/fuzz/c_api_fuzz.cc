// The C interface with arbitrary gold and text: no failure, an outcome that exists, a span inside
// the text. The first byte chooses grader and profile; the first line is the gold.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "r1eval/grade.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const bool is_choice = (data[0] & 1U) != 0;
  r1eval_grader* const grader = r1eval_grader_new(
      is_choice ? "choice" : "math", (data[0] & 8U) != 0 ? "salvage-unfinished" : nullptr,
      (data[0] & 2U) != 0 ? 1 : 0);
  if (is_choice) {
    r1eval_grader_set_options(grader, 2 + (data[0] >> 4U));
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = text.find('\n');
  const std::string_view gold = text.substr(0, cut);
  const std::string_view reply = cut == std::string_view::npos ? gold : text.substr(cut + 1);
  r1eval_verdict verdict{};
  if (r1eval_grade(grader, gold.data(), gold.size(), reply.data(), reply.size(), &verdict) == 0) {
    if (verdict.outcome < R1EVAL_CORRECT || verdict.outcome > R1EVAL_UNSCORED ||
        verdict.span_to > static_cast<std::int64_t>(reply.size()) || verdict.answer == nullptr ||
        verdict.evidence == nullptr) {
      __builtin_trap();
    }
  }
  r1eval_grader_free(grader);
  return 0;
}
