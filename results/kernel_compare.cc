#include "results/kernel_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "results/kernel_facts.h"
#include "results/kernel_statistics.h"

namespace r1eval {
namespace {

constexpr double kShortNs = 20e3;        // below, launch jitter is a part of the time
constexpr double kLongEffect = 0.02;     // min_effect of cases that are not short
constexpr double kShortEffect = 0.05;    // … and of those that are
constexpr double kShortEffectNs = 500;   // … on a device, not less than this
constexpr double kPartialEffect = 0.05;  // of cases with fewer blocks than multiprocessors
constexpr std::int64_t kConfirmPairs = 9;
constexpr std::int64_t kConfirmSlower = 8;
constexpr std::size_t kEnoughIdentical = 3;  // … cases to take a noise floor from

using Launches = std::vector<std::pair<const KernelRun*, const KernelRun*>>;  // base, head

struct Pairing {
  Launches pairs;
  bool contradicted = false;  // the recorded order is not alternating pairs
  bool is_recorded = false;   // the order is known and alternates
};

// Launches sorted by when they ran, cut into twos. Where times are missing or equal, files pair up
// in the order they were given.
Pairing pair_launches(const std::vector<KernelRun>& base, const std::vector<KernelRun>& head) {
  struct Launch {
    double time = 0;
    bool is_head = false;
    const KernelRun* run = nullptr;
  };

  std::vector<Launch> launches;
  bool known = true;
  for (const bool is_head : {false, true}) {
    for (const KernelRun& run : is_head ? head : base) {
      const std::optional<double> time = kernel_launch_time(run);
      known = known && time.has_value();
      launches.push_back({time.value_or(0), is_head, &run});
    }
  }
  std::stable_sort(launches.begin(), launches.end(),
                   [](const Launch& a, const Launch& b) { return a.time < b.time; });
  for (std::size_t i = 1; i < launches.size(); ++i) {
    known = known && launches[i].time != launches[i - 1].time;
  }
  const std::size_t n = std::min(base.size(), head.size());
  Pairing pairing;
  for (std::size_t i = 0; i < n; ++i) {
    pairing.pairs.emplace_back(&base[i], &head[i]);
  }
  if (!known || base.size() != head.size()) {
    return pairing;
  }
  Launches by_time;
  std::int64_t n_base_first = 0;
  for (std::size_t i = 0; i + 1 < launches.size(); i += 2) {
    const Launch& first = launches[i];
    const Launch& second = launches[i + 1];
    if (first.is_head == second.is_head) {
      pairing.contradicted = true;
      return pairing;
    }
    n_base_first += first.is_head ? 0 : 1;
    by_time.emplace_back(first.is_head ? second.run : first.run,
                         first.is_head ? first.run : second.run);
  }
  // The same side first each time measures what going first does, too.
  if (n > 1 && (n_base_first == 0 || n_base_first == static_cast<std::int64_t>(n))) {
    pairing.contradicted = true;
    return pairing;
  }
  pairing.pairs = std::move(by_time);
  pairing.is_recorded = true;
  return pairing;
}

using CaseIndex = std::unordered_map<std::string, const KernelCase*>;

CaseIndex index_cases(const KernelRun& run) {
  CaseIndex index;
  for (const KernelCase& one : run.cases) {
    index.emplace(one.id, &one);
  }
  return index;
}

// A guard's value over all launches of a side and of the other: names the first that differs.
Status check_guards(const std::vector<KernelRun>& base, const std::vector<KernelRun>& head,
                    const std::set<std::string>& wanted, const KernelCompareOptions& options,
                    std::vector<std::string>* differences) {
  for (const std::string_view guard : kKernelGuards) {
    std::map<std::string, std::pair<std::string, const KernelRun*>> seen;  // by case
    bool told = false;
    for (const std::vector<KernelRun>* side : {&base, &head}) {
      for (const KernelRun& run : *side) {
        for (const KernelCase& one : run.cases) {
          if (!wanted.contains(one.id) || told) {
            continue;
          }
          const std::string value = kernel_guard(run, one, guard);
          const auto [at, is_new] = seen.try_emplace(one.id, value, &run);
          if (is_new || at->second.first == value) {
            continue;
          }
          const auto shown = [](const std::string& text) {
            return text.empty() ? std::string("not recorded") : "'" + text + "'";
          };
          const std::string text =
              fmt::format("{}: {} in {} and {} in {} (case {})", guard, shown(at->second.first),
                          at->second.second->file, shown(value), run.file, one.id);
          if (!options.allow.contains(std::string(guard))) {
            return fail(
                ErrorCode::kInvalidArgument,
                fmt::format("these results cannot be compared: {} differs: {}; measure both "
                            "the same way, or --allow {}",
                            guard, text.substr(guard.size() + 2), guard));
          }
          differences->push_back(text);
          told = true;
        }
      }
    }
  }
  return ok_status();
}

double min_effect_of(const KernelCase& one, double base_ns, const KernelCompareOptions& options) {
  if (options.min_effect) {
    return *options.min_effect;
  }
  const bool is_cpu = kernel_device(one) == "cpu";
  double effect = kLongEffect;
  if (base_ns < kShortNs) {
    effect =
        is_cpu || base_ns <= 0 ? kShortEffect : std::max(kShortEffect, kShortEffectNs / base_ns);
  }
  const std::optional<double> blocks_per_sm = one.counter("blocks_per_sm");
  if (blocks_per_sm && *blocks_per_sm < 1) {
    effect = std::max(effect, kPartialEffect);
  }
  return effect;
}

struct Ratios {
  std::vector<double> time;    // log(head/base) per pair
  std::vector<double> cycles;  // of those pairs where both sides recorded a clock
  std::vector<double> base_ns;
  std::vector<double> head_ns;
  std::int64_t n_short = 0;  // pairs with too few repetitions on a side
};

double median_cycles(const KernelCase& one) {
  std::vector<double> cycles;
  for (const KernelSample& sample : one.samples) {
    const auto clock = sample.counters.find(std::string(kKernelClock));
    if (clock == sample.counters.end() || !(clock->second > 0)) {
      return 0;
    }
    cycles.push_back(sample.time_ns * clock->second);
  }
  return median_of(cycles);
}

struct IndexedPair {
  CaseIndex base;
  CaseIndex head;
};

const KernelCase* case_in(const CaseIndex& index, const std::string& id) {
  const auto at = index.find(id);
  return at == index.end() ? nullptr : at->second;
}

Ratios ratios_of(const std::vector<IndexedPair>& pairs, const std::string& id,
                 std::int64_t min_repetitions) {
  Ratios ratios;
  for (const IndexedPair& pair : pairs) {
    const KernelCase* b = case_in(pair.base, id);
    const KernelCase* h = case_in(pair.head, id);
    if (b == nullptr || h == nullptr || b->samples.empty() || h->samples.empty()) {
      continue;
    }
    const double base_ns = b->median_ns();
    const double head_ns = h->median_ns();
    if (!(base_ns > 0) || !(head_ns > 0)) {
      continue;
    }
    ratios.base_ns.push_back(base_ns);
    ratios.head_ns.push_back(head_ns);
    if (std::min(b->samples.size(), h->samples.size()) <
        static_cast<std::size_t>(min_repetitions)) {
      ++ratios.n_short;
      continue;
    }
    ratios.time.push_back(std::log(head_ns / base_ns));
    const double base_cycles = median_cycles(*b);
    const double head_cycles = median_cycles(*h);
    if (base_cycles > 0 && head_cycles > 0) {
      ratios.cycles.push_back(std::log(head_cycles / base_cycles));
    }
  }
  return ratios;
}

// Is the median above 0 for sure, and large enough? `sign` -1 asks for below.
bool is_beyond(const std::vector<double>& logs, double sign, double threshold, double alpha) {
  std::vector<double> turned;
  for (const double value : logs) {
    turned.push_back(sign * value);
  }
  return median_bounds(turned, alpha).lower > 0 && std::expm1(median_of(turned)) > threshold;
}

void fill_numbers(KernelCaseComparison& one, const Ratios& ratios, double alpha) {
  one.base_ns = median_of(ratios.base_ns);
  one.head_ns = median_of(ratios.head_ns);
  one.n_pairs = static_cast<std::int64_t>(ratios.time.size());
  if (ratios.time.empty()) {
    one.effect = one.base_ns > 0 ? one.head_ns / one.base_ns - 1 : 0;
    one.lower = one.upper = one.bound = one.effect;
    return;
  }
  const double centre = median_of(ratios.time);
  one.effect = std::expm1(centre);
  const MedianBounds interval = median_bounds(ratios.time, 0.025);
  one.lower = std::expm1(interval.lower);
  one.upper = std::expm1(interval.upper);
  const MedianBounds bounds = median_bounds(ratios.time, alpha);
  one.bound = std::expm1(centre >= 0 ? bounds.lower : bounds.upper);
  one.n_slower_pairs =
      std::count_if(ratios.time.begin(), ratios.time.end(), [](double x) { return x > 0; });
  std::vector<double> turned;
  for (const double value : ratios.time) {
    turned.push_back(centre >= 0 ? value : -value);
  }
  one.wilcoxon_p = wilcoxon_p_above(turned);
  one.sign_p = sign_p_above(turned);
  if (!ratios.cycles.empty()) {
    one.cycles_effect = std::expm1(median_of(ratios.cycles));
  }
}

std::string percent(double fraction) {
  return fmt::format("{:+.2f} %", 100 * fraction);
}

// Rules 2 and 3, once the numbers stand.
void decide(KernelCaseComparison& one, const Ratios& ratios, const Pairing& pairing, bool is_device,
            const KernelCompareOptions& options) {
  if (one.n_pairs < options.min_pairs) {
    one.verdict = KernelVerdict::kUnproven;
    one.why =
        ratios.n_short > 0
            ? fmt::format("{} pairs of launches have fewer than {} repetitions a side",
                          ratios.n_short, options.min_repetitions)
            : fmt::format("{} pairs of launches; {} are needed", one.n_pairs, options.min_pairs);
    return;
  }
  if (pairing.contradicted && !options.allow.contains("order")) {
    one.verdict = KernelVerdict::kUnproven;
    one.why = "the launches did not run as alternating pairs (A B, B A, …)";
    return;
  }
  if (is_device && ratios.cycles.size() != ratios.time.size()) {
    one.verdict = KernelVerdict::kUnproven;
    one.why = "no clock record, so a change of clock cannot be told from a change of code";
    return;
  }
  const double threshold = std::max(one.min_effect, 2 * one.noise_floor);
  const double sign = one.effect >= 0 ? 1 : -1;
  // A speed-up of the threshold's ratio counts as much as a slowdown of it.
  const bool is_timed = is_beyond(ratios.time, sign, threshold, options.alpha);
  const bool has_cycles = ratios.cycles.size() == ratios.time.size();
  const bool agrees = !has_cycles || is_beyond(ratios.cycles, sign, threshold, options.alpha);
  if (is_timed && agrees) {
    one.verdict = sign > 0 ? KernelVerdict::kSlower : KernelVerdict::kFaster;
    if (sign > 0) {
      one.confirmation =
          one.bound > threshold ? KernelConfirmation::kBeyondMargin : KernelConfirmation::kNotRun;
    }
    return;
  }
  if (is_timed) {
    one.verdict = KernelVerdict::kUnclear;
    one.why = fmt::format("time {}, but cycles {}: the clock differed", percent(one.effect),
                          percent(one.cycles_effect.value_or(0)));
    return;
  }
  if (one.lower > -one.min_effect && one.upper < one.min_effect) {
    one.verdict = KernelVerdict::kSame;
    return;
  }
  one.verdict = KernelVerdict::kUnclear;
  one.why = fmt::format(
      "the interval [{}, {}] does not lie inside +-{:.3g} %, nor does the effect "
      "stand out",
      percent(one.lower), percent(one.upper), 100 * one.min_effect);
}

struct SideState {
  const KernelCase* any = nullptr;  // of a launch that has times
  const KernelRun* run = nullptr;   // … and that launch
  const KernelCase* wrong = nullptr;
  const KernelCase* error = nullptr;
  bool is_present = false;
  bool is_identity_known = true;
  std::string identity;
};

SideState look_at(const std::vector<KernelRun>& runs, const std::vector<CaseIndex>& indices,
                  const std::string& id) {
  SideState state;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const KernelCase* one = case_in(indices[i], id);
    if (one == nullptr) {
      continue;
    }
    state.is_present = true;
    if (one->is_wrong) {
      state.wrong = one;
    } else if (!one->error.empty()) {
      state.error = one;
    } else if (state.any == nullptr) {
      state.any = one;
      state.run = &runs[i];
      state.identity = kernel_identity(runs[i], *one);
    } else if (kernel_identity(runs[i], *one) != state.identity) {
      state.is_identity_known = false;
    }
  }
  state.is_identity_known = state.is_identity_known && !state.identity.empty();
  return state;
}

std::string commit_of(const std::vector<KernelRun>& runs) {
  for (const KernelRun& run : runs) {
    if (std::string commit = kernel_commit(run); !commit.empty()) {
      return commit;
    }
  }
  return "";
}

bool matches_any(const std::string& id, const std::vector<std::string>& patterns) {
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& p) { return kernel_name_matches(id, p); });
}

