// Parameters, cache and work derived from the configurations of published models.
#include "engine/model/model_size.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/file.h"
#include "base/json.h"

namespace r1eval {
namespace {

Result<ModelConfig> published(const std::string& name) {
  R1_TRY(const std::string text,
         read_file(std::string(R1EVAL_TEST_DATA) + "/model_configs/" + name + ".json"));
  R1_TRY(const Json json, parse_json(text));
  return read_model_config(json, name);
}

struct Published {
  const char* name;
  double billions;                 // in all
  double active_billions;          // of one token, head included, embedding not
  std::int64_t cache_token_bytes;  // two bytes a value
};

class ModelSizeTest : public testing::TestWithParam<Published> {};

TEST_P(ModelSizeTest, AgreesWithThePublishedTotals) {
  const Published& expected = GetParam();
  const auto config = published(expected.name);
  ASSERT_TRUE(config) << config.error().message;
  const ModelSize size = model_size(*config);
  EXPECT_NEAR(static_cast<double>(size.total_parameters) / 1e9, expected.billions,
              0.005 * expected.billions);
  EXPECT_NEAR(static_cast<double>(size.active_parameters) / 1e9, expected.active_billions,
              0.015 * expected.active_billions);
  EXPECT_EQ(size.cache_values_per_token * 2, expected.cache_token_bytes);
}

INSTANTIATE_TEST_SUITE_P(
    Models, ModelSizeTest,
    testing::Values(Published{"deepseek-r1", 671.0, 37.0, 70272},
                    Published{"deepseek-v2-lite", 15.7, 2.45, 31104},
                    Published{"deepseek-r1-distill-qwen-1.5b", 1.78, 1.54, 28672},
                    Published{"deepseek-r1-distill-qwen-7b", 7.62, 7.07, 57344},
                    Published{"deepseek-r1-distill-llama-8b", 8.03, 7.50, 131072},
                    Published{"deepseek-r1-distill-qwen-14b", 14.77, 13.99, 196608},
                    Published{"deepseek-r1-distill-qwen-32b", 32.76, 31.98, 262144},
                    Published{"deepseek-r1-distill-llama-70b", 70.55, 69.50, 327680}),
    [](const auto& made) {
      std::string name = made.param.name;
      for (char& c : name) {
        c = c == '-' || c == '.' ? '_' : c;
      }
      return name;
    });

TEST(ModelSizeTest, CountsATokensWorkAsTwoPerActiveWeight) {
  const auto config = published("deepseek-r1-distill-qwen-7b");
  ASSERT_TRUE(config);
  const ModelSize size = model_size(*config);
  // Norms and biases are no products.
  EXPECT_NEAR(static_cast<double>(size.flops_per_token),
              2.0 * static_cast<double>(size.active_parameters), 1e6);
  EXPECT_EQ(size.flops_per_cached_token, 2 * 28 * 28 * 2 * 128);
}

TEST(ModelConfigTest, ReadsTheScalesOfR1) {
  const auto config = published("deepseek-r1");
  ASSERT_TRUE(config);
  // m = 0.1 ln 40 + 1; the scores are scaled by m^2, cosines and sines by nothing.
  EXPECT_NEAR(config->attention_scale * std::sqrt(192.0F), 1.8739F, 1e-4F);
  EXPECT_FLOAT_EQ(config->rope_magnitude, 1.0F);
  EXPECT_EQ(config->n_prediction_layers, 1);
  EXPECT_TRUE(config->has_fp8_weights);
  EXPECT_FALSE(config->has_experts(2));
  EXPECT_TRUE(config->has_experts(3));
}

}  // namespace
}  // namespace r1eval
