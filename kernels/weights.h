// Weights of a linear layer as the kernels read them: 16-row tiles, values next to their scales.
//
// The files store a quantised weight row by row, in one of eight block structures. Reading that
// directly means one kernel per structure, bit fiddling in the inner loop, and 16 streams of memory
// at once. Here every structure is rewritten once, at load, into one of a few forms that say
//     w = scale * q + offset        q unsigned, scale and offset shared by 32 (or 16) neighbours
// and 16 rows are interleaved, so that one 64-byte load gives 4 consecutive columns of 16 rows:
// exactly one operand of the 8-bit dot product instructions. The rewriting changes no value.
//
// Layout  a matrix is ceil(rows / 16) tiles, one after the other; rows past the end are zero.
//         Floats: for each column, 16 values. kBF16: for each pair of columns (the last may be half
//         empty, with zeros) 16 times two values, the operand of the bfloat16 dot product. kF8: per
//         128 columns (the last block may be short) 16 float32 factors, times 256 (what a half with
//         a byte's bits is too small by), then the columns' 16 bytes. kNibbles: per 32 columns 4
//         vectors of 64 bytes; vector v, byte 4 r + i holds of row r the column 4 v + i in the low
//         and 16 + 4 v + i in the high half; then the 16 scales (and offsets). kBytes: 8 vectors;
//         vector v, byte 4 r + i is column 4 v + i of row r. kBytes16: kBytes with scales for the
//         columns 0-15, then for 16-31.
// Bytes   kF8 8.25 bits a value, kNibbles with F16 scale 4.5 bits a value (5 with offset),
// kBytes 8.5, kBytes16 10. Tested  tests/kernels/weights_test.cc
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace r1eval::kernels {

// As files store values. The engine maps its file formats' names onto these.
enum class StoredFormat : std::uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ8_0,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kF8_E4M3,  // with factors beside the row: StoredRow
};

// Values per block and bytes per block of a stored row.
std::int64_t stored_block_values(StoredFormat format);
std::int64_t stored_block_bytes(StoredFormat format);

// A row as stored. Values of F8_E4M3 have a float32 factor per 128 columns beside them (unaligned);
// all others hold what they need in their blocks. Null values: a row of zeros.
struct StoredRow {
  const std::byte* values = nullptr;
  const std::byte* scales = nullptr;
};

constexpr std::int64_t kF8BlockColumns = 128;

enum class PackedForm : std::uint8_t { kF32, kF16, kBF16, kF8, kNibbles, kBytes, kBytes16 };

// How a packed matrix's numbers are to be read.
struct PackedLayout {
  PackedForm form = PackedForm::kF32;
  bool scale_is_f16 = false;  // else F32
  bool has_offset = false;    // offsets stored, in the scales' type; else offset = -zero * scale
  int zero = 0;               // the q that stands for 0, where there are no offsets

  bool is_float() const { return form <= PackedForm::kF8; }

  // Of one tile and `columns` columns.
  std::int64_t tile_bytes(std::int64_t columns) const;
  std::int64_t block_bytes() const;  // of 16 rows x 32 columns; not for floats

  // kBF16: where column k of row r of a tile stands, in bytes.
  static constexpr std::int64_t pair_value_at(std::int64_t k, std::int64_t r) {
    return k / 2 * 64 + r * 4 + k % 2 * 2;
  }

  // kF8: where column block `block` begins in a tile.
  static std::int64_t f8_block_at(std::int64_t block) {
    return block * (kF8BlockColumns * 16 + 64);
  }
};

constexpr std::int64_t kTileRows = 16;

struct PackedMatrix {
  PackedLayout layout;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t tile_stride = 0;     // bytes from tile to tile
  const std::byte* data = nullptr;  // not owned, 64-byte aligned

  std::int64_t n_tiles() const { return (rows + kTileRows - 1) / kTileRows; }

  std::int64_t bytes() const { return n_tiles() * tile_stride; }
};

// The form into which a stored format is packed. `as_f32` dequantises everything (reference
// numerics).
PackedLayout packed_layout(StoredFormat format, bool as_f32);

// Values of one stored row, `n` a multiple of the format's block.
void dequantize_row(StoredFormat format, const StoredRow& row, std::int64_t n, float* out);

inline void dequantize_row(StoredFormat format, const std::byte* row, std::int64_t n, float* out) {
  dequantize_row(format, StoredRow{row, nullptr}, n, out);
}

// Fills one tile (layout.tile_bytes(columns) bytes at `tile`) from 16 stored rows.
void pack_tile(StoredFormat format, const PackedLayout& layout, const StoredRow* rows16,
               std::int64_t columns, std::byte* tile);

// Values of row `row` of a packed matrix: the embedding lookup. Same numbers as dequantize_row up
// to the rounding of scale * q + offset.
void unpack_row(const PackedMatrix& matrix, std::int64_t row, float* out);

float half_to_float(std::uint16_t bits);
std::uint16_t float_to_half(float value);  // round to nearest even, overflow to infinity
float bfloat_to_float(std::uint16_t bits);
float f8_to_float(std::uint8_t bits);  // E4M3: bias 7, no infinities, 0x7f and 0xff are NaN

}  // namespace r1eval::kernels