// Ids of both sides: the head's order, then what only the base has.
std::vector<std::string> ids_of(const std::vector<KernelRun>& base,
                                const std::vector<KernelRun>& head,
                                const KernelCompareOptions& options) {
  std::vector<std::string> ids;
  std::set<std::string> seen;
  for (const std::vector<KernelRun>* side : {&head, &base}) {
    for (const KernelRun& run : *side) {
      for (const KernelCase& one : run.cases) {
        if (matches_any(one.id, options.patterns) && seen.insert(one.id).second) {
          ids.push_back(one.id);
        }
      }
    }
  }
  return ids;
}

// Base cases under the name that the head gives them, where the two differ in the cache state alone
// and neither side has both. Errors: unless that is allowed.
Status rename_cache_twins(std::vector<KernelRun>& base, const std::vector<KernelRun>& head,
                          const KernelCompareOptions& options,
                          std::vector<std::string>* differences) {
  std::set<std::string> base_ids;
  std::set<std::string> head_ids;
  for (const KernelRun& run : base) {
    for (const KernelCase& one : run.cases) {
      base_ids.insert(one.id);
    }
  }
  for (const KernelRun& run : head) {
    for (const KernelCase& one : run.cases) {
      head_ids.insert(one.id);
    }
  }
  bool told = false;
  for (KernelRun& run : base) {
    for (KernelCase& one : run.cases) {
      KernelName name = parse_kernel_name(one.id);
      if (!name.is_ours() || head_ids.contains(one.id)) {
        continue;
      }
      const std::string was = name.cache;
      name.cache = was == "cold" ? "hot" : "cold";
      const std::string twin = name.text();
      if (!head_ids.contains(twin) || base_ids.contains(twin)) {
        continue;
      }
      const std::string text = fmt::format("cache: '{}' in {} and '{}' in {} (case {})", was,
                                           run.file, name.cache, head[0].file, one.id);
      if (!options.allow.contains("cache")) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("these results cannot be compared: {}; measure both the same way, "
                                "or --allow cache",
                                text));
      }
      if (!told) {
        differences->push_back(text);
        told = true;
      }
      one.id = twin;
    }
  }
  return ok_status();
}

