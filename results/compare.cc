#include "results/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>
#include <set>
#include <unordered_map>

#include "base/hash.h"
#include "results/bootstrap.h"
#include "results/paired.h"
#include "results/statistics.h"

namespace r1eval {
namespace {

struct Pair {
  const ItemResult* a = nullptr;
  const ItemResult* b = nullptr;
};

struct Pairing {
  std::vector<Pair> pairs;  // by id of a
  std::vector<const ItemResult*> only_a;
  std::vector<const ItemResult*> only_b;
  std::int64_t n_changed = 0;
};

bool same_question(const ItemResult& a, const ItemResult& b) {
  return a.question.empty() || b.question.empty() || a.question == b.question;
}

// By id at equal places, as two runs of one dataset have them: no table is needed.
bool pair_in_step(const TaskResult& a, const TaskResult& b, Pairing& pairing) {
  if (a.items.size() != b.items.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    const ItemResult& x = a.items[i];
    const ItemResult& y = b.items[i];
    if (x.id != y.id || !same_question(x, y) || (i > 0 && !(a.items[i - 1].id < x.id))) {
      pairing = {};
      return false;
    }
    if (x.k > 0 && y.k > 0) {
      pairing.pairs.push_back({&x, &y});
    } else {
      pairing.only_a.push_back(&x);
    }
  }
  return true;
}

Pairing pair_items(const TaskResult& a, const TaskResult& b) {
  Pairing pairing;
  if (pair_in_step(a, b, pairing)) {
    return pairing;
  }
  std::unordered_map<std::string, const ItemResult*> by_id;
  for (const ItemResult& item : b.items) {
    by_id.emplace(item.id, &item);
  }
  std::set<const ItemResult*> used;
  std::vector<Pair> found;
  std::vector<const ItemResult*> unmatched;
  for (const ItemResult& item : a.items) {
    const auto other = by_id.find(item.id);
    if (other != by_id.end() && same_question(item, *other->second)) {
      found.push_back({&item, other->second});
      used.insert(other->second);
    } else {
      unmatched.push_back(&item);
    }
  }
  // By question, where that names one item on each side.
  std::map<std::string, std::vector<const ItemResult*>> by_question;
  for (const ItemResult& item : b.items) {
    if (!used.contains(&item) && !item.question.empty()) {
      by_question[item.question].push_back(&item);
    }
  }
  std::map<std::string, int> times;
  for (const ItemResult* item : unmatched) {
    ++times[item->question];
  }
  for (const ItemResult* item : unmatched) {
    const auto other = by_question.find(item->question);
    if (!item->question.empty() && other != by_question.end() && other->second.size() == 1 &&
        times[item->question] == 1) {
      found.push_back({item, other->second.front()});
      used.insert(other->second.front());
    } else {
      pairing.only_a.push_back(item);
    }
  }
  for (const ItemResult& item : b.items) {
    if (!used.contains(&item)) {
      pairing.only_b.push_back(&item);
    }
  }
  // The same id with another question, neither of which found its like elsewhere.
  for (const ItemResult* item : pairing.only_a) {
    const auto other = by_id.find(item->id);
    pairing.n_changed += other != by_id.end() && !used.contains(other->second) ? 1 : 0;
  }
  for (const Pair& pair : found) {
    if (pair.a->k > 0 && pair.b->k > 0) {
      pairing.pairs.push_back(pair);
    } else {
      // One side could not score it: nothing to pair with.
      pairing.only_a.push_back(pair.a);
    }
  }
  std::sort(pairing.pairs.begin(), pairing.pairs.end(),
            [](const Pair& x, const Pair& y) { return x.a->id < y.a->id; });
  return pairing;
}

std::vector<std::int64_t> codes_of(const std::vector<Pair>& pairs, bool of_strata, bool& any) {
  std::vector<std::int64_t> out;
  any = std::any_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
    return of_strata ? !pair.a->stratum.empty() || !pair.b->stratum.empty()
                     : !pair.a->cluster.empty() || !pair.b->cluster.empty();
  });
  if (!any) {  // each item a cluster of its own; one stratum
    out.assign(pairs.size(), 0);
    if (!of_strata) {
      std::iota(out.begin(), out.end(), std::int64_t{0});
    }
    return out;
  }
  std::map<std::string, std::int64_t> codes;
  for (const Pair& pair : pairs) {
    const std::string& named = of_strata
                                   ? (pair.b->stratum.empty() ? pair.a->stratum : pair.b->stratum)
                                   : (pair.b->cluster.empty() ? pair.a->cluster : pair.b->cluster);
    const std::string name = named.empty() && !of_strata ? "\n" + pair.a->id : named;
    out.push_back(codes.emplace(name, static_cast<std::int64_t>(codes.size())).first->second);
  }
  return out;
}

