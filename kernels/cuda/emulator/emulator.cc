// The scheduler of the emulated threads. See emulator.h.
//
// Rounds: every unfinished thread of the resident blocks is resumed once, in a new order; a thread
// runs until it must wait. Between rounds some of the pending TMA loads happen. If a round changes
// nothing and no load is pending, nothing ever will: that is a deadlock, and it is reported.
#include "kernels/cuda/emulator/emulator.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kernels/cuda/emulator/block.h"

namespace r1eval::kernels::emulator {

namespace {

constexpr std::size_t kGuardBytes = 256;
constexpr unsigned char kGuard = 0xa7;
constexpr int kRoundsWithoutProgress = 4;

Machine*& current_machine() {
  thread_local Machine* active = nullptr;
  return active;
}

void body(void* argument) {
  auto* self = static_cast<Thread*>(argument);
  (*machine().kernel)();
  self->finished = true;
  --self->block->unfinished;
  note_progress();
  for (;;) {
    self->fiber.leave();
  }
}

std::unique_ptr<Block> make_block(const LaunchShape& shape, std::size_t index,
                                  std::vector<std::unique_ptr<Thread>>& pool) {
  auto block = std::make_unique<Block>();
  block->storage.assign(shape.shared_bytes + 1024 + kGuardBytes, 0xff);
  auto address = reinterpret_cast<std::uintptr_t>(block->storage.data());
  block->shared = block->storage.data() + ((address + 1023) / 1024 * 1024 - address);
  std::fill_n(block->shared + shape.shared_bytes, kGuardBytes, kGuard);
  const unsigned n_threads = shape.block.x * shape.block.y * shape.block.z;
  block->warps.resize((n_threads + 31) / 32);
  block->warpgroups.resize((n_threads + 127) / 128);
  block->unfinished = static_cast<int>(n_threads);
  for (unsigned t = 0; t < n_threads; ++t) {
    std::unique_ptr<Thread> thread;
    if (pool.empty()) {
      thread = std::make_unique<Thread>();
    } else {
      thread = std::move(pool.back());
      pool.pop_back();
    }
    Fiber fiber = std::move(thread->fiber);
    *thread = Thread();
    thread->fiber = std::move(fiber);
    thread->block = block.get();
    thread->index = static_cast<int>(t);
    thread->identity.thread = {t % shape.block.x, t / shape.block.x % shape.block.y,
                               t / shape.block.x / shape.block.y};
    const auto b = static_cast<unsigned>(index);
    thread->identity.block = {b % shape.grid.x, b / shape.grid.x % shape.grid.y,
                              b / shape.grid.x / shape.grid.y};
    thread->fiber.start(&body, thread.get());
    block->threads.push_back(thread.release());
  }
  return block;
}

std::string describe_deadlock(const std::vector<std::unique_ptr<Block>>& blocks) {
  std::string text = "emulated launch deadlocked:";
  for (const auto& block : blocks) {
    std::map<std::string, int> waiting;
    for (const Thread* thread : block->threads) {
      if (!thread->finished) {
        ++waiting[thread->waits_for != nullptr ? thread->waits_for : "nothing"];
      }
    }
    for (const auto& [what, count] : waiting) {
      text +=
          fmt::format(" block {}: {} of {} threads wait for {};",
                      block->threads.front()->identity.block.x, count, block->threads.size(), what);
    }
  }
  return text;
}

// What is wrong with a block whose threads have all ended, or empty.
std::string problem_at_end(const Block& block, const LaunchShape& shape) {
  const unsigned char* end = block.shared + shape.shared_bytes;
  if (!std::all_of(end, end + kGuardBytes, [](unsigned char b) { return b == kGuard; })) {
    return "emulated launch wrote past the end of shared memory";
  }
  for (const Warpgroup& group : block.warpgroups) {
    if (!group.products.empty()) {
      return "an emulated thread ended without waiting for its wgmma";
    }
  }
  for (const Thread* thread : block.threads) {
    if (!thread->fiber.stack_is_whole()) {
      return "an emulated thread overran its stack";
    }
  }
  return "";
}

void do_some_loads(Machine& m, bool all) {
  std::size_t count = m.loads.size();
  while (count > 0 && (all || m.next_random() % 2 == 0)) {
    const std::size_t which = m.next_random() % m.loads.size();
    PendingLoad load = std::move(m.loads[which]);
    m.loads.erase(m.loads.begin() + static_cast<std::ptrdiff_t>(which));
    load.act();
    ++m.progress;
    --count;
  }
}

}  // namespace

Options& options() {
  thread_local Options current;
  return current;
}

Machine& machine() {
  return *current_machine();
}

Status run(const LaunchShape& shape, const std::function<void()>& kernel) {
  Machine m;
  m.shape = shape;
  m.kernel = &kernel;
  m.random = 0x9e3779b97f4a7c15ULL * (++options().seed) | 1U;
  const std::size_t n_blocks = std::size_t{shape.grid.x} * shape.grid.y * shape.grid.z;
  const std::size_t n_threads = std::size_t{shape.block.x} * shape.block.y * shape.block.z;
  if (n_threads == 0 || n_threads > 1024 || shape.shared_bytes > (227U << 10U)) {
    return fail(ErrorCode::kInternal,
                fmt::format("a launch of {} threads a block and {} bytes of shared memory is not "
                            "possible",
                            n_threads, shape.shared_bytes));
  }
  if (n_blocks == 0) {
    return fail(ErrorCode::kInternal, "a launch has at least one block");
  }
  Machine* outer = std::exchange(current_machine(), &m);
  std::vector<std::size_t> waiting(n_blocks);
  for (std::size_t b = 0; b < n_blocks; ++b) {
    waiting[b] = n_blocks - 1 - b;  // taken from the back
  }
  if (options().order == Options::Order::kReverse) {
    std::reverse(waiting.begin(), waiting.end());
  } else if (options().order == Options::Order::kRandom) {
    for (std::size_t i = n_blocks; i > 1; --i) {
      std::swap(waiting[i - 1], waiting[m.next_random() % i]);
    }
  }
  const std::size_t most =
      shape.all_resident ? n_blocks : static_cast<std::size_t>(options().resident_blocks);
  thread_local std::vector<std::unique_ptr<Thread>> pool;
  std::vector<std::unique_ptr<Block>> resident;
  std::vector<Thread*> order;
  int idle_rounds = 0;
  while (!m.failed && (!resident.empty() || !waiting.empty())) {
    while (resident.size() < most && !waiting.empty()) {
      resident.push_back(make_block(shape, waiting.back(), pool));
      waiting.pop_back();
      order.insert(order.end(), resident.back()->threads.begin(), resident.back()->threads.end());
    }
    if (options().order == Options::Order::kRandom) {
      for (std::size_t i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[m.next_random() % i]);
      }
    }
    const std::uint64_t before = m.progress;
    for (std::size_t i = 0; i < order.size() && !m.failed; ++i) {
      const bool reverse = options().order == Options::Order::kReverse;
      Thread* thread = order[reverse ? order.size() - 1 - i : i];
      m.current = thread;
      thread->fiber.resume();
    }
    m.current = nullptr;
    std::erase_if(order, [](const Thread* t) { return t->finished; });
    do_some_loads(m, false);
    idle_rounds = m.progress == before ? idle_rounds + 1 : 0;
    if (idle_rounds >= kRoundsWithoutProgress) {
      if (m.loads.empty()) {
        m.failed = true;
        m.failure = describe_deadlock(resident);
      } else {
        do_some_loads(m, true);
        idle_rounds = 0;
      }
    }
    std::erase_if(resident, [&](const std::unique_ptr<Block>& block) {
      if (block->unfinished > 0 || m.failed) {
        return false;
      }
      std::string problem = problem_at_end(*block, shape);
      for (const PendingLoad& load : m.loads) {
        if (load.block == block.get()) {
          problem = "an emulated block ended before its TMA loads came";
        }
      }
      if (!problem.empty()) {
        m.failed = true;
        m.failure = problem;
        return false;
      }
      for (Thread* thread : block->threads) {
        pool.emplace_back(thread);
      }
      return true;
    });
  }
  for (const auto& block : resident) {  // of a launch that failed
    for (Thread* thread : block->threads) {
      delete thread;
    }
  }
  current_machine() = outer;
  if (m.failed) {
    return fail(ErrorCode::kInternal, m.failure);
  }
  return ok_status();
}

