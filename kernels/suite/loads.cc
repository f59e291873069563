// Who goes where, and how long sequences are. See loads.h and operator_case.h.
#include "kernels/suite/loads.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>

#include "kernels/operators/generator.h"
#include "kernels/operators/model_dims.h"
#include "kernels/suite/operator_case.h"

namespace r1eval::kernels {

namespace {

struct Load {
  std::string_view kind;
  double first = 0;
  double second = 0;
};

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [at, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || at != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<Load> parse_load(std::string_view text) {
  const std::size_t colon = text.find(':');
  Load load{text.substr(0, colon)};
  const std::string_view rest =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const bool has_rest = colon != std::string_view::npos;
  if (load.kind == "balanced" || load.kind == "uniform" || load.kind == "fixed" ||
      load.kind == "varlen" || load.kind == "-") {
    return has_rest ? std::nullopt : std::optional(load);
  }
  if (load.kind == "zipf" || load.kind == "jitter") {
    const auto value = number(rest);
    const double most = load.kind == "zipf" ? 4.0 : 1.0;
    if (!value || *value < 0 || *value > most) {
      return std::nullopt;
    }
    load.first = *value;
    return load;
  }
  if (load.kind == "hot") {
    const std::size_t comma = rest.find(',');
    const auto n = number(rest.substr(0, comma));
    const auto share =
        comma == std::string_view::npos ? std::nullopt : number(rest.substr(comma + 1));
    if (!n || !share || *n < 1 || *n != std::floor(*n) || *share < 0 || *share > 1) {
      return std::nullopt;
    }
    load.first = *n;
    load.second = *share;
    return load;
  }
  return std::nullopt;
}

// A stream of uniform numbers.
class Draws {
 public:
  Draws(std::uint64_t seed, TensorId tensor)
      : stream_(tensor_stream(seed, static_cast<std::uint64_t>(tensor))) {}

  double uniform() { return static_cast<double>(random_word(stream_, at_++) >> 11) * 0x1p-53; }

  std::int64_t below(std::int64_t n) {
    return std::min(n - 1, static_cast<std::int64_t>(uniform() * static_cast<double>(n)));
  }

  void shuffle(std::vector<std::int32_t>& values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1],
                values[static_cast<std::size_t>(below(static_cast<std::int64_t>(i)))]);
    }
  }

 private:
  std::uint64_t stream_;
  std::uint64_t at_ = 0;
};

// k distinct experts of one token, each next one drawn by weight among those left.
void draw_weighted(const std::vector<double>& weight, std::int64_t k, Draws& draws,
                   std::int32_t* chosen) {
  const auto n = static_cast<std::int64_t>(weight.size());
  for (std::int64_t rank = 0; rank < k; ++rank) {
    const auto is_taken = [&](std::int64_t x) {
      return std::find(chosen, chosen + rank, x) != chosen + rank;
    };
    double left = 0;
    for (std::int64_t x = 0; x < n; ++x) {
      left += is_taken(x) ? 0.0 : weight[static_cast<std::size_t>(x)];
    }
    double at = draws.uniform() * left;
    std::int64_t pick = -1;
    for (std::int64_t x = 0; x < n; ++x) {
      if (is_taken(x)) {
        continue;
      }
      // Where nothing with weight is left, or rounding leaves a rest, the first or last free one.
      const double w = weight[static_cast<std::size_t>(x)];
      if (pick < 0 || w > 0) {
        pick = x;
      }
      at -= w;
      if (at < 0 && w > 0) {
        break;
      }
    }
    chosen[rank] = static_cast<std::int32_t>(pick);
  }
}

// Popularity of experts, by a shuffled rank.
std::vector<double> popularity(const Load& load, std::int64_t n_experts, Draws& draws) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(n_experts));
  std::iota(order.begin(), order.end(), 0);
  draws.shuffle(order);
  std::vector<double> weight(order.size(), 1.0);
  if (load.kind == "zipf") {
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      weight[static_cast<std::size_t>(order[rank])] =
          std::pow(static_cast<double>(rank + 1), -load.first);
    }
  } else if (load.kind == "hot") {
    const auto hot = static_cast<std::size_t>(std::min(load.first, static_cast<double>(n_experts)));
    const std::size_t cold = order.size() - hot;
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      weight[static_cast<std::size_t>(order[rank])] =
          rank < hot ? load.second / static_cast<double>(hot)
                     : (1 - load.second) / static_cast<double>(std::max<std::size_t>(cold, 1));
    }
  }
  return weight;
}

void draw_balanced(RoutedTokens& r) {
  for (std::int64_t i = 0; i < r.tokens * r.top_k; ++i) {
    r.chosen[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i % r.experts);
  }
}

