// Operators over rows, router and permutation, sampling: device sources over the emulator, against
// double precision.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>

#include <gmock/gmock.h>

#include "kernels/cuda/operators.h"
#include "kernels/shared/permute_map.h"
#include "tests/kernels/cuda/data.h"

namespace r1eval::kernels {
namespace {

using ::testing::HasSubstr;

class RowsTest : public testing::TestWithParam<const device::Table*> {
 protected:
  const device::Table& op_ = *GetParam();
};

INSTANTIATE_TEST_SUITE_P(Tables, RowsTest,
                         testing::Values(&emulated::simple_operators(),
                                         &emulated::fast_operators()),
                         [](const auto& instance) { return std::string(instance.param->name); });

double silu(double x) {
  return x / (1.0 + std::exp(-x));
}

TEST_P(RowsTest, NormalisesRowsOfAnyWidthWithAndWithoutResidual) {
  for (const std::int64_t width : {1, 7, 8, 100, 512, 2056}) {
    for (const bool with_residual : {false, true}) {
      const std::int64_t tokens = 3;
      const auto x = draw_bf16(1, tokens * width);
      auto residual = draw_bf16(2, tokens * width);
      auto gain = draw_float(3, width);
      for (float& g : gain) {
        g += 1.0F;
      }
      std::vector<double> expected;
      std::vector<double> sums;
      for (std::int64_t t = 0; t < tokens; ++t) {
        std::vector<double> row;
        double squares = 0.0;
        for (std::int64_t i = 0; i < width; ++i) {
          const auto at = static_cast<std::size_t>(t * width + i);
          double v = to_float(x[at]);
          if (with_residual) {
            v = to_float(to_bf16(to_float(x[at]) + to_float(residual[at])));
          }
          row.push_back(v);
          sums.push_back(v);
          squares += v * v;
        }
        const double factor = 1.0 / std::sqrt(squares / static_cast<double>(width) + 1e-6);
        for (std::int64_t i = 0; i < width; ++i) {
          expected.push_back(row[static_cast<std::size_t>(i)] * factor *
                             gain[static_cast<std::size_t>(i)]);
        }
      }
      auto out = poisoned(tokens * width);
      ASSERT_TRUE(op_.rms_norm({x.data(), with_residual ? residual.data() : nullptr, gain.data(),
                                out.data(), tokens, width, 1e-6F},
                               nullptr));
      EXPECT_EQ(difference(widen(out), expected, width, kRowBounds), "") << width;
      if (with_residual) {
        EXPECT_EQ(widen(residual), sums);
      }
    }
  }
}

TEST_P(RowsTest, TakesNoTokensAndRefusesWhatIsOutsideTheContract) {
  EXPECT_TRUE(op_.rms_norm({nullptr, nullptr, nullptr, nullptr, 0, 16, 1e-6F}, nullptr));
  const Status status = op_.rms_norm({nullptr, nullptr, nullptr, nullptr, 1, 0, 1e-6F}, nullptr);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, HasSubstr("width = 0, allowed: 1 to 32768"));
}

TEST_P(RowsTest, QuantisesByBlocksOf128AsTheHostDoes) {
  for (const std::int64_t width : {128, 256, 200, 7}) {
    auto x = draw_bf16(4, 5 * width);
    std::fill_n(x.begin(), std::min<std::int64_t>(width, 128), Bf16{0});  // a block of zeros
    const Rows8 expected = quantize_rows_of(widen(x), width);
    std::vector<E4m3> values(x.size(), E4m3{0x7f});
    std::vector<float> scales(static_cast<std::size_t>(5 * scale_blocks(width)), NAN);
    ASSERT_TRUE(op_.quantize_rows({x.data(), values.data(), scales.data(), 5, width}, nullptr));
    EXPECT_EQ(scales, expected.scales);
    EXPECT_EQ(widen(values), widen(expected.values));
  }
}

TEST_P(RowsTest, MultipliesSiluOfTheGateByUp) {
  for (const std::int64_t width : {128, 384, 24, 5}) {
    const std::int64_t rows = 4;
    const auto x = draw_bf16(5, rows * 2 * width, 8.0F);
    std::vector<double> expected;
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < width; ++i) {
        expected.push_back(silu(to_float(x[static_cast<std::size_t>(r * 2 * width + i)])) *
                           to_float(x[static_cast<std::size_t>((r * 2 + 1) * width + i)]));
      }
    }
    auto out = poisoned(rows * width);
    device::SwiGlu a{x.data(), out.data(), nullptr, nullptr, rows, width};
    ASSERT_TRUE(op_.swiglu(a, nullptr));
    EXPECT_EQ(difference(widen(out), expected, width, kRowBounds), "");

