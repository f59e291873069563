// One line of `score math`: what to grade and by which rules. Shared with `bench graders`.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/verdict.h"
#include "graders/grader.h"

namespace r1eval {

struct MathLine {
  std::string gold;
  std::string pred;
  bool prompt_opens_thinking = false;
  GraderSpec spec;
};

// Does the line say that its prompt ended inside the thinking? Under either of its two names.
bool prompt_opens_thinking(const Json& line);

// `profile` empty: the line's own, or "default". Errors: kInvalidArgument naming the field.
Result<MathLine> read_math_line(const Json& line, const std::string& profile);

// Checks the gold and grades. An unreadable gold is unscored, but for the very same text.
Verdict grade_math_line(const Grader& grader, const MathLine& line);

}  // namespace r1eval
