#include "harness/run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "engine/catalog.h"
#include "engine/registry.h"
#include "harness/batch.h"
#include "harness/exit_codes.h"
#include "harness/grading.h"
#include "harness/plan.h"
#include "harness/progress.h"
#include "harness/recorder.h"
#include "harness/report.h"
#include "harness/run_manifest.h"
#include "harness/sandbox_executor.h"
#include "harness/signals.h"
#include "results/run_store.h"

namespace r1eval {
namespace {

// Above this many tokens an endpoint's bill is worth a question.
constexpr std::int64_t kAskAboveTokens = 10'000'000;

// ---- opening ------------------------------------------------------------------------------------

Result<BackendOptions> backend_options(const RunOptions& options) {
  BackendOptions backend;
  backend.model = options.model;
  backend.base_url = options.base_url;
  if (backend.base_url.empty()) {
    backend.base_url = environment("R1EVAL_BASE_URL");
  }
  if (backend.base_url.empty()) {
    backend.base_url = environment("OPENAI_BASE_URL");
  }
  if (!options.key_file.empty()) {
    R1_TRY(std::string key, read_file(options.key_file));
    while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) {
      key.pop_back();
    }
    if (key.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--key-file {}: the file is empty", options.key_file));
    }
    backend.api_key = std::move(key);
  } else {
    backend.api_key = environment("R1EVAL_API_KEY");
    if (backend.api_key.empty()) {
      backend.api_key = environment("OPENAI_API_KEY");
    }
  }
  register_secret(backend.api_key);
  backend.headers = options.headers;
  for (const std::string& header : options.headers) {
    register_secret(header.substr(header.find(':') + 1));
  }
  backend.omit_fields = options.omit;
  backend.model_revision = options.model_revision;
  backend.stream = options.stream;
  backend.concurrency =
      options.concurrency == "auto" ? 0 : std::strtoll(options.concurrency.c_str(), nullptr, 10);
  if (options.max_attempts > 0) {
    backend.max_attempts = options.max_attempts;
  }
  backend.threads = options.threads;
  backend.memory_bytes = options.engine_memory;
  if (!options.think_tags.empty()) {
    const std::size_t comma = options.think_tags.find(',');
    backend.think_open = options.think_tags.substr(0, comma);
    backend.think_close = options.think_tags.substr(comma + 1);
  }
  return backend;
}

// The catalogue's forced start of the answer, unless the flag says otherwise. Endpoints apply their
// own template, which knows better.
std::string assistant_prefix(const RunOptions& options, const Capabilities& capabilities) {
  if (options.assistant_prefix) {
    return *options.assistant_prefix;
  }
  if (capabilities.is_endpoint) {
    return "";
  }
  const Result<Catalog> catalog = Catalog::open();
  const CatalogModel* model = catalog ? catalog->find(options.model) : nullptr;
  return model == nullptr ? "" : model->assistant_prefix;
}

// What runs programs under the options' least isolation. It is opened before a model is loaded, so
// that its processes start from a small one.
}  // namespace

ExecutorSource sandbox_source(const RunOptions& options) {
  return [minimum = options.sandbox_min]() -> Result<std::shared_ptr<CodeExecutor>> {
    return SandboxExecutor::open(sandbox_level_from(minimum).value_or(SandboxLevel::kB));
  };
}

