// See slow_transformer.h.
#include "tests/engine/cpu/slow_transformer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace r1eval {

namespace {

using Row = std::vector<double>;

constexpr double kPi = 3.14159265358979323846;

class Slow {
 public:
  explicit Slow(const RandomCheckpoint& checkpoint) : c_(checkpoint), config_(checkpoint.config) {
    kind_ = string_or(config_, "model_type");
    is_deepseek_ = kind_.starts_with("deepseek");
    heads_ = number("num_attention_heads");
    if (is_deepseek_) {
      rope_dim_ = number("qk_rope_head_dim");
      head_dim_ = number("qk_nope_head_dim") + rope_dim_;
    } else {
      head_dim_ = number("head_dim", number("hidden_size") / heads_);
      rope_dim_ = head_dim_;
    }
    scale_ = 1.0 / std::sqrt(static_cast<double>(head_dim_));
    make_frequencies();
  }

  Row logits(const std::vector<std::int32_t>& tokens) {
    const std::int64_t d = number("hidden_size");
    std::vector<Row> x;
    const RandomTensor& embedding = tensor("model.embed_tokens.weight");
    for (const std::int32_t token : tokens) {
      const auto begin = embedding.values.begin() + token * d;
      x.emplace_back(begin, begin + d);
    }
    for (std::int64_t i = 0; i < number("num_hidden_layers"); ++i) {
      const std::string at = fmt::format("model.layers.{}.", i);
      std::vector<Row> normed;
      for (const Row& row : x) {
        normed.push_back(norm(row, at + "input_layernorm.weight", eps()));
      }
      const std::vector<Row> attended = attention(normed, at + "self_attn.");
      for (std::size_t t = 0; t < x.size(); ++t) {
        add(attended[t], x[t]);
        const Row input = norm(x[t], at + "post_attention_layernorm.weight", eps());
        const bool is_mixture = c_.tensors.contains(at + "mlp.gate.weight");
        add(is_mixture ? mixture(input, at + "mlp.") : mlp(input, at + "mlp."), x[t]);
      }
    }
    Row out;
    const std::string head =
        bool_or(config_, "tie_word_embeddings", false) ? "model.embed_tokens" : "lm_head";
    for (const Row& row : x) {
      const Row here = linear(norm(row, "model.norm.weight", eps()), head);
      out.insert(out.end(), here.begin(), here.end());
    }
    return out;
  }

 private:
  std::int64_t number(const char* key, std::int64_t otherwise = 0) const {
    return int_or(config_, key, otherwise);
  }

  double eps() const { return double_or(config_, "rms_norm_eps", 1e-6); }

  const RandomTensor& tensor(const std::string& name) const { return c_.tensors.at(name); }

  static void add(const Row& from, Row& to) {
    for (std::size_t i = 0; i < to.size(); ++i) {
      to[i] += from[i];
    }
  }

  Row norm(const Row& x, const std::string& gain, double eps) const {
    const double squares = std::inner_product(x.begin(), x.end(), x.begin(), 0.0);
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(x.size()) + eps);
    Row out;
    for (std::size_t i = 0; i < x.size(); ++i) {
      out.push_back(x[i] * factor * tensor(gain).values[i]);
    }
    return out;
  }

  Row linear(const Row& x, const std::string& name) const {
    const RandomTensor& w = tensor(name + ".weight");
    Row out;
    for (std::int64_t r = 0; r < w.shape[0]; ++r) {
      const auto begin = w.values.begin() + r * w.shape[1];
      out.push_back(std::inner_product(x.begin(), x.end(), begin, 0.0));
    }
    if (c_.tensors.contains(name + ".bias")) {
      add(tensor(name + ".bias").values, out);
    }
    return out;
  }

  Row mlp(const Row& x, const std::string& at) const {
    Row gate = linear(x, at + "gate_proj");
    const Row up = linear(x, at + "up_proj");
    for (std::size_t i = 0; i < gate.size(); ++i) {
      gate[i] = gate[i] / (1.0 + std::exp(-gate[i])) * up[i];
    }
    return linear(gate, at + "down_proj");
  }