double t_quantile(double degrees, double p) {
  return boost::math::quantile(boost::math::students_t(std::max(1.0, degrees)), p);
}

double t_tail(double statistic, double degrees) {  // P(T >= statistic)
  return boost::math::cdf(
      boost::math::complement(boost::math::students_t(std::max(1.0, degrees)), statistic));
}

// The standard error of what the question asks, its degrees of freedom and the weight of one unseen
// unit.
struct Spread {
  std::optional<double> se;
  double degrees = 0;
  double guard = 1;
  std::int64_t n_units = 0;
  std::optional<double> design_effect;
};

Spread spread_of_new_items(const std::vector<Pair>& pairs, const std::vector<double>& d,
                           const std::vector<std::int64_t>& clusters, bool has_clusters) {
  Spread spread;
  bool has_strata = false;
  const std::vector<std::int64_t> strata = codes_of(pairs, true, has_strata);
  // Codes count up from 0.
  const auto n_names = static_cast<std::size_t>(
      clusters.empty() ? 0 : 1 + *std::max_element(clusters.begin(), clusters.end()));
  const std::optional<double> plain = se_population(d);
  const bool is_clustered = has_clusters && n_names < d.size();
  spread.n_units = static_cast<std::int64_t>(is_clustered ? n_names : d.size());
  if (is_clustered) {
    spread.se = se_clustered(d, clusters);
    if (spread.se && plain && *plain > 0) {
      spread.design_effect = (*spread.se / *plain) * (*spread.se / *plain);
    }
  } else {
    spread.se = has_strata ? se_stratified(d, strata) : plain;
  }
  spread.degrees = static_cast<double>(spread.n_units - 1);
  spread.guard = 1 / static_cast<double>(spread.n_units);
  return spread;
}

Spread spread_of_these_items(const std::vector<Pair>& pairs) {
  Spread spread;
  std::vector<double> terms;
  std::vector<double> over_degrees;
  double least_samples = 1e300;
  for (const Pair& pair : pairs) {
    for (const ItemResult* item : {pair.a, pair.b}) {
      const auto k = static_cast<double>(item->k);
      const double term = item->variance() / k;
      terms.push_back(term);
      over_degrees.push_back(k > 1 ? term * term / (k - 1) : 0);
      least_samples = std::min(least_samples, k);
    }
  }
  const auto n = static_cast<double>(pairs.size());
  const double sum = pairwise_sum(terms);
  const double sum_over_degrees = pairwise_sum(over_degrees);
  spread.se = std::sqrt(sum) / n;
  // Welch 1947, Biometrika 34:28, and Satterthwaite 1946, Biometrics Bulletin 2:110.
  spread.degrees = sum_over_degrees > 0 ? sum * sum / sum_over_degrees : least_samples - 1;
  spread.guard = 1 / (n * least_samples);
  spread.n_units = static_cast<std::int64_t>(pairs.size());
  return spread;
}

