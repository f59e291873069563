// Thinking and answer of arbitrary replies: no byte of the answer is invented, the part to grade
// lies inside the text, and what is graded does not hold a closing tag.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "graders/extract/thinking.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  r1eval::ThinkingInput input;
  input.content = text;
  input.prompt_opens_thinking = (data[0] & 1U) != 0;
  input.has_reasoning_field = (data[0] & 2U) != 0;
  input.reasoning = input.has_reasoning_field ? text.substr(0, text.size() / 2) : "";
  const r1eval::SplitThinking split = r1eval::split_thinking(input, r1eval::ThinkTags());
  if (text.find(split.answer) == std::string_view::npos ||
      text.find(split.thinking) == std::string_view::npos) {
    __builtin_trap();
  }
  for (const bool salvage : {false, true}) {
    const r1eval::AnswerPart part = r1eval::find_answer_part(text, salvage);
    if (part.from > text.size() || part.to > text.size()) {
      __builtin_trap();
    }
    if (!salvage && part.to > part.from &&
        text.substr(part.from, part.to - part.from).find("</think>") != std::string_view::npos) {
      __builtin_trap();
    }
  }
  return 0;
}
