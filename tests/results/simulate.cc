// Simulated runs whose truth is known: how often intervals cover it, how often a gate passes what
// it must not, how often a difference of the planned size is found.
//
//   simulate_statistics coverage|gate|power [RUNS] [n=30,198] [k=1,4] [clusters=1|5] [about=new]
//
// Items' abilities are drawn from a beta distribution of a given mean and concentration, samples
// from each item's ability. 20,000 runs a cell are needed to tell 5.0 % from 5.5 %, and there are
// hundreds of cells, so the draws are cheap:
//   abilities  from a table of 16,384 quantiles (the table's own mean is the truth);
//   samples    all k of an item at once: k random numbers are compared with the ability bit by bit,
//              a word of random bits at a time, until none is undecided (about log2 k + 1.3 words);
//   records    are made once and filled again.
// A cell's runs are cut into pieces with a generator each, so that threads change nothing.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <boost/math/distributions/beta.hpp>
#include <cmath>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
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

constexpr std::int64_t kPiece = 500;  // runs that one generator makes

// Which cells to run: an empty set is all.
struct Only {
  std::set<std::int64_t> n;
  std::set<std::int64_t> k;
  std::set<std::int64_t> clusters;
  std::string about;  // "new", "these"
};

bool is_asked(const std::set<std::int64_t>& set, std::int64_t value) {
  return set.empty() || set.contains(value);
}

struct Abilities {
  std::vector<double> quantiles;
  double mean = 0;
};

const Abilities& abilities_of(double mean, double concentration) {
  static std::map<std::pair<double, double>, Abilities> tables;  // filled before threads start
  Abilities& table = tables[{mean, concentration}];
  if (table.quantiles.empty()) {
    constexpr int kEntries = 1 << 14;
    const boost::math::beta_distribution<> beta(mean * concentration, (1 - mean) * concentration);
    for (int i = 0; i < kEntries; ++i) {
      table.quantiles.push_back(boost::math::quantile(beta, (i + 0.5) / kEntries));
      table.mean += table.quantiles.back() / kEntries;
    }
  }
  return table;
}

double draw(Generator& g, const Abilities& table) {
  return table.quantiles[static_cast<std::size_t>(g() >> 50)];
}

double uniform(Generator& g) {
  return static_cast<double>(g() >> 11) * 0x1.0p-53;
}

// How many of k <= 64 samples are right.
std::int64_t draw_correct(Generator& g, double ability, std::int64_t k) {
  if (ability <= 0 || ability >= 1) {
    return ability >= 1 ? k : 0;
  }
  if (k == 1) {
    return uniform(g) < ability ? 1 : 0;
  }
  const auto threshold = static_cast<std::uint64_t>(ability * 0x1.0p63) << 1;
  std::uint64_t undecided = k == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << k) - 1;
  std::uint64_t below = 0;
  for (int bit = 63; bit > 10 && undecided != 0; --bit) {
    const std::uint64_t random = g();
    if ((threshold >> bit & 1) != 0) {
      below |= undecided & ~random;
      undecided &= random;
    } else {
      undecided &= ~random;
    }
  }
  return std::popcount(below);
}

ItemResult item_result(std::string id, std::int64_t correct, std::int64_t k) {
  ItemResult item;
  item.id = std::move(id);
  item.k = k;
  item.sum = static_cast<double>(correct);
  item.sum_squares = item.sum;
  return item;
}

void set_correct(ItemResult& item, std::int64_t correct) {
  item.sum = static_cast<double>(correct);
  item.sum_squares = item.sum;
}

// body(cell, first run of the piece, runs of the piece) for all pieces, in parallel.
template <typename Body>
void for_each_piece(std::size_t n_cells, std::int64_t runs, const Body& body) {
  const std::int64_t pieces = (runs + kPiece - 1) / kPiece;
  parallel_for_index(static_cast<std::int64_t>(n_cells) * pieces, [&](std::int64_t at) {
    const std::int64_t first = at % pieces * kPiece;
    body(static_cast<std::size_t>(at / pieces), first, std::min(kPiece, runs - first));
  });
}