// Rows of each expert jittered around the mean; k is 1.
void draw_jittered(RoutedTokens& r, double jitter, Draws& draws) {
  const std::int64_t mean = r.tokens / std::max<std::int64_t>(r.experts, 1);
  std::int64_t token = 0;
  for (std::int64_t x = 0; x < r.experts && token < r.tokens; ++x) {
    const double factor = 1 + jitter * (2 * draws.uniform() - 1);
    const auto want = static_cast<std::int64_t>(std::llround(static_cast<double>(mean) * factor));
    const std::int64_t n = x + 1 == r.experts
                               ? r.tokens - token
                               : std::min(std::max<std::int64_t>(want, 0), r.tokens - token);
    for (std::int64_t i = 0; i < n; ++i) {
      r.chosen[static_cast<std::size_t>(token++)] = static_cast<std::int32_t>(x);
    }
  }
}

void sort_rows(RoutedTokens& r) {
  const auto n_pairs = static_cast<std::size_t>(r.tokens * r.top_k);
  r.begin.assign(static_cast<std::size_t>(r.experts + 1), 0);
  r.row_of.resize(n_pairs);
  r.token_of.resize(n_pairs);
  for (const std::int32_t x : r.chosen) {
    ++r.begin[static_cast<std::size_t>(x) + 1];
  }
  std::partial_sum(r.begin.begin(), r.begin.end(), r.begin.begin());
  std::vector<std::int32_t> next(r.begin.begin(), r.begin.end() - 1);
  for (std::size_t i = 0; i < n_pairs; ++i) {
    const std::int32_t row = next[static_cast<std::size_t>(r.chosen[i])]++;
    r.row_of[i] = row;
    r.token_of[static_cast<std::size_t>(row)] =
        static_cast<std::int32_t>(i / static_cast<std::size_t>(r.top_k));
  }
}

}  // namespace

Status check_load(const OperatorSpec& op, const Shape& shape, std::string_view text) {
  const auto load = parse_load(text);
  const auto bad = [&](const char* allowed) {
    return fail(ErrorCode::kInvalidArgument,
                std::string(op.id) + ": load '" + std::string(text) + "', expected " + allowed);
  };
  switch (op.load) {
    case LoadKind::kNone:
      return text == "-" ? Status() : bad("-");
    case LoadKind::kLengths:
      return load && (load->kind == "fixed" || load->kind == "varlen") ? Status()
                                                                       : bad("fixed or varlen");
    case LoadKind::kExperts:
      break;
  }
  const bool is_known =
      load && load->kind != "-" && load->kind != "fixed" && load->kind != "varlen";
  if (!is_known) {
    return bad("balanced, uniform, zipf:S (0 to 4), hot:N,F (F 0 to 1) or jitter:F (0 to 1)");
  }
  if (load->kind == "jitter" && shape["k"] != 1) {
    return bad("jitter only where k is 1");
  }
  return {};
}

Result<RoutedTokens> make_routing(const OperatorCase& c) {
  R1_RETURN_IF_ERROR(c.check());
  const Load load = *parse_load(c.load);
  RoutedTokens r;
  r.tokens = c.shape["T"];
  r.top_k = c.shape["k"];
  r.experts = c.shape["E"];
  const auto n_pairs = static_cast<std::size_t>(r.tokens * r.top_k);
  r.chosen.assign(n_pairs, 0);
  Draws draws(c.seed, TensorId::kLoad);
  if (load.kind == "balanced") {
    draw_balanced(r);
  } else if (load.kind == "jitter") {
    draw_jittered(r, load.first, draws);
  } else {
    const std::vector<double> weight = popularity(load, r.experts, draws);
    for (std::int64_t t = 0; t < r.tokens; ++t) {
      draw_weighted(weight, r.top_k, draws, r.chosen.data() + t * r.top_k);
    }
  }
  r.weights.resize(n_pairs);
  const std::uint64_t stream =
      tensor_stream(c.seed, static_cast<std::uint64_t>(TensorId::kWeights));
  for (std::int64_t t = 0; t < r.tokens; ++t) {
    float sum = 0;
    for (std::int64_t i = t * r.top_k; i < (t + 1) * r.top_k; ++i) {
      r.weights[static_cast<std::size_t>(i)] =
          0.1F + uniform_value(stream, static_cast<std::uint64_t>(i));
      sum += r.weights[static_cast<std::size_t>(i)];
    }
    for (std::int64_t i = t * r.top_k; i < (t + 1) * r.top_k; ++i) {
      r.weights[static_cast<std::size_t>(i)] /= sum;
    }
  }
  sort_rows(r);
  return r;
}

