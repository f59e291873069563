// CPU loops. The one header that includes TBB for them.
//
// Threads  TBB workers compute, they never wait for a socket, a process or a lock held across I/O.
//          Calls that wait belong to base/thread_pool.h.
// Order    bodies write into a slot per index; whoever folds the slots does it serially in index
//          order, so that results are the same bytes for any thread count.
// TSan     Debian's TBB is not instrumented; with R1EVAL_PARALLEL_STD the same calls run on
//          std::thread, so that the sanitizer sees everything of ours.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

#ifdef R1EVAL_PARALLEL_STD
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>
#else
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#endif

namespace r1eval {

// Processors this process may use (cpuset respected), at least 1.
int available_cpus();

// body(begin, end) over [0, n) in chunks of at least `grain` indices. `body` must not throw.
template <typename Body>
void parallel_for_range(std::int64_t n, std::int64_t grain, const Body& body) {
  if (n <= 0) {
    return;
  }
  grain = std::max<std::int64_t>(grain, 1);
#ifdef R1EVAL_PARALLEL_STD
  const std::int64_t n_chunks = (n + grain - 1) / grain;
  const std::int64_t n_threads = std::min<std::int64_t>(available_cpus(), n_chunks);
  std::atomic<std::int64_t> next{0};  // relaxed: chunks are independent, join() publishes results
  const auto work = [&] {
    for (std::int64_t c = next.fetch_add(1, std::memory_order_relaxed); c < n_chunks;
         c = next.fetch_add(1, std::memory_order_relaxed)) {
      body(c * grain, std::min(n, (c + 1) * grain));
    }
  };
  std::vector<std::thread> threads;
  for (std::int64_t t = 1; t < n_threads; ++t) {
    threads.emplace_back(work);
  }
  work();
  for (std::thread& thread : threads) {
    thread.join();
  }
#else
  tbb::parallel_for(
      tbb::blocked_range<std::int64_t>(0, n, static_cast<std::size_t>(grain)),
      [&](const tbb::blocked_range<std::int64_t>& range) { body(range.begin(), range.end()); });
#endif
}

// body(i) for each i in [0, n), in any order.
template <typename Body>
void parallel_for_index(std::int64_t n, const Body& body, std::int64_t grain = 1) {
  parallel_for_range(n, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      body(i);
    }
  });
}

// Work that runs beside something more important: an arena of low priority, whose tasks TBB's
// workers take when no other loop wants them. Tasks must not throw.
//
// Threads  run() from any; wait() from one thread, after which the tasks' writes may be read. The
//          destructor waits.
class BackgroundTasks {
 public:
#ifdef R1EVAL_PARALLEL_STD
  BackgroundTasks() : worker_([this] { work(); }) {}

  ~BackgroundTasks() {
    wait();
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }

  template <typename Task>
  void run(Task task) {
    {
      const std::lock_guard lock(mutex_);
      tasks_.emplace_back(std::move(task));
    }
    changed_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return tasks_.empty() && !busy_; });
  }
#else
  // One slot is the waiting thread's: TBB has a worker less than there are processors, and warns on
  // the user's terminal when more are asked for.
  BackgroundTasks() : arena_(available_cpus(), 1, tbb::task_arena::priority::low) {}

  ~BackgroundTasks() {
    wait();
  }

  template <typename Task>
  void run(Task task) {
    arena_.enqueue(group_->defer(std::move(task)));
  }

  void wait() {
    arena_.execute([this] { group_->wait(); });
  }
#endif

  BackgroundTasks(const BackgroundTasks&) = delete;
  BackgroundTasks& operator=(const BackgroundTasks&) = delete;

 private:
#ifdef R1EVAL_PARALLEL_STD
  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ended_ || !tasks_.empty(); });
      if (tasks_.empty()) {
        return;
      }
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      busy_ = true;
      lock.unlock();
      task();
      lock.lock();
      busy_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;  // guards the three below
  std::deque<std::function<void()>> tasks_;
  bool busy_ = false;
  bool ended_ = false;
  std::condition_variable changed_;
  std::thread worker_;
#else
  tbb::task_arena arena_;
  // By pointer: its destructor may throw by declaration, which it does only when nobody has waited.
  const std::unique_ptr<tbb::task_group> group_ = std::make_unique<tbb::task_group>();
#endif
};

}  // namespace r1eval
