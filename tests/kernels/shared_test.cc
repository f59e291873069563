// Index logic and number formats that kernels share with the device, against brute force.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "kernels/shared/numbers.h"
#include "kernels/shared/permute_map.h"
#include "kernels/shared/split_plan.h"
#include "kernels/shared/swizzle.h"
#include "kernels/shared/tensor_map.h"
#include "kernels/shared/tile_scheduler.h"

namespace r1eval::kernels {
namespace {

int below(std::uint64_t key, std::uint64_t counter, int n) {
  return static_cast<int>(random_at(key, counter) % static_cast<std::uint64_t>(n));
}

// The value that code `c` names, from the definition.
double e4m3_by_definition(unsigned c) {
  const int exponent = static_cast<int>(c >> 3U & 15U);
  const int fraction = static_cast<int>(c & 7U);
  const double sign = (c & 128U) != 0 ? -1.0 : 1.0;
  return exponent == 0 ? sign * fraction * std::ldexp(1.0, -9)
                       : sign * (1.0 + fraction / 8.0) * std::ldexp(1.0, exponent - 7);
}

TEST(NumbersTest, ReadsEveryE4m3CodeByItsDefinition) {
  for (unsigned c = 0; c < 256; ++c) {
    const float value = to_float(E4m3{static_cast<std::uint8_t>(c)});
    if ((c & 127U) == 127U) {
      EXPECT_TRUE(std::isnan(value));
    } else {
      EXPECT_EQ(value, e4m3_by_definition(c)) << c;
      EXPECT_EQ(to_e4m3(value).bits, c);
    }
  }
}

TEST(NumbersTest, RoundsToTheNearerE4m3AndTiesToTheEvenCode) {
  for (unsigned c = 0; c < 126; ++c) {
    const auto low = static_cast<float>(e4m3_by_definition(c));
    const auto high = static_cast<float>(e4m3_by_definition(c + 1));
    const float middle = (low + high) / 2;
    const float infinity = std::numeric_limits<float>::infinity();
    for (const float sign : {1.0F, -1.0F}) {
      const unsigned bit = sign < 0 ? 128U : 0U;
      EXPECT_EQ(to_e4m3(sign * std::nextafter(middle, -infinity)).bits, c | bit);
      EXPECT_EQ(to_e4m3(sign * std::nextafter(middle, infinity)).bits, (c + 1) | bit);
      EXPECT_EQ(to_e4m3(sign * middle).bits, (c % 2 == 0 ? c : c + 1) | bit);
    }
  }
}

TEST(NumbersTest, SaturatesAndKeepsNan) {
  for (const float x : {448.0F, 449.0F, 464.0F, 1e30F, HUGE_VALF}) {
    EXPECT_EQ(to_float(to_e4m3(x)), 448.0F);
    EXPECT_EQ(to_float(to_e4m3(-x)), -448.0F);
  }
  EXPECT_TRUE(std::isnan(to_float(to_e4m3(NAN))));
  EXPECT_TRUE(std::isnan(to_float(to_bf16(NAN))));
}

TEST(NumbersTest, RoundsToTheNearestBf16) {
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random_at(3, i));
    const float x = float_of_bits(bits);
    if (!std::isfinite(x)) {
      continue;
    }
    const double error = std::fabs(static_cast<double>(to_float(to_bf16(x))) - x);
    for (const std::uint32_t other : {bits >> 16U, (bits >> 16U) + 1}) {
      const float candidate = to_float(Bf16{static_cast<std::uint16_t>(other)});
      if (std::isfinite(candidate)) {
        EXPECT_LE(error, std::fabs(static_cast<double>(candidate) - x));
      }
    }
  }
  EXPECT_EQ(to_bf16(float_of_bits(0x3f808000U)).bits, 0x3f80U);  // ties go to even
  EXPECT_EQ(to_bf16(float_of_bits(0x3f818000U)).bits, 0x3f82U);
}

TEST(NumbersTest, FindsAScaleForEveryValueAlsoInPartialBlocks) {
  const std::int64_t rows = 200;
  const std::int64_t columns = 300;
  std::map<std::int64_t, std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t>>> blocks;
  for (std::int64_t e = 0; e < 3; ++e) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        blocks[weight_scale_index(e, r, c, rows, columns)].insert({e, r / 128, c / 128});
      }
    }
  }
  EXPECT_EQ(blocks.size(), 3U * 2U * 3U);
  for (const auto& [index, owners] : blocks) {
    EXPECT_EQ(owners.size(), 1U);
    EXPECT_LT(index, 3 * 2 * 3);
  }
  EXPECT_EQ(activation_scale_index(7, 299, 300), 7 * 3 + 2);
}

