// Letters from arbitrary replies: only options, one unless several may be right, a span inside the
// text, the same twice. The first byte says how many options there are and what the rules are.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "graders/extract/choice.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const std::size_t n = 2 + data[0] % 25U;
  const std::string options = all.substr(0, n);
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<std::string> option_texts;
  if ((data[0] & 0x80U) != 0) {
    for (std::size_t k = 0; k < n; ++k) {
      option_texts.push_back(k == 1 ? "0.5 m" : "option " + std::to_string(k));
    }
  }
  for (const bool is_multi : {false, true}) {
    r1eval::ChoiceRules rules;
    rules.options = options;
    rules.option_texts = option_texts;
    rules.is_multi = is_multi;
    rules.is_case_sensitive = (data[0] & 0x40U) != 0;
    const r1eval::ChosenLetter chosen = r1eval::extract_choice(text, rules);
    const r1eval::ChosenLetter again = r1eval::extract_choice(text, rules);
    const bool is_inside =
        chosen.letters.empty() || (chosen.from >= -1 && chosen.from <= chosen.to &&
                                   chosen.to <= static_cast<std::int64_t>(text.size()));
    if (chosen.letters.find_first_not_of(options) != std::string::npos || !is_inside ||
        (!is_multi && chosen.letters.size() > 1) || chosen.letters != again.letters) {
      __builtin_trap();
    }
  }
  return 0;
}
