// That the emulator runs kernels as a device may, and that it finds what a device would not
// forgive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels/cuda/ptx.cuh"

namespace r1eval::kernels::emulated {
namespace {

using ::testing::HasSubstr;

R1_KERNEL void add_one(const int* in, int* out, int n) {
  const auto i = static_cast<int>(block_index()) * block_threads() + thread_index();
  if (i < n) {
    out[i] = in[i] + 1;
  }
}

TEST(EmulatorTest, RunsEveryThreadOfEveryBlock) {
  std::vector<int> in(1000);
  std::iota(in.begin(), in.end(), 0);
  std::vector<int> out(1000, -1);
  ASSERT_TRUE(launch("add_one", {.blocks = 8, .threads = 128}, nullptr, add_one, in.data(),
                     out.data(), 1000));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(out[static_cast<std::size_t>(i)], i + 1);
  }
}

R1_KERNEL void reverse_through_shared(int* data, bool is_synchronised) {
  int* tile = shared<int>();
  const int t = thread_index();
  tile[t] = data[t];
  if (is_synchronised) {
    __syncthreads();
  }
  data[t] = tile[block_threads() - 1 - t];
}

bool reverses(bool is_synchronised) {
  std::vector<int> data(256);
  std::iota(data.begin(), data.end(), 0);
  EXPECT_TRUE(launch("reverse", {.threads = 256, .shared_bytes = 1024}, nullptr,
                     reverse_through_shared, data.data(), is_synchronised));
  for (int i = 0; i < 256; ++i) {
    if (data[static_cast<std::size_t>(i)] != 255 - i) {
      return false;
    }
  }
  return true;
}

TEST(EmulatorTest, AMissingBarrierShows) {
  EXPECT_TRUE(reverses(true));
  EXPECT_FALSE(reverses(false));
}

R1_KERNEL void half_a_block_waits() {
  if (thread_index() < 64) {
    __syncthreads();
  }
}

TEST(EmulatorTest, ReportsADeadlockByWhatIsWaitedFor) {
  const Status status = launch("half", {.threads = 128}, nullptr, half_a_block_waits);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, HasSubstr("64 of 128 threads wait for __syncthreads"));
}

R1_KERNEL void writes_past_the_end() {
  shared<char>()[100 + thread_index()] = 1;
}

TEST(EmulatorTest, FindsAWritePastSharedMemory) {
  const Status status =
      launch("past", {.threads = 32, .shared_bytes = 128}, nullptr, writes_past_the_end);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, HasSubstr("past the end of shared memory"));
}

R1_KERNEL void sum_warp(float* out) {
  const float sum = warp_sum(static_cast<float>(thread_index()));
  const float most = warp_max(static_cast<float>(thread_index()));
  const unsigned odd = __ballot_sync(kWholeWarp, thread_index() % 2 == 1);
  const int first = __shfl_sync(kWholeWarp, thread_index(), 0);
  out[thread_index()] =
      sum + most * 1000.0F + static_cast<float>(__popc(odd)) + static_cast<float>(first) * 1e6F;
}

TEST(EmulatorTest, ExchangesAcrossWarps) {
  std::vector<float> out(64);
  ASSERT_TRUE(launch("sum", {.threads = 64}, nullptr, sum_warp, out.data()));
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(out[static_cast<std::size_t>(i)], 496.0F + 31000.0F + 16.0F);
    EXPECT_EQ(out[static_cast<std::size_t>(32 + i)], 496.0F + 1024.0F + 63000.0F + 16.0F + 32e6F);
  }
}

R1_KERNEL void meet_all_blocks(std::int32_t* counter, std::int32_t* seen) {
  if (thread_index() == 0) {
    atomicAdd(counter, 1);
    while (load_acquire(counter) < static_cast<std::int32_t>(grid_blocks())) {
      spin_pause();
    }
    seen[block_index()] = *counter;
  }
}

TEST(EmulatorTest, BlocksMayWaitForEachOtherOnlyIfAllAreResident) {
  std::int32_t counter = 0;
  std::vector<std::int32_t> seen(7);
  ASSERT_TRUE(launch("meet", {.blocks = 7, .threads = 32, .all_resident = true}, nullptr,
                     meet_all_blocks, &counter, seen.data()));
  EXPECT_THAT(seen, testing::Each(7));
  counter = 0;
  const Status status =
      launch("meet", {.blocks = 7, .threads = 32}, nullptr, meet_all_blocks, &counter, seen.data());
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, HasSubstr("deadlocked"));
}

// out (64 x N) = A (64 x 64) B^T through TMA, descriptors and wgmma; each fault leaves one step
// out.
enum class Fault { kNone, kNoLoadWait, kNoProductWait, kWrongStep, kOverwrite, kPartOfWarpgroup };

