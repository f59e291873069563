#include "harness/grading.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/parallel.h"
#include "base/waiting_threads.h"
#include "harness/import.h"
#include "results/run_store.h"
#include "results/text_metrics.h"

namespace r1eval {
namespace {

std::string sample_name(const std::string& task, const std::string& item, std::int64_t sample) {
  return fmt::format("{}\n{}\n{}", task, item, sample);
}

// The class of an answer in a vote, before equal wrong answers are found: all right answers are one
// class, the others stand by normal form.
std::string answer_class(const Verdict& verdict) {
  if (verdict.outcome == Outcome::kCorrect) {
    return "=";
  }
  if (verdict.outcome != Outcome::kIncorrect) {
    return "";
  }
  return "~" + (verdict.pred_form.empty() ? verdict.answer : verdict.pred_form);
}

// Wrong answers that the grader calls equal become one class of the vote: the class of the first of
// them in sample order. An item's samples stand side by side in the plan.
void merge_answer_classes(const Plan& plan, std::vector<std::optional<GradedSample>>& graded,
                          const std::vector<std::optional<GradeRecord>>& grades) {
  struct Item {
    std::size_t from;
    std::size_t to;
  };

  std::vector<Item> items;
  for (std::size_t i = 0; i < plan.samples.size(); ++i) {
    const bool same = i > 0 && plan.samples[i].task == plan.samples[i - 1].task &&
                      plan.samples[i].item == plan.samples[i - 1].item;
    if (!same) {
      items.push_back({i, i});
    }
    items.back().to = i + 1;
  }
  parallel_for_index(static_cast<std::int64_t>(items.size()), [&](std::int64_t which) {
    const Item& item = items[static_cast<std::size_t>(which)];
    const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(plan.samples[item.from].task)];
    if (item.to - item.from < 3 || planned.grader == nullptr) {
      return;  // a vote between two has no majority to find
    }
    std::vector<std::size_t> firsts;  // of the classes of wrong answers
    for (std::size_t i = item.from; i < item.to; ++i) {
      if (!graded[i] || graded[i]->answer_class.empty() || graded[i]->answer_class[0] != '~') {
        continue;
      }
      bool known = false;
      for (const std::size_t first : firsts) {
        known =
            graded[i]->answer_class == graded[first]->answer_class ||
            planned.grader->same_answer(grades[first]->verdict.answer, grades[i]->verdict.answer);
        if (known) {
          graded[i]->answer_class = graded[first]->answer_class;
          break;
        }
      }
      if (!known) {
        firsts.push_back(i);
      }
    }
  });
}

}  // namespace

SampleRecord make_record(const Plan& plan, const PlannedSample& sample, Completion completion,
                         const ThinkTags& tags) {
  const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(sample.task)];
  SampleRecord record;
  record.key = sample.key;
  record.task = planned.task.name;
  record.item = planned.data.items[static_cast<std::size_t>(sample.item)].id;
  record.sample = sample.sample;
  record.prompt_sha256 = sample.prompt_sha256;
  record.seed = sample.seed;
  record.target = planned.renderer->render(sample.item, sample.sample).target;

  ThinkingInput input;
  input.content = completion.content;
  input.reasoning = completion.reasoning;
  input.has_reasoning_field = completion.has_reasoning_field;
  input.prompt_opens_thinking = completion.prompt_opens_thinking;
  SplitThinking split = split_thinking(input, tags);
  record.has_thinking = split.has_thinking;
  record.thinking_closed = split.closed;
  record.stray_tags = split.stray_tags;

  record.finish_reason = completion.finish_reason;
  if (record.finish_reason == "stop" && completion.usage.completion >= sample.max_tokens) {
    record.finish_reason = "length";
  }
  record.stop_cause = std::move(completion.stop_cause);
  record.think_close_forced = completion.think_close_forced;
  record.continuation_logprobs = std::move(completion.continuation_logprobs);
  record.logprobs = std::move(completion.logprobs);
  // A sample that ended at its think budget was cut off as well.
  record.truncated = record.finish_reason == "length" || record.finish_reason == "think_budget";
  record.truncated_in_thinking = record.truncated && split.has_thinking && !split.closed;
  record.thinking = std::move(split.thinking);
  record.answer = std::move(split.answer);
  if (record.answer != completion.content) {
    record.raw = std::move(completion.content);
  }
  record.usage = completion.usage;
  record.cost = cost_of(plan.prices, record.usage);
  record.timings = completion.timings;
  record.attempts = completion.attempts;
  record.server_model = std::move(completion.server_model);
  record.system_fingerprint = std::move(completion.system_fingerprint);
  record.endpoint = std::move(completion.endpoint);
  return record;
}

