// The grader "code": extracts the program from an answer, runs it on the item's tests, and calls it
// correct when all of them pass.
//
// Profiles  lcb (also "default"), lcb-official, strict: docs/grading.md.
// Threads   grade() blocks while programs run and may be called from many threads; a problem that
//           was just unpacked is kept for the next sample of its item, within a bound.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "graders/code/extract.h"
#include "graders/code/judge.h"
#include "graders/grader.h"

namespace r1eval {

// How a program was judged, as the JSON object of Verdict::details and of `score code`: verdict,
// first_failing_test, n_tests, results, cpu_s, wall_s, peak_mib, and of the failing test input,
// got, expected, detail.
OrderedJson judgement_json(const Judgement& judgement);

// Styles that give another program than `style` on this text; empty mostly.
std::vector<std::string_view> differing_styles(std::string_view text, CodeStyle style);

// Errors: kInvalidArgument (unknown extraction style or profile, with the names there are).
// `executor` may be empty: then targets can be checked and nothing can be graded.
Result<std::unique_ptr<Grader>> make_code_grader(const GraderSpec& spec,
                                                 std::shared_ptr<CodeExecutor> executor);

}  // namespace r1eval
