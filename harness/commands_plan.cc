// plan: what a run will cost and what it will be able to show, before a request is sent.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/log.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/load_result.h"
#include "harness/plan.h"
#include "harness/prices.h"
#include "harness/run_options.h"
#include "results/power.h"
#include "tasks/registry.h"

namespace r1eval {
namespace {

struct PlanFlags {
  RunOptions options;
  std::string baseline;
  PriceFlags prices;
  double tokens = -1;
  double tokens_per_second = -1;
  double cached_share = 0;
  bool json = false;
};

// Variances and lengths of a task in the baseline.
struct Known {
  std::optional<double> sigma2;
  std::optional<double> completion_tokens;
  std::optional<double> prompt_tokens;
};

Known known_of(const RunScores* baseline, const std::string& task) {
  Known known;
  if (baseline == nullptr) {
    return known;
  }
  const auto found = baseline->tasks.find(task);
  if (found == baseline->tasks.end()) {
    return known;
  }
  double variance = 0;
  double n = 0;
  double tokens = 0;
  double prompt = 0;
  double with_tokens = 0;
  for (const ItemResult& item : found->second.items) {
    if (item.k > 1) {
      variance += item.variance();
      n += 1;
    }
    tokens += static_cast<double>(item.completion_tokens);
    prompt += static_cast<double>(item.prompt_tokens);
    with_tokens += static_cast<double>(item.n_with_tokens);
  }
  if (n > 0) {
    known.sigma2 = variance / n;
  }
  if (with_tokens > 0) {
    known.completion_tokens = tokens / with_tokens;
    known.prompt_tokens = prompt / with_tokens;
  }
  return known;
}

Result<int> plan_with(const PlanFlags& flags) {
  RunOptions options = flags.options;
  options.dry_run = true;
  options.no_grade = true;
  R1_RETURN_IF_ERROR(check_run_options(options));
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  R1_TRY(const Plan plan, load_plan(options, registry, DatasetStore()));
  std::optional<RunScores> baseline;
  if (!flags.baseline.empty()) {
    R1_TRY(baseline, load_result(flags.baseline, {}));
  }
  R1_TRY(const Prices prices, find_prices(options.model, flags.prices));
  OrderedJson tasks = OrderedJson::object();
  double requests = 0;
  double prompt_total = 0;
  double completion_total = 0;
  bool guessed = false;
  std::string table = fmt::format("{:<18} {:>6} {:>4} {:>9} {:>14} {:>14} {:>26} {:>26}\n", "task",
                                  "items", "k", "requests", "prompt tok.", "answer tok.",
                                  "could see, new items", "could see, these items");
  for (const PlannedTask& planned : plan.tasks) {
    const Known known = known_of(baseline ? &*baseline : nullptr, planned.task.name);
    double bytes = 0;
    for (const std::int64_t item : planned.items) {
      for (const ChatMessage& message : planned.renderer->render(item, 0).messages) {
        bytes += static_cast<double>(message.content.size());
      }
    }
    const auto n = static_cast<double>(planned.items.size());
    const auto k = static_cast<double>(planned.k);
    // English and LaTeX in byte-level BPE: about 3.5 bytes a token.
    const double prompt = known.prompt_tokens ? *known.prompt_tokens * n * k : bytes / 3.5 * k;
    double a_sample = known.completion_tokens.value_or(flags.tokens);
    if (a_sample < 0) {
      // Reasoning models use about a quarter of what they are allowed, on average.
      a_sample = 0.25 * static_cast<double>(planned.max_tokens);
      guessed = true;
    }
    requests += n * k;
    prompt_total += prompt;
    completion_total += a_sample * n * k;
    const auto mde = [&](DifferenceVariance v, bool these) -> std::optional<double> {
      if (these && planned.k < 2) {
        return std::nullopt;
      }
      if (known.sigma2) {
        v.sigma2_a = v.sigma2_b = *known.sigma2;
      }
      const auto items = static_cast<std::int64_t>(planned.items.size());
      return minimal_detectable_effect(difference_sd(v, planned.k, planned.k, these),
                                       these ? items * (planned.k - 1) * 2 : items, 0.05, 0.8,
                                       these ? 0 : planned.k);
    };
    const auto text = [&](bool these) {
      const std::optional<double> far = mde(kDifferentModels, these);
      const std::optional<double> near = mde(kNearTwins, these);
      return far && near ? fmt::format("{:.1f} (twins {:.1f})", 100 * *far, 100 * *near)
                         : std::string("needs k of 2");
    };
    const auto or_null = [](const std::optional<double>& x) {
      return x ? OrderedJson(*x) : OrderedJson();
    };
    tasks[planned.task.name] = {{"items", planned.items.size()},
                                {"k", planned.k},
                                {"requests", n * k},
                                {"prompt_tokens", std::round(prompt)},
                                {"completion_tokens", std::round(a_sample * n * k)},
                                {"mde_new_items", or_null(mde(kDifferentModels, false))},
                                {"mde_new_items_twins", or_null(mde(kNearTwins, false))},
                                {"mde_these_items", or_null(mde(kDifferentModels, true))},
                                {"mde_these_items_twins", or_null(mde(kNearTwins, true))}};
    table += fmt::format("{:<18} {:>6} {:>4} {:>9.0f} {:>14.0f} {:>14.0f} {:>26} {:>26}\n",
                         planned.task.name, planned.items.size(), planned.k, n * k, prompt,
                         a_sample * n * k, text(false), text(true));
  }
  std::optional<double> cost;
  if (prices.input >= 0 && prices.output >= 0) {
    const double cached = std::min(1.0, std::max(0.0, flags.cached_share));
    cost = (prompt_total * ((1 - cached) * prices.input + cached * prices.cached) +
            completion_total * prices.output) /
           1e6;
  }
  std::optional<double> hours;
  if (flags.tokens_per_second > 0) {
    hours = completion_total / flags.tokens_per_second / 3600;
  }
  if (flags.json) {
    OrderedJson json;
    json["schema"] = 1;
    json["tasks"] = tasks;
    json["requests"] = requests;
    json["prompt_tokens"] = std::round(prompt_total);
    json["completion_tokens"] = std::round(completion_total);
    json["cost"] = cost ? OrderedJson(*cost) : OrderedJson();
    json["hours"] = hours ? OrderedJson(*hours) : OrderedJson();
    json["lengths_guessed"] = guessed;
    json["price_source"] = prices.source;
    const std::string line = dump_json(json) + "\n";
    std::fwrite(line.data(), 1, line.size(), stdout);
    return kExitOk;
  }
  table +=
      fmt::format("\n{:.0f} requests, {:.1f} million prompt tokens, {:.1f} million answer tokens\n",
                  requests, prompt_total / 1e6, completion_total / 1e6);
  table += cost ? fmt::format("cost about ${:.2f} ({})\n", *cost, prices.source)
                : std::string(
                      "cost: no price for this model; --price-in and --price-out, dollars a "
                      "million tokens\n");
  table += hours ? fmt::format("about {:.1f} hours at {:.0f} tokens/s\n", *hours,
                               flags.tokens_per_second)
                 : std::string("hours: --tokens-per-second N\n");
  if (guessed) {
    table += "lengths are guesses (a quarter of the limit): --baseline RUN knows, or --tokens N\n";
  }
  table += "could see: the difference, in points, found with 80 % probability at 5 % two-sided\n";
  std::fwrite(table.data(), 1, table.size(), stdout);
  return kExitOk;
}

}  // namespace

void add_plan_command(CLI::App& app, Action& action) {
  CLI::App* plan =
      app.add_subcommand("plan", "requests, tokens, cost, hours and what could be seen");
  auto flags = std::make_shared<PlanFlags>();
  plan->add_option("--suite", flags->options.suite, "a suite of tasks");
  plan->add_option("--task", flags->options.tasks, "tasks by name")->delimiter(',');
  plan->add_option("--model,-m", flags->options.model, "for its price");
  plan->add_option("--k", flags->options.k, "samples an item");
  plan->add_option("--limit", flags->options.limit, "N items or P% of each task");
  plan->add_option("--max-tokens", flags->options.max_tokens, "limit on an answer");
  plan->add_option("--baseline", flags->baseline, "run or baseline file: lengths and variances");
  plan->add_option("--prices", flags->prices.file, "a file like results/data/prices.json");
  plan->add_option("--price-in", flags->prices.input, "dollars a million prompt tokens");
  plan->add_option("--price-cached", flags->prices.cached, "… of them from a cache");
  plan->add_option("--price-out", flags->prices.output, "dollars a million answer tokens");
  plan->add_option("--cached-share", flags->cached_share, "share of prompt tokens from a cache")
      ->check(CLI::Range(0.0, 1.0));
  plan->add_option("--tokens", flags->tokens, "an answer's mean length");
  plan->add_option("--tokens-per-second", flags->tokens_per_second, "of the server, all together");
  plan->add_flag("--json", flags->json, "print one JSON object");
  plan->callback([&action, flags] {
    action = [flags] {
      const Result<int> code = plan_with(*flags);
      return code ? *code : report_failure(code.error());
    };
  });
}

}  // namespace r1eval
