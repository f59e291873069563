// Publishing, claiming and waiting; when a helper sits out. See thread_team.h.
#include "kernels/cpu/thread_team.h"

#include <ctime>

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace r1eval::cpu {

namespace {

constexpr int kSpins = 1500;  // some 20 to 40 microseconds: longer than most loops
constexpr int kYields = 50;   // then the core is somebody else's for as long as they need it

// The caller must get on for this share of its time. Descheduled for half of the time on one of two
// cores, a team that waits for its helper has 0.4 to 0.5; loops that do not divide evenly have 0.9.
constexpr double kWorthwhile = 0.75;
constexpr double kWindow_s = 0.02;  // some time slices of the system
constexpr std::chrono::milliseconds kFirstBench{40};
constexpr std::chrono::milliseconds kLongestBench{640};  // so that a window of trying costs 3 %

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Processor time of the calling thread.
double cpu_seconds() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

bool spin(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) {
      return true;
    }
    pause();
  }
  return false;
}

void yield_then_sleep(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int i = 0; i < kYields; ++i) {
    if (value.load(std::memory_order_acquire) != old) {
      return;
    }
    std::this_thread::yield();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

ThreadTeam::ThreadTeam(int n_threads)
    : n_threads_(n_threads < 1 ? 1 : n_threads), active_(n_threads_), bench_(kFirstBench) {
  for (int i = 1; i < n_threads_; ++i) {
    threads_.emplace_back([this, i] { worker(i); });
  }
}

ThreadTeam::~ThreadTeam() {
  stop_.store(true, std::memory_order_release);
  set_active(n_threads_ + 1);  // another value, so that those who sit out look up
  published_.fetch_add(1, std::memory_order_release);
  published_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void ThreadTeam::set_active(int n) {
  active_.store(n, std::memory_order_release);
  active_.notify_all();
}

void ThreadTeam::divide(const Loop& loop) {
  // Nobody has a chunk of the last loop any more, so nobody reads these.
  loop_ = loop;
  finished_.store(0, std::memory_order_relaxed);
  const auto n_chunks = static_cast<std::uint32_t>((loop.n + loop.grain - 1) / loop.grain);
  // The loop's number makes the word another one than any that a late helper may still hold.
  // Release: who claims a chunk sees the loop and all that was written before it.
  unclaimed_.store(std::uint64_t{++loop_number_} << 32 | n_chunks, std::memory_order_release);
  published_.fetch_add(1, std::memory_order_release);
  published_.notify_all();
  wait_for_claimed(n_chunks - help());
}

std::uint32_t ThreadTeam::help() {
  std::uint32_t n_done = 0;
  std::uint64_t word = unclaimed_.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(word) != 0) {
    if (!unclaimed_.compare_exchange_weak(word, word - 1, std::memory_order_acquire)) {
      continue;
    }
    // From here to the report in worker(), the loop cannot end.
    const std::int64_t n_chunks = (loop_.n + loop_.grain - 1) / loop_.grain;
    const std::int64_t begin = (n_chunks - static_cast<std::uint32_t>(word)) * loop_.grain;
    loop_.call(loop_.body, begin, std::min(begin + loop_.grain, loop_.n));
    ++n_done;
    word = unclaimed_.load(std::memory_order_acquire);
  }
  return n_done;
}

void ThreadTeam::wait_for_claimed(std::uint32_t n_others) {
  std::uint32_t finished = finished_.load(std::memory_order_acquire);
  while (finished != n_others) {
    if (!spin(finished_, finished)) {
      // A claimed chunk takes longer than most loops: its thread may not be running.
      const double cpu = cpu_seconds();
      yield_then_sleep(finished_, finished);
      useful_s_ -= cpu_seconds() - cpu;
      const auto now = Clock::now();
      if (std::chrono::duration<double>(now - mark_).count() >= kWindow_s) {
        judge(now);
      }
    }
    finished = finished_.load(std::memory_order_acquire);
  }
}

void ThreadTeam::begin_run() {
  if (n_threads_ == 1) {
    return;
  }
  mark_ = Clock::now();
  cpu_mark_ = cpu_seconds();
  if (active() < n_threads_ && mark_ >= benched_until_) {
    set_active(active() + 1);
    benched_until_ = mark_ + bench_;
    wall_s_ = 0;
    useful_s_ = 0;
  }
}

void ThreadTeam::end_run() {
  if (n_threads_ > 1) {
    judge(Clock::now());
  }
}

// Books what passed since the last mark; at the end of a window, decides.
void ThreadTeam::judge(Clock::time_point now) {
  const double cpu = cpu_seconds();
  wall_s_ += std::chrono::duration<double>(now - mark_).count();
  useful_s_ += cpu - cpu_mark_;
  mark_ = now;
  cpu_mark_ = cpu;
  if (wall_s_ < kWindow_s) {
    return;
  }
  const bool gets_on = useful_s_ >= kWorthwhile * wall_s_;
  wall_s_ = 0;
  useful_s_ = 0;
  if (gets_on) {
    if (active() == n_threads_) {
      bench_ = kFirstBench;
    }
    return;
  }
  if (active() > 1) {
    set_active(active() - 1);
    benched_until_ = now + bench_;
    bench_ = std::min<Clock::duration>(2 * bench_, kLongestBench);
  }
}

void ThreadTeam::worker(int index) {
  while (true) {
    const int active = active_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_acquire)) {
      return;
    }
    if (index >= active) {
      active_.wait(active, std::memory_order_acquire);
      continue;
    }
    const std::uint32_t seen = published_.load(std::memory_order_acquire);
    if (const std::uint32_t n_done = help(); n_done > 0) {
      // Release: the caller, which acquires, sees what the chunks wrote.
      finished_.fetch_add(n_done, std::memory_order_release);
      finished_.notify_one();
      continue;
    }
    if (!spin(published_, seen)) {
      yield_then_sleep(published_, seen);
    }
  }
}

}  // namespace r1eval::cpu
