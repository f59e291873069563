#include "harness/export_foreign.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <unordered_map>

#include "base/hash.h"
#include "results/run_store.h"

namespace r1eval {
namespace {

struct Answered {
  SampleRecord record;
  const GradeRecord* grade = nullptr;
};

// A task's samples by item, in the order of the dataset, then of the samples. Held in memory: their
// formats are documents.
using ByItem = std::map<std::string, std::map<std::int64_t, Answered>>;

Result<std::map<std::string, ByItem>> answers_of(const LoadedRun& run) {
  std::unordered_map<std::string, const GradeRecord*> grades;
  for (const GradeRecord& grade : run.graded.grades) {
    grades[fmt::format("{}\n{}\n{}", grade.task, grade.item, grade.sample)] = &grade;
  }
  std::map<std::string, ByItem> out;
  R1_RETURN_IF_ERROR(read_samples(run.directory, [&](const SampleRecord& record) {
    const auto grade =
        grades.find(fmt::format("{}\n{}\n{}", record.task, record.item, record.sample));
    if (grade != grades.end()) {
      out[record.task][record.item].try_emplace(record.sample, Answered{record, grade->second});
    }
    return ok_status();
  }));
  return out;
}

// Calls take(item, index in the dataset, samples) for the items that have any.
void for_each_item(const PlannedTask& planned, const ByItem& answers,
                   const std::function<void(const Item&, std::int64_t,
                                            const std::map<std::int64_t, Answered>&)>& take) {
  for (const std::int64_t i : planned.items) {
    const Item& item = planned.data.items[static_cast<std::size_t>(i)];
    if (const auto found = answers.find(item.id); found != answers.end()) {
      take(item, i, found->second);
    }
  }
}

// The text, or what stands for it where it must not be passed on.
std::string shown(const std::string& text, bool hide) {
  return hide && !text.empty() ? "sha256:" + sha256_hex(text) : text;
}

bool is_hidden(const PlannedTask& planned, const ExportOptions& options) {
  return !planned.task.is_redistributable && !options.include_restricted;
}

std::string with_thinking(const SampleRecord& record) {
  return record.has_thinking ? "<think>\n" + record.thinking + "\n</think>\n\n" + record.answer
                             : record.answer;
}

double score_of_answer(const Answered& answered) {
  return answered.record.is_foreign_trusted                     ? answered.record.foreign_score
         : answered.grade->verdict.outcome == Outcome::kCorrect ? 1
                                                                : 0;
}

// Letters, digits, _ - . for file names.
std::string file_name(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-' || c == '.';
    out += keep ? c : '_';
  }
  return out.empty() || out.front() == '.' ? "model" + out : out;
}

std::string created_of(const LoadedRun& run) {
  const std::string created = string_or(run.manifest, "created");
  return created.empty() ? "1970-01-01T00:00:00Z" : created;
}

double setting(const TaskResult& task, const std::string& name, double fallback) {
  const auto found = task.settings.find(name);
  return found == task.settings.end() ? fallback : std::strtod(found->second.c_str(), nullptr);
}

OrderedJson messages_json(const std::vector<ChatMessage>& messages, bool hide) {
  OrderedJson list = OrderedJson::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", message.role}, {"content", shown(message.content, hide)}});
  }
  return list;
}

}  // namespace