struct Cell {
  std::int64_t n = 0;
  std::int64_t k = 0;
  double mean = 0;
  double concentration = 0;
  std::int64_t cluster_size = 1;
  const Abilities* abilities = nullptr;
  std::atomic<std::int64_t>* covered = nullptr;
};

void cover(const Cell& cell, std::int64_t first, std::int64_t runs) {
  std::seed_seq seed{cell.n,
                     cell.k,
                     static_cast<std::int64_t>(cell.mean * 10 + 0.5),
                     static_cast<std::int64_t>(cell.concentration * 10 + 0.5),
                     cell.cluster_size,
                     first};
  Generator g(seed);
  std::vector<ItemMean> items(static_cast<std::size_t>(cell.n));
  for (std::int64_t i = 0; i < cell.n; ++i) {
    ItemMean& item = items[static_cast<std::size_t>(i)];
    item.k = cell.k;
    if (cell.cluster_size > 1) {
      item.cluster = std::to_string(i / cell.cluster_size);
    }
  }
  const auto k = static_cast<double>(cell.k);
  std::int64_t covered = 0;
  for (std::int64_t r = 0; r < runs; ++r) {
    double ability = 0;
    for (std::int64_t i = 0; i < cell.n; ++i) {
      if (i % cell.cluster_size == 0) {
        ability = draw(g, *cell.abilities);
      }
      ItemMean& item = items[static_cast<std::size_t>(i)];
      item.sum = static_cast<double>(draw_correct(g, ability, cell.k));
      item.mean = item.sum / k;
      item.variance = cell.k > 1 ? item.mean * (1 - item.mean) * k / (k - 1) : 0;
    }
    const Interval interval = score_of_items(items).interval;
    covered +=
        interval.lower <= cell.abilities->mean && cell.abilities->mean <= interval.upper ? 1 : 0;
  }
  cell.covered->fetch_add(covered, std::memory_order_relaxed);  // read after all have ended
}

void coverage(std::int64_t runs, const Only& only) {
  for (const std::int64_t cluster_size : {1, 5}) {
    for (const std::int64_t n : {30, 198, 500}) {
      if (!is_asked(only.clusters, cluster_size) || !is_asked(only.n, n)) {
        continue;
      }
      std::vector<Cell> cells;
      for (const std::int64_t k : {1, 4, 64}) {
        for (const double concentration : {1.0, 2.0, 5.0}) {
          for (int m = 1; m <= 9; ++m) {
            if (!is_asked(only.k, k)) {
              continue;
            }
            const std::int64_t items =
                n / cluster_size * cluster_size * (n == 30 ? cluster_size : 1);
            cells.push_back({items, k, m / 10.0, concentration, cluster_size,
                             &abilities_of(m / 10.0, concentration)});
          }
        }
      }
      if (cells.empty()) {
        continue;
      }
      std::vector<std::atomic<std::int64_t>> covered(cells.size());
      for (std::size_t c = 0; c < cells.size(); ++c) {
        cells[c].covered = &covered[c];
      }
      for_each_piece(cells.size(), runs,
                     [&](std::size_t c, std::int64_t first, std::int64_t n_runs) {
                       cover(cells[c], first, n_runs);
                     });
      double sum = 0;
      std::size_t worst = 0;
      std::size_t best = 0;
      for (std::size_t c = 0; c < cells.size(); ++c) {
        sum += static_cast<double>(covered[c]) / static_cast<double>(runs);
        worst = covered[c] < covered[worst] ? c : worst;
        best = covered[c] > covered[best] ? c : best;
      }
      const auto share = [&](std::size_t c) {
        return 100 * static_cast<double>(covered[c]) / static_cast<double>(runs);
      };
      fmt::print(
          "{} items in clusters of {}, {} runs a cell: average {:.2f} %, least {:.2f} % (score {}, "
          "concentration {}, k {}), most {:.2f} %, {} cells\n",
          cells.front().n, cluster_size, runs, 100 * sum / static_cast<double>(cells.size()),
          share(worst), cells[worst].mean, cells[worst].concentration, cells[worst].k, share(best),
          cells.size());
      std::fflush(stdout);
    }
  }
}