const ThreadIdentity& identity() {
  return machine().current->identity;
}

const LaunchShape& launch_shape() {
  return machine().shape;
}

unsigned char* shared_memory() {
  return machine().current->block->shared;
}

std::uint32_t shared_address(const void* pointer) {
  const auto offset = static_cast<const unsigned char*>(pointer) - shared_memory();
  if (offset < 0 || static_cast<std::size_t>(offset) > machine().shape.shared_bytes) {
    fault("an address that should be in shared memory is not");
  }
  return static_cast<std::uint32_t>(offset);
}

void yield() {
  machine().current->fiber.leave();
}

// This frame is abandoned: nothing in it may own memory by then.
void fault(std::string text) {
  Machine& m = machine();
  if (!m.failed) {
    m.failed = true;
    m.failure = std::move(text);
    m.failure.insert(0, fmt::format("emulated launch failed in block {}, thread {}: ",
                                    m.current->identity.block.x, m.current->index));
  }
  text = std::string();
  for (;;) {
    yield();  // the launch ends with this round
  }
}

void wait_until(const char* what, const std::function<bool()>& ready) {
  Thread* self = machine().current;
  self->waits_for = what;
  while (!ready()) {
    yield();
  }
  self->waits_for = nullptr;
}

void pause() {
  Thread* self = machine().current;
  self->waits_for = "a word of global memory";
  yield();
  self->waits_for = nullptr;
}

