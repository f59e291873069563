// Stored block structures and their rewriting into tiles. See weights.h.
//
// Source  block structures: ggml-common.h and the dequantisation rules of ggml's k-quants.
#include "kernels/weights.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace r1eval::kernels {

namespace {

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

int byte_at(const std::byte* from, std::int64_t i) {
  return static_cast<int>(from[i]);
}

// 32 neighbouring values of a row as w = scale[h] * q + offset[h], h = 0 for the first 16, 1 for
// the others (the same twice but for Q6_K).
struct Block32 {
  std::uint8_t q[32];
  float scale[2];
  float offset[2];
  std::uint16_t scale_bits = 0;  // of formats whose scale and offset are stored as F16
  std::uint16_t offset_bits = 0;
};

void set_both(Block32& out, float scale, float offset) {
  out.scale[0] = out.scale[1] = scale;
  out.offset[0] = out.offset[1] = offset;
}

// Low and high halves of 16 bytes are the values 0-15 and 16-31.
void split_nibbles(const std::byte* from, std::uint8_t* q) {
  for (int i = 0; i < 16; ++i) {
    q[i] = static_cast<std::uint8_t>(byte_at(from, i) & 15);
    q[16 + i] = static_cast<std::uint8_t>(byte_at(from, i) >> 4);
  }
}

void add_fifth_bits(std::uint32_t bits, std::uint8_t* q) {
  for (unsigned i = 0; i < 32; ++i) {
    q[i] = static_cast<std::uint8_t>(q[i] | (((bits >> i) & 1U) << 4));
  }
}

// The 6-bit scale and minimum number `j` (0-7) of a K-quant's 12 bytes.
void k_scale_min(const std::byte* packed, int j, int& scale, int& minimum) {
  if (j < 4) {
    scale = byte_at(packed, j) & 63;
    minimum = byte_at(packed, j + 4) & 63;
  } else {
    scale = (byte_at(packed, j + 4) & 15) | ((byte_at(packed, j - 4) >> 6) << 4);
    minimum = (byte_at(packed, j + 4) >> 4) | ((byte_at(packed, j) >> 6) << 4);
  }
}

// Group `group` of 32 values of a stored quantised row.
Block32 read_block(StoredFormat format, const std::byte* row, std::int64_t group) {
  Block32 out;
  const std::int64_t per_block = stored_block_values(format) / 32;
  const std::byte* block = row + group / per_block * stored_block_bytes(format);
  const int part = static_cast<int>(group % per_block);
  const auto simple_scale = [&] {
    out.scale_bits = load<std::uint16_t>(block);
    return half_to_float(out.scale_bits);
  };
  const auto simple_offset = [&] {
    out.offset_bits = load<std::uint16_t>(block + 2);
    return half_to_float(out.offset_bits);
  };
  switch (format) {
    case StoredFormat::kQ8_0: {
      const float d = simple_scale();
      for (int i = 0; i < 32; ++i) {
        out.q[i] = static_cast<std::uint8_t>(byte_at(block, 2 + i) ^ 0x80);  // signed + 128
      }
      set_both(out, d, -128.0F * d);
      break;
    }
    case StoredFormat::kQ4_0: {
      const float d = simple_scale();
      split_nibbles(block + 2, out.q);
      set_both(out, d, -8.0F * d);
      break;
    }
    case StoredFormat::kQ4_1: {
      split_nibbles(block + 4, out.q);
      set_both(out, simple_scale(), simple_offset());
      break;
    }
    case StoredFormat::kQ5_0: {
      const float d = simple_scale();
      split_nibbles(block + 6, out.q);
      add_fifth_bits(load<std::uint32_t>(block + 2), out.q);
      set_both(out, d, -16.0F * d);
      break;
    }
    case StoredFormat::kQ5_1: {
      split_nibbles(block + 8, out.q);
      add_fifth_bits(load<std::uint32_t>(block + 4), out.q);
      set_both(out, simple_scale(), simple_offset());
      break;
    }
    case StoredFormat::kQ4_K:
    case StoredFormat::kQ5_K: {
      const bool five = format == StoredFormat::kQ5_K;
      const float d = half_to_float(load<std::uint16_t>(block));
      const float d_min = half_to_float(load<std::uint16_t>(block + 2));
      int scale = 0;
      int minimum = 0;
      k_scale_min(block + 4, part, scale, minimum);
      const std::byte* high = block + 16;  // Q5_K: bit `part` of 32 bytes
      const std::byte* low = block + (five ? 48 : 16) + part / 2 * 32;  // two groups share 32 bytes
      for (int i = 0; i < 32; ++i) {
        int q = part % 2 == 0 ? byte_at(low, i) & 15 : byte_at(low, i) >> 4;
        if (five) {
          q |= ((byte_at(high, i) >> part) & 1) << 4;
        }
        out.q[i] = static_cast<std::uint8_t>(q);
      }
      set_both(out, d * static_cast<float>(scale), -d_min * static_cast<float>(minimum));
      break;
    }
    case StoredFormat::kQ6_K: {
      // 128 low nibbles, 64 bytes of upper bit pairs, 16 scales, d. Each half of 128 values is four
      // groups of 32: low halves of 64 bytes, then their high halves.
      const std::byte* low = block + part / 4 * 64 + part % 2 * 32;
      const std::byte* high = block + 128 + part / 4 * 32;
      const std::byte* scales = block + 192 + part * 2;
      const float d = half_to_float(load<std::uint16_t>(block + 208));
      const int low_shift = part % 4 >= 2 ? 4 : 0;
      const int high_shift = part % 4 * 2;
      for (int i = 0; i < 32; ++i) {
        out.q[i] = static_cast<std::uint8_t>(((byte_at(low, i) >> low_shift) & 15) |
                                             (((byte_at(high, i) >> high_shift) & 3) << 4));
      }
      for (int h = 0; h < 2; ++h) {
        out.scale[h] = d * static_cast<float>(load<std::int8_t>(scales + h));
        out.offset[h] = -32.0F * out.scale[h];
      }
      break;
    }
    default:
      check_failed(__FILE__, __LINE__, "quantised format", "read_block of a float format");
  }
  return out;
}

float f8_factor(const std::byte* scales, std::int64_t column) {
  return scales == nullptr ? 1.0F : load<float>(scales + column / kF8BlockColumns * 4);
}

float read_float(StoredFormat format, const StoredRow& stored, std::int64_t i) {
  const std::byte* row = stored.values;
  switch (format) {
    case StoredFormat::kF8_E4M3:
      return f8_to_float(static_cast<std::uint8_t>(row[i])) * f8_factor(stored.scales, i);
    case StoredFormat::kF32:
      return load<float>(row + 4 * i);
    case StoredFormat::kF16:
      return half_to_float(load<std::uint16_t>(row + 2 * i));
    default:
      return bfloat_to_float(load<std::uint16_t>(row + 2 * i));
  }
}

bool is_float(StoredFormat format) {
  return format == StoredFormat::kF32 || format == StoredFormat::kF16 ||
         format == StoredFormat::kBF16 || format == StoredFormat::kF8_E4M3;
}

template <typename T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

void pack_f8_tile(const StoredRow* rows16, std::int64_t columns, std::byte* tile) {
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    const StoredRow& row = rows16[r];
    for (std::int64_t begin = 0; begin < columns; begin += kF8BlockColumns) {
      std::byte* block = tile + PackedLayout::f8_block_at(begin / kF8BlockColumns);
      store(block + r * 4, row.values == nullptr ? 0.0F : 256.0F * f8_factor(row.scales, begin));
      const std::int64_t n = std::min(columns - begin, kF8BlockColumns);
      for (std::int64_t k = 0; k < n; ++k) {
        block[64 + k * kTileRows + r] =
            row.values == nullptr ? std::byte{0} : row.values[begin + k];
      }
    }
  }
}