// How the candidate came to lose.
enum class Loss { kShift, kFewItems, kAllALittle };
const char* const kLossNames[] = {"every item a little", "few items whole", "another model"};

struct GateCell {
  std::int64_t n = 0;
  std::int64_t k = 0;
  double mean = 0.7;
  double concentration = 0;
  double margin = 0;
  Loss how = Loss::kShift;
  bool about_these = false;
  std::int64_t cluster_size = 1;
  const Abilities* abilities = nullptr;
};

struct GateCounts {
  std::atomic<std::int64_t> valid{0};
  std::atomic<std::int64_t> pass{0};
  std::atomic<std::int64_t> fail{0};
};

// The candidate's abilities: on average over the distribution it loses the margin exactly (new
// items), or over the items drawn (these items; false when they have too little to lose).
bool lose(const GateCell& cell, const std::vector<double>& abilities, Generator& g,
          std::vector<double>& out) {
  const double margin = cell.margin;
  const double share = margin / cell.abilities->mean;
  const auto n = static_cast<double>(abilities.size());
  double sum = 0;
  for (const double p : abilities) {
    sum += p;
  }
  const double left = sum - margin * n;
  if (cell.about_these && left < 0) {
    return false;
  }
  out = abilities;
  if (cell.how == Loss::kFewItems && cell.about_these) {
    double take = margin * n;
    for (double& p : out) {
      const double taken = std::min(take, p);
      p -= taken;
      take -= taken;
    }
    return true;
  }
  if (cell.how == Loss::kFewItems) {
    for (std::size_t i = 0; i < out.size(); i += static_cast<std::size_t>(cell.cluster_size)) {
      if (uniform(g) < share) {
        for (std::size_t j = i; j < i + static_cast<std::size_t>(cell.cluster_size); ++j) {
          out[j] = 0;
        }
      }
    }
    return true;
  }
  if (cell.how == Loss::kAllALittle) {
    // Noise on every item beside the loss: what a different model looks like.
    double moved = 0;
    double noise = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % static_cast<std::size_t>(cell.cluster_size) == 0) {
        noise = 2 * uniform(g) - 1;
      }
      out[i] += noise * std::min(out[i], 1 - out[i]);
      moved += out[i];
    }
    const double keep = cell.about_these ? left / moved : 1 - share;
    for (double& p : out) {
      if (p * keep > 1) {
        return false;
      }
      p *= keep;
    }
    return true;
  }
  const double keep = cell.about_these ? left / sum : 1 - share;
  for (double& p : out) {
    p *= keep;
  }
  return true;
}

