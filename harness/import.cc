#include "harness/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "graders/extract/thinking.h"
#include "harness/load_result.h"
#include "harness/run.h"
#include "harness/run_options.h"
#include "harness/version.h"
#include "results/run_store.h"
#include "tasks/dataset_store.h"
#include "tasks/registry.h"

namespace r1eval {
namespace {

// Letters, digits and _ - . only: names become file names.
std::string plain_name(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-' || c == '.';
    out += keep ? c : '_';
  }
  while (!out.empty() && (out.front() == '.' || out.front() == '-')) {
    out.erase(0, 1);
  }
  return out.empty() ? "task" : out.substr(0, 80);
}

bool is_letter(const std::string& text) {
  return text.size() == 1 && text[0] >= 'A' && text[0] <= 'Z';
}

struct ForeignItem {
  std::string gold;
  std::string question;
  std::string subject;
  std::string cluster;
  std::vector<std::string> choices;
  std::int64_t k = 0;
};

struct ForeignTask {
  std::string name;
  std::map<std::string, ForeignItem> items;
  std::int64_t k = 1;
  bool is_ours = false;
};

std::string grader_of(const ForeignTask& task) {
  bool letters = true;
  bool wordy = true;
  bool any = false;
  for (const auto& [id, item] : task.items) {
    if (item.gold.empty()) {
      continue;
    }
    any = true;
    letters = letters && is_letter(item.gold);
    // A sentence without any digit, command or operator is no mathematics.
    wordy = wordy && item.gold.find_first_of("0123456789\\=+^$") == std::string::npos &&
            item.gold.size() > 1;
  }
  return !any ? "math" : (letters ? "choice" : (wordy ? "text" : "math"));
}

std::string toml_text(const std::string& text) {
  return dump_json(OrderedJson(text));  // a JSON string of plain names is a TOML string
}

// The task file and its rows, beside the records.
Status write_local_task(const ForeignTask& task, const std::string& grader,
                        const std::string& directory) {
  std::string rows;
  bool has_cluster = false;
  bool has_subject = false;
  for (const auto& [id, item] : task.items) {
    OrderedJson row;
    row["id"] = id;
    row["question"] = item.question.find_first_not_of(" \t\r\n") == std::string::npos
                          ? std::string(kNoQuestion)
                          : item.question;
    row["target"] = item.gold.find_first_not_of(" \t\r\n") == std::string::npos
                        ? std::string(kNoGold)
                        : item.gold;
    row["subject"] = item.subject;
    row["cluster"] = item.cluster;
    has_cluster = has_cluster || !item.cluster.empty();
    has_subject = has_subject || !item.subject.empty();
    rows += dump_json(row) + "\n";
  }
  std::string toml = fmt::format(
      "# Made by `r1eval import` from another harness's records.\n"
      "name = {}\ntitle = {}\nversion = \"1\"\nlicense = \"unknown\"\nredistributable = true\nk = "
      "{}\n",
      toml_text(task.name), toml_text("imported " + task.name), task.k);
  if (has_subject) {
    toml += "breakdown = [\"subject\"]\n";
  }
  toml += fmt::format(
      "\n[dataset]\nformat = \"jsonl\"\nfiles = [{{local = {}}}]\n\n"
      "[columns]\nid = \"id\"\nquestion = \"question\"\ntarget = \"target\"\n",
      toml_text(task.name + ".jsonl"));
  if (has_subject) {
    toml += "metadata = {subject = \"subject\"}\n";
  }
  if (has_cluster) {
    toml += "cluster = \"cluster\"\n";
  }
  toml += fmt::format(
      "\n[prompt]\nstyle = \"template\"\ntext = \"{{question}}\"\n\n[grader]\nname = {}\n",
      toml_text(grader));
  R1_RETURN_IF_ERROR(make_directories(directory + "/tasks"));
  R1_RETURN_IF_ERROR(write_file_atomic(directory + "/tasks/" + task.name + ".jsonl", rows));
  return write_file_atomic(directory + "/tasks/" + task.name + ".toml", toml);
}

// Our task with its rows, when every foreign item is one of them: by id, else by question. Foreign
// ids are then replaced by ours.
bool match_ours(const TaskRegistry& registry, const std::string& name, bool is_asked,
                const ForeignTask& foreign, std::map<std::string, std::string>& ids,
                std::string& problem) {
  const Result<Task> task = registry.find(name);
  if (!task) {
    problem = task.error().message;
    return false;
  }
  const DatasetStore store;
  if (!store.has(*task)) {
    problem = fmt::format("no data for {} in the store (`r1eval data fetch {}`)", name, name);
    return false;
  }
  const Result<TaskData> data = store.load(*task);
  if (!data) {
    problem = data.error().message;
    return false;
  }
  std::set<std::string> known;
  std::unordered_map<std::string, std::vector<std::string>> by_question;
  for (const Item& item : data->items) {
    known.insert(item.id);
    by_question[question_hash(item.question)].push_back(item.id);
  }
  std::int64_t n_unknown = 0;
  for (const auto& [id, item] : foreign.items) {
    if (known.contains(id)) {
      ids[id] = id;
      continue;
    }
    const auto same = by_question.find(question_hash(item.question));
    if (!item.question.empty() && same != by_question.end() && same->second.size() == 1) {
      ids[id] = same->second.front();
    } else {
      ++n_unknown;
    }
  }
  if (n_unknown > 0) {
    problem = fmt::format("{} of {} items are not in {} (by id or question)", n_unknown,
                          foreign.items.size(), name);
    return is_asked && !ids.empty();
  }
  return true;
}

}  // namespace

