// Two versions of the same kernels, case by case: is the head slower, faster, the same, or is that
// not known?
//
// Why      two processes of one program differ by their memory layout, their place on the machine
//          and their moment: 0.2 to 2 % between launches where repetitions inside one differ by
//          0.3 %. A test over repetitions calls identical code different in 56 to 90 % of trials
//          then (simulated: tests/results/simulate_kernel_compare.cc). So the unit here is the
//          launch, launches are compared in pairs that ran next to each other, in alternating
//          order (A B, B A, …), and what looks slower must look slower again.
// Rule     1 code, launch shape and arguments are the same -> identical; its difference is noise
//            by construction, and is the noise floor of cases like it.
//          2 fewer than 5 pairs, 9 repetitions or an unknown order -> unproven at most.
//          3 slower: the one-sided bootstrap bound of the median over pairs of
//            log(median head / median base) is above 0, the effect is above max(min_effect, twice
//            the noise floor), and the same holds for cycles (time x clock) where the clock was
//            recorded. faster: the mirror. same: the 95 % interval lies inside +-min_effect.
//            Else unclear.
//          4 slower must be confirmed by 9 fresh pairs (8 of 9 slower, median above min_effect);
//            where nobody runs them, by a bound that is itself above min_effect.
// Units    effects are ratios minus 1 (0.03: 3 % slower); times in nanoseconds.
// Sources  docs/kernels-tracking.md. Threads: pure functions.
// Tested   tests/results/kernel_compare_test.cc; error rates by kernel_error_rates_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "results/kernel_run.h"

namespace r1eval {

enum class KernelVerdict : std::uint8_t {
  kIdentical,  // the same code: nothing to compare
  kSame,
  kFaster,
  kSlower,
  kUnclear,   // enough launches, and still no answer
  kUnproven,  // too few launches for any answer
  kWrong,     // a side's result failed its check: no times are shown
  kError,     // a side has no time for another reason
  kMissing,   // one side has no such case
};
std::string_view kernel_verdict_name(KernelVerdict verdict);  // "identical", "same", …

enum class KernelConfirmation : std::uint8_t {
  kNone,          // not slower, or nothing asked yet
  kConfirmed,     // by fresh pairs
  kBeyondMargin,  // no fresh pairs; the bound itself is above min_effect
  kNotRun,        // slower in its pairs, and that is all there is
  kRefuted,       // fresh pairs did not show it; the verdict is unclear
};
std::string_view kernel_confirmation_name(KernelConfirmation confirmation);

// What must agree before times may be compared. The names are those of --allow.
inline constexpr std::string_view kKernelGuards[] = {"machine", "timer", "duty",
                                                     "cache",   "data",  "suite"};

struct KernelCompareOptions {
  double alpha = 0.05;  // one-sided, of the bound
  std::int64_t min_pairs = 5;
  std::int64_t min_repetitions = 9;
  std::optional<double> min_effect;  // for every case, in place of the rule's 2 or 5 %
  std::set<std::string> allow;  // names of kKernelGuards, and "order": launches need not alternate
  std::vector<std::string> patterns;  // only cases that one of these matches (kernel_name_matches)
  std::map<std::string, double> noise;  // known noise floors, by case id (kernel_noise_json)
};

struct KernelCaseComparison {
  std::string id;
  KernelVerdict verdict = KernelVerdict::kUnproven;
  KernelConfirmation confirmation = KernelConfirmation::kNone;
  bool is_broken = false;  // the head's result is wrong, or it cannot run what the base can
  std::string why;         // one sentence; empty where the numbers say all
  double base_ns = 0;      // median over launches of their medians; 0: no time, or withheld
  double head_ns = 0;
  std::int64_t n_pairs = 0;
  std::int64_t n_slower_pairs = 0;
  double effect = 0;  // head against base, over pairs
  double lower = 0;   // 95 % interval of the effect
  double upper = 0;
  double bound = 0;                     // one-sided, towards 0
  std::optional<double> cycles_effect;  // of time x clock; none where no clock was recorded
  double wilcoxon_p = 1;                // one-sided, in the direction of the effect; shown beside
  double sign_p = 1;
  double min_effect = 0;
  double noise_floor = 0;                // 0: not known
  std::optional<double> confirm_effect;  // over the fresh pairs
  std::int64_t n_confirm_pairs = 0;
};

struct KernelComparison {
  std::string base;  // where the two came from
  std::string head;
  std::string base_commit;
  std::string head_commit;
  std::string machine;
  std::int64_t n_base_launches = 0;
  std::int64_t n_head_launches = 0;
  bool is_alternating = false;
  std::vector<KernelCaseComparison> cases;  // in the order of the head's first launch
  std::vector<std::string> differences;     // guards that differ and were allowed
  std::vector<std::string> notes;
};

// Errors: kInvalidArgument when a guard differs that is not allowed (the message names it, both
// values and the flag), or no case is left.
Result<KernelComparison> compare_kernel_runs(std::vector<KernelRun> base,
                                             const std::vector<KernelRun>& head,
                                             const KernelCompareOptions& options);

// Ids that rule 4 wants run again.
std::vector<std::string> cases_to_confirm(const KernelComparison& comparison);

// Settles them with fresh launches (at least 9 pairs); what is not in them stays as it is.
Status confirm_kernel_runs(KernelComparison& comparison, const std::vector<KernelRun>& base,
                           const std::vector<KernelRun>& head, const KernelCompareOptions& options);

// How a comparison ends: 0; 1 for a slower case that is confirmed or beyond the margin, a case
// whose head is wrong, or one that the head can no longer run; 3, with `strict`, for unclear and
// unproven ones and for slower ones without confirmation.
int kernel_exit_code(const KernelComparison& comparison, bool strict);

// Noise floors: the known ones with what identical cases of a comparison add to them, as the file
// that --noise reads: {"schema":1,"noise":{ID:fraction}}.
std::string kernel_noise_json(const std::map<std::string, double>& known,
                              const KernelComparison& comparison);
Result<std::map<std::string, double>> parse_kernel_noise(std::string_view text,
                                                         const std::string& file);

}  // namespace r1eval
