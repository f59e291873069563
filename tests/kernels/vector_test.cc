// Normalisation, activation, rotation, quantisation and attention against the oracle.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/reference/reference.h"

namespace r1eval::kernels {
namespace {

// Room for n quantised columns, and what they stand for.
struct Quantized {
  Quantized(std::int64_t n, std::int64_t width)
      : storage(static_cast<std::size_t>(QuantizedColumns::storage_bytes(n, width))),
        columns(QuantizedColumns::in_storage(storage.data(), n, width)) {}

  std::int32_t multiplier(std::int64_t column, std::int64_t half) const {
    const std::int32_t both = columns.multipliers[column * columns.columns / 32 + half / 2];
    return half % 2 == 0 ? both & 0xffff : both >> 16;
  }

  float step(std::int64_t column, std::int64_t half) const {
    return columns.scales[column] * static_cast<float>(multiplier(column, half));
  }

  float value(std::int64_t column, std::int64_t i) const {
    return step(column, i / 16) * static_cast<float>(columns.values[column * columns.columns + i]);
  }

  std::vector<std::byte> storage;
  QuantizedColumns columns;
};

class VectorKernelTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    table_ = kernels_for(GetParam());
    if (table_ == nullptr) {
      GTEST_SKIP() << "this processor has no " << GetParam();
    }
  }

  std::vector<float> floats(std::int64_t n, float scale = 1.0F) {
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> out(static_cast<std::size_t>(n));
    for (float& value : out) {
      value = normal(random_);
    }
    return out;
  }

  const KernelTable* table_ = nullptr;
  std::mt19937 random_{11};
};

TEST_P(VectorKernelTest, RmsNormAgreesWithTheOracle) {
  for (const std::int64_t n : {1, 15, 16, 64, 576, 577}) {
    const auto x = floats(n, 3.0F);
    const auto gain = floats(n);
    std::vector<float> out(static_cast<std::size_t>(n));
    table_->rms_norm(x.data(), gain.data(), 1e-5F, n, out.data());
    const auto oracle = reference::rms_norm(x.data(), gain.data(), 1e-5, n);
    for (std::size_t i = 0; i < out.size(); ++i) {
      EXPECT_NEAR(out[i], oracle[i], 2e-6 * (std::fabs(oracle[i]) + 1e-3));
    }
  }
}

TEST_P(VectorKernelTest, SiluProductAgreesWithTheOracleAlsoAtExtremes) {
  auto gate = floats(35, 5.0F);
  gate[0] = 100.0F;
  gate[1] = -100.0F;
  gate[2] = 0.0F;
  gate[3] = -87.5F;
  const auto up = floats(35);
  std::vector<float> out(35);
  table_->silu_product(gate.data(), up.data(), 35, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double oracle =
        reference::silu_product(static_cast<double>(gate[i]), static_cast<double>(up[i]));
    EXPECT_NEAR(out[i], oracle, 2e-6 * std::fabs(oracle) + 1e-30);
  }
}

TEST_P(VectorKernelTest, RotationTurnsPairsHalfAHeadApart) {
  for (const std::int64_t n : {2, 16, 64, 40}) {
    const auto x = floats(n);
    std::vector<float> cosines;
    std::vector<float> sines;
    for (std::int64_t i = 0; i < n / 2; ++i) {
      cosines.push_back(std::cos(0.1F * static_cast<float>(i)));
      sines.push_back(std::sin(0.1F * static_cast<float>(i)));
    }
    auto y = x;
    table_->rotate_halves(y.data(), cosines.data(), sines.data(), n);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n / 2); ++i) {
      const std::size_t j = i + static_cast<std::size_t>(n / 2);
      EXPECT_NEAR(y[i], x[i] * cosines[i] - x[j] * sines[i], 1e-6F);
      EXPECT_NEAR(y[j], x[j] * cosines[i] + x[i] * sines[i], 1e-6F);
    }
  }
}

