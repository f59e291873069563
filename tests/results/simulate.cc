// Simulated runs whose truth is known: how often intervals cover it, how often a gate passes what
// it must not, how often a difference of the planned size is found.
//
//   simulate_statistics coverage|gate|power [RUNS]
//
// Items' abilities are drawn from a beta distribution of a given mean and concentration, samples
// from each item's ability. Each cell has a generator of its own, so that cells run in any order.
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/parallel.h"
#include "results/aggregate.h"
#include "results/compare.h"
#include "results/power.h"

namespace r1eval {
namespace {

using Generator = std::mt19937_64;

double draw_beta(Generator& g, double mean, double concentration) {
  std::gamma_distribution<double> a(mean * concentration, 1);
  std::gamma_distribution<double> b((1 - mean) * concentration, 1);
  const double x = a(g);
  const double y = b(g);
  if (x + y > 0) {
    return x / (x + y);
  }
  return std::uniform_real_distribution<double>(0, 1)(g) < mean ? 1 : 0;
}

std::int64_t draw_correct(Generator& g, double ability, std::int64_t k) {
  return std::binomial_distribution<std::int64_t>(k, std::min(1.0, std::max(0.0, ability)))(g);
}

ItemMean item_mean(std::int64_t correct, std::int64_t k) {
  ItemMean item;
  item.k = k;
  item.sum = static_cast<double>(correct);
  item.mean = item.sum / static_cast<double>(k);
  item.variance =
      k > 1 ? item.mean * (1 - item.mean) * static_cast<double>(k) / static_cast<double>(k - 1) : 0;
  return item;
}

ItemResult item_result(std::string id, std::int64_t correct, std::int64_t k) {
  ItemResult item;
  item.id = std::move(id);
  item.k = k;
  item.sum = static_cast<double>(correct);
  item.sum_squares = item.sum;
  return item;
}

struct Cell {
  std::int64_t n = 0;
  std::int64_t k = 0;
  double mean = 0;
  double concentration = 0;
  std::int64_t cluster_size = 1;
  double result = 0;
  double width = 0;
};

void cover(Cell& cell, std::int64_t runs) {
  Generator g(static_cast<std::uint64_t>(cell.n * 1000003 + cell.k * 1009) +
              static_cast<std::uint64_t>(cell.mean * 1e4 + cell.concentration * 7e5) +
              static_cast<std::uint64_t>(cell.cluster_size * 31));
  std::int64_t covered = 0;
  for (std::int64_t r = 0; r < runs; ++r) {
    std::vector<ItemMean> items;
    double ability = 0;
    for (std::int64_t i = 0; i < cell.n; ++i) {
      if (i % cell.cluster_size == 0) {
        ability = draw_beta(g, cell.mean, cell.concentration);
      }
      items.push_back(item_mean(draw_correct(g, ability, cell.k), cell.k));
      if (cell.cluster_size > 1) {
        items.back().cluster = std::to_string(i / cell.cluster_size);
      }
    }
    const Score score = score_of_items(items);
    covered += score.interval.lower <= cell.mean && cell.mean <= score.interval.upper ? 1 : 0;
    cell.width += (score.interval.upper - score.interval.lower) / static_cast<double>(runs);
  }
  cell.result = static_cast<double>(covered) / static_cast<double>(runs);
}

void coverage(std::int64_t runs) {
  for (const std::int64_t cluster_size : {1, 5}) {
    for (const std::int64_t n : {30, 198, 500}) {
      std::vector<Cell> cells;
      for (const std::int64_t k : {1, 4, 64}) {
        for (const double concentration : {1.0, 2.0, 5.0}) {
          for (int m = 1; m <= 9; ++m) {
            const std::int64_t items =
                n / cluster_size * cluster_size * (n == 30 ? cluster_size : 1);
            cells.push_back({items, k, m / 10.0, concentration, cluster_size});
          }
        }
      }
      parallel_for_index(static_cast<std::int64_t>(cells.size()),
                         [&](std::int64_t c) { cover(cells[static_cast<std::size_t>(c)], runs); });
      double sum = 0;
      double width = 0;
      const Cell* worst = &cells.front();
      for (const Cell& cell : cells) {
        sum += cell.result;
        width += cell.width;
        worst = cell.result < worst->result ? &cell : worst;
      }
      fmt::print(
          "{} items in clusters of {}: average {:.2f} %, least {:.2f} % (score {}, concentration "
          "{}, "
          "k {}), mean width {:.2f} points\n",
          cells.front().n, cluster_size, 100 * sum / static_cast<double>(cells.size()),
          100 * worst->result, worst->mean, worst->concentration, worst->k,
          100 * width / static_cast<double>(cells.size()));
      std::fflush(stdout);
    }
  }
}

// How the candidate came to lose.
enum class Loss { kShift, kFewItems, kAllALittle };

// Abilities of the candidate that lose exactly `loss` on average over the distribution (new items)
// or over the items drawn (these items).
std::vector<double> lose(const std::vector<double>& abilities, double loss, Loss how, bool exactly,
                         Generator& g) {
  std::vector<double> out = abilities;
  double sum = 0;
  for (const double p : abilities) {
    sum += p;
  }
  const auto n = static_cast<double>(abilities.size());
  if (how == Loss::kFewItems) {
    // An item is lost whole, with a probability that loses `loss` of the score on average.
    if (exactly) {
      double left = loss * n;
      for (std::size_t i = 0; i < out.size() && left > 0; ++i) {
        const double take = std::min(left, out[i]);
        out[i] -= take;
        left -= take;
      }
    } else {
      for (double& p : out) {
        if (std::uniform_real_distribution<double>(0, 1)(g) < loss / 0.7) {
          p = 0;
        }
      }
    }
    return out;
  }
  if (how == Loss::kShift) {
    // A share of the ability of every item.
    const double keep = exactly ? 1 - loss * n / sum : 1 - loss / 0.7;
    for (double& p : out) {
      p *= keep;
    }
    return out;
  }
  // Noise on every item beside the loss: what a different model looks like.
  const double keep = exactly ? 1 - loss * n / sum : 1 - loss / 0.7;
  double moved = 0;
  for (double& p : out) {
    const double noise = std::uniform_real_distribution<double>(-1, 1)(g);
    const double room = std::min(p, 1 - p);
    p += noise * room;
    moved += p;
  }
  if (exactly) {
    const double scale = (sum - loss * n) / moved;
    for (double& p : out) {
      p = std::min(1.0, p * scale);
    }
    return out;
  }
  for (double& p : out) {
    p *= keep;
  }
  return out;
}

struct GateCell {
  std::int64_t n = 0;
  std::int64_t k = 0;
  double concentration = 0;
  double margin = 0;
  Loss how = Loss::kShift;
  bool about_these = false;
  double false_pass = 0;
  double pass_if_equal = 0;
  double false_fail = 0;
};

// False PASS: the candidate's true score lies exactly at the margin. The baseline's mean ability is
// 0.7, so that new items lose loss * 0.7/0.7.
void gate_cell(GateCell& cell, std::int64_t runs) {
  Generator g(static_cast<std::uint64_t>(cell.n * 7919 + cell.k * 104729) +
              static_cast<std::uint64_t>(cell.margin * 1e5 + cell.concentration * 13) +
              static_cast<std::uint64_t>(cell.how) * 77 + (cell.about_these ? 5 : 0));
  std::int64_t n_pass = 0;
  std::int64_t n_pass_equal = 0;
  std::int64_t n_fail = 0;
  std::int64_t valid = 0;
  CompareOptions options;
  options.n_draws = 0;
  options.with_tests = false;
  options.about = cell.about_these ? Question::kTheseItems : Question::kNewItems;
  for (std::int64_t r = 0; r < runs; ++r) {
    std::vector<double> abilities;
    double sum = 0;
    for (std::int64_t i = 0; i < cell.n; ++i) {
      abilities.push_back(draw_beta(g, 0.7, cell.concentration));
      sum += abilities.back();
    }
    const std::vector<double> worse = lose(abilities, cell.margin, cell.how, cell.about_these, g);
    if (cell.about_these) {
      double left = 0;
      for (const double p : worse) {
        left += p;
      }
      if (std::abs((sum - left) / static_cast<double>(cell.n) - cell.margin) > 1e-9) {
        continue;  // these items have too little to lose
      }
    }
    ++valid;
    TaskResult a;
    TaskResult b;
    TaskResult equal;
    for (std::int64_t i = 0; i < cell.n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::string id = fmt::format("{:06}", i);
      a.items.push_back(item_result(id, draw_correct(g, worse[at], cell.k), cell.k));
      b.items.push_back(item_result(id, draw_correct(g, abilities[at], cell.k), cell.k));
      equal.items.push_back(item_result(id, draw_correct(g, abilities[at], cell.k), cell.k));
    }
    const TaskComparison boundary = *compare_task(a, b, options);
    n_pass += boundary.lower > -cell.margin ? 1 : 0;
    n_fail += boundary.upper < -cell.margin ? 1 : 0;
    n_pass_equal += compare_task(equal, b, options)->lower > -cell.margin ? 1 : 0;
  }
  const double total = std::max(1.0, static_cast<double>(valid));
  cell.false_pass = static_cast<double>(n_pass) / total;
  cell.false_fail = static_cast<double>(n_fail) / total;
  cell.pass_if_equal = static_cast<double>(n_pass_equal) / total;
}

void gates(std::int64_t runs) {
  std::vector<GateCell> cells;
  for (const bool about_these : {false, true}) {
    for (const Loss how : {Loss::kShift, Loss::kFewItems, Loss::kAllALittle}) {
      for (const std::int64_t n : {30, 198, 500}) {
        for (const std::int64_t k : {1, 2, 4, 16, 64}) {
          for (const double concentration : {0.3, 1.0, 5.0}) {
            for (const double margin : {0.01, 0.03, 0.10}) {
              if (!about_these || k > 1) {
                cells.push_back({n, k, concentration, margin, how, about_these});
              }
            }
          }
        }
      }
    }
  }
  parallel_for_index(static_cast<std::int64_t>(cells.size()),
                     [&](std::int64_t c) { gate_cell(cells[static_cast<std::size_t>(c)], runs); });
  const char* const names[] = {"every item a little", "few items whole", "another model"};
  for (const bool about_these : {false, true}) {
    for (const Loss how : {Loss::kShift, Loss::kFewItems, Loss::kAllALittle}) {
      const GateCell* worst = nullptr;
      double sum = 0;
      double fails = 0;
      std::int64_t n_above = 0;
      std::int64_t n = 0;
      double most_fail = 0;
      for (const GateCell& cell : cells) {
        if (cell.about_these != about_these || cell.how != how) {
          continue;
        }
        sum += cell.false_pass;
        fails += cell.false_fail;
        most_fail = std::max(most_fail, cell.false_fail);
        ++n;
        n_above += cell.false_pass > 0.055 ? 1 : 0;
        worst = worst == nullptr || cell.false_pass > worst->false_pass ? &cell : worst;
      }
      fmt::print(
          "{}, loss of {}: false PASS {:.2f} % on average, most {:.2f} % (n {}, k {}, "
          "concentration "
          "{}, margin {}), {} of {} cells above 5.5 %; FAIL at the boundary {:.2f} % on average, "
          "most {:.2f} %\n",
          about_these ? "these items" : "new items", names[static_cast<int>(how)],
          100 * sum / static_cast<double>(n), 100 * worst->false_pass, worst->n, worst->k,
          worst->concentration, worst->margin, n_above, n, 100 * fails / static_cast<double>(n),
          100 * most_fail);
    }
  }
  for (const GateCell& cell : cells) {
    if (cell.false_pass > 0.055 || cell.false_fail > 0.055) {
      fmt::print(
          "  {} n {} k {} concentration {} margin {} loss {}: false PASS {:.2f} %, FAIL {:.2f} %\n",
          cell.about_these ? "these" : "new", cell.n, cell.k, cell.concentration, cell.margin,
          names[static_cast<int>(cell.how)], 100 * cell.false_pass, 100 * cell.false_fail);
    }
  }
}

// Share of runs in which a difference of the planned size is found (two-sided p below 0.05).
void power(std::int64_t runs) {
  struct PowerCell {
    std::int64_t n;
    std::int64_t k;
    double mde;
    double found;
  };

  std::vector<PowerCell> cells;
  for (const std::int64_t n : {30, 198, 500}) {
    for (const std::int64_t k : {1, 4, 16}) {
      cells.push_back({n, k, 0, 0});
    }
  }
  parallel_for_index(static_cast<std::int64_t>(cells.size()), [&](std::int64_t c) {
    PowerCell& cell = cells[static_cast<std::size_t>(c)];
    Generator g(static_cast<std::uint64_t>(cell.n * 31 + cell.k));
    // Items of ability 0.6 +- 0.1; the candidate differs by +- spread and by the effect. The
    // variances are then known without an estimate.
    const double spread = 0.1;
    const double base = 0.6;
    const auto variances = [&](double effect) {
      DifferenceVariance v;
      v.omega2 = spread * spread;
      const auto bernoulli = [](double p) { return p * (1 - p); };
      v.sigma2_b = 0.5 * (bernoulli(base - 0.1) + bernoulli(base + 0.1));
      v.sigma2_a = 0;
      for (const double s : {-0.1, 0.1}) {
        for (const double t : {-spread, spread}) {
          v.sigma2_a += 0.25 * bernoulli(std::clamp(base + s + t - effect, 0.0, 1.0));
        }
      }
      return v;
    };
    double effect = 0.1;
    for (int step = 0; step < 20; ++step) {
      effect = *minimal_detectable_effect(difference_sd(variances(effect), cell.k, cell.k, false),
                                          cell.n, 0.05, 0.8, cell.k);
    }
    cell.mde = effect;
    std::int64_t found = 0;
    CompareOptions options;
    options.n_draws = 0;
    for (std::int64_t r = 0; r < runs; ++r) {
      TaskResult a;
      TaskResult b;
      for (std::int64_t i = 0; i < cell.n; ++i) {
        const double s = (g() & 1) != 0 ? 0.1 : -0.1;
        const double t = (g() & 1) != 0 ? spread : -spread;
        const std::string id = fmt::format("{:06}", i);
        a.items.push_back(item_result(id, draw_correct(g, base + s + t - effect, cell.k), cell.k));
        b.items.push_back(item_result(id, draw_correct(g, base + s, cell.k), cell.k));
      }
      found += compare_task(a, b, options)->p < 0.05 ? 1 : 0;
    }
    cell.found = static_cast<double>(found) / static_cast<double>(runs);
  });
  for (const PowerCell& cell : cells) {
    fmt::print("n {}, k {}: planned difference {:.2f} points, found in {:.2f} % (planned 80 %)\n",
               cell.n, cell.k, 100 * cell.mde, 100 * cell.found);
  }
}

}  // namespace
}  // namespace r1eval

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const std::int64_t runs = argc > 2 ? std::atoll(argv[2]) : 2000;
  if (runs < 1) {
    std::fputs("RUNS: expected a number above 0\n", stderr);
    return 2;
  }
  if (what == "coverage") {
    r1eval::coverage(runs);
  } else if (what == "gate") {
    r1eval::gates(runs);
  } else if (what == "power") {
    r1eval::power(runs);
  } else {
    std::fputs("usage: simulate_statistics coverage|gate|power [RUNS]\n", stderr);
    return 2;
  }
  return 0;
}