TEST(SwizzleTest, PermutesTheChunksOfARowAndFindsEightBanksForAColumn) {
  for (std::uint32_t row = 0; row < 64; ++row) {
    std::set<std::uint32_t> chunks;
    for (std::uint32_t byte = 0; byte < 128; ++byte) {
      const std::uint32_t at = swizzled_offset(row, byte);
      EXPECT_EQ(at, swizzle_128b(row * 128 + byte));
      EXPECT_EQ(at / 128, row);
      EXPECT_EQ(at % 16, byte % 16);
      EXPECT_EQ(at % 128 / 16, (byte / 16) ^ (row % 8));
      chunks.insert(at % 128 / 16);
    }
    EXPECT_EQ(chunks.size(), 8U);
  }
}

TEST(SwizzleTest, DescriptorsKeepTheirFields) {
  const std::uint64_t d = operand_descriptor(0x2f400, 8192, 1024);
  EXPECT_EQ(descriptor_address(d), 0x2f400U);
  EXPECT_EQ(descriptor_leading(d), 8192U);
  EXPECT_EQ(descriptor_stride(d), 1024U);
  EXPECT_EQ(d >> 62U, 1U);
}

// A K-major tile of R rows that TMA wrote is read back value by value through the descriptor, also
// when its start is moved along K.
TEST(SwizzleTest, ReadsKMajorTilesAsTmaWritesThem) {
  const int rows = 64;
  std::vector<std::uint16_t> source(static_cast<std::size_t>(rows * 64));
  std::iota(source.begin(), source.end(), std::uint16_t{0});
  const auto map = TensorMapParams{.base = source.data()}.with(64, 0, 64).with(rows, 128, rows);
  std::vector<unsigned char> shared(4096 + rows * 128);
  const std::int32_t at[] = {0, 0};
  load_box(map, at, shared.data() + 4096, 4096);
  for (std::uint32_t step = 0; step < 4; ++step) {
    const std::uint64_t d = k_major_descriptor(4096 + step * 32);
    for (std::uint32_t r = 0; r < rows; ++r) {
      for (std::uint32_t k = 0; k < 16; ++k) {
        std::uint16_t value = 0;
        std::memcpy(&value, shared.data() + operand_offset(d, Major::kK, r, k, 2), 2);
        EXPECT_EQ(value, source[r * 64 + step * 16 + k]);
      }
    }
  }
}

// The same latent tile is the key (K-major over its 64 columns) and the value (MN-major: columns
// are the rows of the operand): 3 slabs of 64 columns, 64 tokens.
TEST(SwizzleTest, ReadsTheSameTileMnMajor) {
  const int tokens = 64;
  const int columns = 192;
  std::vector<std::uint16_t> source(static_cast<std::size_t>(tokens * columns));
  std::iota(source.begin(), source.end(), std::uint16_t{0});
  const auto map =
      TensorMapParams{.base = source.data()}.with(columns, 0, 64).with(tokens, columns * 2, tokens);
  std::vector<unsigned char> shared(3 * 8192);
  for (std::int32_t slab = 0; slab < 3; ++slab) {
    const std::int32_t at[] = {slab * 64, 0};
    load_box(map, at, shared.data() + slab * 8192, static_cast<std::uint32_t>(slab * 8192));
  }
  for (std::uint32_t step = 0; step < 4; ++step) {  // 16 tokens each
    const std::uint64_t d = mn_major_descriptor(step * 2048, 8192);
    for (std::uint32_t n = 0; n < columns; ++n) {
      for (std::uint32_t k = 0; k < 16; ++k) {
        std::uint16_t value = 0;
        std::memcpy(&value, shared.data() + operand_offset(d, Major::kMN, n, k, 2), 2);
        EXPECT_EQ(value, source[(step * 16 + k) * columns + n]);
      }
    }
  }
}

TEST(SwizzleTest, EveryAccumulatorPlaceHasOneOwner) {
  for (const int n : {8, 64, 256}) {
    std::set<std::pair<int, int>> places;
    for (int t = 0; t < 128; ++t) {
      for (int i = 0; i < n / 2; ++i) {
        const Place p = accumulator_place(t, i);
        EXPECT_TRUE(p.row >= 0 && p.row < 64 && p.column >= 0 && p.column < n);
        places.insert({p.row, p.column});
      }
    }
    EXPECT_EQ(places.size(), static_cast<std::size_t>(64 * n));
  }
}

