// The bfloat16 kernels of every instruction set against double precision, under the operators'
// tolerances, and the proof that those tolerances refuse planted faults.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/operators/operators.h"
#include "kernels/reference/reference.h"
#include "kernels/shared/numbers.h"
#include "kernels/suite/checker.h"

namespace r1eval::kernels {
namespace {

constexpr std::uint16_t kPoison = 0x7fff;  // NaN in bfloat16

// Values in bfloat16 and the same ones widened: what kernel and reference read.
struct BfloatValues {
  std::vector<std::uint16_t> bits;
  std::vector<float> wide;
};

std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

OutputRows rows_of(std::int64_t columns, std::vector<double> values) {
  return OutputRows{"out", columns, std::move(values), false};
}

OutputRows rows_of(std::int64_t columns, const std::vector<std::uint16_t>& bits) {
  OutputRows out{"out", columns, {}, false};
  for (const std::uint16_t b : bits) {
    out.values.push_back(static_cast<double>(bfloat_to_float(b)));
  }
  return out;
}

OutputRows rows_of(std::int64_t columns, const std::vector<float>& values) {
  return OutputRows{"out", columns, std::vector<double>(values.begin(), values.end()), false};
}

Tolerance tolerance_of(const char* op) {
  const OperatorSpec* spec = find_operator(op);
  return spec == nullptr ? Tolerance{} : operator_tolerance(*spec, Dtype::kBF16);
}

class Random {
 public:
  BfloatValues bfloats(std::int64_t n, float scale) {
    std::normal_distribution<float> normal(0.0F, scale);
    BfloatValues out;
    for (std::int64_t i = 0; i < n; ++i) {
      out.bits.push_back(to_bf16(normal(random_)).bits);
      out.wide.push_back(bfloat_to_float(out.bits.back()));
    }
    return out;
  }

 private:
  std::mt19937 random_{23};
};

class Bfloat16KernelTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    table_ = kernels_for(GetParam());
    if (table_ == nullptr) {
      GTEST_SKIP() << "this processor has no " << GetParam();
    }
  }

  static void expect_right(const char* op, const OutputRows& out, const OutputRows& expected,
                           const std::string& what) {
    const CheckResult result = compare_output(out, expected, tolerance_of(op));
    EXPECT_TRUE(result.passed) << op << " " << what << ": " << result.problem;
  }

  const KernelTable* table_ = nullptr;
  Random random_;
};

TEST_P(Bfloat16KernelTest, ProductsOfOddShapesMatch) {
  for (const std::int64_t rows : {1, 15, 16, 17, 70, 129}) {
    for (const std::int64_t columns : {1, 2, 31, 64, 257}) {
      const BfloatValues w = random_.bfloats(rows * columns, 0.1F);
      PackedMatrix matrix;
      matrix.layout = packed_layout(StoredFormat::kBF16, false);
      ASSERT_EQ(matrix.layout.form, PackedForm::kBF16);
      matrix.rows = rows;
      matrix.columns = columns;
      matrix.tile_stride = (matrix.layout.tile_bytes(columns) + 63) / 64 * 64;
      std::vector<std::byte> room(at(matrix.n_tiles() * matrix.tile_stride + 64));
      void* aligned = room.data();
      std::size_t space = room.size();
      std::align(64, at(matrix.n_tiles() * matrix.tile_stride), aligned, space);
      std::byte* const data = static_cast<std::byte*>(aligned);
      matrix.data = data;
      for (std::int64_t tile = 0; tile < matrix.n_tiles(); ++tile) {
        StoredRow stored[kTileRows];
        for (std::int64_t r = 0; r < kTileRows; ++r) {
          const std::int64_t row = tile * kTileRows + r;
          if (row < rows) {
            stored[r].values = reinterpret_cast<const std::byte*>(w.bits.data() + row * columns);
          }
        }
        pack_tile(StoredFormat::kBF16, matrix.layout, stored, columns,
                  data + tile * matrix.tile_stride);
      }
      for (const std::int64_t n : {0, 1, 3, 5, 6, 7, 13}) {
        const BfloatValues x = random_.bfloats(n * columns, 0.1F);
        const reference::Product expected = reference::matmul(
            StoredFormat::kBF16, reinterpret_cast<const std::byte*>(w.bits.data()), rows, columns,
            x.wide.data(), n);
        std::vector<float> out(at(n * rows), NAN);
        std::vector<std::uint16_t> narrow(at(n * rows), kPoison);
        table_->matmul_bf16(matrix, 0, matrix.n_tiles(), x.bits.data(), columns, n, out.data(),
                            nullptr, rows);
        table_->matmul_bf16(matrix, 0, matrix.n_tiles(), x.bits.data(), columns, n, nullptr,
                            narrow.data(), rows);
        // One value at a time: a sum that cancels is judged beside its terms, not beside itself.
        for (std::size_t i = 0; i < out.size(); ++i) {
          ASSERT_LE(std::fabs(static_cast<double>(out[i]) - expected.value[i]),
                    1e-5 * expected.magnitude[i])
              << rows << " x " << columns << ", " << n << " columns, value " << i;
          ASSERT_EQ(narrow[i], to_bf16(out[i]).bits);
        }
      }
    }
  }
}