Result<ExportedFiles> lm_eval_files(LoadedRun& run, const std::vector<TaskScores>& scores,
                                    const ExportOptions& options) {
  R1_TRY(const auto answers, answers_of(run));
  std::string date = created_of(run).substr(0, 19);  // 2025-01-31T12:00:00
  std::replace(date.begin(), date.end(), ':', '-');
  const std::string folder = file_name(run.result.model);
  ExportedFiles files;
  OrderedJson results = OrderedJson::object();
  OrderedJson subtasks = OrderedJson::object();
  OrderedJson configs = OrderedJson::object();
  OrderedJson versions = OrderedJson::object();
  OrderedJson shots = OrderedJson::object();
  OrderedJson better = OrderedJson::object();
  OrderedJson counts = OrderedJson::object();
  OrderedJson hashes = OrderedJson::object();
  for (const PlannedTask& planned : run.plan.tasks) {
    const std::string& name = planned.task.name;
    const auto score = std::find_if(scores.begin(), scores.end(),
                                    [&](const TaskScores& t) { return t.task == name; });
    const TaskResult& task = run.result.tasks.at(name);
    const bool hide = is_hidden(planned, options);
    OrderedJson values = {{"alias", name}};
    if (score != scores.end() && score->score.n_items > 0) {
      values["exact_match,none"] = score->score.value;
      values["exact_match_stderr,none"] = score->score.se_population
                                              ? OrderedJson(*score->score.se_population)
                                              : OrderedJson("N/A");
    }
    results[name] = values;
    subtasks[name] = OrderedJson::array();
    configs[name] = {{"task", name},
                     {"dataset_path", name},
                     {"output_type", "generate_until"},
                     {"repeats", planned.k},
                     {"num_fewshot", 0},
                     {"metadata", {{"version", planned.task.version}}}};
    versions[name] = planned.task.version;
    shots[name] = 0;
    better[name] = {{"exact_match", true}};
    counts[name] = {{"original", planned.data.items.size()}, {"effective", planned.items.size()}};
    hashes[name] = planned.data.dataset_sha256;
    std::string lines;
    const auto found = answers.find(name);
    if (found == answers.end()) {
      continue;
    }
    for_each_item(
        planned, found->second, [&](const Item& item, std::int64_t i, const auto& samples) {
          const Answered& first = samples.begin()->second;
          const RenderedPrompt prompt = planned.renderer->render(i, first.record.sample);
          const std::string asked = dump_json(messages_json(prompt.messages, hide));
          OrderedJson responses = OrderedJson::array();
          OrderedJson extracted = OrderedJson::array();
          double sum = 0;
          for (const auto& [sample, answered] : samples) {
            responses.push_back(shown(with_thinking(answered.record), hide));
            extracted.push_back(shown(answered.grade->verdict.answer, hide));
            sum += score_of_answer(answered);
          }
          const std::string target = shown(first.record.target, hide);
          OrderedJson row;
          row["doc_id"] = i;
          row["doc"] = {
              {"id", item.id}, {"question", shown(item.question, hide)}, {"target", target}};
          row["target"] = target;
          row["arguments"] = {
              {"gen_args_0",
               {{"arg_0", asked},
                {"arg_1",
                 {{"until", OrderedJson::array()},
                  {"do_sample", setting(task, "temperature", 0) > 0},
                  {"temperature", setting(task, "temperature", 0)},
                  {"max_gen_toks", static_cast<std::int64_t>(setting(task, "max_tokens", 0))}}}}}};
          row["resps"] = OrderedJson::array({responses});
          row["filtered_resps"] = extracted;
          row["filter"] = "none";
          row["metrics"] = OrderedJson::array({"exact_match"});
          row["doc_hash"] = sha256_hex(item.id + "\n" + item.question);
          row["prompt_hash"] = first.record.prompt_sha256;
          row["target_hash"] = sha256_hex(first.record.target);
          row["exact_match"] = sum / static_cast<double>(samples.size());
          lines += dump_json(row) + "\n";
        });
    files[fmt::format("{}/samples_{}_{}.jsonl", folder, file_name(name), date)] = lines;
  }
  OrderedJson json;
  json["results"] = results;
  json["group_subtasks"] = subtasks;
  json["configs"] = configs;
  json["versions"] = versions;
  json["n-shot"] = shots;
  json["higher_is_better"] = better;
  json["n-samples"] = counts;
  json["config"] = {{"model", "r1eval"},    {"model_args", "model=" + run.result.model},
                    {"batch_size", 1},      {"limit", OrderedJson()},
                    {"bootstrap_iters", 0}, {"gen_kwargs", OrderedJson()}};
  json["git_hash"] = "r1eval " + run.result.r1eval;
  json["date"] = created_of(run);
  json["task_hashes"] = hashes;
  json["model_source"] = "r1eval";
  json["model_name"] = run.result.model;
  json["model_name_sanitized"] = folder;
  json["system_instruction"] = OrderedJson();
  json["chat_template"] = OrderedJson();
  json["fewshot_as_multiturn"] = false;
  json["total_evaluation_time_seconds"] = "0";
  files[fmt::format("{}/results_{}.json", folder, date)] = dump_json_pretty(json);
  return files;
}

