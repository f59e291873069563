// The program in an answer: which lines of a completion are run.
//
// Styles differ on answers with several fenced blocks; docs/grading.md says when. The text has had
// its thinking split off.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace r1eval {

enum class CodeStyle : std::uint8_t {
  kLcb,  // LiveCodeBench: what lies between the last two lines that hold three backticks
  kLastPythonBlock,  // the last fenced block that is Python, else the last without a language
  kAnswerTag,        // the last <answer>…</answer>, and the block inside if there is one
  kBase,             // base models: the whole text, stripped
};

// "lcb", "last_python_block", "answer_tag", "base".
std::optional<CodeStyle> code_style_from_name(std::string_view name);
std::string_view code_style_name(CodeStyle style);

struct ExtractedCode {
  std::string code;        // lines joined by newlines, without the fences; empty: none was found
  std::int64_t from = -1;  // byte offsets in the text; -1: none
  std::int64_t to = -1;
};

ExtractedCode extract_code(std::string_view text, CodeStyle style);

}  // namespace r1eval
