#include "harness/score_line.h"

#include <fmt/format.h>

namespace r1eval {

bool prompt_opens_thinking(const Json& line) {
  return bool_or(line, "template_opens_thinking", bool_or(line, "thinking_prefilled", false));
}

Result<MathLine> read_math_line(const Json& line, const std::string& profile) {
  MathLine out;
  R1_TRY(out.gold, get_string(line, "gold"));
  R1_TRY(out.pred, get_string(line, "pred"));
  const std::string mode = string_or(line, "mode", "answer");
  if (mode != "answer" && mode != "text") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("mode '{}': expected 'answer' or 'text'", mode));
  }
  out.spec.profile = profile.empty() ? string_or(line, "profile", "default") : profile;
  out.spec.extraction = mode == "answer" ? "whole" : "auto";
  out.prompt_opens_thinking = prompt_opens_thinking(line);
  if (const Json* config = find_member(line, "config")) {
    out.spec.decimals = static_cast<int>(int_or(*config, "decimals", 6));
    if (const Json* match = find_member(*config, "match"); match != nullptr && match->is_array()) {
      out.spec.delimited_only = match->size() == 1 && match->front() == "latex";
    }
  }
  return out;
}

Verdict grade_math_line(const Grader& grader, const MathLine& line) {
  GradeRequest request;
  request.text = line.pred;
  request.target = line.gold;
  request.prompt_opens_thinking = line.prompt_opens_thinking;
  Verdict verdict = grader.grade(request);
  if (verdict.outcome == Outcome::kCorrect) {
    return verdict;
  }
  if (const Status readable = grader.check_target(request); !readable) {
    // Equal strings are equal whatever they mean; anything else is not ours to judge.
    verdict.outcome = Outcome::kUnscored;
    verdict.rule = "unreadable_gold";
    verdict.evidence = readable.error().message;
  }
  return verdict;
}

}  // namespace r1eval
