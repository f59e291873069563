#include "results/paired.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/parallel.h"
#include "base/rng.h"

namespace r1eval {
namespace {

// Cells that the exact table of sums may have, over all its steps: about 0.2 s.
constexpr double kMaxCells = 2e8;

// The differences as whole multiples of 1/denominator, or none.
std::optional<std::vector<std::int64_t>> on_lattice(std::span<const double> differences) {
  for (std::int64_t denominator = 1; denominator <= 4096; ++denominator) {
    std::vector<std::int64_t> steps;
    steps.reserve(differences.size());
    bool fits = true;
    for (const double d : differences) {
      const double step = d * static_cast<double>(denominator);
      const double rounded = std::nearbyint(step);
      if (std::abs(step - rounded) > 1e-9 * static_cast<double>(denominator)) {
        fits = false;
        break;
      }
      steps.push_back(static_cast<std::int64_t>(rounded));
    }
    if (fits) {
      return steps;
    }
  }
  return std::nullopt;
}

// P(|sum of steps with random signs| >= |observed sum|), by convolution.
double exact_sign_flip(std::span<const std::int64_t> steps) {
  std::int64_t total = 0;
  std::int64_t observed = 0;
  std::vector<std::int64_t> sizes;
  for (const std::int64_t step : steps) {
    total += std::abs(step);
    observed += step;
    sizes.push_back(std::abs(step));
  }
  std::sort(sizes.begin(), sizes.end());
  // p[s + total] is the probability of the sum s so far.
  std::vector<double> p(static_cast<std::size_t>(2 * total + 1), 0.0);
  std::vector<double> next(p.size(), 0.0);
  p[static_cast<std::size_t>(total)] = 1;
  std::int64_t reach = 0;
  for (const std::int64_t size : sizes) {
    const std::int64_t wider = reach + size;
    std::fill(next.begin() + (total - wider), next.begin() + (total + wider + 1), 0.0);
    for (std::int64_t s = -reach; s <= reach; ++s) {
      const double half = p[static_cast<std::size_t>(s + total)] / 2;
      next[static_cast<std::size_t>(s + size + total)] += half;
      next[static_cast<std::size_t>(s - size + total)] += half;
    }
    reach = wider;
    std::swap(p, next);
  }
  const std::int64_t bound = std::abs(observed);
  if (bound == 0) {
    return 1;
  }
  double tail = 0;
  for (std::int64_t s = bound; s <= total; ++s) {
    tail += p[static_cast<std::size_t>(s + total)];
  }
  return std::min(1.0, 2 * tail);
}

double drawn_sign_flip(std::span<const double> differences, std::uint64_t seed,
                       std::int64_t n_draws) {
  double observed = 0;
  double scale = 0;
  for (const double d : differences) {
    observed += d;
    scale += std::abs(d);
  }
  const double bound = std::abs(observed) - 1e-12 * scale;
  const std::int64_t words = (static_cast<std::int64_t>(differences.size()) + 63) / 64;
  std::vector<std::uint8_t> is_as_extreme(static_cast<std::size_t>(n_draws), 0);
  parallel_for_range(n_draws, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t draw = begin; draw < end; ++draw) {
      double sum = 0;
      for (std::int64_t w = 0; w < words; ++w) {
        std::uint64_t bits = random_at(seed, static_cast<std::uint64_t>(draw * words + w));
        const std::size_t from = static_cast<std::size_t>(w) * 64;
        const std::size_t to = std::min(differences.size(), from + 64);
        for (std::size_t i = from; i < to; ++i, bits >>= 1) {
          sum += (bits & 1) != 0 ? differences[i] : -differences[i];
        }
      }
      is_as_extreme[static_cast<std::size_t>(draw)] = std::abs(sum) >= bound ? 1 : 0;
    }
  });
  const auto n_extreme =
      std::accumulate(is_as_extreme.begin(), is_as_extreme.end(), std::int64_t{0});
  return static_cast<double>(n_extreme + 1) / static_cast<double>(n_draws + 1);
}

}  // namespace