TEST_P(VectorKernelTest, QuantisationIsWithinHalfAStepAndKeepsItsSums) {
  auto x = floats(96);
  for (std::size_t i = 32; i < 64; ++i) {
    x[i] = 0.0F;  // a block of zeros has scale 0
  }
  Quantized made(1, 96);
  const QuantizedColumns& q = made.columns;
  table_->quantize(x.data(), q, 0, -1, nullptr);
  for (std::int64_t b = 0; b < 3; ++b) {
    std::int64_t block_sum = 0;
    for (std::int64_t half = 0; half < 2; ++half) {
      std::int64_t sum = 0;
      const float step = made.step(0, 2 * b + half);
      float most = 0.0F;
      for (std::int64_t i = b * 32 + half * 16; i < b * 32 + half * 16 + 16; ++i) {
        EXPECT_NEAR(made.value(0, i), x[static_cast<std::size_t>(i)], 0.501F * step);
        most = std::max(most, std::fabs(x[static_cast<std::size_t>(i)]));
        sum += q.values[i];
      }
      EXPECT_NEAR(step, most / 127.0F, 0.001F * most);
      EXPECT_EQ(q.negated_sums[2 * b + half], -sum);
      block_sum += sum * made.multiplier(0, 2 * b + half);
    }
    EXPECT_EQ(q.block_sums[b], block_sum);
  }
}

TEST_P(VectorKernelTest, BlocksMuchSmallerThanTheLargestKeepTheirSize) {
  auto x = floats(64);
  for (std::size_t i = 0; i < 16; ++i) {
    x[i] *= 1e-3F;
  }
  Quantized made(1, 64);
  table_->quantize(x.data(), made.columns, 0, -1, nullptr);
  for (std::int64_t i = 0; i < 16; ++i) {
    EXPECT_NEAR(made.value(0, i), x[static_cast<std::size_t>(i)], 2e-5F);
  }
}

TEST_P(VectorKernelTest, HalvesAreRoundedAsTheScalarConversionDoes) {
  const auto x = floats(37, 100.0F);
  std::vector<std::uint16_t> out(37);
  table_->to_half(x.data(), 37, out.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i], float_to_half(x[i]));
  }
}

TEST_P(VectorKernelTest, TheRestColumnHoldsWhatEightBitsCouldNot) {
  const auto x = floats(64);
  Quantized made(2, 64);
  std::vector<float> rest(64);
  table_->quantize(x.data(), made.columns, 0, 1, rest.data());
  for (std::int64_t i = 0; i < 64; ++i) {
    EXPECT_NEAR(made.value(0, i) + made.value(1, i), x[static_cast<std::size_t>(i)],
                made.step(0, i / 16) / 200.0F);
  }
}

// Pages in reverse order, garbage (NaN) in the slots that no position owns.
TEST_P(VectorKernelTest, AttentionAgreesWithTheOracleOverPagesAndSpans) {
  for (const std::int64_t head_dim : {8, 16, 24, 64, 80, 128}) {
    for (const std::int64_t n_positions : {1, 2, 31, 32, 33, 256, 257, 700}) {
      for (const std::int64_t n_queries : {1, 3, 7}) {
        const std::int64_t value_dim = (head_dim + 15) / 16 * 16;
        const std::int64_t n_pages = (n_positions + kPageTokens - 1) / kPageTokens;
        const auto queries = floats(n_queries * head_dim, 2.0F);
        const auto keys = floats(n_positions * head_dim);
        const auto values = floats(n_positions * head_dim);
        std::vector<std::int32_t> pages;
        for (std::int64_t i = n_pages - 1; i >= 0; --i) {
          pages.push_back(static_cast<std::int32_t>(i));
        }
        std::vector<float> key_store(static_cast<std::size_t>(n_pages * head_dim * kPageTokens),
                                     NAN);
        std::vector<float> value_store(static_cast<std::size_t>(n_pages * value_dim * kPageTokens),
                                       NAN);
        for (std::int64_t t = 0; t < n_positions; ++t) {
          const std::int64_t page = pages[static_cast<std::size_t>(t / kPageTokens)];
          const std::int64_t slot = t % kPageTokens;
          for (std::int64_t d = 0; d < value_dim; ++d) {
            const auto value_at =
                static_cast<std::size_t>((page * kPageTokens + slot) * value_dim + d);
            value_store[value_at] =
                d < head_dim ? values[static_cast<std::size_t>(t * head_dim + d)] : 0.0F;
            if (d < head_dim) {
              key_store[static_cast<std::size_t>((page * head_dim + d) * kPageTokens + slot)] =
                  keys[static_cast<std::size_t>(t * head_dim + d)];
            }
          }
        }
        std::vector<float> out(static_cast<std::size_t>(n_queries * head_dim));
        std::vector<AttentionColumn> columns;
        for (std::int64_t q = 0; q < n_queries; ++q) {
          columns.push_back({queries.data() + q * head_dim, out.data() + q * head_dim, pages.data(),
                             n_positions});
        }
        std::vector<float> scratch(
            static_cast<std::size_t>(attention_scratch_floats(head_dim, value_dim)), NAN);
        AttentionTask task;
        task.columns = columns.data();
        task.n_columns = n_queries;
        task.head_dim = head_dim;
        task.value_dim = value_dim;
        task.out_dim = head_dim;
        task.scale = 0.125F;
        task.scratch = scratch.data();
        task.keys = key_store.data();
        task.values = value_store.data();
        task.key_page_stride = head_dim * kPageTokens;
        task.value_page_stride = value_dim * kPageTokens;
        table_->attend(task);
        for (std::int64_t q = 0; q < n_queries; ++q) {
          const auto oracle = reference::attend(queries.data() + q * head_dim, keys.data(),
                                                values.data(), n_positions, head_dim, 0.125);
          for (std::int64_t d = 0; d < head_dim; ++d) {
            ASSERT_NEAR(out[static_cast<std::size_t>(q * head_dim + d)],
                        oracle[static_cast<std::size_t>(d)], 1e-5)
                << head_dim << " " << n_positions << " " << n_queries;
          }
        }
      }
    }
  }
}