void note_progress() {
  ++machine().progress;
}

int thread_in_block() {
  return machine().current->index;
}

int threads_in_block() {
  return static_cast<int>(machine().current->block->threads.size());
}

void block_barrier_arrive(int id, int n_threads) {
  if (id < 0 || id > 15 || n_threads <= 0 || n_threads % 32 != 0) {
    fault("barriers are 0 to 15, for whole warps");
  }
  Gate& gate = machine().current->block->barriers[static_cast<std::size_t>(id)];
  if (gate.arrived > 0 && gate.expected != n_threads) {
    fault(fmt::format("barrier {} is used for {} and {} threads at once", id, gate.expected,
                      n_threads));
  }
  gate.expected = n_threads;
  note_progress();
  if (++gate.arrived == n_threads) {
    gate.arrived = 0;
    ++gate.generation;
  }
}

void block_barrier(int id, int n_threads) {
  // __syncthreads of a block that is not whole warps waits for the warps' missing lanes too.
  const int threads =
      id == 0 && n_threads == threads_in_block() ? (n_threads + 31) / 32 * 32 : n_threads;
  Gate& gate = machine().current->block->barriers[static_cast<std::size_t>(id) % 16];
  const std::uint64_t generation = gate.generation;
  if (threads != n_threads) {
    gate.arrived = gate.arrived == 0 ? threads - n_threads : gate.arrived;
    gate.expected = threads;
  }
  block_barrier_arrive(id, threads);
  wait_until(id == 0 ? "__syncthreads" : "a named barrier",
             [&] { return gate.generation != generation; });
}

void grid_barrier() {
  Machine& m = machine();
  if (!m.shape.all_resident) {
    fault("blocks wait for each other in a launch that does not keep all of them resident");
  }
  const std::uint64_t generation = m.grid.generation;
  note_progress();
  if (++m.grid.arrived == static_cast<int>(m.shape.grid.x) * threads_in_block()) {
    m.grid.arrived = 0;
    ++m.grid.generation;
  }
  wait_until("the other blocks", [&] { return m.grid.generation != generation; });
}

const std::uint64_t* warp_exchange(const char* what, std::uint64_t value) {
  Thread* self = machine().current;
  Warp& warp = self->block->warps[static_cast<std::size_t>(self->index / 32)];
  const std::uint64_t turn = self->exchanges++;
  Warp::Exchange& exchange = warp.exchanges[turn % 2];
  if (exchange.arrived == 0) {
    exchange.what = what;
  } else if (std::strcmp(exchange.what, what) != 0) {
    fault(fmt::format("lanes of a warp are at {} and at {}", exchange.what, what));
  }
  exchange.values[static_cast<std::size_t>(self->index % 32)] = value;
  note_progress();
  if (++exchange.arrived == 32) {
    exchange.arrived = 0;
    ++warp.completed;
    note_progress();
  }
  wait_until(what, [&] { return warp.completed > turn; });
  return exchange.values.data();
}

}  // namespace r1eval::kernels::emulator
