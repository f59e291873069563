#include "graders/extract/thinking.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace r1eval {
namespace {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

bool has_tag(std::string_view text, const ThinkTags& tags) {
  return (!tags.open.empty() && text.find(tags.open) != std::string_view::npos) ||
         (!tags.close.empty() && text.find(tags.close) != std::string_view::npos);
}

SplitThinking split_content(std::string_view content, bool prompt_opens, const ThinkTags& tags) {
  SplitThinking split;
  const std::size_t close = tags.close.empty() ? std::string_view::npos : content.rfind(tags.close);
  const std::size_t open = tags.open.empty() ? std::string_view::npos : content.find(tags.open);
  if (close != std::string_view::npos) {
    std::string_view thinking = content.substr(0, close);
    if (open != std::string_view::npos && open < close && is_blank(content.substr(0, open))) {
      thinking.remove_prefix(open + tags.open.size());
    }
    split.thinking = thinking;
    split.answer = content.substr(close + tags.close.size());
    split.has_thinking = true;
    split.closed = true;
  } else if (prompt_opens) {
    std::string_view thinking = content;
    if (open != std::string_view::npos && is_blank(content.substr(0, open))) {
      thinking.remove_prefix(open + tags.open.size());
    }
    split.thinking = thinking;
    split.has_thinking = true;
  } else if (open != std::string_view::npos) {
    split.answer = is_blank(content.substr(0, open)) ? "" : content.substr(0, open);
    split.thinking = content.substr(open + tags.open.size());
    split.has_thinking = true;
  } else {
    split.answer = content;
  }
  split.stray_tags = has_tag(split.answer, tags);
  return split;
}

}  // namespace

SplitThinking split_thinking(const ThinkingInput& input, const ThinkTags& tags) {
  // A server that copies the whole reply into both fields told us nothing by the second one.
  const bool field_speaks =
      input.has_reasoning_field && !is_blank(input.reasoning) && input.reasoning != input.content;
  if (!field_speaks) {
    const bool opened = input.prompt_opens_thinking && !input.has_reasoning_field;
    return split_content(input.content, opened, tags);
  }
  SplitThinking split;
  split.thinking = input.reasoning;
  split.has_thinking = true;
  split.answer = input.content;
  const std::size_t close =
      tags.close.empty() ? std::string_view::npos : input.content.rfind(tags.close);
  if (close != std::string_view::npos) {
    split.answer = input.content.substr(close + tags.close.size());
    split.stray_tags = true;
  }
  split.stray_tags = split.stray_tags || has_tag(split.answer, tags);
  split.closed = close != std::string_view::npos || !is_blank(split.answer);
  return split;
}

namespace {

// The marks of one turn, told apart by what they do to the answer.
enum class Mark : std::uint8_t { kNone, kOpen, kClose, kEndOfTurn };

struct MarkText {
  std::string_view text;
  Mark mark;
};

constexpr std::array<MarkText, 16> kMarks = {{
    {"<think>", Mark::kOpen},
    {"</think>", Mark::kClose},
    {"<thought>", Mark::kOpen},
    {"</thought>", Mark::kClose},
    {"<thinking>", Mark::kOpen},
    {"</thinking>", Mark::kClose},
    {"<|begin_of_thought|>", Mark::kOpen},
    {"<|end_of_thought|>", Mark::kClose},
    {"[THINK]", Mark::kOpen},
    {"[/THINK]", Mark::kClose},
    {"<｜end▁of▁sentence｜>", Mark::kEndOfTurn},
    {"<|im_end|>", Mark::kEndOfTurn},
    {"<|endoftext|>", Mark::kEndOfTurn},
    {"<|eot_id|>", Mark::kEndOfTurn},
    {"<|im_start|>", Mark::kEndOfTurn},
    {"</s>", Mark::kEndOfTurn},
}};

const MarkText* mark_at(std::string_view text, std::size_t at) {
  // The next byte decides almost everywhere.
  static constexpr std::string_view kSeconds = "t/|T\xEF";
  if (at + 1 >= text.size() || kSeconds.find(text[at + 1]) == std::string_view::npos) {
    return nullptr;
  }
  for (const MarkText& mark : kMarks) {
    if (text.compare(at, mark.text.size(), mark.text) == 0) {
      return &mark;
    }
  }
  return nullptr;
}

// The last closing tag's end, or 0. Jumps from bracket to bracket with memrchr.
std::size_t after_last_close(std::string_view text) {
  std::size_t best = 0;
  for (const char bracket : {'<', '['}) {
    std::size_t end = text.size();
    while (end > best) {
      const void* found = ::memrchr(text.data(), bracket, end);
      if (found == nullptr) {
        break;
      }
      const auto at = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
      const MarkText* mark = mark_at(text, at);
      if (mark != nullptr && mark->mark == Mark::kClose) {
        best = std::max(best, at + mark->text.size());
        break;
      }
      end = at;
    }
  }
  return best;
}

// The first opening tag or end of turn in text[from, …).
std::size_t first_stop(std::string_view text, std::size_t from, Mark& what) {
  std::size_t best = std::string_view::npos;
  for (const char bracket : {'<', '['}) {
    for (std::size_t at = text.find(bracket, from); at < best; at = text.find(bracket, at + 1)) {
      const MarkText* mark = mark_at(text, at);
      if (mark != nullptr && mark->mark != Mark::kClose) {
        best = at;
        what = mark->mark;
        break;
      }
    }
  }
  return best;
}

// The last place of `word` in text[from, to), or npos; `word` begins with "<".
std::size_t last_of(std::string_view text, std::size_t from, std::size_t to,
                    std::string_view word) {
  while (to > from) {
    const void* found = ::memrchr(text.data() + from, '<', to - from);
    if (found == nullptr) {
      break;
    }
    to = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    if (text.compare(to, word.size(), word) == 0) {
      return to;
    }
  }
  return std::string_view::npos;
}

}  // namespace

AnswerPart find_answer_part(std::string_view text, bool salvage_unfinished,
                            bool prompt_opens_thinking) {
  AnswerPart part;
  part.from = after_last_close(text);
  const bool is_all_thinking = prompt_opens_thinking && part.from == 0;
  part.to = text.size();
  Mark stop = Mark::kNone;
  const std::size_t at = first_stop(text, part.from, stop);
  if (at != std::string_view::npos) {
    part.to = at;
    part.is_unfinished = stop == Mark::kOpen;
  }
  if (is_all_thinking) {
    part = {0, 0, true};
  }
  if (part.is_unfinished && salvage_unfinished) {
    part = {0, text.size(), true};
    for (const MarkText& mark : kMarks) {
      const std::size_t end =
          mark.mark == Mark::kEndOfTurn ? text.find(mark.text) : std::string_view::npos;
      part.to = std::min(part.to, end);
    }
  }
  static constexpr std::array<std::array<std::string_view, 2>, 2> kWraps = {{
      {"<answer>", "</answer>"},
      {"<|begin_of_solution|>", "<|end_of_solution|>"},
  }};
  for (const auto& [open, close] : kWraps) {
    const std::size_t wrap = last_of(text, part.from, part.to, open);
    if (wrap != std::string_view::npos) {
      part.from = wrap + open.size();
      const std::size_t end = text.find(close, part.from);
      if (end != std::string_view::npos && end < part.to) {
        part.to = end;
      }
    }
  }
  return part;
}

}  // namespace r1eval