Verdict grade_record(const Plan& plan, const PlannedSample& sample, const SampleRecord& record) {
  const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(sample.task)];
  Verdict verdict;
  if (record.is_foreign_trusted) {
    verdict.outcome = record.foreign_score >= 1 ? Outcome::kCorrect : Outcome::kIncorrect;
    verdict.rule = "trusted";
    verdict.evidence =
        fmt::format("another harness's score of {}, taken over", record.foreign_score);
    return verdict;
  }
  if (planned.grader == nullptr) {
    verdict.evidence = planned.grader_problem;
    return verdict;
  }
  const RenderedPrompt prompt = planned.renderer->render(sample.item, sample.sample);
  GradeRequest request;
  request.text = record.answer;
  request.target = prompt.target;
  request.choices = prompt.choices;
  request.is_truncated = record.truncated;
  const Item& item = planned.data.items[static_cast<std::size_t>(sample.item)];
  request.item = item.id;
  request.load_tests = [&] { return read_item_tests(planned.task, item); };
  if (request.target == kNoGold) {
    verdict.rule = "no_gold";
    verdict.evidence = "the imported records hold no gold for this item";
    return verdict;
  }
  if (const Status readable = planned.grader->check_target(request); !readable) {
    verdict.outcome = Outcome::kUnscored;
    verdict.rule = "unreadable_gold";
    verdict.evidence = readable.error().message;
    return verdict;
  }
  if (record.truncated_in_thinking) {
    verdict.outcome = Outcome::kNoAnswer;
    verdict.rule = kTruncatedInThinking;
    verdict.evidence = "the token limit was reached before the thinking ended";
    return verdict;
  }
  return planned.grader->grade(request);
}

std::int64_t grading_threads(const Plan& plan) {
  std::int64_t n = 0;
  for (const PlannedTask& planned : plan.tasks) {
    if (planned.grader != nullptr && planned.grader->waits()) {
      // One more than run at a time: while one waits for the next program, another reads its tests.
      n = std::max<std::int64_t>(n,
                                 planned.executor == nullptr ? 1 : planned.executor->slots() + 1);
    }
  }
  return n;
}

PlanIndex::PlanIndex(const Plan& plan) {
  for (std::size_t i = 0; i < plan.samples.size(); ++i) {
    const PlannedSample& sample = plan.samples[i];
    const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(sample.task)];
    index_.emplace(
        sample_name(planned.task.name, planned.data.items[static_cast<std::size_t>(sample.item)].id,
                    sample.sample),
        static_cast<std::int64_t>(i));
  }
}

std::int64_t PlanIndex::find(const std::string& task, const std::string& item,
                             std::int64_t sample) const {
  const auto found = index_.find(sample_name(task, item, sample));
  return found == index_.end() ? -1 : found->second;
}