std::vector<CaseIndex> index_runs(const std::vector<KernelRun>& runs) {
  std::vector<CaseIndex> indices;
  for (const KernelRun& run : runs) {
    indices.push_back(index_cases(run));
  }
  return indices;
}

std::vector<IndexedPair> index_pairs(const Launches& launches) {
  std::vector<IndexedPair> pairs;
  for (const auto& [base, head] : launches) {
    pairs.push_back({index_cases(*base), index_cases(*head)});
  }
  return pairs;
}

// Noise floors from cases whose code is the same on both sides: what measuring nothing gave. Cases
// of one duration class share it, as jitter does; the 90th percentile, so that one odd case does
// not set it, nor a lucky one.
void spread_noise(KernelComparison& comparison, const std::map<std::string, double>& known) {
  std::vector<double> of_class[2];
  for (const KernelCaseComparison& one : comparison.cases) {
    if (one.verdict == KernelVerdict::kIdentical && one.n_pairs > 0) {
      of_class[one.base_ns < kShortNs ? 1 : 0].push_back(std::abs(std::log1p(one.effect)));
    }
  }
  for (KernelCaseComparison& one : comparison.cases) {
    const std::vector<double>& class_noise = of_class[one.base_ns < kShortNs ? 1 : 0];
    const auto at = known.find(one.id);
    one.noise_floor = at == known.end() ? 0 : at->second;
    if (class_noise.size() >= kEnoughIdentical) {
      one.noise_floor = std::max(one.noise_floor, quantile_of(class_noise, 0.9));
    }
  }
}

}  // namespace