PermutationResult sign_flip_test(std::span<const double> differences, std::uint64_t seed,
                                 std::int64_t n_draws) {
  PermutationResult result;
  result.method = "exact";
  std::vector<double> nonzero;
  for (const double d : differences) {
    if (d != 0) {
      nonzero.push_back(d);
    }
  }
  result.n_nonzero = static_cast<std::int64_t>(nonzero.size());
  if (nonzero.empty()) {
    return result;
  }
  if (const auto steps = on_lattice(nonzero)) {
    double total = 0;
    for (const std::int64_t step : *steps) {
      total += static_cast<double>(std::abs(step));
    }
    // The table grows step by step, to 2 * total + 1 sums: on average half of that.
    if (total * static_cast<double>(steps->size()) <= kMaxCells) {
      result.p = exact_sign_flip(*steps);
      return result;
    }
  }
  result.method = "drawn";
  result.p = drawn_sign_flip(nonzero, seed, n_draws);
  return result;
}

double mcnemar_exact_p(std::int64_t b, std::int64_t c) {
  const std::int64_t n = b + c;
  if (n == 0) {
    return 1;
  }
  const boost::math::binomial half(static_cast<double>(n), 0.5);
  return std::min(1.0, 2 * boost::math::cdf(half, static_cast<double>(std::min(b, c))));
}

double mcnemar_mid_p(std::int64_t b, std::int64_t c) {
  const std::int64_t n = b + c;
  if (n == 0) {
    return 1;
  }
  const boost::math::binomial half(static_cast<double>(n), 0.5);
  const auto least = static_cast<double>(std::min(b, c));
  if (b == c) {
    return 1 - 0.5 * boost::math::pdf(half, least);
  }
  return 2 * boost::math::cdf(half, least) - boost::math::pdf(half, least);
}

Interval tango_interval(std::int64_t b, std::int64_t c, std::int64_t n, double level) {
  Interval interval{-1, 1, "tango", level};
  if (n <= 0) {
    return interval;
  }
  const double z = boost::math::quantile(boost::math::normal(), 0.5 + level / 2);
  const auto bd = static_cast<double>(b);
  const auto cd = static_cast<double>(c);
  const auto nd = static_cast<double>(n);
  const double estimate = (bd - cd) / nd;
  // The score statistic at delta, with the share of the c cell at its restricted maximum
  // likelihood: the larger root of 2n q^2 + (-b - c - (2n - b + c) delta) q + ... (Tango 1998,
  // equation 4, with delta of the other sign).
  const auto score = [&](double delta) {
    const double a2 = 2 * nd;
    const double a1 = -bd - cd + (2 * nd - bd + cd) * delta;
    const double a0 = -cd * delta * (1 - delta);
    const double root = std::sqrt(std::max(0.0, a1 * a1 - 4 * a2 * a0));
    const double q = std::clamp((root - a1) / (2 * a2), 0.0, 1.0);
    const double variance = nd * (2 * q + delta * (1 - delta));
    const double difference = bd - cd - nd * delta;
    if (variance <= 0) {
      return difference == 0 ? 0.0 : (difference > 0 ? 1e300 : -1e300);
    }
    return difference / std::sqrt(variance);
  };
  // The statistic falls with delta: bisect for z below the estimate and -z above it.
  const auto solve = [&](double from, double to, double target) {
    double low = from;
    double high = to;
    for (int step = 0; step < 200 && high - low > 1e-16; ++step) {
      const double middle = 0.5 * (low + high);
      (score(middle) > target ? low : high) = middle;
    }
    return 0.5 * (low + high);
  };
  interval.lower = cd == nd ? -1 : solve(-1, estimate, z);
  interval.upper = bd == nd ? 1 : solve(estimate, 1, -z);
  return interval;
}

std::vector<double> holm_adjust(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double most = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p_values[order[rank]] * static_cast<double>(p_values.size() - rank);
    most = std::max(most, std::min(1.0, scaled));
    adjusted[order[rank]] = most;
  }
  return adjusted;
}

std::vector<double> benjamini_hochberg_adjust(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double least = 1;
  for (std::size_t rank = order.size(); rank > 0; --rank) {
    const double scaled = p_values[order[rank - 1]] * static_cast<double>(p_values.size()) /
                          static_cast<double>(rank);
    least = std::min(least, scaled);
    adjusted[order[rank - 1]] = least;
  }
  return adjusted;
}

}  // namespace r1eval
