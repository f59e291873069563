#include "harness/batch.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <set>
#include <unordered_map>

#include "base/file.h"
#include "base/log.h"
#include "engine/openai/chat_completions.h"
#include "harness/exit_codes.h"
#include "harness/foreign_fields.h"
#include "harness/grading.h"
#include "harness/run.h"
#include "harness/run_manifest.h"
#include "results/run_store.h"

namespace r1eval {
namespace {

constexpr std::size_t kNamed = 5;  // of the ids that are wrong

// "12 (a, b, …)"
std::string some_of(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < names.size() && i < kNamed; ++i) {
    list += (i == 0 ? "" : ", ") + names[i].substr(0, 80);
  }
  return fmt::format("{} ({}{})", names.size(), list, names.size() > kNamed ? ", …" : "");
}

std::string name_of(const Plan& plan, const PlannedSample& sample) {
  const PlannedTask& task = plan.tasks[static_cast<std::size_t>(sample.task)];
  return fmt::format("{}/{}/{}", task.task.name,
                     task.data.items[static_cast<std::size_t>(sample.item)].id, sample.sample);
}

Result<std::set<std::string>> recorded_keys(const RunStore& store) {
  std::set<std::string> keys;
  R1_RETURN_IF_ERROR(store.for_each_sample([&](const SampleRecord& record) {
    keys.insert(record.key);
    return ok_status();
  }));
  return keys;
}

}  // namespace

Result<int> emit_requests(Plan& plan, const RunOptions& options) {
  if (options.model.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "--emit-requests needs --model NAME, the model that will be asked");
  }
  Capabilities capabilities;
  capabilities.model = options.model.substr(0, options.model.find('@'));
  capabilities.is_endpoint = true;
  capabilities.model_identity = "batch:" + capabilities.model;
  const OrderedJson config = config_json(plan, options, capabilities, "");
  const std::string directory =
      options.out.empty() ? default_directory(plan, options, capabilities,
                                              config_hash(config, capabilities.is_endpoint))
                          : options.out;
  plan_samples(plan, options, capabilities.model_identity);
  const OrderedJson manifest = manifest_json(options, config, capabilities, plan.prices);
  R1_TRY(const std::unique_ptr<RunStore> store,
         RunStore::open(directory, dump_json_pretty(manifest)));
  R1_TRY(const std::set<std::string> have, recorded_keys(*store));
  const std::set<std::string> omit(options.omit.begin(), options.omit.end());
  std::string lines;
  std::int64_t n = 0;
  for (std::size_t i = 0; i < plan.samples.size(); ++i) {
    if (have.contains(plan.samples[i].key)) {
      continue;
    }
    const GenerateRequest request = make_request(plan, options, static_cast<std::int64_t>(i), "");
    R1_TRY(const std::string body, request_body(request, capabilities.model, false, omit));
    lines +=
        fmt::format(R"({{"custom_id":"{}","method":"POST","url":"/v1/chat/completions","body":{}}})"
                    "\n",
                    plan.samples[i].key, body);
    ++n;
  }
  R1_RETURN_IF_ERROR(write_file_atomic(options.emit_requests, lines));
  if (options.json) {
    OrderedJson line = {{"run", directory}, {"requests", n}, {"file", options.emit_requests}};
    std::puts(dump_json(line).c_str());
  } else {
    std::puts(fmt::format("{} requests in {}; nothing was sent\nthe replies come back with: r1eval "
                          "import --from batch REPLIES.jsonl --out {}",
                          n, options.emit_requests, directory)
                  .c_str());
  }
  return kExitOk;
}

