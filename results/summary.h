// What a finished (or interrupted) run says of itself: the input of every report writer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/aggregate.h"

namespace r1eval {

struct RunSummary {
  std::string directory;
  std::string model;
  std::string model_revision;  // empty: unidentified weights
  std::vector<TaskScores> tasks;
  std::vector<std::string> notes;  // sentences that follow from the records
  std::vector<std::string>
      call_notes;                  // sentences about this call: shown, not kept in results.json
  std::int64_t requests_sent = 0;  // by this call
};

}  // namespace r1eval
