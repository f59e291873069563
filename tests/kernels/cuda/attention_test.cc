// Attention over paged and ragged keys: device sources over the emulator, against double precision.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "kernels/cuda/emulator/emulator.h"
#include "kernels/cuda/operators.h"
#include "tests/kernels/cuda/data.h"

namespace r1eval::kernels {
namespace {

class AttentionTest : public testing::TestWithParam<const device::Table*> {
 protected:
  const device::Table& op_ = *GetParam();
};

INSTANTIATE_TEST_SUITE_P(Tables, AttentionTest,
                         testing::Values(&emulated::simple_operators(),
                                         &emulated::fast_operators()),
                         [](const auto& instance) { return std::string(instance.param->name); });

// Blocks of some sequences, dealt out at random from a pool that has more; unused entries of the
// table name no block at all.
struct Pages {
  std::vector<std::int32_t> table;
  std::int64_t width = 0;
  std::int64_t n_blocks = 0;
};

Pages deal_pages(const std::vector<std::int32_t>& lengths, std::uint64_t key) {
  Pages p;
  std::int64_t used = 0;
  for (const int length : lengths) {
    p.width = std::max<std::int64_t>(p.width, (length + 63) / 64 + 1);
    used += (length + 63) / 64;
  }
  p.n_blocks = used + 3;
  const auto order = permutation(p.n_blocks, key);
  p.table.assign(lengths.size() * static_cast<std::size_t>(p.width), 1 << 30);
  std::size_t next = 0;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    for (std::size_t b = 0; b < static_cast<std::size_t>((lengths[s] + 63) / 64); ++b) {
      p.table[s * static_cast<std::size_t>(p.width) + b] = static_cast<std::int32_t>(order[next++]);
    }
  }
  return p;
}

struct DecodeCase {
  std::vector<std::int32_t> lengths;
  int heads;
  int queries;
};

std::string check_mla(const device::Table& op, const DecodeCase& c, bool is_e4m3, int latent = 512,
                      int rope = 64) {
  const Pages pages = deal_pages(c.lengths, 7);
  const std::int64_t width = latent + rope;
  const std::int64_t row_bytes = device::cache_row_bytes(latent, rope, is_e4m3);
  const auto batch = static_cast<std::int64_t>(c.lengths.size());
  // Everything that no sequence owns is NaN in every format.
  std::vector<unsigned char> cache(static_cast<std::size_t>(pages.n_blocks * 64 * row_bytes), 0xff);
  std::vector<double> rows(static_cast<std::size_t>(pages.n_blocks * 64 * width), NAN);
  for (std::size_t s = 0; s < c.lengths.size(); ++s) {
    for (std::int32_t t = 0; t < c.lengths[s]; ++t) {
      const std::int64_t block =
          pages.table[s * static_cast<std::size_t>(pages.width) + static_cast<std::size_t>(t / 64)];
      const std::int64_t slot = block * 64 + t % 64;
      const auto row = draw_bf16(1000 + s * 100000 + static_cast<std::uint64_t>(t), width);
      std::vector<double> meant = widen(row);
      unsigned char* at = cache.data() + slot * row_bytes;
      if (is_e4m3) {
        const std::vector<double> first(meant.begin(), meant.begin() + latent);
        const Rows8 eight = quantize_rows_of(first, latent);
        std::memcpy(at, eight.values.data(), static_cast<std::size_t>(latent));
        std::memcpy(at + latent, eight.scales.data(), eight.scales.size() * 4);
        std::memcpy(at + latent + eight.scales.size() * 4, row.data() + latent,
                    static_cast<std::size_t>(rope) * 2);
        std::copy(eight.meant.begin(), eight.meant.end(), meant.begin());
      } else {
        std::memcpy(at, row.data(), static_cast<std::size_t>(row_bytes));
      }
      std::copy(meant.begin(), meant.end(), rows.begin() + slot * width);
    }
  }
  const auto q = draw_bf16(2, batch * c.queries * c.heads * width, 40.0F);
  auto out = poisoned(batch * c.queries * c.heads * latent);
  std::vector<float> lse(static_cast<std::size_t>(batch * c.queries * c.heads), NAN);
  device::MlaDecode a;
  a.q = q.data();
  a.cache = cache.data();
  a.table = pages.table.data();
  a.lengths = c.lengths.data();
  a.out = out.data();
  a.lse = lse.data();
  a.cache_is_e4m3 = is_e4m3;
  a.batch = batch;
  a.queries = c.queries;
  a.heads = c.heads;
  a.latent = latent;
  a.rope = rope;
  a.table_width = pages.width;
  a.cache_rows = pages.n_blocks * 64;
  a.scale = 0.1352F;
  std::vector<std::uint64_t> workspace(op.decode_workspace_bytes(a) / 8 + 1, 0x7ff8dead7ff8deadULL);
  a.workspace = workspace.data();
  std::vector<Bf16> first;
  for (int repeat = 0; repeat < 2; ++repeat) {
    first = out;
    const Status status = op.mla_decode(a, nullptr);
    if (!status.has_value()) {
      return status.error().message;
    }
  }
  if (!out.empty() && std::memcmp(first.data(), out.data(), out.size() * 2) != 0) {
    return "a second run gave other bits";
  }
  const auto wide_q = widen(q);
  std::vector<double> expected;
  for (std::int64_t s = 0; s < batch; ++s) {
    for (int query = 0; query < c.queries; ++query) {
      for (int h = 0; h < c.heads; ++h) {
        const std::int64_t row = (s * c.queries + query) * c.heads + h;
        const auto key = [&](std::int64_t t) {
          const std::int64_t block =
              pages.table[static_cast<std::size_t>(s * pages.width + t / 64)];
          return rows.data() + (block * 64 + t % 64) * width;
        };
        const std::int64_t visible =
            std::max(0, c.lengths[static_cast<std::size_t>(s)] - c.queries + query + 1);
        const Attended want =
            attend(wide_q.data() + row * width, width, latent, visible, 0.1352F, key, key);
        expected.insert(expected.end(), want.out.begin(), want.out.end());
        const double got = lse[static_cast<std::size_t>(row)];
        if (std::isinf(want.lse) ? got != want.lse
                                 : !(std::fabs(got - want.lse) <=
                                     std::max(1e-6, 8.01 / 65536 * std::fabs(want.lse)))) {
          return "log sum of row " + std::to_string(row) + " is " + std::to_string(got) +
                 ", expected " + std::to_string(want.lse);
        }
      }
    }
  }
  return difference(widen(out), expected, latent, kAttentionBounds);
}

// Zero lengths first, last and alone; one token; whole blocks; one token more; a partial last
// block.
const std::vector<DecodeCase> kDecodeCases = {
    {{0, 64, 0, 65, 130, 0}, 16, 1}, {{1}, 5, 1},          {{0}, 16, 1},          {{400}, 16, 1},
    {{64, 128, 129}, 128, 1},        {{100, 3, 1}, 16, 2}, {{200, 0, 63}, 70, 1},
};

TEST_P(AttentionTest, LatentDecodeOverPagesOfAnyLength) {
  // So many multiprocessors, so many parts: from none split to one block a part.
  for (const int n : {3, 1, 9}) {
    emulator::options().n_multiprocessors = n;
    for (std::size_t i = 0; i < kDecodeCases.size(); ++i) {
      EXPECT_EQ(check_mla(op_, kDecodeCases[i], false), "") << i << " on " << n;
    }
    if (op_.mla_decode == emulated::simple_operators().mla_decode) {
      break;
    }
  }
  emulator::options().n_multiprocessors = 3;
}

TEST_P(AttentionTest, LatentDecodeFromAnEightBitCache) {
  EXPECT_EQ(check_mla(op_, {{0, 130, 64}, 16, 1}, true), "");
  EXPECT_EQ(check_mla(op_, {{70}, 20, 2}, true), "");
}

TEST_P(AttentionTest, LatentDecodeOfOtherWidths) {
  EXPECT_EQ(check_mla(op_, {{100, 0}, 8, 1}, false, 128, 32), "");
}

TEST_P(AttentionTest, GroupedQueryDecode) {
  for (const int kv_heads : {1, 2, 6}) {
    const std::vector<std::int32_t> lengths = {130, 0, 64, 1};
    const int heads = 6;
    const int width = 128;
    const int queries = 1;
    const Pages pages = deal_pages(lengths, 9);
    const std::int64_t values = pages.n_blocks * 64 * kv_heads * width;
    auto keys = poisoned(values);
    auto vals = poisoned(values);
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      for (std::int32_t t = 0; t < lengths[s]; ++t) {
        const std::int64_t block = pages.table[s * static_cast<std::size_t>(pages.width) +
                                               static_cast<std::size_t>(t / 64)];
        const std::int64_t at = (block * 64 + t % 64) * kv_heads * width;
        const auto key =
            draw_bf16(500 + s * 1000 + static_cast<std::uint64_t>(t), 2 * kv_heads * width, 10.0F);
        std::copy_n(key.begin(), kv_heads * width, keys.begin() + at);
        std::copy_n(key.begin() + kv_heads * width, kv_heads * width, vals.begin() + at);
      }
    }
    const auto q = draw_bf16(3, 4 * heads * width, 10.0F);
    auto out = poisoned(4 * heads * width);
    ASSERT_TRUE(
        op_.gqa_decode({q.data(), keys.data(), vals.data(), pages.table.data(), lengths.data(),
                        out.data(), 4, queries, heads, kv_heads, width, pages.width, 0.0883F},
                       nullptr));
    const auto wide_k = widen(keys);
    const auto wide_v = widen(vals);
    const auto wide_q = widen(q);
    std::vector<double> expected;
    for (std::int64_t s = 0; s < 4; ++s) {
      for (int h = 0; h < heads; ++h) {
        const auto row = [&](std::int64_t t) {
          const std::int64_t block =
              pages.table[static_cast<std::size_t>(s * pages.width + t / 64)];
          return ((block * 64 + t % 64) * kv_heads + h / (heads / kv_heads)) * width;
        };
        const Attended want = attend(
            wide_q.data() + (s * heads + h) * width, width, width,
            lengths[static_cast<std::size_t>(s)], 0.0883F,
            [&](std::int64_t t) { return wide_k.data() + row(t); },
            [&](std::int64_t t) { return wide_v.data() + row(t); });
        expected.insert(expected.end(), want.out.begin(), want.out.end());
      }
    }
    EXPECT_EQ(difference(widen(out), expected, width, kAttentionBounds), "") << kv_heads;
  }
}

