// The team's barrier and wake-up. See thread_team.h.
#include "kernels/cpu/thread_team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace r1eval::cpu {

namespace {

constexpr int kSpins = 1500;  // some 20 to 40 microseconds: longer than most phases
constexpr int kYields = 50;   // then the core is somebody else's for as long as they need it

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace

ThreadTeam::ThreadTeam(int n_threads) : n_threads_(n_threads < 1 ? 1 : n_threads) {
  for (int i = 1; i < n_threads_; ++i) {
    threads_.emplace_back([this, i] { worker(i); });
  }
}

ThreadTeam::~ThreadTeam() {
  stop_ = true;
  job_.fetch_add(1, std::memory_order_release);
  job_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

// Returns once `value` differs from `old`; acquires what the writer released.
void ThreadTeam::wait_while_equal(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) {
      return;
    }
    pause();
  }
  for (int i = 0; i < kYields; ++i) {
    if (value.load(std::memory_order_acquire) != old) {
      return;
    }
    std::this_thread::yield();
  }
  value.wait(old, std::memory_order_acquire);
}

void ThreadTeam::barrier() {
  const std::uint32_t generation = generation_.load(std::memory_order_relaxed);
  // acq_rel: the last to arrive sees all writes of the phase and passes them on.
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == n_threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    next_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    return;
  }
  wait_while_equal(generation_, generation);
}

void ThreadTeam::run(const std::function<void(int)>& work) {
  if (n_threads_ == 1) {
    work(0);
    return;
  }
  work_ = &work;
  job_.fetch_add(1, std::memory_order_release);
  job_.notify_all();
  work(0);
  barrier();
}

void ThreadTeam::worker(int index) {
  std::uint32_t seen = 0;
  while (true) {
    wait_while_equal(job_, seen);
    seen = job_.load(std::memory_order_acquire);
    if (stop_) {
      return;
    }
    (*work_)(index);
    barrier();
  }
}

}  // namespace r1eval::cpu