DifferenceVariance variance_of(const std::vector<Pair>& pairs, const std::vector<double>& d) {
  DifferenceVariance v;
  const auto n = static_cast<double>(pairs.size());
  std::vector<double> within_a;
  std::vector<double> within_b;
  std::vector<double> noise;
  for (const Pair& pair : pairs) {
    within_a.push_back(pair.a->variance());
    within_b.push_back(pair.b->variance());
    noise.push_back(pair.a->variance() / static_cast<double>(pair.a->k) +
                    pair.b->variance() / static_cast<double>(pair.b->k));
  }
  v.sigma2_a = pairwise_sum(within_a) / n;
  v.sigma2_b = pairwise_sum(within_b) / n;
  if (const std::optional<double> se = se_population(d)) {
    // With one sample an item nothing tells noise and true difference apart: it all counts as true.
    v.omega2 = std::max(0.0, *se * *se * n - pairwise_sum(noise) / n);
  }
  return v;
}

Score score_of(const std::vector<Pair>& pairs, bool of_a) {
  std::vector<ItemMean> items;
  for (const Pair& pair : pairs) {
    const ItemResult& item = of_a ? *pair.a : *pair.b;
    items.push_back({item.mean(), item.variance(), item.k, item.sum,
                     pair.b->cluster.empty() ? pair.a->cluster : pair.b->cluster,
                     pair.b->stratum.empty() ? pair.a->stratum : pair.b->stratum, item.id});
  }
  return score_of_items(items);
}

void add_flips(const std::vector<Pair>& pairs, TaskComparison& out) {
  std::vector<ItemPair> changed;
  for (const Pair& pair : pairs) {
    const bool right_a = pair.a->mean() > 0.5;
    const bool right_b = pair.b->mean() > 0.5;
    out.n_gained += right_a && !right_b ? 1 : 0;
    out.n_lost += right_b && !right_a ? 1 : 0;
    if (right_a != right_b) {
      changed.push_back({pair.a->id, pair.a->mean(), pair.b->mean()});
    }
  }
  std::stable_sort(changed.begin(), changed.end(),
                   [](const ItemPair& x, const ItemPair& y) { return x.a - x.b < y.a - y.b; });
  if (changed.size() > 50) {
    changed.resize(50);
  }
  out.flips = std::move(changed);
}

// Bootstrap over clusters (items, where there are none) of the mean difference.
Interval bootstrap_of(const std::vector<double>& d, const std::vector<std::int64_t>& clusters,
                      const CompareOptions& options) {
  std::map<std::int64_t, std::pair<double, double>> groups;
  for (std::size_t i = 0; i < d.size(); ++i) {
    auto& [sum, n] = groups[clusters[i]];
    sum += d[i];
    n += 1;
  }
  std::vector<double> sums;
  std::vector<double> sizes;
  for (const auto& [cluster, group] : groups) {
    sums.push_back(group.first);
    sizes.push_back(group.second);
  }
  const auto statistic = [&](std::span<const std::uint32_t> counts) {
    double sum = 0;
    double n = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      sum += counts[i] * sums[i];
      n += counts[i] * sizes[i];
    }
    return sum / n;
  };
  return bootstrap_interval(static_cast<std::int64_t>(sums.size()), statistic,
                            {options.n_draws, options.seed, options.level});
}

}  // namespace

double ItemResult::variance() const {
  if (k < 2) {
    return 0;
  }
  const auto n = static_cast<double>(k);
  return std::max(0.0, (sum_squares - sum * sum / n) / (n - 1));
}

std::string_view question_name(Question question) {
  return question == Question::kNewItems ? "new-items" : "these-items";
}

