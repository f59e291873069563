#include "harness/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/parallel.h"

namespace r1eval {
namespace {

constexpr std::int64_t kDefaultMaxTokens = 32768;

std::string stratum_of(const Item& item) {
  if (!item.stratum.empty()) {
    return item.stratum;
  }
  const auto subject = item.metadata.find("subject");
  return subject == item.metadata.end() ? std::string() : subject->second;
}

std::vector<std::int64_t> choose_items(const RunOptions& options, const Task& task,
                                       const std::vector<Item>& items) {
  std::vector<std::int64_t> all(items.size());
  std::iota(all.begin(), all.end(), std::int64_t{0});
  if (options.limit.empty()) {
    return all;
  }
  const double value = std::strtod(options.limit.c_str(), nullptr);
  const auto n_all = static_cast<double>(items.size());
  const double wanted = options.limit.back() == '%' ? std::ceil(value / 100 * n_all) : value;
  return sample_items(items, static_cast<std::int64_t>(std::min(wanted, n_all)), options.seed,
                      task.name);
}

Result<std::vector<std::int64_t>> named_items(const RunOptions& options, const Task& task,
                                              const std::vector<Item>& items) {
  const std::set<std::string> wanted(options.items.begin(), options.items.end());
  std::vector<std::int64_t> chosen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (wanted.contains(items[i].id)) {
      chosen.push_back(static_cast<std::int64_t>(i));
    }
  }
  if (chosen.empty()) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("--items: none of the {} ids is an item of {}; ids there look like '{}'",
                    wanted.size(), task.name, items.empty() ? "" : items.front().id));
  }
  return chosen;
}

// Golds are checked before a request is spent on them.
void check_targets(PlannedTask& planned) {
  for (const std::int64_t index : planned.items) {
    const Item& item = planned.data.items[static_cast<std::size_t>(index)];
    GradeRequest request;
    request.target = item.target;
    request.choices = item.choices;
    request.item = item.id;
    request.load_tests = [&] { return read_item_tests(planned.task, item); };
    if (const Status status = planned.grader->check_target(request); !status) {
      planned.unscored_items.push_back(item.id + ": " + status.error().message);
    }
  }
}

// What the flags change in a task's definition.
Task with_options(Task task, const RunOptions& options) {
  if (options.release > 0 && task.release > 0) {
    task.release = options.release;
  }
  if (const std::size_t dots = options.window.find("..");
      dots != std::string::npos && !task.filter.column.empty() && !task.filter.is_numeric) {
    task.filter.since = options.window.substr(0, dots);
    task.filter.until = options.window.substr(dots + 2);
  }
  if (task.grader.grader == "code") {
    if (!options.code_profile.empty()) {
      task.grader.profile = options.code_profile;
    }
    if (!options.code_extraction.empty()) {
      task.grader.extraction = options.code_extraction;
    }
  }
  return task;
}

// Fills `planned` in place: its renderer refers to the task and data beside it.
Status load_task(const RunOptions& options, const Task& task, const DatasetStore& store,
                 const ExecutorSource& open_executor, PlannedTask& planned) {
  planned.task = with_options(task, options);
  if (planned.task.grader.grader == "code" && !options.dry_run) {
    Result<std::shared_ptr<CodeExecutor>> executor =
        open_executor ? open_executor()
                      : fail(ErrorCode::kUnsupported,
                             "its answers are programs, and there is no sandbox to run them in");
    if (executor) {
      planned.executor = std::move(executor).value();
    } else {
      planned.grader_problem = executor.error().message;
    }
  }
  if (planned.grader_problem.empty()) {
    Result<std::unique_ptr<Grader>> grader = make_grader(planned.task.grader, planned.executor);
    if (!grader) {
      return grader.error().with_context("task " + task.name);
    }
    planned.grader = std::move(grader).value();
  }
  R1_TRY(planned.data, store.load(planned.task));
  if (options.items.empty()) {
    planned.items = choose_items(options, task, planned.data.items);
  } else {
    R1_TRY(planned.items, named_items(options, task, planned.data.items));
  }
  planned.is_partial = planned.items.size() < planned.data.items.size();
  planned.k = options.k.value_or(task.k);
  planned.max_tokens =
      options.max_tokens.value_or(task.max_tokens > 0 ? task.max_tokens : kDefaultMaxTokens);
  planned.max_tokens_explicit = options.max_tokens.has_value();
  planned.temperature = options.temperature.value_or(task.temperature);
  planned.top_p = options.top_p.value_or(task.top_p);

  RenderOptions render;
  render.run_seed = options.seed;
  render.k = planned.k;
  render.shuffle = options.shuffle;
  render.directive_position = options.directive;
  render.prompt_variant = options.prompt_variant;
  render.system_prompt = options.system_prompt;
  render.n_shots = options.n_shots;
  R1_TRY(planned.renderer, PromptRenderer::create(planned.task, planned.data, render));
  if (planned.grader != nullptr) {
    check_targets(planned);
  }
  return ok_status();
}

