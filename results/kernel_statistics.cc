#include "results/kernel_statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace r1eval {
namespace {

std::vector<double> sorted(std::span<const double> values) {
  std::vector<double> copy(values.begin(), values.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

double log_choose(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

// P(Bin(n, p) >= k).
double binomial_tail(std::int64_t n, double p, std::int64_t k) {
  if (p <= 0) {
    return k <= 0 ? 1 : 0;
  }
  if (p >= 1) {
    return 1;
  }
  double sum = 0;
  for (std::int64_t i = std::max<std::int64_t>(k, 0); i <= n; ++i) {
    const auto x = static_cast<double>(i);
    const auto total = static_cast<double>(n);
    sum += std::exp(log_choose(total, x) + x * std::log(p) + (total - x) * std::log1p(-p));
  }
  return std::min(1.0, sum);
}

struct Mass {
  double value = 0;
  double p = 0;
};

// The distribution of the median of n draws with replacement from n sorted values.
//
// Odd n: the median is the h-th least draw, h = (n+1)/2, and P(it is at most x_i) is the chance
// that h draws or more fall among the first i values. Even n: the two draws in the middle are x_i
// and x_k (i < k) when n/2 draws fall among the first i with one at least on x_i, and n/2 among the
// rest from k with one at least on x_k; what is left of P(the lower one is x_i) is i = k.
std::vector<Mass> median_distribution(const std::vector<double>& x) {
  const auto n = static_cast<std::int64_t>(x.size());
  const auto share = [&](std::int64_t i) {
    return static_cast<double>(i) / static_cast<double>(n);
  };
  const std::int64_t lower_rank = (n + 1) / 2;
  std::vector<double> p_lower;  // that the lower of the middle draws is x_i
  double before = 0;
  for (std::int64_t i = 1; i <= n; ++i) {
    const double here = binomial_tail(n, share(i), lower_rank);
    p_lower.push_back(here - before);
    before = here;
  }
  std::vector<Mass> masses;
  for (std::int64_t i = 1; i <= n; ++i) {
    const double value = x[static_cast<std::size_t>(i - 1)];
    double rest = p_lower[static_cast<std::size_t>(i - 1)];
    if (n % 2 == 0) {
      const auto half = static_cast<double>(n / 2);
      const double scale = log_choose(static_cast<double>(n), half);
      const double on_i = std::pow(share(i), half) - std::pow(share(i - 1), half);
      for (std::int64_t k = i + 1; k <= n; ++k) {
        const double on_k = std::pow(share(n - k + 1), half) - std::pow(share(n - k), half);
        const double p = std::exp(scale) * on_i * on_k;
        masses.push_back({(value + x[static_cast<std::size_t>(k - 1)]) / 2, p});
        rest -= p;
      }
    }
    masses.push_back({value, std::max(0.0, rest)});
  }
  std::sort(masses.begin(), masses.end(),
            [](const Mass& a, const Mass& b) { return a.value < b.value; });
  return masses;
}

}  // namespace

double median_of(std::span<const double> values) {
  return quantile_of(values, 0.5);
}

double quantile_of(std::span<const double> values, double q) {
  if (values.empty()) {
    return 0;
  }
  const std::vector<double> x = sorted(values);
  const double at = std::clamp(q, 0.0, 1.0) * static_cast<double>(x.size() - 1);
  const auto i = static_cast<std::size_t>(at);
  const double part = at - static_cast<double>(i);
  return i + 1 < x.size() && part > 0 ? x[i] + part * (x[i + 1] - x[i]) : x[i];
}

double robust_sd(std::span<const double> values) {
  const double middle = median_of(values);
  std::vector<double> distances;
  for (const double value : values) {
    distances.push_back(std::abs(value - middle));
  }
  return 1.4826 * median_of(distances);
}

MedianBounds median_bounds(std::span<const double> values, double alpha) {
  if (values.empty()) {
    return {};
  }
  std::vector<double> x = sorted(values);
  const auto n = static_cast<std::int64_t>(x.size());
  // Beyond some hundred values all pairs of the middle cost more than they tell: the lower of the
  // two stands for their mean, a rank apart at most.
  constexpr std::int64_t kExact = 400;
  if (n > kExact) {
    std::int64_t low = 1;
    for (std::int64_t high = n; low < high;) {
      const std::int64_t i = (low + high) / 2;
      const double share = static_cast<double>(i) / static_cast<double>(n);
      if (binomial_tail(n, share, (n + 1) / 2) > alpha) {
        high = i;
      } else {
        low = i + 1;
      }
    }
    return {x[static_cast<std::size_t>(low - 1)], x[static_cast<std::size_t>(n - low)]};
  }
  const std::vector<Mass> masses = median_distribution(x);
  MedianBounds bounds{x.front(), x.back()};
  // 1e-12: sums of probabilities that are alpha on paper.
  double below = 0;
  for (const Mass& mass : masses) {
    bounds.lower = mass.value;
    below += mass.p;
    if (below > alpha + 1e-12) {
      break;
    }
  }
  double above = 0;
  for (auto mass = masses.rbegin(); mass != masses.rend(); ++mass) {
    bounds.upper = mass->value;
    above += mass->p;
    if (above > alpha + 1e-12) {
      break;
    }
  }
  return bounds;
}

double wilcoxon_p_above(std::span<const double> values) {
  std::vector<double> x;
  for (const double value : values) {
    if (value != 0) {
      x.push_back(value);
    }
  }
  if (x.empty()) {
    return 1;
  }
  std::sort(x.begin(), x.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  // Ranks doubled, so that the mean rank of a tie is whole.
  std::vector<std::int64_t> ranks(x.size());
  for (std::size_t i = 0; i < x.size();) {
    std::size_t j = i;
    while (j < x.size() && std::abs(x[j]) == std::abs(x[i])) {
      ++j;
    }
    for (std::size_t k = i; k < j; ++k) {
      ranks[k] = static_cast<std::int64_t>(i + 1 + j);
    }
    i = j;
  }
  std::int64_t observed = 0;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    observed += x[i] > 0 ? ranks[i] : 0;
    total += ranks[i];
  }
  if (x.size() > 200) {  // the normal approximation is exact to three digits long before
    double variance = 0;
    for (const std::int64_t rank : ranks) {
      variance += static_cast<double>(rank) * static_cast<double>(rank) / 4;
    }
    const double z =
        (static_cast<double>(observed) - static_cast<double>(total) / 2 - 1) / std::sqrt(variance);
    return 0.5 * std::erfc(z / std::sqrt(2.0));
  }
  std::vector<double> p(static_cast<std::size_t>(total + 1), 0.0);
  p[0] = 1;
  std::int64_t reach = 0;
  for (const std::int64_t rank : ranks) {
    reach += rank;
    for (std::int64_t s = reach; s >= 0; --s) {
      const double without = p[static_cast<std::size_t>(s)];
      const double with = s >= rank ? p[static_cast<std::size_t>(s - rank)] : 0;
      p[static_cast<std::size_t>(s)] = (without + with) / 2;
    }
  }
  double tail = 0;
  for (std::int64_t s = observed; s <= total; ++s) {
    tail += p[static_cast<std::size_t>(s)];
  }
  return std::min(1.0, tail);
}

double sign_p_above(std::span<const double> values) {
  std::int64_t n = 0;
  std::int64_t above = 0;
  for (const double value : values) {
    n += value != 0 ? 1 : 0;
    above += value > 0 ? 1 : 0;
  }
  return n == 0 ? 1 : binomial_tail(n, 0.5, above);
}

}  // namespace r1eval
