// Readers of the harnesses for HumanEval and MBPP: evalplus and bigcode-evaluation-harness. What
// they record is programs, without prompts; golds are the tests of our own task. Field names are
// the formats'.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {
namespace {

std::string as_answer(const std::string& program) {
  return "```python\n" + program + (program.ends_with("\n") ? "" : "\n") + "```";
}

// "Mbpp/11" there is "11" with us.
std::string item_named(const std::string& item) {
  return item.starts_with("Mbpp/") ? item.substr(5) : item;
}

// The benchmark by the names of its items or of a file.
std::string task_named(const std::string& text, const ReadOptions& options) {
  if (!options.task.empty()) {
    return options.task;
  }
  std::string lower;
  for (const char c : text) {
    lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return lower.find("humaneval") != std::string::npos ? "humaneval"
         : lower.find("mbpp") != std::string::npos    ? "mbpp"
                                                      : lower;
}

}  // namespace

Result<ForeignRun> read_evalplus(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {
      "evalplus records programs alone: thinking, finish reasons, tokens and the model's name are "
      "unknown"};
  const std::vector<std::string> files = files_under(path, [](const std::string& name) {
    return name.ends_with(".jsonl") || name.ends_with("eval_results.json");
  });
  std::map<std::string, std::vector<double>> scores;  // of an item's samples, in order
  for (const std::string& file : files) {
    if (!file.ends_with(".json")) {
      continue;
    }
    R1_TRY(const Json results, read_document(file));
    const Json* eval = find_member(results, "eval");
    if (eval == nullptr || !eval->is_object()) {
      return fail(ErrorCode::kParse, fmt::format("{}: field 'eval': expected an object", file));
    }
    for (const auto& [item, rows] : eval->items()) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const Json* row = element(&rows, i);
        if (row == nullptr) {
          continue;
        }
        const std::string plus = text_at(*row, "plus_status");
        const std::string base = text_at(*row, "base_status");
        scores[item].push_back(base == "pass" && (plus.empty() || plus == "pass") ? 1 : 0);
        if (files.size() == 1 && !text_at(*row, "solution").empty()) {
          ForeignSample s;
          s.task = task_named(item, options);
          s.item = item_named(item);
          s.response = as_answer(text_at(*row, "solution"));
          s.score = scores[item].back();
          run.samples.push_back(std::move(s));
        }
      }
    }
  }
  std::map<std::string, std::size_t> times;
  for (const std::string& file : files) {
    if (!file.ends_with(".jsonl")) {
      continue;
    }
    const Status read = for_each_object(file, run, [&](const Json& row) {
      ForeignSample s;
      s.item = text_at(row, "task_id");
      const std::string program = first_of(row, {"solution", "completion"});
      if (s.item.empty() || program.empty()) {
        ++run.n_malformed;
        return;
      }
      s.task = task_named(s.item, options);
      s.response = as_answer(program);
      const std::size_t i = times[s.item]++;
      if (const auto known = scores.find(s.item);
          known != scores.end() && i < known->second.size()) {
        s.score = known->second[i];
      }
      s.item = item_named(s.item);
      run.samples.push_back(std::move(s));
    });
    R1_RETURN_IF_ERROR(read);
  }
  return run;
}

Result<ForeignRun> read_bigcode(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  run.losses = {
      "bigcode-evaluation-harness records programs alone: thinking, finish reasons, tokens and "
      "verdicts are unknown, items are known by their place"};
  const std::vector<std::string> files = files_under(path, [](const std::string& name) {
    return name.ends_with(".json") && name.find("generations") != std::string::npos;
  });
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: no generations….json there", path));
  }
  for (const std::string& file : files) {
    R1_TRY(const Json lists, read_document(file));
    const std::string task = task_named(std::filesystem::path(file).filename().string(), options);
    if (!lists.is_array()) {
      return fail(ErrorCode::kParse, fmt::format("{}: expected a list of lists of programs", file));
    }
    for (std::size_t i = 0; i < lists.size(); ++i) {
      if (!lists[i].is_array() ||
          !std::all_of(lists[i].begin(), lists[i].end(),
                       [](const Json& program) { return program.is_string(); })) {
        ++run.n_malformed;
        continue;
      }
      for (const std::string& program : texts_of(&lists[i])) {
        ForeignSample s;
        s.task = task;
        // MBPP's test split begins at task 11.
        s.item = task == "humaneval" ? fmt::format("HumanEval/{}", i)
                 : task == "mbpp"    ? fmt::format("{}", i + 11)
                                     : fmt::format("{}", i);
        s.response = as_answer(program);
        run.samples.push_back(std::move(s));
      }
    }
  }
  return run;
}

}  // namespace r1eval::foreign