std::string_view kernel_verdict_name(KernelVerdict verdict) {
  switch (verdict) {
    case KernelVerdict::kIdentical:
      return "identical";
    case KernelVerdict::kSame:
      return "same";
    case KernelVerdict::kFaster:
      return "faster";
    case KernelVerdict::kSlower:
      return "slower";
    case KernelVerdict::kUnclear:
      return "unclear";
    case KernelVerdict::kUnproven:
      return "unproven";
    case KernelVerdict::kWrong:
      return "wrong";
    case KernelVerdict::kError:
      return "error";
    case KernelVerdict::kMissing:
      return "missing";
  }
  return "unproven";
}

std::string_view kernel_confirmation_name(KernelConfirmation confirmation) {
  switch (confirmation) {
    case KernelConfirmation::kNone:
      return "none";
    case KernelConfirmation::kConfirmed:
      return "confirmed";
    case KernelConfirmation::kBeyondMargin:
      return "beyond-margin";
    case KernelConfirmation::kNotRun:
      return "not-run";
    case KernelConfirmation::kRefuted:
      return "refuted";
  }
  return "none";
}

Result<KernelComparison> compare_kernel_runs(std::vector<KernelRun> base,
                                             const std::vector<KernelRun>& head,
                                             const KernelCompareOptions& options) {
  if (base.empty() || head.empty()) {
    return fail(ErrorCode::kInvalidArgument, "both sides need a launch at least");
  }
  KernelComparison comparison;
  R1_RETURN_IF_ERROR(rename_cache_twins(base, head, options, &comparison.differences));
  const std::vector<std::string> ids = ids_of(base, head, options);
  if (ids.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                options.patterns.empty()
                    ? fmt::format("{} and {} hold no cases", base[0].file, head[0].file)
                    : fmt::format("--case {}: no case of {} or {} matches", options.patterns[0],
                                  base[0].file, head[0].file));
  }
  R1_RETURN_IF_ERROR(
      check_guards(base, head, {ids.begin(), ids.end()}, options, &comparison.differences));
  comparison.base_commit = commit_of(base);
  comparison.head_commit = commit_of(head);
  comparison.n_base_launches = static_cast<std::int64_t>(base.size());
  comparison.n_head_launches = static_cast<std::int64_t>(head.size());
  const Pairing pairing = pair_launches(base, head);
  comparison.is_alternating = pairing.is_recorded;
  if (base.size() != head.size()) {
    comparison.notes.push_back(
        fmt::format("{} launches of the base and {} of the head: the first {} of each make pairs, "
                    "in the order of their files",
                    base.size(), head.size(), pairing.pairs.size()));
  } else if (!pairing.is_recorded && !pairing.contradicted && base.size() > 1) {
    comparison.notes.push_back(
        "when the launches ran is not recorded to the second: files pair up in the order of their "
        "names, and are trusted to have run in alternating order");
  }
  const std::vector<CaseIndex> base_index = index_runs(base);
  const std::vector<CaseIndex> head_index = index_runs(head);
  const std::vector<IndexedPair> pairs = index_pairs(pairing.pairs);
  std::vector<Ratios> ratios;
  std::vector<bool> is_open;  // rules 2 and 3 decide
  std::vector<bool> is_device;
  for (const std::string& id : ids) {
    KernelCaseComparison one;
    one.id = id;
    const SideState b = look_at(base, base_index, id);
    const SideState h = look_at(head, head_index, id);
    ratios.push_back(ratios_of(pairs, id, options.min_repetitions));
    is_open.push_back(false);
    is_device.push_back(h.any != nullptr && kernel_device(*h.any) == "gpu");
    if (comparison.machine.empty() && h.any != nullptr) {
      comparison.machine = kernel_machine(*h.run);
    }
    if (!b.is_present || !h.is_present) {
      one.verdict = KernelVerdict::kMissing;
      one.why = b.is_present ? "only the base has it" : "only the head has it";
    } else if (h.wrong != nullptr || b.wrong != nullptr) {
      one.verdict = KernelVerdict::kWrong;
      one.is_broken = h.wrong != nullptr;
      one.why = fmt::format("{}: {}", h.wrong != nullptr ? "head" : "base",
                            (h.wrong != nullptr ? h.wrong : b.wrong)->error);
    } else if (h.error != nullptr || b.error != nullptr) {
      one.verdict = KernelVerdict::kError;
      one.is_broken = h.error != nullptr && b.error == nullptr;
      one.why = fmt::format("{}: {}", h.error != nullptr ? "head" : "base",
                            (h.error != nullptr ? h.error : b.error)->error);
    } else {
      fill_numbers(one, ratios.back(), options.alpha);
      one.min_effect = min_effect_of(*h.any, one.base_ns, options);
      if (b.is_identity_known && h.is_identity_known && b.identity == h.identity) {
        one.verdict = KernelVerdict::kIdentical;
      } else {
        is_open.back() = true;
      }
    }
    comparison.cases.push_back(std::move(one));
  }
  spread_noise(comparison, options.noise);
  for (std::size_t i = 0; i < comparison.cases.size(); ++i) {
    if (is_open[i]) {
      decide(comparison.cases[i], ratios[i], pairing, is_device[i], options);
    }
  }
  return comparison;
}

