// results.json (schema 1, docs/outputs.md) and the one line that `--json` prints.
#pragma once

#include <string>

#include "results/summary.h"

namespace r1eval {

// The file's text. Same scores, same bytes: it holds nothing of the call that wrote it.
std::string results_json(const RunSummary& summary);

// {"run":DIR,"results":{TASK:{…}},"requests_sent":N}, without a newline.
std::string summary_line_json(const RunSummary& summary);

}  // namespace r1eval
