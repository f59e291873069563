// leaderboard.json: one run as an entry that a public table can take (docs/outputs.md has the
// schema).
#pragma once

#include <string>
#include <string_view>

#include "results/summary.h"

namespace r1eval {

// `manifest` is the run's manifest.json; its hash identifies the protocol that the scores hold
// under. An entry without a model revision is marked unidentified: a name alone does not say which
// weights.
std::string leaderboard_json(const RunSummary& summary, std::string_view manifest);

}  // namespace r1eval
