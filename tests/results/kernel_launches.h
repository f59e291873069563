// Launches of a made-up suite whose truth is known: cases with a true time, offsets of a process,
// noise of a repetition.
//
// Model    time of repetition r of case c in launch l =
//            true_ns(c, side) * exp(offset * z(l, c) + inside * z(l, c, r)),
//          z standard normal, keyed by identity, so that the same seed gives the same launches.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/rng.h"
#include "results/kernel_run.h"

namespace r1eval {

struct MadeSuite {
  std::int64_t n_cases = 1;
  std::int64_t n_launches = 5;
  std::int64_t n_repetitions = 9;
  double base_ns = 100e3;
  double slowdown = 0;    // of the head, true
  double offset = 0.005;  // sd of a launch's offset, per case
  double inside = 0.003;  // sd of a repetition
  double clock_ghz = 0;   // 0: no clock record
  std::string label;
  std::uint64_t seed = 1;
};

inline double normal_at(std::uint64_t key, std::uint64_t counter) {
  const double u = 1 - uniform_at(key, 2 * counter);
  const double v = uniform_at(key, 2 * counter + 1);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
}

// One side's launches; those of base and head interleave as A B, B A, … by "r1eval.launch_order".
inline std::vector<KernelRun> make_launches(const MadeSuite& suite, bool is_head,
                                            const std::string& round = "first") {
  std::vector<KernelRun> runs;
  for (std::int64_t launch = 0; launch < suite.n_launches; ++launch) {
    KernelRun run;
    run.file = fmt::format("{}/{:02}.json", is_head ? "head" : "base", launch);
    const bool goes_second = is_head == (launch % 2 == 0);
    run.context["r1eval.launch_order"] = std::to_string(2 * launch + (goes_second ? 1 : 0));
    for (std::int64_t c = 0; c < suite.n_cases; ++c) {
      const std::uint64_t key =
          stable_hash64({round, is_head ? "head" : "base", std::to_string(launch),
                         std::to_string(c), std::to_string(suite.seed)});
      KernelCase one;
      one.id = fmt::format("op.made/T:{}", c);
      one.label = suite.label;
      const double offset = suite.offset * normal_at(key, 0);
      for (std::int64_t r = 0; r < suite.n_repetitions; ++r) {
        KernelSample sample;
        const double noise =
            offset + suite.inside * normal_at(key, static_cast<std::uint64_t>(r + 1));
        sample.time_ns = suite.base_ns * (is_head ? 1 + suite.slowdown : 1) * std::exp(noise);
        if (suite.clock_ghz > 0) {
          sample.counters["clock_ghz"] = suite.clock_ghz;
        }
        one.samples.push_back(sample);
      }
      run.cases.push_back(std::move(one));
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace r1eval
