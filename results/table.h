// The table that ends a run.
#pragma once

#include <string>

#include "results/summary.h"

namespace r1eval {

// Plain text, at most about 110 columns, with notes under it and the directory of the records last.
// Scores are in percent. Same scores, same bytes: nothing of the call that prints it but the notes.
std::string results_table(const RunSummary& summary);

// The scores had every answer been stopped after so many tokens; empty where lengths are not known.
std::string budget_table(const RunSummary& summary);

}  // namespace r1eval
