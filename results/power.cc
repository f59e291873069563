#include "results/power.h"

#include <algorithm>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "base/check.h"

namespace r1eval {

double power_of_difference(double delta, double sd, std::int64_t n, double alpha) {
  R1_CHECK(n >= 2 && sd > 0, "power needs two pairs and a standard deviation");
  const auto degrees = static_cast<double>(n - 1);
  const double t = boost::math::quantile(boost::math::students_t(degrees), 1 - alpha / 2);
  const double shift = std::abs(delta) / sd * std::sqrt(static_cast<double>(n));
  if (shift > 35) {
    return 1;  // where the noncentral t is costly, the answer is known to all digits
  }
  if (shift == 0) {
    return alpha;
  }
  const boost::math::non_central_t shifted(degrees, shift);
  return boost::math::cdf(boost::math::complement(shifted, t)) + boost::math::cdf(shifted, -t);
}

std::optional<double> minimal_detectable_effect(double sd, std::int64_t n, double alpha,
                                                double power, std::int64_t step) {
  if (n < 2 || !(sd > 0)) {
    return std::nullopt;
  }
  // Power grows with delta; at 30 standard errors of the mean it is 1 for any n >= 2 that matters,
  // and for n = 2 the t quantile is wide, so the upper end is doubled until it holds.
  const double se = sd / std::sqrt(static_cast<double>(n));
  double low = 0;
  double high = 3 * se;
  while (power_of_difference(high, sd, n, alpha) < power && high < 1e3 * se) {
    high *= 2;
  }
  for (int halving = 0; halving < 60; ++halving) {
    const double middle = 0.5 * (low + high);
    (power_of_difference(middle, sd, n, alpha) < power ? low : high) = middle;
  }
  const double coarse = step > 0 ? 1 / (static_cast<double>(step) * static_cast<double>(n)) : 0;
  return 0.5 * (low + high) + coarse;
}

double difference_sd(const DifferenceVariance& variance, std::int64_t k_a, std::int64_t k_b,
                     bool about_these_items) {
  return std::sqrt((about_these_items ? 0 : variance.omega2) +
                   variance.sigma2_a / static_cast<double>(k_a) +
                   variance.sigma2_b / static_cast<double>(k_b));
}

bool settles(const DifferenceVariance& variance, double distance, std::int64_t n, std::int64_t k_a,
             std::int64_t k_b, bool about_these_items, double alpha) {
  if (n < 2 || k_a < 1 || k_b < 1 || (about_these_items && (k_a < 2 || k_b < 2))) {
    return false;
  }
  const auto items = static_cast<double>(n);
  const double degrees =
      about_these_items ? items * static_cast<double>(std::min(k_a, k_b) - 1) : items - 1;
  const double t = boost::math::quantile(boost::math::students_t(degrees), 1 - alpha);
  const double guard =
      1 / (about_these_items ? items * static_cast<double>(std::min(k_a, k_b)) : items);
  const double sd = difference_sd(variance, k_a, k_b, about_these_items);
  return guard + t * std::sqrt(sd * sd / items + guard * guard) <= distance;
}

namespace {

// The least x in [1, limit] for which `holds`, which once true stays true.
template <typename Predicate>
std::optional<std::int64_t> least(std::int64_t limit, const Predicate& holds) {
  std::int64_t high = 1;
  while (!holds(high)) {
    if (high >= limit) {
      return std::nullopt;
    }
    high *= 2;
  }
  std::int64_t low = high / 2;
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (holds(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

std::optional<std::int64_t> needed_k(const DifferenceVariance& variance, double distance,
                                     std::int64_t n, bool about_these_items, double alpha) {
  return least(std::int64_t{1} << 20, [&](std::int64_t k) {
    return settles(variance, distance, n, k, k, about_these_items, alpha);
  });
}

std::optional<std::int64_t> needed_n(const DifferenceVariance& variance, double distance,
                                     std::int64_t k_a, std::int64_t k_b, bool about_these_items,
                                     double alpha) {
  return least(std::int64_t{1} << 24, [&](std::int64_t n) {
    return settles(variance, distance, n, k_a, k_b, about_these_items, alpha);
  });
}

std::vector<double> obrien_fleming_bounds(int n_looks, double alpha) {
  R1_CHECK(n_looks >= 1 && alpha > 0 && alpha < 1, "looks and alpha");
  const boost::math::normal normal;
  // Each side spends alpha / 2 as 2 (1 - Phi(z / sqrt(t))), z the upper alpha / 4 point.
  const double z = boost::math::quantile(normal, 1 - alpha / 4);
  const auto spent = [&](double t) {
    return 4 * boost::math::cdf(boost::math::complement(normal, z / std::sqrt(t)));
  };
  std::vector<double> bounds;
  // density[i] of the sum of increments, at grid point i, of paths that no earlier look stopped.
  // Simpson's rule over [-b sqrt(t), b sqrt(t)].
  constexpr int kPoints = 2001;
  std::vector<double> points;
  std::vector<double> density;
  std::vector<double> weights;
  const double step_time = 1.0 / n_looks;
  for (int look = 1; look <= n_looks; ++look) {
    const double time = step_time * look;
    const double spend = spent(time) - (look == 1 ? 0 : spent(step_time * (look - 1)));
    const auto crossing = [&](double bound) {  // P(stop at this look), both sides
      const double x = bound * std::sqrt(time);
      if (look == 1) {
        return 2 * boost::math::cdf(boost::math::complement(normal, bound));
      }
      double p = 0;
      for (int i = 0; i < kPoints; ++i) {
        const auto at = static_cast<std::size_t>(i);
        p += weights[at] * density[at] *
             (boost::math::cdf(
                  boost::math::complement(normal, (x - points[at]) / std::sqrt(step_time))) +
              boost::math::cdf(normal, (-x - points[at]) / std::sqrt(step_time)));
      }
      return p;
    };
    double low = 0;
    double high = 20;
    for (int bisect = 0; bisect < 60; ++bisect) {
      const double middle = 0.5 * (low + high);
      (crossing(middle) > spend ? low : high) = middle;
    }
    const double bound = 0.5 * (low + high);
    bounds.push_back(bound);
    if (look == n_looks) {
      break;
    }
    // Far bounds carry no mass at their ends; 8 standard deviations are all there is.
    const double edge = std::min(bound, 8.0) * std::sqrt(time);
    std::vector<double> new_points(kPoints);
    std::vector<double> new_density(kPoints);
    std::vector<double> new_weights(kPoints);
    const double h = 2 * edge / (kPoints - 1);
    for (int i = 0; i < kPoints; ++i) {
      const auto at = static_cast<std::size_t>(i);
      new_points[at] = -edge + h * i;
      new_weights[at] = h / 3 * (i == 0 || i == kPoints - 1 ? 1 : (i % 2 == 1 ? 4 : 2));
      if (look == 1) {
        new_density[at] =
            boost::math::pdf(normal, new_points[at] / std::sqrt(time)) / std::sqrt(time);
        continue;
      }
      double f = 0;
      const double spread = std::sqrt(step_time);
      for (int j = 0; j < kPoints; ++j) {
        const auto from = static_cast<std::size_t>(j);
        const double u = (new_points[at] - points[from]) / spread;
        if (std::abs(u) < 9) {
          f += weights[from] * density[from] * boost::math::pdf(normal, u) / spread;
        }
      }
      new_density[at] = f;
    }
    points = std::move(new_points);
    density = std::move(new_density);
    weights = std::move(new_weights);
  }
  return bounds;
}

}  // namespace r1eval