std::vector<std::string> cases_to_confirm(const KernelComparison& comparison) {
  std::vector<std::string> ids;
  for (const KernelCaseComparison& one : comparison.cases) {
    if (one.verdict == KernelVerdict::kSlower &&
        one.confirmation != KernelConfirmation::kConfirmed) {
      ids.push_back(one.id);
    }
  }
  return ids;
}

Status confirm_kernel_runs(KernelComparison& comparison, const std::vector<KernelRun>& base,
                           const std::vector<KernelRun>& head,
                           const KernelCompareOptions& options) {
  const std::vector<std::string> wanted = cases_to_confirm(comparison);
  std::vector<std::string> ignored;
  R1_RETURN_IF_ERROR(check_guards(base, head, {wanted.begin(), wanted.end()}, options, &ignored));
  const Pairing pairing = pair_launches(base, head);
  if (pairing.contradicted && !options.allow.contains("order")) {
    return fail(ErrorCode::kInvalidArgument,
                "the confirming launches did not run as alternating pairs (A B, B A, …); --allow "
                "order takes them all the same");
  }
  const std::vector<IndexedPair> pairs = index_pairs(pairing.pairs);
  for (KernelCaseComparison& one : comparison.cases) {
    if (std::find(wanted.begin(), wanted.end(), one.id) == wanted.end()) {
      continue;
    }
    const Ratios ratios = ratios_of(pairs, one.id, options.min_repetitions);
    const auto n = static_cast<std::int64_t>(ratios.time.size());
    one.n_confirm_pairs = n;
    if (n < kConfirmPairs) {
      one.why = fmt::format("{} confirming pairs; {} are needed", n, kConfirmPairs);
      continue;
    }
    const std::int64_t n_slower =
        std::count_if(ratios.time.begin(), ratios.time.end(), [](double x) { return x > 0; });
    one.confirm_effect = std::expm1(median_of(ratios.time));
    // 8 of 9, and the same share of more.
    const bool often = n_slower * kConfirmPairs >= n * kConfirmSlower;
    if (often && *one.confirm_effect > std::max(one.min_effect, 2 * one.noise_floor)) {
      one.confirmation = KernelConfirmation::kConfirmed;
      one.why.clear();
      continue;
    }
    one.verdict = KernelVerdict::kUnclear;
    one.confirmation = KernelConfirmation::kRefuted;
    one.why =
        fmt::format("{} in {} pairs, but {} in {} fresh ones ({} slower)", percent(one.effect),
                    one.n_pairs, percent(*one.confirm_effect), n, n_slower);
  }
  return ok_status();
}

int kernel_exit_code(const KernelComparison& comparison, bool strict) {
  bool is_open = false;
  for (const KernelCaseComparison& one : comparison.cases) {
    switch (one.verdict) {
      case KernelVerdict::kSlower:
        if (one.confirmation != KernelConfirmation::kNotRun) {
          return 1;
        }
        is_open = true;
        break;
      case KernelVerdict::kWrong:
      case KernelVerdict::kError:
        if (one.is_broken) {
          return 1;
        }
        break;
      case KernelVerdict::kUnclear:
      case KernelVerdict::kUnproven:
        is_open = true;
        break;
      case KernelVerdict::kIdentical:
      case KernelVerdict::kSame:
      case KernelVerdict::kFaster:
      case KernelVerdict::kMissing:
        break;
    }
  }
  return is_open && strict ? 3 : 0;
}

}  // namespace r1eval