Result<ExportedFiles> inspect_files(LoadedRun& run, const std::vector<TaskScores>& scores,
                                    const ExportOptions& options) {
  R1_TRY(const auto answers, answers_of(run));
  const std::string manifest = sha256_hex(dump_json(run.manifest));
  const std::string model = run.result.model.find('/') == std::string::npos
                                ? "r1eval/" + run.result.model
                                : run.result.model;
  ExportedFiles files;
  for (const PlannedTask& planned : run.plan.tasks) {
    const std::string& name = planned.task.name;
    const bool hide = is_hidden(planned, options);
    const TaskResult& task = run.result.tasks.at(name);
    OrderedJson samples = OrderedJson::array();
    OrderedJson ids = OrderedJson::array();
    std::int64_t n_samples = 0;
    std::int64_t input_tokens = 0;
    std::int64_t output_tokens = 0;
    const auto found = answers.find(name);
    static const ByItem kNone;
    for_each_item(
        planned, found == answers.end() ? kNone : found->second,
        [&](const Item& item, std::int64_t i, const auto& by_sample) {
          ids.push_back(item.id);
          for (const auto& [number, answered] : by_sample) {
            const SampleRecord& r = answered.record;
            const RenderedPrompt prompt = planned.renderer->render(i, r.sample);
            OrderedJson content = OrderedJson::array();
            if (r.has_thinking) {
              content.push_back({{"type", "reasoning"}, {"reasoning", shown(r.thinking, hide)}});
            }
            content.push_back({{"type", "text"}, {"text", shown(r.answer, hide)}});
            const OrderedJson message = {{"role", "assistant"},
                                         {"content", content},
                                         {"source", "generate"},
                                         {"model", run.result.model}};
            OrderedJson messages = messages_json(prompt.messages, hide);
            messages.push_back(message);
            const std::string stop =
                r.finish_reason == "length"                                        ? "max_tokens"
                : r.finish_reason == "stop" || r.finish_reason == "content_filter" ? r.finish_reason
                                                                                   : "unknown";
            OrderedJson output = {
                {"model", run.result.model},
                {"choices", OrderedJson::array({{{"message", message}, {"stop_reason", stop}}})}};
            if (r.usage.prompt >= 0 && r.usage.completion >= 0) {
              output["usage"] = {{"input_tokens", r.usage.prompt},
                                 {"output_tokens", r.usage.completion},
                                 {"total_tokens", r.usage.prompt + r.usage.completion}};
              if (r.usage.reasoning >= 0) {
                output["usage"]["reasoning_tokens"] = r.usage.reasoning;
              }
              input_tokens += r.usage.prompt;
              output_tokens += r.usage.completion;
            }
            if (r.timings.total >= 0) {
              output["time"] = r.timings.total;
            }
            const Verdict& v = answered.grade->verdict;
            OrderedJson sample;
            sample["id"] = item.id;
            sample["epoch"] = r.sample + 1;
            sample["input"] = shown(item.question, hide);
            if (!prompt.choices.empty()) {
              OrderedJson choices = OrderedJson::array();
              for (const std::string& choice : prompt.choices) {
                choices.push_back(shown(choice, hide));
              }
              sample["choices"] = choices;
            }
            sample["target"] = shown(r.target, hide);
            sample["messages"] = messages;
            sample["output"] = output;
            sample["scores"] = {
                {"r1eval",
                 {{"value", v.outcome == Outcome::kUnscored
                                ? OrderedJson("N")
                                : OrderedJson(score_of_answer(answered) >= 1 ? "C" : "I")},
                  {"answer", shown(v.answer, hide)},
                  {"explanation", hide ? v.rule : v.rule + ": " + v.evidence}}}};
            OrderedJson metadata = OrderedJson::object();
            for (const auto& [key, value] : item.metadata) {
              metadata[key] = value;
            }
            sample["metadata"] = metadata;
            sample["store"] = OrderedJson::object();
            sample["events"] = OrderedJson::array();
            sample["model_usage"] = OrderedJson::object();
            sample["attachments"] = OrderedJson::object();
            samples.push_back(sample);
            ++n_samples;
          }
        });
    OrderedJson log;
    log["version"] = 2;
    log["status"] = "success";
    log["eval"] = {
        {"run_id", manifest.substr(0, 22)},
        {"created", created_of(run)},
        {"task", name},
        {"task_id", sha256_hex(manifest + name).substr(0, 22)},
        {"task_version", 0},
        {"task_attribs", OrderedJson::object()},
        {"task_args", OrderedJson::object()},
        {"dataset",
         {{"name", name}, {"samples", ids.size()}, {"sample_ids", ids}, {"shuffled", false}}},
        {"model", model},
        {"model_generate_config",
         {{"temperature", setting(task, "temperature", 0)},
          {"top_p", setting(task, "top_p", 1)},
          {"max_tokens", static_cast<std::int64_t>(setting(task, "max_tokens", 0))}}},
        {"model_args", OrderedJson::object()},
        {"config", {{"epochs", planned.k}}},
        {"packages", {{"r1eval", run.result.r1eval}}},
        {"metadata", {{"r1eval_manifest_sha256", manifest}}}};
    log["plan"] = {{"name", "plan"},
                   {"steps", OrderedJson::array(
                                 {{{"solver", "generate"}, {"params", OrderedJson::object()}}})},
                   {"config", OrderedJson::object()}};
    const auto score = std::find_if(scores.begin(), scores.end(),
                                    [&](const TaskScores& t) { return t.task == name; });
    OrderedJson metrics = OrderedJson::object();
    if (score != scores.end() && score->score.n_items > 0) {
      metrics["accuracy"] = {{"name", "accuracy"}, {"value", score->score.value}};
      if (score->score.se_population) {
        metrics["stderr"] = {{"name", "stderr"}, {"value", *score->score.se_population}};
      }
    }
    log["results"] = {
        {"total_samples", static_cast<std::int64_t>(planned.items.size()) * planned.k},
        {"completed_samples", n_samples},
        {"scores", OrderedJson::array({{{"name", "r1eval"},
                                        {"scorer", "r1eval"},
                                        {"reducer", "mean"},
                                        {"params", OrderedJson::object()},
                                        {"metrics", metrics}}})}};
    log["stats"] = {{"started_at", created_of(run)},
                    {"completed_at", created_of(run)},
                    {"model_usage",
                     {{model,
                       {{"input_tokens", input_tokens},
                        {"output_tokens", output_tokens},
                        {"total_tokens", input_tokens + output_tokens}}}}}};
    log["samples"] = samples;
    files[file_name(name) + ".json"] = dump_json_pretty(log);
  }
  return files;
}

