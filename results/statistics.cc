#include "results/statistics.h"

#include <algorithm>
#include <boost/math/distributions/beta.hpp>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <map>

#include "base/check.h"
#include "base/rng.h"

namespace r1eval {
namespace {

double clamp01(double x) {
  return std::clamp(x, 0.0, 1.0);
}

double normal_quantile(double level) {
  return boost::math::quantile(boost::math::normal(), 0.5 + level / 2);
}

}  // namespace

double pairwise_sum(std::span<const double> values) {
  if (values.size() <= 8) {
    double sum = 0;
    for (const double value : values) {
      sum += value;
    }
    return sum;
  }
  const std::size_t half = values.size() / 2;
  return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
}

double mean(std::span<const double> values) {
  return values.empty() ? 0 : pairwise_sum(values) / static_cast<double>(values.size());
}

std::optional<double> se_population(std::span<const double> item_means) {
  const auto n = static_cast<double>(item_means.size());
  if (item_means.size() < 2) {
    return std::nullopt;
  }
  const double m = mean(item_means);
  std::vector<double> squares;
  squares.reserve(item_means.size());
  for (const double x : item_means) {
    squares.push_back((x - m) * (x - m));
  }
  return std::sqrt(pairwise_sum(squares) / (n * (n - 1)));
}

std::optional<double> se_rerun(std::span<const double> variances,
                               std::span<const std::int64_t> counts) {
  if (variances.empty()) {
    return std::nullopt;
  }
  std::vector<double> terms;
  for (std::size_t i = 0; i < variances.size(); ++i) {
    if (counts[i] < 2) {
      return std::nullopt;
    }
    terms.push_back(variances[i] / static_cast<double>(counts[i]));
  }
  return std::sqrt(pairwise_sum(terms)) / static_cast<double>(variances.size());
}

std::optional<double> se_clustered(std::span<const double> item_means,
                                   std::span<const std::int64_t> cluster_of) {
  const double m = mean(item_means);
  std::map<std::int64_t, double> residuals;
  for (std::size_t i = 0; i < item_means.size(); ++i) {
    residuals[cluster_of[i]] += item_means[i] - m;
  }
  const auto c = static_cast<double>(residuals.size());
  if (residuals.size() < 2) {
    return std::nullopt;
  }
  std::vector<double> squares;
  for (const auto& [cluster, residual] : residuals) {
    squares.push_back(residual * residual);
  }
  return std::sqrt(c / (c - 1) * pairwise_sum(squares)) / static_cast<double>(item_means.size());
}

std::optional<double> se_stratified(std::span<const double> item_means,
                                    std::span<const std::int64_t> stratum_of) {
  if (item_means.size() < 2) {
    return std::nullopt;
  }
  std::map<std::int64_t, std::vector<double>> strata;
  for (std::size_t i = 0; i < item_means.size(); ++i) {
    strata[stratum_of[i]].push_back(item_means[i]);
  }
  const auto n = static_cast<double>(item_means.size());
  const double m = mean(item_means);
  std::vector<double> terms;
  for (const auto& [stratum, members] : strata) {
    const auto n_s = static_cast<double>(members.size());
    // A stratum of one item shows no variance of its own; its distance from the mean stands in,
    // which errs on the wide side.
    const double m_s = members.size() > 1 ? mean(members) : m;
    const double degrees = members.size() > 1 ? n_s - 1 : 1;
    std::vector<double> squares;
    for (const double x : members) {
      squares.push_back((x - m_s) * (x - m_s));
    }
    terms.push_back(n_s / (n * n) * pairwise_sum(squares) / degrees);
  }
  return std::sqrt(pairwise_sum(terms));
}

Interval wilson_interval(double p, double n, double level) {
  const double z = normal_quantile(level);
  const double z2n = z * z / n;
  const double centre = (p + z2n / 2) / (1 + z2n);
  const double half = z * std::sqrt(p * (1 - p) / n + z2n / (4 * n)) / (1 + z2n);
  return {clamp01(centre - half), clamp01(centre + half), "wilson", level};
}

Interval clopper_pearson_interval(std::int64_t successes, std::int64_t n, double level) {
  const double alpha = 1 - level;
  const auto x = static_cast<double>(successes);
  const auto total = static_cast<double>(n);
  Interval interval{0, 1, "clopper-pearson", level};
  if (successes > 0) {
    interval.lower =
        boost::math::quantile(boost::math::beta_distribution<>(x, total - x + 1), alpha / 2);
  }
  if (successes < n) {
    interval.upper =
        boost::math::quantile(boost::math::beta_distribution<>(x + 1, total - x), 1 - alpha / 2);
  }
  return interval;
}

Interval t_interval(double value, double se, double degrees_of_freedom, double level) {
  const double t =
      boost::math::quantile(boost::math::students_t(degrees_of_freedom), 0.5 + level / 2);
  return {clamp01(value - t * se), clamp01(value + t * se), "t", level};
}

double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  R1_CHECK(k >= 1 && k <= n && c >= 0 && c <= n, "pass@k needs 1 <= k <= n and 0 <= c <= n");
  if (n - c < k) {
    return 1;
  }
  double none = 1;
  for (std::int64_t t = n - c + 1; t <= n; ++t) {
    none *= 1 - static_cast<double>(k) / static_cast<double>(t);
  }
  return 1 - none;
}

double pass_hat_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  R1_CHECK(k >= 1 && k <= n && c >= 0 && c <= n, "pass^k needs 1 <= k <= n and 0 <= c <= n");
  double all = 1;
  for (std::int64_t t = 0; t < k; ++t) {
    all *= std::max(0.0, static_cast<double>(c - t)) / static_cast<double>(n - t);
  }
  return all;
}

