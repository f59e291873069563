// Foreign bytes that code grading reads: packed tests, pickles, values, JSON, answers, outputs.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "graders/code/extract.h"
#include "graders/code/payload.h"
#include "graders/code/problem.h"
#include "graders/code/python_value.h"
#include "graders/code/stdout_match.h"
#include "graders/code/value.h"

namespace {

constexpr std::size_t kLimit = std::size_t{1} << 20;

void must(bool holds) {
  if (!holds) {
    __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  r1eval::PayloadLimits limits;
  limits.max_inflated_bytes = static_cast<std::int64_t>(kLimit);
  limits.min_inflated_bytes = 1 << 16;
  if (const auto text = r1eval::decode_test_payload(bytes, limits); text.has_value()) {
    must(text->size() <= kLimit);
  }
  if (const auto out = r1eval::inflate_zlib(bytes, limits); out.has_value()) {
    must(out->size() <= kLimit);
  }
  if (const auto text = r1eval::unpickle_text(bytes); text.has_value()) {
    must(text->size() <= 2 * size);  // Latin-1 grows to two bytes
  }
  static_cast<void>(r1eval::read_code_problem(bytes, limits));
  static_cast<void>(r1eval::check_code_problem(bytes));

  const std::string_view first = bytes.substr(0, size / 2);
  const std::string_view second = bytes.substr(size / 2);
  must((r1eval::compare_stdout(first, second).match == r1eval::StdoutMatch::kSame) ==
       (r1eval::compare_stdout(second, first).match == r1eval::StdoutMatch::kSame));
  must(r1eval::compare_stdout(bytes, bytes).match == r1eval::StdoutMatch::kSame);

  if (auto value = r1eval::decode_code_value(bytes); value.has_value()) {
    const r1eval::PythonValue python = r1eval::to_python_value(std::move(value).value());
    static_cast<void>(r1eval::python_equal(python, python));
    must(r1eval::python_repr(python, 100).size() <= 200);
  }
  if (const auto value = r1eval::parse_python_json(bytes); value.has_value()) {
    static_cast<void>(r1eval::python_equal(*value, *value));
  }
  for (const auto style : {r1eval::CodeStyle::kLcb, r1eval::CodeStyle::kLastPythonBlock,
                           r1eval::CodeStyle::kAnswerTag, r1eval::CodeStyle::kBase}) {
    const r1eval::ExtractedCode code = r1eval::extract_code(bytes, style);
    if (code.from >= 0) {
      const auto from = static_cast<std::size_t>(code.from);
      must(code.to >= code.from && static_cast<std::size_t>(code.to) <= size);
      must(bytes.substr(from, static_cast<std::size_t>(code.to) - from) == code.code);
    }
  }
  return 0;
}