// Latent attention: a token's row is its key, and its first values are its value.
TEST_P(VectorKernelTest, AttentionOverRowsAgreesWithTheOracle) {
  const std::int64_t out_dim = 20;
  const std::int64_t value_dim = 32;
  for (const std::int64_t head_dim : {26, 72}) {
    for (const std::int64_t n_positions : {1, 33, 256, 300}) {
      for (const std::int64_t n_queries : {1, 5, 16, 17, 32}) {
        const std::int64_t row_stride = (head_dim + 15) / 16 * 16;
        const std::int64_t n_pages = (n_positions + kPageTokens - 1) / kPageTokens;
        const auto queries = floats(n_queries * head_dim, 2.0F);
        const auto rows = floats(n_positions * head_dim);
        std::vector<std::int32_t> pages;
        for (std::int64_t i = n_pages - 1; i >= 0; --i) {
          pages.push_back(static_cast<std::int32_t>(i));
        }
        std::vector<float> store(static_cast<std::size_t>(n_pages * row_stride * kPageTokens), NAN);
        for (std::int64_t t = 0; t < n_positions; ++t) {
          const std::int64_t page = pages[static_cast<std::size_t>(t / kPageTokens)];
          std::copy_n(rows.data() + t * head_dim, head_dim,
                      store.data() + (page * kPageTokens + t % kPageTokens) * row_stride);
        }
        std::vector<float> out(static_cast<std::size_t>(n_queries * out_dim));
        std::vector<AttentionColumn> columns;
        for (std::int64_t q = 0; q < n_queries; ++q) {
          columns.push_back(
              {queries.data() + q * head_dim, out.data() + q * out_dim, pages.data(), n_positions});
        }
        std::vector<float> scratch(
            static_cast<std::size_t>(attention_scratch_floats(head_dim, value_dim, row_stride)),
            NAN);
        AttentionTask task;
        task.columns = columns.data();
        task.n_columns = n_queries;
        task.head_dim = head_dim;
        task.value_dim = value_dim;
        task.row_stride = row_stride;
        task.out_dim = out_dim;
        task.scale = 0.125F;
        task.scratch = scratch.data();
        task.keys = store.data();
        task.key_page_stride = row_stride * kPageTokens;
        table_->attend(task);
        for (std::int64_t q = 0; q < n_queries; ++q) {
          const auto oracle = reference::attend(queries.data() + q * head_dim, rows.data(),
                                                rows.data(), n_positions, head_dim, 0.125);
          for (std::int64_t d = 0; d < out_dim; ++d) {
            ASSERT_NEAR(out[static_cast<std::size_t>(q * out_dim + d)],
                        oracle[static_cast<std::size_t>(d)], 1e-5)
                << head_dim << " " << n_positions << " " << n_queries;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, VectorKernelTest,
                         testing::Values("scalar", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& made) { return std::string(made.param); });

}  // namespace
}  // namespace r1eval::kernels
