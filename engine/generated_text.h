// The text of one sample as its tokens come: stop strings, think tags, and where UTF-8 is cut.
//
// Bytes    tokens are pieces of bytes. Stop strings and tags are found wherever they lie, across
// any
//          number of tokens; a token may end inside a character.
// Hold     whole_text() leaves out a character whose bytes have not all come: what was cut off by a
//          limit is not text.
// Threads  an object belongs to one sample.
// Tested   tests/engine/embedded/generated_text_test.cc
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1eval {

// How the thinking of a sample is bounded.
struct ThinkRules {
  std::string open = "<think>";
  std::string close = "</think>";
  bool starts_open = false;  // the prompt ended inside the opening tag
  std::int64_t budget = 0;   // tokens inside the tags; 0: no limit
};

class GeneratedText {
 public:
  GeneratedText(std::vector<std::string> stop, ThinkRules think);

  // Appends a token's bytes. True when a stop string is now complete: the text then ends before it,
  // and nothing may be added any more.
  bool add(std::string_view bytes);

  // The tokens added inside the think tags have used up the budget.
  bool is_over_budget() const {
    return think_.budget > 0 && is_thinking_ && n_thinking_ >= think_.budget;
  }

  bool is_thinking() const { return is_thinking_; }

  // Without an incomplete last character; other invalid bytes stand.
  std::string_view whole_text() const;

 private:
  void follow_tags(std::size_t from);

  std::vector<std::string> stop_;
  ThinkRules think_;
  std::string text_;
  bool is_thinking_ = false;
  bool has_thought_ = false;   // a second opening tag is the model's prose
  std::size_t tags_from_ = 0;  // where the next tag is looked for
  std::int64_t n_thinking_ = 0;
};

// Bytes at the end of `text` that begin a character and could still become one.
std::size_t incomplete_utf8(std::string_view text);

}  // namespace r1eval
