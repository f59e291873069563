// Reader of NeMo-Skills' records: BENCHMARK/output-rsSEED.jsonl (or output.jsonl). Field names are
// the format's.
#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {
namespace {

bool is_output(const std::string& name) {
  return name.starts_with("output") && name.ends_with(".jsonl");
}

// -1 for "output.jsonl".
std::int64_t seed_of(const std::string& name) {
  const std::size_t at = name.find("-rs");
  return at == std::string::npos ? -1 : std::atoll(name.c_str() + at + 3);
}

}  // namespace

Result<ForeignRun> read_nemo_skills(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {"NeMo-Skills' outputs hold no prompts and not the model's name"};
  const std::vector<std::string> files = files_under(path, is_output);
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no output-rsSEED.jsonl there", path));
  }
  std::map<std::string, std::map<std::int64_t, std::string>> by_task;  // -> seed -> file
  for (const std::string& file : files) {
    const std::filesystem::path at = std::filesystem::absolute(file);
    const std::string task =
        options.task.empty() ? at.parent_path().filename().string() : options.task;
    const std::int64_t seed = seed_of(at.filename().string());
    if (!by_task[task].emplace(seed, file).second) {
      run.losses.push_back(fmt::format("{}: a second file of this seed, left out", file));
    }
  }
  for (const auto& by_seed : by_task) {
    const std::string& task = by_seed.first;
    std::int64_t sample = 0;
    for (const auto& [number_of_seed, file] : by_seed.second) {
      const std::int64_t seed = number_of_seed;
      std::int64_t number = 0;
      const Status read = for_each_object(file, run, [&](const Json& row) {
        ForeignSample s;
        s.task = task;
        s.item = first_of(row, {"id", "problem_id", "question_id", "task_id", "index"});
        s.item = s.item.empty() ? fmt::format("row-{}", number) : s.item;
        ++number;
        const Json* generation = find_member(row, "generation");
        if (generation == nullptr) {
          ++run.n_malformed;
          return;
        }
        s.sample = sample;
        s.seed = seed < 0 ? 0 : static_cast<std::uint64_t>(seed);
        s.response = text_of(generation);
        s.thinking = text_at(row, "reasoning_content");
        if (const std::string whole = text_at(row, "_full_generation"); !whole.empty()) {
          s.response = whole;  // the thinking was cut off `generation`
        }
        s.gold = text_at(row, "expected_answer");
        s.question = first_of(row, {"problem", "question"});
        s.subject = first_of(row, {"subject", "subset_for_metrics", "category", "difficulty"});
        s.finish_reason = finish_of(first_of(row, {"finish_reason", "stop_reason"}));
        s.completion_tokens = int_or(row, "num_generated_tokens", -1);
        for (const std::string_view key : {"symbolic_correct", "is_correct", "judge_correct"}) {
          s.score = s.score < 0 ? score_of(find_member(row, key)) : s.score;
        }
        run.samples.push_back(std::move(s));
      });
      R1_RETURN_IF_ERROR(read);
      ++sample;
    }
  }
  return run;
}

}  // namespace r1eval::foreign
