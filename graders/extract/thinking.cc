#include "graders/extract/thinking.h"

#include <array>

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

AnswerPart find_answer_part(std::string_view text, bool salvage_unfinished) {
  static constexpr std::array<std::array<std::string_view, 2>, 5> kPairs = {{
      {"<think>", "</think>"},
      {"<thought>", "</thought>"},
      {"<|begin_of_thought|>", "<|end_of_thought|>"},
      {"[THINK]", "[/THINK]"},
      {"<thinking>", "</thinking>"},
  }};
  AnswerPart part;
  part.to = text.size();
  for (const auto& [open, close] : kPairs) {
    const std::size_t at = text.rfind(close);
    if (at != std::string_view::npos && at + close.size() > part.from) {
      part.from = at + close.size();
    }
  }
  for (const auto& [open, close] : kPairs) {
    const std::size_t at = text.find(open, part.from);
    if (at != std::string_view::npos && at < part.to) {
      part.is_unfinished = true;
      part.to = at;
    }
  }
  if (part.is_unfinished && salvage_unfinished) {
    part = {0, text.size(), true};
  }
  static constexpr std::array<std::string_view, 6> kEndOfTurn = {
      "<｜end▁of▁sentence｜>", "<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|im_start|>", "</s>"};
  for (const std::string_view marker : kEndOfTurn) {
    const std::size_t at = text.find(marker, part.from);
    if (at != std::string_view::npos && at < part.to) {
      part.to = at;
    }
  }
  static constexpr std::array<std::array<std::string_view, 2>, 2> kWraps = {{
      {"<answer>", "</answer>"},
      {"<|begin_of_solution|>", "<|end_of_solution|>"},
  }};
  for (const auto& [open, close] : kWraps) {
    const std::size_t at = text.substr(0, part.to).rfind(open);
    if (at != std::string_view::npos && at >= part.from) {
      part.from = at + open.size();
      const std::size_t end = text.find(close, part.from);
      if (end != std::string_view::npos && end < part.to) {
        part.to = end;
      }
    }
  }
  return part;
}

}  // namespace r1eval
