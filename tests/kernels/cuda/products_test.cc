// Products and the layer made of them: device sources over the emulator, against double precision.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "kernels/cuda/emulator/emulator.h"
#include "kernels/cuda/fast.cuh"
#include "kernels/cuda/operators.h"
#include "tests/kernels/cuda/data.h"

namespace r1eval::kernels {
namespace {

class ProductsTest : public testing::TestWithParam<const device::Table*> {
 protected:
  const device::Table& op_ = *GetParam();
};

INSTANTIATE_TEST_SUITE_P(Tables, ProductsTest,
                         testing::Values(&emulated::simple_operators(),
                                         &emulated::fast_operators()),
                         [](const auto& instance) { return std::string(instance.param->name); });

TEST_P(ProductsTest, RouterScoresOfOddShapes) {
  for (const std::int64_t tokens : {0, 1, 3, 70}) {
    for (const std::int64_t experts : {64, 33}) {
      const std::int64_t hidden = tokens == 3 ? 136 : 256;
      const auto x = draw_bf16(1, tokens * hidden);
      const auto w = draw_bf16(2, experts * hidden);
      std::vector<float> logits(static_cast<std::size_t>(tokens * experts), NAN);
      ASSERT_TRUE(
          op_.router_gemm({x.data(), w.data(), logits.data(), tokens, hidden, experts}, nullptr));
      EXPECT_EQ(difference(widen(logits),
                           product(widen(x).data(), widen(w).data(), tokens, experts, hidden),
                           experts, {1e-5, 1e-9, 1e-5, 1e-4, 0.0}),
                "");
    }
  }
}

struct GroupCase {
  std::string name;
  std::vector<int> rows;  // of each group
  std::int64_t n;
  std::int64_t k;
};

// Groups with many rows, one, none; first, last and in a row; tiles that are partial.
const std::vector<GroupCase> kGroupCases = {
    {"ragged", {5, 0, 70, 1, 0, 0, 33}, 192, 256},
    {"empty", {0, 0, 0}, 64, 128},
    {"one", {1}, 64, 128},
    {"all_on_one", {0, 130, 0}, 128, 384},
    {"odd", {3, 9, 8, 7}, 72, 200},
    {"wide", {17, 2}, 320, 128},
};

enum class Layout { kContiguous, kMasked, kDense };

using Grouped = Status (*)(const device::GroupedGemm&, void*);

// Runs a grouped product and says what is wrong with it; `is_positive`: all values above zero.
std::string check_grouped(Grouped grouped_gemm, const GroupCase& c, bool is_e4m3, Layout layout,
                          bool is_positive = false) {
  const std::int64_t groups = static_cast<std::int64_t>(c.rows.size());
  std::int64_t per_group = 0;
  std::vector<std::int32_t> offsets{0};
  for (const int rows : c.rows) {
    per_group = std::max<std::int64_t>(per_group, rows + 2);
    offsets.push_back(offsets.back() + rows);
  }
  const std::int64_t total = layout == Layout::kMasked ? groups * per_group : offsets.back();
  auto x = draw_bf16(1, total * c.k);
  if (is_positive) {
    for (Bf16& value : x) {
      value = to_bf16(std::fabs(to_float(value)));
    }
  }
  const auto first_row = [&](std::size_t g) {
    return layout == Layout::kMasked ? static_cast<std::int64_t>(g) * per_group
                                     : std::int64_t{offsets[g]};
  };
  if (layout == Layout::kMasked) {  // what is not to be read is NaN
    for (std::size_t g = 0; g < c.rows.size(); ++g) {
      for (std::int64_t r = c.rows[g]; r < per_group; ++r) {
        std::fill_n(x.begin() + (first_row(g) + r) * c.k, c.k, Bf16{0x7fc0});
      }
    }
  }
  std::vector<double> a = widen(x);
  const auto w16 = draw_bf16(2, groups * c.n * c.k);
  std::vector<double> w = widen(w16);
  Rows8 x8;
  Weights8 w8;
  if (is_e4m3) {
    x8 = quantize_rows_of(a, c.k);
    w8 = quantize_weights(3, groups, c.n, c.k, is_positive);
    a = x8.meant;
    w = w8.meant;
  }
  auto out = poisoned(total * c.n);
  const auto before = out;
  device::GroupedGemm g;
  g.is_e4m3 = is_e4m3;
  g.a = is_e4m3 ? static_cast<const void*>(x8.values.data()) : x.data();
  g.a_scales = x8.scales.data();
  g.weights = is_e4m3 ? static_cast<const void*>(w8.values.data()) : w16.data();
  g.weight_scales = w8.scales.data();
  g.out = out.data();
  g.groups = static_cast<int>(groups);
  g.total_rows = total;
  g.rows_per_group = per_group;
  g.n = c.n;
  g.k = c.k;
  if (layout == Layout::kContiguous) {
    g.offsets = offsets.data();
  } else if (layout == Layout::kMasked) {
    g.counts = c.rows.data();
  }
  const Status status = grouped_gemm(g, nullptr);
  if (!status.has_value()) {
    return status.error().message;
  }
  const auto wide = widen(out);
  for (std::size_t group = 0; group < c.rows.size(); ++group) {
    const std::int64_t row = first_row(group);
    const auto expected =
        product(a.data() + row * c.k, w.data() + static_cast<std::int64_t>(group) * c.n * c.k,
                c.rows[group], c.n, c.k);
    const std::vector<double> mine(wide.begin() + row * c.n,
                                   wide.begin() + (row + c.rows[group]) * c.n);
    const std::string problem = difference(mine, expected, c.n, kProductBounds);
    if (!problem.empty()) {
      return "group " + std::to_string(group) + ": " + problem;
    }
    if (layout == Layout::kMasked) {
      for (std::int64_t i = (row + c.rows[group]) * c.n; i < (row + per_group) * c.n; ++i) {
        if (out[static_cast<std::size_t>(i)].bits != before[static_cast<std::size_t>(i)].bits) {
          return "a row outside the mask was written";
        }
      }
    }
  }
  return "";
}

TEST_P(ProductsTest, GroupedContiguous) {
  for (const GroupCase& c : kGroupCases) {
    EXPECT_EQ(check_grouped(op_.grouped_gemm, c, false, Layout::kContiguous), "") << c.name;
    EXPECT_EQ(check_grouped(op_.grouped_gemm, c, true, Layout::kContiguous), "")
        << c.name << " e4m3";
  }
}

TEST_P(ProductsTest, GroupedMasked) {
  for (const GroupCase& c : kGroupCases) {
    EXPECT_EQ(check_grouped(op_.grouped_gemm, c, false, Layout::kMasked), "") << c.name;
    EXPECT_EQ(check_grouped(op_.grouped_gemm, c, true, Layout::kMasked), "") << c.name << " e4m3";
  }
}

TEST_P(ProductsTest, DenseProjections) {
  for (const int rows : {0, 1, 65}) {
    const GroupCase c{"dense", {rows}, 136, 256};
    EXPECT_EQ(check_grouped(op_.grouped_gemm, c, false, Layout::kDense), "") << rows;
    EXPECT_EQ(check_grouped(op_.grouped_gemm, c, true, Layout::kDense), "") << rows << " e4m3";
  }
}

// The kernel for many rows, on the same cases (the table would choose the other for so few) and on
// groups of more than a tile.
TEST(LargeProductsTest, TakesEveryShapeThatItSaysItTakes) {
  std::vector<GroupCase> cases = kGroupCases;
  cases.push_back({"tiles", {0, 129, 260, 0, 128}, 320, 192});
  for (const GroupCase& c : cases) {
    for (const bool is_e4m3 : {false, true}) {
      if (is_e4m3 && c.k % 16 != 0) {
        continue;
      }
      for (const Layout layout : {Layout::kContiguous, Layout::kMasked}) {
        EXPECT_EQ(check_grouped(emulated::large_gemm, c, is_e4m3, layout), "")
            << c.name << (is_e4m3 ? " e4m3" : "");
      }
    }
  }
  const GroupCase sums{"long", {4}, 64, 4096};
  EXPECT_EQ(check_grouped(emulated::large_gemm, sums, true, Layout::kContiguous, true), "");
}

// Sums of 4096 positive products: what a sum kept in 14 bits would lose is far above the bounds.
TEST_P(ProductsTest, LongPositiveSumsKeepTheirBits) {
  const GroupCase c{"long", {4}, 64, 4096};
  EXPECT_EQ(check_grouped(op_.grouped_gemm, c, true, Layout::kContiguous, true), "");
  EXPECT_EQ(check_grouped(op_.grouped_gemm, c, true, Layout::kMasked, true), "");
}

TEST_P(ProductsTest, EveryHeadHasItsOwnWeights) {
  for (const std::int64_t tokens : {0, 1, 5, 67}) {
    const int heads = 3;
    const std::int64_t in = 128;
    const std::int64_t out_width = tokens == 5 ? 72 : 512;
    const auto a = draw_bf16(4, tokens * heads * in);
    const auto w = draw_bf16(5, heads * out_width * in);
    auto out = poisoned(tokens * heads * out_width);
    ASSERT_TRUE(
        op_.per_head({a.data(), w.data(), out.data(), tokens, heads, in, out_width}, nullptr));
    const auto wide_a = widen(a);
    const auto wide_w = widen(w);
    std::vector<double> expected;
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const auto row = product(wide_a.data() + (t * heads + h) * in,
                                 wide_w.data() + h * out_width * in, 1, out_width, in);
        expected.insert(expected.end(), row.begin(), row.end());
      }
    }
    EXPECT_EQ(difference(widen(out), expected, out_width, kProductBounds), "");
  }
}

