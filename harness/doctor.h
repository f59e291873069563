// doctor: what isolation this machine gives, layer by layer, and whether it holds.
#pragma once

#include "base/json.h"
#include "base/result.h"

namespace r1eval {

// {level, python, languages, advice, layers:[{layer, available, active, evidence, fallback}],
// self_test:{passed, n, failed:[…]}, runs_per_s}; level null where programs cannot be run at all.
OrderedJson examine_sandbox();

// Prints the above for people, or as JSON.
void print_doctor(bool json);

}  // namespace r1eval