  // Indices of the n largest, largest first, the lower index of equal ones.
  static std::vector<std::size_t> largest(const Row& values, std::size_t n) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
    order.resize(n);
    return order;
  }

  Row mixture(const Row& x, const std::string& at) const {
    const bool is_v3 = kind_ == "deepseek_v3";
    Row scores = linear(x, at + "gate");
    const double most = *std::max_element(scores.begin(), scores.end());
    double sum = 0.0;
    for (double& s : scores) {
      s = is_v3 ? 1.0 / (1.0 + std::exp(-s)) : std::exp(s - most);
      sum += s;
    }
    Row choice = scores;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (is_v3) {
        choice[i] = scores[i] + tensor(at + "gate.e_score_correction_bias").values[i];
      } else {
        scores[i] /= sum;
        choice[i] = scores[i];
      }
    }
    const bool has_groups = is_v3 || string_or(config_, "topk_method") == "group_limited_greedy";
    const auto n_groups = static_cast<std::size_t>(has_groups ? number("n_group", 1) : 1);
    const std::size_t size = scores.size() / n_groups;
    Row groups;
    for (std::size_t g = 0; g < n_groups; ++g) {
      Row members(choice.begin() + static_cast<std::ptrdiff_t>(g * size),
                  choice.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
      std::sort(members.rbegin(), members.rend());
      groups.push_back(members[0] + (is_v3 && size > 1 ? members[1] : 0.0));
    }
    const auto kept =
        largest(groups, static_cast<std::size_t>(has_groups ? number("topk_group", 1) : 1));
    for (std::size_t i = 0; i < choice.size(); ++i) {
      if (std::find(kept.begin(), kept.end(), i / size) == kept.end()) {
        choice[i] = -HUGE_VAL;
      }
    }
    const auto chosen = largest(choice, static_cast<std::size_t>(number("num_experts_per_tok")));
    double total = 1e-20;
    for (const std::size_t e : chosen) {
      total += scores[e];
    }
    const double divisor = bool_or(config_, "norm_topk_prob", is_v3) ? total : 1.0;
    Row out(x.size(), 0.0);
    for (const std::size_t e : chosen) {
      const double weight = scores[e] / divisor * double_or(config_, "routed_scaling_factor", 1.0);
      const Row expert = mlp(x, fmt::format("{}experts.{}.", at, e));
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] += weight * expert[i];
      }
    }
    if (number("n_shared_experts") > 0) {
      add(mlp(x, at + "shared_experts."), out);
    }
    return out;
  }

  void make_frequencies() {
    const double theta = double_or(config_, "rope_theta", 10000.0);
    const auto d = static_cast<double>(rope_dim_);
    for (std::int64_t i = 0; i < rope_dim_ / 2; ++i) {
      frequencies_.push_back(1.0 / std::pow(theta, 2.0 * static_cast<double>(i) / d));
    }
    const Json* rope = find_member(config_, "rope_scaling");
    if (rope == nullptr) {
      return;
    }
    const std::string type = string_or(*rope, "rope_type", string_or(*rope, "type"));
    const double factor = double_or(*rope, "factor", 1.0);
    const double original = double_or(*rope, "original_max_position_embeddings", 0.0);
    if (type == "linear") {
      for (double& f : frequencies_) {
        f /= factor;
      }
    } else if (type == "llama3") {
      const double low = double_or(*rope, "low_freq_factor", 1.0);
      const double high = double_or(*rope, "high_freq_factor", 4.0);
      for (double& f : frequencies_) {
        const double length = 2.0 * kPi / f;
        if (length > original / low) {
          f /= factor;
        } else if (length > original / high) {
          const double smooth = (original / length - low) / (high - low);
          f = (1.0 - smooth) * f / factor + smooth * f;
        }
      }
    } else if (type == "yarn") {
      const auto dimension = [&](double rotations) {
        return d * std::log(original / (rotations * 2.0 * kPi)) / (2.0 * std::log(theta));
      };
      const double low = std::max(0.0, std::floor(dimension(double_or(*rope, "beta_fast", 32.0))));
      double high = std::min(d - 1.0, std::ceil(dimension(double_or(*rope, "beta_slow", 1.0))));
      high += low == high ? 0.001 : 0.0;
      for (std::size_t i = 0; i < frequencies_.size(); ++i) {
        const double share = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
        frequencies_[i] = frequencies_[i] * (1.0 - share) + frequencies_[i] / factor * share;
      }
      const double one = double_or(*rope, "mscale", 0.0);
      const double all = double_or(*rope, "mscale_all_dim", 0.0);
      const auto m = [&](double scale) { return 0.1 * scale * std::log(factor) + 1.0; };
      magnitude_ = one != 0.0 && all != 0.0 ? m(one) / m(all) : m(1.0);
      scale_ *= is_deepseek_ && all != 0.0 ? m(all) * m(all) : 1.0;
    }
  }

  // Rotates n values from x[at]: neighbouring pairs or halves.
  void rotate(Row& x, std::size_t at, std::size_t position, bool neighbours) const {
    const auto half = static_cast<std::size_t>(rope_dim_ / 2);
    for (std::size_t i = 0; i < half; ++i) {
      const std::size_t first = at + (neighbours ? 2 * i : i);
      const std::size_t second = at + (neighbours ? 2 * i + 1 : half + i);
      const double angle = static_cast<double>(position) * frequencies_[i];
      const double c = std::cos(angle) * magnitude_;
      const double s = std::sin(angle) * magnitude_;
      const double a = x[first];
      const double b = x[second];
      x[first] = a * c - b * s;
      x[second] = b * c + a * s;
    }
  }

  // One head's attention of the last position.
  Row attend(const Row& query, const std::vector<Row>& keys, const std::vector<Row>& values,
             std::size_t n) const {
    Row weights;
    for (std::size_t t = 0; t < n; ++t) {
      weights.push_back(scale_ *
                        std::inner_product(query.begin(), query.end(), keys[t].begin(), 0.0));
    }
    const double most = *std::max_element(weights.begin(), weights.end());
    double sum = 0.0;
    for (double& w : weights) {
      w = std::exp(w - most);
      sum += w;
    }
    Row out(values[0].size(), 0.0);
    for (std::size_t t = 0; t < n; ++t) {
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] += weights[t] / sum * values[t][i];
      }
    }
    return out;
  }

  static Row slice(const Row& x, std::int64_t begin, std::int64_t n) {
    return Row(x.begin() + begin, x.begin() + begin + n);
  }

  std::vector<Row> attention(const std::vector<Row>& x, const std::string& at) const {
    // Per head, per token.
    const auto h = static_cast<std::size_t>(heads_);
    std::vector<std::vector<Row>> queries(h), keys(h), values(h);
    const std::int64_t kv_heads = is_deepseek_ ? heads_ : number("num_key_value_heads", heads_);
    for (std::size_t t = 0; t < x.size(); ++t) {
      if (is_deepseek_) {
        latent_heads(x[t], t, at, queries, keys, values);
        continue;
      }
      const Row q = linear(x[t], at + "q_proj");
      const Row k = linear(x[t], at + "k_proj");
      const Row v = linear(x[t], at + "v_proj");
      for (std::int64_t head = 0; head < heads_; ++head) {
        const std::int64_t shared = head / (heads_ / kv_heads);
        Row query = slice(q, head * head_dim_, head_dim_);
        Row key = slice(k, shared * head_dim_, head_dim_);
        rotate(query, 0, t, false);
        rotate(key, 0, t, false);
        queries[static_cast<std::size_t>(head)].push_back(query);
        keys[static_cast<std::size_t>(head)].push_back(key);
        values[static_cast<std::size_t>(head)].push_back(slice(v, shared * head_dim_, head_dim_));
      }
    }
    std::vector<Row> out;
    for (std::size_t t = 0; t < x.size(); ++t) {
      Row all;
      for (std::size_t head = 0; head < h; ++head) {
        const Row here = attend(queries[head][t], keys[head], values[head], t + 1);
        all.insert(all.end(), here.begin(), here.end());
      }
      out.push_back(linear(all, at + "o_proj"));
    }
    return out;
  }

  void latent_heads(const Row& x, std::size_t t, const std::string& at,
                    std::vector<std::vector<Row>>& queries, std::vector<std::vector<Row>>& keys,
                    std::vector<std::vector<Row>>& values) const {
    const std::int64_t nope = number("qk_nope_head_dim");
    const std::int64_t value = number("v_head_dim");
    const std::int64_t rank = number("kv_lora_rank");
    const bool neighbours = bool_or(config_, "rope_interleave", true);
    const Row q = number("q_lora_rank") == 0
                      ? linear(x, at + "q_proj")
                      : linear(norm(linear(x, at + "q_a_proj"), at + "q_a_layernorm.weight", 1e-6),
                               at + "q_b_proj");
    Row kv = linear(x, at + "kv_a_proj_with_mqa");
    rotate(kv, static_cast<std::size_t>(rank), t, neighbours);
    const Row rope_key = slice(kv, rank, rope_dim_);
    const Row expanded =
        linear(norm(slice(kv, 0, rank), at + "kv_a_layernorm.weight", 1e-6), at + "kv_b_proj");
    for (std::int64_t head = 0; head < heads_; ++head) {
      Row query = slice(q, head * head_dim_, head_dim_);
      rotate(query, static_cast<std::size_t>(nope), t, neighbours);
      Row key = slice(expanded, head * (nope + value), nope);
      key.insert(key.end(), rope_key.begin(), rope_key.end());
      const auto index = static_cast<std::size_t>(head);
      queries[index].push_back(query);
      keys[index].push_back(key);
      values[index].push_back(slice(expanded, head * (nope + value) + nope, value));
    }
  }

  const RandomCheckpoint& c_;
  const Json& config_;
  std::string kind_;
  bool is_deepseek_ = false;
  std::int64_t heads_ = 0;
  std::int64_t head_dim_ = 0;
  std::int64_t rope_dim_ = 0;
  double scale_ = 1.0;
  double magnitude_ = 1.0;
  Row frequencies_;
};

}  // namespace

std::vector<double> slow_logits(const RandomCheckpoint& checkpoint,
                                const std::vector<std::int32_t>& tokens) {
  return Slow(checkpoint).logits(tokens);
}

}  // namespace r1eval
