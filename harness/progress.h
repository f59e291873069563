// Progress of a long run: one line that is rewritten on a terminal, a plain line a minute without.
//
// The time left is estimated from tokens, not from counts: long answers finish last, so a count of
// samples is too hopeful. Threads: update() from any; an own thread prints.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

#include "base/cancel.h"

namespace r1eval {

struct ProgressCounts {
  std::int64_t done = 0;   // samples recorded in this call
  std::int64_t total = 0;  // samples that this call set out to bring
  std::int64_t failed = 0;
  std::int64_t in_flight = 0;
  std::int64_t tokens = 0;  // completion tokens of the done samples
  std::int64_t truncated = 0;
  std::int64_t correct = 0;
  std::int64_t scored = 0;
};

// "12/120 done, 8 in flight, 350 tok/s, score 41.7 %, 2 truncated, about 1:23 left".
// `seconds` since the start of generation.
std::string progress_line(const ProgressCounts& counts, double seconds);

class Progress {
 public:
  // Nothing is printed when `quiet`.
  Progress(std::int64_t total, bool quiet, const CancelToken& cancel);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void request_sent();
  void sample_done(std::int64_t tokens, bool truncated);  // it was recorded
  void sample_scored(bool correct);  // the grader gave a verdict other than unscored
  void sample_failed();
  ProgressCounts counts() const;

 private:
  void print_loop();

  const bool quiet_;
  const bool is_terminal_;
  const double start_;
  const CancelToken& cancel_;
  mutable std::mutex mutex_;  // guards counts_ and ended_
  std::condition_variable wake_;
  ProgressCounts counts_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace r1eval
