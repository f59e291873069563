#include "results/leaderboard.h"

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

}  // namespace r1eval
