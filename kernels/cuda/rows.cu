// Operators that go once over rows: norms, 8-bit quantisation, silu product, combine, rotation,
// append.
//
// All are bound by memory: every byte is read once and written once, sixteen at a time, by a block
// a row (or a half warp a group of 128 columns where there is a scale to find). A norm keeps its
// row in shared memory between the sum and the product.
//
// Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/simple.cuh"
#include "kernels/cuda/vectors.cuh"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kRowThreads = 256;

template <bool kWhole>
R1_KERNEL void R1_BOUNDS(kRowThreads, 4) rms_norm_kernel(device::RmsNorm a) {
  float* row = shared<float>();
  float* scratch = row + round_up<std::int64_t>(a.width, 8);
  const std::int64_t base = block_index() * a.width;
  float squares = 0.0F;
  for (std::int64_t i = thread_index() * 8; i < a.width; i += kRowThreads * 8) {
    float x[8];
    load8<kWhole>(a.x + base, i, a.width, x);
    if (a.residual != nullptr) {
      float y[8];
      load8<kWhole>(a.residual + base, i, a.width, y);
      R1_UNROLL
      for (int j = 0; j < 8; ++j) {
        x[j] = to_float(round_bf16(x[j] + y[j]));
      }
      store8<kWhole>(a.residual + base, i, a.width, x);
    }
    R1_UNROLL
    for (int j = 0; j < 8; ++j) {
      squares += x[j] * x[j];
      row[i + j] = x[j];
    }
  }
  const float sum = block_sum(squares, scratch);
  const float factor = 1.0F / sqrtf(sum / static_cast<float>(a.width) + a.eps);
  for (std::int64_t i = thread_index() * 8; i < a.width; i += kRowThreads * 8) {
    float y[8];
    R1_UNROLL
    for (int j = 0; j < 8; ++j) {
      y[j] = i + j < a.width ? row[i + j] * factor * __ldg(a.gain + i + j) : 0.0F;
    }
    store8<kWhole>(a.out + base, i, a.width, y);
  }
}

// Group g of the whole: row g / groups, columns [128 (g mod groups), …). A half warp each.
struct ScaleGroup {
  std::int64_t row;
  std::int64_t column;  // of this lane's eight values
  std::int64_t index;
  bool is_there;
};

R1_DEV ScaleGroup my_group(std::int64_t rows, std::int64_t width) {
  const std::int64_t per_row = scale_blocks(width);
  const std::int64_t index = block_index() * (kRowThreads / 16) + thread_index() / 16;
  const std::int64_t row = index / per_row;
  return {row, (index % per_row) * kScaleBlock + thread_index() % 16 * 8, index,
          index < rows * per_row};
}

template <bool kWhole>
R1_DEV void store_scaled(E4m3* values, float* scales, const ScaleGroup& g, std::int64_t width,
                         float (&x)[8]) {
  const float scale = scale_for(half_warp_largest(x));
  if (!g.is_there) {
    return;
  }
  R1_UNROLL
  for (int j = 0; j < 8; ++j) {
    x[j] = x[j] / scale;
  }
  if (g.column < width) {
    store8<kWhole>(values + g.row * width, g.column, width, x);
  }
  if (thread_index() % 16 == 0) {
    scales[g.index] = scale;
  }
}

