#include "base/verdict.h"

namespace r1eval {

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCorrect:
      return "correct";
    case Outcome::kIncorrect:
      return "incorrect";
    case Outcome::kNoAnswer:
      return "no_answer";
    case Outcome::kUnscored:
      return "unscored";
  }
  return "unscored";
}

std::optional<Outcome> outcome_from_name(std::string_view name) {
  for (const Outcome outcome :
       {Outcome::kCorrect, Outcome::kIncorrect, Outcome::kNoAnswer, Outcome::kUnscored}) {
    if (outcome_name(outcome) == name) {
      return outcome;
    }
  }
  return std::nullopt;
}

}  // namespace r1eval
