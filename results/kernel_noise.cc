// Noise floors of kernels between comparisons: the file that keeps them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/kernel_compare.h"

namespace r1eval {

std::string kernel_noise_json(const std::map<std::string, double>& known,
                              const KernelComparison& comparison) {
  std::map<std::string, double> noise = known;
  for (const KernelCaseComparison& one : comparison.cases) {
    if (one.verdict == KernelVerdict::kIdentical && one.n_pairs > 0) {
      double& floor = noise[one.id];
      floor = std::max(floor, std::abs(std::log1p(one.effect)));
    }
  }
  OrderedJson json;
  json["schema"] = 1;
  json["noise"] = OrderedJson::object();
  for (const auto& [id, value] : noise) {
    json["noise"][id] = value;
  }
  return dump_json_pretty(json);
}

Result<std::map<std::string, double>> parse_kernel_noise(std::string_view text,
                                                         const std::string& file) {
  Result<Json> json = parse_json(text);
  if (!json) {
    return json.error().with_context(file);
  }
  const Json* entries = find_member(*json, "noise");
  if (entries == nullptr || !entries->is_object()) {
    return fail(
        ErrorCode::kParse,
        fmt::format("{}: field 'noise': expected an object of case ids and fractions", file));
  }
  std::map<std::string, double> noise;
  for (const auto& [id, value] : entries->items()) {
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < 0) {
      return fail(ErrorCode::kParse, fmt::format("{}: noise of '{}': expected a fraction of 0 or "
                                                 "more, got {}",
                                                 file, id, dump_json(value)));
    }
    noise[id] = value.get<double>();
  }
  return noise;
}

}  // namespace r1eval
