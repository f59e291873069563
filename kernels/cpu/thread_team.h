// A fixed team of threads that divides the loops of one forward step.
//
// The problem  A decode step of a small model is some 250 parallel loops of 2 to 50 microseconds.
//   A task queue pays allocation, stealing and wake-up for each. Threads that meet at a barrier
//   after each wait for whoever was descheduled, whether or not there was anything left to do for
//   it: a foreign process on one of two cores then takes more than half of the speed.
// The idea  One thread, the caller of run(), walks the step. It publishes each loop as chunks that
//   any thread claims from one atomic word, works itself, and waits for claimed chunks only: a
//   helper that sleeps or was descheduled between two chunks holds up nobody. A loop of a single
//   chunk is not published at all. Waiters spin briefly, then give way to others, then sleep.
//   What remains is a helper that is descheduled within a chunk, for some milliseconds each time.
//   So the caller watches which share of the time it gets on. Where that falls below
//   kWorthwhile, one helper sits out for a while (kFirstBench, doubled up to kLongestBench each
//   time that this is found again), which leaves its core to the foreign process.
// Measured  docs/engine.md; against tbb::parallel_for and barriers: docs/decisions/thread-team.md.
// Threads   one caller at a time; loops are not nested. What the caller wrote is visible to the
//   chunks, and what they wrote to the caller when phase() returns.
// Tested    tests/engine/cpu/thread_team_test.cc
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
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

  // Threads that work at the moment: size() less those that sit out.
  int active() const { return active_.load(std::memory_order_relaxed); }

  // Calls work(), within which phase() may be called.
  template <typename Work>
  void run(const Work& work) {
    begin_run();
    work();
    end_run();
  }

  // body(begin, end) for chunks of at most `grain` that cover [0, n), each by one thread.
  // `body` must not throw.
  template <typename Body>
  void phase(std::int64_t n, std::int64_t grain, const Body& body) {
    if (n <= grain || active() == 1) {
      if (n > 0) {
        body(std::int64_t{0}, n);
      }
      return;
    }
    const auto call = [](const void* of, std::int64_t begin, std::int64_t end) {
      (*static_cast<const Body*>(of))(begin, end);
    };
    divide({call, &body, n, grain});
  }

 private:
  struct Loop {
    void (*call)(const void* body, std::int64_t begin, std::int64_t end) = nullptr;
    const void* body = nullptr;
    std::int64_t n = 0;
    std::int64_t grain = 1;
  };

  using Clock = std::chrono::steady_clock;

  void divide(const Loop& loop);
  // Works on the published loop until no chunk is left unclaimed; how many it did.
  std::uint32_t help();
  // Until so many chunks were reported by others.
  void wait_for_claimed(std::uint32_t n_others);
  void begin_run();
  void end_run();
  void judge(Clock::time_point now);
  void set_active(int n);
  void worker(int index);

  const int n_threads_;
  // On cache lines of their own: each is written by several threads in every loop.
  // The number of the loop in the high half, chunks that nobody claimed yet in the low one.
  alignas(64) std::atomic<std::uint64_t> unclaimed_{0};
  alignas(64) std::atomic<std::uint32_t> finished_{0};  // chunks of the loop, by helpers
  // Changes with every loop. Helpers sleep on it, those that sit out on active_.
  alignas(64) std::atomic<std::uint32_t> published_{0};
  std::atomic<int> active_;
  std::atomic<bool> stop_{false};
  Loop loop_;  // may be read by who has claimed a chunk of it
  std::uint32_t loop_number_ = 0;

  // The caller's books of the current window, within run() only.
  Clock::time_point mark_;
  double cpu_mark_ = 0;
  double wall_s_ = 0;
  double useful_s_ = 0;  // processor time of the caller outside long waits
  Clock::time_point benched_until_;
  Clock::duration bench_;
  std::vector<std::thread> threads_;
};

}  // namespace r1eval::cpu
