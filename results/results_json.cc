#include "results/results_json.h"

#include "base/json.h"

namespace r1eval {
namespace {

OrderedJson or_null(const std::optional<double>& value) {
  return value ? OrderedJson(*value) : OrderedJson();
}

OrderedJson interval_json(const Interval& interval) {
  return OrderedJson::array({interval.lower, interval.upper});
}

}  // namespace

std::string results_json(const RunSummary& summary) {
  OrderedJson tasks = OrderedJson::object();
  for (const TaskScores& t : summary.tasks) {
    OrderedJson task;
    task["metric"] = t.metric;
    task["value"] = t.score.n_items > 0 ? OrderedJson(t.score.value) : OrderedJson();
    task["se_pop"] = or_null(t.score.se_population);
    task["se_run"] = or_null(t.score.se_rerun);
    task["ci"] = interval_json(t.score.interval);
    task["ci_method"] = t.score.interval.method;
    task["ci_level"] = t.score.interval.level;
    task["n"] = t.score.n_items;
    task["k"] = t.k;
    task["n_samples"] = t.n_samples;
    task["n_planned"] = t.n_planned;
    task["missing"] = t.n_planned - t.n_samples;
    task["unscored"] = t.n_unscored;
    task["truncated"] = t.n_truncated;
    task["truncated_in_thinking"] = t.n_truncated_in_thinking;
    task["no_answer"] = t.n_no_answer;
    task["thinking_unclosed"] = t.n_thinking_unclosed;
    task["stray_tags"] = t.n_stray_tags;
    task["mean_completion_tokens"] = or_null(t.mean_completion_tokens);
    task["tokens_per_correct"] = or_null(t.tokens_per_correct);
    task["cost"] = or_null(t.cost);
    task["cost_per_correct"] = or_null(t.cost_per_correct);
    task["well_formed"] = t.n_well_formed;
    task["language_mixed"] = t.n_language_mixed;
    task["repeating"] = t.n_repeating;
    task["empty_thinking"] = t.n_empty_thinking;
    task["mean_seconds"] = or_null(t.seconds);
    task["partial"] = t.is_partial;
    OrderedJson metrics = OrderedJson::object();
    for (const auto& [name, score] : t.extra_metrics) {
      OrderedJson metric;
      metric["value"] = score.value;
      metric["ci"] = interval_json(score.interval);
      if (const auto ties = t.tie_rate.find(name); ties != t.tie_rate.end()) {
        metric["ties"] = ties->second;
      }
      metrics[name] = metric;
    }
    task["metrics"] = metrics;
    OrderedJson budget = OrderedJson::array();
    for (const auto& [tokens, score] : t.budget) {
      budget.push_back(
          {{"tokens", tokens}, {"value", score.value}, {"ci", interval_json(score.interval)}});
    }
    task["budget"] = budget;
    OrderedJson breakdown = OrderedJson::object();
    for (const auto& [field, values] : t.breakdown) {
      for (const auto& [value, score] : values) {
        breakdown[field][value] = {
            {"value", score.value}, {"ci", interval_json(score.interval)}, {"n", score.n_items}};
      }
    }
    task["breakdown"] = breakdown;
    tasks[t.task] = task;
  }
  OrderedJson json;
  json["schema"] = 1;
  json["run"] = summary.directory;
  json["model"] = summary.model;
  json["model_revision"] = summary.model_revision;
  json["tasks"] = tasks;
  json["notes"] = summary.notes;
  return dump_json_pretty(json);
}

std::string summary_line_json(const RunSummary& summary) {
  OrderedJson results = OrderedJson::object();
  for (const TaskScores& t : summary.tasks) {
    OrderedJson task;
    task["metric"] = t.metric;
    task["value"] = t.score.n_items > 0 ? OrderedJson(t.score.value) : OrderedJson();
    task["ci"] = interval_json(t.score.interval);
    task["n"] = t.score.n_items;
    task["k"] = t.k;
    task["n_samples"] = t.n_samples;
    task["missing"] = t.n_planned - t.n_samples;
    task["unscored"] = t.n_unscored;
    task["truncated"] = t.n_truncated;
    task["no_answer"] = t.n_no_answer;
    task["partial"] = t.is_partial;
    results[t.task] = task;
  }
  OrderedJson json;
  json["run"] = summary.directory;
  json["results"] = results;
  json["requests_sent"] = summary.requests_sent;
  std::vector<std::string> notes = summary.notes;
  notes.insert(notes.end(), summary.call_notes.begin(), summary.call_notes.end());
  json["notes"] = notes;
  return dump_json(json);
}

}  // namespace r1eval
