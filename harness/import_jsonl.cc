// Reader of generic JSON lines, as the command line contract has them; `--map` reads any other
// records that are objects, with paths in place of our names. Field names are the format's.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "harness/foreign_fields.h"

namespace r1eval::foreign {
namespace {

const char* const kFields =
    "task, item, sample, response, gold, prompt, question, thinking, choices, finish_reason, "
    "usage, "
    "seed, cost, cluster, subject, correct, model";

std::string names_of(const Json& row) {
  std::string out;
  for (const auto& [name, value] : row.items()) {
    if (out.size() < 200) {
      out += (out.empty() ? "" : ", ") + name;
    }
  }
  return out;
}

}  // namespace

Result<ForeignRun> read_jsonl(const std::string& path, const ReadOptions& options) {
  const std::string known = fmt::format(", {},", kFields);
  for (const auto& [field, from] : options.map) {
    if (known.find(", " + field + ",") == std::string::npos || from.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--map {}={}: expected FIELD=PATH with one of {}, e.g. "
                              "response=output.choices.0.text",
                              field, from, kFields));
    }
  }
  const bool is_mapped = !options.map.empty();
  const auto value_of = [&](const Json& row, const std::string& field) {
    const auto mapped = options.map.find(field);
    return mapped == options.map.end() ? find_member(row, field) : at_path(row, mapped->second);
  };
  ForeignRun run;
  std::int64_t number = 0;
  for (const std::string& file : files_under(path, [&](const std::string& name) {
         return name.ends_with(".jsonl") || (is_mapped && name.ends_with(".json"));
       })) {
    const std::string stem = std::filesystem::path(file).stem().string();
    const Status read = for_each_object(file, run, [&](const Json& row) {
      ++number;
      const auto text = [&](const std::string& field) { return text_of(value_of(row, field)); };
      ForeignSample s;
      s.task = text("task");
      s.task = s.task.empty() ? (options.task.empty() && is_mapped ? stem : options.task) : s.task;
      s.item = text("item");
      const Json* response = value_of(row, "response");
      const bool is_list = is_mapped && response != nullptr && response->is_array();
      // Mapped records without an id are told apart by what was asked.
      const bool has_item =
          !s.item.empty() || (is_mapped && !(text("question") + text("prompt")).empty());
      if (s.task.empty() || !has_item || response == nullptr ||
          !(response->is_string() || is_list)) {
        if (++run.n_malformed <= 5) {
          log_warning(fmt::format(
              "{}: record {}: needs {}, item and response, all texts; it has: {}; left out{}", file,
              number, options.task.empty() ? "task" : "(--task given)", names_of(row),
              is_mapped ? "" : " (--map item=PATH, --map response=PATH … read other names)"));
        }
        return;
      }
      s.sample = -1;
      if (const Json* sample = value_of(row, "sample"); sample != nullptr) {
        s.sample = sample->is_number_integer()
                       ? std::max<std::int64_t>(-1, sample->get<std::int64_t>())
                       : -1;
      }
      s.gold = text("gold");
      s.question = text("question");
      read_messages(value_of(row, "prompt"), s);
      if (value_of(row, "question") == nullptr && !is_mapped) {
        s.question.clear();  // a prompt is more than its question
      }
      s.thinking = text("thinking");
      s.finish_reason = finish_of(text("finish_reason"));
      s.choices = texts_of(value_of(row, "choices"));
      s.subject = text("subject");
      s.cluster = text("cluster");
      if (const Json* seed = value_of(row, "seed"); seed != nullptr && seed->is_number_unsigned()) {
        s.seed = seed->get<std::uint64_t>();
      }
      if (const Json* cost = value_of(row, "cost"); cost != nullptr && cost->is_number()) {
        s.cost = cost->get<double>();
      }
      s.score = score_of(value_of(row, "correct"));
      if (const Json* usage = value_of(row, "usage")) {
        read_usage(*usage, s);
      }
      if (run.model.empty()) {
        run.model = text("model");
      }
      for (const std::string& answer : one_or_more(response)) {
        run.samples.push_back(s);
        run.samples.back().response = answer;
      }
    });
    R1_RETURN_IF_ERROR(read);
  }
  return run;
}

}  // namespace r1eval::foreign
