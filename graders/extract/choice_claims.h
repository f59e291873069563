// What a text says about each option letter in it: the answer, denied, asked, or nothing.
//
// Letters joined by commas or "and" are judged together. Linear in the tokens: every letter looks
// at a bounded number of tokens around it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "graders/extract/choice_tokens.h"

namespace r1eval {

enum class ClaimKind : std::uint8_t {
  kNone,
  kDenied,  // "not A", "A is wrong"
  kAsked,   // "is it A?"
  kWeak,    // "A is true": a claim about the statement, or one of several
  kProse,   // "hence A", "A is correct"
  kMarker,  // "the answer is A"
  kBox,
};

struct ChoiceClaim {
  ClaimKind kind = ClaimKind::kNone;
  std::string letters;    // sorted
  std::size_t first = 0;  // tokens
  std::size_t last = 0;
  std::size_t line = 0;  // of the lines that are not blank
  bool is_lower = false;
  bool is_or = false;           // "A or B"
  bool ends = false;            // its clause ends after it, or goes on as after a label
  bool is_verdict = false;      // claimed by what follows it
  bool is_also = false;         // "is also correct"
  bool is_line = false;         // nothing else stands in its line
  bool is_label = false;        // "C. ..." at the start of a line
  bool is_cell = false;         // of a table
  bool is_reply_start = false;  // "C, because ..." at the start of the text
  bool is_list_item = false;    // the labelled line before or after has the neighbouring letter
};

struct ChoiceClaims {
  std::vector<ChoiceClaim> groups;  // in the order of the text
  std::size_t last_line = 0;
  std::size_t last_sentence = 0;  // its first token
};

struct ClaimRules {
  std::string_view options;
  bool is_multi = false;
};

ChoiceClaims read_choice_claims(const FoldedText& folded, const std::vector<ChoiceToken>& tokens,
                                const ClaimRules& rules);

}  // namespace r1eval
