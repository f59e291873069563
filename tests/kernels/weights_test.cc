// Stored formats: known blocks, and packing that loses nothing.
#include "kernels/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "tests/kernels/stored_rows.h"

namespace r1eval::kernels {
namespace {

TEST(HalfTest, EveryHalfSurvivesTheRoundTrip) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
    } else {
      EXPECT_EQ(float_to_half(value), half);
    }
  }
}

TEST(HalfTest, RoundsToNearestEvenAndOverflowsToInfinity) {
  EXPECT_EQ(float_to_half(1.0F + 0x1p-11F), 0x3c00);             // halfway: to even, down
  EXPECT_EQ(float_to_half(1.0F + 0x1p-10F + 0x1p-11F), 0x3c02);  // halfway: to even, up
  EXPECT_EQ(float_to_half(65519.0F), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0F), 0x7c00);
  EXPECT_EQ(float_to_half(0x1p-25F), 0x0000);
  EXPECT_EQ(float_to_half(0x1.8p-25F), 0x0001);
}

TEST(StoredFormatTest, ReadsAQ41BlockAsScaleTimesNibblePlusMinimum) {
  std::vector<std::byte> block(20);
  const std::uint16_t scale = float_to_half(0.5F);
  const std::uint16_t minimum = float_to_half(-3.0F);
  std::memcpy(block.data(), &scale, 2);
  std::memcpy(block.data() + 2, &minimum, 2);
  block[4] = std::byte{0xa3};  // value 0 is 3, value 16 is 10
  float out[32];
  dequantize_row(StoredFormat::kQ4_1, block.data(), 32, out);
  EXPECT_EQ(out[0], -1.5F);
  EXPECT_EQ(out[16], 2.0F);
  EXPECT_EQ(out[1], -3.0F);
}

TEST(StoredFormatTest, ReadsAQ80BlockAsScaleTimesSignedByte) {
  std::vector<std::byte> block(34);
  const std::uint16_t scale = float_to_half(0.25F);
  std::memcpy(block.data(), &scale, 2);
  block[2] = std::byte{0x80};  // -128
  block[33] = std::byte{0x7f};
  float out[32];
  dequantize_row(StoredFormat::kQ8_0, block.data(), 32, out);
  EXPECT_EQ(out[0], -32.0F);
  EXPECT_EQ(out[31], 31.75F);
  EXPECT_EQ(out[1], 0.0F);
}

TEST(StoredFormatTest, ReadsAQ50BlockWithItsFifthBits) {
  std::vector<std::byte> block(22);
  const std::uint16_t scale = float_to_half(1.0F);
  std::memcpy(block.data(), &scale, 2);
  block[2] = std::byte{0x01};  // fifth bit of value 0
  block[6] = std::byte{0x0f};  // its low bits
  float out[32];
  dequantize_row(StoredFormat::kQ5_0, block.data(), 32, out);
  EXPECT_EQ(out[0], 15.0F);
  EXPECT_EQ(out[16], -16.0F);
}

TEST(StoredFormatTest, ReadsF8BytesTimesTheFactorOfTheirBlock) {
  // 1, -448 (the largest), 2^-9 (the smallest), and 1 again in the next block of 128.
  std::vector<std::byte> row(130, std::byte{0});
  row[0] = std::byte{0x38};
  row[1] = std::byte{0xfe};
  row[2] = std::byte{0x01};
  row[128] = std::byte{0x38};
  const float factors[] = {2.0F, 0.5F};
  std::vector<float> out(130);
  dequantize_row(StoredFormat::kF8_E4M3,
                 StoredRow{row.data(), reinterpret_cast<const std::byte*>(factors)}, 130,
                 out.data());
  EXPECT_EQ(out[0], 2.0F);
  EXPECT_EQ(out[1], -896.0F);
  EXPECT_EQ(out[2], 0.00390625F);
  EXPECT_EQ(out[128], 0.5F);
}

TEST(PackedMatrixTest, UnpackedRowsAreTheStoredRows) {
  for (const StoredFormat format : all_formats()) {
    for (const bool as_f32 : {false, true}) {
      const std::int64_t rows = 21;
      const std::int64_t columns = is_float_format(format) ? 37 : 512;
      const auto stored = random_rows(format, rows, columns, 3);
      const Packed packed = pack(format, stored, rows, columns, as_f32);
      const std::int64_t row_bytes =
          columns / stored_block_values(format) * stored_block_bytes(format);
      std::vector<float> expected(static_cast<std::size_t>(columns));
      std::vector<float> ours(static_cast<std::size_t>(columns));
      for (std::int64_t row = 0; row < rows; ++row) {
        dequantize_row(format, stored.data() + row * row_bytes, columns, expected.data());
        unpack_row(packed.matrix, row, ours.data());
        EXPECT_EQ(ours, expected) << "format " << static_cast<int>(format) << " row " << row;
      }
    }
  }
}

// One number of the last row's last block made infinite (in F8, which has no infinities, NaN), by
// where its format keeps it: a value, a scale or an offset.
TEST(PackedMatrixTest, FindsATileThatIsNotFinite) {
  const std::vector<std::pair<StoredFormat, std::vector<std::int64_t>>> places = {
      {StoredFormat::kF32, {2}},     {StoredFormat::kF16, {0}},     {StoredFormat::kBF16, {0}},
      {StoredFormat::kQ8_0, {0}},    {StoredFormat::kQ4_0, {0}},    {StoredFormat::kQ4_1, {0, 2}},
      {StoredFormat::kQ5_0, {0}},    {StoredFormat::kQ5_1, {0, 2}}, {StoredFormat::kQ4_K, {0, 2}},
      {StoredFormat::kQ5_K, {0, 2}}, {StoredFormat::kQ6_K, {208}},  {StoredFormat::kF8_E4M3, {0}}};
  ASSERT_EQ(places.size(), all_formats().size());
  for (const auto& [format, offsets] : places) {
    for (const std::int64_t offset : offsets) {
      for (const bool as_f32 : {false, true}) {
        const std::int64_t rows = 21;
        const std::int64_t columns = is_float_format(format) ? 37 : 512;
        auto stored = random_rows(format, rows, columns, 3);
        const auto is_finite = [&] {
          const Packed packed = pack(format, stored, rows, columns, as_f32);
          const PackedMatrix& m = packed.matrix;
          EXPECT_TRUE(is_finite_tile(m.layout, columns, m.data));
          return is_finite_tile(m.layout, columns, m.data + m.tile_stride);
        };
        EXPECT_TRUE(is_finite()) << "format " << static_cast<int>(format);
        std::byte* block = stored.data() + stored.size() - stored_block_bytes(format);
        if (format == StoredFormat::kF8_E4M3) {
          *block = std::byte{0xff};
        } else {
          const std::uint16_t infinite = format == StoredFormat::kF32    ? 0x7f80
                                         : format == StoredFormat::kBF16 ? 0xff80
                                                                         : 0x7c00;
          std::memcpy(block + offset, &infinite, sizeof infinite);
        }
        EXPECT_FALSE(is_finite()) << "format " << static_cast<int>(format) << ", byte " << offset
                                  << (as_f32 ? ", as F32" : "");
      }
    }
  }
}

}  // namespace
}  // namespace r1eval::kernels