Work RoutedTokens::work() const {
  Work w;
  w.rows = tokens * top_k;
  for (std::int64_t x = 0; x < experts; ++x) {
    const std::int64_t n =
        begin[static_cast<std::size_t>(x) + 1] - begin[static_cast<std::size_t>(x)];
    w.distinct += n > 0 ? 1 : 0;
    w.most_rows = std::max(w.most_rows, n);
  }
  return w;
}

Result<PagedBatch> make_batch(const OperatorCase& c) {
  R1_RETURN_IF_ERROR(c.check());
  const std::int64_t b = c.shape["b"];
  const std::int64_t q = c.shape["q"];
  const std::int64_t mean = c.shape["s"];
  PagedBatch batch;
  batch.cached.resize(static_cast<std::size_t>(b));
  batch.queries.resize(batch.cached.size());
  const std::uint64_t lengths =
      tensor_stream(c.seed, static_cast<std::uint64_t>(TensorId::kLengths));
  std::int64_t longest = 0;
  std::int64_t used = 0;
  for (std::size_t i = 0; i < batch.cached.size(); ++i) {
    std::int64_t n = mean;
    if (c.load == "varlen") {
      const double drawn =
          static_cast<double>(mean) * (1 + 0.5 * static_cast<double>(bell_value(lengths, i)));
      n = std::clamp(static_cast<std::int64_t>(std::llround(drawn)), std::int64_t{0}, 2 * mean);
      n = i + 1 == batch.cached.size() ? 0 : n;
    }
    batch.cached[i] = static_cast<std::int32_t>(n);
    batch.queries[i] = static_cast<std::int32_t>(std::min(q, c.op.ends_with(".decode") ? q : n));
    longest = std::max(longest, n);
    used += (n + kCacheBlockTokens - 1) / kCacheBlockTokens;
  }
  batch.blocks_per_sequence =
      std::max<std::int64_t>(1, (longest + kCacheBlockTokens - 1) / kCacheBlockTokens);
  batch.n_blocks = used + 3;  // some that nobody may read
  std::vector<std::int32_t> order(static_cast<std::size_t>(batch.n_blocks));
  std::iota(order.begin(), order.end(), 0);
  Draws draws(c.seed, TensorId::kBlocks);
  draws.shuffle(order);
  batch.table.assign(batch.cached.size() * static_cast<std::size_t>(batch.blocks_per_sequence), -1);
  std::size_t next = 0;
  for (std::size_t i = 0; i < batch.cached.size(); ++i) {
    const std::int64_t n = (batch.cached[i] + kCacheBlockTokens - 1) / kCacheBlockTokens;
    for (std::int64_t j = 0; j < n; ++j) {
      batch.table[i * static_cast<std::size_t>(batch.blocks_per_sequence) +
                  static_cast<std::size_t>(j)] = order[next++];
    }
  }
  return batch;
}

Work PagedBatch::work() const {
  Work w;
  for (std::size_t i = 0; i < cached.size(); ++i) {
    const std::int64_t s = cached[i];
    const std::int64_t q = queries[i];
    w.sum_cached += s;
    w.sum_queries += q;
    // The last query sees all tokens, each one before it one less.
    for (std::int64_t j = 0; j < q; ++j) {
      w.sum_pairs += std::max<std::int64_t>(0, s - j);
    }
  }
  return w;
}

Result<Work> make_work(const OperatorCase& c) {
  switch (c.spec().load) {
    case LoadKind::kExperts: {
      R1_TRY(const RoutedTokens routing, make_routing(c));
      return routing.work();
    }
    case LoadKind::kLengths: {
      R1_TRY(const PagedBatch batch, make_batch(c));
      return batch.work();
    }
    case LoadKind::kNone:
      break;
  }
  return Work{};
}

float scaled_value(std::string_view op, TensorId tensor, float bell) {
  const bool is_norm = op.starts_with("norm.");
  if (is_norm && tensor == TensorId::kWeight) {
    return 1.0F + bell * 0.1F;
  }
  if (op.starts_with("sample.")) {
    return bell * 2.5F;
  }
  if (op == "moe.topk" && tensor == TensorId::kInput) {
    return bell;
  }
  // Wide enough that the exponentials see their range, and that a softmax is not flat.
  if (op == "moe.swiglu") {
    return bell * 2.0F;
  }
  const bool attends = op.ends_with(".decode") || op.ends_with(".prefill");
  if (attends && tensor == TensorId::kInput) {
    return bell * 4.0F;
  }
  return tensor == TensorId::kBias ? bell * 0.01F : bell * 0.1F;
}

}  // namespace r1eval::kernels