double pass_at_k_rerun_variance(std::int64_t n, std::int64_t c, std::int64_t k) {
  const double rate = (static_cast<double>(c) + 0.5) / (static_cast<double>(n) + 1);
  const boost::math::binomial distribution(static_cast<double>(n), rate);
  double first = 0;
  double second = 0;
  for (std::int64_t x = 0; x <= n; ++x) {
    const double weight = boost::math::pdf(distribution, static_cast<double>(x));
    const double estimate = pass_at_k(n, x, k);
    first += weight * estimate;
    second += weight * estimate * estimate;
  }
  return std::max(0.0, second - first * first);
}

namespace {

// An answer class of one item.
struct VoteClass {
  std::int64_t n = 0;
  bool is_right = false;
};

struct VoteShare {
  double score = 0;
  bool is_tied = false;
};

VoteShare share_of(std::span<const std::int64_t> counts, std::span<const VoteClass> classes) {
  std::int64_t most = 0;
  for (const std::int64_t count : counts) {
    most = std::max(most, count);
  }
  std::int64_t n_tied = 0;
  std::int64_t n_right = 0;
  for (std::size_t i = 0; most > 0 && i < counts.size(); ++i) {
    if (counts[i] == most) {
      ++n_tied;
      n_right += classes[i].is_right ? 1 : 0;
    }
  }
  return {n_tied == 0 ? 0 : static_cast<double>(n_right) / static_cast<double>(n_tied), n_tied > 1};
}

double log_choose(std::int64_t n, std::int64_t k) {
  return std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(k) + 1) -
         std::lgamma(static_cast<double>(n - k) + 1);
}

// Walks every way to draw k samples from the classes and the n_silent that abstain.
struct SubsetWalk {
  std::span<const VoteClass> classes;
  std::int64_t n_silent;
  std::vector<std::int64_t> drawn;
  double score = 0;
  double weight = 0;
  bool is_tied = false;

  void walk(std::size_t at, std::int64_t left, double log_ways) {
    if (at == classes.size()) {
      if (left > n_silent) {
        return;
      }
      const double ways = std::exp(log_ways + log_choose(n_silent, left));
      const VoteShare share = share_of(drawn, classes);
      score += ways * share.score;
      weight += ways;
      is_tied = is_tied || share.is_tied;
      return;
    }
    for (std::int64_t take = 0; take <= std::min(left, classes[at].n); ++take) {
      drawn[at] = take;
      walk(at + 1, left - take, log_ways + log_choose(classes[at].n, take));
    }
    drawn[at] = 0;
  }
};

}  // namespace

Vote majority_vote_at(std::span<const std::string> classes, const std::vector<bool>& is_right,
                      std::int64_t k, std::uint64_t seed) {
  const auto n = static_cast<std::int64_t>(classes.size());
  R1_CHECK(k >= 1 && k <= n, "maj@k needs 1 <= k <= n");
  if (k == n) {
    return majority_vote(classes, is_right);
  }
  std::map<std::string, VoteClass> by_name;
  std::int64_t n_silent = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i].empty()) {
      ++n_silent;
      continue;
    }
    VoteClass& c = by_name[classes[i]];
    ++c.n;
    c.is_right = c.is_right || is_right[i];
  }
  std::vector<VoteClass> list;
  double ways = 1;
  std::map<std::string, std::size_t> index;
  for (const auto& [name, c] : by_name) {
    index[name] = list.size();
    list.push_back(c);
    ways *= static_cast<double>(std::min(k, c.n) + 1);
  }
  Vote vote;
  vote.votes = n - n_silent;
  if (ways <= 200'000) {
    SubsetWalk walk{list, n_silent, std::vector<std::int64_t>(list.size(), 0)};
    walk.walk(0, k, -log_choose(n, k));
    vote.score = walk.weight > 0 ? walk.score / walk.weight : 0;
    vote.is_tied = walk.is_tied;
    return vote;
  }
  constexpr int kDraws = 1000;
  std::vector<std::int64_t> counts(list.size());
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::vector<std::int64_t> order =
        permutation(n, random_at(seed, static_cast<std::uint64_t>(draw)));
    std::fill(counts.begin(), counts.end(), 0);
    for (std::int64_t i = 0; i < k; ++i) {
      const std::string& name =
          classes[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])];
      if (!name.empty()) {
        ++counts[index[name]];
      }
    }
    const VoteShare share = share_of(counts, list);
    vote.score += share.score / kDraws;
    vote.is_tied = vote.is_tied || share.is_tied;
  }
  return vote;
}

Vote majority_vote(std::span<const std::string> classes, const std::vector<bool>& is_right) {
  struct Count {
    std::int64_t n = 0;
    bool right = false;
  };

  std::map<std::string, Count> counts;
  Vote vote;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i].empty()) {
      continue;
    }
    Count& count = counts[classes[i]];
    ++count.n;
    count.right = count.right || is_right[i];
    ++vote.votes;
  }
  std::int64_t most = 0;
  for (const auto& [name, count] : counts) {
    most = std::max(most, count.n);
  }
  std::int64_t n_tied = 0;
  std::int64_t n_right = 0;
  for (const auto& [name, count] : counts) {
    if (count.n == most) {
      ++n_tied;
      n_right += count.right ? 1 : 0;
    }
  }
  if (n_tied > 0) {
    vote.score = static_cast<double>(n_right) / static_cast<double>(n_tied);
    vote.is_tied = n_tied > 1;
  }
  return vote;
}

}  // namespace r1eval