TEST(TensorMapTest, LoadsBoxesOfUpToFiveDimensionsAndZerosOutside) {
  // (experts 3, halves 2, groups 4, rows 8, K 96): the gate-and-up view of an expert's weights.
  const std::int64_t k = 96;
  const std::int64_t inter = 32;
  std::vector<std::uint8_t> weights(static_cast<std::size_t>(3 * 2 * inter * k));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] = static_cast<std::uint8_t>(random_at(5, i) % 255 + 1);
  }
  auto map = TensorMapParams{.base = weights.data(), .value_bytes = 1}
                 .with(k, 0, 128)
                 .with(8, k, 8)
                 .with(2, inter * k, 2)
                 .with(inter / 8, 8 * k, 4)
                 .with(3, 2 * inter * k, 1);
  ASSERT_EQ(tensor_map_problem(map), nullptr);
  ASSERT_EQ(map.box_bytes(), 8192);
  std::vector<unsigned char> shared(8192, 0xcc);
  const std::int32_t at[] = {0, 0, 0, 0, 2};
  load_box(map, at, shared.data(), 0);
  for (std::uint32_t row = 0; row < 64; ++row) {  // 8 gate, 8 up, 8 gate, …
    const std::int64_t unit = row / 16 * 8 + row % 8;
    const std::int64_t half = row / 8 % 2;
    for (std::uint32_t column = 0; column < 128; ++column) {
      const unsigned char expected =
          column < k
              ? weights[static_cast<std::size_t>(((2 * 2 + half) * inter + unit) * k + column)]
              : std::uint8_t{0};
      EXPECT_EQ(shared[swizzled_offset(row, column)], expected);
    }
  }
}

TEST(TensorMapTest, NamesWhatTheHardwareRefuses) {
  const int dummy = 0;
  const auto good = TensorMapParams{.base = &dummy}.with(64, 0, 64).with(4, 128, 4);
  EXPECT_EQ(tensor_map_problem(good), nullptr);
  auto odd_stride = good;
  odd_stride.strides[1] = 136;
  EXPECT_STREQ(tensor_map_problem(odd_stride),
               "a tensor map's strides are multiples of 16 bytes below 2^40");
  auto wide = good;
  wide.box[0] = 128;
  EXPECT_STREQ(tensor_map_problem(wide), "a swizzled box is 128 bytes wide");
  auto tall = good;
  tall.box[1] = 257;
  EXPECT_NE(tensor_map_problem(tall), nullptr);
  auto empty = good;
  empty.dims[1] = 0;
  EXPECT_NE(tensor_map_problem(empty), nullptr);
}

TEST(TileSchedulerTest, VisitsEveryTileOfEveryGroupOnceForAnyNumberOfBlocks) {
  for (std::uint64_t round = 0; round < 200; ++round) {
    const int n_groups = 1 + below(round, 0, 9);
    std::vector<int> rows;
    std::int64_t total = 0;
    const int tile_rows = 1 + below(round, 1, 64);
    const int column_tiles = 1 + below(round, 2, 7);
    const int band = 1 + below(round, 3, 9);
    for (int g = 0; g < n_groups; ++g) {
      const bool is_empty = below(round, 100 + static_cast<std::uint64_t>(g), 3) == 0;
      rows.push_back(is_empty ? 0 : 1 + below(round, 200 + static_cast<std::uint64_t>(g), 300));
      total += std::int64_t{ceil_div(rows.back(), tile_rows)} * column_tiles;
    }
    const auto rows_of = [&](int g) { return rows[static_cast<std::size_t>(g)]; };
    const int n_blocks = 1 + below(round, 4, 12);
    std::set<std::tuple<int, int, int>> seen;
    for (int b = 0; b < n_blocks; ++b) {
      GroupedTiles tiles(rows_of, n_groups, tile_rows, column_tiles, band);
      for (std::int64_t linear = b;; linear += n_blocks) {
        const Tile tile = tiles.at(linear);
        if (!tile.valid) {
          EXPECT_GE(linear, total);
          break;
        }
        EXPECT_LT(tile.row_tile * tile_rows, rows_of(tile.group));
        EXPECT_LT(tile.column_tile, column_tiles);
        EXPECT_TRUE(seen.insert({tile.group, tile.row_tile, tile.column_tile}).second);
      }
    }
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), total);
  }
}

