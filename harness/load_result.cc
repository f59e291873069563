#include "harness/load_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "harness/import.h"
#include "harness/run.h"
#include "results/baseline.h"
#include "results/run_store.h"
#include "tasks/dataset_store.h"
#include "tasks/registry.h"

namespace r1eval {
namespace {

struct StoredGrades {
  std::string hash;                         // of the grader, as in the file's name
  std::map<std::string, Verdict> verdicts;  // by "item\nsample"
};

std::string key_of(const std::string& item, std::int64_t sample) {
  return fmt::format("{}\n{}", item, sample);
}

// Verdicts by task; of several files that hold a task, the one with `preferred` hash, else the
// newest.
Result<std::map<std::string, StoredGrades>> read_grades(
    const std::string& directory, const std::map<std::string, std::string>& preferred) {
  std::vector<std::pair<std::filesystem::file_time_type, std::string>> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("grades.") && name.ends_with(".jsonl")) {
      files.emplace_back(std::filesystem::last_write_time(entry.path(), error), name);
    }
  }
  std::sort(files.begin(), files.end());
  std::map<std::string, StoredGrades> by_task;
  for (const auto& [time, name] : files) {
    const std::string hash = name.substr(7, name.size() - 7 - 6);
    std::map<std::string, StoredGrades> here;
    const Status read =
        for_each_line(directory + "/" + name, [&](std::string_view line, std::int64_t number) {
          if (line.empty()) {
            return ok_status();
          }
          Result<GradeRecord> grade = grade_from_json(line);
          if (!grade) {
            log_warning(fmt::format("{}/{}: line {}: {}; left out", directory, name, number,
                                    grade.error().message));
            return ok_status();
          }
          StoredGrades& stored = here[grade->task];
          stored.hash = hash;
          stored.verdicts[key_of(grade->item, grade->sample)] = std::move(grade->verdict);
          return ok_status();
        });
    if (!read) {
      return read.error();
    }
    for (auto& [task, stored] : here) {
      const auto wanted = preferred.find(task);
      const auto known = by_task.find(task);
      if (known == by_task.end() || wanted == preferred.end() ||
          known->second.hash != wanted->second) {
        by_task[task] = std::move(stored);
      }
    }
  }
  return by_task;
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : dump_json(value);
}

std::map<std::string, std::string> settings_of(const Json& config,
                                               const std::vector<std::string>& names) {
  std::map<std::string, std::string> out;
  for (const std::string& name : names) {
    const auto member = config.find(name);
    if (member != config.end()) {
      out[name] = text_of(*member);
    }
  }
  return out;
}

}  // namespace

std::string question_hash(std::string_view question) {
  std::string plain;
  bool gap = false;
  for (const char c : question) {
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      gap = !plain.empty();
      continue;
    }
    if (gap) {
      plain += ' ';
      gap = false;
    }
    plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return plain.empty() ? std::string() : sha256_hex(plain).substr(0, 16);
}

bool result_exists(const std::string& path) {
  return is_directory(path) ? path_exists(path + "/manifest.json") : path_exists(path);
}

