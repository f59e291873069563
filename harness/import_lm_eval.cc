// Reader of lm-evaluation-harness' records. Field names are the format's.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

#include "base/file.h"
#include "harness/foreign_fields.h"

namespace r1eval::foreign {

namespace {

std::string task_of_samples_file(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string();  // samples_TASK_DATE
  if (name.starts_with("samples_")) {
    name = name.substr(8);
  }
  // The date begins with a year: _2024-05-01T…
  for (std::size_t at = name.rfind('_'); at != std::string::npos && at > 0;
       at = name.rfind('_', at - 1)) {
    if (at + 5 < name.size() && name[at + 1] == '2' && name[at + 5] == '-') {
      return name.substr(0, at);
    }
  }
  return name;
}

}  // namespace

Result<ForeignRun> read_lm_eval(const std::string& path, const ReadOptions& /*options*/) {
  ForeignRun run;
  run.losses = {
      "lm-eval cuts the thinking before it records, and does not record finish reasons or "
      "tokens: truncation, thinking and cost are unknown"};
  const std::string folder =
      is_directory(path) ? path : std::filesystem::path(path).parent_path().string();
  for (const std::string& file : files_under(
           folder.empty() ? "." : folder,
           [](const std::string& n) { return n.starts_with("results") && n.ends_with(".json"); })) {
    const Result<Json> results = read_document(file);
    if (!results) {
      continue;
    }
    run.model = first_of(*results, {"model_name"});
    if (const Json* config = find_member(*results, "config");
        config != nullptr && run.model.empty()) {
      run.model = first_of(*config, {"model_args", "model"});
    }
  }
  const std::vector<std::string> files = files_under(path, [](const std::string& name) {
    return name.starts_with("samples_") && name.ends_with(".jsonl");
  });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no samples_TASK_DATE.jsonl there; lm-eval writes it under "
                            "--log_samples",
                            path));
  }
  std::map<std::string, std::string> filter_of;  // by task: lines of other filters repeat the items
  std::int64_t n_loglikelihood = 0;
  for (const std::string& file : files) {
    const std::string task = task_of_samples_file(file);
    const Status read = for_each_object(file, run, [&](const Json& row) {
      const std::string filter = text_at(row, "filter");
      if (filter_of.emplace(task, filter).first->second != filter) {
        return;
      }
      ForeignSample base;
      base.task = task;
      base.item = text_at(row, "doc_id");
      base.gold = text_at(row, "target");
      if (const Json* doc = find_member(row, "doc")) {
        base.question = first_of(
            *doc, {"question", "problem", "Problem", "Question", "input", "query", "prompt"});
        base.subject = first_of(*doc, {"subject", "category", "type"});
        base.choices = texts_of(find_member(*doc, "choices"));
        const std::string id = first_of(*doc, {"id", "question_id", "unique_id", "idx"});
        base.item = base.item.empty() ? id : base.item;
      }
      // "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {…}}}, or a list of lists.
      if (const Json* arguments = find_member(row, "arguments")) {
        const Json* first = arguments->is_object() && !arguments->empty()  ? &*arguments->begin()
                            : arguments->is_array() && !arguments->empty() ? &(*arguments)[0]
                                                                           : nullptr;
        if (first != nullptr && first->is_object()) {
          base.prompt = text_at(*first, "arg_0");
        } else if (first != nullptr && first->is_array() && !first->empty()) {
          base.prompt = text_of(&(*first)[0]);
        }
      }
      for (const std::string_view key :
           {"exact_match", "acc", "math_verify", "acc_norm", "pass_at_1", "score"}) {
        if (base.score < 0) {
          base.score = score_of(find_member(row, key));
        }
      }
      const Json* metrics = find_member(row, "metrics");
      if (base.score < 0 && metrics != nullptr && metrics->is_array()) {
        for (const Json& metric : *metrics) {
          if (base.score < 0 && metric.is_string()) {
            base.score = score_of(find_member(row, metric.get<std::string>()));
          }
        }
      }
      const Json* responses = find_member(row, "resps");
      if (responses == nullptr || !responses->is_array() || base.item.empty()) {
        ++run.n_malformed;
        return;
      }
      std::vector<std::string> texts;
      bool is_loglikelihood = false;
      for (const Json& request : *responses) {
        if (request.is_string()) {
          texts.push_back(request.get<std::string>());
          continue;
        }
        for (const Json& answer : request) {
          if (answer.is_string()) {
            texts.push_back(answer.get<std::string>());
          } else {
            is_loglikelihood = true;
          }
        }
      }
      if (is_loglikelihood) {
        ++n_loglikelihood;
        texts = {""};
      }
      if (texts.size() > 1) {
        base.score = -1;  // of all repeats together
      }
      for (std::size_t r = 0; r < texts.size(); ++r) {
        ForeignSample sample = base;
        sample.sample = static_cast<std::int64_t>(r);
        sample.response = std::move(texts[r]);
        run.samples.push_back(std::move(sample));
      }
    });
    R1_RETURN_IF_ERROR(read);
  }
  if (n_loglikelihood > 0) {
    run.losses.push_back(
        fmt::format("{} records are loglikelihoods without a text: only --trust can score them",
                    n_loglikelihood));
  }
  return run;
}

}  // namespace r1eval::foreign