std::vector<ItemResult> fold_item_results(const std::vector<GradedSample>& samples,
                                          const std::map<std::string, ItemInfo>& items) {
  std::map<std::string, ItemResult> by_id;
  for (const auto& [id, info] : items) {
    ItemResult& item = by_id[id];
    item.id = id;
    item.cluster = info.cluster;
    item.stratum = info.stratum;
  }
  for (const GradedSample& sample : samples) {
    ItemResult& item = by_id[sample.item];
    item.id = sample.item;
    ++item.n_samples;
    item.n_truncated += sample.truncated ? 1 : 0;
    item.n_no_answer += sample.outcome == Outcome::kNoAnswer ? 1 : 0;
    item.n_language_mixed += sample.is_language_mixed ? 1 : 0;
    item.n_ill_formed += sample.is_well_formed ? 0 : 1;
    item.n_repeating += sample.is_repeating ? 1 : 0;
    if (sample.cost >= 0) {
      ++item.n_with_cost;
      item.cost += sample.cost;
    }
    if (sample.completion_tokens >= 0) {
      ++item.n_with_tokens;
      item.completion_tokens += sample.completion_tokens;
      item.prompt_tokens += std::max<std::int64_t>(0, sample.prompt_tokens);
    }
    if (sample.outcome == Outcome::kUnscored) {
      ++item.n_unscored;
      continue;
    }
    const double score = sample_score(sample);
    ++item.k;
    item.sum += score;
    item.sum_squares += score * score;
  }
  std::vector<ItemResult> out;
  for (auto& [id, item] : by_id) {
    out.push_back(std::move(item));
  }
  return out;
}

