// Verdict: what a grader says of one completion, with the evidence that lets a person check it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace r1eval {

enum class Outcome : std::uint8_t {
  kCorrect,
  kIncorrect,
  kNoAnswer,  // the text gives no answer (empty, cut off, none found): scores 0, counted apart
  kUnscored,  // we cannot judge (our failure or an unreadable gold): left out of the mean, counted
};

// "correct", "incorrect", "no_answer", "unscored".
std::string_view outcome_name(Outcome outcome);
std::optional<Outcome> outcome_from_name(std::string_view name);

struct Verdict {
  Outcome outcome = Outcome::kUnscored;
  std::string answer;           // the extracted text, as the model wrote it
  std::int64_t span_from = -1;  // byte offsets of `answer` in the graded text; -1: none
  std::int64_t span_to = -1;
  std::string pred_form;  // normal form of the answer, as compared
  std::string gold_form;  // normal form of the target, as compared
  std::string rule;       // which extraction and which rung of the equality ladder decided
  std::string details;    // a JSON object with what else a grader has to say; empty: nothing
  std::string evidence;   // why, in a few words; "budget" when the grader's fuel ran out
};

}  // namespace r1eval
