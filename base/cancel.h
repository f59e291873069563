// Asking running work to end: first by draining (start nothing new, finish what is in flight), then
// by stopping (drop what is in flight).
#pragma once

#include <atomic>

namespace r1eval {

class CancelToken {
 public:
  // Both are safe to call from a signal handler (lock-free atomics) and from any thread.
  void drain() { raise_to(1); }

  void stop() { raise_to(2); }

  bool is_draining() const { return level_.load(std::memory_order_relaxed) >= 1; }

  bool is_stopped() const { return level_.load(std::memory_order_relaxed) >= 2; }

 private:
  void raise_to(int level) {
    int seen = level_.load(std::memory_order_relaxed);
    while (seen < level && !level_.compare_exchange_weak(seen, level, std::memory_order_relaxed)) {
    }
  }

  // Relaxed: a flag that loops poll; no other data is published through it.
  std::atomic<int> level_{0};
};

}  // namespace r1eval
