// What a result depends on besides the code: machine, build, neighbours.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace r1eval::kernels {

// The r1eval.* context keys of record.h that describe the host and the build; "null" for what the
// system does not say.
std::vector<std::pair<std::string, std::string>> host_environment();

std::int64_t last_level_cache_bytes();  // 32 MiB where the system does not say

// Processor seconds that all processes but this one have used since the machine started; -1 where
// not known.
double foreign_cpu_seconds();

}  // namespace r1eval::kernels
