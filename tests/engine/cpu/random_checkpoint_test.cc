// The engine against a slow double-precision transformer, over odd sizes of all four architectures,
// as safetensors (whole and in shards) and as GGUF.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "engine/cpu/cpu_runner.h"
#include "tests/engine/cpu/random_checkpoint.h"
#include "tests/engine/cpu/slow_transformer.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

constexpr const char* kYarn =
    R"({"type": "yarn", "factor": 40.0, "original_max_position_embeddings": 64, "beta_fast": 32,
        "beta_slow": 1, "mscale": 0.707, "mscale_all_dim": 0.707})";

struct Sizes {
  const char* name;
  const char* dtype;
  int n_shards;
  std::string config;
};

std::vector<Sizes> cases() {
  const std::string yarn = kYarn;
  return {
      {"LlamaOddHeadsLlama3Rope", "BF16", 1,
       R"({"model_type": "llama", "hidden_size": 30, "intermediate_size": 37,
           "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1,
           "head_dim": 14, "vocab_size": 91, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
           "rope_theta": 500000.0, "tie_word_embeddings": true,
           "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                            "high_freq_factor": 4.0, "original_max_position_embeddings": 32}})"},
      {"LlamaBiasesLinearRopeSharded", "F16", 3,
       R"({"model_type": "llama", "hidden_size": 33, "intermediate_size": 50,
           "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 5,
           "head_dim": 6, "vocab_size": 77, "max_position_embeddings": 512, "attention_bias": true,
           "mlp_bias": true, "rope_scaling": {"type": "linear", "factor": 2.0}})"},
      {"QwenYarn", "F32", 2,
       R"({"model_type": "qwen2", "hidden_size": 28, "intermediate_size": 45,
           "num_hidden_layers": 3, "num_attention_heads": 7, "num_key_value_heads": 7,
           "vocab_size": 100, "max_position_embeddings": 512, "rope_theta": 1000000.0,
           "rope_scaling": {"type": "yarn", "factor": 4.0,
                            "original_max_position_embeddings": 128}})"},
      {"V2LiteEveryOtherLayerSparse", "BF16", 1,
       R"({"model_type": "deepseek_v2", "hidden_size": 42, "intermediate_size": 61,
           "num_hidden_layers": 4, "num_attention_heads": 3, "q_lora_rank": null,
           "kv_lora_rank": 20, "qk_nope_head_dim": 10, "qk_rope_head_dim": 6, "v_head_dim": 14,
           "n_routed_experts": 5, "num_experts_per_tok": 2, "n_shared_experts": 1,
           "moe_intermediate_size": 19, "first_k_dense_replace": 1, "moe_layer_freq": 2,
           "topk_method": "greedy", "n_group": 1, "topk_group": 1, "vocab_size": 85,
           "max_position_embeddings": 512, "rope_scaling": )" +
           yarn + "}"},
      {"V2Groups", "F32", 1,
       R"({"model_type": "deepseek_v2", "hidden_size": 40, "intermediate_size": 64,
           "num_hidden_layers": 2, "num_attention_heads": 5, "q_lora_rank": 11, "kv_lora_rank": 17,
           "qk_nope_head_dim": 12, "qk_rope_head_dim": 4, "v_head_dim": 7, "n_routed_experts": 9,
           "num_experts_per_tok": 3, "n_shared_experts": 2, "moe_intermediate_size": 24,
           "first_k_dense_replace": 0, "topk_method": "group_limited_greedy", "n_group": 3,
           "topk_group": 2, "routed_scaling_factor": 16.0, "vocab_size": 64,
           "max_position_embeddings": 512, "rope_scaling": )" +
           yarn + "}"},
      {"V3GroupsAndPredictionLayer", "BF16", 4,
       R"({"model_type": "deepseek_v3", "hidden_size": 48, "intermediate_size": 70,
           "num_hidden_layers": 3, "num_attention_heads": 4, "q_lora_rank": 20, "kv_lora_rank": 24,
           "qk_nope_head_dim": 8, "qk_rope_head_dim": 10, "v_head_dim": 16, "n_routed_experts": 12,
           "num_experts_per_tok": 4, "n_shared_experts": 1, "moe_intermediate_size": 21,
           "first_k_dense_replace": 1, "n_group": 4, "topk_group": 2, "norm_topk_prob": true,
           "routed_scaling_factor": 2.5, "num_nextn_predict_layers": 1, "vocab_size": 99,
           "max_position_embeddings": 512, "rope_scaling": )" +
           yarn + "}"},
      {"V3HalvesBiasNoSharedExpert", "F32", 1,
       R"({"model_type": "deepseek_v3", "hidden_size": 36, "intermediate_size": 40,
           "num_hidden_layers": 2, "num_attention_heads": 3, "q_lora_rank": 13, "kv_lora_rank": 18,
           "qk_nope_head_dim": 6, "qk_rope_head_dim": 8, "v_head_dim": 6, "n_routed_experts": 6,
           "num_experts_per_tok": 2, "n_shared_experts": null, "moe_intermediate_size": 16,
           "first_k_dense_replace": 0, "n_group": 1, "topk_group": 1, "norm_topk_prob": false,
           "rope_interleave": false, "attention_bias": true, "vocab_size": 51,
           "max_position_embeddings": 512})"},
      {"V3Fp8", "BF16", 2,
       R"({"model_type": "deepseek_v3", "hidden_size": 150, "intermediate_size": 140,
           "num_hidden_layers": 2, "num_attention_heads": 3, "q_lora_rank": 135,
           "kv_lora_rank": 130, "qk_nope_head_dim": 24, "qk_rope_head_dim": 8, "v_head_dim": 20,
           "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 2,
           "moe_intermediate_size": 33, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
           "norm_topk_prob": true, "routed_scaling_factor": 2.5, "vocab_size": 70,
           "max_position_embeddings": 512, "quantization_config": {"quant_method": "fp8",
           "fmt": "e4m3", "weight_block_size": [128, 128]}, "rope_scaling": )" +
           yarn + "}"},
  };
}

