// The registry of variants. See execution.h.
#include "kernels/suite/execution.h"

#include <chrono>

#include "kernels/suite/cpu_variants.h"

namespace r1eval::kernels {

namespace {

std::vector<std::unique_ptr<Variant>>& registry() {
  static std::vector<std::unique_ptr<Variant>> variants = make_cpu_variants();
  return variants;
}

}  // namespace

Result<TimedSample> Execution::time(std::int64_t copy) {
  const auto begin = std::chrono::steady_clock::now();
  R1_RETURN_IF_ERROR(run(copy));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return TimedSample{took.count(), 0};
}

std::vector<Variant*> all_variants() {
  std::vector<Variant*> out;
  for (const auto& variant : registry()) {
    out.push_back(variant.get());
  }
  return out;
}

Variant* find_variant(std::string_view name) {
  for (const auto& variant : registry()) {
    if (variant->name() == name) {
      return variant.get();
    }
  }
  return nullptr;
}

void add_variant(std::unique_ptr<Variant> variant) {
  registry().push_back(std::move(variant));
}

}  // namespace r1eval::kernels
