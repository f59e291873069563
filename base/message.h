// One turn of a chat, in the words of the OpenAI chat-completions protocol.
#pragma once

#include <string>

namespace r1eval {

struct ChatMessage {
  std::string role;     // "system", "user" or "assistant"
  std::string content;  // UTF-8 text

  bool operator==(const ChatMessage&) const = default;
};

}  // namespace r1eval