void pack_f32_row(StoredFormat format, const StoredRow& row, std::int64_t columns,
                  std::byte* first) {
  float values[256] = {};
  const std::int64_t step = is_float(format) ? 1 : stored_block_values(format);
  for (std::int64_t k = 0; k < columns; k += step) {
    if (row.values != nullptr && step == 1) {
      values[0] = read_float(format, row, k);
    } else if (row.values != nullptr) {
      dequantize_row(format, row.values + k / step * stored_block_bytes(format), step, values);
    }
    for (std::int64_t i = 0; i < step; ++i) {
      store(first + (k + i) * kTileRows * 4, values[i]);
    }
  }
}

void pack_float_tile(StoredFormat format, const PackedLayout& layout, const StoredRow* rows16,
                     std::int64_t columns, std::byte* tile) {
  if (layout.form == PackedForm::kF8) {
    pack_f8_tile(rows16, columns, tile);
    return;
  }
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    if (layout.form == PackedForm::kF32) {
      pack_f32_row(format, rows16[r], columns, tile + r * 4);
      continue;
    }
    const std::byte* row = rows16[r].values;
    const bool is_paired = layout.form == PackedForm::kBF16;
    const std::int64_t n_stored = is_paired ? (columns + 1) / 2 * 2 : columns;
    for (std::int64_t k = 0; k < n_stored; ++k) {
      const std::uint16_t bits =
          row == nullptr || k >= columns ? std::uint16_t{0} : load<std::uint16_t>(row + 2 * k);
      store(tile + (is_paired ? PackedLayout::pair_value_at(k, r) : (k * kTileRows + r) * 2), bits);
    }
  }
}

}  // namespace

