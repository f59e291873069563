// The ladder that decides whether an answer equals the gold: strings, structure, then values.
//
// Not symmetric (the gold comes first): "x = 5" answers a gold of 5, "2x + z = 1" does not
// answer 1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/verdict.h"

namespace r1eval {

struct MathComparison {
  Outcome outcome = Outcome::kUnscored;
  std::string rung;  // "string", "text", "value", "structure"
  std::string evidence;
  std::string gold_form;
  std::string pred_form;
};

struct MathRules {
  int decimals = 6;  // tolerance of decimal literals: 10^-decimals
  bool is_percent_lenient = false;
  bool set_relation_both_ways = false;
  bool is_loose = false;            // numbers within a thousandth of the larger
  bool rounds_to_gold = false;      // the answer is rounded to the decimals of the gold
  bool needs_reduced_form = false;  // fractions as in the gold, an integer where the gold is one
  bool is_trivial_only = false;     // cancelling a fraction is not the grader's work
  bool names_are_free = false;      // other names for the same variables, by first appearance
  bool reads_number_words = false;  // "forty-two" is 42
};

MathComparison compare_math(std::string_view gold, std::string_view pred, const MathRules& rules);
// Can this gold be read? Errors: kUnsupported with the reason.
Status check_gold(std::string_view gold);
// The answer without its wrappers: $…$, \( \), \boxed{…}, a final full stop.
std::string_view unwrap_answer(std::string_view text);
// A line of words with a number in it reads as neither: the number has to be looked for.
enum class Readable : std::uint8_t { kNo, kText, kMath };
Readable how_readable(std::string_view text);

}  // namespace r1eval
