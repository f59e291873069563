// Which points are measured and checked. See operators.h.
#include <array>
#include <string>

#include "kernels/operators/model_dims.h"
#include "kernels/operators/operators.h"

namespace r1eval::kernels {

namespace {

class Points {
 public:
  void add(std::string_view op, Dtype dtype, Shape shape, std::string load = "-",
           bool is_hot = false) {
    points_.push_back({op, dtype, std::move(shape), std::move(load), is_hot});
  }

  std::vector<GridPoint> take() { return std::move(points_); }

 private:
  std::vector<GridPoint> points_;
};

using Numbers = std::vector<std::int64_t>;

constexpr std::string_view kRouterGemm = "moe.router_gemm";
constexpr std::string_view kTopk = "moe.topk";
constexpr std::string_view kPermute = "moe.permute";
constexpr std::string_view kGemm1 = "moe.grouped_gemm1";
constexpr std::string_view kSwiglu = "moe.swiglu";
constexpr std::string_view kGemm2 = "moe.grouped_gemm2";
constexpr std::string_view kCombine = "moe.combine";
constexpr std::string_view kLayer = "moe.layer";
constexpr std::string_view kQuantAct = "quant.act";
constexpr std::string_view kProj = "mla.proj";
constexpr std::string_view kAbsorb = "mla.absorb";
constexpr std::string_view kRope = "mla.rope";
constexpr std::string_view kAppend = "mla.append";
constexpr std::string_view kMlaDecode = "mla.decode";
constexpr std::string_view kMlaPrefill = "mla.prefill";
constexpr std::string_view kGqaDecode = "gqa.decode";
constexpr std::string_view kGqaPrefill = "gqa.prefill";
constexpr std::string_view kRms = "norm.rms";
constexpr std::string_view kAddRms = "norm.add_rms";
constexpr std::string_view kArgmax = "sample.argmax";
constexpr std::string_view kSampleTopk = "sample.topk";
constexpr std::string_view kTopp = "sample.topp";

Shape layer_shape(const MoeDims& m, std::int64_t t) {
  return {{"T", t},       {"H", m.hidden},           {"E", m.experts}, {"k", m.top_k},
          {"I", m.inter}, {"S", m.shared * m.inter}, {"g", m.groups},  {"n", m.groups_kept}};
}

Shape grouped_shape(const MoeDims& m, std::int64_t t) {
  return {{"T", t}, {"H", m.hidden}, {"E", m.experts}, {"k", m.top_k}, {"I", m.inter}};
}

void add_moe(Points& p, const MoeDims& m, const Numbers& tokens,
             const std::vector<std::string>& loads, const std::vector<Dtype>& weight_types) {
  for (const std::int64_t t : tokens) {
    p.add(kRouterGemm, Dtype::kBF16, {{"T", t}, {"H", m.hidden}, {"E", m.experts}});
    p.add(kTopk, Dtype::kF32,
          {{"T", t}, {"E", m.experts}, {"k", m.top_k}, {"g", m.groups}, {"n", m.groups_kept}});
    p.add(kSwiglu, Dtype::kBF16, {{"R", t * m.top_k}, {"I", m.inter}});
    const Shape rows = {{"T", t}, {"H", m.hidden}, {"E", m.experts}, {"k", m.top_k}};
    for (const std::string& load : loads) {
      p.add(kPermute, Dtype::kBF16, rows, load);
      p.add(kCombine, Dtype::kBF16, rows, load);
      for (const Dtype type : weight_types) {
        p.add(kGemm1, type, grouped_shape(m, t), load);
        p.add(kGemm2, type, grouped_shape(m, t), load);
        p.add(kLayer, type, layer_shape(m, t), load);
      }
    }
  }
}

void add_rows(Points& p, const Numbers& tokens, std::int64_t hidden) {
  for (const std::int64_t t : tokens) {
    p.add(kRms, Dtype::kBF16, {{"T", t}, {"H", hidden}});
    p.add(kAddRms, Dtype::kBF16, {{"T", t}, {"H", hidden}});
    p.add(kQuantAct, Dtype::kBF16, {{"T", t}, {"H", hidden}});
  }
}

void add_mla_rows(Points& p, const MlaDims& m, const Numbers& tokens) {
  for (const std::int64_t t : tokens) {
    p.add(kRope, Dtype::kBF16, {{"T", t}, {"h", m.heads}, {"r", m.rope}});
    p.add(kAppend, Dtype::kBF16, {{"T", t}, {"c", m.kv_lora}, {"r", m.rope}});
    p.add(kAppend, Dtype::kF8, {{"T", t}, {"c", m.kv_lora}, {"r", m.rope}});
    p.add(kAbsorb, Dtype::kBF16, {{"T", t}, {"h", m.heads}, {"i", m.nope}, {"o", m.kv_lora}});
    p.add(kAbsorb, Dtype::kBF16, {{"T", t}, {"h", m.heads}, {"i", m.kv_lora}, {"o", m.v}});
  }
}

void add_decode(Points& p, std::int64_t heads, const Numbers& batches, const Numbers& cached,
                std::int64_t queries = 1, const std::string& load = "fixed") {
  for (const std::int64_t b : batches) {
    for (const std::int64_t s : cached) {
      p.add(kMlaDecode, Dtype::kBF16,
            {{"b", b}, {"q", queries}, {"h", heads}, {"s", s}, {"c", 512}, {"r", 64}}, load);
    }
  }
}

void add_sampling(Points& p, const Numbers& batches, std::int64_t vocabulary) {
  for (const std::int64_t b : batches) {
    p.add(kArgmax, Dtype::kF32, {{"b", b}, {"V", vocabulary}});
    p.add(kSampleTopk, Dtype::kF32, {{"b", b}, {"V", vocabulary}, {"k", 50}});
    p.add(kTopp, Dtype::kF32, {{"b", b}, {"V", vocabulary}});
  }
}

// (N, K) of the projections.
using Matrix = std::pair<std::int64_t, std::int64_t>;
constexpr std::array<Matrix, 7> kV3Matrices = {Matrix{2112, 7168}, {576, 7168},   {24576, 1536},
                                               {32768, 512},       {7168, 16384}, {4096, 7168},
                                               {7168, 2048}};
// q, kv_a, kv_b, o of V2-Lite.
constexpr std::array<Matrix, 4> kV2LiteMatrices = {
    Matrix{3072, 2048}, {576, 2048}, {4096, 512}, {2048, 2048}};

void add_projections(Points& p, std::span<const Matrix> matrices, const Numbers& tokens,
                     const std::vector<Dtype>& types) {
  for (const auto& [n, k] : matrices) {
    for (const std::int64_t t : tokens) {
      for (const Dtype type : types) {
        p.add(kProj, type, {{"T", t}, {"N", n}, {"K", k}});
      }
    }
  }
}

const std::vector<Dtype> kAllWeights = {Dtype::kBF16, Dtype::kInt8, Dtype::kF8};

// Odd, empty and ragged ones: every operator, every type, small enough for double precision.
void add_checks(Points& p) {
  for (const std::int64_t t : {0, 1, 3, 17}) {
    p.add(kRouterGemm, Dtype::kBF16, {{"T", t}, {"H", 96}, {"E", 20}});
    p.add(kRouterGemm, Dtype::kF32, {{"T", t}, {"H", 97}, {"E", 33}});
    p.add(kTopk, Dtype::kF32, {{"T", t}, {"E", 20}, {"k", 3}, {"g", 1}, {"n", 1}});
    p.add(kTopk, Dtype::kF32, {{"T", t}, {"E", 256}, {"k", 8}, {"g", 8}, {"n", 4}});
    p.add(kTopk, Dtype::kF32, {{"T", t}, {"E", 24}, {"k", 6}, {"g", 8}, {"n", 2}});
    for (const Dtype type : {Dtype::kBF16, Dtype::kF32}) {
      p.add(kSwiglu, type, {{"R", t}, {"I", 67}});
      p.add(kRms, type, {{"T", t}, {"H", 80}});
      p.add(kRms, type, {{"T", t}, {"H", 71}});
      p.add(kAddRms, type, {{"T", t}, {"H", 71}});
      p.add(kRope, type, {{"T", t}, {"h", 3}, {"r", 64}});
      p.add(kRope, type, {{"T", t}, {"h", 1}, {"r", 10}});
    }
    p.add(kQuantAct, Dtype::kBF16, {{"T", t}, {"H", 256}});
    p.add(kQuantAct, Dtype::kInt8, {{"T", t}, {"H", 256}});
    for (const std::string load : {"balanced", "uniform", "zipf:1.0", "hot:1,1.0"}) {
      const Shape rows = {{"T", t}, {"H", 70}, {"E", 9}, {"k", 2}};
      for (const Dtype type : {Dtype::kBF16, Dtype::kF32}) {
        p.add(kPermute, type, rows, load);
        p.add(kCombine, type, rows, load);
      }
      for (const Dtype type : kAllWeights) {
        const Shape products = {{"T", t}, {"H", 256}, {"E", 9}, {"k", 2}, {"I", 128}};
        p.add(kGemm1, type, products, load);
        p.add(kGemm2, type, products, load);
        Shape layer = products;
        layer.set("S", load == "uniform" ? 0 : 128);
        layer.set("g", 3);
        layer.set("n", 2);
        p.add(kLayer, type, layer, load);
      }
    }
    for (const Dtype type : kAllWeights) {
      p.add(kProj, type, {{"T", t}, {"N", 50}, {"K", 384}});
    }
    p.add(kProj, Dtype::kBF16, {{"T", t}, {"N", 33}, {"K", 75}});
    p.add(kAbsorb, Dtype::kBF16, {{"T", t}, {"h", 3}, {"i", 32}, {"o", 80}});
    p.add(kAbsorb, Dtype::kBF16, {{"T", t}, {"h", 2}, {"i", 80}, {"o", 33}});
    p.add(kAppend, Dtype::kBF16, {{"T", t}, {"c", 48}, {"r", 10}});
    p.add(kAppend, Dtype::kF8, {{"T", t}, {"c", 256}, {"r", 64}});
    p.add(kArgmax, Dtype::kF32, {{"b", t}, {"V", 1001}});
    p.add(kArgmax, Dtype::kBF16, {{"b", t}, {"V", 15}});
    p.add(kSampleTopk, Dtype::kF32, {{"b", t}, {"V", 1001}, {"k", 5}});
    p.add(kTopp, Dtype::kF32, {{"b", t}, {"V", 1001}});
    p.add(kTopp, Dtype::kBF16, {{"b", t}, {"V", 40}});
  }
  for (const std::string load : {"fixed", "varlen"}) {
    for (const std::int64_t s : {0, 1, 63, 64, 65, 300, 600}) {
      p.add(kMlaDecode, Dtype::kBF16,
            {{"b", 3}, {"q", 1}, {"h", 5}, {"s", s}, {"c", 64}, {"r", 16}}, load);
      p.add(kGqaDecode, Dtype::kBF16, {{"b", 3}, {"q", 1}, {"h", 6}, {"p", 2}, {"s", s}, {"d", 64}},
            load);
    }
    p.add(kMlaDecode, Dtype::kBF16,
          {{"b", 2}, {"q", 2}, {"h", 16}, {"s", 130}, {"c", 512}, {"r", 64}}, load);
    p.add(kGqaDecode, Dtype::kF32, {{"b", 2}, {"q", 2}, {"h", 4}, {"p", 4}, {"s", 99}, {"d", 128}},
          load);
    for (const std::int64_t q : {0, 1, 40}) {
      p.add(kMlaPrefill, Dtype::kBF16,
            {{"b", 2}, {"q", q}, {"s", 75}, {"h", 2}, {"d", 48}, {"v", 32}}, load);
      p.add(kGqaPrefill, Dtype::kBF16,
            {{"b", 2}, {"q", q}, {"s", 75}, {"h", 4}, {"p", 2}, {"d", 64}}, load);
    }
  }
}

void add_cpu(Points& p, bool is_full) {
  const MoeDims& m = kV2LiteMoe;
  add_moe(p, m, is_full ? Numbers{1, 2, 4, 8, 16, 32, 64, 128, 512} : Numbers{8, 64},
          is_full
              ? std::vector<std::string>{"balanced", "uniform", "zipf:1.0", "zipf:1.2", "hot:4,0.5"}
              : std::vector<std::string>{"uniform"},
          is_full ? kAllWeights : std::vector<Dtype>{Dtype::kBF16, Dtype::kInt8});
  const Numbers rows = is_full ? Numbers{64, 1024, 4096} : Numbers{4096};
  add_rows(p, rows, m.hidden);
  add_rows(p, rows, kV3Moe.hidden);
  add_mla_rows(p, kV2LiteMla, rows);
  if (is_full) {
    add_mla_rows(p, kV3Mla, {64, 1024});
  }
  p.add(kCombine, Dtype::kBF16, {{"T", 2048}, {"H", m.hidden}, {"E", m.experts}, {"k", m.top_k}},
        "uniform");
  p.add(kSwiglu, Dtype::kBF16, {{"R", 12288}, {"I", m.inter}});
  add_projections(p, kV2LiteMatrices, is_full ? Numbers{1, 4, 16, 64, 256} : Numbers{1, 64},
                  kAllWeights);
  if (is_full) {
    add_projections(p, kV3Matrices, {1, 64, 128}, {Dtype::kBF16, Dtype::kInt8});
  } else {
    add_projections(p, std::array{Matrix{4096, 7168}}, {1, 64}, {Dtype::kBF16, Dtype::kInt8});
  }
  for (const std::int64_t heads : {16, 128}) {
    add_decode(p, heads, is_full ? Numbers{1, 4, 8, 16, 32} : Numbers{8},
               is_full ? Numbers{1024, 4096, 8192} : Numbers{1024});
    add_decode(p, heads, {8}, {1024}, 1, "varlen");
  }
  for (const GqaDims& d : kDistills) {
    if (is_full || d.heads == 32 || d.heads == 28) {
      p.add(kGqaDecode, Dtype::kBF16,
            {{"b", 8}, {"q", 1}, {"h", d.heads}, {"p", d.kv_heads}, {"s", 4096}, {"d", d.head_dim}},
            "fixed");
    }
  }
  p.add(kGqaPrefill, Dtype::kBF16,
        {{"b", 1}, {"q", 1024}, {"s", 1024}, {"h", 12}, {"p", 2}, {"d", 128}}, "fixed");
  p.add(kMlaPrefill, Dtype::kBF16,
        {{"b", 1}, {"q", 1024}, {"s", 1024}, {"h", 16}, {"d", 192}, {"v", 128}}, "fixed");
  add_sampling(p, is_full ? Numbers{1, 8, 128} : Numbers{8}, kV3Vocabulary);
}

void add_device(Points& p, bool is_full) {
  const MoeDims& m = kV3Moe;
  add_moe(p, m,
          is_full ? Numbers{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 8192, 16384}
                  : Numbers{8, 128, 4096},
          is_full
              ? std::vector<std::string>{"balanced", "uniform", "zipf:1.0", "zipf:1.2", "hot:8,0.5"}
              : std::vector<std::string>{"uniform", "zipf:1.0"},
          {Dtype::kF8, Dtype::kBF16});
  const Numbers rows = is_full ? Numbers{8, 128, 1024, 4096, 16384} : Numbers{128, 4096};
  add_rows(p, rows, m.hidden);
  if (is_full) {
    add_rows(p, rows, 1536);
    add_rows(p, rows, 512);
  }
  add_mla_rows(p, kV3Mla, rows);
  add_projections(p, kV3Matrices, is_full ? Numbers{1, 64, 128, 4096} : Numbers{64, 4096},
                  {Dtype::kF8, Dtype::kBF16});
  // Grouped products as they are published: (groups, rows of a group) with I and H as N and K.
  const auto grouped = [&](std::int64_t groups, std::int64_t each, const std::string& load) {
    const Shape shape = {{"T", groups * each}, {"H", 7168}, {"E", groups}, {"k", 1}, {"I", 2048}};
    p.add(kGemm1, Dtype::kF8, shape, load);
    p.add(kGemm2, Dtype::kF8, shape, load);
    p.add(kGemm1, Dtype::kBF16, shape, load);
  };
  grouped(32, 1024, "balanced");
  grouped(32, 16, "jitter:0.3");
  if (is_full) {
    grouped(4, 8192, "balanced");
    grouped(8, 4096, "balanced");
    grouped(256, 128, "balanced");
    for (const std::int64_t groups : {2, 9, 32, 256}) {
      for (const std::int64_t each : {1, 4, 16, 64, 192}) {
        if (groups != 32 || each != 16) {
          grouped(groups, each, "jitter:0.3");
        }
      }
    }
  }
  for (const std::int64_t heads : {16, 64, 128}) {
    if (is_full) {
      add_decode(p, heads, {1, 4, 16, 32, 64, 128}, {1024, 4096, 8192, 32768});
      add_decode(p, heads, {1, 4}, {131072});
      add_decode(p, heads, {4, 128}, {4096}, 2);
      add_decode(p, heads, {4, 128}, {4096}, 1, "varlen");
    } else if (heads != 64) {
      add_decode(p, heads, {4, 128}, {4096});
    }
  }
  add_decode(p, 128, {1}, {8192});
  const auto prefill = [&](std::int64_t b, std::int64_t q, std::int64_t s,
                           const std::string& load) {
    p.add(kMlaPrefill, Dtype::kBF16,
          {{"b", b}, {"q", q}, {"s", s}, {"h", 128}, {"d", 192}, {"v", 128}}, load);
  };
  prefill(4, 2048, 2048, "fixed");
  if (is_full) {
    prefill(1, 4096, 4096, "fixed");
    prefill(1, 16384, 16384, "fixed");
    prefill(1, 2048, 32768, "fixed");
    prefill(8, 2048, 2048, "varlen");
    for (const GqaDims& d : kDistills) {
      p.add(
          kGqaDecode, Dtype::kBF16,
          {{"b", 64}, {"q", 1}, {"h", d.heads}, {"p", d.kv_heads}, {"s", 4096}, {"d", d.head_dim}},
          "fixed");
      p.add(kGqaPrefill, Dtype::kBF16,
            {{"b", 1},
             {"q", 4096},
             {"s", 4096},
             {"h", d.heads},
             {"p", d.kv_heads},
             {"d", d.head_dim}},
            "fixed");
    }
  }
  add_sampling(p, is_full ? Numbers{1, 8, 32, 128} : Numbers{128}, kV3Vocabulary);
}

}  // namespace

std::vector<GridPoint> grid(Grid which, bool on_cpu) {
  Points points;
  if (which == Grid::kCheck) {
    add_checks(points);
  } else if (on_cpu) {
    add_cpu(points, which == Grid::kFull);
  } else {
    add_device(points, which == Grid::kFull);
  }
  return points.take();
}

}  // namespace r1eval::kernels