void gate_piece(const GateCell& cell, std::int64_t first, std::int64_t runs, GateCounts& counts) {
  std::seed_seq seed{cell.n,
                     cell.k,
                     static_cast<std::int64_t>(cell.mean * 10 + 0.5),
                     static_cast<std::int64_t>(cell.concentration * 10 + 0.5),
                     static_cast<std::int64_t>(cell.margin * 1000 + 0.5),
                     static_cast<std::int64_t>(cell.how),
                     static_cast<std::int64_t>(cell.about_these),
                     cell.cluster_size,
                     first};
  Generator g(seed);
  CompareOptions options;
  options.n_draws = 0;
  options.bounds_only = true;
  options.about = cell.about_these ? Question::kTheseItems : Question::kNewItems;
  TaskResult a;
  for (std::int64_t i = 0; i < cell.n; ++i) {
    a.items.push_back(item_result(fmt::format("{:06}", i), 0, cell.k));
    if (cell.cluster_size > 1) {
      a.items.back().cluster = fmt::format("{:06}", i / cell.cluster_size);
    }
  }
  TaskResult b = a;
  std::vector<double> abilities(static_cast<std::size_t>(cell.n));
  std::vector<double> worse;
  std::int64_t valid = 0;
  std::int64_t pass = 0;
  std::int64_t fails = 0;
  for (std::int64_t r = 0; r < runs; ++r) {
    for (std::size_t i = 0; i < abilities.size(); ++i) {
      abilities[i] = i % static_cast<std::size_t>(cell.cluster_size) == 0 ? draw(g, *cell.abilities)
                                                                          : abilities[i - 1];
    }
    if (!lose(cell, abilities, g, worse)) {
      continue;
    }
    ++valid;
    for (std::size_t i = 0; i < abilities.size(); ++i) {
      set_correct(a.items[i], draw_correct(g, worse[i], cell.k));
      set_correct(b.items[i], draw_correct(g, abilities[i], cell.k));
    }
    const TaskComparison boundary = *compare_task(a, b, options);
    pass += boundary.lower > -cell.margin ? 1 : 0;
    fails += boundary.upper < -cell.margin ? 1 : 0;
  }
  counts.valid.fetch_add(valid, std::memory_order_relaxed);
  counts.pass.fetch_add(pass, std::memory_order_relaxed);
  counts.fail.fetch_add(fails, std::memory_order_relaxed);
}

// False PASS: the candidate's true score lies exactly at the margin.
void gates(std::int64_t runs, const Only& only) {
  std::vector<GateCell> cells;
  for (const bool about_these : {false, true}) {
    for (const Loss how : {Loss::kShift, Loss::kFewItems, Loss::kAllALittle}) {
      for (const std::int64_t n : {30, 198, 500}) {
        for (const std::int64_t k : {1, 2, 4, 16, 64}) {
          if ((about_these && k == 1) || !is_asked(only.n, n) || !is_asked(only.k, k) ||
              (!only.about.empty() && (only.about == "these") != about_these)) {
            continue;
          }
          for (const double concentration : {0.3, 1.0, 5.0}) {
            for (const double margin : {0.01, 0.03, 0.10}) {
              cells.push_back({n, k, 0.7, concentration, margin, how, about_these});
            }
          }
          for (const double mean : {0.3, 0.9}) {
            cells.push_back({n, k, mean, 1.0, 0.03, how, about_these});
          }
          if (!about_these) {
            const std::int64_t clustered = n == 30 ? 150 : n / 5 * 5;
            cells.push_back({clustered, k, 0.7, 1.0, 0.03, how, about_these, 5});
          }
        }
      }
    }
  }
  std::erase_if(cells, [&](const GateCell& c) { return !is_asked(only.clusters, c.cluster_size); });
  for (GateCell& cell : cells) {
    cell.abilities = &abilities_of(cell.mean, cell.concentration);
  }
  std::vector<GateCounts> counts(cells.size());
  for_each_piece(cells.size(), runs, [&](std::size_t c, std::int64_t first, std::int64_t n_runs) {
    gate_piece(cells[c], first, n_runs, counts[c]);
  });
  const auto share = [&](const std::atomic<std::int64_t>& count, std::size_t c) {
    return 100 * static_cast<double>(count) /
           static_cast<double>(std::max<std::int64_t>(1, counts[c].valid));
  };
  const auto name = [&](std::size_t c) {
    const GateCell& cell = cells[c];
    return fmt::format("n {}, k {}, score {}, concentration {}, margin {}, clusters of {}", cell.n,
                       cell.k, cell.mean, cell.concentration, cell.margin, cell.cluster_size);
  };
  for (const bool about_these : {false, true}) {
    for (const Loss how : {Loss::kShift, Loss::kFewItems, Loss::kAllALittle}) {
      std::size_t worst = cells.size();
      double sum = 0;
      double fails = 0;
      double most_fail = 0;
      std::int64_t n_above = 0;
      std::int64_t n = 0;
      for (std::size_t c = 0; c < cells.size(); ++c) {
        // Cells whose items mostly have too little to lose say little.
        if (cells[c].about_these != about_these || cells[c].how != how ||
            counts[c].valid * 2 < runs) {
          continue;
        }
        const double passes = share(counts[c].pass, c);
        sum += passes;
        fails += share(counts[c].fail, c);
        most_fail = std::max(most_fail, share(counts[c].fail, c));
        ++n;
        n_above += passes > 5.5 ? 1 : 0;
        worst = worst == cells.size() || passes > share(counts[worst].pass, worst) ? c : worst;
      }
      if (n == 0) {
        continue;
      }
      fmt::print(
          "{}, loss of {}, {} runs a cell: false PASS {:.2f} % on average, most {:.2f} % ({}), {} "
          "of {} cells above 5.5 %; FAIL at the boundary {:.2f} % on average, most {:.2f} %\n",
          about_these ? "these items" : "new items", kLossNames[static_cast<int>(how)], runs,
          sum / static_cast<double>(n), share(counts[worst].pass, worst), name(worst), n_above, n,
          fails / static_cast<double>(n), most_fail);
    }
  }
  for (std::size_t c = 0; c < cells.size(); ++c) {
    if (share(counts[c].pass, c) > 5.5 || share(counts[c].fail, c) > 5.5) {
      fmt::print("  {} items, {}, loss of {}: false PASS {:.2f} %, FAIL {:.2f} % of {} runs\n",
                 cells[c].about_these ? "these" : "new", name(c),
                 kLossNames[static_cast<int>(cells[c].how)], share(counts[c].pass, c),
                 share(counts[c].fail, c), counts[c].valid.load());
    }
  }
}