namespace {

// The isolation that this call's programs run under, as an event of the run.
Status record_sandbox(const Plan& plan, RunStore& store) {
  for (const PlannedTask& planned : plan.tasks) {
    const std::string details = planned.executor == nullptr ? "" : planned.executor->details();
    if (const Result<Json> sandbox = parse_json(details); sandbox) {
      OrderedJson event;
      event["event"] = "sandbox";
      event["sandbox"] = *sandbox;
      return store.append_event(dump_json(event));
    }
  }
  return ok_status();
}

// ---- the passes ---------------------------------------------------------------------------------

std::int64_t ceiling_tokens(const Plan& plan, const std::vector<std::int64_t>& samples) {
  std::int64_t tokens = 0;
  for (const std::int64_t i : samples) {
    tokens += plan.samples[static_cast<std::size_t>(i)].max_tokens;
  }
  return tokens;
}

std::string thousands(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (std::int64_t at = static_cast<std::int64_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

void say_plan(const Plan& plan, const RunOptions& options) {
  if (options.quiet) {
    return;
  }
  for (const PlannedTask& planned : plan.tasks) {
    const auto n_items = static_cast<std::int64_t>(planned.items.size());
    log_info(fmt::format("{}: {} items{} x k {} = {} requests, at most {} tokens each",
                         planned.task.name, thousands(n_items),
                         planned.is_partial ? fmt::format(" of {}", planned.data.items.size()) : "",
                         planned.k, thousands(n_items * planned.k), thousands(planned.max_tokens)));
    for (std::size_t i = 0; i < planned.unscored_items.size() && i < 10; ++i) {
      log_warning(
          fmt::format("{} item {} will be unscored", planned.task.name, planned.unscored_items[i]));
    }
    if (planned.unscored_items.size() > 10) {
      log_warning(fmt::format("{}: {} items in all will be unscored", planned.task.name,
                              planned.unscored_items.size()));
    }
  }
}

int dry_run(Plan& plan, const RunOptions& options) {
  plan_samples(plan, options, "");
  OrderedJson tasks;
  for (std::size_t t = 0; t < plan.tasks.size(); ++t) {
    const PlannedTask& planned = plan.tasks[t];
    Sha256 prompts;
    std::int64_t n = 0;
    std::int64_t ceiling = 0;
    for (const PlannedSample& sample : plan.samples) {
      if (sample.task == static_cast<std::int32_t>(t)) {
        prompts.update(sample.prompt_sha256 + "\n");
        ceiling += sample.max_tokens;
        ++n;
      }
    }
    OrderedJson task;
    task["items"] = planned.items.size();
    task["k"] = planned.k;
    task["requests"] = n;
    task["ceiling_tokens"] = ceiling;
    task["unscored_items"] = planned.unscored_items.size();
    task["gradable"] = planned.grader != nullptr;
    task["template_sha256"] = planned.renderer->template_sha256();
    task["prompts_sha256"] = prompts.finish_hex();
    task["dataset_sha256"] = planned.data.dataset_sha256;
    tasks[planned.task.name] = task;
  }
  OrderedJson out;
  out["dry_run"] = true;
  out["tasks"] = tasks;
  if (options.json) {
    std::puts(dump_json(out).c_str());
    return kExitOk;
  }
  for (const auto& [name, task] : tasks.items()) {
    std::puts(fmt::format("{}: {} items x k {} = {} requests, ceiling {} tokens{}\n"
                          "  template {}\n  prompts  {}\n  dataset  {}",
                          name, thousands(task["items"].get<std::int64_t>()),
                          task["k"].get<std::int64_t>(),
                          thousands(task["requests"].get<std::int64_t>()),
                          thousands(task["ceiling_tokens"].get<std::int64_t>()),
                          task["gradable"].get<bool>() ? "" : " (this build cannot grade it)",
                          task["template_sha256"].get<std::string>(),
                          task["prompts_sha256"].get<std::string>(),
                          task["dataset_sha256"].get<std::string>())
                  .c_str());
  }
  return kExitOk;
}

// Asks before a large bill. True: go on.
Result<bool> confirm_spending(const RunOptions& options, std::int64_t n_requests,
                              std::int64_t ceiling, bool is_endpoint) {
  if (!is_endpoint || ceiling <= kAskAboveTokens || options.yes) {
    return true;
  }
  const std::string what = fmt::format("{} requests may cost up to {} completion tokens at {}",
                                       thousands(n_requests), thousands(ceiling), options.model);
  if (::isatty(STDIN_FILENO) == 0) {
    return fail(ErrorCode::kInvalidArgument,
                what + ": say --yes to go on, or ask for less with --k N or --limit N");
  }
  log_info(what + ". Go on? [y/N]");
  char answer[16] = {};
  return std::fgets(answer, sizeof answer, stdin) != nullptr &&
         (answer[0] == 'y' || answer[0] == 'Y');
}

std::string resume_line(const std::string& directory) {
  return fmt::format("to go on: r1eval resume {}", directory);
}

// --fresh keeps what was there, beside.
Status set_aside(const std::string& directory) {
  if (!path_exists(directory + "/manifest.json")) {
    return ok_status();
  }
  for (int n = 1;; ++n) {
    const std::string old = fmt::format("{}.old-{}", directory, n);
    if (path_exists(old)) {
      continue;
    }
    std::error_code error;
    std::filesystem::rename(directory, old, error);
    if (error) {
      return errno_error(error.value(), "move aside", directory);
    }
    log_info(fmt::format("--fresh: the run that was there is now {}", old));
    return ok_status();
  }
}

Result<int> run_passes(const RunOptions& options) {
  CancelToken cancel;
  const SignalScope signals(cancel);

  // Pass 1: what is asked. No model is touched yet, so that mistakes cost nothing.
  R1_RETURN_IF_ERROR(check_run_options(options));
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  R1_TRY(Plan plan, load_plan(options, registry, DatasetStore(),
                              options.no_grade ? ExecutorSource() : sandbox_source(options)));
  if (options.dry_run) {
    return dry_run(plan, options);
  }
  R1_TRY(plan.prices, find_prices(options.model, options.prices));
  if (!options.emit_requests.empty()) {
    return emit_requests(plan, options);
  }
  if (options.model.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "--model is missing: an alias (`r1eval models list`), a .gguf file, or NAME@URL");
  }

  // Pass 2: the model. Its files are checked, or its endpoint answers, before anything is planned.
  R1_TRY(BackendOptions backend_opts, backend_options(options));
  // Set once the store is open; events before that (probing) have nobody to tell.
  std::atomic<RunStore*> event_store{nullptr};
  backend_opts.on_event = [&event_store](const std::string& event) {
    if (RunStore* const store = event_store.load(); store != nullptr) {
      if (const Status status = store->append_event(event); !status) {
        log_debug(status.error().message);
      }
    }
  };
  if (names_endpoint(backend_opts)) {
    // What no endpoint can do is said before this one is asked whether it is there.
    Capabilities of_endpoints;
    of_endpoints.is_endpoint = true;
    of_endpoints.model = options.model;
    R1_RETURN_IF_ERROR(check_abilities(plan, options, of_endpoints));
  }
  R1_TRY(const std::unique_ptr<Backend> backend, open_backend(backend_opts));
  const Capabilities capabilities = backend->capabilities();
  const std::string prefix = assistant_prefix(options, capabilities);
  const ThinkTags tags{capabilities.think_open, capabilities.think_close};

  // Pass 3: the plan. From here on it is fixed which samples there are to be.
  OrderedJson config = config_json(plan, options, capabilities, prefix);
  const std::string hash = config_hash(config, capabilities.is_endpoint);
  const std::string directory =
      options.out.empty() ? default_directory(plan, options, capabilities, hash) : options.out;
  if (options.fresh) {
    R1_RETURN_IF_ERROR(set_aside(directory));
  }
  std::string identity = capabilities.model_identity;
  const std::string stored = stored_identity(directory);
  bool server_changed = false;
  if (!stored.empty() && stored != identity && options.accept_server_change) {
    // Keys go on under the identity that the run was started with; the change stands in the events.
    log_warning(fmt::format("the model says it is '{}' now, the run was started with '{}'",
                            identity, stored));
    config["model_identity"] = stored;
    identity = stored;
    server_changed = true;
  }
  plan_samples(plan, options, identity);
  std::vector<std::string> notes;
  R1_RETURN_IF_ERROR(check_abilities(plan, options, backend->capabilities()));
  R1_RETURN_IF_ERROR(bound_max_tokens(plan, *backend, options, notes));

  // Pass 4: the store. What it already has is dropped from the work.
  const OrderedJson manifest = manifest_json(options, config, capabilities, plan.prices);
  Result<std::unique_ptr<RunStore>> opened = RunStore::open(directory, dump_json_pretty(manifest));
  if (!opened) {
    Error error = opened.error();
    if (!stored.empty() && stored != identity) {
      error.message +=
          "; if you know that the server was changed and want to go on all the same, add "
          "--accept-server-change";
    }
    return error;
  }
  const std::unique_ptr<RunStore> store = std::move(opened).value();
  event_store.store(store.get());
  if (server_changed) {
    OrderedJson event;
    event["event"] = "server_change_accepted";
    event["identity"] = capabilities.model_identity;
    R1_RETURN_IF_ERROR(store->append_event(dump_json(event)));
  }
  R1_RETURN_IF_ERROR(record_sandbox(plan, *store));
  std::vector<bool> have(plan.samples.size(), false);
  {
    const PlanIndex index(plan);
    R1_RETURN_IF_ERROR(store->for_each_sample([&](const SampleRecord& record) {
      const std::int64_t slot = index.find(record.task, record.item, record.sample);
      if (slot >= 0 && plan.samples[static_cast<std::size_t>(slot)].key == record.key) {
        have[static_cast<std::size_t>(slot)] = true;
      }
      return ok_status();
    }));
  }
  std::vector<std::int64_t> missing;
  for (std::size_t i = 0; i < have.size(); ++i) {
    if (!have[i]) {
      missing.push_back(static_cast<std::int64_t>(i));
    }
  }
  const std::int64_t ceiling = ceiling_tokens(plan, missing);
  say_plan(plan, options);
  if (!options.quiet) {
    log_info(fmt::format("{} of {} samples are to be generated, at most {} tokens; records in {}",
                         thousands(static_cast<std::int64_t>(missing.size())),
                         thousands(static_cast<std::int64_t>(plan.samples.size())),
                         thousands(ceiling), directory));
    for (const std::string& note : notes) {
      log_info(note);
    }
  }
  R1_TRY(const bool go_on, confirm_spending(options, static_cast<std::int64_t>(missing.size()),
                                            ceiling, capabilities.is_endpoint));
  if (!go_on) {
    log_info("nothing was sent");
    return kExitUsage;
  }

  // Pass 5: generate, record, grade. Beyond this point requests are sent.
  std::int64_t n_sent = 0;
  std::int64_t n_failed = 0;
  std::int64_t n_configuration_errors = 0;
  Status generated = ok_status();
  Status recorded = ok_status();
  std::vector<std::optional<Verdict>> verdicts;
  if (missing.empty()) {
    log_info("nothing to send: every sample is recorded");
  } else {
    const auto n_missing = static_cast<std::int64_t>(missing.size());
    const double started = steady_clock().now();
    Progress progress(n_missing, options.quiet, cancel);
    Recorder recorder(plan, *store, tags, progress, cancel, !options.no_grade);
    MissingSamples source(plan, options, std::move(missing), prefix, progress, cancel);
    generated = backend->generate(source, recorder, cancel);
    recorder.finish();
    recorded = recorder.status();
    verdicts = recorder.take_verdicts();
    n_sent = source.n_sent();
    n_failed = recorder.n_failed();
    n_configuration_errors = recorder.n_configuration_errors();
    for (const std::string& failure : recorder.failures()) {
      log_error("failed: " + failure);
    }
    if (n_failed > static_cast<std::int64_t>(recorder.failures().size())) {
      log_error(fmt::format("… and {} further failed requests, all in {}/events.jsonl",
                            n_failed - static_cast<std::int64_t>(recorder.failures().size()),
                            directory));
    }
    if (!options.quiet) {
      const ProgressCounts counts = progress.counts();
      const double seconds = std::max(1e-9, steady_clock().now() - started);
      log_info(fmt::format("{} samples in {:.1f} s, {:.0f} tokens/s", counts.done, seconds,
                           static_cast<double>(counts.tokens) / seconds));
    }
  }
  R1_RETURN_IF_ERROR(store->sync());
  if (!recorded) {
    log_info(resume_line(directory));
    return exit_code_for(recorded.error());
  }

  // Pass 6: grade what earlier calls recorded, aggregate, report. Done also for a part of a run.
  Report report;
  report.directory = directory;
  report.requests_sent = n_sent;
  report.json = options.json;
  for (const auto& [field, support] : backend->capabilities().sampler_fields) {
    if (support != FieldSupport::kSent) {
      notes.push_back(fmt::format("{}: {} (the server decides, or does not say)", field,
                                  support_name(support)));
    }
  }
  if (options.no_grade) {
    log_info(fmt::format("recorded without grading: r1eval grade {}", directory));
  } else {
    R1_TRY(GradedRun graded, grade_directory(plan, directory, std::move(verdicts)));
    report.scores = score_tasks(plan, graded);
    add_thinking_notes(report.scores, tags, report.notes);
    report.call_notes = notes;
    add_code_notes(plan, graded, report);
    add_record_notes(graded, report);
    R1_RETURN_IF_ERROR(write_reports(plan, *store, graded, report, options, capabilities));
  }

  if (!generated && generated.error().code != ErrorCode::kCancelled) {
    log_error(generated.error().message);
    log_info(resume_line(directory));
    return exit_code_for(generated.error());
  }
  if (cancel.is_draining()) {
    log_info("interrupted; " + resume_line(directory));
    return kExitInterrupted;
  }
  if (n_configuration_errors > 0) {
    log_error(
        fmt::format("{} requests were refused for what they ask; mend the flags and run the "
                    "same command again",
                    n_configuration_errors));
    return kExitEnvironment;
  }
  if (static_cast<double>(n_failed) >
      options.max_failures * static_cast<double>(plan.samples.size())) {
    log_error(fmt::format("incomplete: {} of {} requests failed, --max-failures allows {}; {}",
                          n_failed, plan.samples.size(), options.max_failures,
                          resume_line(directory)));
    return kExitIncomplete;
  }
  return kExitOk;
}

Result<int> grade_passes(const RegradeOptions& regrade) {
  const std::string& directory = regrade.directory;
  const std::string& task = regrade.task;
  R1_TRY(RunOptions options, options_of_run(directory));
  if (!regrade.sandbox_min.empty()) {
    options.sandbox_min = regrade.sandbox_min;
    R1_RETURN_IF_ERROR(check_run_options(options));
  }
  R1_TRY(const TaskRegistry registry, TaskRegistry::open());
  options.no_grade = true;  // a task that cannot be graded is unscored here, by name, not refused
  R1_TRY(Plan plan, load_plan(options, registry, DatasetStore(), sandbox_source(options)));
  if (!task.empty()) {
    const bool known = std::any_of(plan.tasks.begin(), plan.tasks.end(),
                                   [&](const auto& planned) { return planned.task.name == task; });
    if (!known) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--task {}: {} has no such task", task, directory));
    }
  }
  for (PlannedTask& planned : plan.tasks) {
    const bool is_meant = task.empty() || planned.task.name == task;
    const bool is_code = planned.task.grader.grader == "code";
    if (is_meant && (!regrade.profile.empty() || (is_code && !regrade.extraction.empty()))) {
      if (!regrade.profile.empty()) {
        planned.task.grader.profile = regrade.profile;
      }
      if (is_code && !regrade.extraction.empty()) {
        planned.task.grader.extraction = regrade.extraction;
      }
      R1_TRY(std::unique_ptr<Grader> grader, make_grader(planned.task.grader, planned.executor));
      if (planned.grader != nullptr) {
        planned.grader = std::move(grader);
      }
    }
    if (planned.grader == nullptr) {
      log_warning(fmt::format("{} stays unscored: {}", planned.task.name, planned.grader_problem));
    }
  }
  R1_TRY(const std::string manifest_text, read_manifest(directory));
  R1_TRY(const Json manifest, parse_json(manifest_text));
  const Json* config = find_member(manifest, "config");
  Capabilities capabilities;
  capabilities.model =
      config == nullptr ? options.model : string_or(*config, "model", options.model);
  ThinkTags tags;
  if (config != nullptr) {
    const std::string stored = string_or(*config, "think_tags");
    if (const std::size_t comma = stored.find(','); comma != std::string::npos) {
      tags = {stored.substr(0, comma), stored.substr(comma + 1)};
    }
  }
  plan.prices = prices_of_manifest(manifest);
  plan_samples(plan, options, "");
  R1_TRY(const std::unique_ptr<RunStore> store, RunStore::open(directory, manifest_text));
  R1_RETURN_IF_ERROR(record_sandbox(plan, *store));
  R1_TRY(GradedRun graded, grade_directory(plan, directory, {}));
  Report report;
  report.directory = directory;
  report.scores = score_tasks(plan, graded);
  report.json = regrade.json;
  add_thinking_notes(report.scores, tags, report.notes);
  add_code_notes(plan, graded, report);
  add_record_notes(graded, report);
  R1_RETURN_IF_ERROR(write_reports(plan, *store, graded, report, options, capabilities));
  return kExitOk;
}

}  // namespace

Result<RunOptions> options_of_run(const std::string& directory) {
  R1_TRY(const std::string text, read_manifest(directory));
  R1_TRY(const Json manifest, parse_json(text));
  const Json* stored = find_member(manifest, "options");
  if (stored == nullptr) {
    return fail(ErrorCode::kParse, fmt::format("{}/manifest.json has no 'options'", directory));
  }
  R1_TRY(RunOptions options, run_options_from_json(*stored));
  // An imported run brings its tasks along, in files beside its records.
  for (std::string& task : options.tasks) {
    if (task.starts_with(kTaskOfRun)) {
      task = directory + "/" + task.substr(kTaskOfRun.size());
    }
  }
  options.out = directory;
  options.command = string_or(manifest, "command");
  return options;
}

int run_evaluation(const RunOptions& options) {
  const Result<int> code = run_passes(options);
  return code ? *code : report_failure(code.error());
}

int grade_run(const RegradeOptions& options) {
  const Result<int> code = grade_passes(options);
  return code ? *code : report_failure(code.error());
}

}  // namespace r1eval