struct LayerCase {
  std::int64_t tokens;
  std::int64_t hidden;
  std::int64_t inter;
  std::int64_t shared_inter;
  int experts;
  int k;
  int groups;
  int groups_kept;
};

double silu(double x) {
  return x / (1.0 + std::exp(-x));
}

// The whole layer in double precision on the same weights, with the roundings that the layer's
// contract names (a step of e4m3 is 2^-4: a rounding left out moves the output by percents). `ids`
// are the experts that the kernel chose (the router has its own test), so that near ties do not
// matter.
std::vector<double> layer(const LayerCase& c, bool is_e4m3, const std::vector<double>& x,
                          const std::vector<double>& router, const std::vector<std::int32_t>& ids,
                          const std::vector<double>& up, const std::vector<double>& down,
                          const std::vector<double>& shared_up,
                          const std::vector<double>& shared_down) {
  const std::vector<double> in = is_e4m3 ? quantize_rows_of(x, c.hidden).meant : x;
  const auto expert = [&](const double* row, const double* gate_up, const double* back,
                          std::int64_t inter) {
    const auto both = product(row, gate_up, 1, 2 * inter, c.hidden);
    std::vector<double> middle;
    for (std::int64_t i = 0; i < inter; ++i) {
      const auto rounded = [&](std::int64_t at) {
        return static_cast<double>(
            to_float(to_bf16(static_cast<float>(both[static_cast<std::size_t>(at)]))));
      };
      const double value = silu(rounded(i)) * rounded(inter + i);
      middle.push_back(to_float(to_bf16(static_cast<float>(value))));
    }
    if (is_e4m3) {
      middle = quantize_rows_of(middle, inter).meant;
    }
    return product(middle.data(), back, 1, c.hidden, inter);
  };
  std::vector<double> out;
  for (std::int64_t t = 0; t < c.tokens; ++t) {
    const auto scores = product(x.data() + t * c.hidden, router.data(), 1, c.experts, c.hidden);
    std::vector<double> sum(static_cast<std::size_t>(c.hidden), 0.0);
    double total = 0.0;
    const auto weight = [&](int j) {
      return 1.0 /
             (1.0 +
              std::exp(
                  -scores[static_cast<std::size_t>(ids[static_cast<std::size_t>(t * c.k + j)])]));
    };
    for (int j = 0; j < c.k; ++j) {
      total += weight(j);
    }
    for (int j = 0; j < c.k; ++j) {
      const std::int64_t e = ids[static_cast<std::size_t>(t * c.k + j)];
      const auto y = expert(in.data() + t * c.hidden, up.data() + e * 2 * c.inter * c.hidden,
                            down.data() + e * c.hidden * c.inter, c.inter);
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += 2.5 * weight(j) / total * y[i];
      }
    }
    if (c.shared_inter > 0) {
      const auto y =
          expert(in.data() + t * c.hidden, shared_up.data(), shared_down.data(), c.shared_inter);
      for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += y[i];
      }
    }
    out.insert(out.end(), sum.begin(), sum.end());
  }
  return out;
}

