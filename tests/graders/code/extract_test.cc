// Which lines of an answer are the program, style by style.
#include "graders/code/extract.h"

#include <gtest/gtest.h>

#include "graders/code/code_grader.h"

namespace r1eval {
namespace {

std::string code(std::string_view text, CodeStyle style = CodeStyle::kLcb) {
  const ExtractedCode found = extract_code(text, style);
  if (found.from >= 0) {
    const auto from = static_cast<std::size_t>(found.from);
    EXPECT_EQ(text.substr(from, static_cast<std::size_t>(found.to) - from), found.code);
  }
  return found.code;
}

TEST(CodeExtractTest, LcbTakesWhatLiesBetweenTheLastTwoFenceLines) {
  EXPECT_EQ(code("Text\n```python\na = 1\nb = 2\n```\nmore"), "a = 1\nb = 2");
  EXPECT_EQ(code("```python\nfirst\n```\nand\n```python\nsecond\n```"), "second");
  EXPECT_EQ(code("```cpp\nint x;\n```"), "int x;");
}

TEST(CodeExtractTest, LcbTakesAnyLineWithThreeBackticksAsAFence) {
  EXPECT_EQ(code("```python\ncode\n```\nA stray ``` closes nothing"), "");
  EXPECT_EQ(code("```python\ncode\n```\nSummary:\n```\nO(n)\n```"), "O(n)");
  EXPECT_EQ(code("see ```x``` there\ncode\n````"), "code");
  EXPECT_EQ(code("   ```python\n  indented\n   ```"), "  indented");
}

TEST(CodeExtractTest, LcbFindsNothingWithFewerThanTwoFences) {
  EXPECT_EQ(extract_code("print(1)", CodeStyle::kLcb).from, -1);
  EXPECT_EQ(extract_code("```python\nprint(1)", CodeStyle::kLcb).from, -1);
  EXPECT_EQ(extract_code("```python\n```", CodeStyle::kLcb).code, "");
  EXPECT_EQ(extract_code("", CodeStyle::kLcb).from, -1);
}

TEST(CodeExtractTest, LcbKeepsCarriageReturnsAndBlankLines) {
  EXPECT_EQ(code("```\r\na\r\n\r\nb\r\n```\r\n"), "a\r\n\r\nb\r");
  EXPECT_EQ(code("```\n\na\n\n```"), "\na\n");
}

TEST(CodeExtractTest, LastPythonBlockSkipsOtherBlocks) {
  const auto last = [](std::string_view text) { return code(text, CodeStyle::kLastPythonBlock); };
  EXPECT_EQ(last("```python\ncode\n```\nSummary:\n```\nO(n)\n```"), "code");
  EXPECT_EQ(last("```Python3\none\n```\n```py\ntwo\n```\n```text\nout\n```"), "two");
  EXPECT_EQ(last("```\nplain\n```"), "plain");
  EXPECT_EQ(last("```bash\nls\n```"), "");
  EXPECT_EQ(last("```python\ncode\n```\nA stray ``` closes nothing"), "code");
  EXPECT_EQ(last("```python\ncode without an end"), "code without an end");
  EXPECT_EQ(last("```python\nfirst\n```python\nsecond\n```"), "second");
  EXPECT_EQ(last("````python\ns = '''\n```\n'''\n````"), "s = '''\n```\n'''");
  EXPECT_EQ(last("```python\n\n```\n"), "");
  EXPECT_EQ(last("```python\ncode\n```\n```python\n```"), "code");
}

TEST(CodeExtractTest, AnswerTagTakesTheLastTag) {
  const auto tag = [](std::string_view text) { return code(text, CodeStyle::kAnswerTag); };
  EXPECT_EQ(tag("<answer>print(1)</answer> or <answer>\nprint(2)\n</answer>"), "print(2)");
  EXPECT_EQ(tag("<answer>Here:\n```python\nprint(3)\n```\n</answer>"), "print(3)");
  EXPECT_EQ(tag("<answer>print(4)"), "print(4)");
  EXPECT_EQ(tag("```python\nprint(5)\n```"), "");
}

TEST(CodeExtractTest, BaseTakesTheWholeTextStripped) {
  EXPECT_EQ(code("\n\u3000 print(1)\n\n", CodeStyle::kBase), "print(1)");
  EXPECT_EQ(extract_code(" \n", CodeStyle::kBase).from, -1);
}

TEST(CodeExtractTest, SaysWhichStylesWouldRunAnotherProgram) {
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(differing_styles("```python\na\n```", CodeStyle::kLcb), Names());
  EXPECT_EQ(differing_styles("```python\na\n```\n```\nO(n)\n```", CodeStyle::kLcb),
            Names({"last_python_block"}));
  EXPECT_EQ(differing_styles("<answer>b</answer>\n```python\na\n```", CodeStyle::kLastPythonBlock),
            Names({"answer_tag"}));
}

TEST(CodeExtractTest, NamesOfStylesReadBack) {
  for (const char* const name : {"lcb", "last_python_block", "answer_tag", "base"}) {
    EXPECT_EQ(code_style_name(code_style_from_name(name).value()), name);
  }
  EXPECT_FALSE(code_style_from_name("LCB").has_value());
}

}  // namespace
}  // namespace r1eval
