// Which level can be had here, and what each layer's state is.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "graders/code/launch.h"
#include "graders/code/sandbox.h"

namespace r1eval {

// Puts the system's interpreters of Python into `config`, never a version manager's stand-in.
void find_interpreters(wire::Config& config);

struct FirstSlot {
  SandboxLevel level = SandboxLevel::kC;
  Supervisor supervisor;
  wire::Config config;
  std::vector<std::pair<SandboxLevel, std::string>> refused;  // better levels, and why not
};

// Tries levels from the best down to what the options allow.
Result<FirstSlot> open_first_slot(const SandboxOptions& options, wire::Config config);

std::vector<LayerStatus> describe_layers(const FirstSlot& slot);

}  // namespace r1eval