TEST_P(Bfloat16KernelTest, RowsOfAnyLengthMatch) {
  for (const std::int64_t n : {1, 2, 15, 16, 17, 63, 64, 65, 100, 257, 2048}) {
    const std::string what = std::to_string(n) + " values";
    const BfloatValues x = random_.bfloats(n, 1.0F);
    const BfloatValues y = random_.bfloats(n, 2.0F);
    const BfloatValues gain = random_.bfloats(n, 1.0F);
    std::vector<std::uint16_t> out(at(n), kPoison);

    table_->rms_norm_bf16(x.bits.data(), gain.wide.data(), 1e-6F, n, out.data());
    expect_right("norm.rms", rows_of(n, out),
                 rows_of(n, reference::rms_norm(x.wide.data(), gain.wide.data(), 1e-6F, n)), what);

    std::vector<std::uint16_t> residual = y.bits;
    std::vector<float> sum;
    for (std::int64_t i = 0; i < n; ++i) {
      sum.push_back(bfloat_to_float(to_bf16(x.wide[at(i)] + y.wide[at(i)]).bits));
    }
    std::fill(out.begin(), out.end(), kPoison);
    table_->add_rms_norm_bf16(x.bits.data(), residual.data(), gain.wide.data(), 1e-6F, n,
                              out.data());
    expect_right("norm.add_rms", rows_of(n, residual), rows_of(n, sum), what + ", residual");
    expect_right("norm.add_rms", rows_of(n, out),
                 rows_of(n, reference::rms_norm(sum.data(), gain.wide.data(), 1e-6F, n)), what);

    std::vector<double> expected;
    for (std::int64_t i = 0; i < n; ++i) {
      expected.push_back(reference::silu_product(static_cast<double>(x.wide[at(i)]),
                                                 static_cast<double>(y.wide[at(i)])));
    }
    std::fill(out.begin(), out.end(), kPoison);
    table_->silu_product_bf16(x.bits.data(), y.bits.data(), n, out.data());
    expect_right("moe.swiglu", rows_of(n, out), rows_of(n, expected), what);
  }
}

TEST_P(Bfloat16KernelTest, RotationAndMixingMatch) {
  for (const std::int64_t n : {2, 14, 16, 18, 64, 130}) {
    const std::string what = std::to_string(n) + " values";
    const BfloatValues x = random_.bfloats(n, 1.0F);
    std::vector<float> cosines;
    std::vector<float> sines;
    for (std::int64_t i = 0; i < n / 2; ++i) {
      cosines.push_back(std::cos(0.37F * static_cast<float>(i + 1)));
      sines.push_back(std::sin(0.37F * static_cast<float>(i + 1)));
    }
    std::vector<std::uint16_t> turned = x.bits;
    table_->rotate_pairs_bf16(turned.data(), cosines.data(), sines.data(), n);
    expect_right(
        "mla.rope", rows_of(n, turned),
        rows_of(n, reference::rotate_pairs(x.wide.data(), cosines.data(), sines.data(), n)), what);

    const BfloatValues from = random_.bfloats(9 * n, 1.0F);
    const std::vector<std::int32_t> rows = {8, 0, 3, 3, 7, 1};
    const std::vector<float> weights = {0.3F, 0.1F, 0.2F, 0.15F, 0.05F, 0.2F};
    for (const std::int64_t k : {0, 1, 6}) {
      std::vector<std::uint16_t> out(at(n), kPoison);
      table_->combine_bf16(from.bits.data(), rows.data(), weights.data(), k, n, out.data());
      expect_right(
          "moe.combine", rows_of(n, out),
          rows_of(n, reference::combine(from.wide.data(), rows.data(), weights.data(), k, n)),
          what + ", k " + std::to_string(k));
    }
  }
}

