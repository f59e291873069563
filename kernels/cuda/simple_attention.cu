// Attention, plainly: a block a query head. Threads take one token each for the scores, then
// columns of the output each; softmax is kept online over chunks of tokens. The second reference on
// a device.
//
// Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/simple.cuh"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kAttentionThreads = 128;
constexpr int kMostWidth = 1024;
constexpr int kMostColumns = 4;  // of a thread: values up to 512 wide

struct AttentionShared {
  float q[kMostWidth];
  float p[kAttentionThreads];
  float scratch[32];
};

// key(token, d), value(token, d): floats. Writes out(d, x) for all d and returns log sum exp (+inf
// where there is no token).
template <class Key, class Value, class Out>
R1_DEV float attend_one(const Bf16* q, int width, int value_width, std::int64_t tokens, float scale,
                        Key key, Value value, Out out) {
  auto* s = shared<AttentionShared>();
  const int t = thread_index();
  for (int d = t; d < width; d += kAttentionThreads) {
    s->q[d] = to_float(q[d]);
  }
  __syncthreads();
  float most = -kInfinity;
  float sum = 0.0F;
  float o[kMostColumns] = {};
  for (std::int64_t t0 = 0; t0 < tokens; t0 += kAttentionThreads) {
    float score = -kInfinity;
    if (t0 + t < tokens) {
      float dot = 0.0F;
      for (int d = 0; d < width; ++d) {
        dot += s->q[d] * key(t0 + t, d);
      }
      score = dot * scale;
    }
    const float chunk = block_max(score, s->scratch);
    const float now = chunk > most ? chunk : most;
    const float rescale = expf(most - now);  // 0 in the first chunk
    const float p = t0 + t < tokens ? expf(score - now) : 0.0F;
    s->p[t] = p;
    sum = sum * rescale + block_sum(p, s->scratch);
    most = now;
    const auto n = static_cast<int>(smaller<std::int64_t>(kAttentionThreads, tokens - t0));
    for (int c = 0; c < kMostColumns; ++c) {
      const int d = t + c * kAttentionThreads;
      if (d < value_width) {
        o[c] *= rescale;
        for (int i = 0; i < n; ++i) {
          o[c] += s->p[i] * value(t0 + i, d);
        }
      }
    }
    __syncthreads();
  }
  for (int c = 0; c < kMostColumns; ++c) {
    const int d = t + c * kAttentionThreads;
    if (d < value_width) {
      out(d, tokens > 0 ? o[c] / sum : 0.0F);
    }
  }
  return tokens > 0 ? most + logf(sum) : kInfinity;
}

// Block: (sequence, query, head).
struct DecodePlace {
  std::int64_t sequence;
  std::int64_t query;
  std::int64_t row;  // of (batch, queries, heads)
  std::int64_t head;
};

R1_DEV DecodePlace decode_place(int queries, int heads) {
  const std::int64_t row = block_index();
  return {row / heads / queries, row / heads % queries, row, row % heads};
}

R1_DEV std::int64_t visible_tokens(const std::int32_t* lengths, const DecodePlace& at,
                                   int queries) {
  const std::int64_t visible = lengths[at.sequence] - queries + at.query + 1;
  return visible > 0 ? visible : 0;
}

template <bool kE4m3>
R1_KERNEL void R1_BOUNDS(kAttentionThreads, 1) simple_mla_decode_kernel(device::MlaDecode a) {
  const DecodePlace at = decode_place(a.queries, a.heads);
  const int width = a.latent + a.rope;
  const std::int64_t row_bytes = device::cache_row_bytes(a.latent, a.rope, kE4m3);
  const auto key = [&](std::int64_t token, int d) {
    const std::int64_t block = a.table[at.sequence * a.table_width + token / 64];
    const unsigned char* row =
        static_cast<const unsigned char*>(a.cache) + (block * 64 + token % 64) * row_bytes;
    if constexpr (kE4m3) {
      const auto* scales = reinterpret_cast<const float*>(row + a.latent);
      return d < a.latent ? to_float(reinterpret_cast<const E4m3*>(row)[d]) * scales[d / 128]
                          : to_float(reinterpret_cast<const Bf16*>(
                                scales + scale_blocks(a.latent))[d - a.latent]);
    } else {
      return to_float(reinterpret_cast<const Bf16*>(row)[d]);
    }
  };
  const float lse = attend_one(
      a.q + at.row * width, width, a.latent, visible_tokens(a.lengths, at, a.queries), a.scale, key,
      key, [&](int d, float x) { a.out[at.row * a.latent + d] = round_bf16(x); });
  if (a.lse != nullptr && thread_index() == 0) {
    a.lse[at.row] = lse;
  }
}

