#include "kernels/cpu/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <numeric>
#include <thread>
#include <vector>

namespace r1eval::cpu {
namespace {

// Loops of many sizes, each of which reads what the one before it wrote elsewhere: a chunk that is
// missing, comes twice or is seen too late changes the sums.
std::vector<std::int64_t> chained_loops(ThreadTeam& team, int n_loops) {
  std::vector<std::int64_t> values(97);
  std::iota(values.begin(), values.end(), 1);
  std::vector<std::int64_t> next(values.size());
  team.run([&] {
    for (int loop = 0; loop < n_loops; ++loop) {
      const std::int64_t grain = 1 + loop % 23;
      team.phase(static_cast<std::int64_t>(values.size()), grain,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i) {
                     const std::size_t from = (static_cast<std::size_t>(i) * 31 + 7) % 97;
                     next[static_cast<std::size_t>(i)] = (values[from] * 5 + i) % 1000003;
                   }
                 });
      std::swap(values, next);
    }
  });
  return values;
}

TEST(ThreadTeamTest, GivesTheSameForAnyNumberOfThreads) {
  ThreadTeam alone(1);
  const std::vector<std::int64_t> expected = chained_loops(alone, 2000);
  for (const int n : {2, 3, 8}) {
    ThreadTeam team(n);
    for (int again = 0; again < 3; ++again) {
      EXPECT_EQ(chained_loops(team, 2000), expected) << n << " threads";
    }
  }
}

// Beside more busy threads than there are processors, helpers are descheduled within chunks and
// sit out; nothing may depend on that.
TEST(ThreadTeamTest, GivesTheSameBesideForeignBusyThreads) {
  ThreadTeam alone(1);
  const std::vector<std::int64_t> expected = chained_loops(alone, 5000);
  std::atomic<bool> stop{false};
  std::vector<std::thread> foreign;
  const unsigned n_foreign = std::thread::hardware_concurrency() + 1;
  for (unsigned i = 0; i < n_foreign; ++i) {
    foreign.emplace_back([&stop] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
  }
  ThreadTeam team(4);
  for (int again = 0; again < 4; ++again) {
    EXPECT_EQ(chained_loops(team, 5000), expected);
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& thread : foreign) {
    thread.join();
  }
}

TEST(ThreadTeamTest, HandsOutEachIndexOnce) {
  ThreadTeam team(3);
  for (const std::int64_t n : {0, 1, 2, 5, 64, 1000}) {
    for (const std::int64_t grain : {1, 2, 7, 64, 2000}) {
      std::vector<std::atomic<int>> times(static_cast<std::size_t>(n));
      team.run([&] {
        team.phase(n, grain, [&](std::int64_t begin, std::int64_t end) {
          EXPECT_LT(begin, end);
          for (std::int64_t i = begin; i < end; ++i) {
            times[static_cast<std::size_t>(i)].fetch_add(1, std::memory_order_relaxed);
          }
        });
      });
      for (const std::atomic<int>& count : times) {
        EXPECT_EQ(count.load(), 1) << n << " indices, chunks of " << grain;
      }
    }
  }
}

}  // namespace
}  // namespace r1eval::cpu
