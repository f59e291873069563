// Statements of an answer in prose: "the answer is 5", "#### 5", "Réponse : 5", "so 5 is the
// answer", in some thirty languages.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "graders/extract/spans.h"

namespace r1eval {

struct StatementRules {
  bool delimited_only = false;      // the value is delimited mathematics
  bool final_only = false;          // "final answer" alone
  bool reads_number_words = false;  // "the answer is seven"
};

struct Stated {
  Span value;
  std::size_t anchor = 0;   // where the words that state it begin
  bool is_earlier = false;  // a statement after it gave nothing
};

// The value of the rightmost statement that has a readable one. `read_level`
// as in math_answer.h. Linear in the text, with at most kMaxStatements statements looked at.
std::optional<Stated> find_statement(std::string_view text,
                                     const std::function<int(std::string_view)>& read_level,
                                     const StatementRules& rules);

// What follows the last "is", "are" or "equals" of a line, without decoration; empty if none.
std::string_view after_verb(std::string_view line);

}  // namespace r1eval