Result<int> import_batch(const std::string& path, const std::string& directory, bool no_grade,
                         bool json) {
  if (!path_exists(directory + "/manifest.json")) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--out {}: no run there; `r1eval run --emit-requests FILE --out {}` makes "
                    "it, with the requests whose replies these are",
                    directory, directory));
  }
  R1_TRY(const std::string manifest_text, read_manifest(directory));
  R1_TRY(const Json manifest, parse_json(manifest_text));
  R1_TRY(RunOptions options, options_of_run(directory));
  options.no_grade = true;
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  R1_TRY(Plan plan, load_plan(options, registry, DatasetStore()));
  plan.prices = prices_of_manifest(manifest);
  plan_samples(plan, options, stored_identity(directory));
  std::unordered_map<std::string, const PlannedSample*> by_key;
  for (const PlannedSample& sample : plan.samples) {
    by_key[sample.key] = &sample;
  }
  ThinkTags tags;
  if (const std::size_t comma = options.think_tags.find(','); comma != std::string::npos) {
    tags = {options.think_tags.substr(0, comma), options.think_tags.substr(comma + 1)};
  }
  R1_TRY(std::unique_ptr<RunStore> store, RunStore::open(directory, manifest_text));
  R1_TRY(std::set<std::string> have, recorded_keys(*store));

  ForeignRun counts;  // of lines that are no objects
  std::vector<std::string> foreign_ids;
  std::vector<std::string> doubles;
  std::vector<std::string> failures;
  std::int64_t n_taken = 0;
  Status appended = ok_status();
  for (const std::string& file : foreign::files_under(
           path, [](const std::string& name) { return name.ends_with(".jsonl"); })) {
    R1_RETURN_IF_ERROR(foreign::for_each_object(file, counts, [&](const Json& row) {
      const std::string id = string_or(row, "custom_id");
      const auto sample = by_key.find(id);
      if (id.empty()) {
        ++counts.n_malformed;
        return;
      }
      if (sample == by_key.end()) {
        foreign_ids.push_back(id);
        return;
      }
      if (have.contains(id)) {
        doubles.push_back(name_of(plan, *sample->second));
        return;
      }
      const Json* response = find_member(row, "response");
      const Json* body = response == nullptr ? nullptr : find_member(*response, "body");
      const std::int64_t status = response == nullptr ? 0 : int_or(*response, "status_code", 200);
      ReplyReader reader;
      const Status read = body == nullptr || status != 200
                              ? Status(fail(ErrorCode::kUnavailable, "no reply"))
                              : reader.read_whole(dump_json(*body));
      Result<Completion> completion = read ? reader.finish() : Result<Completion>(read.error());
      if (!completion) {
        failures.push_back(name_of(plan, *sample->second));
        return;
      }
      if (!appended) {
        return;
      }
      have.insert(id);
      appended =
          store->append_sample(make_record(plan, *sample->second, std::move(*completion), tags));
      ++n_taken;
    }));
    R1_RETURN_IF_ERROR(appended);
  }
  R1_RETURN_IF_ERROR(store->sync());
  store.reset();  // grading opens the directory for itself
  std::vector<std::string> missing;
  for (const PlannedSample& sample : plan.samples) {
    if (!have.contains(sample.key)) {
      missing.push_back(name_of(plan, sample));
    }
  }
  log_info(fmt::format("{} replies taken into {}", n_taken, directory));
  const auto say = [](const std::vector<std::string>& names, std::string_view what) {
    if (!names.empty()) {
      log_warning(fmt::format("{} {}", some_of(names), what));
    }
  };
  say(foreign_ids, "ids belong to no sample of this run: left out");
  say(doubles, "samples have a reply already: the first one stays");
  say(failures, "requests failed there: they are missing, not wrong");
  say(missing, "samples are missing; the same `run --emit-requests` writes what is left");
  int code = kExitOk;
  if (!no_grade) {
    code = grade_run({directory, "", "", "", "", json});
  }
  if (code == kExitOk && counts.n_malformed > 0) {
    log_warning(fmt::format("{} malformed lines were left out", counts.n_malformed));
    return kExitMalformedInput;
  }
  if (code == kExitOk && static_cast<double>(missing.size()) >
                             options.max_failures * static_cast<double>(plan.samples.size())) {
    return kExitIncomplete;
  }
  return code;
}

}  // namespace r1eval
