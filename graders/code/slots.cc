#include "graders/code/slots.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace r1eval {

SlotPool::SlotPool(std::vector<Supervisor> supervisors, const wire::Config& config)
    : config_(config) {
  for (Supervisor& supervisor : supervisors) {
    Slot slot;
    slot.supervisor = std::move(supervisor);
    slots_.push_back(std::move(slot));
  }
}

SlotPool::~SlotPool() {
  // All sockets first: the supervisors then clean up at the same time.
  for (Slot& slot : slots_) {
    slot.supervisor.socket.reset();
  }
  for (Slot& slot : slots_) {
    end_supervisor(slot.supervisor);
  }
}

void SlotPool::set_headers(const std::string& folder) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (folder.size() >= sizeof config_.headers) {
    return;
  }
  std::memset(config_.headers, 0, sizeof config_.headers);
  std::memcpy(config_.headers, folder.data(), folder.size());
  ++generation_;
}

SlotPool::Lease::Lease(SlotPool& pool) : pool_(pool), index_(0) {
  std::unique_lock<std::mutex> lock(pool_.mutex_);
  const std::uint64_t ticket = pool_.next_ticket_++;
  pool_.waiting_.push_back(ticket);
  const auto free_slot = [this] {
    return std::find_if(pool_.slots_.begin(), pool_.slots_.end(),
                        [](const Slot& slot) { return slot.is_free; });
  };
  pool_.changed_.wait(
      lock, [&] { return pool_.waiting_.front() == ticket && free_slot() != pool_.slots_.end(); });
  pool_.waiting_.pop_front();
  const auto slot = free_slot();
  slot->is_free = false;
  index_ = static_cast<std::size_t>(slot - pool_.slots_.begin());
  lock.unlock();
  pool_.changed_.notify_all();  // the next in line may find another free slot
}

SlotPool::Lease::~Lease() {
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    pool_.slots_[index_].is_free = true;
  }
  pool_.changed_.notify_all();
}

int SlotPool::Lease::socket() {
  Slot& slot = pool_.slots_[index_];
  wire::Config config;
  std::uint64_t generation = 0;
  {
    const std::lock_guard<std::mutex> lock(pool_.mutex_);
    config = pool_.config_;
    generation = pool_.generation_;
  }
  if (slot.supervisor.socket.is_open() && slot.generation != generation) {
    end_supervisor(slot.supervisor);
  }
  if (!slot.supervisor.socket.is_open()) {
    config.slot = static_cast<std::int32_t>(index_);
    Result<Supervisor> started = launch_supervisor(config);
    if (!started) {
      log_warning("sandbox: " + started.error().message);
      return -1;
    }
    slot.supervisor = std::move(started).value();
    slot.generation = generation;
  }
  return slot.supervisor.socket.get();
}

void SlotPool::Lease::discard() {
  end_supervisor(pool_.slots_[index_].supervisor);
}

}  // namespace r1eval
