#include "results/kernel_history.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <queue>
#include <set>
#include <system_error>
#include <tuple>

#include "base/file.h"
#include "base/hash.h"
#include "results/kernel_export.h"
#include "results/kernel_facts.h"
#include "results/kernel_statistics.h"

namespace r1eval {
namespace {

constexpr std::size_t kMaxRuns = 2000;
constexpr std::size_t kMinPiece = 3;

std::vector<HistoryPoint> points_of(const KernelRun& run, const std::string& name,
                                    std::int64_t bytes) {
  std::vector<HistoryPoint> points;
  HistoryPoint common;
  common.file = name;
  common.bytes = bytes;
  common.suite = run.text("r1eval.suite_version");
  common.machine = kernel_machine(run);
  common.time = run.text("date");
  common.seconds = parse_iso_time(common.time).value_or(0);
  common.commit = kernel_commit(run);
  for (const KernelCase& one : run.cases) {
    HistoryPoint point = common;
    point.id = one.id;
    point.code = kernel_code(run, one);
    point.error = one.error;
    if (one.error.empty()) {
      const KernelTime time = kernel_time(one);
      point.median_ns = time.median_ns;
      point.lower_ns = time.lower_ns;
      point.upper_ns = time.upper_ns;
      point.clock_ghz = one.counter(kKernelClock).value_or(0);
    }
    points.push_back(std::move(point));
  }
  return points;
}

std::string index_line(const HistoryPoint& point) {
  OrderedJson json;
  json["file"] = point.file;
  json["bytes"] = point.bytes;
  json["suite"] = point.suite;
  json["case"] = point.id;
  json["machine"] = point.machine;
  json["time"] = point.time;
  json["commit"] = point.commit;
  json["code"] = point.code;
  if (point.error.empty()) {
    json["median_ns"] = point.median_ns;
    json["lower_ns"] = point.lower_ns;
    json["upper_ns"] = point.upper_ns;
    json["clock_ghz"] = point.clock_ghz;
  } else {
    json["error"] = point.error;
  }
  return dump_json(json) + "\n";
}

// Points of the index by file; a line that cannot be read drops its whole file, which is read anew.
std::map<std::string, std::vector<HistoryPoint>> read_index(const std::string& path) {
  std::map<std::string, std::vector<HistoryPoint>> by_file;
  std::set<std::string> torn;
  const Status read = for_each_line(path, [&](std::string_view line, std::int64_t) {
    const Result<Json> json = parse_json(line);
    if (!json || !json->is_object()) {
      return ok_status();
    }
    HistoryPoint point;
    point.file = string_or(*json, "file");
    point.bytes = int_or(*json, "bytes", -1);
    point.suite = string_or(*json, "suite");
    point.id = string_or(*json, "case");
    point.machine = string_or(*json, "machine");
    point.time = string_or(*json, "time");
    point.seconds = parse_iso_time(point.time).value_or(0);
    point.commit = string_or(*json, "commit");
    point.code = string_or(*json, "code");
    point.error = string_or(*json, "error");
    point.median_ns = double_or(*json, "median_ns", 0);
    point.lower_ns = double_or(*json, "lower_ns", 0);
    point.upper_ns = double_or(*json, "upper_ns", 0);
    point.clock_ghz = double_or(*json, "clock_ghz", 0);
    if (point.id.empty() || (point.error.empty() && !(point.median_ns >= 0))) {
      torn.insert(point.file);
    }
    by_file[point.file].push_back(std::move(point));
    return ok_status();
  });
  if (!read) {
    return {};  // no index yet, or one that cannot be read: made anew
  }
  for (const std::string& file : torn) {
    by_file.erase(file);
  }
  return by_file;
}

// cost[i][j]: sum of absolute distances of values i … j from their median, for j - i + 1 >= 1.
// Running medians by two heaps: the lower half on top of `low`, the upper on top of `high`.
class SegmentCosts {
 public:
  explicit SegmentCosts(std::span<const double> x) : n_(x.size()), cost_(n_ * n_, 0) {
    for (std::size_t i = 0; i < n_; ++i) {
      std::priority_queue<double> low;
      std::priority_queue<double, std::vector<double>, std::greater<>> high;
      double low_sum = 0;
      double high_sum = 0;
      for (std::size_t j = i; j < n_; ++j) {
        if (low.empty() || x[j] <= low.top()) {
          low.push(x[j]);
          low_sum += x[j];
        } else {
          high.push(x[j]);
          high_sum += x[j];
        }
        if (low.size() > high.size() + 1) {
          high.push(low.top());
          high_sum += low.top();
          low_sum -= low.top();
          low.pop();
        } else if (high.size() > low.size()) {
          low.push(high.top());
          low_sum += high.top();
          high_sum -= high.top();
          high.pop();
        }
        const double median = low.top();
        cost_[i * n_ + j] = std::max(
            0.0, high_sum - low_sum +
                     median * (static_cast<double>(low.size()) - static_cast<double>(high.size())));
      }
    }
  }