    // In 8 bits: the same as quantising that result.
    const Rows8 eight = quantize_rows_of(widen(out), width);
    std::vector<E4m3> values(out.size(), E4m3{0x7f});
    std::vector<float> scales(static_cast<std::size_t>(rows * scale_blocks(width)), NAN);
    a.out = nullptr;
    a.values = values.data();
    a.scales = scales.data();
    ASSERT_TRUE(op_.swiglu(a, nullptr));
    EXPECT_EQ(scales, eight.scales);
    EXPECT_EQ(widen(values), widen(eight.values));
  }
}

TEST_P(RowsTest, CombinesRowsByWeightAndLeavesOutNegativeOnes) {
  for (const std::int64_t width : {256, 20, 3}) {
    const std::int64_t tokens = 5;
    const int k = 3;
    const auto rows = draw_bf16(6, tokens * k * width);
    const auto shared = draw_bf16(7, tokens * width);
    const auto weights = draw_float(8, tokens * k);
    std::vector<std::int32_t> row_of;
    for (const std::int64_t r : permutation(tokens * k, 9)) {
      row_of.push_back(static_cast<std::int32_t>(r));
    }
    row_of[4] = -1;
    for (const bool with_shared : {false, true}) {
      std::vector<double> expected;
      for (std::int64_t t = 0; t < tokens; ++t) {
        for (std::int64_t i = 0; i < width; ++i) {
          double sum =
              with_shared ? to_float(shared[static_cast<std::size_t>(t * width + i)]) : 0.0;
          for (int j = 0; j < k; ++j) {
            const auto pair = static_cast<std::size_t>(t * k + j);
            if (row_of[pair] >= 0) {
              sum += static_cast<double>(weights[pair]) *
                     to_float(rows[static_cast<std::size_t>(row_of[pair] * width + i)]);
            }
          }
          expected.push_back(sum);
        }
      }
      auto out = poisoned(tokens * width);
      ASSERT_TRUE(op_.combine({rows.data(), row_of.data(), weights.data(),
                               with_shared ? shared.data() : nullptr, out.data(), tokens, width, k},
                              nullptr));
      EXPECT_EQ(difference(widen(out), expected, width, {3e-3, 1e-5, 1.5 / 128, 1e-3, 1e-6}), "");
    }
  }
}