// Largest difference in units of the reference's standard deviation, all tokens in chunks of
// `chunk`.
double difference(CpuRunner& runner, const std::vector<TokenId>& tokens,
                  const std::vector<double>& expected, std::size_t chunk) {
  double mean = 0.0;
  double square = 0.0;
  for (const double e : expected) {
    mean += e / static_cast<double>(expected.size());
    square += e * e / static_cast<double>(expected.size());
  }
  double worst = 0.0;
  std::size_t at = 0;
  const SequenceId id = runner.open_sequence();
  for (std::size_t begin = 0; begin < tokens.size(); begin += chunk) {
    const std::size_t n = std::min(chunk, tokens.size() - begin);
    const StepChunk step{id, {tokens.data() + begin, n}, static_cast<std::int64_t>(n)};
    const auto logits = runner.step({&step, 1});
    EXPECT_TRUE(logits) << logits.error().message;
    if (!logits) {
      return HUGE_VAL;
    }
    for (const float value : logits.value()) {
      const double off = std::fabs(static_cast<double>(value) - expected[at++]);
      worst = off <= worst ? worst : off;  // NaN is worst
    }
  }
  runner.close_sequence(id);
  EXPECT_EQ(at, expected.size());
  return worst / std::sqrt(square - mean * mean);
}

class RandomCheckpointTest : public testing::TestWithParam<std::size_t> {};

