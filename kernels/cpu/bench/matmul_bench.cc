// Rate of the quantised matrix products by stored format, shape and number of columns, one thread.
//
// usage    matmul_bench [--benchmark_filter=Q4_1]
// Shapes   SmolLM2-135M's gate and up (3072 x 576), its head (49152 x 576), Qwen2.5-0.5B's gate
//          and up (9728 x 896), Distill-Qwen-1.5B's down (1536 x 8960).
// Reads    GOP/s: 2 rows x columns x N over the CPU time of the product alone.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/kernels.h"

namespace r1eval::kernels {
namespace {

struct Shape {
  std::int64_t rows;
  std::int64_t columns;
};

struct Aligned {
  std::vector<std::byte> bytes;

  explicit Aligned(std::int64_t n) : bytes(static_cast<std::size_t>(n) + 64) {}

  std::byte* data() {
    const auto at = reinterpret_cast<std::uintptr_t>(bytes.data());
    return bytes.data() + (64 - at % 64) % 64;
  }
};

void matmul(benchmark::State& state, StoredFormat format, Shape shape) {
  const KernelTable& table = active_kernels();
  const std::int64_t n = state.range(0);
  PackedMatrix matrix;
  matrix.layout = packed_layout(format, false);
  matrix.rows = shape.rows;
  matrix.columns = shape.columns;
  matrix.tile_stride = matrix.layout.tile_bytes(shape.columns);
  Aligned weights(matrix.bytes());
  // Zero rows give the same time: no instruction here depends on a value.
  std::memset(weights.data(), 0, static_cast<std::size_t>(matrix.bytes()));
  matrix.data = weights.data();
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<std::size_t>(n * shape.columns));
  for (float& value : x) {
    value = normal(random);
  }
  std::vector<std::byte> storage(
      static_cast<std::size_t>(QuantizedColumns::storage_bytes(n, shape.columns)));
  const QuantizedColumns q = QuantizedColumns::in_storage(storage.data(), n, shape.columns);
  for (std::int64_t c = 0; c < n; ++c) {
    table.quantize(x.data() + c * shape.columns, q, c, -1, nullptr);
  }
  std::vector<float> out(static_cast<std::size_t>(n * shape.rows));
  for (auto _ : state) {
    table.matmul_quantized(matrix, 0, matrix.n_tiles(), q, n, out.data(), shape.rows);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  const double work = 2.0 * static_cast<double>(shape.rows * shape.columns * n);
  state.counters["GOP/s"] = benchmark::Counter(
      work * static_cast<double>(state.iterations()) * 1e-9, benchmark::Counter::kIsRate);
}

void add_all() {
  const std::pair<const char*, StoredFormat> formats[] = {
      {"Q4_1", StoredFormat::kQ4_1}, {"Q4_0", StoredFormat::kQ4_0}, {"Q8_0", StoredFormat::kQ8_0},
      {"Q5_0", StoredFormat::kQ5_0}, {"Q4_K", StoredFormat::kQ4_K}, {"Q6_K", StoredFormat::kQ6_K}};
  const std::pair<const char*, Shape> shapes[] = {{"3072x576", {3072, 576}},
                                                  {"49152x576", {49152, 576}},
                                                  {"9728x896", {9728, 896}},
                                                  {"1536x8960", {1536, 8960}}};
  for (const auto& [format_name, format] : formats) {
    for (const auto& [shape_name, shape] : shapes) {
      if (shape.columns % stored_block_values(format) != 0) {
        continue;
      }
      auto* bench = benchmark::RegisterBenchmark(
          (std::string(format_name) + "/" + shape_name).c_str(), matmul, format, shape);
      for (const int n : {1, 2, 4, 6, 8, 16, 32, 64}) {
        bench->Arg(n);
      }
    }
  }
}

}  // namespace
}  // namespace r1eval::kernels

int main(int argc, char** argv) {
  r1eval::kernels::add_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
