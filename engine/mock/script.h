// Scripted answers, for tests and demonstrations: what `mock:SCRIPT.jsonl` and serve-mock say.
//
// A script is JSONL; blank lines and lines that begin with '#' are skipped. Each line is a rule:
//   match          text that the last user message must contain; absent: every message
//   equals         text that the last user message must be; wins over `match`
//   seed           the rule holds for this seed only
//   content        the answer; {seed} and {prompt} in it are replaced
//   reasoning      the reasoning_content field
//   finish_reason  default "stop"
//   prompt_tokens, completion_tokens   default: words counted
//   opens_thinking the prompt is said to end inside an opening think tag (mock backend only)
//   error          the mock backend fails the request with this message
// The first rule that holds answers; without one the answer is "mock answer to: " and the message.
// Answers depend on the request alone, so a retried request gets the same text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/generation.h"
#include "base/message.h"
#include "base/result.h"

namespace r1eval {

class MockScript {
 public:
  // Errors: kNotFound, kParse naming file and line.
  static Result<MockScript> open(const std::string& path);
  static Result<MockScript> parse(std::string_view jsonl, const std::string& origin);

  // `max_tokens` > 0 cuts the answer to so many words, with finish_reason "length".
  Completion answer(const std::vector<ChatMessage>& messages, std::uint64_t seed,
                    std::int64_t max_tokens) const;

 private:
  struct Rule {
    std::string match;
    std::optional<std::string> equals;
    std::optional<std::uint64_t> seed;
    std::string content;
    std::optional<std::string> reasoning;
    std::string finish_reason = "stop";
    std::int64_t prompt_tokens = -1;
    std::int64_t completion_tokens = -1;
    bool opens_thinking = false;
    std::string error;
  };

  std::vector<Rule> rules_;
};

}  // namespace r1eval
