#include "results/aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "results/statistics.h"

namespace r1eval {
namespace {

ItemMean item_of(const std::string& id, const std::map<std::string, ItemInfo>& infos) {
  ItemMean item;
  item.id = id;
  if (const auto info = infos.find(id); info != infos.end()) {
    item.cluster = info->second.cluster;
    item.stratum = info->second.stratum;
  }
  return item;
}

std::int64_t code_of(std::map<std::string, std::int64_t>& codes, const std::string& name) {
  return codes.emplace(name, static_cast<std::int64_t>(codes.size())).first->second;
}

// The interval of harness rules: see docs/statistics.md, "Which interval".
Interval choose_interval(const std::vector<ItemMean>& items, double value, std::optional<double> se,
                         bool is_clustered, std::int64_t n_units) {
  const auto n = static_cast<std::int64_t>(items.size());
  const bool is_binary = std::all_of(items.begin(), items.end(), [](const ItemMean& i) {
    return i.k == 1 && (i.sum == 0 || i.sum == 1);
  });
  if (is_binary && !is_clustered) {
    std::int64_t n_correct = 0;
    for (const ItemMean& item : items) {
      n_correct += item.sum == 1 ? 1 : 0;
    }
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
    // Half a unit more, a quarter wrong and a quarter right, is counted into the spread: few units
    // often show too little of it (coverage without: 91 %, with: 93 % in the worst cell of
    // tests/results/simulate.cc). Wilson's z is widened to Student's t, as the spread is estimated.
    const auto units = static_cast<double>(n_units);
    const double squares =
        *se * *se * units * (units - 1) + 0.25 * (value * value + (1 - value) * (1 - value));
    const double se_squared = squares / ((units - 0.5) * units);
    const double z = t_interval(0.5, 0.1, 1e9).upper - 0.5;
    const double t = t_interval(0.5, 0.1, std::max(1.0, units - 1)).upper - 0.5;
    const double widen = std::min(5.0, t / z);
    Interval interval = wilson_interval(value, value * (1 - value) / se_squared / (widen * widen));
    interval.method = "wilson-neff";
    return interval;
  }
  return t_interval(value, *se, static_cast<double>(n_units - 1));
}

std::vector<ItemMean> fold_items(const std::vector<GradedSample>& samples,
                                 const std::map<std::string, ItemInfo>& infos) {
  std::vector<ItemMean> items;
  for (std::size_t begin = 0; begin < samples.size();) {
    std::size_t end = begin;
    ItemMean item = item_of(samples[begin].item, infos);
    double squares = 0;
    for (; end < samples.size() && samples[end].item == item.id; ++end) {
      if (samples[end].outcome != Outcome::kUnscored) {
        const double score = sample_score(samples[end]);
        ++item.k;
        item.sum += score;
        squares += score * score;
      }
    }
    if (item.k > 0) {
      const auto k = static_cast<double>(item.k);
      item.mean = item.sum / k;
      item.variance = item.k > 1 ? std::max(0.0, (squares - item.sum * item.mean) / (k - 1)) : 0;
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
  std::vector<ItemMean> items;
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
      ItemMean item = item_of(samples[begin].item, infos);
      // A vote is one observation of its item, however many samples went into it.
      item.mean = vote.score;
      item.sum = vote.score;
      item.k = 1;
      n_tied += vote.is_tied ? 1 : 0;
      items.push_back(item);
    }
    begin = end;
  }
  if (items.empty()) {
    return;
  }
  const std::string name = fmt::format("cons@{}", k);
  const Score score = score_of_items(items);
  scores.extra_metrics[name] = score;
  scores.tie_rate[name] = static_cast<double>(n_tied) / static_cast<double>(items.size());
}

void add_pass_at(const std::vector<ItemMean>& items, std::int64_t at, TaskScores& scores) {
  std::vector<ItemMean> passes;
  std::vector<ItemMean> all_right;
  for (ItemMean item : items) {
    if (item.k < at || item.sum != std::floor(item.sum)) {
      return;  // not defined for an item with fewer samples, or with scores between wrong and right
    }
    const std::int64_t n = item.k;
    const auto c = static_cast<std::int64_t>(item.sum);
    item.mean = pass_at_k(n, c, at);
    item.sum = item.mean;
    item.k = 2;  // not binary: the interval goes over the items' estimates
    item.variance = 2 * pass_at_k_rerun_variance(n, c, at);
    passes.push_back(item);
    item.mean = pass_hat_k(n, c, at);
    item.sum = item.mean;
    item.variance = 0;
    all_right.push_back(item);
  }
  scores.extra_metrics[fmt::format("pass@{}", at)] = score_of_items(passes);
  Score hat = score_of_items(all_right);
  hat.se_rerun.reset();
  scores.extra_metrics[fmt::format("pass^{}", at)] = hat;
}

// Budgets halve from the least power of two that no answer exceeds; at most six.
void add_budget_curve(const std::vector<GradedSample>& samples,
                      const std::map<std::string, ItemInfo>& infos, TaskScores& scores) {
  std::int64_t most = 0;
  for (const GradedSample& sample : samples) {
    if (sample.completion_tokens < 0) {
      return;
    }
    most = std::max(most, sample.completion_tokens);
  }
  std::int64_t top = 1;
  while (top < most) {
    top *= 2;
  }
  for (std::int64_t budget = std::max<std::int64_t>(1, top / 32); budget <= top; budget *= 2) {
    std::vector<GradedSample> cut = samples;
    for (GradedSample& sample : cut) {
      if (sample.completion_tokens > budget && sample.outcome != Outcome::kUnscored) {
        sample.outcome = Outcome::kNoAnswer;
        sample.score = -1;
      }
    }
    scores.budget.emplace_back(budget, score_of_items(fold_items(cut, infos)));
  }
}

}  // namespace

double sample_score(const GradedSample& sample) {
  if (sample.score >= 0) {
    return sample.score;
  }
  return sample.outcome == Outcome::kCorrect ? 1 : 0;
}

Score score_of_items(const std::vector<ItemMean>& items) {
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
  bool has_clusters = false;
  bool is_stratified = true;
  for (const ItemMean& item : items) {
    means.push_back(item.mean);
    variances.push_back(item.variance);
    counts.push_back(item.k);
    has_clusters = has_clusters || !item.cluster.empty();
    is_stratified = is_stratified && !item.stratum.empty();
  }
  for (const ItemMean& item : items) {
    if (has_clusters) {
      clusters.push_back(
          code_of(cluster_codes, item.cluster.empty() ? "\n" + item.id : item.cluster));
    }
    if (is_stratified) {
      strata.push_back(code_of(stratum_codes, item.stratum));
    }
  }
  const std::int64_t n_clusters =
      has_clusters ? static_cast<std::int64_t>(cluster_codes.size()) : score.n_items;
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
  std::vector<double> right;
  std::vector<double> costs;
  for (const GradedSample& sample : samples) {
    scores.n_unscored += sample.outcome == Outcome::kUnscored ? 1 : 0;
    scores.n_no_answer += sample.outcome == Outcome::kNoAnswer ? 1 : 0;
    scores.n_truncated += sample.truncated ? 1 : 0;
    scores.n_truncated_in_thinking += sample.truncated_in_thinking ? 1 : 0;
    scores.n_thinking_unclosed += sample.has_thinking && !sample.thinking_closed ? 1 : 0;
    scores.n_stray_tags += sample.stray_tags ? 1 : 0;
    scores.n_well_formed += sample.is_well_formed ? 1 : 0;
    scores.n_language_mixed += sample.is_language_mixed ? 1 : 0;
    scores.n_repeating += sample.is_repeating ? 1 : 0;
    scores.n_empty_thinking += sample.has_empty_thinking ? 1 : 0;
    right.push_back(sample.outcome == Outcome::kUnscored ? 0 : sample_score(sample));
    if (sample.cost >= 0) {
      costs.push_back(sample.cost);
    }
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
  // Of samples that all say what they took: a part would flatter the rest.
  const double n_right = pairwise_sum(right);
  if (!tokens.empty() && tokens.size() == samples.size() && n_right > 0) {
    scores.tokens_per_correct = pairwise_sum(tokens) / n_right;
  }
  if (!costs.empty() && costs.size() == samples.size()) {
    scores.cost = pairwise_sum(costs);
    if (n_right > 0) {
      scores.cost_per_correct = *scores.cost / n_right;
    }
  }
  if (!seconds.empty()) {
    scores.seconds = mean(seconds);
  }
  const std::vector<ItemMean> folded = fold_items(samples, items);
  scores.score = score_of_items(folded);
  if (k > 1 && scores.n_samples > 0) {
    add_pass_at(folded, k, scores);
    if (has_votes) {
      add_consensus(samples, items, k, scores);
    }
  }
  if (!samples.empty()) {
    add_budget_curve(samples, items, scores);
  }
  for (const std::string& field : breakdown_fields) {
    std::map<std::string, std::vector<ItemMean>> groups;
    for (const ItemMean& item : folded) {
      const auto info = items.find(item.id);
      if (info == items.end()) {
        continue;
      }
      const auto value = info->second.metadata.find(field);
      if (value != info->second.metadata.end()) {
        groups[value->second].push_back(item);
      }
    }
    for (const auto& [value, members] : groups) {
      scores.breakdown[field][value] = score_of_items(members);
    }
  }
  return scores;
}

}  // namespace r1eval