std::int64_t stored_block_values(StoredFormat format) {
  switch (format) {
    case StoredFormat::kF32:
    case StoredFormat::kF16:
    case StoredFormat::kBF16:
    case StoredFormat::kF8_E4M3:
      return 1;
    case StoredFormat::kQ4_K:
    case StoredFormat::kQ5_K:
    case StoredFormat::kQ6_K:
      return 256;
    default:
      return 32;
  }
}

std::int64_t stored_block_bytes(StoredFormat format) {
  switch (format) {
    case StoredFormat::kF32:
      return 4;
    case StoredFormat::kF16:
    case StoredFormat::kBF16:
      return 2;
    case StoredFormat::kQ8_0:
      return 34;
    case StoredFormat::kQ4_0:
      return 18;
    case StoredFormat::kQ4_1:
      return 20;
    case StoredFormat::kQ5_0:
      return 22;
    case StoredFormat::kQ5_1:
      return 24;
    case StoredFormat::kQ4_K:
      return 144;
    case StoredFormat::kQ5_K:
      return 176;
    case StoredFormat::kQ6_K:
      return 210;
    case StoredFormat::kF8_E4M3:
      return 1;
  }
  return 0;
}

PackedLayout packed_layout(StoredFormat format, bool as_f32) {
  PackedLayout layout;
  if (as_f32) {
    return layout;
  }
  switch (format) {
    case StoredFormat::kF32:
      break;
    case StoredFormat::kF16:
      layout.form = PackedForm::kF16;
      break;
    case StoredFormat::kBF16:
      layout.form = PackedForm::kBF16;
      break;
    case StoredFormat::kF8_E4M3:
      layout.form = PackedForm::kF8;
      break;
    case StoredFormat::kQ8_0:
      layout = {PackedForm::kBytes, true, false, 128};
      break;
    case StoredFormat::kQ4_0:
      layout = {PackedForm::kNibbles, true, false, 8};
      break;
    case StoredFormat::kQ4_1:
      layout = {PackedForm::kNibbles, true, true, 0};
      break;
    case StoredFormat::kQ5_0:
      layout = {PackedForm::kBytes, true, false, 16};
      break;
    case StoredFormat::kQ5_1:
      layout = {PackedForm::kBytes, true, true, 0};
      break;
    case StoredFormat::kQ4_K:
      layout = {PackedForm::kNibbles, false, true, 0};
      break;
    case StoredFormat::kQ5_K:
      layout = {PackedForm::kBytes, false, true, 0};
      break;
    case StoredFormat::kQ6_K:
      layout = {PackedForm::kBytes16, false, false, 32};
      break;
  }
  return layout;
}

std::int64_t PackedLayout::block_bytes() const {
  const std::int64_t vectors = form == PackedForm::kNibbles ? 4 : 8;
  const std::int64_t scales = (form == PackedForm::kBytes16 ? 2 : 1) * (has_offset ? 2 : 1);
  return vectors * 64 + scales * kTileRows * (scale_is_f16 ? 2 : 4);
}

