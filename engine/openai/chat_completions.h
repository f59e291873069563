// The wire format of chat completions: request bodies out, whole or streamed replies in.
//
// Source  the OpenAI API reference, with the fields that vLLM, SGLang and llama.cpp add: top_k,
// min_p,
//         repetition_penalty, chat_template_kwargs, reasoning_content (or reasoning).
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/generation.h"
#include "base/json.h"
#include "base/result.h"
#include "engine/backend.h"

namespace r1eval {

// In the set of omitted fields: the server does not take -1 for "top_k is off", 0 is sent.
inline constexpr std::string_view kTopKMinusOne = "top_k=-1";

// Fields named in `omit` are left out. Errors: kInvalidArgument (extra_body or chat_template_kwargs
// is no JSON object).
Result<std::string> request_body(const GenerateRequest& request, const std::string& model,
                                 bool stream, const std::set<std::string>& omit);

// Collects a reply. A reply is complete when it has a choice with a finish reason.
class ReplyReader {
 public:
  // A whole reply's text. Errors: kParse (no JSON, no choices, an error object: with its words).
  Status read_whole(std::string_view body);
  // One event's data of a stream. Errors: kParse.
  Status read_event(std::string_view data);

  bool is_done() const { return done_; }  // [DONE] came

  // Whether anything of the answer came yet.
  bool has_begun() const { return begun_; }

  // What came, or why it does not count: kParse for a cut stream or a reply without choices,
  // kUnavailable for an empty one.
  Result<Completion> finish() const;

 private:
  Status read_choice(const Json& choice, std::string_view part);
  void read_common(const Json& json);

  Completion completion_;
  bool saw_choice_ = false;
  bool done_ = false;
  bool begun_ = false;
};

// The message inside {"error": {"message": …}} (or "message", "detail"), else the start of the
// text.
std::string error_words(std::string_view body);

// The optional request field that a server's refusal speaks of, or empty.
std::string refused_field(std::string_view words, const std::set<std::string>& sent);

// Is a server error (5xx) really a refusal of what was asked? Some servers answer failed validation
// so.
bool speaks_of_validation(std::string_view words);

// Does a refusal speak of the context's length?
bool speaks_of_length(std::string_view words);

// Optional fields that a request may carry and a server may refuse.
const std::set<std::string>& optional_fields();

}  // namespace r1eval