template <bool kWhole>
R1_KERNEL void R1_BOUNDS(kRowThreads, 4) quantize_rows_kernel(device::QuantizeRows a) {
  const ScaleGroup g = my_group(a.rows, a.width);
  float x[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  if (g.is_there && g.column < a.width) {
    load8<kWhole>(a.x + g.row * a.width, g.column, a.width, x);
  }
  store_scaled<kWhole>(a.values, a.scales, g, a.width, x);
}

template <bool kWhole>
R1_KERNEL void R1_BOUNDS(kRowThreads, 4) swiglu_kernel(device::SwiGlu a) {
  const ScaleGroup g = my_group(a.rows, a.width);
  float x[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  const bool is_mine = g.is_there && g.column < a.width;
  if (is_mine) {
    float up[8];
    load8<kWhole>(a.gate_up + g.row * 2 * a.width, g.column, a.width, x);
    load8<kWhole>(a.gate_up + (g.row * 2 + 1) * a.width, g.column, a.width, up);
    R1_UNROLL
    for (int j = 0; j < 8; ++j) {
      x[j] = silu(x[j]) * up[j];
    }
  }
  if (a.out != nullptr) {
    if (is_mine) {
      store8<kWhole>(a.out + g.row * a.width, g.column, a.width, x);
    }
    return;
  }
  R1_UNROLL
  for (int j = 0; j < 8; ++j) {
    x[j] = to_float(round_bf16(x[j]));  // as if the product had been stored and read again
  }
  store_scaled<kWhole>(a.values, a.scales, g, a.width, x);
}

template <bool kWhole>
R1_KERNEL void R1_BOUNDS(kRowThreads, 4) combine_kernel(device::Combine a) {
  const std::int64_t t = block_index();
  for (std::int64_t i = thread_index() * 8; i < a.width; i += kRowThreads * 8) {
    float sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int j = 0; j < a.k; ++j) {
      const std::int64_t row = __ldg(a.row_of_pair + t * a.k + j);
      if (row < 0) {
        continue;
      }
      const float weight = __ldg(a.weights + t * a.k + j);
      float x[8];
      load8<kWhole>(a.rows + row * a.width, i, a.width, x);
      R1_UNROLL
      for (int e = 0; e < 8; ++e) {
        sum[e] += weight * x[e];
      }
    }
    if (a.shared != nullptr) {
      float x[8];
      load8<kWhole>(a.shared + t * a.width, i, a.width, x);
      R1_UNROLL
      for (int e = 0; e < 8; ++e) {
        sum[e] += x[e];
      }
    }
    store8<kWhole>(a.out + t * a.width, i, a.width, sum);
  }
}

// A thread a pair; the key counts as one more head.
R1_KERNEL void R1_BOUNDS(kRowThreads, 4) rope_kernel(device::Rope a) {
  const int pairs = a.width / 2;
  const std::int64_t per_token = std::int64_t{a.heads + (a.k != nullptr ? 1 : 0)} * pairs;
  const std::int64_t index = block_index() * kRowThreads + thread_index();
  if (index >= a.tokens * per_token) {
    return;
  }
  const std::int64_t t = index / per_token;
  const auto head = static_cast<int>(index % per_token / pairs);
  const auto pair = static_cast<int>(index % pairs);
  const std::int64_t angle = std::int64_t{__ldg(a.positions + t)} * pairs + pair;
  const float c = __ldg(a.cosines + angle);
  const float s = __ldg(a.sines + angle);
  Bf16* at = head < a.heads ? a.q + t * a.q_token_stride + head * a.q_head_stride
                            : a.k + t * a.k_token_stride;
  auto* both = reinterpret_cast<std::uint32_t*>(at) + pair;
  const float x = low_bf16(*both);
  const float y = high_bf16(*both);
  *both = pack_bf16(x * c - y * s, x * s + y * c);
}

// A half warp takes 128 columns of a token's latent, or its rotated key.
R1_KERNEL void R1_BOUNDS(kRowThreads, 4) append_kernel(device::Append a) {
  const std::int64_t latent_groups = ceil_div(a.latent_width, kScaleBlock);
  const std::int64_t groups = latent_groups + ceil_div(a.rope_width, kScaleBlock);
  const std::int64_t index = block_index() * (kRowThreads / 16) + thread_index() / 16;
  const std::int64_t t = index / groups;
  const std::int64_t g = index % groups;
  const std::int64_t slot = t < a.tokens ? a.slots[t] : -1;
  const bool is_latent = g < latent_groups;
  const std::int64_t column =
      (is_latent ? g : g - latent_groups) * kScaleBlock + thread_index() % 16 * 8;
  const std::int64_t width = is_latent ? a.latent_width : a.rope_width;
  const bool is_mine = slot >= 0 && column < width;
  float x[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  if (is_mine) {
    load8<true>((is_latent ? a.latent : a.rope) + t * width, column, width, x);
  }
  const float largest = half_warp_largest(x);
  if (!is_mine) {
    return;
  }
  unsigned char* row = static_cast<unsigned char*>(a.cache) +
                       slot * device::cache_row_bytes(a.latent_width, a.rope_width, a.is_e4m3);
  if (!a.is_e4m3) {
    auto* values = reinterpret_cast<Bf16*>(row) + (is_latent ? 0 : a.latent_width);
    store8<true>(values, column, width, x);
    return;
  }
  auto* scales = reinterpret_cast<float*>(row + a.latent_width);
  if (!is_latent) {
    store8<true>(reinterpret_cast<Bf16*>(scales + scale_blocks(a.latent_width)), column, width, x);
    return;
  }
  const float scale = scale_for(largest);
  R1_UNROLL
  for (int j = 0; j < 8; ++j) {
    x[j] = x[j] / scale;
  }
  store8<true>(reinterpret_cast<E4m3*>(row), column, width, x);
  if (thread_index() % 16 == 0) {
    scales[g] = scale;
  }
}

static std::int64_t group_blocks(std::int64_t rows, std::int64_t width) {
  return ceil_div<std::int64_t>(rows * scale_blocks(width), kRowThreads / 16);
}

Status rms_norm(const device::RmsNorm& a, void* stream) {
  if (a.width < 1 || a.width > 32768) {
    return invalid("norm.rms", "width", a.width, "1 to 32768");
  }
  const std::size_t bytes = static_cast<std::size_t>(round_up<std::int64_t>(a.width, 8)) * 4 + 128;
  return launch("norm.rms", {.blocks = a.tokens, .threads = kRowThreads, .shared_bytes = bytes},
                stream, a.width % 8 == 0 ? rms_norm_kernel<true> : rms_norm_kernel<false>, a);
}

Status quantize_rows(const device::QuantizeRows& a, void* stream) {
  return launch("quant.act", {.blocks = group_blocks(a.rows, a.width), .threads = kRowThreads},
                stream, a.width % 8 == 0 ? quantize_rows_kernel<true> : quantize_rows_kernel<false>,
                a);
}

Status swiglu(const device::SwiGlu& a, void* stream) {
  return launch("moe.swiglu", {.blocks = group_blocks(a.rows, a.width), .threads = kRowThreads},
                stream, a.width % 8 == 0 ? swiglu_kernel<true> : swiglu_kernel<false>, a);
}

Status combine(const device::Combine& a, void* stream) {
  return launch("moe.combine", {.blocks = a.tokens, .threads = kRowThreads}, stream,
                a.width % 8 == 0 ? combine_kernel<true> : combine_kernel<false>, a);
}

Status rope(const device::Rope& a, void* stream) {
  if (a.width < 2 || a.width % 2 != 0) {
    return invalid("mla.rope", "width", a.width, "even numbers");
  }
  device::Rope b = a;
  b.q_head_stride = a.q_head_stride == 0 ? a.width : a.q_head_stride;
  b.q_token_stride = a.q_token_stride == 0 ? a.heads * b.q_head_stride : a.q_token_stride;
  b.k_token_stride = a.k_token_stride == 0 ? a.width : a.k_token_stride;
  if ((b.q_head_stride | b.q_token_stride | b.k_token_stride) % 2 != 0) {
    return invalid("mla.rope", "stride", b.q_token_stride, "even numbers");
  }
  const std::int64_t pairs = a.tokens * (a.heads + (a.k != nullptr ? 1 : 0)) * (a.width / 2);
  return launch("mla.rope",
                {.blocks = ceil_div<std::int64_t>(pairs, kRowThreads), .threads = kRowThreads},
                stream, rope_kernel, b);
}

Status append(const device::Append& a, void* stream) {
  const int multiple = a.is_e4m3 ? 128 : 8;
  if (a.latent_width % multiple != 0 || a.rope_width % 8 != 0) {
    return invalid("mla.append", "width", a.latent_width, "multiples of 8, of 128 in 8 bits");
  }
  const std::int64_t groups =
      ceil_div(a.latent_width, kScaleBlock) + ceil_div(a.rope_width, kScaleBlock);
  return launch("mla.append",
                {.blocks = ceil_div<std::int64_t>(a.tokens * groups, kRowThreads / 16),
                 .threads = kRowThreads},
                stream, append_kernel, a);
}

}  // namespace r1eval::kernels::R1_DEVICE
