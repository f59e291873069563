// Reader of promptfoo's results: one JSON document of version 3, or its JSON lines. Field names are
// the format's.
#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <utility>

#include "harness/foreign_fields.h"

namespace r1eval::foreign {
namespace {

std::string provider_of(const Json& row) {
  const Json* provider = find_member(row, "provider");
  return provider == nullptr
             ? ""
             : (provider->is_string() ? text_of(provider) : first_of(*provider, {"label", "id"}));
}

// What an assertion wants the output to be.
std::string gold_of(const Json& row) {
  const Json* test = find_member(row, "testCase");
  const Json* asserts = test == nullptr ? nullptr : find_member(*test, "assert");
  for (std::size_t i = 0; asserts != nullptr && i < asserts->size(); ++i) {
    const Json* one = element(asserts, i);
    const std::string type = one == nullptr ? "" : text_at(*one, "type");
    if (type == "equals" || type == "contains" || type == "icontains" || type == "iequals") {
      return text_at(*one, "value");
    }
  }
  const Json* vars = find_member(row, "vars");
  return vars == nullptr
             ? ""
             : first_of(*vars, {"answer", "expected", "gold", "target", "expected_answer"});
}

}  // namespace

Result<ForeignRun> read_promptfoo(const std::string& path, const ReadOptions& options) {
  ForeignRun run;
  std::vector<std::pair<std::string, Json>> rows;  // task, row
  for (const std::string& file : files_under(path, [](const std::string& name) {
         return name.ends_with(".json") || name.ends_with(".jsonl");
       })) {
    const std::string task =
        options.task.empty() ? std::filesystem::path(file).stem().string() : options.task;
    if (file.ends_with(".jsonl")) {
      R1_RETURN_IF_ERROR(
          for_each_object(file, run, [&](const Json& row) { rows.emplace_back(task, row); }));
      continue;
    }
    R1_TRY(const Json document, read_document(file));
    const Json* results = at_path(document, "results.results");
    results = results == nullptr ? find_member(document, "results") : results;
    if (results == nullptr || !results->is_array()) {
      return fail(ErrorCode::kParse,
                  fmt::format("{}: field 'results.results': expected a list", file));
    }
    for (const Json& row : *results) {
      rows.emplace_back(task, row);
    }
  }
  std::set<std::string> providers;
  for (const auto& [task, row] : rows) {
    providers.insert(provider_of(row));
  }
  if (providers.size() > 1 && !providers.contains(options.model)) {
    std::string names;
    for (const std::string& name : providers) {
      names += (names.empty() ? "" : ", ") + name;
    }
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: answers of several providers ({}); --model picks one", path, names));
  }
  for (const auto& [task, row] : rows) {
    if (providers.size() > 1 && provider_of(row) != options.model) {
      continue;
    }
    if (find_member(row, "prompt") == nullptr && find_member(row, "response") == nullptr) {
      ++run.n_malformed;
      continue;
    }
    run.model = provider_of(row);
    ForeignSample s;
    s.task = task;
    if (const Json* index = find_member(row, "testIdx")) {
      s.item = "test-" + text_of(index);
    } else if (const Json* vars = find_member(row, "vars")) {
      s.item = text_of(vars);
    }
    s.gold = gold_of(row);
    if (const Json* vars = find_member(row, "vars")) {
      s.question = first_of(*vars, {"question", "problem", "input", "prompt", "query"});
    }
    const Json* prompt = find_member(row, "prompt");
    s.prompt =
        prompt == nullptr ? "" : (prompt->is_string() ? text_of(prompt) : text_at(*prompt, "raw"));
    const Json* response = find_member(row, "response");
    const Json* output = response == nullptr ? nullptr : find_member(*response, "output");
    if (output == nullptr) {
      s.failed = true;
    } else {
      s.response = text_of(output);
      s.finish_reason = finish_of(text_at(*response, "finishReason"));
      s.cost = double_or(*response, "cost", -1);
      if (const Json* usage = find_member(*response, "tokenUsage")) {
        read_usage(*usage, s);
      }
      const Json* success = find_member(row, "success");
      s.score = success != nullptr ? score_of(success) : score_of(find_member(row, "score"));
    }
    const double milliseconds = double_or(row, "latencyMs", -1);
    s.seconds = milliseconds < 0 ? -1 : milliseconds / 1000;
    run.samples.push_back(std::move(s));
  }
  return run;
}

}  // namespace r1eval::foreign
