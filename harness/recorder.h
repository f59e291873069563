// Between the plan and a backend: the samples still to be generated go in, what comes back is
// recorded and graded.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/bounded_queue.h"
#include "base/cancel.h"
#include "base/parallel.h"
#include "engine/backend.h"
#include "harness/grading.h"
#include "harness/plan.h"
#include "harness/progress.h"
#include "results/run_store.h"

namespace r1eval {

// Hands the samples that are still missing to the backend, one at a time, so that none is rendered
// long before it is sent.
class MissingSamples : public RequestSource {
 public:
  MissingSamples(const Plan& plan, const RunOptions& options, std::vector<std::int64_t> missing,
                 std::string prefix, Progress& progress, const CancelToken& cancel)
      : plan_(plan),
        options_(options),
        missing_(std::move(missing)),
        prefix_(std::move(prefix)),
        progress_(progress),
        cancel_(cancel) {}

  std::optional<GenerateRequest> next() override {
    if (cancel_.is_draining() || at_ == missing_.size()) {
      return std::nullopt;
    }
    progress_.request_sent();
    return make_request(plan_, options_, missing_[at_++], prefix_);
  }

  std::int64_t n_sent() const { return static_cast<std::int64_t>(at_); }

 private:
  const Plan& plan_;
  const RunOptions& options_;
  const std::vector<std::int64_t> missing_;
  const std::string prefix_;
  Progress& progress_;
  const CancelToken& cancel_;
  std::size_t at_ = 0;  // only next() touches it, which is called by one thread at a time
};

// Takes completions from the backend's threads and records them on one thread of its own; grading
// follows in the background, so that a crash in between costs a grade, never a sample, and a slow
// verdict never holds up a record. Graders that wait for programs have threads of their own; what
// these cannot take in time is left without a verdict here and graded after the run.
class Recorder : public CompletionSink {
 public:
  Recorder(const Plan& plan, RunStore& store, const ThinkTags& tags, Progress& progress,
           CancelToken& cancel, bool grade)
      : plan_(plan),
        store_(store),
        tags_(tags),
        progress_(progress),
        cancel_(cancel),
        grade_(grade),
        verdicts_(plan.samples.size()),
        to_grade_(kMaxUngraded),
        queue_(kCapacity),
        thread_([this] { work(); }) {
    for (std::int64_t i = 0; grade && i < grading_threads(plan); ++i) {
      grading_threads_.emplace_back([this] { grade_waiting(); });
    }
  }

  ~Recorder() override { finish(); }

  void done(std::int64_t index, Completion completion) override {
    queue_.push({index, std::move(completion)});
  }

  // Waits until everything handed over is on disk and graded. After it the results below may be
  // read.
  void finish() {
    queue_.close();
    if (thread_.joinable()) {
      thread_.join();
    }
    if (cancel_.is_draining()) {
      to_grade_.clear_and_close();
    } else {
      to_grade_.close();
    }
    for (std::thread& thread : grading_threads_) {
      thread.join();
    }
    grading_threads_.clear();
    grading_.wait();
  }

  std::vector<std::optional<Verdict>> take_verdicts() { return std::move(verdicts_); }

  const Status& status() const { return status_; }

  std::int64_t n_failed() const { return n_failed_; }

  // The first few errors of failed requests, each with its sample's name.
  const std::vector<std::string>& failures() const { return failures_; }

  std::int64_t n_configuration_errors() const { return n_configuration_errors_; }

 private:
  struct Done {
    std::int64_t index;
    Completion completion;
  };

  struct Waiting {
    std::int64_t index;
    SampleRecord record;
  };

  static constexpr std::size_t kCapacity = 1024;
  // Records that wait for their verdict hold their texts in memory; past this the recorder grades
  // too, or leaves programs for later.
  static constexpr std::int64_t kMaxUngraded = 256;

  void grade_waiting();

  void work() {
    while (std::optional<Done> done = queue_.pop()) {
      take(done->index, std::move(done->completion));
    }
  }

  void take(std::int64_t index, Completion completion);
  void grade(std::int64_t index, const SampleRecord& record);
  void take_failure(const PlannedSample& sample, const Completion& completion);

  const Plan& plan_;
  RunStore& store_;
  const ThinkTags tags_;
  Progress& progress_;
  CancelToken& cancel_;
  const bool grade_;
  // A slot a sample, each written by one task, read after finish().
  std::vector<std::optional<Verdict>> verdicts_;
  std::atomic<std::int64_t> n_ungraded_{0};  // a hint, so relaxed
  BackgroundTasks grading_;
  // Written by thread_ alone, read after finish().
  Status status_;
  std::int64_t n_failed_ = 0;
  std::int64_t n_configuration_errors_ = 0;
  std::vector<std::string> failures_;
  BoundedQueue<Waiting> to_grade_;
  std::vector<std::thread> grading_threads_;
  BoundedQueue<Done> queue_;
  std::thread thread_;
};

}  // namespace r1eval
