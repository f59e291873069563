// Generation elsewhere: a run's requests as OpenAI batch lines, and the replies taken back.
//
// Each line's custom_id is the sample's key, which holds task, item, sample, prompt and sampler: a
// reply cannot meet the wrong sample. The run directory is made when the requests are written; what
// it already has is not asked for again.
#pragma once

#include <string>

#include "base/result.h"
#include "harness/plan.h"
#include "harness/run_options.h"

namespace r1eval {

// Writes options.emit_requests; prints what comes next. Returns the exit code.
Result<int> emit_requests(Plan& plan, const RunOptions& options);

// Takes the replies in `path` into the run in `directory` and grades it. Ids that are missing,
// stand twice or belong to no sample of the run are named and counted. Exit code 4 while samples
// are missing beyond --max-failures, 6 where lines are malformed.
Result<int> import_batch(const std::string& path, const std::string& directory, bool no_grade,
                         bool json);

}  // namespace r1eval
