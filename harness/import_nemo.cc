// Reader of NeMo Evaluator's records. Field names are the format's.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {

Result<ForeignRun> read_nemo(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {"NeMo Evaluator's results.jsonl holds no prompts, finish reasons or tokens"};
  const std::vector<std::string> files =
      files_under(path, [](const std::string& name) { return name.ends_with("results.jsonl"); });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no results.jsonl there", path));
  }
  for (const std::string& file : files) {
    std::string task = std::filesystem::absolute(file).parent_path().filename().string();
    const Status read = for_each_object(file, run, [&](const Json& row) {
      ForeignSample s;
      s.task = first_of(row, {"benchmark", "task"});
      s.task = !options.task.empty() ? options.task : (s.task.empty() ? task : s.task);
      s.item = text_at(row, "problem_idx");
      s.sample = int_or(row, "repeat", -1);
      s.gold = text_at(row, "expected_answer");
      s.response = text_at(row, "model_response");
      s.question = first_of(row, {"problem", "question", "prompt"});
      s.score = score_of(find_member(row, "reward"));
      if (const Json* metadata = find_member(row, "metadata")) {
        s.subject = text_at(*metadata, "category");
      }
      if (s.item.empty() || find_member(row, "model_response") == nullptr) {
        ++run.n_malformed;
        return;
      }
      run.samples.push_back(std::move(s));
    });
    R1_RETURN_IF_ERROR(read);
  }
  return run;
}

}  // namespace r1eval::foreign
