// Matrix products: against the double-precision oracle, and bit for bit over column counts and
// cuts.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "kernels/kernels.h"
#include "kernels/reference/reference.h"
#include "tests/kernels/stored_rows.h"

namespace r1eval::kernels {
namespace {

class MatmulTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    table_ = kernels_for(GetParam());
    if (table_ == nullptr) {
      GTEST_SKIP() << "this processor has no " << GetParam();
    }
  }

  const KernelTable* table_ = nullptr;
};

std::vector<float> random_floats(std::int64_t n, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(static_cast<std::size_t>(n));
  for (float& value : out) {
    value = normal(random);
  }
  return out;
}

struct Columns {
  std::vector<std::byte> storage;
  std::vector<float> dequantized;
  QuantizedColumns view;
};

Columns quantize_all(const KernelTable& table, const std::vector<float>& x, std::int64_t n,
                     std::int64_t columns) {
  Columns q;
  q.storage.resize(static_cast<std::size_t>(QuantizedColumns::storage_bytes(n, columns)));
  q.view = QuantizedColumns::in_storage(q.storage.data(), n, columns);
  for (std::int64_t c = 0; c < n; ++c) {
    table.quantize(x.data() + c * columns, q.view, c, -1, nullptr);
    for (std::int64_t i = 0; i < columns; ++i) {
      const std::int32_t both = q.view.multipliers[(c * columns + i) / 32];
      const std::int32_t multiplier = i % 32 < 16 ? both & 0xffff : both >> 16;
      q.dequantized.push_back(q.view.scales[c] * static_cast<float>(multiplier) *
                              static_cast<float>(q.view.values[c * columns + i]));
    }
  }
  return q;
}

std::vector<float> multiply(const KernelTable& table, const PackedMatrix& weights, const Columns& q,
                            const std::vector<float>& x, std::int64_t first, std::int64_t n,
                            std::int64_t cut) {
  std::vector<float> out(static_cast<std::size_t>(n * weights.rows), NAN);
  const std::int64_t k = weights.columns;
  for (std::int64_t tile = 0; tile < weights.n_tiles(); tile += cut) {
    const std::int64_t end = std::min(tile + cut, weights.n_tiles());
    if (weights.layout.is_float()) {
      table.matmul_float(weights, tile, end, x.data() + first * k, k, n, out.data(), weights.rows);
    } else {
      QuantizedColumns part = q.view;
      part.values += first * k;
      part.multipliers += first * k / 32;
      part.negated_sums += first * k / 16;
      part.block_sums += first * k / 32;
      part.scales += first;
      table.matmul_quantized(weights, tile, end, part, n, out.data(), weights.rows);
    }
  }
  return out;
}

TEST_P(MatmulTest, AgreesWithTheOracleInEveryFormat) {
  for (const StoredFormat format : all_formats()) {
    for (const std::int64_t columns : {256, 768}) {
      const std::int64_t rows = 37;
      const std::int64_t n = 11;
      const auto stored = random_rows(format, rows, columns, 5);
      const auto x = random_floats(n * columns, 6);
      const Packed packed = pack(format, stored, rows, columns, false);
      const bool is_float = packed.matrix.layout.is_float();
      const Columns q = quantize_all(*table_, x, n, columns);
      // Quantised products are judged on the activations that they were given.
      const auto oracle = reference::matmul(format, stored.data(), rows, columns,
                                            is_float ? x.data() : q.dequantized.data(), n);
      const auto ours = multiply(*table_, packed.matrix, q, x, 0, n, 100);
      // Weights of more than four bits: sums over 16 columns are rounded to 16 bits.
      const bool nibbles = packed.matrix.layout.form == PackedForm::kNibbles;
      const double tolerance = is_float || nibbles ? 1e-5 : 1e-4;
      for (std::size_t i = 0; i < ours.size(); ++i) {
        ASSERT_NEAR(ours[i], oracle.value[i], tolerance * oracle.magnitude[i])
            << "format " << static_cast<int>(format) << " at " << i;
      }
    }
  }
}

TEST_P(MatmulTest, BitsDoNotDependOnTheOtherColumnsOrOnTheCut) {
  for (const StoredFormat format : all_formats()) {
    const std::int64_t rows = 16 * 9 + 5;
    const std::int64_t columns = 512;
    const std::int64_t most = 17;
    const auto stored = random_rows(format, rows, columns, 7);
    const auto x = random_floats(most * columns, 8);
    const Packed packed = pack(format, stored, rows, columns, false);
    const Columns q = quantize_all(*table_, x, most, columns);
    std::vector<float> alone;
    for (std::int64_t c = 0; c < most; ++c) {
      const auto column = multiply(*table_, packed.matrix, q, x, c, 1, 100);
      alone.insert(alone.end(), column.begin(), column.end());
    }
    for (std::int64_t n = 1; n <= most; ++n) {
      for (const std::int64_t cut : {1, 3, 4, 100}) {
        const auto together = multiply(*table_, packed.matrix, q, x, 0, n, cut);
        ASSERT_EQ(std::memcmp(together.data(), alone.data(), together.size() * 4), 0)
            << "format " << static_cast<int>(format) << ", " << n << " columns, cut " << cut;
      }
    }
  }
}

TEST_P(MatmulTest, FloatProductsTakeAnyNumberOfColumnsOfTheMatrix) {
  for (const std::int64_t columns : {1, 7, 33}) {
    const auto stored = random_rows(StoredFormat::kF32, 5, columns, 9);
    const auto x = random_floats(3 * columns, 10);
    const Packed packed = pack(StoredFormat::kF32, stored, 5, columns, false);
    const auto oracle =
        reference::matmul(StoredFormat::kF32, stored.data(), 5, columns, x.data(), 3);
    const auto ours = multiply(*table_, packed.matrix, {}, x, 0, 3, 1);
    for (std::size_t i = 0; i < ours.size(); ++i) {
      EXPECT_NEAR(ours[i], oracle.value[i], 1e-5 * oracle.magnitude[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, MatmulTest,
                         testing::Values("scalar", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& made) { return std::string(made.param); });

}  // namespace
}  // namespace r1eval::kernels