TEST(PermuteMapTest, SortsPairsByExpertStably) {
  for (std::uint64_t round = 0; round < 100; ++round) {
    const int n_experts = 1 + below(round, 0, 20);
    const int n_pairs = below(round, 1, 200);
    const int align = round % 2 == 0 ? 1 : 8;
    std::vector<std::int32_t> ids;
    for (int p = 0; p < n_pairs; ++p) {
      ids.push_back(below(round, 10 + static_cast<std::uint64_t>(p), n_experts + 1) - 1);
    }
    std::vector<std::int32_t> counts(static_cast<std::size_t>(n_experts));
    std::vector<std::int32_t> offsets(static_cast<std::size_t>(n_experts + 1));
    count_pairs(ids.data(), n_pairs, n_experts, counts.data());
    scan_counts(counts.data(), n_experts, align, offsets.data());
    ASSERT_LE(offsets.back(), most_sorted_rows(n_pairs, n_experts, align));
    std::vector<std::int32_t> next(counts.size());
    std::vector<std::int32_t> row_of(ids.size());
    std::vector<std::int32_t> pair_of(static_cast<std::size_t>(offsets.back()));
    scatter_pairs(ids.data(), n_pairs, n_experts, offsets.data(), next.data(), row_of.data(),
                  pair_of.data());
    int placed = 0;
    for (int e = 0; e < n_experts; ++e) {
      EXPECT_EQ(offsets[static_cast<std::size_t>(e)] % align, 0);
      std::int32_t before = -1;
      for (std::int32_t r = offsets[static_cast<std::size_t>(e)];
           r < offsets[static_cast<std::size_t>(e) + 1]; ++r) {
        const std::int32_t p = pair_of[static_cast<std::size_t>(r)];
        if (p < 0) {
          continue;
        }
        EXPECT_EQ(ids[static_cast<std::size_t>(p)], e);
        EXPECT_GT(p, before);
        EXPECT_EQ(row_of[static_cast<std::size_t>(p)], r);
        before = p;
        ++placed;
      }
    }
    int routed = 0;
    for (std::size_t p = 0; p < ids.size(); ++p) {
      routed += ids[p] >= 0 ? 1 : 0;
      EXPECT_EQ(row_of[p] >= 0, ids[p] >= 0);
    }
    EXPECT_EQ(placed, routed);
  }
}

TEST(SplitPlanTest, CoversEveryBlockOnceAndNumbersSplitsWithoutGaps) {
  for (std::uint64_t round = 0; round < 400; ++round) {
    const int n = 1 + below(round, 0, 10);
    std::vector<std::int32_t> starts{0};
    for (int s = 0; s < n; ++s) {
      // Zero lengths anywhere, one token, whole blocks, one token more.
      const int kind = below(round, 50 + static_cast<std::uint64_t>(s), 5);
      const int length = kind == 0   ? 0
                         : kind == 1 ? 1
                         : kind == 2 ? kBlockTokens * (1 + below(round, 90, 3))
                         : kind == 3 ? kBlockTokens + 1
                                     : below(round, 70 + static_cast<std::uint64_t>(s), 3000);
      EXPECT_EQ(cache_blocks(length), (length + 63) / 64);
      starts.push_back(starts.back() + cache_blocks(length));
    }
    const int parts = 1 + below(round, 1, 40);
    const SplitPlan plan = SplitPlan::make(starts.back(), parts, 1 + below(round, 2, 4));
    EXPECT_GE(plan.per_part * parts, starts.back());
    std::map<int, std::map<int, std::pair<int, int>>> pieces;  // sequence -> split -> blocks
    std::map<int, int> n_splits;
    for (int p = 0; p < parts; ++p) {
      int partial = 0;
      std::int32_t block = plan.begin(p);
      while (block < plan.end(p)) {
        const Segment segment = segment_at(plan, starts.data(), n, p, block);
        ASSERT_GT(segment.end, segment.begin);
        partial += segment.n_splits > 1 ? 1 : 0;
        EXPECT_TRUE(
            pieces[segment.sequence].insert({segment.split, {segment.begin, segment.end}}).second);
        n_splits[segment.sequence] = segment.n_splits;
        block += segment.end - segment.begin;
      }
      EXPECT_LE(partial, 2);
    }
    for (int s = 0; s < n; ++s) {
      const int blocks =
          starts[static_cast<std::size_t>(s) + 1] - starts[static_cast<std::size_t>(s)];
      int next = 0;
      int split = 0;
      for (const auto& [number, range] : pieces[s]) {
        EXPECT_EQ(number, split++);
        EXPECT_EQ(range.first, next);
        next = range.second;
      }
      EXPECT_EQ(next, blocks);
      EXPECT_EQ(split, blocks == 0 ? 0 : n_splits[s]);
    }
  }
}

}  // namespace
}  // namespace r1eval::kernels
