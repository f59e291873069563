// Reader of lighteval's details once they are JSON: a row a sample with doc, model_response and
// metric, or the flat columns of older versions. Field names are the format's.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {
namespace {

// details_TASK|SHOTS_DATE: the task without prefix, bar and date.
std::string task_of_file(const std::string& path) {
  std::string name = std::filesystem::path(path).stem().string();
  name = name.starts_with("details_") ? name.substr(8) : name;
  for (std::size_t at = name.rfind('_'); at != std::string::npos && at > 0;
       at = name.rfind('_', at - 1)) {
    if (at + 5 < name.size() && name[at + 1] == '2' && name[at + 5] == '-') {
      return name.substr(0, at);
    }
  }
  return name;
}

}  // namespace

Result<ForeignRun> read_lighteval(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {"lighteval's details hold no finish reasons and not the model's name"};
  const std::vector<std::string> files = files_under(path, [](const std::string& name) {
    return name.ends_with(".jsonl") || (name.ends_with(".json") && !name.starts_with("results_"));
  });
  if (files.empty() || files.front().ends_with(".parquet")) {
    return fail(
        ErrorCode::kNotFound,
        fmt::format("{}: no details as .jsonl or .json there. lighteval writes Parquet, which "
                    "is not read: python3 -c \"import pandas, sys; "
                    "pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], orient='records', "
                    "lines=True)\" details_….parquet details_….jsonl",
                    path));
  }
  for (const std::string& file : files) {
    std::int64_t number = 0;
    const Status read = for_each_object(file, run, [&](const Json& row) {
      const Json* doc = find_member(row, "doc");
      const Json* answer = find_member(row, "model_response");
      const Json& asked = doc == nullptr ? row : *doc;
      ForeignSample s;
      s.task = first_of(asked, {"task_name"});
      s.task =
          !options.task.empty() ? options.task : (s.task.empty() ? task_of_file(file) : s.task);
      s.item = first_of(asked, {"id", "example_id"});
      s.item = s.item.empty() ? fmt::format("row-{}", number) : s.item;
      ++number;
      s.question = first_of(asked, {"query", "example", "instruction"});
      s.prompt = text_at(row, "full_prompt");
      if (answer != nullptr) {
        read_messages(find_member(*answer, "input"), s);
      }
      s.choices = texts_of(find_member(asked, "choices"));
      const Json* index = find_member(asked, "gold_index");
      index = index != nullptr && index->is_array() ? element(index, 0) : index;
      if (index != nullptr && index->is_number_integer() && index->get<std::int64_t>() >= 0 &&
          index->get<std::size_t>() < s.choices.size()) {
        const std::size_t gold = index->get<std::size_t>();
        // One choice is the gold itself; several are options A, B, …
        s.gold = s.choices.size() == 1
                     ? s.choices[0]
                     : std::string(1, static_cast<char>('A' + std::min<std::size_t>(gold, 25)));
      } else {
        const std::vector<std::string> golds = one_or_more(find_member(row, "gold"));
        s.gold = golds.empty() ? "" : golds.front();
      }
      if (s.choices.size() == 1) {
        s.choices.clear();
      }
      const Json* texts =
          answer == nullptr ? find_member(row, "predictions") : find_member(*answer, "text");
      const std::vector<std::string> answers = one_or_more(texts);
      if (answers.empty()) {
        ++run.n_malformed;
        return;
      }
      const Json* metrics = find_member(row, answer == nullptr ? "metrics" : "metric");
      if (metrics != nullptr && metrics->is_object() && answers.size() == 1) {
        for (const auto& [name, value] : metrics->items()) {
          s.score = s.score < 0 ? score_of(&value) : s.score;
        }
      }
      const Json* thoughts = answer == nullptr ? nullptr : find_member(*answer, "reasonings");
      for (std::size_t i = 0; i < answers.size(); ++i) {
        ForeignSample one = s;
        one.response = answers[i];
        one.thinking = text_of(element(thoughts, i));
        run.samples.push_back(std::move(one));
      }
    });
    R1_RETURN_IF_ERROR(read);
  }
  return run;
}

}  // namespace r1eval::foreign
