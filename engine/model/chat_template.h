// A model's chat template: messages to the exact text that the model was trained on.
//
// Source   the `tokenizer.chat_template` of a GGUF file or the `chat_template` of a
//          tokenizer_config.json: Jinja, rendered as the transformers library does.
// Threads  immutable; render() from any thread.
// Tested   tests/engine/model/chat_template_test.cc, tests/fuzz/chat_template_fuzz.cc
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/message.h"
#include "base/result.h"

namespace r1eval {

class ChatTemplate {
 public:
  // Errors: kParse with line, kUnsupported (a statement of Jinja that is not read).
  static Result<ChatTemplate> parse(std::string source, std::string bos_text, std::string eos_text);

  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  // `kwargs` (an object, or null) are further variables, e.g. {"enable_thinking": true}.
  // Errors: kInvalidArgument (the template refuses the messages, or fails), kResourceExhausted.
  Result<std::string> render(const std::vector<ChatMessage>& messages, bool add_generation_prompt,
                             const Json& kwargs = Json()) const;
  // The same with messages as JSON, which may hold tool calls, lists as content, …
  Result<std::string> render_json(const Json& messages, bool add_generation_prompt,
                                  const Json& kwargs = Json()) const;

  const std::string& source() const { return source_; }

  // What strftime_now gives; for tests. Empty: the real date.
  void set_today(std::string today) { today_ = std::move(today); }

 private:
  struct Parsed;
  ChatTemplate();

  std::string source_;
  std::string bos_text_;
  std::string eos_text_;
  std::string today_;
  std::shared_ptr<const Parsed> parsed_;
};

// The ChatML form, for models whose file has no template but whose vocabulary has <|im_start|>.
extern const char* const kChatMlTemplate;

}  // namespace r1eval