std::int64_t PackedLayout::tile_bytes(std::int64_t columns) const {
  if (form == PackedForm::kF8) {
    return (columns + kF8BlockColumns - 1) / kF8BlockColumns * 64 + columns * kTileRows;
  }
  if (form == PackedForm::kBF16) {
    return (columns + 1) / 2 * kTileRows * 4;
  }
  if (is_float()) {
    return columns * kTileRows * (form == PackedForm::kF32 ? 4 : 2);
  }
  return columns / 32 * block_bytes();
}

void dequantize_row(StoredFormat format, const StoredRow& row, std::int64_t n, float* out) {
  if (is_float(format)) {
    for (std::int64_t i = 0; i < n; ++i) {
      out[i] = read_float(format, row, i);
    }
    return;
  }
  for (std::int64_t group = 0; group < n / 32; ++group) {
    const Block32 block = read_block(format, row.values, group);
    for (int i = 0; i < 32; ++i) {
      out[group * 32 + i] =
          block.scale[i / 16] * static_cast<float>(block.q[i]) + block.offset[i / 16];
    }
  }
}

void pack_tile(StoredFormat format, const PackedLayout& layout, const StoredRow* rows16,
               std::int64_t columns, std::byte* tile) {
  if (layout.is_float()) {
    pack_float_tile(format, layout, rows16, columns, tile);
    return;
  }
  const std::int64_t block_bytes = layout.block_bytes();
  const std::int64_t value_bytes = layout.form == PackedForm::kNibbles ? 256 : 512;
  const std::int64_t scale_bytes = layout.scale_is_f16 ? 2 : 4;
  const int n_scales = layout.form == PackedForm::kBytes16 ? 2 : 1;
  std::memset(tile, 0, static_cast<std::size_t>(layout.tile_bytes(columns)));
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    if (rows16[r].values == nullptr) {
      continue;
    }
    for (std::int64_t group = 0; group < columns / 32; ++group) {
      const Block32 block = read_block(format, rows16[r].values, group);
      std::byte* to = tile + group * block_bytes;
      for (int i = 0; i < 16; ++i) {
        if (layout.form == PackedForm::kNibbles) {
          to[i / 4 * 64 + r * 4 + i % 4] =
              static_cast<std::byte>(block.q[i] | (block.q[16 + i] << 4));
        } else {
          to[i / 4 * 64 + r * 4 + i % 4] = static_cast<std::byte>(block.q[i]);
          to[(4 + i / 4) * 64 + r * 4 + i % 4] = static_cast<std::byte>(block.q[16 + i]);
        }
      }
      std::byte* scales = to + value_bytes;
      std::byte* offsets = scales + n_scales * kTileRows * scale_bytes;
      for (int h = 0; h < n_scales; ++h) {
        if (layout.scale_is_f16) {
          store(scales + (h * kTileRows + r) * 2, block.scale_bits);
        } else {
          store(scales + (h * kTileRows + r) * 4, block.scale[h]);
        }
        if (layout.has_offset && layout.scale_is_f16) {
          store(offsets + (h * kTileRows + r) * 2, block.offset_bits);
        } else if (layout.has_offset) {
          store(offsets + (h * kTileRows + r) * 4, block.offset[h]);
        }
      }
    }
  }
}