// Latents over pages in any order; what no column may read is NaN.
struct Latents {
  Latents(Random& random, std::int64_t length, std::int64_t width)
      : rows(random.bfloats(length * width, 0.5F)), stride((width + 15) / 16 * 16) {
    const std::int64_t n_pages = (length + kPageTokens - 1) / kPageTokens;
    store.assign(at((n_pages + 2) * kPageTokens * stride), kPoison);
    for (std::int64_t p = 0; p < n_pages; ++p) {
      pages.push_back(static_cast<std::int32_t>(n_pages - p));  // page 0 and the last: nobody's
    }
    for (std::int64_t t = 0; t < length; ++t) {
      std::uint16_t* to =
          store.data() + (pages[at(t / kPageTokens)] * kPageTokens + t % kPageTokens) * stride;
      std::fill(to, to + stride, std::uint16_t{0});
      std::copy_n(rows.bits.data() + t * width, width, to);
    }
  }

  BfloatValues rows;
  std::int64_t stride;
  std::vector<std::uint16_t> store;
  std::vector<std::int32_t> pages;
};

TEST_P(Bfloat16KernelTest, LatentAttentionMatchesAndReadsNoUnusedSlot) {
  struct Dims {
    std::int64_t key;
    std::int64_t value;
  };

  for (const Dims dims : {Dims{576, 512}, Dims{40, 32}, Dims{33, 16}}) {
    const Latents cache(random_, 300, dims.key);
    for (const std::int64_t heads : {1, 5, 16, 32}) {
      const BfloatValues queries = random_.bfloats(heads * dims.key, 1.0F);
      for (const std::int64_t length : {0, 1, 31, 32, 33, 256, 257, 300}) {
        std::vector<float> out(at(heads * dims.value), NAN);
        std::vector<AttentionColumn> columns;
        std::vector<double> expected;
        const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(dims.key)));
        for (std::int64_t h = 0; h < heads; ++h) {
          const float* query = queries.wide.data() + h * dims.key;
          columns.push_back({query, out.data() + h * dims.value, cache.pages.data(), length});
          const std::vector<double> one =
              reference::attend_latent(query, cache.rows.wide.data(), length, dims.key, dims.value,
                                       static_cast<double>(scale));
          expected.insert(expected.end(), one.begin(), one.end());
        }
        std::vector<float> scratch(at(attention_scratch_floats(dims.key, dims.value, cache.stride)),
                                   NAN);
        AttentionTask task;
        task.columns = columns.data();
        task.n_columns = heads;
        task.head_dim = dims.key;
        task.value_dim = dims.value;
        task.row_stride = cache.stride;
        task.out_dim = dims.value;
        task.scale = scale;
        task.cache_is_bf16 = true;
        task.keys = cache.store.data();
        task.key_page_stride = cache.stride * kPageTokens;
        task.scratch = scratch.data();
        table_->attend(task);
        expect_right("mla.decode", rows_of(dims.value, out), rows_of(dims.value, expected),
                     std::to_string(dims.key) + " wide, " + std::to_string(heads) + " heads, " +
                         std::to_string(length) + " positions");
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isa, Bfloat16KernelTest,
                         testing::Values("scalar", "avx2", "avx512", "avx512_bf16"),
                         [](const auto& isa) { return std::string(isa.param); });

// 24 rows of a product, each with its own values, as a kernel that makes no mistake gives them.
class PlantedFaultTest : public testing::Test {
 protected:
  static constexpr std::int64_t kRows = 24;
  static constexpr std::int64_t kColumns = 96;

  PlantedFaultTest() {
    const BfloatValues values = Random().bfloats(kRows * kColumns, 1.0F);
    expected_ = rows_of(kColumns, values.wide);
    out_ = expected_;
  }

  void expect_refused(const char* op) const {
    const CheckResult result = compare_output(out_, expected_, tolerance_of(op));
    EXPECT_FALSE(result.passed) << op;
    EXPECT_NE(result.problem, "");
  }

  double* row(std::int64_t r) { return out_.values.data() + r * kColumns; }

  OutputRows expected_;
  OutputRows out_;
};

TEST_F(PlantedFaultTest, RightOutputPasses) {
  EXPECT_TRUE(compare_output(out_, expected_, tolerance_of("moe.grouped_gemm1")).passed);
}

TEST_F(PlantedFaultTest, RowOfTheNeighbourIsRefused) {
  std::copy_n(row(8), kColumns, row(7));
  expect_refused("moe.grouped_gemm1");
}

TEST_F(PlantedFaultTest, DroppedTailRowIsRefused) {
  std::fill_n(row(kRows - 1), kColumns, 0.0);
  expect_refused("moe.grouped_gemm2");
  std::fill_n(row(kRows - 1), kColumns, static_cast<double>(NAN));
  expect_refused("moe.grouped_gemm2");
}

TEST_F(PlantedFaultTest, OneNanIsRefused) {
  row(3)[5] = static_cast<double>(NAN);
  expect_refused("mla.decode");
}

TEST_F(PlantedFaultTest, RowThatLacksItsScaleIsRefused) {
  std::transform(row(2), row(3), row(2), [](double v) { return v * 1.05; });
  expect_refused("moe.combine");
}

TEST_F(PlantedFaultTest, UnscaledBlockOfColumnsIsRefused) {
  // 56 blocks of 128 columns make a sum of 7168; in each row one block's share, with a scale of
  // 0.5, went in without it.
  const BfloatValues share = Random().bfloats(kRows * kColumns, 1.0F);
  for (std::size_t i = 0; i < out_.values.size(); ++i) {
    out_.values[i] += 0.5 * static_cast<double>(share.wide[i]) / std::sqrt(56.0);
  }
  expect_refused("moe.grouped_gemm1");
}

TEST_F(PlantedFaultTest, MissingValuesAreRefused) {
  out_.values.resize(out_.values.size() - at(kColumns));
  expect_refused("norm.rms");
}

// The faults of attention, made by giving the reference what a faulty kernel would have read.
TEST(PlantedAttentionFault, BlockOffByOneAndMissingRescaleAreRefused) {
  constexpr std::int64_t kKey = 40;
  constexpr std::int64_t kValue = 32;
  constexpr std::int64_t kLength = 128;
  Random random;
  const BfloatValues rows = random.bfloats(kLength * kKey, 0.5F);
  const BfloatValues query = random.bfloats(kKey, 1.0F);
  const auto attend = [&](const float* from, std::int64_t n) {
    return reference::attend_latent(query.wide.data(), from, n, kKey, kValue, 0.3);
  };
  const OutputRows expected = rows_of(kValue, attend(rows.wide.data(), kLength));

  std::vector<float> shifted = rows.wide;  // the second block of 32 read in the first's place
  std::copy_n(rows.wide.data() + 32 * kKey, 32 * kKey, shifted.data());
  EXPECT_FALSE(compare_output(rows_of(kValue, attend(shifted.data(), kLength)), expected,
                              tolerance_of("mla.decode"))
                   .passed);

  // Two halves merged as if their softmax sums and maxima were equal.
  std::vector<double> merged = attend(rows.wide.data(), kLength / 2);
  const std::vector<double> second = attend(rows.wide.data() + kLength / 2 * kKey, kLength / 2);
  std::transform(merged.begin(), merged.end(), second.begin(), merged.begin(),
                 [](double a, double b) { return (a + b) / 2; });
  EXPECT_FALSE(
      compare_output(rows_of(kValue, merged), expected, tolerance_of("mla.decode")).passed);
}

}  // namespace
}  // namespace r1eval::kernels
