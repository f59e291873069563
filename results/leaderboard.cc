#include "results/leaderboard.h"

#include <map>
#include <vector>

#include "base/hash.h"
#include "base/json.h"

namespace r1eval {

std::string leaderboard_json(const RunSummary& summary, std::string_view manifest_text) {
  const Result<Json> manifest = parse_json(manifest_text);
  const Json* config = manifest ? find_member(*manifest, "config") : nullptr;
  const Json* task_configs = config == nullptr ? nullptr : find_member(*config, "tasks");
  OrderedJson entry;
  entry["model"] = summary.model;
  entry["model_revision"] = summary.model_revision;
  entry["model_identity"] = config == nullptr ? "" : string_or(*config, "model_identity");
  // A file's content hash identifies weights as well as a revision does.
  const std::string identity = config == nullptr ? "" : string_or(*config, "model_identity");
  entry["unidentified"] =
      summary.model_revision.empty() && identity.find("sha256") == std::string::npos;
  entry["date"] = manifest ? string_or(*manifest, "created") : "";
  entry["r1eval"] = manifest ? string_or(*manifest, "r1eval") : "";
  entry["config_sha256"] = config == nullptr ? "" : sha256_hex(dump_json(*config));
  OrderedJson results = OrderedJson::array();
  for (const TaskScores& t : summary.tasks) {
    OrderedJson row;
    row["task"] = t.task;
    row["metric"] = t.metric;
    row["value"] = t.score.n_items > 0 ? OrderedJson(t.score.value) : OrderedJson();
    row["ci"] = OrderedJson::array({t.score.interval.lower, t.score.interval.upper});
    row["ci_method"] = t.score.interval.method;
    row["ci_level"] = t.score.interval.level;
    row["n"] = t.score.n_items;
    row["k"] = t.k;
    row["n_samples"] = t.n_samples;
    row["unscored"] = t.n_unscored;
    row["truncated"] = t.n_truncated;
    row["no_answer"] = t.n_no_answer;
    row["partial"] = t.is_partial;
    if (task_configs != nullptr) {
      if (const Json* task = find_member(*task_configs, t.task)) {
        row["dataset_sha256"] = string_or(*task, "dataset_sha256");
        row["template_sha256"] = string_or(*task, "template_sha256");
        row["max_tokens"] = int_or(*task, "max_tokens", 0);
        row["temperature"] = double_or(*task, "temperature", 0);
        row["top_p"] = double_or(*task, "top_p", 0);
      }
    }
    results.push_back(row);
  }
  entry["results"] = results;
  OrderedJson json;
  json["schema"] = 1;
  json["entries"] = OrderedJson::array({entry});
  return dump_json_pretty(json);
}

Result<std::string> merge_leaderboards(const std::vector<std::string>& boards) {
  OrderedJson entries = OrderedJson::array();
  for (const std::string& text : boards) {
    // Kept in the order of the file.
    const OrderedJson board = OrderedJson::parse(text, nullptr, false);
    if (board.is_discarded() || !board.is_object() || !board.contains("entries") ||
        !board["entries"].is_array()) {
      return fail(ErrorCode::kParse, "no leaderboard.json: field 'entries' is missing");
    }
    if (board.value("schema", 0) != 1) {
      return fail(ErrorCode::kUnsupported, "leaderboard.json of a newer schema than 1");
    }
    for (const OrderedJson& entry : board["entries"]) {
      entries.push_back(entry);
    }
  }

  struct Row {
    OrderedJson* json;
    double lower;
    double upper;
    double value;
  };

  std::map<std::string, std::vector<Row>> groups;
  for (OrderedJson& entry : entries) {
    if (!entry.is_object() || !entry.contains("results") || !entry["results"].is_array()) {
      continue;
    }
    for (OrderedJson& row : entry["results"]) {
      const Json plain = Json(row);
      const Json* ci = find_member(plain, "ci");
      if (find_member(plain, "value") == nullptr || ci == nullptr || !ci->is_array() ||
          ci->size() != 2 || !(*ci)[0].is_number() || !(*ci)[1].is_number()) {
        row["rank"] = nullptr;
        continue;
      }
      groups[string_or(plain, "task") + "\n" + string_or(plain, "metric") + "\n" +
             string_or(plain, "dataset_sha256")]
          .push_back(
              {&row, (*ci)[0].get<double>(), (*ci)[1].get<double>(), double_or(plain, "value", 0)});
    }
  }
  for (auto& [name, rows] : groups) {
    for (Row& row : rows) {
      std::int64_t n_above = 0;
      std::int64_t n_tied = 0;
      for (const Row& other : rows) {
        n_above += other.lower > row.upper ? 1 : 0;
        n_tied += other.json != row.json && other.lower <= row.upper && other.upper >= row.lower;
      }
      (*row.json)["rank"] = n_above + 1;
      (*row.json)["tied"] = n_tied;
    }
  }
  OrderedJson json;
  json["schema"] = 1;
  json["entries"] = entries;
  return dump_json_pretty(json);
}

}  // namespace r1eval