TEST_P(RowsTest, RotatesInterleavedPairsInPlace) {
  const std::int64_t tokens = 4;
  const int heads = 3;
  const int width = 64;
  const int head_stride = 192;  // the rotated part stands behind 128 others
  auto q = draw_bf16(10, tokens * heads * head_stride);
  auto k = draw_bf16(11, tokens * width);
  const auto q_before = q;
  const auto k_before = k;
  std::vector<float> cosines;
  std::vector<float> sines;
  for (int position = 0; position < 40; ++position) {
    for (int pair = 0; pair < width / 2; ++pair) {
      const double angle = position * std::pow(10000.0, -2.0 * pair / width);
      cosines.push_back(static_cast<float>(std::cos(angle)));
      sines.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  const std::vector<std::int32_t> positions = {0, 5, 39, 7};
  device::Rope a;
  a.q = q.data() + 128;
  a.k = k.data();
  a.positions = positions.data();
  a.cosines = cosines.data();
  a.sines = sines.data();
  a.tokens = tokens;
  a.heads = heads;
  a.q_head_stride = head_stride;
  ASSERT_TRUE(op_.rope(a, nullptr));
  const auto expect_rotated = [&](const Bf16* now, const Bf16* before, std::int64_t t) {
    std::vector<double> out;
    std::vector<double> expected;
    for (int pair = 0; pair < width / 2; ++pair) {
      const auto at = static_cast<std::size_t>(positions[static_cast<std::size_t>(t)] * 32 + pair);
      const double x = to_float(before[2 * pair]);
      const double y = to_float(before[2 * pair + 1]);
      expected.push_back(x * cosines[at] - y * sines[at]);
      expected.push_back(x * sines[at] + y * cosines[at]);
      out.push_back(to_float(now[2 * pair]));
      out.push_back(to_float(now[2 * pair + 1]));
    }
    EXPECT_EQ(difference(out, expected, width, kRowBounds), "");
  };
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (int h = 0; h < heads; ++h) {
      const std::int64_t at = (t * heads + h) * head_stride;
      expect_rotated(q.data() + at + 128, q_before.data() + at + 128, t);
      for (int d = 0; d < 128; ++d) {  // not its business
        EXPECT_EQ(q[static_cast<std::size_t>(at + d)].bits,
                  q_before[static_cast<std::size_t>(at + d)].bits);
      }
    }
    expect_rotated(k.data() + t * width, k_before.data() + t * width, t);
  }
}

TEST_P(RowsTest, AppendsRowsToTheCacheAndNothingElse) {
  const std::int64_t tokens = 6;
  const auto latent = draw_bf16(12, tokens * 512);
  const auto rope = draw_bf16(13, tokens * 64);
  const std::vector<std::int64_t> slots = {130, 0, -1, 191, 64, 63};
  for (const bool is_e4m3 : {false, true}) {
    const std::int64_t row_bytes = device::cache_row_bytes(512, 64, is_e4m3);
    EXPECT_EQ(row_bytes, is_e4m3 ? 656 : 1152);
    std::vector<unsigned char> cache(static_cast<std::size_t>(3 * 64 * row_bytes), 0xee);
    auto expected = cache;
    const Rows8 eight = quantize_rows_of(widen(latent), 512);
    for (std::size_t t = 0; t < slots.size(); ++t) {
      if (slots[t] < 0) {
        continue;
      }
      unsigned char* row = expected.data() + slots[t] * row_bytes;
      if (is_e4m3) {
        std::memcpy(row, eight.values.data() + t * 512, 512);
        std::memcpy(row + 512, eight.scales.data() + t * 4, 16);
        std::memcpy(row + 528, rope.data() + t * 64, 128);
      } else {
        std::memcpy(row, latent.data() + t * 512, 1024);
        std::memcpy(row + 1024, rope.data() + t * 64, 128);
      }
    }
    device::Append a;
    a.latent = latent.data();
    a.rope = rope.data();
    a.slots = slots.data();
    a.cache = cache.data();
    a.is_e4m3 = is_e4m3;
    a.tokens = tokens;
    ASSERT_TRUE(op_.append(a, nullptr));
    EXPECT_EQ(cache, expected);
  }
}

struct RouterCase {
  int experts;
  int k;
  int groups;
  int groups_kept;
  bool is_sigmoid;
  bool with_bias;
  bool is_renormalized;
  float scale;
};

// What the router's rule gives in double precision.
void choose(const RouterCase& c, const float* logits, const float* bias, std::vector<int>& ids,
            std::vector<double>& weights) {
  std::vector<double> s;
  double most = -HUGE_VAL;
  for (int e = 0; e < c.experts; ++e) {
    most = std::max(most, static_cast<double>(logits[e]));
  }
  double sum = 0.0;
  for (int e = 0; e < c.experts; ++e) {
    s.push_back(c.is_sigmoid ? 1.0 / (1.0 + std::exp(-static_cast<double>(logits[e])))
                             : std::exp(logits[e] - most));
    sum += s.back();
  }
  std::vector<double> t = s;
  for (int e = 0; e < c.experts; ++e) {
    if (!c.is_sigmoid) {
      s[static_cast<std::size_t>(e)] /= sum;
      t[static_cast<std::size_t>(e)] = s[static_cast<std::size_t>(e)];
    }
    if (c.with_bias) {
      t[static_cast<std::size_t>(e)] += static_cast<double>(bias[e]);
    }
  }
  const int per_group = c.experts / c.groups;
  std::vector<std::pair<double, int>> groups;
  for (int g = 0; g < c.groups; ++g) {
    std::vector<double> members(t.begin() + g * per_group, t.begin() + (g + 1) * per_group);
    std::sort(members.rbegin(), members.rend());
    groups.emplace_back(-(c.with_bias && per_group > 1 ? members[0] + members[1] : members[0]), g);
  }
  std::sort(groups.begin(), groups.end());
  std::vector<std::pair<double, int>> candidates;
  for (int i = 0; i < c.groups_kept; ++i) {
    for (int e = groups[static_cast<std::size_t>(i)].second * per_group;
         e < (groups[static_cast<std::size_t>(i)].second + 1) * per_group; ++e) {
      candidates.emplace_back(-t[static_cast<std::size_t>(e)], e);
    }
  }
  std::sort(candidates.begin(), candidates.end());
  double total = 0.0;
  for (int j = 0; j < c.k; ++j) {
    ids.push_back(candidates[static_cast<std::size_t>(j)].second);
    total += s[static_cast<std::size_t>(ids.back())];
  }
  for (int j = 0; j < c.k; ++j) {
    weights.push_back(
        s[static_cast<std::size_t>(
            ids[ids.size() - static_cast<std::size_t>(c.k) + static_cast<std::size_t>(j)])] *
        (c.is_renormalized ? c.scale / total : c.scale));
  }
}

TEST_P(RowsTest, ChoosesExpertsByTheRouterRule) {
  const std::vector<RouterCase> cases = {
      {256, 8, 8, 4, true, true, true, 2.5F},    {64, 6, 1, 1, false, false, false, 1.0F},
      {160, 6, 8, 3, false, false, true, 16.0F}, {16, 2, 4, 1, true, true, true, 1.0F},
      {3, 3, 1, 1, true, false, true, 1.0F},     {8, 1, 8, 2, true, true, false, 1.0F},
  };
  for (const RouterCase& c : cases) {
    const std::int64_t tokens = 11;
    const auto logits = draw_float(20, tokens * c.experts, 30.0F);
    const auto bias = draw_float(21, c.experts);
    std::vector<int> expected_ids;
    std::vector<double> expected_weights;
    for (std::int64_t t = 0; t < tokens; ++t) {
      choose(c, logits.data() + t * c.experts, bias.data(), expected_ids, expected_weights);
    }
    std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens * c.k), -7);
    std::vector<float> weights(ids.size(), NAN);
    ASSERT_TRUE(op_.router_topk(
        {logits.data(), c.with_bias ? bias.data() : nullptr, ids.data(), weights.data(), tokens,
         c.experts, c.k, c.groups, c.groups_kept, c.is_sigmoid, c.is_renormalized, c.scale},
        nullptr));
    EXPECT_EQ(ids, expected_ids) << c.experts;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_NEAR(weights[i], expected_weights[i], 1e-5 * std::fabs(expected_weights[i]));
    }
  }
}

