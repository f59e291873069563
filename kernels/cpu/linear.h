// Linear layers of a step: weights with their bias, columns of input, and products of several
// matrices as one phase.
//
// Threads  products() is called by every thread of the team with the same arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "kernels/cpu/thread_team.h"
#include "kernels/kernels.h"

namespace r1eval::cpu {

struct Linear {
  kernels::PackedMatrix matrix;
  const float* bias = nullptr;  // (out)

  bool is_quantized() const { return !matrix.layout.is_float(); }
};

constexpr std::int64_t aligned(std::int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

// Hands out consecutive pieces of a block of memory, each 64-byte aligned. Without a block (null)
// it only counts.
class Carver {
 public:
  explicit Carver(std::byte* at) : at_(at) {}

  template <typename T>
  T* take(std::int64_t n) {
    const std::int64_t begin = used_;
    used_ += aligned(n * static_cast<std::int64_t>(sizeof(T)));
    return at_ == nullptr ? nullptr : reinterpret_cast<T*>(at_ + begin);
  }

  // Room for n quantised columns of `width` values.
  kernels::QuantizedColumns take_columns(std::int64_t n, std::int64_t width);

  std::int64_t used() const { return used_; }

 private:
  std::byte* at_;
  std::int64_t used_ = 0;
};

// The same columns without the first `n`.
kernels::QuantizedColumns columns_from(const kernels::QuantizedColumns& columns, std::int64_t n);

// Copies column `from` of `source` to column `to` of `target`; both are of the same width.
void copy_column(const kernels::QuantizedColumns& source, std::int64_t from,
                 const kernels::QuantizedColumns& target, std::int64_t to);

// out[c * out_stride + row] = (matrix * column c)[row] for n columns. A float matrix reads x, a
// quantised one q, whichever is set up. n_rest further columns behind them hold the rest of the
// first (kernels.h: quantize) for quantised matrices; a float matrix loses nothing, its rest is
// zero.
struct Product {
  const kernels::PackedMatrix* matrix = nullptr;
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  kernels::QuantizedColumns q;
  std::int64_t n = 0;
  std::int64_t n_rest = 0;
  float* out = nullptr;
  std::int64_t out_stride = 0;
};

// All products as one phase of the team: their row tiles are numbered through and divided.
void products(ThreadTeam& team, const kernels::KernelTable& kernels,
              std::span<const Product> products);

// Chunk length so that each thread gets about four chunks; whole groups of `unit`.
std::int64_t grain_for(std::int64_t n, int n_threads, std::int64_t unit);

}  // namespace r1eval::cpu
