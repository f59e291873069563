#include "results/baseline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace r1eval {
namespace {

OrderedJson number(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15
             ? OrderedJson(static_cast<std::int64_t>(value))
             : OrderedJson(value);
}

OrderedJson strings(const std::map<std::string, std::string>& values) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [name, value] : values) {
    json[name] = value;
  }
  return json;
}

std::map<std::string, std::string> strings_from(const Json& object, std::string_view key) {
  std::map<std::string, std::string> out;
  const Json* member = find_member(object, key);
  if (member != nullptr && member->is_object()) {
    for (const auto& [name, value] : member->items()) {
      if (value.is_string()) {
        out[name] = value.get<std::string>();
      }
    }
  }
  return out;
}

Result<ItemResult> item_from(const Json& row, const std::string& where) {
  const auto bad = [&](const std::string& what) {
    return fail(ErrorCode::kParse, fmt::format("{}: {}", where, what));
  };
  // The last four came later: a baseline without them knows nothing of these.
  if (!row.is_array() || (row.size() != 16 && row.size() < 20)) {
    return bad("expected an array of 20 fields");
  }
  const bool is_long = row.size() >= 20;
  for (std::size_t i = 0; i < (is_long ? 20U : 16U); ++i) {
    if (i < 5 ? !row[i].is_string() : !row[i].is_number()) {
      return bad(fmt::format("field {} is of the wrong kind", i));
    }
  }
  ItemResult item;
  item.id = row[0].get<std::string>();
  item.question = row[1].get<std::string>();
  item.prompt = row[2].get<std::string>();
  item.cluster = row[3].get<std::string>();
  item.stratum = row[4].get<std::string>();
  item.sum = row[6].get<double>();
  item.sum_squares = row[7].get<double>();
  const auto whole = [&](std::size_t i) {
    const double x = row[i].get<double>();
    return x >= 0 && x < 1e15 ? static_cast<std::int64_t>(x) : -1;
  };
  item.k = whole(5);
  item.n_samples = whole(8);
  item.n_truncated = whole(9);
  item.n_no_answer = whole(10);
  item.n_unscored = whole(11);
  item.n_language_mixed = whole(12);
  item.n_with_tokens = whole(13);
  item.completion_tokens = whole(14);
  item.prompt_tokens = whole(15);
  if (is_long) {
    item.n_ill_formed = whole(16);
    item.n_repeating = whole(17);
    item.n_with_cost = whole(18);
    item.cost = row[19].get<double>();
  } else {
    item.n_ill_formed = item.n_repeating = kUnknownCount;
  }
  if (!std::isfinite(item.cost) || item.cost < 0) {
    return bad(fmt::format("item '{}': a cost of {}", item.id, item.cost));
  }
  const auto k = static_cast<double>(item.k);
  if (item.id.empty() || item.k < 0 || !std::isfinite(item.sum) || item.sum < 0 || item.sum > k ||
      !std::isfinite(item.sum_squares) || item.sum_squares < 0 ||
      item.sum_squares > item.sum + 1e-9) {
    return bad(fmt::format("item '{}': a sum of {} over {} samples is no score", item.id, item.sum,
                           item.k));
  }
  for (const std::int64_t count :
       {item.n_samples, item.n_truncated, item.n_no_answer, item.n_unscored, item.n_language_mixed,
        item.n_with_tokens, item.completion_tokens, item.prompt_tokens, item.n_with_cost}) {
    if (count < 0) {
      return bad(fmt::format("item '{}': a count is negative", item.id));
    }
  }
  return item;
}

}  // namespace