void unpack_row(const PackedMatrix& matrix, std::int64_t row, float* out) {
  const PackedLayout& layout = matrix.layout;
  const std::byte* tile = matrix.data + row / kTileRows * matrix.tile_stride;
  const std::int64_t r = row % kTileRows;
  if (layout.form == PackedForm::kF8) {
    for (std::int64_t k = 0; k < matrix.columns; ++k) {
      const std::byte* block = tile + PackedLayout::f8_block_at(k / kF8BlockColumns);
      const auto bits = static_cast<std::uint8_t>(block[64 + k % kF8BlockColumns * kTileRows + r]);
      out[k] = f8_to_float(bits) * (load<float>(block + r * 4) / 256.0F);
    }
    return;
  }
  if (layout.form == PackedForm::kBF16) {
    for (std::int64_t k = 0; k < matrix.columns; ++k) {
      out[k] = bfloat_to_float(load<std::uint16_t>(tile + PackedLayout::pair_value_at(k, r)));
    }
    return;
  }
  if (layout.is_float()) {
    const std::int64_t size = layout.form == PackedForm::kF32 ? 4 : 2;
    for (std::int64_t k = 0; k < matrix.columns; ++k) {
      const std::byte* from = tile + (k * kTileRows + r) * size;
      out[k] = layout.form == PackedForm::kF32 ? load<float>(from)
                                               : half_to_float(load<std::uint16_t>(from));
    }
    return;
  }
  const std::int64_t block_bytes = layout.block_bytes();
  const bool nibbles = layout.form == PackedForm::kNibbles;
  const int n_scales = layout.form == PackedForm::kBytes16 ? 2 : 1;
  for (std::int64_t group = 0; group < matrix.columns / 32; ++group) {
    const std::byte* from = tile + group * block_bytes;
    const std::byte* scales = from + (nibbles ? 256 : 512);
    const auto number = [&](std::int64_t i) {
      return layout.scale_is_f16 ? half_to_float(load<std::uint16_t>(scales + i * 2))
                                 : load<float>(scales + i * 4);
    };
    for (int i = 0; i < 32; ++i) {
      const int h = n_scales == 2 ? i / 16 : 0;
      const float scale = number(h * kTileRows + r);
      const float offset = layout.has_offset ? number((n_scales + h) * kTileRows + r)
                                             : -static_cast<float>(layout.zero) * scale;
      const int j = i % 16;
      int q = 0;
      if (nibbles) {
        q = byte_at(from, j / 4 * 64 + r * 4 + j % 4);
        q = i < 16 ? q & 15 : q >> 4;
      } else {
        q = byte_at(from, i / 4 * 64 + r * 4 + i % 4);
      }
      out[group * 32 + i] = scale * static_cast<float>(q) + offset;
    }
  }
}

float bfloat_to_float(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

float f8_to_float(std::uint8_t bits) {
  if ((bits & 0x7fU) == 0x7fU) {
    return __builtin_nanf("");
  }
  // As a half, which has one exponent bit and seven mantissa bits more, it is 2^8 too small.
  const auto half = static_cast<std::uint16_t>(((bits & 0x80U) << 8) | ((bits & 0x7fU) << 7));
  return half_to_float(half) * 256.0F;
}

float half_to_float(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31U;
  std::uint32_t mantissa = bits & 0x3ffU;
  std::uint32_t wide = 0;
  if (exponent == 31) {
    wide = sign | 0x7f800000U | (mantissa << 13);
  } else if (exponent != 0) {
    wide = sign | ((exponent + 112U) << 23) | (mantissa << 13);
  } else if (mantissa == 0) {
    wide = sign;
  } else {  // subnormal: shift until the leading bit stands where the exponent begins
    std::uint32_t shift = 0;
    while ((mantissa & 0x400U) == 0) {
      mantissa <<= 1;
      ++shift;
    }
    wide = sign | ((113U - shift) << 23) | ((mantissa & 0x3ffU) << 13);
  }
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

std::uint16_t float_to_half(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude >= 0x7f800000U) {  // infinity, or a NaN that stays one
    return static_cast<std::uint16_t>(sign | 0x7c00U | (magnitude > 0x7f800000U ? 0x200U : 0U));
  }
  if (magnitude >= 0x477ff000U) {
    return static_cast<std::uint16_t>(sign | 0x7c00U);
  }
  const std::int32_t exponent = static_cast<std::int32_t>(magnitude >> 23) - 112;
  std::uint32_t mantissa = (magnitude & 0x7fffffU) | 0x800000U;
  std::uint32_t shift = 13;
  std::uint32_t base = 0;
  if (exponent <= 0) {
    if (exponent < -10) {
      return static_cast<std::uint16_t>(sign);
    }
    shift = static_cast<std::uint32_t>(14 - exponent);
  } else {
    base = static_cast<std::uint32_t>(exponent) << 10;
    mantissa &= 0x7fffffU;
  }
  const std::uint32_t kept = mantissa >> shift;
  const std::uint32_t rest = mantissa & ((1U << shift) - 1U);
  const std::uint32_t half = 1U << (shift - 1U);
  const std::uint32_t up = rest > half || (rest == half && (kept & 1U) != 0) ? 1U : 0U;
  return static_cast<std::uint16_t>(sign | (base + kept + up));
}

}  // namespace r1eval::kernels
