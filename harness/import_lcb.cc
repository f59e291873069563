// Reader of LiveCodeBench's records. Field names are the format's.
#include <fmt/format.h>

#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {

Result<ForeignRun> read_lcb(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {"LiveCodeBench records neither finish reasons nor tokens nor the model's name"};
  // The graded file where there is one; else the outputs alone.
  std::vector<std::string> files =
      files_under(path, [](const std::string& name) { return name.ends_with("_eval_all.json"); });
  if (files.empty()) {
    files = files_under(path, [](const std::string& name) {
      return name.find("codegeneration") != std::string::npos && name.ends_with(".json") &&
             !name.ends_with("_eval.json");
    });
  }
  if (files.empty()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no …_eval_all.json and no ….codegeneration_N_T.json there", path));
  }
  for (const std::string& file : files) {
    R1_TRY(const Json rows, read_document(file));
    if (!rows.is_array() || (!rows.empty() && find_member(rows[0], "question_id") == nullptr)) {
      return fail(ErrorCode::kParse,
                  fmt::format("{}: expected a list of problems with question_id and output_list or "
                              "code_list (…_eval.json has metrics alone: give …_eval_all.json)",
                              file));
    }
    for (const Json& row : rows) {
      const std::string id = text_at(row, "question_id");
      std::vector<std::string> outputs = texts_of(find_member(row, "output_list"));
      const std::vector<std::string> codes = texts_of(find_member(row, "code_list"));
      const bool code_only = outputs.empty();
      if (code_only) {
        for (const std::string& code : codes) {
          outputs.push_back("```python\n" + code + "\n```");
        }
      }
      if (id.empty() || outputs.empty()) {
        ++run.n_malformed;
        continue;
      }
      const Json* graded = find_member(row, "graded_list");
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        ForeignSample s;
        s.task = options.task.empty() ? "livecodebench" : options.task;
        s.item = id;
        s.sample = static_cast<std::int64_t>(i);
        s.response = std::move(outputs[i]);
        s.question = text_at(row, "question_content");
        s.subject = text_at(row, "difficulty");
        if (graded != nullptr && graded->is_array() && i < graded->size()) {
          s.score = score_of(&(*graded)[i]);
        }
        run.samples.push_back(std::move(s));
      }
    }
  }
  return run;
}

}  // namespace r1eval::foreign
