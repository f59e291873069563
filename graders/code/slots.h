// The slots of a sandbox: supervisors, lent to one run each, in order of arrival.
//
// A run that asks for quiet goes before the others and has no ordinary run beside it, and at most
// one other quiet one for every second processor: so it gets the processor time that a verdict on
// time needs, whatever number of slots the caller chose.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "graders/code/launch.h"

namespace r1eval {

class SlotPool {
 public:
  SlotPool(std::vector<Supervisor> supervisors, const wire::Config& config);
  ~SlotPool();  // every lease must be over
  SlotPool(const SlotPool&) = delete;
  SlotPool& operator=(const SlotPool&) = delete;

  class Lease {
   public:
    explicit Lease(SlotPool& pool, bool quiet = false);
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // Socket of the slot's supervisor; starts a new one where the last was lost or the
    // configuration changed since. -1 where that fails.
    int socket();
    void discard();  // the supervisor is no good any more

   private:
    SlotPool& pool_;
    std::size_t index_;
    bool quiet_;
  };

  // Slots started from now on, and each slot at its next lease, use this folder of headers.
  void set_headers(const std::string& folder);

  int size() const { return static_cast<int>(slots_.size()); }

 private:
  struct Slot {
    Supervisor supervisor;
    std::uint64_t generation = 0;
    bool is_free = true;
  };

  std::mutex mutex_;  // guards everything below, but a lent slot's supervisor belongs to its lease
  std::condition_variable changed_;
  std::deque<std::uint64_t> waiting_;  // tickets, first come first served
  std::uint64_t next_ticket_ = 0;
  wire::Config config_;
  std::uint64_t generation_ = 0;
  std::vector<Slot> slots_;
  int n_ordinary_ = 0;  // lent
  int n_quiet_ = 0;
};

}  // namespace r1eval
