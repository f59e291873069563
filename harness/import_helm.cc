// Reader of HELM's records: scenario_state.json of each run folder, with run_spec.json and
// per_instance_stats.json beside it. Field names are the format's.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

#include "base/file.h"
#include "harness/foreign_fields.h"

namespace r1eval::foreign {
namespace {

// The first of HELM's accuracy measures that an instance has.
std::map<std::string, double> scores_of(const std::string& path) {
  std::map<std::string, double> out;  // by "instance\ntrial"
  const Result<Json> stats = read_document(path);
  if (!stats || !stats->is_array()) {
    return out;
  }
  for (const std::string_view wanted :
       {"exact_match", "quasi_exact_match", "prefix_exact_match", "final_number_exact_match",
        "math_equiv_chain_of_thought", "math_equiv", "chain_of_thought_correctness", "test_avg",
        "ifeval_strict_accuracy"}) {
    for (const Json& row : *stats) {
      const std::string key =
          text_at(row, "instance_id") + "\n" + std::to_string(int_or(row, "train_trial_index", 0));
      const Json* list = find_member(row, "stats");
      if (list == nullptr || !list->is_array() || out.contains(key)) {
        continue;
      }
      for (const Json& stat : *list) {
        const Json* name = find_member(stat, "name");
        if (name != nullptr && (text_at(*name, "name") == wanted || text_of(name) == wanted)) {
          out[key] = score_of(find_member(stat, "mean"));
        }
      }
    }
  }
  return out;
}

std::string correct_reference(const Json& instance) {
  const Json* references = find_member(instance, "references");
  for (std::size_t i = 0; references != nullptr && i < references->size(); ++i) {
    const Json* reference = element(references, i);
    const Json* tags = reference == nullptr ? nullptr : find_member(*reference, "tags");
    for (const std::string& tag : texts_of(tags)) {
      if (tag == "correct") {
        const Json* output = find_member(*reference, "output");
        return output == nullptr
                   ? ""
                   : (output->is_string() ? text_of(output) : text_at(*output, "text"));
      }
    }
  }
  return "";
}

}  // namespace

Result<ForeignRun> read_helm(const std::string& path, const ReadOptions& /*options*/) {
  ForeignRun run;
  const std::vector<std::string> files =
      files_under(path, [](const std::string& name) { return name == "scenario_state.json"; });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no scenario_state.json there", path));
  }
  for (const std::string& file : files) {
    R1_TRY(const Json state, read_document(file));
    const Json* requests = find_member(state, "request_states");
    if (requests == nullptr || !requests->is_array()) {
      return fail(ErrorCode::kParse,
                  fmt::format("{}: field 'request_states': expected a list", file));
    }
    const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
    std::string task = folder.filename().string();
    if (const Result<Json> spec = read_document((folder / "run_spec.json").string())) {
      task = text_at(*spec, "name").empty() ? task : text_at(*spec, "name");
    }
    // "mmlu:subject=anatomy,model=…": the model is no part of what was asked.
    if (const std::size_t model = task.find("model="); model != std::string::npos) {
      const std::size_t end = task.find(',', model);
      task = task.substr(0, model) + (end == std::string::npos ? "" : task.substr(end + 1));
      while (!task.empty() && (task.back() == ',' || task.back() == ':')) {
        task.pop_back();
      }
    }
    const auto scores = scores_of((folder / "per_instance_stats.json").string());
    for (const Json& row : *requests) {
      const Json* instance = find_member(row, "instance");
      const Json* request = find_member(row, "request");
      if (instance == nullptr || text_at(*instance, "id").empty()) {
        ++run.n_malformed;
        continue;
      }
      ForeignSample s;
      s.task = task;
      s.item = text_at(*instance, "id");
      if (const Json* input = find_member(*instance, "input")) {
        s.question = input->is_string() ? text_of(input) : text_at(*input, "text");
      }
      s.gold = correct_reference(*instance);
      if (const Json* letters = find_member(row, "output_mapping");
          letters != nullptr && letters->is_object()) {
        const std::string text = s.gold;
        for (const auto& [letter, option] : letters->items()) {
          s.choices.push_back(text_of(&option));
          s.gold = text_of(&option) == text ? letter : s.gold;
        }
      }
      if (request != nullptr) {
        read_messages(find_member(*request, "messages"), s);
        s.prompt = s.prompt.empty() ? text_at(*request, "prompt") : s.prompt;
        if (run.model.empty()) {
          run.model = first_of(*request, {"model", "model_deployment"});
        }
      }
      const Json* result = find_member(row, "result");
      const Json* completions = result == nullptr ? nullptr : find_member(*result, "completions");
      if (completions == nullptr || !completions->is_array() || completions->empty() ||
          !bool_or(*result, "success", true)) {
        s.failed = true;
        run.samples.push_back(std::move(s));
        continue;
      }
      s.seconds = double_or(*result, "request_time", -1);
      const auto score =
          scores.find(s.item + "\n" + std::to_string(int_or(row, "train_trial_index", 0)));
      if (score != scores.end() && completions->size() == 1) {
        s.score = score->second;
      }
      for (const Json& completion : *completions) {
        ForeignSample one = s;
        one.response = text_at(completion, "text");
        if (const Json* thinking = find_member(completion, "thinking")) {
          one.thinking = thinking->is_string() ? text_of(thinking) : text_at(*thinking, "text");
        }
        if (const Json* finish = find_member(completion, "finish_reason")) {
          one.finish_reason =
              finish_of(finish->is_string() ? text_of(finish) : text_at(*finish, "reason"));
        }
        run.samples.push_back(std::move(one));
      }
    }
  }
  return run;
}

}  // namespace r1eval::foreign