TEST_P(RowsTest, PrefersTheLowerExpertAmongEquals) {
  const std::vector<float> logits(64, 0.25F);
  std::vector<std::int32_t> ids(4, -1);
  std::vector<float> weights(4);
  ASSERT_TRUE(op_.router_topk(
      {logits.data(), nullptr, ids.data(), weights.data(), 1, 64, 4, 4, 2, true, true, 1.0F},
      nullptr));
  EXPECT_THAT(ids, testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(weights, testing::Each(testing::FloatEq(0.25F)));
}

TEST_P(RowsTest, RouterContractIsChecked) {
  const float logits[8] = {};
  std::int32_t ids[8];
  float weights[8];
  const Status status =
      op_.router_topk({logits, nullptr, ids, weights, 1, 8, 5, 4, 2, true, true, 1.0F}, nullptr);
  ASSERT_FALSE(status.has_value());
  EXPECT_THAT(status.error().message, HasSubstr("k = 5"));
}

TEST_P(RowsTest, SortsRowsByExpertLikeTheSharedMap) {
  for (const int align : {1, 8}) {
    for (const std::int64_t tokens : {0, 1, 37}) {
      const int experts = 17;
      const int k = 3;
      std::vector<std::int32_t> ids;
      for (std::int64_t p = 0; p < tokens * k; ++p) {
        // Experts 3 and 16 get nothing, one pair goes nowhere.
        const int e = draw_below(30, static_cast<std::uint64_t>(p), 16);
        ids.push_back(e == 3 ? 5 : e);
      }
      if (!ids.empty()) {
        ids[1] = -1;
      }
      const auto pairs = static_cast<std::int64_t>(ids.size());
      const auto most = static_cast<std::size_t>(most_sorted_rows(pairs, experts, align));
      std::vector<std::int32_t> counts(experts);
      std::vector<std::int32_t> next(experts);
      std::vector<std::int32_t> offsets(experts + 1);
      std::vector<std::int32_t> row_of(ids.size());
      std::vector<std::int32_t> pair_of(most, -9);
      count_pairs(ids.data(), pairs, experts, counts.data());
      scan_counts(counts.data(), experts, align, offsets.data());
      scatter_pairs(ids.data(), pairs, experts, offsets.data(), next.data(), row_of.data(),
                    pair_of.data());
      const std::int64_t width = 24;
      const auto x = draw_bf16(31, tokens * width);
      const auto scales = draw_float(32, tokens * 2);
      std::vector<std::int32_t> offsets_out(experts + 1, -1);
      std::vector<std::int32_t> row_of_out(ids.size(), -5);
      std::vector<std::int32_t> pair_of_out(most, -9);
      auto sorted = poisoned(static_cast<std::int64_t>(most) * width);
      std::vector<float> sorted_scales(most * 2, NAN);
      device::Permute a;
      a.ids = ids.data();
      a.rows = x.data();
      a.scales = scales.data();
      a.offsets = offsets_out.data();
      a.row_of_pair = row_of_out.data();
      a.pair_of_row = pair_of_out.data();
      a.sorted = sorted.data();
      a.sorted_scales = sorted_scales.data();
      a.tokens = tokens;
      a.row_bytes = width * 2;
      a.scales_per_row = 2;
      a.experts = experts;
      a.k = k;
      a.align = align;
      ASSERT_TRUE(op_.permute(a, nullptr));
      EXPECT_EQ(offsets_out, offsets);
      EXPECT_EQ(row_of_out, row_of);
      EXPECT_EQ(pair_of_out, pair_of);
      for (std::int32_t r = 0; r < offsets.back(); ++r) {
        const std::int32_t pair = pair_of[static_cast<std::size_t>(r)];
        for (std::int64_t i = 0; i < width; ++i) {
          EXPECT_EQ(sorted[static_cast<std::size_t>(r * width + i)].bits,
                    pair < 0 ? 0 : x[static_cast<std::size_t>(pair / k * width + i)].bits);
        }
        if (pair >= 0) {
          EXPECT_EQ(sorted_scales[static_cast<std::size_t>(r) * 2 + 1],
                    scales[static_cast<std::size_t>(pair / k) * 2 + 1]);
        }
      }
    }
  }
}

TEST_P(RowsTest, RoutesInOneCallAsChoiceAndMapDo) {
  for (const std::int64_t tokens : {0, 1, 9, 40, 300}) {
    const int experts = 64;
    const int k = 6;
    const int align = 8;
    const auto logits = draw_float(70, tokens * experts, 30.0F);
    const std::int64_t pairs = tokens * k;
    const auto most = static_cast<std::size_t>(most_sorted_rows(pairs, experts, align));
    std::vector<std::int32_t> ids(static_cast<std::size_t>(pairs), -1);
    std::vector<std::int32_t> ids_apart(ids);
    std::vector<float> weights(ids.size(), NAN);
    std::vector<float> weights_apart(weights);
    std::vector<std::int32_t> offsets(experts + 1, -1);
    std::vector<std::int32_t> row_of(ids.size(), -5);
    std::vector<std::int32_t> pair_of(most, -9);
    device::RouterTopK choice{
        logits.data(), nullptr, ids.data(), weights.data(), tokens, experts, k, 4, 2,
        true,          true,    1.0F};
    device::Permute map;
    map.ids = ids.data();
    map.offsets = offsets.data();
    map.row_of_pair = row_of.data();
    map.pair_of_row = pair_of.data();
    map.tokens = tokens;
    map.experts = experts;
    map.k = k;
    map.align = align;
    const Status status = op_.route(choice, map, nullptr);
    ASSERT_TRUE(status.has_value()) << status.error().message;
    choice.ids = ids_apart.data();
    choice.weights = weights_apart.data();
    ASSERT_TRUE(op_.router_topk(choice, nullptr));
    EXPECT_EQ(ids, ids_apart);
    EXPECT_EQ(weights, weights_apart);
    std::vector<std::int32_t> counts(experts);
    std::vector<std::int32_t> next(experts);
    std::vector<std::int32_t> want_offsets(experts + 1);
    std::vector<std::int32_t> want_row_of(ids.size());
    std::vector<std::int32_t> want_pair_of(most, -9);
    count_pairs(ids.data(), pairs, experts, counts.data());
    scan_counts(counts.data(), experts, align, want_offsets.data());
    scatter_pairs(ids.data(), pairs, experts, want_offsets.data(), next.data(), want_row_of.data(),
                  want_pair_of.data());
    EXPECT_EQ(offsets, want_offsets);
    EXPECT_EQ(row_of, want_row_of);
    EXPECT_EQ(pair_of, want_pair_of);
  }
}

// The kept tokens with their probabilities by sorting.
std::vector<double> kept_probabilities(const std::vector<float>& logits, std::int64_t k, double p,
                                       double temperature) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  const double most = logits[static_cast<std::size_t>(order[0])];
  std::vector<double> weight(logits.size(), 0.0);
  double total = 0.0;
  const std::size_t n = k > 0 ? std::min(static_cast<std::size_t>(k), order.size()) : order.size();
  for (std::size_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(order[i]);
    weight[at] = std::exp((logits[at] - most) / temperature);
    total += weight[at];
  }
  double before = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(order[i]);
    const double share = weight[at] / total;
    if (before >= p) {
      weight[at] = 0.0;
    }
    before += share;
  }
  const double kept = std::accumulate(weight.begin(), weight.end(), 0.0);
  for (double& w : weight) {
    w /= kept;
  }
  return weight;
}