Result<LoadedRun> load_run(const std::string& directory, const LoadOptions& options) {
  LoadedRun run;
  run.directory = directory;
  R1_TRY(const std::string manifest_text, read_manifest(directory));
  R1_TRY(run.manifest, parse_json(manifest_text));
  if (const std::int64_t schema = int_or(run.manifest, "schema", 1); schema > 1) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}/manifest.json has schema {}; this r1eval reads schema 1: a newer "
                            "r1eval wrote it",
                            directory, schema));
  }
  R1_TRY(RunOptions run_options, options_of_run(directory));
  run_options.no_grade = true;  // a task that cannot be graded here is unscored, not refused
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  const ExecutorSource executor =
      options.as_graded ? ExecutorSource() : sandbox_source(run_options);
  R1_TRY(run.plan, load_plan(run_options, registry, DatasetStore(), executor));
  run.plan.prices = prices_of_manifest(run.manifest);
  plan_samples(run.plan, run_options, "");

  // Stored verdicts: compared with, or taken over.
  std::map<std::string, std::string> hashes;
  for (const PlannedTask& planned : run.plan.tasks) {
    hashes[planned.task.name] = grader_hash(planned.task.grader).substr(0, 16);
  }
  R1_TRY(const auto stored, read_grades(directory, hashes));
  std::vector<std::optional<Verdict>> known(run.plan.samples.size());
  for (std::size_t i = 0; i < run.plan.samples.size(); ++i) {
    const PlannedSample& sample = run.plan.samples[i];
    const PlannedTask& planned = run.plan.tasks[static_cast<std::size_t>(sample.task)];
    const auto grades = stored.find(planned.task.name);
    // Programs are not run again to hear the same grader say the same.
    const bool same_code_grader = planned.task.grader.grader == "code" && grades != stored.end() &&
                                  grades->second.hash == hashes[planned.task.name];
    if (!options.as_graded && !same_code_grader) {
      continue;
    }
    const std::string& item = planned.data.items[static_cast<std::size_t>(sample.item)].id;
    Verdict verdict;
    verdict.rule = "not_graded";
    if (grades != stored.end()) {
      const auto found = grades->second.verdicts.find(key_of(item, sample.sample));
      if (found != grades->second.verdicts.end()) {
        verdict = found->second;
      } else if (!options.as_graded) {
        continue;
      }
    }
    known[i] = std::move(verdict);
  }
  R1_TRY(run.graded, grade_directory(run.plan, directory, std::move(known)));

  // Numbers by item.
  RunScores& result = run.result;
  result.source = directory;
  result.command = string_or(run.manifest, "command");
  result.r1eval = string_or(run.manifest, "r1eval");
  const Json* config = find_member(run.manifest, "config");
  static const Json kEmpty = Json::object();
  const Json& settings = config != nullptr && config->is_object() ? *config : kEmpty;
  result.model = string_or(settings, "model");
  result.model_revision = string_or(settings, "model_revision");
  result.settings =
      settings_of(settings, {"seed", "limit", "shuffle", "directive", "prompt", "system_prompt",
                             "shots", "assistant_prefix", "think_tags", "top_k", "min_p", "stop",
                             "reasoning_effort", "chat_template_kwargs", "extra_body"});
  const Json* task_settings = find_member(settings, "tasks");
  for (const PlannedTask& planned : run.plan.tasks) {
    const std::string& name = planned.task.name;
    TaskResult task;
    task.task = name;
    task.metric = planned.task.metric;
    task.k = planned.k;
    task.is_partial = planned.is_partial;
    task.is_redistributable = planned.task.is_redistributable;
    task.dataset_sha256 = planned.data.dataset_sha256;
    task.grader = hashes[name];
    if (const auto grades = stored.find(name); grades != stored.end() && options.as_graded) {
      task.grader = grades->second.hash;
    } else if (options.as_graded) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--as-graded: {} has no grades of {}; `r1eval grade {}` makes them",
                              directory, name, directory));
    }
    if (const Json* recorded =
            task_settings == nullptr ? nullptr : find_member(*task_settings, name)) {
      task.template_sha256 = string_or(*recorded, "template_sha256");
      task.settings = settings_of(*recorded, {"max_tokens", "temperature", "top_p", "version"});
    }
    task.n_planned = static_cast<std::int64_t>(planned.items.size()) * planned.k;
    std::map<std::string, ItemInfo> infos;
    std::map<std::string, std::string> questions;
    for (const std::int64_t i : planned.items) {
      const Item& item = planned.data.items[static_cast<std::size_t>(i)];
      infos[item.id] = {item.cluster, item.stratum, {}};
      questions[item.id] = item.question == kNoQuestion ? "" : question_hash(item.question);
    }
    const std::vector<GradedSample>& samples = run.graded.samples[name];
    task.items = fold_item_results(samples, infos);
    task.n_samples = static_cast<std::int64_t>(samples.size());
    for (ItemResult& item : task.items) {
      item.question = questions[item.id];
      const auto prompt = run.graded.prompts[name].find(item.id);
      item.prompt = prompt == run.graded.prompts[name].end() ? "" : prompt->second;
    }
    if (const auto n = run.graded.n_duplicates.find(name); n != run.graded.n_duplicates.end()) {
      task.n_duplicates = n->second;
    }
    result.tasks.emplace(name, std::move(task));
  }
  for (const GradeRecord& grade : run.graded.grades) {
    const auto grades = stored.find(grade.task);
    if (grades == stored.end()) {
      continue;
    }
    const auto before = grades->second.verdicts.find(key_of(grade.item, grade.sample));
    if (before != grades->second.verdicts.end()) {
      TaskResult& task = result.tasks[grade.task];
      ++task.n_stored;
      task.n_changed += before->second.outcome != grade.verdict.outcome ? 1 : 0;
    }
  }
  return run;
}

Result<RunScores> load_result(const std::string& path, const LoadOptions& options) {
  if (!result_exists(path)) {
    return fail(
        ErrorCode::kNotFound,
        fmt::format("{}: no run directory (manifest.json) and no baseline file there", path));
  }
  if (!is_directory(path)) {
    R1_TRY(const std::string text, read_file(path));
    Result<RunScores> result = baseline_from_json(text);
    if (!result) {
      return result.error().with_context("read baseline " + path);
    }
    result->source = path;
    return result;
  }
  R1_TRY(LoadedRun run, load_run(path, options));
  return std::move(run.result);
}

}  // namespace r1eval
