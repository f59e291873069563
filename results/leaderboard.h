// leaderboard.json: one run as an entry that a public table can take (docs/outputs.md has the
// schema).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "results/summary.h"

namespace r1eval {

// `manifest` is the run's manifest.json; its hash identifies the protocol that the scores hold
// under. An entry without a model revision is marked unidentified: a name alone does not say which
// weights.
std::string leaderboard_json(const RunSummary& summary, std::string_view manifest);

// Several runs' entries (texts of leaderboard.json) as one board. In each (task, metric, dataset) a
// result's rank is 1 + the number of results whose interval lies wholly above its own, so results
// that cannot be told apart share a rank; `tied` counts those that share it by overlap. Errors:
// kParse, kUnsupported (a newer schema).
Result<std::string> merge_leaderboards(const std::vector<std::string>& boards);

}  // namespace r1eval
