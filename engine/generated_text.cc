// See generated_text.h.
#include "engine/generated_text.h"

#include <algorithm>
#include <utility>

namespace r1eval {

std::size_t incomplete_utf8(std::string_view text) {
  const auto byte = [&](std::size_t from_end) {
    return static_cast<unsigned char>(text[text.size() - from_end]);
  };
  for (std::size_t n = 1; n <= std::min<std::size_t>(3, text.size()); ++n) {
    const unsigned char c = byte(n);
    if (c < 0x80) {
      return 0;
    }
    if (c < 0xC0) {
      continue;  // a continuation: the lead byte is further back
    }
    const std::size_t length = c >= 0xF5 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 1;
    if (n >= length) {
      return 0;
    }
    if (n >= 2) {
      // Second bytes that no character has after this lead byte will not become one.
      const unsigned char second = byte(n - 1);
      const bool possible = c == 0xE0   ? second >= 0xA0
                            : c == 0xED ? second < 0xA0
                            : c == 0xF0 ? second >= 0x90
                            : c == 0xF4 ? second < 0x90
                                        : true;
      return possible ? n : 0;
    }
    return n;
  }
  return 0;
}

GeneratedText::GeneratedText(std::vector<std::string> stop, ThinkRules think)
    : stop_(std::move(stop)), think_(std::move(think)), is_thinking_(think_.starts_open) {
  std::erase(stop_, std::string());
  has_thought_ = is_thinking_;
}

bool GeneratedText::add(std::string_view bytes) {
  const std::size_t before = text_.size();
  text_ += bytes;
  std::size_t cut = std::string::npos;
  for (const std::string& stop : stop_) {
    // It may have begun in an earlier token, but not ended there.
    const std::size_t from = before >= stop.size() ? before - stop.size() + 1 : 0;
    cut = std::min(cut, text_.find(stop, from));
  }
  if (cut != std::string::npos) {
    text_.erase(cut);
    return true;
  }
  n_thinking_ += is_thinking_ ? 1 : 0;
  follow_tags(before);
  return false;
}

void GeneratedText::follow_tags(std::size_t before) {
  while (true) {
    const std::string& tag = is_thinking_ ? think_.close : think_.open;
    if (tag.empty() || (!is_thinking_ && has_thought_)) {
      return;
    }
    const std::size_t reach = before >= tag.size() ? before - tag.size() + 1 : 0;
    const std::size_t at = text_.find(tag, std::max(tags_from_, reach));
    if (at == std::string::npos) {
      return;
    }
    tags_from_ = at + tag.size();
    before = tags_from_;
    is_thinking_ = !is_thinking_;
    has_thought_ = true;
  }
}

std::string_view GeneratedText::whole_text() const {
  return std::string_view(text_).substr(0, text_.size() - incomplete_utf8(text_));
}

}  // namespace r1eval