std::string sampler_text(const RunOptions& o, const PlannedTask& planned) {
  const auto number = [](const auto& value) {
    return value ? format_double(static_cast<double>(*value)) : std::string("-");
  };
  std::string text = fmt::format("t={} p={} k={} minp={} max={} effort={} kwargs={} extra={}",
                                 format_double(planned.temperature), format_double(planned.top_p),
                                 number(o.top_k), number(o.min_p), planned.max_tokens,
                                 o.reasoning_effort, o.chat_template_kwargs, o.extra_body);
  for (const std::string& stop : o.stop) {
    text += " stop=" + stop;
  }
  if (o.think_budget > 0) {
    text += fmt::format(" think={}{}", o.think_budget, o.force_think_close ? "" : " ends");
  }
  for (const std::string& omit : o.omit) {
    text += " omit=" + omit;
  }
  return text;
}

// Tokens that a prompt surely needs at least, and surely does not exceed, when nobody can count
// them: byte-level BPE takes 3 to 5 bytes of English a token, seldom under 2 in mathematics and
// code.
std::int64_t low_estimate(std::int64_t bytes) {
  return bytes / 6;
}

std::int64_t high_estimate(std::int64_t bytes) {
  return bytes / 2 + 64;
}

std::int64_t prompt_bytes(const std::vector<ChatMessage>& messages) {
  std::size_t n = 0;
  for (const ChatMessage& message : messages) {
    n += message.content.size();
  }
  return static_cast<std::int64_t>(n);
}

}  // namespace

std::vector<std::int64_t> sample_items(const std::vector<Item>& items, std::int64_t n,
                                       std::uint64_t seed, const std::string& task) {
  std::map<std::string, std::vector<std::pair<std::uint64_t, std::int64_t>>> strata;
  const std::string seed_text = std::to_string(seed);
  for (std::size_t i = 0; i < items.size(); ++i) {
    strata[stratum_of(items[i])].emplace_back(
        stable_hash64({"limit", seed_text, task, items[i].id}), static_cast<std::int64_t>(i));
  }

  // Largest remainder: every stratum gets the whole part of its share, the rest goes to the largest
  // fractions, ties by a hash so that no stratum is always first.
  struct Share {
    std::int64_t whole;
    double fraction;
    std::uint64_t tie;
    std::vector<std::pair<std::uint64_t, std::int64_t>>* members;
  };

  std::vector<Share> shares;
  std::int64_t given = 0;
  for (auto& [name, members] : strata) {
    std::sort(members.begin(), members.end());
    const double share = static_cast<double>(n) * static_cast<double>(members.size()) /
                         static_cast<double>(items.size());
    const auto whole = static_cast<std::int64_t>(std::floor(share));
    shares.push_back({whole, share - static_cast<double>(whole),
                      stable_hash64({"stratum", seed_text, task, name}), &members});
    given += whole;
  }
  std::sort(shares.begin(), shares.end(), [](const Share& a, const Share& b) {
    return a.fraction != b.fraction ? a.fraction > b.fraction : a.tie < b.tie;
  });
  std::vector<std::int64_t> chosen;
  for (Share& share : shares) {
    std::int64_t take = share.whole;
    if (given < n && take < static_cast<std::int64_t>(share.members->size())) {
      ++take;
      ++given;
    }
    for (std::int64_t i = 0; i < take; ++i) {
      chosen.push_back((*share.members)[static_cast<std::size_t>(i)].second);
    }
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

Result<Plan> load_plan(const RunOptions& options, const TaskRegistry& registry,
                       const DatasetStore& store, const ExecutorSource& open_executor) {
  std::vector<std::string> names = options.tasks;
  if (!options.suite.empty()) {
    R1_TRY(const Suite suite, registry.find_suite(options.suite));
    names = suite.tasks;
  }
  std::vector<Task> tasks;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    R1_TRY(Task task, registry.find(name));
    if (!seen.insert(task.name).second) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("--task names {} twice", task.name));
    }
    tasks.push_back(std::move(task));
  }

  // Everything that is missing is said at once, so that one round of fetching suffices.
  std::string missing;
  for (const Task& task : tasks) {
    if (!store.has(with_options(task, options))) {
      missing += (missing.empty() ? "" : ", ") + task.name;
    }
  }
  if (!missing.empty()) {
    const std::string what = options.suite.empty() ? missing : options.suite;
    return fail(
        ErrorCode::kNotFound,
        fmt::format("no data for {} under {}: bring it with `r1eval data fetch {}`, or with "
                    "`r1eval data import {} PATH` from files that you have",
                    missing, store.root(), what, what));
  }

  // One sandbox for all tasks, opened when the first one wants it.
  std::optional<Result<std::shared_ptr<CodeExecutor>>> opened;
  const ExecutorSource open_once = [&]() -> Result<std::shared_ptr<CodeExecutor>> {
    if (!opened) {
      opened = open_executor();
    }
    return *opened;
  };
  Plan plan;
  std::string refused;
  std::string runnable;
  plan.tasks.reserve(tasks.size());  // addresses stay: renderers refer into the elements
  for (const Task& task : tasks) {
    PlannedTask& planned = plan.tasks.emplace_back();
    R1_RETURN_IF_ERROR(
        load_task(options, task, store, open_executor ? open_once : ExecutorSource(), planned));
    if (planned.grader == nullptr) {
      refused +=
          fmt::format("{}{}: {}", refused.empty() ? "" : "; ", task.name, planned.grader_problem);
    } else {
      runnable += (runnable.empty() ? "" : ",") + task.name;
    }
  }
  if (!refused.empty() && !options.no_grade && !options.dry_run) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("cannot grade {}. No request was sent. {}use --no-grade to record "
                    "completions without a score",
                    refused, runnable.empty() ? "Fix: " : "Fix: run --task " + runnable + ", or "));
  }
  return plan;
}

