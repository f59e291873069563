// A draw from the k likeliest and the nucleus, without sorting: one block a row.
//
// Idea     The kept set is {logits above a threshold} and the first few that equal it, so all that
// is
//          needed is the threshold. Logits become 32-bit keys of the same order; a radix search
//          over three digits (11, 11, 10 bits) finds it: a pass counts the tokens and adds the
//          probability mass of each digit's value in shared memory, a scan from the top finds the
//          digit at which the wanted count or mass is reached. Masses are whole numbers (2^-40 of
//          the likeliest token's), so that they add up to the same in any order and the draw is
//          reproducible.
// Passes   largest logit; three a criterion; one for the chunk sums, one over the drawn thread's
// chunk. Status   compiled and emulated, not yet run on a device.
#include "kernels/cuda/simple.cuh"

namespace r1eval::kernels::R1_DEVICE {

constexpr int kSampleThreads = 512;
constexpr int kDigits = 2048;
constexpr float kMassOne = 1099511627776.0F;  // 2^40

struct SampleShared {
  std::uint64_t mass[kDigits];
  std::uint32_t count[kDigits];
  std::uint64_t thread_mass[kSampleThreads];
  std::uint32_t thread_count[kSampleThreads];
  float scratch[32];
  // Found by thread 0 of each pass.
  std::uint64_t mass_above;
  std::uint32_t count_above;
  std::uint32_t prefix;
  std::int32_t token;
};

// Greater key, greater logit; NaN sorts below everything.
R1_DEV std::uint32_t order_key(float x) {
  const std::uint32_t bits = float_bits(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) {
    return 0;
  }
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

R1_DEV float key_value(std::uint32_t key) {
  return float_of_bits((key & 0x80000000U) != 0 ? key & 0x7fffffffU : ~key);
}

struct SampleRow {
  const void* logits;
  std::int64_t base;
  std::int64_t n;
  bool is_bf16;
  float most;
  float per_temperature;

  R1_DEV float logit(std::int64_t i) const {
    return is_bf16 ? to_float(static_cast<const Bf16*>(logits)[base + i])
                   : static_cast<const float*>(logits)[base + i];
  }

  R1_DEV std::uint64_t mass_of(float x) const {
    // A NaN compares false and weighs nothing.
    return x <= most ? static_cast<std::uint64_t>(expf((x - most) * per_temperature) * kMassOne)
                     : 0;
  }
};

// The kept set: tokens with keys above `key`, and the first `equals` that have it.
struct Kept {
  std::uint32_t key = 0;
  std::uint32_t equals = 0xffffffffU;
  std::uint64_t mass = 0;
};

// Among the tokens that `within` keeps, descending: the shortest prefix with at least `want_count`
// tokens, or with at least `want_mass`; the other is 0.
R1_DEV Kept narrow(const SampleRow& row, const Kept& within, std::uint32_t want_count,
                   std::uint64_t want_mass) {
  auto* s = shared<SampleShared>();
  const int t = thread_index();
  if (t == 0) {
    s->mass_above = 0;
    s->count_above = 0;
    s->prefix = 0;
  }
  int shift = 32;
  for (int pass = 0; pass < 3; ++pass) {
    const int bits = pass < 2 ? 11 : 10;
    shift -= bits;
    for (int d = t; d < kDigits; d += kSampleThreads) {
      s->mass[d] = 0;
      s->count[d] = 0;
    }
    __syncthreads();
    const std::uint32_t prefix = s->prefix;
    for (std::int64_t i = t; i < row.n; i += kSampleThreads) {
      const float x = row.logit(i);
      const std::uint32_t key = order_key(x);
      if (key >= within.key && (pass == 0 || key >> (shift + bits) == prefix)) {
        const std::uint32_t digit = (key >> shift) & ((1U << bits) - 1U);
        atomicAdd(&s->count[digit], 1U);
        atomicAdd(reinterpret_cast<unsigned long long*>(&s->mass[digit]),
                  static_cast<unsigned long long>(row.mass_of(x)));
      }
    }
    __syncthreads();
    if (t == 0) {
      std::uint64_t mass = s->mass_above;
      std::uint32_t count = s->count_above;
      std::uint32_t digit = (1U << bits) - 1U;
      std::uint32_t last = digit;  // the lowest that has tokens, if the wanted is never reached
      bool is_found = false;
      for (;; --digit) {
        if (s->count[digit] > 0) {
          last = digit;
          if (want_count > 0 ? count + s->count[digit] >= want_count
                             : mass + s->mass[digit] >= want_mass) {
            is_found = true;
            break;
          }
          count += s->count[digit];
          mass += s->mass[digit];
        }
        if (digit == 0) {
          break;
        }
      }
      if (!is_found) {
        count -= s->count[last];
        mass -= s->mass[last];
      }
      s->prefix = prefix << bits | last;
      s->count_above = count;
      s->mass_above = mass;
    }
    __syncthreads();
  }
  Kept kept;
  kept.key = s->prefix;
  // Equals all weigh the same. Those that the wider set left out stay out.
  std::uint32_t there = s->count[kept.key & 1023U];
  if (kept.key == within.key && within.equals < there) {
    there = within.equals;
  }
  const std::uint64_t each = row.mass_of(key_value(kept.key));
  std::uint64_t wanted = there;
  if (want_count > 0) {
    wanted = want_count - s->count_above;
  } else if (each > 0) {
    wanted = want_mass > s->mass_above ? ceil_div(want_mass - s->mass_above, each) : 1;
  }
  kept.equals = wanted < there ? static_cast<std::uint32_t>(wanted) : there;
  kept.mass = s->mass_above + kept.equals * each;
  __syncthreads();
  return kept;
}

R1_KERNEL void R1_BOUNDS(kSampleThreads, 1) sample_kernel(device::Sample a) {
  auto* s = shared<SampleShared>();
  const int t = thread_index();
  const std::int64_t b = block_index();
  SampleRow row{a.logits, b * a.vocabulary, a.vocabulary, a.is_bf16, -kInfinity, 0.0F};
  for (std::int64_t i = t; i < row.n; i += kSampleThreads) {
    const float x = row.logit(i);
    row.most = x > row.most ? x : row.most;
  }
  row.most = block_max(row.most, s->scratch);
  row.per_temperature = a.temperature > 0.0F ? 1.0F / a.temperature : 0.0F;

  // Each thread owns a run of the vocabulary, so that order of threads is order of tokens.
  const std::int64_t per_thread = ceil_div<std::int64_t>(row.n, kSampleThreads);
  const std::int64_t begin = smaller(t * per_thread, row.n);
  const std::int64_t end = smaller(begin + per_thread, row.n);
  if (t == 0) {
    s->token = 0;  // where all logits are NaN or -inf
  }
  if (a.temperature <= 0.0F) {
    std::uint32_t first = 0xffffffffU;
    for (std::int64_t i = begin; i < end && first == 0xffffffffU; ++i) {
      if (row.logit(i) == row.most) {
        first = static_cast<std::uint32_t>(i);
      }
    }
    s->thread_count[t] = first;
    __syncthreads();
    if (t == 0) {
      for (int other = 0; other < kSampleThreads; ++other) {
        if (s->thread_count[other] != 0xffffffffU) {
          s->token = static_cast<std::int32_t>(s->thread_count[other]);
          break;
        }
      }
      a.tokens[b] = s->token;
    }
    return;
  }

  Kept kept;
  std::uint64_t mass = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    mass += row.mass_of(row.logit(i));
  }
  s->thread_mass[t] = mass;
  __syncthreads();
  for (int other = 0; other < kSampleThreads; ++other) {
    kept.mass += s->thread_mass[other];
  }
  __syncthreads();
  if (a.k > 0 && a.k < row.n) {
    kept = narrow(row, kept, static_cast<std::uint32_t>(a.k), 0);
  }
  if (a.p < 1.0F) {
    const auto want =
        static_cast<std::uint64_t>(ceil(static_cast<double>(a.p) * static_cast<double>(kept.mass)));
    kept = narrow(row, kept, 0, want > 0 ? want : 1);
  }

  // Of the tokens with the threshold's key only the first in order of index are kept.
  std::uint32_t equals = 0;
  for (std::int64_t i = begin; i < end; ++i) {
    equals += order_key(row.logit(i)) == kept.key ? 1U : 0U;
  }
  s->thread_count[t] = equals;
  __syncthreads();
  std::uint32_t equals_before = 0;
  for (int other = 0; other < t; ++other) {
    equals_before += s->thread_count[other];
  }
  mass = 0;
  std::uint32_t rank = equals_before;
  for (std::int64_t i = begin; i < end; ++i) {
    const float x = row.logit(i);
    const std::uint32_t key = order_key(x);
    if (key > kept.key || (key == kept.key && rank++ < kept.equals)) {
      mass += row.mass_of(x);
    }
  }
  s->thread_mass[t] = mass;
  __syncthreads();
  std::uint64_t before = 0;
  for (int other = 0; other < t; ++other) {
    before += s->thread_mass[other];
  }
  const auto target = static_cast<std::uint64_t>(static_cast<double>(a.uniforms[b]) *
                                                 static_cast<double>(kept.mass));
  if (target >= before && target < before + mass) {  // one thread only
    rank = equals_before;
    for (std::int64_t i = begin; i < end; ++i) {
      const float x = row.logit(i);
      const std::uint32_t key = order_key(x);
      if (key > kept.key || (key == kept.key && rank++ < kept.equals)) {
        before += row.mass_of(x);
        if (target < before) {
          s->token = static_cast<std::int32_t>(i);
          break;
        }
      }
    }
  }
  __syncthreads();
  if (t == 0) {
    a.tokens[b] = s->token;
  }
}

Status sample(const device::Sample& a, void* stream) {
  if (a.vocabulary < 1 || a.vocabulary > (std::int64_t{1} << 22)) {
    return invalid("sample", "vocabulary", a.vocabulary, "1 to 2^22");
  }
  if (a.temperature > 0.0F && a.uniforms == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "sample: a draw at a temperature needs uniforms");
  }
  return launch(
      "sample",
      {.blocks = a.batch, .threads = kSampleThreads, .shared_bytes = sizeof(SampleShared)}, stream,
      sample_kernel, a);
}

}  // namespace r1eval::kernels::R1_DEVICE