  double operator()(std::size_t first, std::size_t last) const { return cost_[first * n_ + last]; }

 private:
  std::size_t n_;
  std::vector<double> cost_;
};

double median_between(std::span<const double> x, std::size_t begin, std::size_t end) {
  return median_of(x.subspan(begin, end - begin));
}

// Robust spread of one run, from steps between neighbours: a change of level is one step of many.
double spread_of(std::span<const double> x) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < x.size(); ++i) {
    steps.push_back(std::abs(x[i] - x[i - 1]));
  }
  return 1.4826 * median_of(steps) / std::sqrt(2.0);
}

std::vector<SeriesPiece> pieces_of(std::span<const double> log_values,
                                   const std::vector<std::size_t>& changes) {
  std::vector<SeriesPiece> pieces;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= changes.size(); ++i) {
    const std::size_t end = i < changes.size() ? changes[i] : log_values.size();
    if (end > begin) {
      pieces.push_back({begin, end, std::exp(median_between(log_values, begin, end))});
    }
    begin = end;
  }
  return pieces;
}

double last_change_of(const std::vector<SeriesPiece>& pieces) {
  return pieces.size() < 2 ? 0 : pieces.back().median_ns / pieces[pieces.size() - 2].median_ns - 1;
}

// Do the last one or two runs stand apart from their piece, too few to be one of their own?
bool is_pending(std::span<const double> x, const std::vector<SeriesPiece>& pieces,
                double min_effect) {
  if (pieces.empty() || pieces.back().end - pieces.back().begin < kMinPiece + 1) {
    return false;
  }
  const double level = std::log(pieces.back().median_ns);
  const double threshold = std::max(std::log1p(min_effect), 4 * spread_of(x));
  return std::abs(x.back() - level) > threshold;
}

}  // namespace

Result<KernelHistory> read_kernel_history(const std::string& directory) {
  if (!is_directory(directory)) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no directory of kernel results; --add FILE "
                                                  "makes one",
                                                  directory));
  }
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".json") {
      names.push_back(it->path().filename().string());
    }
  }
  if (error) {
    return fail(ErrorCode::kIo, fmt::format("{}: {}", directory, error.message()));
  }
  std::sort(names.begin(), names.end());
  KernelHistory history;
  history.directory = directory;
  const std::string index_path = directory + "/index.jsonl";
  const auto indexed = read_index(index_path);
  bool changed = indexed.size() != names.size();
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    const Result<std::int64_t> size = file_size(path);
    const auto known = indexed.find(name);
    if (size && known != indexed.end() && known->second.front().bytes == *size) {
      history.points.insert(history.points.end(), known->second.begin(), known->second.end());
      continue;
    }
    const Result<KernelRun> run = read_kernel_run(path);
    if (!run) {
      history.notes.push_back("left out: " + run.error().message);
      continue;
    }
    changed = true;
    for (HistoryPoint& point : points_of(*run, name, size.value_or(0))) {
      history.points.push_back(std::move(point));
    }
  }
  if (changed) {
    std::string text;
    for (const HistoryPoint& point : history.points) {
      text += index_line(point);
    }
    if (const Status written = write_file_atomic(index_path, text); !written) {
      history.notes.push_back("the index stays as it was: " + written.error().message);
    }
  }
  std::stable_sort(history.points.begin(), history.points.end(),
                   [](const HistoryPoint& a, const HistoryPoint& b) {
                     return std::tie(a.seconds, a.file) < std::tie(b.seconds, b.file);
                   });
  return history;
}