Result<std::string> lcb_json(LoadedRun& run, const ExportOptions& options) {
  R1_TRY(const auto answers, answers_of(run));
  OrderedJson list = OrderedJson::array();
  bool any = false;
  for (const PlannedTask& planned : run.plan.tasks) {
    if (planned.task.grader.grader != "code") {
      continue;
    }
    any = true;
    const bool hide = is_hidden(planned, options);
    const auto found = answers.find(planned.task.name);
    if (found == answers.end()) {
      continue;
    }
    for_each_item(planned, found->second, [&](const Item& item, std::int64_t, const auto& samples) {
      const auto metadata = [&](const std::string& key) {
        const auto value = item.metadata.find(key);
        return value == item.metadata.end() ? std::string() : value->second;
      };
      OrderedJson outputs = OrderedJson::array();
      OrderedJson codes = OrderedJson::array();
      OrderedJson graded = OrderedJson::array();
      OrderedJson details = OrderedJson::array();
      double sum = 0;
      for (const auto& [number, answered] : samples) {
        const double score = score_of_answer(answered);
        outputs.push_back(shown(with_thinking(answered.record), hide));
        codes.push_back(shown(answered.grade->verdict.answer, hide));
        graded.push_back(score >= 1);
        details.push_back(dump_json(OrderedJson{{"rule", answered.grade->verdict.rule}}));
        sum += score;
      }
      list.push_back({{"question_id", item.id},
                      {"question_title", metadata("question_title")},
                      {"question_content", shown(item.question, hide)},
                      {"platform", metadata("platform")},
                      {"contest_id", metadata("contest_id")},
                      {"contest_date", metadata("contest_date")},
                      {"starter_code", shown(metadata("starter_code"), hide)},
                      {"difficulty", metadata("difficulty")},
                      {"output_list", outputs},
                      {"code_list", codes},
                      {"graded_list", graded},
                      {"pass@1", sum / static_cast<double>(samples.size())},
                      {"metadata", details}});
    });
  }
  if (!any) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: no task whose answers are programs; lcb takes these alone",
                            run.directory));
  }
  return dump_json_pretty(list);
}

}  // namespace r1eval
