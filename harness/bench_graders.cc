#include "harness/bench_graders.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "graders/grader.h"
#include "harness/score_line.h"

namespace r1eval {
namespace {

struct Pair {
  MathLine line;
  std::unique_ptr<Grader> grader;
  std::vector<double> us;  // by round, sorted at the end
};

double now_us() {
  return steady_clock().now() * 1e6;
}

double peak_mib() {
  struct rusage usage {};

  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// `share` of the sorted values lies below.
double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) {
    return 0;
  }
  const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(sorted.size() - 1, at)];
}

Result<std::vector<Pair>> read_pairs(const std::string& path) {
  R1_TRY(const std::string text, read_file(path));
  std::vector<Pair> pairs;
  std::int64_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string row = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (row.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    const auto wrong = [&](const Error& error) {
      return fail(error.code, fmt::format("--set {} line {}: {}", path, number, error.message));
    };
    const Result<Json> json = parse_json(row);
    if (!json) {
      return wrong(json.error());
    }
    Result<MathLine> line = read_math_line(*json, "");
    if (!line) {
      return wrong(line.error());
    }
    Result<std::unique_ptr<Grader>> grader = make_grader(line->spec);
    if (!grader) {
      return wrong(grader.error());
    }
    pairs.push_back({std::move(line).value(), std::move(grader).value(), {}});
  }
  if (pairs.empty()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--set {}: no pair in it; a line is {{\"gold\": …, \"pred\": …}}", path));
  }
  return pairs;
}

// MB/s of a whole verdict on 4 MiB of reasoning with a boxed answer at its end.
Result<double> extraction_speed() {
  std::string text;
  for (int i = 0; text.size() < (std::size_t{4} << 20); ++i) {
    text += fmt::format(
        "Wait, let me check this again. If $x_{{{0}}} = \\frac{{{0}}}{{{1}}}$, then the sum of the "
        "first {0} terms is at most {2}, so we need another way to see it.\n\n",
        i, i + 7, i * 3);
  }
  text += "Therefore the final answer is \\boxed{42}.";
  R1_TRY(const std::unique_ptr<Grader> reader, make_grader(GraderSpec()));
  GradeRequest request;
  request.text = text;
  request.target = "42";
  std::vector<double> us;
  for (int round = 0; round < 5; ++round) {
    const double started = now_us();
    const Verdict verdict = reader->grade(request);
    us.push_back(now_us() - started);
    if (verdict.outcome != Outcome::kCorrect) {
      return fail(ErrorCode::kInternal, "the long completion's answer was not found");
    }
  }
  std::sort(us.begin(), us.end());
  return static_cast<double>(text.size()) / us[2];
}

}  // namespace

Status bench_graders(const GraderBench& options) {
  R1_TRY(std::vector<Pair> pairs, read_pairs(options.set));
  const double before = peak_mib();
  std::map<std::string, std::int64_t> outcomes;
  for (std::int64_t round = 0; round < options.repeat; ++round) {
    for (Pair& pair : pairs) {
      const double started = now_us();
      const Verdict verdict = grade_math_line(*pair.grader, pair.line);
      pair.us.push_back(now_us() - started);
      if (round == 0) {
        ++outcomes[std::string(outcome_name(verdict.outcome))];
      }
    }
  }
  const double memory = peak_mib() - before;
  std::vector<double> all;
  std::vector<double> small;
  const Pair* slowest = nullptr;
  double slowest_us = -1;
  for (Pair& pair : pairs) {
    std::sort(pair.us.begin(), pair.us.end());
    const double us = pair.us[pair.us.size() / 2];
    all.push_back(us);
    if (pair.line.gold.size() <= 64 && pair.line.pred.size() <= 64) {
      small.push_back(us);
    }
    if (us > slowest_us) {
      slowest = &pair;
      slowest_us = us;
    }
  }
  std::sort(all.begin(), all.end());
  std::sort(small.begin(), small.end());
  R1_TRY(const double speed, extraction_speed());
  OrderedJson out;
  out["pairs"] = pairs.size();
  out["repeat"] = options.repeat;
  out["median_us"] = quantile(all, 0.5);
  out["median_small_us"] = quantile(small, 0.5);
  out["p99_us"] = quantile(all, 0.99);
  out["worst_us"] = all.back();
  out["worst_gold"] = slowest->line.gold.substr(0, 120);
  out["worst_pred"] = slowest->line.pred.substr(0, 120);
  out["peak_mib_above_start"] = memory;
  out["extraction_mb_per_s"] = speed;
  for (const auto& [name, n] : outcomes) {
    out["outcomes"][name] = n;
  }
  const std::string text =
      options.json
          ? dump_json(out)
          : fmt::format(
                "{} pairs, one thread, each the median of {} rounds\n"
                "median {:.1f} us, up to 64 bytes {:.1f} us, p99 {:.1f} us, worst {:.1f} us\n"
                "worst pair: {} | {}\n"
                "memory above the start {:.1f} MiB; a verdict on a long completion {:.0f} MB/s",
                pairs.size(), options.repeat, quantile(all, 0.5), quantile(small, 0.5),
                quantile(all, 0.99), all.back(), slowest->line.gold.substr(0, 60),
                slowest->line.pred.substr(0, 60), memory, speed);
  std::printf("%s\n", text.c_str());
  return ok_status();
}

}  // namespace r1eval
