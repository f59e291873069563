// Threads for calls that wait: for a program that runs, for a process, for a disk. Loops that
// compute belong to base/parallel.h.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace r1eval {

// body(i) for each i in [0, n), begun in order, on at most `n_threads` threads. `body` must not
// throw. Returns when all are done.
template <typename Body>
void run_on_waiting_threads(std::int64_t n, std::int64_t n_threads, const Body& body) {
  std::atomic<std::int64_t> next{0};  // relaxed: indices are independent, join() publishes results
  const auto work = [&] {
    for (std::int64_t i = next.fetch_add(1, std::memory_order_relaxed); i < n;
         i = next.fetch_add(1, std::memory_order_relaxed)) {
      body(i);
    }
  };
  std::vector<std::thread> threads;
  for (std::int64_t t = 1; t < std::min(n, n_threads); ++t) {
    threads.emplace_back(work);
  }
  work();
  for (std::thread& thread : threads) {
    thread.join();
  }
}

}  // namespace r1eval