TEST_P(RandomCheckpointTest, LogitsMatchTheSlowTransformer) {
  const Sizes sizes = cases()[GetParam()];
  const auto config = parse_json(sizes.config);
  ASSERT_TRUE(config) << config.error().message;
  const RandomCheckpoint checkpoint =
      random_checkpoint(*config, sizes.dtype, static_cast<std::uint32_t>(7 + GetParam()));
  std::vector<TokenId> tokens;
  for (int i = 0; i < 75; ++i) {
    tokens.push_back(static_cast<TokenId>((i * i * 31 + 7 * i) % int_or(*config, "vocab_size", 1)));
  }
  const std::vector<double> expected = slow_logits(checkpoint, tokens);
  const TempDir dir;
  write_checkpoint(checkpoint, dir.file("model"), sizes.n_shards);
  CpuRunnerOptions options;
  options.numerics = Numerics::kReference;
  options.threads = 2;
  options.cache_tokens = 256;
  options.max_step_tokens = 80;
  const auto folder = make_cpu_runner(dir.file("model"), options);
  ASSERT_TRUE(folder) << folder.error().message;
  EXPECT_LE(difference(**folder, tokens, expected, 75), 3e-4);
  EXPECT_LE(difference(**folder, tokens, expected, 1), 3e-4);

  options.numerics = Numerics::kFast;
  const auto fast = make_cpu_runner(dir.file("model"), options);
  ASSERT_TRUE(fast) << fast.error().message;
  const bool has_f16_cache = config->contains("quantization_config");
  EXPECT_LE(difference(**fast, tokens, expected, 16), has_f16_cache ? 1e-1 : 3e-4);

  // What GGUF cannot say is left out.
  const bool is_deepseek = string_or(*config, "model_type").starts_with("deepseek");
  const Json* rope = find_member(*config, "rope_scaling");
  if (int_or(*config, "moe_layer_freq", 1) != 1 || !bool_or(*config, "rope_interleave", true) ||
      (rope != nullptr && string_or(*rope, "rope_type") == "llama3")) {
    return;
  }
  options.numerics = Numerics::kReference;
  for (const bool joined : {false, true}) {
    ASSERT_TRUE(write_file_atomic(dir.file("twin.gguf"), gguf_twin(checkpoint, joined)));
    const auto twin = make_cpu_runner(dir.file("twin.gguf"), options);
    ASSERT_TRUE(twin) << twin.error().message;
    EXPECT_LE(difference(**twin, tokens, expected, 75), 3e-4) << "joined: " << joined;
    if (!is_deepseek) {
      break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RandomCheckpointTest, testing::Range<std::size_t>(0, 8),
                         [](const auto& made) { return cases()[made.param].name; });

// ---- Bits ---------------------------------------------------------------------------------------

// Logits of every token of `tokens`, `chunk` a step, beside another sequence that takes as many.
std::vector<float> logits_in_company(CpuRunner& runner, const std::vector<TokenId>& tokens,
                                     std::size_t chunk, bool has_company) {
  std::vector<float> out;
  const SequenceId id = runner.open_sequence();
  const SequenceId other = runner.open_sequence();
  for (std::size_t begin = 0; begin < tokens.size(); begin += chunk) {
    const std::size_t n = std::min(chunk, tokens.size() - begin);
    std::vector<StepChunk> steps;
    if (has_company) {
      steps.push_back({other, {tokens.data() + tokens.size() - begin - n, n}, 0});
    }
    steps.push_back({id, {tokens.data() + begin, n}, static_cast<std::int64_t>(n)});
    const auto rows = runner.step(steps);
    EXPECT_TRUE(rows) << rows.error().message;
    if (!rows) {
      break;
    }
    out.insert(out.end(), rows->begin(), rows->end());
  }
  runner.close_sequence(id);
  runner.close_sequence(other);
  return out;
}

constexpr const char* kWholeBlocks =
    R"({"model_type": "deepseek_v3", "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 3, "num_attention_heads": 3, "q_lora_rank": 32, "kv_lora_rank": 32,
        "qk_nope_head_dim": 32, "qk_rope_head_dim": 8, "v_head_dim": 32, "n_routed_experts": 8,
        "num_experts_per_tok": 3, "n_shared_experts": 1, "moe_intermediate_size": 32,
        "first_k_dense_replace": 1, "n_group": 2, "topk_group": 1, "norm_topk_prob": true,
        "routed_scaling_factor": 2.5, "vocab_size": 96, "max_position_embeddings": 1024})";

class LatentBitsTest : public testing::TestWithParam<bool> {};

