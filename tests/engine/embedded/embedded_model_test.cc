#include <gtest/gtest.h>

#include <map>

#include "engine/embedded.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

class ListSource : public RequestSource {
 public:
  explicit ListSource(std::int64_t n) : n_(n) {}

  std::optional<GenerateRequest> next() override {
    if (at_ == n_) {
      return std::nullopt;
    }
    GenerateRequest request;
    request.index = at_;
    request.group = "q" + std::to_string(at_ / 2);
    request.messages = {{"user", "Count from " + std::to_string(at_ / 2) + " upwards."}};
    request.config.temperature = 0.7;
    request.config.top_p = 0.95;
    request.config.max_tokens = 24;
    request.config.seed = static_cast<std::uint64_t>(at_);
    ++at_;
    return request;
  }

 private:
  const std::int64_t n_;
  std::int64_t at_ = 0;
};

class MapSink : public CompletionSink {
 public:
  void done(std::int64_t index, Completion completion) override {
    completions.emplace(index, std::move(completion));
  }

  std::map<std::int64_t, Completion> completions;
};

std::map<std::int64_t, std::vector<std::int32_t>> tokens_with(const std::string& model,
                                                              std::int64_t batch,
                                                              std::int64_t threads) {
  BackendOptions options;
  options.concurrency = batch;
  options.threads = threads;
  options.context_tokens = 512;
  const auto backend = open_embedded_backend(model, "m", options);
  EXPECT_TRUE(backend.has_value()) << backend.error().message;
  ListSource source(16);
  MapSink sink;
  const CancelToken cancel;
  EXPECT_TRUE((*backend)->generate(source, sink, cancel).has_value());
  std::map<std::int64_t, std::vector<std::int32_t>> tokens;
  for (auto& [index, completion] : sink.completions) {
    EXPECT_FALSE(completion.error.has_value());
    tokens[index] = completion.token_ids;
  }
  return tokens;
}

TEST(EmbeddedModelTest, GivesTheSameTokensForAnyBatchAndThreadCount) {
  R1_REQUIRE_TEST_MODEL(model, "smollm2-135m.gguf");
  const auto expected = tokens_with(model, 1, 1);
  ASSERT_EQ(expected.size(), 16u);
  for (const auto& [batch, threads] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 2}, {3, 2}, {16, 1}, {16, 2}}) {
    EXPECT_EQ(tokens_with(model, batch, threads), expected) << batch << " " << threads;
  }
  report_cases("batch and thread counts of smollm2-135m", 4);
}

TEST(EmbeddedModelTest, AMissingFileIsNamed) {
  const auto backend = open_embedded_backend("/nonexistent/model.gguf", "m", {});
  ASSERT_FALSE(backend.has_value());
  EXPECT_EQ(backend.error().code, ErrorCode::kNotFound);
  EXPECT_NE(backend.error().message.find("/nonexistent/model.gguf"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