Result<GradedRun> grade_directory(const Plan& plan, const std::string& directory,
                                  std::vector<std::optional<Verdict>> known) {
  const PlanIndex index(plan);
  const std::size_t n = plan.samples.size();
  known.resize(n);
  std::vector<std::optional<GradedSample>> graded(n);
  std::vector<std::optional<GradeRecord>> grades(n);
  std::vector<std::uint8_t> disagrees(n, 0);  // 1: another harness's verdict is ours, 2: is not

  // Texts are held only for a batch at a time: a run's records can be larger than memory.
  constexpr std::size_t kBatch = 1024;
  std::vector<std::pair<std::int64_t, SampleRecord>> batch;
  const auto expected_cost = [&](const std::pair<std::int64_t, SampleRecord>& entry) {
    const PlannedSample& sample = plan.samples[static_cast<std::size_t>(entry.first)];
    const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(sample.task)];
    const Item& item = planned.data.items[static_cast<std::size_t>(sample.item)];
    return std::max(static_cast<std::int64_t>(item.tests.size()), item.row_bytes);
  };
  const std::int64_t n_threads = grading_threads(plan);
  const auto grade_batch = [&] {
    const auto grade_one = [&](std::int64_t b) {
      const auto& [slot, record] = batch[static_cast<std::size_t>(b)];
      const auto i = static_cast<std::size_t>(slot);
      Verdict verdict =
          known[i] ? std::move(*known[i]) : grade_record(plan, plan.samples[i], record);
      GradedSample sample;
      sample.item = record.item;
      sample.sample = record.sample;
      sample.outcome = verdict.outcome;
      const PlannedTask& task = plan.tasks[static_cast<std::size_t>(plan.samples[i].task)];
      const bool has_votes = task.grader == nullptr || task.grader->has_votes();
      sample.answer_class = has_votes ? answer_class(verdict) : "";
      sample.truncated = record.truncated;
      sample.truncated_in_thinking = record.truncated_in_thinking;
      sample.has_thinking = record.has_thinking;
      sample.thinking_closed = record.thinking_closed;
      sample.stray_tags = record.stray_tags;
      sample.completion_tokens = record.usage.completion;
      sample.prompt_tokens = record.usage.prompt;
      sample.cached_tokens = record.usage.cached;
      sample.cost = record.cost >= 0 ? record.cost : cost_of(plan.prices, record.usage);
      sample.is_well_formed = (!record.has_thinking || record.thinking_closed) &&
                              !record.stray_tags && !record.answer.empty() &&
                              verdict.outcome != Outcome::kNoAnswer;
      sample.is_repeating = std::max(repeated_share(record.thinking),
                                     repeated_share(record.answer)) > kRepetitionLimit;
      sample.has_empty_thinking = record.has_thinking && record.thinking_closed &&
                                  record.thinking.find_first_not_of(" \t\r\n") == std::string::npos;
      const std::string& question =
          task.data.items[static_cast<std::size_t>(plan.samples[i].item)].question;
      sample.is_language_mixed =
          foreign_script_share(question, record.answer) > kLanguageMixLimit ||
          foreign_script_share(question, record.thinking) > kLanguageMixLimit;
      sample.score = record.is_foreign_trusted ? record.foreign_score : -1;
      disagrees[i] = record.foreign_score < 0 || record.is_foreign_trusted ||
                             verdict.outcome == Outcome::kUnscored
                         ? 0
                     : (record.foreign_score >= 0.5) == (verdict.outcome == Outcome::kCorrect) ? 1
                                                                                               : 2;
      sample.seconds = record.timings.total;
      graded[i] = std::move(sample);
      grades[i] = GradeRecord{record.task, record.item, record.sample, std::move(verdict),
                              record.truncated};
    };
    if (n_threads > 0) {
      // Programs run longest on the largest tests: those first, so that none is left for the end.
      std::stable_sort(batch.begin(), batch.end(), [&](const auto& a, const auto& b) {
        return expected_cost(a) > expected_cost(b);
      });
      run_on_waiting_threads(static_cast<std::int64_t>(batch.size()), n_threads, grade_one);
    } else {
      parallel_for_index(static_cast<std::int64_t>(batch.size()), grade_one);
    }
    batch.clear();
  };
  std::int64_t n_foreign = 0;
  GradedRun run;
  std::vector<bool> seen(n, false);
  const Status read = read_samples(directory, [&](SampleRecord&& record) {
    const std::int64_t slot = index.find(record.task, record.item, record.sample);
    if (slot < 0) {
      ++n_foreign;
      return ok_status();
    }
    if (seen[static_cast<std::size_t>(slot)]) {
      ++run.n_duplicates[record.task];
      return ok_status();
    }
    if (!record.prompt_sha256.empty()) {
      run.prompts[record.task].emplace(record.item, record.prompt_sha256.substr(0, 16));
    }
    seen[static_cast<std::size_t>(slot)] = true;
    batch.emplace_back(slot, std::move(record));
    if (batch.size() == kBatch) {
      grade_batch();
    }
    return ok_status();
  });
  if (!read) {
    return read.error();
  }
  grade_batch();
  if (n_foreign > 0) {
    log_warning(fmt::format("{} records in {} belong to no sample of this run and are left out",
                            n_foreign, directory));
  }

  merge_answer_classes(plan, graded, grades);
  for (std::size_t i = 0; i < n; ++i) {
    if (graded[i]) {
      const PlannedTask& planned = plan.tasks[static_cast<std::size_t>(plan.samples[i].task)];
      run.n_foreign[planned.task.name] += disagrees[i] > 0 ? 1 : 0;
      run.n_disagree[planned.task.name] += disagrees[i] == 2 ? 1 : 0;
      run.samples[planned.task.name].push_back(std::move(*graded[i]));
      run.grades.push_back(std::move(*grades[i]));
    }
  }
  return run;
}

std::vector<TaskScores> score_tasks(const Plan& plan, GradedRun& graded) {
  std::vector<TaskScores> scores;
  for (const PlannedTask& planned : plan.tasks) {
    std::map<std::string, ItemInfo> items;
    for (const std::int64_t i : planned.items) {
      const Item& item = planned.data.items[static_cast<std::size_t>(i)];
      items[item.id] = {item.cluster, item.stratum, item.metadata};
    }
    const std::int64_t n_planned = static_cast<std::int64_t>(planned.items.size()) * planned.k;
    TaskScores task =
        aggregate_task(planned.task.name, std::move(graded.samples[planned.task.name]), items,
                       planned.k, n_planned, planned.task.breakdown,
                       planned.grader == nullptr || planned.grader->has_votes());
    task.is_partial = task.is_partial || planned.is_partial;
    scores.push_back(std::move(task));
  }
  return scores;
}

}  // namespace r1eval
