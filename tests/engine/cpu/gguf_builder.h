// Writes small GGUF files in memory: models with random weights, and broken ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace r1eval {

class GgufBuilder {
 public:
  GgufBuilder& text(const std::string& key, const std::string& value) {
    begin(key, 8);
    put_string(values_, value);
    return *this;
  }

  GgufBuilder& number(const std::string& key, std::uint32_t value) {
    begin(key, 4);
    put(values_, value);
    return *this;
  }

  GgufBuilder& real(const std::string& key, float value) {
    begin(key, 6);
    put(values_, value);
    return *this;
  }

  GgufBuilder& raw_value(const std::string& key, std::uint32_t type, const std::string& bytes) {
    begin(key, type);
    values_ += bytes;
    return *this;
  }

  GgufBuilder& tensor(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t type,
                      const std::string& bytes) {
    data_.resize((data_.size() + 31) / 32 * 32);
    put_string(tensors_, name);
    put(tensors_, static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t extent : shape) {
      put(tensors_, extent);
    }
    put(tensors_, type);
    put(tensors_, static_cast<std::uint64_t>(data_.size()));
    data_ += bytes;
    ++n_tensors_;
    return *this;
  }

  GgufBuilder& random_f32(const std::string& name, std::vector<std::uint64_t> shape, float mean,
                          float deviation) {
    std::uint64_t n = 1;
    for (const std::uint64_t extent : shape) {
      n *= extent;
    }
    std::normal_distribution<float> normal(mean, deviation);
    std::string bytes;
    for (std::uint64_t i = 0; i < n; ++i) {
      put(bytes, normal(random_));
    }
    return tensor(name, std::move(shape), 0, bytes);
  }

  // Q8_0 with random bytes and a scale that gives values of about `deviation`.
  GgufBuilder& random_q8(const std::string& name, std::uint64_t columns, std::uint64_t rows) {
    std::string bytes;
    for (std::uint64_t b = 0; b < columns / 32 * rows; ++b) {
      put(bytes, std::uint16_t{0x1200});  // about 7.3e-4
      for (int i = 0; i < 32; ++i) {
        bytes += static_cast<char>(random_() & 255U);
      }
    }
    return tensor(name, {columns, rows}, 8, bytes);
  }

  std::string build(std::uint32_t version = 3) const {
    std::string out = "GGUF";
    put(out, version);
    put(out, n_tensors_);
    put(out, n_values_);
    out += values_ + tensors_;
    out.resize((out.size() + 31) / 32 * 32);
    return out + data_;
  }

 private:
  template <typename T>
  static void put(std::string& to, T value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    to.append(bytes, sizeof value);
  }

  static void put_string(std::string& to, const std::string& value) {
    put(to, static_cast<std::uint64_t>(value.size()));
    to += value;
  }

  void begin(const std::string& key, std::uint32_t type) {
    put_string(values_, key);
    put(values_, type);
    ++n_values_;
  }

  std::mt19937 random_{21};
  std::string values_;
  std::string tensors_;
  std::string data_;
  std::uint64_t n_values_ = 0;
  std::uint64_t n_tensors_ = 0;
};

// A two-layer model with 8-bit linear layers: D 64, F 96, 4 heads of 16, 2 kv heads, V 97.
inline GgufBuilder tiny_model(const std::string& architecture = "llama") {
  GgufBuilder b;
  const std::string a = architecture + ".";
  b.text("general.architecture", architecture)
      .number(a + "block_count", 2)
      .number(a + "context_length", 2048)
      .number(a + "embedding_length", 64)
      .number(a + "feed_forward_length", 96)
      .number(a + "attention.head_count", 4)
      .number(a + "attention.head_count_kv", 2)
      .real(a + "attention.layer_norm_rms_epsilon", 1e-5F)
      .real(a + "rope.freq_base", 10000.0F);
  b.random_f32("token_embd.weight", {64, 97}, 0.0F, 1.0F);
  b.random_f32("output_norm.weight", {64}, 1.0F, 0.1F);
  for (int i = 0; i < 2; ++i) {
    const std::string at = "blk." + std::to_string(i) + ".";
    b.random_f32(at + "attn_norm.weight", {64}, 1.0F, 0.1F);
    b.random_q8(at + "attn_q.weight", 64, 64);
    b.random_q8(at + "attn_k.weight", 64, 32);
    b.random_q8(at + "attn_v.weight", 64, 32);
    b.random_q8(at + "attn_output.weight", 64, 64);
    b.random_f32(at + "ffn_norm.weight", {64}, 1.0F, 0.1F);
    b.random_q8(at + "ffn_gate.weight", 64, 96);
    b.random_q8(at + "ffn_up.weight", 64, 96);
    b.random_q8(at + "ffn_down.weight", 96, 64);
  }
  return b;
}

}  // namespace r1eval