void plan_samples(Plan& plan, const RunOptions& options, const std::string& model_identity) {
  plan.samples.clear();
  for (std::size_t t = 0; t < plan.tasks.size(); ++t) {
    const PlannedTask& planned = plan.tasks[t];
    for (const std::int64_t item : planned.items) {
      for (std::int64_t s = 0; s < planned.k; ++s) {
        PlannedSample sample;
        sample.task = static_cast<std::int32_t>(t);
        sample.item = item;
        sample.sample = s;
        sample.max_tokens = planned.max_tokens;
        plan.samples.push_back(std::move(sample));
      }
    }
  }
  std::vector<std::string> samplers;
  for (const PlannedTask& planned : plan.tasks) {
    samplers.push_back(sampler_text(options, planned));
  }
  const std::string run_seed = std::to_string(options.seed);
  parallel_for_index(
      static_cast<std::int64_t>(plan.samples.size()),
      [&](std::int64_t i) {
        PlannedSample& sample = plan.samples[static_cast<std::size_t>(i)];
        const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(sample.task)];
        const std::string& id = planned.data.items[static_cast<std::size_t>(sample.item)].id;
        const RenderedPrompt prompt = planned.renderer->render(sample.item, sample.sample);
        const std::string number = std::to_string(sample.sample);
        sample.prompt_sha256 = prompt.sha256;
        // 31 bits: some servers read the seed into a signed 32-bit integer.
        sample.seed = stable_hash64({"sample", run_seed, planned.task.name, id, number}) >> 33;
        if (!model_identity.empty()) {
          sample.key = fmt::format(
              "{:016x}",
              stable_hash64({planned.task.name, id, number, model_identity, prompt.sha256,
                             samplers[static_cast<std::size_t>(sample.task)], run_seed}));
        }
      },
      16);
}

