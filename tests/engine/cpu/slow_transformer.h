// The four architectures once more, in double precision, one token and one head at a time, with
// latent attention in its expanded form: what the engine is compared with where no reference is at
// hand. Reads config.json and tensors by the hub's names itself; shares no code with the engine.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/engine/cpu/random_checkpoint.h"

namespace r1eval {

// Logits (tokens, vocabulary).
std::vector<double> slow_logits(const RandomCheckpoint& checkpoint,
                                const std::vector<std::int32_t>& tokens);

}  // namespace r1eval
