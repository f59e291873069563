// See linear.h.
#include "kernels/cpu/linear.h"

#include <algorithm>
#include <cstring>

namespace r1eval::cpu {

using kernels::PackedMatrix;
using kernels::QuantizedColumns;

namespace {

void one_product(const kernels::KernelTable& kernels, const Product& product, std::int64_t from,
                 std::int64_t to) {
  const PackedMatrix& matrix = *product.matrix;
  if (!matrix.layout.is_float()) {
    kernels.matmul_quantized(matrix, from, to, product.q, product.n + product.n_rest, product.out,
                             product.out_stride);
    return;
  }
  kernels.matmul_float(matrix, from, to, product.x, product.x_stride, product.n, product.out,
                       product.out_stride);
  const std::int64_t first_row = from * kernels::kTileRows;
  const std::int64_t n_rows = std::min(to * kernels::kTileRows, matrix.rows) - first_row;
  for (std::int64_t c = product.n; c < product.n + product.n_rest; ++c) {
    std::fill_n(product.out + c * product.out_stride + first_row, n_rows, 0.0F);
  }
}

}  // namespace

std::int64_t grain_for(std::int64_t n, int n_threads, std::int64_t unit) {
  const std::int64_t chunks = 4 * static_cast<std::int64_t>(n_threads);
  return std::max(unit, (n / chunks + unit - 1) / unit * unit);
}

void products(ThreadTeam& team, const kernels::KernelTable& kernels, std::span<const Product> all) {
  std::int64_t n_tiles = 0;
  for (const Product& product : all) {
    n_tiles += product.n > 0 ? product.matrix->n_tiles() : 0;
  }
  team.phase(n_tiles, grain_for(n_tiles, team.size(), 4),
             [&](std::int64_t begin, std::int64_t end) {
               std::int64_t first = 0;  // of this product in the common numbering of tiles
               for (const Product& product : all) {
                 if (product.n == 0) {
                   continue;
                 }
                 const std::int64_t n = product.matrix->n_tiles();
                 const std::int64_t from = std::max<std::int64_t>(begin - first, 0);
                 const std::int64_t to = std::min(end - first, n);
                 first += n;
                 if (from < to) {
                   one_product(kernels, product, from, to);
                 }
                 if (first >= end) {
                   break;
                 }
               }
             });
}

QuantizedColumns Carver::take_columns(std::int64_t n, std::int64_t width) {
  // A width that is no multiple of 32 has no quantised matrix; its columns are never filled.
  const std::int64_t whole = width % 32 == 0 ? width : 0;
  std::byte* storage = take<std::byte>(QuantizedColumns::storage_bytes(n, whole));
  return storage == nullptr ? QuantizedColumns() : QuantizedColumns::in_storage(storage, n, whole);
}

QuantizedColumns columns_from(const QuantizedColumns& columns, std::int64_t n) {
  QuantizedColumns rest = columns;
  rest.values += n * columns.columns;
  rest.multipliers += n * columns.columns / 32;
  rest.negated_sums += n * columns.columns / 16;
  rest.block_sums += n * columns.columns / 32;
  rest.scales += n;
  return rest;
}

void copy_column(const QuantizedColumns& source, std::int64_t from, const QuantizedColumns& target,
                 std::int64_t to) {
  const QuantizedColumns a = columns_from(source, from);
  const QuantizedColumns b = columns_from(target, to);
  const auto n = static_cast<std::size_t>(source.columns);
  std::memcpy(b.values, a.values, n);
  std::memcpy(b.multipliers, a.multipliers, n / 32 * sizeof(std::int32_t));
  std::memcpy(b.negated_sums, a.negated_sums, n / 16 * sizeof(std::int32_t));
  std::memcpy(b.block_sums, a.block_sums, n / 32 * sizeof(std::int32_t));
  *b.scales = *a.scales;
}

}  // namespace r1eval::cpu
