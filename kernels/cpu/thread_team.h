// A fixed team of threads that walks the phases of one forward step together.
//
// The problem  A decode step of a small model is some 250 parallel phases of 2 to 50 microseconds.
// A
//   task queue pays allocation, stealing and wake-up for each; a pure spin barrier is fast alone
//   and ruinous when another process holds one of the cores (the spinner burns the time slice that
//   its late partner needs).
// The idea  run() wakes the team once per step. Inside, each phase hands out chunks through one
// atomic
//   counter, so a thread that was delayed simply takes fewer, and ends with a barrier whose waiters
//   spin briefly, then give way to others, then sleep.
// Measured  docs/engine.md, against tbb::parallel_for: docs/decisions/ has the page.
// Threads   one caller at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace r1eval::cpu {

class ThreadTeam {
 public:
  explicit ThreadTeam(int n_threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  int size() const { return n_threads_; }

  // Calls work(thread index) once on every thread, index 0 on the caller, and waits for all. `work`
  // must not throw, and all threads must pass the same sequence of phases.
  void run(const std::function<void(int)>& work);

  // Within run(): body(begin, end) for chunks of at most `grain` that cover [0, n), each by one
  // thread, then a barrier: what any thread wrote is visible to all afterwards.
  template <typename Body>
  void phase(std::int64_t n, std::int64_t grain, const Body& body) {
    if (n_threads_ == 1) {
      if (n > 0) {
        body(std::int64_t{0}, n);
      }
      return;
    }
    // Relaxed: the chunks are independent, the barrier orders everything else.
    for (std::int64_t begin = next_.fetch_add(grain, std::memory_order_relaxed); begin < n;
         begin = next_.fetch_add(grain, std::memory_order_relaxed)) {
      body(begin, begin + grain < n ? begin + grain : n);
    }
    barrier();
  }

 private:
  void barrier();
  void worker(int index);
  static void wait_while_equal(const std::atomic<std::uint32_t>& value, std::uint32_t old);

  const int n_threads_;
  // Each on a cache line of its own: they are written by all threads in every phase.
  alignas(64) std::atomic<std::int64_t> next_{0};
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::uint32_t> job_{0};
  const std::function<void(int)>* work_ = nullptr;  // published by job_
  bool stop_ = false;                               // published by job_
  std::vector<std::thread> threads_;
};

}  // namespace r1eval::cpu