TEST_P(LatentBitsTest, LogitsDoNotDependOnChunksCompanyOrThreads) {
  const RandomCheckpoint checkpoint = random_checkpoint(parse_json(kWholeBlocks).value(), "F32", 5);
  const bool as_q8 = GetParam();
  const TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.file("m.gguf"), gguf_twin(checkpoint, false, as_q8)));
  std::vector<TokenId> tokens;
  for (int i = 0; i < 300; ++i) {  // beyond a span of 256
    tokens.push_back(static_cast<TokenId>((i * i + 5 * i) % 96));
  }
  std::vector<float> first;
  for (const int threads : {1, 3}) {
    CpuRunnerOptions options;
    options.threads = threads;
    options.cache_tokens = 1024;
    options.max_step_tokens = 640;
    options.keep_prefixes = false;
    const auto runner = make_cpu_runner(dir.file("m.gguf"), options);
    ASSERT_TRUE(runner) << runner.error().message;
    for (const std::size_t chunk :
         {std::size_t{300}, threads == 1 ? std::size_t{1} : std::size_t{37}}) {
      for (const bool has_company : {false, true}) {
        const std::vector<float> here = logits_in_company(**runner, tokens, chunk, has_company);
        if (first.empty()) {
          first = here;
        }
        ASSERT_EQ(here.size(), first.size());
        EXPECT_EQ(std::memcmp(here.data(), first.data(), first.size() * sizeof(float)), 0)
            << threads << " threads, chunks of " << chunk << ", company: " << has_company;
      }
    }
  }
}

TEST_P(LatentBitsTest, FastNumericsAreNearTheReferenceOnTheSameWeights) {
  const RandomCheckpoint checkpoint = random_checkpoint(parse_json(kWholeBlocks).value(), "F32", 5);
  std::vector<TokenId> tokens;
  for (int i = 0; i < 60; ++i) {
    tokens.push_back(static_cast<TokenId>((i * i + 5 * i) % 96));
  }
  const TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.file("m.gguf"), gguf_twin(checkpoint, true, GetParam())));
  std::vector<float> logits[2];
  for (const Numerics numerics : {Numerics::kReference, Numerics::kFast}) {
    CpuRunnerOptions options;
    options.numerics = numerics;
    options.threads = 1;
    options.cache_tokens = 256;
    options.max_step_tokens = 64;
    const auto runner = make_cpu_runner(dir.file("m.gguf"), options);
    ASSERT_TRUE(runner) << runner.error().message;
    logits[numerics == Numerics::kFast ? 1 : 0] = logits_in_company(**runner, tokens, 60, false);
  }
  ASSERT_EQ(logits[0].size(), logits[1].size());
  // Of the tokens, because now and then one goes to another expert: the median.
  std::vector<double> off;
  for (std::size_t begin = 0; begin < logits[0].size(); begin += 96) {
    double difference = 0.0;
    double square = 0.0;
    for (std::size_t i = begin; i < begin + 96; ++i) {
      const double expected = static_cast<double>(logits[0][i]);
      difference += std::pow(static_cast<double>(logits[1][i]) - expected, 2.0);
      square += expected * expected;
    }
    off.push_back(std::sqrt(difference / square));
  }
  std::nth_element(off.begin(), off.begin() + static_cast<std::ptrdiff_t>(off.size() / 2),
                   off.end());
  EXPECT_LE(off[off.size() / 2], GetParam() ? 0.05 : 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Types, LatentBitsTest, testing::Values(false, true),
                         [](const auto& made) { return made.param ? "Q8" : "F32"; });

// ---- What is wrong with a folder ----------------------------------------------------------------

class BrokenCheckpointTest : public testing::Test {
 protected:
  BrokenCheckpointTest() {
    checkpoint_ =
        random_checkpoint(parse_json(
                              R"({"model_type": "llama", "hidden_size": 8, "intermediate_size": 8,
                "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
                "vocab_size": 10, "max_position_embeddings": 64})")
                              .value(),
                          "F32", 3);
  }

  std::string problem(int n_shards = 1) {
    write_checkpoint(checkpoint_, dir_.file("model"), n_shards);
    return open();
  }

  std::string open() {
    CpuRunnerOptions options;
    options.threads = 1;
    options.cache_tokens = 64;
    options.max_step_tokens = 8;
    const auto made = make_cpu_runner(dir_.file("model"), options);
    return made ? "" : made.error().message;
  }

  TempDir dir_;
  RandomCheckpoint checkpoint_;
};

