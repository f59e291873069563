#include "harness/recorder.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "base/json.h"
#include "base/log.h"

namespace r1eval {

void Recorder::take(std::int64_t index, Completion completion) {
  const PlannedSample& sample = plan_.samples[static_cast<std::size_t>(index)];
  if (completion.error) {
    take_failure(sample, completion);
    return;
  }
  const std::int64_t tokens = completion.usage.completion;
  SampleRecord record = make_record(plan_, sample, std::move(completion), tags_);
  if (status_.has_value()) {
    status_ = store_.append_sample(record);
    if (!status_) {
      log_error(status_.error().message + "; stopping, what was recorded before is kept");
      cancel_.stop();
    }
  }
  if (!status_) {
    progress_.sample_failed();
    return;
  }
  progress_.sample_done(tokens, record.truncated);
  if (!grade_) {
    return;
  }
  const PlannedTask& planned = plan_.tasks[static_cast<std::size_t>(sample.task)];
  if (planned.grader != nullptr && planned.grader->waits()) {
    to_grade_.try_push({index, std::move(record)});
    return;
  }
  if (n_ungraded_.load(std::memory_order_relaxed) >= kMaxUngraded) {
    grade(index, record);
    return;
  }
  n_ungraded_.fetch_add(1, std::memory_order_relaxed);
  grading_.run([this, index, record = std::make_shared<const SampleRecord>(std::move(record))] {
    grade(index, *record);
    n_ungraded_.fetch_sub(1, std::memory_order_relaxed);
  });
}

void Recorder::grade_waiting() {
  while (std::optional<Waiting> waiting = to_grade_.pop()) {
    grade(waiting->index, waiting->record);
  }
}

void Recorder::grade(std::int64_t index, const SampleRecord& record) {
  const auto slot = static_cast<std::size_t>(index);
  Verdict verdict = grade_record(plan_, plan_.samples[slot], record);
  if (verdict.outcome != Outcome::kUnscored) {
    progress_.sample_scored(verdict.outcome == Outcome::kCorrect);
  }
  verdicts_[slot] = std::move(verdict);
}

void Recorder::take_failure(const PlannedSample& sample, const Completion& completion) {
  const PlannedTask& planned = plan_.tasks[static_cast<std::size_t>(sample.task)];
  const std::string& id = planned.data.items[static_cast<std::size_t>(sample.item)].id;
  ++n_failed_;
  if (completion.error->code == ErrorCode::kInvalidArgument) {
    ++n_configuration_errors_;
  }
  if (failures_.size() < 5) {
    failures_.push_back(fmt::format("{} item {} sample {}: {}", planned.task.name, id,
                                    sample.sample, completion.error->message));
  }
  OrderedJson event;
  event["event"] = "request_failed";
  event["task"] = planned.task.name;
  event["item"] = id;
  event["sample"] = sample.sample;
  event["attempts"] = completion.attempts;
  event["code"] = error_code_name(completion.error->code);
  event["error"] = redact(completion.error->message);
  if (const Status status = store_.append_event(dump_json(event)); !status) {
    log_warning(status.error().message);
  }
  progress_.sample_failed();
}

}  // namespace r1eval