Result<TaskComparison> compare_task(const TaskResult& a, const TaskResult& b,
                                    const CompareOptions& options) {
  TaskComparison out;
  out.task = a.task;
  const Pairing pairing = pair_items(a, b);
  const std::vector<Pair>& pairs = pairing.pairs;
  out.n_pairs = static_cast<std::int64_t>(pairs.size());
  out.n_dropped = static_cast<std::int64_t>(pairing.only_a.size() + pairing.only_b.size());
  out.n_changed_items = pairing.n_changed;
  if (pairing.n_changed > 0) {
    out.n_dropped -= pairing.n_changed;  // the two sides of one id are one item
  }
  if (pairs.empty()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: no item of the candidate pairs with one of the baseline ({} and {} "
                    "items{}); nothing can be compared",
                    a.task, a.items.size(), b.items.size(),
                    pairing.n_changed > 0 ? ", the same ids with other questions" : ""));
  }
  std::vector<double> d;
  bool single = true;  // k = 1 everywhere
  bool lone_item = false;
  bool is_binary = true;
  std::int64_t gained = 0;
  std::int64_t lost = 0;
  for (const Pair& pair : pairs) {
    d.push_back(pair.a->mean() - pair.b->mean());
    out.k_a = std::max(out.k_a, pair.a->k);
    out.k_b = std::max(out.k_b, pair.b->k);
    single = single && pair.a->k == 1 && pair.b->k == 1;
    lone_item = lone_item || pair.a->k == 1 || pair.b->k == 1;
    for (const ItemResult* item : {pair.a, pair.b}) {
      is_binary = is_binary && item->sum == std::floor(item->sum);
    }
    gained += d.back() > 0 ? 1 : 0;
    lost += d.back() < 0 ? 1 : 0;
  }
  if (options.about == Question::kTheseItems && lone_item) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: --about these-items needs at least 2 scored samples of every item "
                            "on both sides, to know how much an item's score moves by itself; ask "
                            "--about new-items, or run with --k 4",
                            a.task));
  }
  out.delta = mean(d);
  if (!options.bounds_only) {
    out.a = score_of(pairs, true);
    out.b = score_of(pairs, false);
    out.variance = variance_of(pairs, d);
  }
  bool has_clusters = false;
  const std::vector<std::int64_t> clusters = codes_of(pairs, false, has_clusters);
  const bool about_these = options.about == Question::kTheseItems;
  const Spread spread = about_these ? spread_of_these_items(pairs)
                                    : spread_of_new_items(pairs, d, clusters, has_clusters);
  out.se = spread.se;
  out.degrees = spread.degrees;
  out.design_effect = spread.design_effect;
  out.n_units = spread.n_units;

  // Intervals and bounds.
  const double half = 0.5 + options.level / 2;
  const double se = spread.se.value_or(0);
  const bool is_clustered = spread.n_units < out.n_pairs;
  const bool use_tango = !about_these && single && is_binary && !is_clustered;
  if (out.n_pairs < 2 || (!about_these && spread.n_units < 2)) {
    out.interval = {-1, 1, "none", options.level};
  } else if (use_tango) {
    out.interval = tango_interval(gained, lost, out.n_pairs, options.level);
  } else if (se > 0) {
    const double width = t_quantile(spread.degrees, half) * se;
    out.interval = {out.delta - width, out.delta + width, "t", options.level};
  } else {
    const double width = (1 + t_quantile(spread.degrees, half)) * spread.guard;
    out.interval = {out.delta - width, out.delta + width, "guarded", options.level};
  }
  if (out.interval.method != "none") {
    const double widened = std::sqrt(se * se + spread.guard * spread.guard);
    const double t = t_quantile(spread.degrees, 1 - options.alpha);
    out.lower = out.delta - spread.guard - t * widened;
    out.upper = out.delta + spread.guard + t * widened;
    if (use_tango) {
      const Interval score = tango_interval(gained, lost, out.n_pairs, 1 - 2 * options.alpha);
      out.lower = std::min(out.lower, score.lower);
      out.upper = std::max(out.upper, score.upper);
    }
  }
  for (double* bound : {&out.interval.lower, &out.interval.upper, &out.lower, &out.upper}) {
    *bound = std::clamp(*bound, -1.0, 1.0);
  }

  if (options.bounds_only) {
    return out;
  }

  // Tests.
  if (about_these) {
    // Samples that never differ within an item do not show that nothing varies.
    const double spread_of_p = se > 0 ? se : spread.guard;
    const double t = out.delta / spread_of_p;
    out.p = std::min(1.0, 2 * t_tail(std::abs(t), spread.degrees));
    out.p_worse = t_tail(-t, spread.degrees);
    out.p_method = "welch-t";
  } else {
    std::vector<double> units = d;
    if (is_clustered) {
      std::map<std::int64_t, double> sums;
      for (std::size_t i = 0; i < d.size(); ++i) {
        sums[clusters[i]] += d[i];
      }
      units.clear();
      for (const auto& [cluster, sum] : sums) {
        units.push_back(sum);
      }
    }
    const PermutationResult test =
        sign_flip_test(units, stable_hash64({"sign-flip", a.task, std::to_string(options.seed)}));
    out.p = test.p;
    out.p_method = "sign-flip-" + test.method;
    // The null distribution is symmetric: half the two-sided p on the side that was seen.
    out.p_worse = out.delta < 0 ? test.p / 2 : 1 - test.p / 2;
    if (single && is_binary) {
      out.mcnemar = mcnemar_exact_p(gained, lost);
    }
  }
  if (!about_these && options.n_draws > 0) {
    out.bootstrap = bootstrap_of(d, clusters, options);
  }

  // What pairing saved, and what could have been seen.
  if (out.a.se_population && out.b.se_population) {
    const double va = *out.a.se_population * *out.a.se_population;
    const double vb = *out.b.se_population * *out.b.se_population;
    out.se_unpaired = std::sqrt(va + vb);
    const double sa = *se_population([&] {
      std::vector<double> m;
      for (const Pair& pair : pairs) {
        m.push_back(pair.a->mean());
      }
      return m;
    }());
    const double sb = *se_population([&] {
      std::vector<double> m;
      for (const Pair& pair : pairs) {
        m.push_back(pair.b->mean());
      }
      return m;
    }());
    const double sd = *se_population(d);
    if (sa > 0 && sb > 0) {
      out.correlation = std::clamp((sa * sa + sb * sb - sd * sd) / (2 * sa * sb), -1.0, 1.0);
    }
  }
  if (se > 0) {
    // The standard deviation that gives this standard error with this many units. About these items
    // the degrees of freedom are those of the samples.
    const std::int64_t n =
        about_these ? static_cast<std::int64_t>(std::max(2.0, spread.degrees + 1)) : spread.n_units;
    const std::int64_t step = about_these || is_clustered ? 0 : std::lcm(out.k_a, out.k_b);
    out.mde = minimal_detectable_effect(se * std::sqrt(static_cast<double>(n)), n, 0.05, 0.8, step);
  }
  double against = pairwise_sum(d);
  double n_all = static_cast<double>(pairs.size());
  for (const ItemResult* item : pairing.only_a) {
    against += item->k > 0 ? item->mean() - 1 : -1;
    n_all += 1;
  }
  for (const ItemResult* item : pairing.only_b) {
    against += item->k > 0 ? -item->mean() : -1;
    n_all += 1;
  }
  out.worst_case = against / n_all;
  add_flips(pairs, out);
  return out;
}