TEST_P(RowsTest, DrawsFromTheKeptTokensInProportion) {
  struct Case {
    std::int64_t vocabulary;
    std::int64_t k;
    float p;
    float temperature;
    bool is_bf16;
  };

  for (const Case& c : std::vector<Case>{{700, 0, 1.0F, 1.0F, false},
                                         {700, 0, 0.9F, 0.7F, false},
                                         {700, 20, 1.0F, 1.3F, true},
                                         {1025, 50, 0.8F, 1.0F, true},
                                         {5, 9, 0.5F, 1.0F, false},
                                         {1, 0, 0.9F, 1.0F, false}}) {
    // The rows' uniforms walk over [0, 1), so that every kept token's share is hit in proportion.
    const std::int64_t batch = 101;
    auto row = draw_float(40, c.vocabulary, 25.0F);
    std::vector<Bf16> row16;
    for (float& x : row) {
      row16.push_back(to_bf16(x));  // with many equal values
      x = c.is_bf16 ? to_float(row16.back()) : x;
    }
    std::vector<float> logits;
    std::vector<Bf16> logits16;
    std::vector<float> uniforms;
    for (std::int64_t b = 0; b < batch; ++b) {
      logits.insert(logits.end(), row.begin(), row.end());
      logits16.insert(logits16.end(), row16.begin(), row16.end());
      uniforms.push_back((static_cast<float>(b) + 0.5F) / static_cast<float>(batch));
    }
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(batch), -1);
    const void* data = c.is_bf16 ? static_cast<const void*>(logits16.data())
                                 : static_cast<const void*>(logits.data());
    ASSERT_TRUE(op_.sample({data, uniforms.data(), tokens.data(), c.is_bf16, batch, c.vocabulary,
                            c.k, c.p, c.temperature},
                           nullptr));
    const auto share =
        kept_probabilities(row, c.k, static_cast<double>(c.p), static_cast<double>(c.temperature));
    for (std::int64_t b = 0; b < batch; ++b) {
      const double u = uniforms[static_cast<std::size_t>(b)];
      const auto token = static_cast<std::size_t>(tokens[static_cast<std::size_t>(b)]);
      ASSERT_LT(token, share.size());
      EXPECT_GT(share[token], 0.0);  // never outside
      const double begin =
          std::accumulate(share.begin(), share.begin() + static_cast<std::ptrdiff_t>(token), 0.0);
      EXPECT_LE(begin - 1e-6, u);
      EXPECT_GE(begin + share[token] + 1e-6, u);
    }
  }
}

TEST_P(RowsTest, TakesTheFirstLargestLogitAtTemperatureZero) {
  std::vector<float> logits = draw_float(50, 3 * 600);
  logits[17] = logits[444] = 5.0F;
  logits[600 + 599] = 5.0F;
  logits[1200 + 3] = NAN;
  logits[1200 + 70] = 4.0F;
  std::vector<std::int32_t> tokens(3, -1);
  ASSERT_TRUE(
      op_.sample({logits.data(), nullptr, tokens.data(), false, 3, 600, 0, 1.0F, 0.0F}, nullptr));
  EXPECT_THAT(tokens, testing::ElementsAre(17, 599, 70));
}

}  // namespace
}  // namespace r1eval::kernels
