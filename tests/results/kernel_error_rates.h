// How often the rules of results/kernel_compare.h are wrong over made-up cases: used by a test at
// reduced size and by simulate_kernel_compare at full size.
#pragma once

#include <cstdint>

#include "results/kernel_compare.h"
#include "tests/results/kernel_launches.h"

namespace r1eval {

struct ErrorRates {
  std::int64_t n_cases = 0;
  std::int64_t n_flagged = 0;    // slower after the first five pairs
  std::int64_t n_confirmed = 0;  // … and confirmed: what exit 1 says
  std::int64_t n_beyond = 0;     // slower without fresh pairs (the bound above min_effect)
  std::int64_t n_faster = 0;
};

inline ErrorRates measure_error_rates(MadeSuite suite) {
  ErrorRates rates;
  rates.n_cases = suite.n_cases;
  suite.n_launches = 5;
  KernelComparison comparison =
      compare_kernel_runs(make_launches(suite, false), make_launches(suite, true), {}).value();
  for (const KernelCaseComparison& one : comparison.cases) {
    rates.n_flagged += one.verdict == KernelVerdict::kSlower ? 1 : 0;
    rates.n_faster += one.verdict == KernelVerdict::kFaster ? 1 : 0;
    rates.n_beyond += one.confirmation == KernelConfirmation::kBeyondMargin ? 1 : 0;
  }
  suite.n_launches = 9;
  const Status confirmed = confirm_kernel_runs(comparison, make_launches(suite, false, "second"),
                                               make_launches(suite, true, "second"), {});
  for (const KernelCaseComparison& one : comparison.cases) {
    rates.n_confirmed += confirmed.has_value() && one.verdict == KernelVerdict::kSlower &&
                                 one.confirmation == KernelConfirmation::kConfirmed
                             ? 1
                             : 0;
  }
  return rates;
}

}  // namespace r1eval
