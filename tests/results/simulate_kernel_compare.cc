// Prints how often `kernels compare` is wrong over made-up launches, by the offset between
// processes and the true change.
//
//   simulate_kernel_compare [CASES]      default 10,000 a line
//
// Beside it the two-sided U test over repetitions of one launch a side, which is what comparing two
// files amounts to. docs/kernels-tracking.md has its figures.
#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "tests/results/kernel_error_rates.h"

namespace r1eval {
namespace {

// Mann-Whitney, normal approximation with continuity correction; no ties in made-up times.
bool u_test_differs(const KernelCase& a, const KernelCase& b) {
  double u = 0;
  for (const KernelSample& x : a.samples) {
    for (const KernelSample& y : b.samples) {
      u += x.time_ns < y.time_ns ? 1 : 0;
    }
  }
  const auto n = static_cast<double>(a.samples.size());
  const auto m = static_cast<double>(b.samples.size());
  const double z = (std::abs(u - n * m / 2) - 0.5) / std::sqrt(n * m * (n + m + 1) / 12);
  return z > 1.96;
}

void line(std::int64_t n_cases, double offset, double slowdown) {
  MadeSuite suite;
  suite.n_cases = n_cases;
  suite.offset = offset;
  suite.slowdown = slowdown;
  suite.seed = 11;
  const ErrorRates rates = measure_error_rates(suite);
  suite.n_launches = 1;
  const std::vector<KernelRun> base = make_launches(suite, false, "u");
  const std::vector<KernelRun> head = make_launches(suite, true, "u");
  std::int64_t n_u = 0;
  for (std::size_t i = 0; i < base[0].cases.size(); ++i) {
    n_u += u_test_differs(base[0].cases[i], head[0].cases[i]) ? 1 : 0;
  }
  const auto share = [&](std::int64_t n) {
    return 100 * static_cast<double>(n) / static_cast<double>(n_cases);
  };
  fmt::print("{:6.1f} %  {:6.1f} %  {:10.3f} %  {:10.3f} %  {:12.3f} %  {:8.1f} %\n", 100 * offset,
             100 * slowdown, share(rates.n_flagged), share(rates.n_confirmed),
             share(rates.n_beyond), share(n_u));
}

}  // namespace
}  // namespace r1eval

int main(int argc, char** argv) {
  const long asked = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 10000;
  const std::int64_t n_cases = asked > 0 ? asked : 10000;
  fmt::print("{} cases a line, 5 pairs of 9 repetitions (0.3 % inside), then 9 confirming pairs\n",
             n_cases);
  fmt::print("{:>8}  {:>8}  {:>12}  {:>12}  {:>14}  {:>10}\n", "offset", "true", "flagged",
             "confirmed", "beyond margin", "U test");
  for (const double slowdown : {0.0, 0.03, 0.05}) {
    for (const double offset : {0.002, 0.005, 0.01, 0.02}) {
      r1eval::line(n_cases, offset, slowdown);
    }
  }
  return 0;
}