OneSample compare_with_number(const TaskResult& task, double number) {
  std::vector<ItemMean> items;
  double degrees = 0;
  for (const ItemResult& item : task.items) {
    if (item.k > 0) {
      items.push_back(
          {item.mean(), item.variance(), item.k, item.sum, item.cluster, item.stratum, item.id});
      degrees += static_cast<double>(item.k - 1);
    }
  }
  OneSample out;
  out.score = score_of_items(items);
  out.delta = out.score.value - number;
  if (out.score.se_rerun && *out.score.se_rerun > 0) {
    out.p = std::min(1.0, 2 * t_tail(std::abs(out.delta) / *out.score.se_rerun, degrees));
  }
  return out;
}

std::vector<Difference> find_differences(const RunScores& a, const RunScores& b) {
  std::vector<Difference> out;
  const auto add = [&](const std::string& field, const std::string& x, const std::string& y,
                       bool is_prompt, bool is_dataset) {
    if (x != y) {
      out.push_back({field, x, y, is_prompt && !x.empty() && !y.empty(),
                     is_dataset && !x.empty() && !y.empty()});
    }
  };
  static const std::set<std::string> kPromptFields = {"system_prompt", "directive", "prompt",
                                                      "assistant_prefix", "shots"};
  const auto settings = [&](const std::string& where, const std::map<std::string, std::string>& x,
                            const std::map<std::string, std::string>& y) {
    std::set<std::string> names;
    for (const auto& [name, value] : x) {
      names.insert(name);
    }
    for (const auto& [name, value] : y) {
      names.insert(name);
    }
    for (const std::string& name : names) {
      const auto vx = x.find(name);
      const auto vy = y.find(name);
      // An empty prompt setting is a setting ("no system prompt"), unlike a field that one side
      // does not record.
      const bool both = vx != x.end() && vy != y.end();
      const std::string left = vx == x.end() ? "(not recorded)" : vx->second;
      const std::string right = vy == y.end() ? "(not recorded)" : vy->second;
      if (left != right) {
        out.push_back({where + name, left, right, both && kPromptFields.contains(name), false});
      }
    }
  };
  add("model", a.model, b.model, false, false);
  add("model_revision", a.model_revision, b.model_revision, false, false);
  add("r1eval", a.r1eval, b.r1eval, false, false);
  settings("", a.settings, b.settings);
  for (const auto& [name, task] : a.tasks) {
    const auto other = b.tasks.find(name);
    if (other == b.tasks.end()) {
      continue;
    }
    add(name + ".dataset_sha256", task.dataset_sha256, other->second.dataset_sha256, false, true);
    add(name + ".template_sha256", task.template_sha256, other->second.template_sha256, true,
        false);
    if (task.template_sha256.empty() && other->second.template_sha256.empty()) {
      // Imported on both sides: the prompts themselves are all there is to compare.
      std::map<std::string, std::string> prompts;
      for (const ItemResult& item : other->second.items) {
        prompts[item.id] = item.prompt;
      }
      std::int64_t n_other = 0;
      for (const ItemResult& item : task.items) {
        const auto prompt = prompts.find(item.id);
        n_other += prompt != prompts.end() && !prompt->second.empty() && !item.prompt.empty() &&
                           prompt->second != item.prompt
                       ? 1
                       : 0;
      }
      if (n_other > 0) {
        out.push_back({name + ".prompts", fmt::format("other prompts of {} items", n_other),
                       "(those of the baseline)", true, false});
      }
    }
    add(name + ".k", std::to_string(task.k), std::to_string(other->second.k), false, false);
    add(name + ".grader", task.grader, other->second.grader, false, false);
    settings(name + ".", task.settings, other->second.settings);
  }
  return out;
}

}  // namespace r1eval