Status bound_max_tokens(Plan& plan, const Backend& backend, const RunOptions& options,
                        std::vector<std::string>& notes) {
  const std::int64_t context = backend.capabilities().context_tokens;
  if (context <= 0) {
    notes.push_back("the endpoint does not state its context length: max_tokens is sent as it is");
    return ok_status();
  }
  // All samples of an item have prompts of nearly the same length (choices in another order), but a
  // bound must hold for each of them.
  for (std::size_t i = 0; i < plan.samples.size(); ++i) {
    PlannedSample& sample = plan.samples[i];
    const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(sample.task)];
    const std::string& id = planned.data.items[static_cast<std::size_t>(sample.item)].id;
    const GenerateRequest request = make_request(plan, options, static_cast<std::int64_t>(i), "");
    const std::int64_t counted = backend.count_prompt_tokens(request);
    const std::int64_t bytes = prompt_bytes(request.messages);
    const std::int64_t surely = counted >= 0 ? counted : low_estimate(bytes);
    const std::int64_t at_most = counted >= 0 ? counted : high_estimate(bytes);
    if (surely + 1 > context) {
      return fail(
          ErrorCode::kResourceExhausted,
          fmt::format("{} item {}: its prompt needs {} tokens, the model's context holds {}: "
                      "leave it out (--items) or use a model with a longer context",
                      planned.task.name, id, surely, context));
    }
    if (planned.max_tokens_explicit && surely + sample.max_tokens > context) {
      return fail(
          ErrorCode::kResourceExhausted,
          fmt::format("--max-tokens {}: {} item {} has a prompt of {}{} tokens, and the "
                      "model's context holds {} in all: use --max-tokens {} or less, or leave "
                      "the flag out to use what the context allows",
                      sample.max_tokens, planned.task.name, id, counted >= 0 ? "" : "at least ",
                      surely, context, context - surely));
    }
    const std::int64_t room = std::max<std::int64_t>(1, context - at_most);
    if (!planned.max_tokens_explicit && room < sample.max_tokens) {
      sample.max_tokens = room;
    }
  }
  for (std::size_t t = 0; t < plan.tasks.size(); ++t) {
    std::int64_t low = plan.tasks[t].max_tokens;
    for (const PlannedSample& sample : plan.samples) {
      if (sample.task == static_cast<std::int32_t>(t)) {
        low = std::min(low, sample.max_tokens);
      }
    }
    if (low < plan.tasks[t].max_tokens) {
      notes.push_back(
          fmt::format("{}: max_tokens {} is limited by the context of {} tokens, to {} at "
                      "the longest prompt",
                      plan.tasks[t].task.name, plan.tasks[t].max_tokens, context, low));
    }
  }
  return ok_status();
}

Status check_abilities(const Plan& plan, const RunOptions& options,
                       const Capabilities& capabilities) {
  if (capabilities.is_endpoint && (options.think_budget > 0 || options.logprobs >= 0)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: only the embedded engine can do this, {} is an endpoint",
                            options.think_budget > 0 ? "--think-budget" : "--logprobs",
                            capabilities.model));
  }
  for (const PlannedTask& planned : plan.tasks) {
    const bool is_scored = planned.task.prompt.style == "choice_loglikelihood";
    if (is_scored && !capabilities.can_score) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("task {} reads the log-probabilities of given continuations, which "
                              "{} cannot give (a chat endpoint puts every text into its template): "
                              "use a model file, or the generative task {}",
                              planned.task.name, capabilities.model, planned.task.data_of));
    }
    if (!is_scored && !capabilities.chat_problem.empty()) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("task {}: {}", planned.task.name, capabilities.chat_problem));
    }
  }
  return ok_status();
}

GenerateRequest make_request(const Plan& plan, const RunOptions& options, std::int64_t index,
                             const std::string& assistant_prefix) {
  const PlannedSample& sample = plan.samples[static_cast<std::size_t>(index)];
  const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(sample.task)];
  RenderedPrompt prompt = planned.renderer->render(sample.item, sample.sample);
  GenerateRequest request;
  request.index = index;
  request.group = planned.task.name + "/" + prompt.sha256;
  request.messages = std::move(prompt.messages);
  request.assistant_prefix = prompt.continuations.empty() ? assistant_prefix : "";
  request.continuations = std::move(prompt.continuations);
  GenerateConfig& config = request.config;
  config.temperature = planned.temperature;
  config.top_p = planned.top_p;
  // Protocol r1 names neutral values, so that a server's own defaults cannot move a score.
  config.top_k = options.top_k.value_or(0);
  config.min_p = options.min_p.value_or(0);
  config.presence_penalty = 0;
  config.frequency_penalty = 0;
  config.repetition_penalty = 1;
  config.max_tokens = sample.max_tokens;
  config.seed = sample.seed;
  config.stop = options.stop;
  config.think_budget = options.think_budget;
  config.force_think_close = options.force_think_close;
  config.logprobs = options.logprobs;
  config.reasoning_effort = options.reasoning_effort;
  config.chat_template_kwargs = options.chat_template_kwargs;
  config.extra_body = options.extra_body;
  return request;
}

}  // namespace r1eval
