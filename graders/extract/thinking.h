// Splits a completion into thinking and answer, before any grader sees it.
//
// Rules, in order (docs/grading.md): the endpoint's reasoning field; else everything up to the LAST
// closing tag, whether or not an opening tag is there; else, when the prompt opened the thinking
// and nothing closed it, everything is thinking and the answer is empty; else an opening tag in the
// text that is never closed starts thinking that runs to the end; else there is no thinking.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace r1eval {

struct ThinkTags {
  std::string open = "<think>";
  std::string close = "</think>";
};

struct SplitThinking {
  std::string thinking;
  std::string answer;
  bool has_thinking = false;  // some thinking block was there, perhaps an empty one
  bool closed = false;        // the thinking ended (or there was none to end: then false)
  bool stray_tags = false;    // tags are left over in the answer
};

struct ThinkingInput {
  std::string_view content;
  std::string_view reasoning;  // the reply's own field
  bool has_reasoning_field = false;
  bool prompt_opens_thinking = false;
};

SplitThinking split_thinking(const ThinkingInput& input, const ThinkTags& tags);

// The part of a text that may hold the answer: after the last closing tag of any known family,
// before an opening tag that nothing closes, before the first end-of-turn marker, inside
// <answer>…</answer> or the solution markers. Byte offsets into `text`.
struct AnswerPart {
  std::size_t from = 0;
  std::size_t to = 0;
  bool is_unfinished = false;  // an opened thinking block is never closed
};

// `prompt_opens_thinking`: the prompt ended inside the thinking, so a text in which nothing closes
// it is all thinking.
AnswerPart find_answer_part(std::string_view text, bool salvage_unfinished,
                            bool prompt_opens_thinking = false);

}  // namespace r1eval