std::string check_prefill(const device::Table& op, const std::vector<int>& queries,
                          const std::vector<int>& keys, int heads, int kv_heads, int width,
                          int value_width) {
  std::vector<std::int32_t> q_starts{0};
  std::vector<std::int32_t> k_starts{0};
  for (std::size_t s = 0; s < queries.size(); ++s) {
    q_starts.push_back(q_starts.back() + queries[s]);
    k_starts.push_back(k_starts.back() + keys[s]);
  }
  const auto q = draw_bf16(4, std::int64_t{q_starts.back()} * heads * width, 10.0F);
  const auto k = draw_bf16(5, std::int64_t{k_starts.back()} * kv_heads * width, 10.0F);
  const auto v = draw_bf16(6, std::int64_t{k_starts.back()} * kv_heads * value_width, 10.0F);
  auto out = poisoned(std::int64_t{q_starts.back()} * heads * value_width);
  std::vector<float> lse(static_cast<std::size_t>(q_starts.back() * heads), NAN);
  device::Prefill a;
  a.q = q.data();
  a.k = k.data();
  a.v = v.data();
  a.q_starts = q_starts.data();
  a.k_starts = k_starts.data();
  a.out = out.data();
  a.lse = lse.data();
  a.batch = static_cast<std::int64_t>(queries.size());
  a.total_queries = q_starts.back();
  a.heads = heads;
  a.kv_heads = kv_heads;
  a.width = width;
  a.value_width = value_width;
  a.scale = 0.1352F;
  const Status status = op.prefill(a, nullptr);
  if (!status.has_value()) {
    return status.error().message;
  }
  const auto wide_q = widen(q);
  const auto wide_k = widen(k);
  const auto wide_v = widen(v);
  std::vector<double> expected;
  for (std::size_t s = 0; s < queries.size(); ++s) {
    for (std::int64_t i = 0; i < queries[s]; ++i) {
      for (int h = 0; h < heads; ++h) {
        const std::int64_t row = (q_starts[s] + i) * heads + h;
        const auto at = [&](std::int64_t t) {
          return (k_starts[s] + t) * kv_heads + h / (heads / kv_heads);
        };
        const Attended want = attend(
            wide_q.data() + row * width, width, value_width, keys[s] - queries[s] + i + 1, 0.1352F,
            [&](std::int64_t t) { return wide_k.data() + at(t) * width; },
            [&](std::int64_t t) { return wide_v.data() + at(t) * value_width; });
        expected.insert(expected.end(), want.out.begin(), want.out.end());
        if (!(std::fabs(lse[static_cast<std::size_t>(row)] - want.lse) <=
              std::max(1e-6, 8.01 / 65536 * std::fabs(want.lse)))) {
          return "log sum of row " + std::to_string(row);
        }
      }
    }
  }
  return difference(widen(out), expected, value_width, kAttentionBounds);
}

TEST_P(AttentionTest, CausalPrefillOfRaggedBatches) {
  EXPECT_EQ(check_prefill(op_, {5, 0, 70, 1}, {5, 0, 70, 1}, 2, 2, 192, 128), "");
  EXPECT_EQ(check_prefill(op_, {3, 20}, {200, 150}, 2, 1, 192, 128), "");  // chunked
  EXPECT_EQ(check_prefill(op_, {66}, {130}, 4, 2, 128, 128), "");
  EXPECT_EQ(check_prefill(op_, {9}, {9}, 1, 1, 48, 16), "");
}

}  // namespace
}  // namespace r1eval::kernels