Result<std::vector<std::string>> add_to_kernel_history(const std::string& directory,
                                                       const std::vector<std::string>& files) {
  struct Copy {
    std::string name;
    std::string bytes;
  };

  std::vector<Copy> copies;
  for (const std::string& file : files) {
    R1_TRY(std::string bytes, read_file(file));
    R1_TRY(const KernelRun run, parse_kernel_run(bytes, file));
    std::string time = run.text("date");
    std::replace(time.begin(), time.end(), ':', '-');
    std::erase_if(
        time, [](char c) { return !((c >= '0' && c <= '9') || c == '-' || c == 'T' || c == 'Z'); });
    const std::string commit = run.text("r1eval.commit");
    copies.push_back({fmt::format("{}-{}-{}.json", time.empty() ? "undated" : time.substr(0, 19),
                                  commit.size() >= 8 && commit.find_first_not_of(
                                                            "0123456789abcdef") == std::string::npos
                                      ? commit.substr(0, 8)
                                      : "nocommit",
                                  sha256_hex(bytes).substr(0, 8)),
                      std::move(bytes)});
  }
  R1_RETURN_IF_ERROR(make_directories(directory));
  std::vector<std::string> names;
  for (const Copy& copy : copies) {
    const std::string path = directory + "/" + copy.name;
    if (!path_exists(path)) {
      R1_RETURN_IF_ERROR(write_file_atomic(path, copy.bytes));
    }
    names.push_back(copy.name);
  }
  return names;
}

std::vector<std::size_t> find_changes(std::span<const double> log_values, double min_effect) {
  const std::size_t n = log_values.size();
  if (n < 2 * kMinPiece) {
    return {};
  }
  const double spread = spread_of(log_values);
  const double price = 3 * std::max(spread, 1e-4) * std::log(static_cast<double>(n));
  const SegmentCosts cost(log_values);
  // best[j]: least cost of the first j values; from[j]: where their last piece begins.
  constexpr double kNever = std::numeric_limits<double>::infinity();
  std::vector<double> best(n + 1, kNever);
  std::vector<std::size_t> from(n + 1, 0);
  best[0] = 0;
  for (std::size_t j = kMinPiece; j <= n; ++j) {
    for (std::size_t i = 0; i + kMinPiece <= j; ++i) {
      if (best[i] == kNever) {
        continue;
      }
      const double total = best[i] + cost(i, j - 1) + price;
      if (total < best[j]) {
        best[j] = total;
        from[j] = i;
      }
    }
  }
  std::vector<std::size_t> changes;
  for (std::size_t j = n; from[j] > 0; j = from[j]) {
    changes.push_back(from[j]);
  }
  std::reverse(changes.begin(), changes.end());
  // Pieces that hardly differ are one: the least step goes first, until all that stay count.
  const double threshold = std::max(std::log1p(min_effect), 2 * spread);
  while (!changes.empty()) {
    std::size_t least = 0;
    double least_step = kNever;
    for (std::size_t c = 0; c < changes.size(); ++c) {
      const std::size_t begin = c == 0 ? 0 : changes[c - 1];
      const std::size_t end = c + 1 < changes.size() ? changes[c + 1] : n;
      const double step = std::abs(median_between(log_values, changes[c], end) -
                                   median_between(log_values, begin, changes[c]));
      if (step < least_step) {
        least_step = step;
        least = c;
      }
    }
    if (least_step > threshold) {
      break;
    }
    changes.erase(changes.begin() + static_cast<std::ptrdiff_t>(least));
  }
  return changes;
}