// Share of runs in which a difference of the planned size is found (two-sided p below 0.05).
void power(std::int64_t runs, const Only& only) {
  struct PowerCell {
    std::int64_t n;
    std::int64_t k;
    double mde;
    double found;
  };

  std::vector<PowerCell> cells;
  for (const std::int64_t n : {30, 198, 500}) {
    for (const std::int64_t k : {1, 4, 16}) {
      if (is_asked(only.n, n) && is_asked(only.k, k)) {
        cells.push_back({n, k, 0, 0});
      }
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

std::set<std::int64_t> numbers_of(std::string_view list) {
  std::set<std::int64_t> out;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    out.insert(std::atoll(std::string(list.substr(0, comma)).c_str()));
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
  }
  return out;
}

}  // namespace
}  // namespace r1eval

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const std::int64_t runs = argc > 2 ? std::atoll(argv[2]) : 2000;
  r1eval::Only only;
  bool is_usage_ok = runs >= 1;
  for (int i = 3; i < argc; ++i) {
    const std::string_view text = argv[i];
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : text.substr(equals + 1);
    if (name == "about" && (value == "new" || value == "these")) {
      only.about = value;
    } else if (name == "n" || name == "k" || name == "clusters") {
      (name == "n" ? only.n : name == "k" ? only.k : only.clusters) = r1eval::numbers_of(value);
    } else {
      is_usage_ok = false;
    }
  }
  if (is_usage_ok && what == "coverage") {
    r1eval::coverage(runs, only);
  } else if (is_usage_ok && what == "gate") {
    r1eval::gates(runs, only);
  } else if (is_usage_ok && what == "power") {
    r1eval::power(runs, only);
  } else {
    std::fputs(
        "usage: simulate_statistics coverage|gate|power [RUNS] [n=30,198,500] [k=1,4,64] "
        "[clusters=1,5] [about=new|these]\n",
        stderr);
    return 2;
  }
  return 0;
}
