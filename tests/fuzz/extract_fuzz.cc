// Extraction from arbitrary text: spans lie inside it, and letters are among the options.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graders/extract/choice.h"
#include "graders/extract/math_answer.h"
#include "graders/extract/thinking.h"
#include "graders/math/equality.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto limit = static_cast<std::int64_t>(size);
  const r1eval::FoundAnswer found = r1eval::find_math_answer(
      text, [](std::string_view part) { return static_cast<int>(r1eval::how_readable(part)); });
  if (found.found && (found.from < 0 || found.to < found.from || found.to > limit)) {
    __builtin_trap();
  }
  for (const bool is_multi : {false, true}) {
    r1eval::ChoiceRules rules;
    rules.is_multi = is_multi;
    const r1eval::ChosenLetter chosen = r1eval::extract_choice(text, rules);
    if (chosen.letters.find_first_not_of("ABCD") != std::string::npos || chosen.to > limit ||
        (!is_multi && chosen.letters.size() > 1)) {
      __builtin_trap();
    }
  }
  const r1eval::AnswerPart part = r1eval::find_answer_part(text, false);
  if (part.from > size || part.to > size) {
    __builtin_trap();
  }
  r1eval::ThinkingInput input;
  input.content = text;
  static_cast<void>(r1eval::split_thinking(input, r1eval::ThinkTags()));
  return 0;
}