std::string baseline_json(const RunScores& run) {
  OrderedJson json;
  json["kind"] = "r1eval-baseline";
  json["schema"] = 1;
  json["r1eval"] = run.r1eval;
  json["source"] = run.source;
  json["model"] = run.model;
  json["model_revision"] = run.model_revision;
  json["settings"] = strings(run.settings);
  // Written by hand: a row a line, so that differences between two baselines can be read.
  std::string out = dump_json_pretty(json);
  out.resize(out.rfind("\n}"));
  out += ",\n  \"tasks\": {";
  bool first = true;
  for (const auto& [name, task] : run.tasks) {
    OrderedJson head;
    head["metric"] = task.metric;
    head["dataset_sha256"] = task.dataset_sha256;
    head["template_sha256"] = task.template_sha256;
    head["grader"] = task.grader;
    head["k"] = task.k;
    head["n_planned"] = task.n_planned;
    head["n_samples"] = task.n_samples;
    head["partial"] = task.is_partial;
    head["settings"] = strings(task.settings);
    std::string text = dump_json(head);
    text.pop_back();
    out += fmt::format("{}\n   {}: {},\n    \"items\": [", first ? "" : ",",
                       dump_json(OrderedJson(name)), text);
    first = false;
    for (std::size_t i = 0; i < task.items.size(); ++i) {
      const ItemResult& item = task.items[i];
      const OrderedJson row = OrderedJson::array({item.id,
                                                  item.question,
                                                  item.prompt,
                                                  item.cluster,
                                                  item.stratum,
                                                  item.k,
                                                  number(item.sum),
                                                  number(item.sum_squares),
                                                  item.n_samples,
                                                  item.n_truncated,
                                                  item.n_no_answer,
                                                  item.n_unscored,
                                                  item.n_language_mixed,
                                                  item.n_with_tokens,
                                                  item.completion_tokens,
                                                  item.prompt_tokens,
                                                  item.n_ill_formed,
                                                  item.n_repeating,
                                                  item.n_with_cost,
                                                  item.cost});
      out += fmt::format("{}\n{}", i == 0 ? "" : ",", dump_json(row));
    }
    out += "]}";
  }
  return out + "}\n}\n";
}

Result<RunScores> baseline_from_json(std::string_view text) {
  R1_TRY(const Json json, parse_json(text));
  if (string_or(json, "kind") != "r1eval-baseline") {
    return fail(
        ErrorCode::kParse,
        "this is no baseline of ours (`r1eval export --to baseline DIR --out FILE` makes one)");
  }
  if (const std::int64_t schema = int_or(json, "schema", 0); schema != 1) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("baseline schema {}: this r1eval reads schema 1; a newer r1eval wrote it",
                    schema));
  }
  RunScores run;
  run.r1eval = string_or(json, "r1eval");
  run.source = string_or(json, "source");
  run.model = string_or(json, "model");
  run.model_revision = string_or(json, "model_revision");
  run.settings = strings_from(json, "settings");
  const Json* tasks = find_member(json, "tasks");
  if (tasks == nullptr || !tasks->is_object()) {
    return fail(ErrorCode::kParse, "field 'tasks': expected an object");
  }
  for (const auto& [name, entry] : tasks->items()) {
    TaskResult task;
    task.task = name;
    task.metric = string_or(entry, "metric", "pass@1");
    task.dataset_sha256 = string_or(entry, "dataset_sha256");
    task.template_sha256 = string_or(entry, "template_sha256");
    task.grader = string_or(entry, "grader");
    task.k = int_or(entry, "k", 1);
    task.n_planned = int_or(entry, "n_planned", 0);
    task.n_samples = int_or(entry, "n_samples", 0);
    task.is_partial = bool_or(entry, "partial", false);
    task.settings = strings_from(entry, "settings");
    const Json* items = find_member(entry, "items");
    if (items == nullptr || !items->is_array()) {
      return fail(ErrorCode::kParse, fmt::format("task '{}': no items", name));
    }
    for (const Json& row : *items) {
      R1_TRY(ItemResult item, item_from(row, fmt::format("task '{}'", name)));
      task.items.push_back(std::move(item));
    }
    std::sort(task.items.begin(), task.items.end(),
              [](const ItemResult& a, const ItemResult& b) { return a.id < b.id; });
    for (std::size_t i = 1; i < task.items.size(); ++i) {
      if (task.items[i].id == task.items[i - 1].id) {
        return fail(ErrorCode::kParse,
                    fmt::format("task '{}': item '{}' stands twice", name, task.items[i].id));
      }
    }
    run.tasks.emplace(name, std::move(task));
  }
  return run;
}

}  // namespace r1eval