Result<ImportReport> write_import(ForeignRun run, const ImportOptions& options) {
  ImportReport report;
  if (path_exists(options.out + "/manifest.json")) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--out {}: there is a run already; import writes new directories only",
                            options.out));
  }
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());

  // Samples get task names, item ids and numbers; double ones are told, failed ones left out.
  std::map<std::string, ForeignTask> tasks;
  std::set<std::string> seen;
  std::map<std::string, std::int64_t> next_sample;
  std::vector<ForeignSample> samples;
  std::vector<std::string> conflicts;
  for (ForeignSample& s : run.samples) {
    s.task = options.task.empty() ? plain_name(s.task) : options.task;
    if (s.item.empty()) {
      // Told apart by what was asked.
      s.item = s.prompt.empty() && s.question.empty()
                   ? fmt::format("item-{}", samples.size())
                   : "q-" + sha256_hex(s.question.empty() ? s.prompt : s.question).substr(0, 12);
    }
    ForeignTask& task = tasks[s.task];
    task.name = s.task;
    ForeignItem& item = task.items[s.item];
    if (!item.gold.empty() && !s.gold.empty() && item.gold != s.gold) {
      conflicts.push_back(fmt::format("{}/{}", s.task, s.item));
    }
    const auto fill = [](std::string& to, const std::string& from) {
      if (to.empty()) {
        to = from;
      }
    };
    fill(item.gold, s.gold);
    fill(item.question, s.question.empty() ? s.prompt : s.question);
    fill(item.subject, s.subject);
    fill(item.cluster, s.cluster);
    if (item.choices.empty()) {
      item.choices = s.choices;
    }
    const std::string item_key = s.task + "\n" + s.item;
    if (s.sample < 0) {
      s.sample = next_sample[item_key];
    }
    next_sample[item_key] = std::max(next_sample[item_key], s.sample + 1);
    if (s.sample > 1'000'000) {
      return fail(ErrorCode::kParse,
                  fmt::format("{}/{}: sample {} is too large a number", s.task, s.item, s.sample));
    }
    item.k = std::max(item.k, s.sample + 1);
    task.k = std::max(task.k, item.k);
    if (s.failed) {
      ++report.n_failed;
      continue;
    }
    if (!seen.insert(fmt::format("{}\n{}", item_key, s.sample)).second) {
      ++report.n_duplicates;
      continue;
    }
    samples.push_back(std::move(s));
  }
  if (!conflicts.empty()) {
    run.losses.push_back(fmt::format(
        "{} records give an item another gold than its first one, e.g. {}: the first is kept",
        conflicts.size(), conflicts.front()));
  }

  RunOptions run_options;
  OrderedJson task_configs = OrderedJson::object();
  std::map<std::string, std::map<std::string, std::string>> ours;  // task -> their id -> our id
  std::vector<std::string> asked_items;
  bool all_items = true;
  bool same_k = true;
  std::int64_t k_ours = 0;
  for (auto& [name, task] : tasks) {
    std::string problem;
    std::map<std::string, std::string> ids;
    task.is_ours = match_ours(registry, name, !options.task.empty(), task, ids, problem);
    OrderedJson config;
    config["template_sha256"] = "";
    for (const auto& [key, value] : run.settings.items()) {
      config[key] = value;
    }
    task_configs[name] = config;
    if (!options.task.empty() && !task.is_ours) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("--task {}: {}", name, problem));
    }
    if (task.is_ours) {
      run_options.tasks.push_back(name);
      same_k = same_k && (k_ours == 0 || k_ours == task.k);
      k_ours = std::max(k_ours, task.k);
      for (const auto& [theirs, our] : ids) {
        asked_items.push_back(our);
      }
      R1_TRY(const Task definition, registry.find(name));
      R1_TRY(const TaskData data, DatasetStore().load(definition));
      all_items = all_items && ids.size() == data.items.size();
      if (!problem.empty()) {
        run.losses.push_back(problem + ": left out");
      }
      report.tasks.push_back(fmt::format("{}: {} items, ours", name, ids.size()));
      ours[name] = std::move(ids);
      continue;
    }
    // Options given by number in place of a letter.
    const bool by_number = std::all_of(task.items.begin(), task.items.end(), [](const auto& entry) {
      return entry.second.choices.size() >= 2 && entry.second.gold.size() == 1 &&
             entry.second.gold[0] >= '0' && entry.second.gold[0] <= '9';
    });
    for (auto& [id, item] : task.items) {
      if (by_number) {
        item.gold = std::string(1, static_cast<char>('A' + (item.gold[0] - '0')));
      }
      report.n_without_gold += item.gold.empty() ? 1 : 0;
    }
    const std::string grader = options.grader.empty() ? grader_of(task) : options.grader;
    R1_RETURN_IF_ERROR(write_local_task(task, grader, options.out));
    run_options.tasks.push_back(std::string(kTaskOfRun) + "tasks/" + name + ".toml");
    report.tasks.push_back(
        fmt::format("{}: {} items, from the records, grader {}", name, task.items.size(), grader));
  }
  if (k_ours > 0 && same_k) {
    run_options.k = k_ours;
  }
  if (k_ours > 0 && !all_items) {
    for (const auto& [name, task] : tasks) {
      if (!task.is_ours) {
        for (const auto& [id, item] : task.items) {
          asked_items.push_back(id);
        }
      }
    }
    run_options.items = asked_items;
  }
  if (k_ours > 0 && !same_k) {
    run.losses.push_back(
        "tasks of ours have different numbers of samples; those over a task's own k are left out");
  }
  const std::string model =
      !options.model.empty() ? options.model : (run.model.empty() ? "unknown" : run.model);
  run_options.model = model;

  OrderedJson manifest;
  manifest["schema"] = 1;
  manifest["r1eval"] = kVersion;
  manifest["created"] = run.date.empty() ? utc_timestamp() : run.date;
  manifest["command"] = options.command;
  manifest["options"] = run_options_to_json(run_options);
  OrderedJson config;
  config["tasks"] = task_configs;
  config["model"] = model;
  config["model_revision"] = "";
  config["model_identity"] = "";
  manifest["config"] = config;
  manifest["imported"] = {{"format", run.format},         {"trusted", options.trust},
                          {"malformed", run.n_malformed}, {"duplicates", report.n_duplicates},
                          {"failed", report.n_failed},    {"losses", run.losses}};
  R1_TRY(const std::unique_ptr<RunStore> store,
         RunStore::open(options.out, dump_json_pretty(manifest)));
  for (ForeignSample& s : samples) {
    SampleRecord record;
    record.task = s.task;
    record.item = s.item;
    if (const auto ids = ours.find(s.task); ids != ours.end()) {
      const auto id = ids->second.find(s.item);
      if (id == ids->second.end()) {
        continue;
      }
      record.item = id->second;
    }
    record.sample = s.sample;
    record.seed = s.seed;
    record.key = sha256_hex(fmt::format("{}\n{}\n{}\n{}", run.format, s.task, s.item, s.sample))
                     .substr(0, 32);
    record.target = s.gold;
    const std::string& asked = s.prompt.empty() ? s.question : s.prompt;
    record.prompt_sha256 = asked.empty() ? "" : sha256_hex(asked);
    ThinkingInput input;
    input.content = s.response;
    input.reasoning = s.thinking;
    input.has_reasoning_field = !s.thinking.empty();
    SplitThinking split = split_thinking(input, ThinkTags());
    record.finish_reason = s.finish_reason;
    record.truncated = s.finish_reason == "length";
    record.has_thinking = split.has_thinking;
    record.thinking_closed = split.closed;
    record.stray_tags = split.stray_tags;
    record.truncated_in_thinking = record.truncated && split.has_thinking && !split.closed;
    record.thinking = std::move(split.thinking);
    record.answer = std::move(split.answer);
    if (record.answer != s.response) {
      record.raw = std::move(s.response);
    }
    record.usage.prompt = s.prompt_tokens;
    record.usage.completion = s.completion_tokens;
    record.usage.reasoning = s.reasoning_tokens;
    record.timings.total = s.seconds;
    record.cost = s.cost;
    record.server_model = model;
    record.foreign_score = s.score;
    record.is_foreign_trusted = options.trust && s.score >= 0;
    R1_RETURN_IF_ERROR(store->append_sample(record));
    ++report.n_samples;
  }
  R1_RETURN_IF_ERROR(store->sync());
  return report;
}

}  // namespace r1eval