TEST_F(BrokenCheckpointTest, NamesAMissingShard) {
  EXPECT_EQ(problem(2), "");
  ASSERT_EQ(std::remove(dir_.file("model/model-00002-of-00002.safetensors").c_str()), 0);
  EXPECT_NE(open().find("shard model-00002-of-00002.safetensors is missing"), std::string::npos);
  // What is there is enough to describe the model.
  const auto described = Checkpoint::open_description(dir_.file("model"));
  ASSERT_TRUE(described) << described.error().message;
  EXPECT_TRUE((*described)->config());
  EXPECT_TRUE((*described)->tensors().empty());
}

TEST_F(BrokenCheckpointTest, NamesAMissingTensor) {
  checkpoint_.tensors.erase("model.layers.0.mlp.up_proj.weight");
  EXPECT_NE(problem().find("blk.0.ffn_up.weight is missing"), std::string::npos);
}

TEST_F(BrokenCheckpointTest, NamesATensorThatBelongsToNoFeature) {
  checkpoint_.tensors["model.layers.0.self_attn.q_norm.weight"] =
      checkpoint_.tensors["model.norm.weight"];
  EXPECT_NE(problem().find("model.layers.0.self_attn.q_norm.weight"), std::string::npos);
}

TEST_F(BrokenCheckpointTest, RefusesABiasThatTheConfigurationDoesNotHave) {
  checkpoint_.tensors["model.layers.0.self_attn.o_proj.bias"] =
      checkpoint_.tensors["model.norm.weight"];
  EXPECT_NE(problem().find("o_proj.bias"), std::string::npos);
}

TEST_F(BrokenCheckpointTest, NamesATensorOfTheWrongShape) {
  checkpoint_.config["intermediate_size"] = 9;
  EXPECT_NE(problem().find("mlp.gate_proj.weight is 8 x 8"), std::string::npos);
}

TEST_F(BrokenCheckpointTest, RefusesAMatrixThatIsNotFiniteByName) {
  for (const float value : {std::nanf(""), INFINITY, -INFINITY}) {
    std::string& bytes = checkpoint_.tensors["model.layers.0.mlp.up_proj.weight"].bytes;
    const std::string before = bytes;
    std::memcpy(bytes.data() + 11 * sizeof value, &value, sizeof value);  // of 8 columns
    EXPECT_NE(
        problem().find("mlp.up_proj.weight: row 1, column 3 holds a value that is not finite"),
        std::string::npos)
        << problem();
    bytes = before;
  }
}

TEST_F(BrokenCheckpointTest, RefusesANormThatIsNotFinite) {
  std::string& bytes = checkpoint_.tensors["model.norm.weight"].bytes;
  const float nan = std::nanf("");
  std::memcpy(bytes.data() + 2 * sizeof nan, &nan, sizeof nan);
  EXPECT_NE(problem().find("model.norm.weight: value 2 is not finite"), std::string::npos)
      << problem();
}

TEST_F(BrokenCheckpointTest, NamesWhatOfTheConfigurationIsNotSupported) {
  const auto refused = [&](const char* key, const Json& value) {
    RandomCheckpoint other = checkpoint_;
    other.config[key] = value;
    write_checkpoint(other, dir_.file("model"), 1);
    return open();
  };
  EXPECT_NE(refused("model_type", "mamba").find("\"mamba\""), std::string::npos);
  EXPECT_NE(refused("hidden_act", "gelu").find("gelu"), std::string::npos);
  EXPECT_NE(refused("use_sliding_window", true).find("use_sliding_window"), std::string::npos);
  EXPECT_NE(refused("rope_scaling", {{"type", "dynamic"}, {"factor", 2.0}}).find("dynamic"),
            std::string::npos);
  EXPECT_NE(refused("quantization_config", {{"quant_method", "gptq"}}).find("gptq"),
            std::string::npos);
  EXPECT_NE(refused("num_hidden_layers", -3).find("num_hidden_layers"), std::string::npos);
  EXPECT_NE(refused("hidden_size", 1e300).find("hidden_size"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
