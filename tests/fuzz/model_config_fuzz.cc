// Any text as a config.json: reading ends in a configuration whose sizes can be reckoned with, or
// in an error.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "engine/model/checkpoint.h"
#include "engine/model/model_size.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = r1eval::parse_json(text);
  if (!json) {
    return 0;
  }
  const auto config = r1eval::read_model_config(*json, "fuzz");
  if (!config) {
    return 0;
  }
  const r1eval::ModelSize total = r1eval::model_size(*config);
  if (total.active_parameters > total.total_parameters || total.total_parameters <= 0 ||
      total.cache_values_per_token <= 0 || !std::isfinite(config->attention_scale)) {
    __builtin_trap();
  }
  (void)r1eval::canonical_tensor_name(text.substr(0, 100), *config);
  return 0;
}