namespace {

// Times of a file's peers: of every case, under its name without the variant.
using PeerTimes = std::map<std::pair<std::string, std::string>, std::map<std::string, double>>;

std::string without_variant(const std::string& id) {
  KernelName name = parse_kernel_name(id);
  name.variant = "*";
  return name.text();
}

void fill_peer(KernelSeries* series, const PeerTimes& peers, const SeriesOptions& options) {
  const KernelName name = parse_kernel_name(series->id);
  if (!name.is_ours() || name.variant.starts_with("peer:")) {
    return;
  }
  // The peer that is there most often, the fastest of equals in the latest file.
  std::map<std::string, std::pair<std::size_t, double>> candidates;
  for (const HistoryPoint& point : series->points) {
    const auto at = peers.find({point.file, without_variant(series->id)});
    if (at == peers.end()) {
      continue;
    }
    for (const auto& [variant, ns] : at->second) {
      if (variant != name.variant &&
          (options.peer.empty() ? variant.starts_with("peer:") : variant == options.peer)) {
        ++candidates[variant].first;
        candidates[variant].second = ns;
      }
    }
  }
  for (const auto& [variant, seen] : candidates) {
    const auto chosen = candidates.find(series->peer);
    if (chosen == candidates.end() || seen.first > chosen->second.first ||
        (seen.first == chosen->second.first && seen.second < chosen->second.second)) {
      series->peer = variant;
    }
  }
  if (series->peer.empty()) {
    return;
  }
  std::vector<double> logs;
  for (const HistoryPoint& point : series->points) {
    std::optional<double> ratio;
    if (const auto at = peers.find({point.file, without_variant(series->id)}); at != peers.end()) {
      const auto ns = at->second.find(series->peer);
      if (ns != at->second.end() && ns->second > 0 && point.median_ns > 0) {
        ratio = point.median_ns / ns->second;
        logs.push_back(std::log(*ratio));
      }
    }
    series->peer_ratios.push_back(ratio);
  }
  series->peer_pieces = pieces_of(logs, find_changes(logs, options.min_effect));
  series->last_peer_change = last_change_of(series->peer_pieces);
}

}  // namespace

std::vector<KernelSeries> make_kernel_series(const KernelHistory& history,
                                             const SeriesOptions& options) {
  std::map<std::tuple<std::string, std::string, std::string>, KernelSeries> by_key;
  PeerTimes peers;
  for (const HistoryPoint& point : history.points) {
    if (!point.error.empty() || !(point.median_ns > 0)) {
      continue;
    }
    const KernelName name = parse_kernel_name(point.id);
    if (name.is_ours()) {
      peers[{point.file, without_variant(point.id)}][name.variant] = point.median_ns;
    }
    if (!options.machine.empty() && !kernel_name_matches(point.machine, options.machine)) {
      continue;
    }
    if (!options.patterns.empty() &&
        std::none_of(options.patterns.begin(), options.patterns.end(),
                     [&](const std::string& p) { return kernel_name_matches(point.id, p); })) {
      continue;
    }
    KernelSeries& series = by_key[{point.machine, point.suite, point.id}];
    series.id = point.id;
    series.machine = point.machine;
    series.suite = point.suite;
    series.points.push_back(point);
  }
  std::vector<KernelSeries> all;
  for (auto& [key, series] : by_key) {
    if (series.points.size() > kMaxRuns) {
      series.points.erase(series.points.begin(),
                          series.points.end() - static_cast<std::ptrdiff_t>(kMaxRuns));
    }
    std::vector<double> logs;
    for (const HistoryPoint& point : series.points) {
      logs.push_back(std::log(point.median_ns));
    }
    series.pieces = pieces_of(logs, find_changes(logs, options.min_effect));
    series.last_change = last_change_of(series.pieces);
    series.is_pending = is_pending(logs, series.pieces, options.min_effect);
    fill_peer(&series, peers, options);
    all.push_back(std::move(series));
  }
  return all;
}

}  // namespace r1eval
