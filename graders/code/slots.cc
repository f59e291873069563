#include "graders/code/slots.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "base/log.h"

namespace r1eval {
namespace {

int most_quiet_runs() {
  static const int n = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 2);
  return n;
}

}  // namespace

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

SlotPool::Lease::Lease(SlotPool& pool, bool quiet) : pool_(pool), index_(0), quiet_(quiet) {
  std::unique_lock<std::mutex> lock(pool_.mutex_);
  const std::uint64_t ticket = pool_.next_ticket_++;
  // Quiet runs in front: the slots then fall silent once for all of them. None waits for ever, as
  // an ordinary run asks for one quiet run at most.
  if (quiet) {
    pool_.waiting_.push_front(ticket);
  } else {
    pool_.waiting_.push_back(ticket);
  }
  const auto free_slot = [this] {
    return std::find_if(pool_.slots_.begin(), pool_.slots_.end(),
                        [](const Slot& slot) { return slot.is_free; });
  };
  const auto may_go = [&] {
    const bool is_silent =
        quiet ? pool_.n_ordinary_ == 0 && pool_.n_quiet_ < most_quiet_runs() : pool_.n_quiet_ == 0;
    return pool_.waiting_.front() == ticket && is_silent && free_slot() != pool_.slots_.end();
  };
  pool_.changed_.wait(lock, may_go);
  pool_.waiting_.pop_front();
  ++(quiet ? pool_.n_quiet_ : pool_.n_ordinary_);
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
    --(quiet_ ? pool_.n_quiet_ : pool_.n_ordinary_);
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
