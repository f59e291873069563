#include "results/aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "results/statistics.h"

namespace r1eval {
namespace {

// Scored samples of one item.
struct ItemScore {
  std::string item;
  double mean = 0;
  double variance = 0;  // within the item, unbiased; 0 for one sample
  std::int64_t k = 0;
  std::int64_t n_correct = 0;
};

std::int64_t code_of(std::map<std::string, std::int64_t>& codes, const std::string& name) {
  return codes.emplace(name, static_cast<std::int64_t>(codes.size())).first->second;
}

// The interval of harness rules: see docs/statistics.md, "Which interval".
Interval choose_interval(const std::vector<ItemScore>& items, double value,
                         std::optional<double> se, bool is_clustered, std::int64_t n_units) {
  const auto n = static_cast<std::int64_t>(items.size());
  const bool is_binary =
      std::all_of(items.begin(), items.end(), [](const ItemScore& i) { return i.k == 1; });
  std::int64_t n_correct = 0;
  for (const ItemScore& item : items) {
    n_correct += item.n_correct;
  }
  if (is_binary && !is_clustered) {
    return n_correct == 0 || n_correct == n ? clopper_pearson_interval(n_correct, n)
                                            : wilson_interval(value, static_cast<double>(n));
  }
  if (!se || *se <= 0) {
    // All items score the same. Clusters, or items, are what is independent.
    if (value <= 0 || value >= 1) {
      return clopper_pearson_interval(value >= 1 ? n_units : 0, n_units);
    }
    return wilson_interval(value, static_cast<double>(n_units));
  }
  const double n_effective = value * (1 - value) / (*se * *se);
  const bool near_edge = value * n_effective < 10 || (1 - value) * n_effective < 10;
  if (n_units < 100 || near_edge) {
    // Wilson's own z, widened to Student's t for few units, as the SE is itself estimated.
    Interval interval = wilson_interval(value, n_effective);
    if (n_units >= 2) {
      const Interval t = t_interval(value, *se, static_cast<double>(n_units - 1));
      const Interval z = t_interval(value, *se, 1e9);
      const double widen = (t.upper - t.lower) / std::max(1e-12, z.upper - z.lower);
      interval = wilson_interval(value, n_effective / (widen * widen));
    }
    interval.method = "wilson-neff";
    return interval;
  }
  return t_interval(value, *se, static_cast<double>(n_units - 1));
}

Score score_items(const std::vector<ItemScore>& items,
                  const std::map<std::string, ItemInfo>& infos) {
  Score score;
  score.n_items = static_cast<std::int64_t>(items.size());
  if (items.empty()) {
    score.interval = {0, 1, "none", 0.95};
    return score;
  }
  std::vector<double> means;
  std::vector<double> variances;
  std::vector<std::int64_t> counts;
  std::vector<std::int64_t> clusters;
  std::vector<std::int64_t> strata;
  std::map<std::string, std::int64_t> cluster_codes;
  std::map<std::string, std::int64_t> stratum_codes;
  bool is_stratified = true;
  for (const ItemScore& item : items) {
    means.push_back(item.mean);
    variances.push_back(item.variance);
    counts.push_back(item.k);
    const auto info = infos.find(item.item);
    const std::string cluster = info == infos.end() ? "" : info->second.cluster;
    const std::string stratum = info == infos.end() ? "" : info->second.stratum;
    clusters.push_back(code_of(cluster_codes, cluster.empty() ? "\n" + item.item : cluster));
    strata.push_back(code_of(stratum_codes, stratum));
    is_stratified = is_stratified && !stratum.empty();
  }
  const auto n_clusters = static_cast<std::int64_t>(cluster_codes.size());
  const bool is_clustered = n_clusters < score.n_items;
  score.value = mean(means);
  if (is_clustered) {
    score.se_population = se_clustered(means, clusters);
  } else if (is_stratified && stratum_codes.size() > 1) {
    score.se_population = se_stratified(means, strata);
  } else {
    score.se_population = se_population(means);
  }
  score.se_rerun = se_rerun(variances, counts);
  score.interval = choose_interval(items, score.value, score.se_population, is_clustered,
                                   is_clustered ? n_clusters : score.n_items);
  return score;
}

std::vector<ItemScore> fold_items(const std::vector<GradedSample>& samples) {
  std::vector<ItemScore> items;
  for (std::size_t begin = 0; begin < samples.size();) {
    std::size_t end = begin;
    ItemScore item;
    item.item = samples[begin].item;
    for (; end < samples.size() && samples[end].item == item.item; ++end) {
      if (samples[end].outcome != Outcome::kUnscored) {
        ++item.k;
        item.n_correct += samples[end].outcome == Outcome::kCorrect ? 1 : 0;
      }
    }
    if (item.k > 0) {
      const auto k = static_cast<double>(item.k);
      item.mean = static_cast<double>(item.n_correct) / k;
      item.variance = item.k > 1 ? k * item.mean * (1 - item.mean) / (k - 1) : 0;
      items.push_back(item);
    }
    begin = end;
  }
  return items;
}

// Majority votes of the items; only over all samples that an item has.
void add_consensus(const std::vector<GradedSample>& samples,
                   const std::map<std::string, ItemInfo>& infos, std::int64_t k,
                   TaskScores& scores) {
  std::vector<ItemScore> items;
  std::int64_t n_tied = 0;
  for (std::size_t begin = 0; begin < samples.size();) {
    std::size_t end = begin;
    std::vector<std::string> classes;
    std::vector<bool> right;
    bool any_scored = false;
    for (; end < samples.size() && samples[end].item == samples[begin].item; ++end) {
      any_scored = any_scored || samples[end].outcome != Outcome::kUnscored;
      classes.push_back(samples[end].answer_class);
      right.push_back(samples[end].outcome == Outcome::kCorrect);
    }
    if (any_scored) {
      const Vote vote = majority_vote(classes, right);
      ItemScore item;
      item.item = samples[begin].item;
      item.mean = vote.score;
      // A vote is one observation of its item, however many samples went into it.
      item.k = 1;
      item.n_correct = vote.score >= 1 ? 1 : 0;
      n_tied += vote.is_tied ? 1 : 0;
      items.push_back(item);
    }
    begin = end;
  }
  if (items.empty()) {
    return;
  }
  const std::string name = fmt::format("cons@{}", k);
  Score score = score_items(items, infos);
  if (std::any_of(items.begin(), items.end(),
                  [](const ItemScore& i) { return i.mean > 0 && i.mean < 1; }) &&
      score.se_population && *score.se_population > 0) {
    const double n_effective =
        score.value * (1 - score.value) / (*score.se_population * *score.se_population);
    score.interval = wilson_interval(score.value, n_effective);
    score.interval.method = "wilson-neff";
  }
  scores.extra_metrics[name] = score;
  scores.tie_rate[name] = static_cast<double>(n_tied) / static_cast<double>(items.size());
}

void add_pass_at(const std::vector<ItemScore>& items, const std::map<std::string, ItemInfo>& infos,
                 std::int64_t at, TaskScores& scores) {
  std::vector<ItemScore> passes;
  for (ItemScore item : items) {
    if (item.k < at) {
      return;  // the estimate is not defined for an item with fewer samples
    }
    item.mean = pass_at_k(item.k, item.n_correct, at);
    item.n_correct = item.mean >= 1 ? 1 : 0;
    item.k = 2;  // not binary: the interval goes over the items' estimates
    item.variance = 0;
    passes.push_back(item);
  }
  Score score = score_items(passes, infos);
  score.se_rerun.reset();
  scores.extra_metrics[fmt::format("pass@{}", at)] = score;
}

}  // namespace

TaskScores aggregate_task(const std::string& task, std::vector<GradedSample> samples,
                          const std::map<std::string, ItemInfo>& items, std::int64_t k,
                          std::int64_t n_planned, const std::vector<std::string>& breakdown_fields,
                          bool has_votes) {
  std::sort(samples.begin(), samples.end(), [](const GradedSample& a, const GradedSample& b) {
    return a.item != b.item ? a.item < b.item : a.sample < b.sample;
  });
  TaskScores scores;
  scores.task = task;
  scores.k = k;
  scores.n_samples = static_cast<std::int64_t>(samples.size());
  scores.n_planned = n_planned;
  scores.is_partial = scores.n_samples < n_planned;
  std::vector<double> tokens;
  std::vector<double> seconds;
  for (const GradedSample& sample : samples) {
    scores.n_unscored += sample.outcome == Outcome::kUnscored ? 1 : 0;
    scores.n_no_answer += sample.outcome == Outcome::kNoAnswer ? 1 : 0;
    scores.n_truncated += sample.truncated ? 1 : 0;
    scores.n_truncated_in_thinking += sample.truncated_in_thinking ? 1 : 0;
    scores.n_thinking_unclosed += sample.has_thinking && !sample.thinking_closed ? 1 : 0;
    scores.n_stray_tags += sample.stray_tags ? 1 : 0;
    if (sample.completion_tokens >= 0) {
      tokens.push_back(static_cast<double>(sample.completion_tokens));
    }
    if (sample.seconds >= 0) {
      seconds.push_back(sample.seconds);
    }
  }
  if (!tokens.empty()) {
    scores.mean_completion_tokens = mean(tokens);
  }
  if (!seconds.empty()) {
    scores.seconds = mean(seconds);
  }
  const std::vector<ItemScore> folded = fold_items(samples);
  scores.score = score_items(folded, items);
  if (k > 1 && scores.n_samples > 0) {
    add_pass_at(folded, items, k, scores);
    if (has_votes) {
      add_consensus(samples, items, k, scores);
    }
  }
  for (const std::string& field : breakdown_fields) {
    std::map<std::string, std::vector<ItemScore>> groups;
    for (const ItemScore& item : folded) {
      const auto info = items.find(item.item);
      if (info == items.end()) {
        continue;
      }
      const auto value = info->second.metadata.find(field);
      if (value != info->second.metadata.end()) {
        groups[value->second].push_back(item);
      }
    }
    for (const auto& [value, members] : groups) {
      scores.breakdown[field][value] = score_items(members, items);
    }
  }
  return scores;
}

}  // namespace r1eval
