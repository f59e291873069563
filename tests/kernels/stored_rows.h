// Random weights in any stored format: bytes that are a valid row, with scales of ordinary size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/weights.h"

namespace r1eval::kernels {

inline const std::vector<StoredFormat>& all_formats() {
  static const std::vector<StoredFormat> formats = {
      StoredFormat::kF32,  StoredFormat::kF16,  StoredFormat::kBF16, StoredFormat::kQ8_0,
      StoredFormat::kQ4_0, StoredFormat::kQ4_1, StoredFormat::kQ5_0, StoredFormat::kQ5_1,
      StoredFormat::kQ4_K, StoredFormat::kQ5_K, StoredFormat::kQ6_K, StoredFormat::kF8_E4M3};
  return formats;
}

inline bool is_float_format(StoredFormat format) {
  return stored_block_values(format) == 1;
}

// `rows` rows of `columns` values, one after the other.
inline std::vector<std::byte> random_rows(StoredFormat format, std::int64_t rows,
                                          std::int64_t columns, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  const std::int64_t n_blocks = rows * columns / stored_block_values(format);
  const std::int64_t block_bytes = stored_block_bytes(format);
  std::vector<std::byte> bytes(static_cast<std::size_t>(n_blocks * block_bytes));
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    std::byte* block = bytes.data() + b * block_bytes;
    for (std::int64_t i = 0; i < block_bytes; ++i) {
      block[i] = static_cast<std::byte>(random() & 255U);
    }
    const auto put_half = [&](std::int64_t at, float value) {
      const std::uint16_t bits = float_to_half(value);
      std::memcpy(block + at, &bits, sizeof bits);
    };
    const float scale = 0.01F + 0.01F * uniform(random);
    const float offset = 0.1F * uniform(random);
    switch (format) {
      case StoredFormat::kF32: {
        const float value = uniform(random);
        std::memcpy(block, &value, sizeof value);
        break;
      }
      case StoredFormat::kF8_E4M3:
        if ((*block & std::byte{0x7f}) == std::byte{0x7f}) {
          *block = std::byte{0};  // the code of NaN, which no weight may have
        }
        break;
      case StoredFormat::kF16:
        put_half(0, uniform(random));
        break;
      case StoredFormat::kBF16: {
        const float value = uniform(random);
        std::uint32_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        const auto upper = static_cast<std::uint16_t>(bits >> 16);
        std::memcpy(block, &upper, sizeof upper);
        break;
      }
      case StoredFormat::kQ4_1:
      case StoredFormat::kQ5_1:
        put_half(0, scale);
        put_half(2, offset);
        break;
      case StoredFormat::kQ4_K:
      case StoredFormat::kQ5_K:
        put_half(0, scale / 16.0F);
        put_half(2, scale / 8.0F);
        break;
      case StoredFormat::kQ6_K:
        put_half(208, scale / 64.0F);
        break;
      default:
        put_half(0, scale);
    }
  }
  return bytes;
}

// A packed copy with its storage.
struct Packed {
  PackedMatrix matrix;
  std::vector<std::byte> storage;
};

inline Packed pack(StoredFormat format, const std::vector<std::byte>& stored, std::int64_t rows,
                   std::int64_t columns, bool as_f32) {
  Packed packed;
  PackedMatrix& m = packed.matrix;
  m.layout = packed_layout(format, as_f32);
  m.rows = rows;
  m.columns = columns;
  m.tile_stride = (m.layout.tile_bytes(columns) + 63) / 64 * 64;
  packed.storage.resize(static_cast<std::size_t>(m.bytes() + 64));
  const auto address = reinterpret_cast<std::uintptr_t>(packed.storage.data());
  std::byte* start = packed.storage.data() + (64 - address % 64) % 64;
  const std::int64_t row_bytes = columns / stored_block_values(format) * stored_block_bytes(format);
  for (std::int64_t tile = 0; tile < m.n_tiles(); ++tile) {
    StoredRow tile_rows[kTileRows] = {};
    for (std::int64_t r = 0; r < kTileRows && tile * kTileRows + r < rows; ++r) {
      tile_rows[r].values = stored.data() + (tile * kTileRows + r) * row_bytes;
    }
    pack_tile(format, m.layout, tile_rows, columns, start + tile * m.tile_stride);
  }
  m.data = start;
  return packed;
}

}  // namespace r1eval::kernels