// With exact sums: what the tensor cores' 14 bits change flips roundings to e4m3 on the way, which
// is noise of a percent that would hide a wrong scale or row.
TEST_P(ProductsTest, WholeLayerInBothTypes) {
  emulator::options().short_sums = false;
  for (const LayerCase& c : std::vector<LayerCase>{{5, 256, 128, 128, 16, 4, 4, 2},
                                                   {1, 128, 256, 384, 8, 3, 1, 1},
                                                   {19, 128, 128, 0, 4, 2, 1, 1},
                                                   {70, 128, 128, 128, 2, 1, 1, 1},
                                                   {0, 128, 128, 128, 8, 2, 1, 1}}) {
    for (const bool is_e4m3 : {false, true}) {
      const auto x = draw_bf16(60, c.tokens * c.hidden, 4.0F);
      const auto router = draw_bf16(61, c.experts * c.hidden);
      const auto bias = draw_float(62, c.experts, 0.1F);
      const auto make = [&](std::uint64_t key, std::int64_t experts, std::int64_t rows,
                            std::int64_t columns, std::vector<Bf16>& w16) {
        if (!is_e4m3) {
          w16 = draw_bf16(key, experts * rows * columns);
          Weights8 w;
          w.meant = widen(w16);
          return w;
        }
        return quantize_weights(key, experts, rows, columns);
      };
      std::vector<Bf16> b[4];
      const Weights8 up = make(63, c.experts, 2 * c.inter, c.hidden, b[0]);
      const Weights8 down = make(64, c.experts, c.hidden, c.inter, b[1]);
      const Weights8 shared_up = make(65, 1, 2 * c.shared_inter, c.hidden, b[2]);
      const Weights8 shared_down = make(66, 1, c.hidden, c.shared_inter, b[3]);
      const auto data = [&](const Weights8& w, const std::vector<Bf16>& w16) {
        return is_e4m3 ? static_cast<const void*>(w.values.data())
                       : static_cast<const void*>(w16.data());
      };
      std::vector<std::int32_t> ids(static_cast<std::size_t>(c.tokens * c.k), -1);
      auto out = poisoned(c.tokens * c.hidden);
      device::MoeLayer a;
      a.is_e4m3 = is_e4m3;
      a.x = x.data();
      a.router = router.data();
      a.bias = bias.data();
      a.gate_up = data(up, b[0]);
      a.down = data(down, b[1]);
      a.shared_gate_up = data(shared_up, b[2]);
      a.shared_down = data(shared_down, b[3]);
      a.gate_up_scales = up.scales.data();
      a.down_scales = down.scales.data();
      a.shared_gate_up_scales = shared_up.scales.data();
      a.shared_down_scales = shared_down.scales.data();
      a.out = out.data();
      a.tokens = c.tokens;
      a.hidden = c.hidden;
      a.inter = c.inter;
      a.shared_inter = c.shared_inter;
      a.routing.experts = c.experts;
      a.routing.k = c.k;
      a.routing.groups = c.groups;
      a.routing.groups_kept = c.groups_kept;
      a.routing.scale = 2.5F;
      a.ids_out = ids.data();
      // Workspaces arrive with anything in them.
      std::vector<std::uint64_t> workspace(op_.moe_workspace_bytes(a) / 8 + 1,
                                           0x7ff8dead7ff8deadULL);
      a.workspace = workspace.data();
      for (int repeat = 0; repeat < 2; ++repeat) {
        const auto first = out;
        const Status status = op_.moe_layer(a, nullptr);
        ASSERT_TRUE(status.has_value()) << status.error().message;
        if (repeat == 1) {  // again, with what the first left in the workspace: the same bits
          EXPECT_TRUE(first.empty() ||
                      std::memcmp(first.data(), out.data(), first.size() * 2) == 0);
        }
      }
      EXPECT_EQ(difference(widen(out),
                           layer(c, is_e4m3, widen(x), widen(router), ids, up.meant, down.meant,
                                 shared_up.meant, shared_down.meant),
                           c.hidden, kLayerBounds),
                "")
          << c.tokens << (is_e4m3 ? " e4m3" : " bf16");
    }
  }
  emulator::options().short_sums = true;
}

}  // namespace
}  // namespace r1eval::kernels
