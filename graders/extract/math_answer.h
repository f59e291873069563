// Finds the final mathematical answer in a completion: boxes, then statements such as "the answer
// is", then delimited mathematics, then the last number. Rules in order: docs/grading.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace r1eval {

struct FoundAnswer {
  bool found = false;
  std::string text;        // the answer as written (several boxes joined by commas)
  std::int64_t from = -1;  // byte offsets in the searched text
  std::int64_t to = -1;
  std::string_view rule;
};

// How a profile or a benchmark's own protocol narrows the search.
struct AnswerRules {
  bool last_box_only = false;    // earlier boxes never join the last one
  bool statement_first = false;  // "the final answer is X", wherever it stands, goes before a box
  bool delimited_only = false;   // only boxes and delimited mathematics, no bare text
  bool reads_number_words = false;  // "seven" is a number
};

// `read_level` tells how a candidate parses: 0 not, 1 as words, 2 as mathematics. Linear in the
// text; limits in graders/bounds.h.
FoundAnswer find_math_answer(std::string_view text,
                             const std::function<int(std::string_view)>& read_level,
                             const AnswerRules& rules = {});

}  // namespace r1eval