struct ProductShared {
  unsigned char a[64 * 128];
  unsigned char b[64 * 128];
  Barrier arrived;
};

template <Major kMajorB>
R1_KERNEL void one_product(const TensorMap map_a, const TensorMap map_b, float* out, Fault fault) {
  auto* s = shared<ProductShared>();
  const int t = thread_index();
  if (t == 0) {
    barrier_init(&s->arrived, 1);
    barrier_init_fence();
    barrier_arrive_expect(&s->arrived, sizeof(s->a) + sizeof(s->b));
    tma_load(s->a, map_a, &s->arrived, 0, 0);
    tma_load(s->b, map_b, &s->arrived, 0, 0);
  }
  __syncthreads();
  if (fault != Fault::kNoLoadWait) {
    barrier_wait(&s->arrived, 0);
  }
  float d[32];
  for (float& value : d) {
    value = 0.0F;
  }
  wgmma_fence();
  for (std::uint32_t step = 0; step < 4; ++step) {
    const std::uint32_t wrong = fault == Fault::kWrongStep ? 16 : 32;
    const std::uint64_t a = k_major_descriptor(shared_address(s->a) + step * wrong);
    const std::uint64_t b = kMajorB == Major::kK
                                ? k_major_descriptor(shared_address(s->b) + step * 32)
                                : mn_major_descriptor(shared_address(s->b) + step * 2048, 8192);
    if (fault != Fault::kPartOfWarpgroup || t < 96) {
      wgmma_bf16<64, kMajorB>(d, a, b, step > 0);
    }
  }
  wgmma_commit();
  if (fault == Fault::kOverwrite) {
    __syncthreads();
    s->b[t] = 0;
  }
  if (fault != Fault::kNoProductWait) {
    wgmma_wait<0>();
  }
  for (int i = 0; i < 32; ++i) {
    const Place place = accumulator_place(t, i);
    out[place.row * 64 + place.column] = d[i];
  }
  if (fault == Fault::kNoProductWait) {
    wgmma_wait<0>();
  }
}

// Whether the product is right; Error as launch() gives it.
template <Major kMajorB>
Result<bool> product_is_right(Fault fault) {
  std::vector<Bf16> a(64 * 64);
  std::vector<Bf16> b(64 * 64);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = to_bf16(static_cast<float>(static_cast<int>(i * 7 % 31) - 15));
    b[i] = to_bf16(static_cast<float>(static_cast<int>(i * 5 % 29) - 14));
  }
  R1_TRY(const TensorMap map_a,
         make_tensor_map(TensorMapParams{.base = a.data()}.with(64, 0, 64).with(64, 128, 64)));
  R1_TRY(const TensorMap map_b,
         make_tensor_map(TensorMapParams{.base = b.data()}.with(64, 0, 64).with(64, 128, 64)));
  std::vector<float> out(64 * 64, NAN);
  R1_RETURN_IF_ERROR(launch("product", {.threads = 128, .shared_bytes = sizeof(ProductShared)},
                            nullptr, one_product<kMajorB>, map_a, map_b, out.data(), fault));
  for (std::size_t m = 0; m < 64; ++m) {
    for (std::size_t n = 0; n < 64; ++n) {
      float sum = 0;
      for (std::size_t k = 0; k < 64; ++k) {
        sum += to_float(a[m * 64 + k]) *
               to_float(kMajorB == Major::kK ? b[n * 64 + k] : b[k * 64 + n]);
      }
      if (out[m * 64 + n] != sum) {
        return false;
      }
    }
  }
  return true;
}

TEST(EmulatorTest, MultipliesTilesThroughTmaAndDescriptors) {
  for (int repeat = 0; repeat < 3; ++repeat) {
    EXPECT_TRUE(product_is_right<Major::kK>(Fault::kNone).value());
    EXPECT_TRUE(product_is_right<Major::kMN>(Fault::kNone).value());
  }
}

TEST(EmulatorTest, FindsEachFaultOfAProduct) {
  EXPECT_FALSE(product_is_right<Major::kK>(Fault::kNoProductWait).value());
  EXPECT_FALSE(product_is_right<Major::kK>(Fault::kWrongStep).value());
  EXPECT_FALSE(product_is_right<Major::kK>(Fault::kOverwrite).value());
  const auto partial = product_is_right<Major::kK>(Fault::kPartOfWarpgroup);
  ASSERT_FALSE(partial.has_value());
  EXPECT_THAT(partial.error().message, HasSubstr("a part of its warpgroup"));
  // Not waiting for a load either multiplies what is not there or ends before it comes.
  int found = 0;
  for (int repeat = 0; repeat < 8; ++repeat) {
    const auto unwaited = product_is_right<Major::kK>(Fault::kNoLoadWait);
    found += unwaited.has_value() && unwaited.value() ? 0 : 1;
  }
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace r1eval::kernels::emulated
