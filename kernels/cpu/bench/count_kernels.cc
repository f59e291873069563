// Runs one kernel once, on a fixed shape and fixed data, inside the function r1eval_counted: for
// counting its instructions under callgrind (scripts/kernel_gates/instruction_gate.sh).
//
// usage    count_kernels NAME      count_kernels --list
// Data     keyed by index, so that every build sees the same; shapes are odd where kernels have a
//          tail. The instruction set is chosen at run time as always; valgrind 3.19 hides AVX-512.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "kernels/kernels.h"

// By C's name, neither inlined nor cloned for a caller, so that callgrind finds every call.
#ifdef __clang__
#define R1_WHOLE __attribute__((noinline, optnone))
#else
#define R1_WHOLE __attribute__((noipa))
#endif
extern "C" R1_WHOLE void r1eval_counted(const std::function<void()>& run) {
  run();
  asm volatile("" ::: "memory");  // else the call becomes a jump, and callgrind sees no return
}

namespace r1eval::kernels {
namespace {

constexpr std::int64_t kWidth = 2056;  // V2-Lite's hidden size and half a vector
constexpr std::int64_t kRows = 192;
constexpr std::int64_t kColumns = 576;
constexpr std::int64_t kBatch = 7;

std::vector<float> numbers(std::int64_t n, std::uint64_t key) {
  std::vector<float> out;
  for (std::int64_t i = 0; i < n; ++i) {
    out.push_back(static_cast<float>(uniform_at(key, static_cast<std::uint64_t>(i)) - 0.5));
  }
  return out;
}

std::vector<std::uint16_t> brain_numbers(std::int64_t n, std::uint64_t key) {
  const std::vector<float> x = numbers(n, key);
  std::vector<std::uint16_t> out(x.size());
  active_kernels().to_bfloat(x.data(), n, out.data());
  return out;
}

struct Weights {
  std::vector<std::byte> bytes;
  PackedMatrix matrix;
};

// Zeros: no kernel's path depends on a weight's value.
Weights weights(StoredFormat format) {
  Weights w;
  w.matrix.layout = packed_layout(format, false);
  w.matrix.rows = kRows;
  w.matrix.columns = kColumns;
  w.matrix.tile_stride = w.matrix.layout.tile_bytes(kColumns);
  w.bytes.resize(static_cast<std::size_t>(w.matrix.bytes()) + 64);
  const auto at = reinterpret_cast<std::uintptr_t>(w.bytes.data());
  w.matrix.data = w.bytes.data() + (64 - at % 64) % 64;
  return w;
}

void count_quantized(StoredFormat format) {
  const KernelTable& table = active_kernels();
  const Weights w = weights(format);
  const std::vector<float> x = numbers(kBatch * kColumns, 1);
  std::vector<std::byte> storage(
      static_cast<std::size_t>(QuantizedColumns::storage_bytes(kBatch, kColumns)));
  const QuantizedColumns q = QuantizedColumns::in_storage(storage.data(), kBatch, kColumns);
  for (std::int64_t c = 0; c < kBatch; ++c) {
    table.quantize(x.data() + c * kColumns, q, c, -1, nullptr);
  }
  std::vector<float> out(kBatch * kRows);
  r1eval_counted([&] {
    table.matmul_quantized(w.matrix, 0, w.matrix.n_tiles(), q, kBatch, out.data(), kRows);
  });
}

void count_quantize() {
  const std::vector<float> x = numbers(kColumns, 1);
  std::vector<std::byte> storage(
      static_cast<std::size_t>(QuantizedColumns::storage_bytes(1, kColumns)));
  const QuantizedColumns q = QuantizedColumns::in_storage(storage.data(), 1, kColumns);
  r1eval_counted([&] { active_kernels().quantize(x.data(), q, 0, -1, nullptr); });
}

void count_matmul_float() {
  const Weights w = weights(StoredFormat::kF16);
  const std::vector<float> x = numbers(kBatch * kColumns, 1);
  std::vector<float> out(kBatch * kRows);
  r1eval_counted([&] {
    active_kernels().matmul_float(w.matrix, 0, w.matrix.n_tiles(), x.data(), kColumns, kBatch,
                                  out.data(), kRows);
  });
}

void count_matmul_bf16() {
  const Weights w = weights(StoredFormat::kBF16);
  const std::vector<std::uint16_t> x = brain_numbers(kBatch * kColumns, 1);
  std::vector<float> out(kBatch * kRows);
  r1eval_counted([&] {
    active_kernels().matmul_bf16(w.matrix, 0, w.matrix.n_tiles(), x.data(), kColumns, kBatch,
                                 out.data(), nullptr, kRows);
  });
}

void count_rms_norm() {
  const std::vector<float> x = numbers(kWidth, 1);
  const std::vector<float> gain = numbers(kWidth, 2);
  std::vector<float> out(kWidth);
  r1eval_counted(
      [&] { active_kernels().rms_norm(x.data(), gain.data(), 1e-6F, kWidth, out.data()); });
}

void count_rms_norm_bf16() {
  const std::vector<std::uint16_t> x = brain_numbers(kWidth, 1);
  const std::vector<float> gain = numbers(kWidth, 2);
  std::vector<std::uint16_t> out(kWidth);
  r1eval_counted(
      [&] { active_kernels().rms_norm_bf16(x.data(), gain.data(), 1e-6F, kWidth, out.data()); });
}

void count_silu_product() {
  const std::vector<float> gate = numbers(kWidth, 1);
  const std::vector<float> up = numbers(kWidth, 2);
  std::vector<float> out(kWidth);
  r1eval_counted(
      [&] { active_kernels().silu_product(gate.data(), up.data(), kWidth, out.data()); });
}

void count_combine() {
  const std::vector<float> from = numbers(8 * kWidth, 1);
  const std::vector<std::int32_t> rows = {7, 0, 3, 5, 1, 2};
  const std::vector<float> shares = numbers(6, 2);
  std::vector<float> out(kWidth);
  r1eval_counted([&] {
    active_kernels().combine(from.data(), rows.data(), shares.data(), 6, kWidth, out.data());
  });
}

void count_rotate_pairs() {
  std::vector<float> x = numbers(128, 1);
  const std::vector<float> cosines = numbers(64, 2);
  const std::vector<float> sines = numbers(64, 3);
  r1eval_counted(
      [&] { active_kernels().rotate_pairs(x.data(), cosines.data(), sines.data(), 64); });
}

void count_summarize() {
  const std::vector<float> x = numbers(kWidth, 1);
  RowSummary summary;
  r1eval_counted([&] { summary = active_kernels().summarize(x.data(), kWidth); });
}

void count_attend() {
  constexpr std::int64_t kDim = 64;
  constexpr std::int64_t kPositions = 300;  // two spans, the last page partly full
  constexpr std::int64_t kPages = (kPositions + kPageTokens - 1) / kPageTokens;
  const std::vector<float> keys = numbers(kPages * kPageTokens * kDim, 1);
  const std::vector<float> values = numbers(kPages * kPageTokens * kDim, 2);
  const std::vector<float> queries = numbers(4 * kDim, 3);
  std::vector<float> out(4 * kDim);
  std::vector<std::int32_t> pages;
  for (std::int64_t p = 0; p < kPages; ++p) {
    pages.push_back(static_cast<std::int32_t>(kPages - 1 - p));
  }
  std::vector<AttentionColumn> columns;
  for (std::int64_t c = 0; c < 4; ++c) {
    columns.push_back(
        {queries.data() + c * kDim, out.data() + c * kDim, pages.data(), kPositions - c});
  }
  std::vector<float> scratch(static_cast<std::size_t>(attention_scratch_floats(kDim, kDim)));
  AttentionTask task;
  task.columns = columns.data();
  task.n_columns = 4;
  task.head_dim = task.value_dim = task.out_dim = kDim;
  task.scale = 0.125F;
  task.keys = keys.data();
  task.values = values.data();
  task.key_page_stride = task.value_page_stride = kPageTokens * kDim;
  task.scratch = scratch.data();
  r1eval_counted([&] { active_kernels().attend(task); });
}

const std::pair<std::string_view, void (*)()> kCounted[] = {
    {"matmul_q8_0", [] { count_quantized(StoredFormat::kQ8_0); }},
    {"matmul_q4_1", [] { count_quantized(StoredFormat::kQ4_1); }},
    {"matmul_float", count_matmul_float},
    {"matmul_bf16", count_matmul_bf16},
    {"quantize", count_quantize},
    {"rms_norm", count_rms_norm},
    {"rms_norm_bf16", count_rms_norm_bf16},
    {"silu_product", count_silu_product},
    {"combine", count_combine},
    {"rotate_pairs", count_rotate_pairs},
    {"summarize", count_summarize},
    {"attend", count_attend},
};

}  // namespace
}  // namespace r1eval::kernels

int main(int argc, char** argv) {
  using r1eval::kernels::kCounted;
  const std::string_view wanted = argc == 2 ? argv[1] : "";
  if (wanted == "--list") {
    for (const auto& [name, run] : kCounted) {
      std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
    }
    return 0;
  }
  for (const auto& [name, run] : kCounted) {
    if (name == wanted) {
      run();
      return 0;
    }
  }
  std::fprintf(stderr, "usage: count_kernels NAME; --list names them\n");
  return 2;
}