R1_KERNEL void R1_BOUNDS(kAttentionThreads, 1) simple_gqa_decode_kernel(device::GqaDecode a) {
  const DecodePlace at = decode_place(a.queries, a.heads);
  const std::int64_t kv_head = at.head / (a.heads / a.kv_heads);
  const auto offset = [&](std::int64_t token) {
    const std::int64_t block = a.table[at.sequence * a.table_width + token / 64];
    return ((block * 64 + token % 64) * a.kv_heads + kv_head) * a.width;
  };
  attend_one(
      a.q + at.row * a.width, a.width, a.width, visible_tokens(a.lengths, at, a.queries), a.scale,
      [&](std::int64_t token, int d) { return to_float(a.keys[offset(token) + d]); },
      [&](std::int64_t token, int d) { return to_float(a.values[offset(token) + d]); },
      [&](int d, float x) { a.out[at.row * a.width + d] = round_bf16(x); });
}

R1_KERNEL void R1_BOUNDS(kAttentionThreads, 1) simple_prefill_kernel(device::Prefill a) {
  const std::int64_t row = block_index();
  const std::int64_t query = row / a.heads;
  const std::int64_t kv_head = row % a.heads / (a.heads / a.kv_heads);
  std::int64_t sequence = 0;
  while (a.q_starts[sequence + 1] <= query) {
    ++sequence;
  }
  const std::int64_t first = a.k_starts[sequence];
  const std::int64_t visible =
      a.k_starts[sequence + 1] - first - (a.q_starts[sequence + 1] - query) + 1;
  const float lse = attend_one(
      a.q + row * a.width, a.width, a.value_width, visible > 0 ? visible : 0, a.scale,
      [&](std::int64_t token, int d) {
        return to_float(a.k[((first + token) * a.kv_heads + kv_head) * a.width + d]);
      },
      [&](std::int64_t token, int d) {
        return to_float(a.v[((first + token) * a.kv_heads + kv_head) * a.value_width + d]);
      },
      [&](int d, float x) { a.out[row * a.value_width + d] = round_bf16(x); });
  if (a.lse != nullptr && thread_index() == 0) {
    a.lse[row] = lse;
  }
}

static Status check_widths(const char* op, int width, int value_width) {
  if (width < 1 || width > kMostWidth) {
    return invalid(op, "width", width, "1 to 1024");
  }
  if (value_width < 1 || value_width > kMostColumns * kAttentionThreads) {
    return invalid(op, "value width", value_width, "1 to 512");
  }
  return ok_status();
}

constexpr LaunchShape attention_shape(std::int64_t blocks) {
  return {.blocks = blocks, .threads = kAttentionThreads, .shared_bytes = sizeof(AttentionShared)};
}

Status simple_mla_decode(const device::MlaDecode& a, void* stream) {
  R1_RETURN_IF_ERROR(check_widths("mla.decode", a.latent + a.rope, a.latent));
  if (a.cache_is_e4m3 && a.latent % 128 != 0) {
    return invalid("mla.decode", "latent", a.latent, "multiples of 128 in 8 bits");
  }
  return launch("mla.decode", attention_shape(a.batch * a.queries * a.heads), stream,
                a.cache_is_e4m3 ? simple_mla_decode_kernel<true> : simple_mla_decode_kernel<false>,
                a);
}

Status simple_prefill(const device::Prefill& a, void* stream) {
  R1_RETURN_IF_ERROR(check_widths("prefill", a.width, a.value_width));
  if (a.kv_heads < 1 || a.heads % a.kv_heads != 0) {
    return invalid("prefill", "kv_heads", a.kv_heads, "divisors of heads");
  }
  return launch("prefill", attention_shape(a.total_queries * a.heads), stream,
                simple_prefill_kernel, a);
}

Status simple_gqa_decode(const device::GqaDecode& a, void* stream) {
  R1_RETURN_IF_ERROR(check_widths("gqa.decode", a.width, a.width));
  if (a.kv_heads < 1 || a.heads % a.kv_heads != 0) {
    return invalid("gqa.decode", "kv_heads", a.kv_heads, "divisors of heads");
  }
  return launch("gqa.decode", attention_shape(a.batch * a.queries * a.heads), stream,
                simple_gqa_decode_kernel, a);
}

}  // namespace r1eval::kernels::R1_DEVICE
