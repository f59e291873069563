// A run as one small file without texts: ids, hashes, scores and lengths, for `gate --baseline
// FILE`.
//
// Format   {"kind":"r1eval-baseline","schema":1,"model",…,"tasks":{TASK:{…,"items":[[id, question,
//          prompt, cluster, stratum, k, sum, sum of squares, samples, truncated, no answer,
//          unscored, language-mixed, with tokens, completion tokens, prompt tokens],…]}}}.
// Errors   kParse naming the field; kUnsupported for a newer schema.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "results/compare.h"

namespace r1eval {

std::string baseline_json(const RunScores& run);
Result<RunScores> baseline_from_json(std::string_view text);

}  // namespace r1eval
