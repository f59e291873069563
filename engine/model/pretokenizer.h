// Cuts text into the words that byte-pair encoding then works on.
//
// A pre-tokenizer is a sequence of passes; each pass cuts every piece of the one before it, as
// tokenizer.json has them: Split (a regular expression), Digits, ByteLevel (GPT-2's expression).
// The expressions need look-ahead, which RE2 does not have, so they run on PCRE2 with Unicode
// properties and its JIT compiler. Patterns that model files bring are bounded by PCRE2's match
// limit. Threads  immutable after creation; cut() may run on many threads at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace r1eval {

class PreTokenizer {
 public:
  PreTokenizer();
  ~PreTokenizer();
  PreTokenizer(PreTokenizer&&) noexcept;
  PreTokenizer& operator=(PreTokenizer&&) noexcept;

  // A known family by the names that GGUF files and configurations use: "gpt-2", "smollm",
  // "llama-3"/"llama-bpe", "qwen2", "deepseek-v3", "deepseek-coder", …
  // Errors: kUnsupported with the names there are.
  static Result<PreTokenizer> by_name(std::string_view name);

  // Passes one by one. Errors: kUnsupported (a pattern that PCRE2 refuses).
  Status add_pattern(std::string_view pattern);  // matches are pieces, and so is what lies between

  // Pieces of `text`, which must be valid UTF-8, in order; together they are the text.
  // Errors: kResourceExhausted when a pattern exceeds its match limit.
  Result<std::vector<std::string_view>> cut(std::string_view text) const;

 private:
  class Pattern;
  std::vector<std::unique_ptr<Pattern>> patterns_;
};

// Each digit alone, and runs of digits: for the Digits pass.
extern const std::string_view kSingleDigits;
extern const std::string_view kDigitRuns;
// The expression of ByteLevel with use_regex.
extern const std::string_view kGpt2Pattern;

}  // namespace r1eval
