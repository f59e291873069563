// One token of a step, as the forward pass sees it.
#pragma once

#include <cstdint>

#include "engine/model_runner.h"

namespace r1eval::cpu {

struct StepToken {
  TokenId token = 0;
  std::int64_t position = 0;
  const std::int32_t* pages = nullptr;  // of its sequence; room for this token is reserved
};

}  // namespace r1eval::cpu
