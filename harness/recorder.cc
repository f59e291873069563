#include "harness/recorder.h"

#include <fmt/format.h>

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
  bool scored = false;
  bool correct = false;
  const PlannedTask& planned = plan_.tasks[static_cast<std::size_t>(sample.task)];
  const bool truncated = record.truncated;
  if (grade_ && planned.grader != nullptr && planned.grader->waits()) {
    to_grade_.try_push({index, std::move(record)});
  } else if (grade_) {
    Verdict verdict = grade_record(plan_, sample, record);
    scored = verdict.outcome != Outcome::kUnscored;
    correct = verdict.outcome == Outcome::kCorrect;
    verdicts_[static_cast<std::size_t>(index)] = std::move(verdict);
  }
  progress_.sample_done(tokens, truncated, scored, correct);
}

void Recorder::grade_waiting() {
  while (std::optional<Waiting> waiting = to_grade_.pop()) {
    const auto i = static_cast<std::size_t>(waiting->index);
    Verdict verdict = grade_record(plan_, plan_.samples[i], waiting->record);
    progress_.sample_graded(verdict.outcome != Outcome::kUnscored,
                            verdict.outcome == Outcome::kCorrect);
    verdicts_[i] = std::move(verdict);
  }
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
