// A queue between threads with a fixed capacity: producers wait when it is full, consumers when it
// is empty, both end when it is closed.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace r1eval {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // False if the queue was closed before there was room; the value is then dropped.
  bool push(T value) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [&] { return values_.size() < capacity_ || closed_; });
    if (closed_) {
      return false;
    }
    values_.push_back(std::move(value));
    not_empty_.notify_one();
    return true;
  }

  // As push(), but false at once when there is no room.
  bool try_push(T value) {
    const std::lock_guard lock(mutex_);
    if (closed_ || values_.size() >= capacity_) {
      return false;
    }
    values_.push_back(std::move(value));
    not_empty_.notify_one();
    return true;
  }

  // Closes the queue and drops what is in it.
  void clear_and_close() {
    const std::lock_guard lock(mutex_);
    values_.clear();
    closed_ = true;
    not_empty_.notify_all();
    not_full_.notify_all();
  }

  // Empty once the queue is closed and drained.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [&] { return !values_.empty() || closed_; });
    if (values_.empty()) {
      return std::nullopt;
    }
    std::optional<T> value(std::move(values_.front()));
    values_.pop_front();
    not_full_.notify_one();
    return value;
  }

  // No further push succeeds; what is queued can still be popped.
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    not_empty_.notify_all();
    not_full_.notify_all();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;  // guards values_ and closed_
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<T> values_;
  bool closed_ = false;
};

}  // namespace r1eval
