#include "engine/openai/openai_backend.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "engine/mock/mock_server.h"

namespace r1eval {
namespace {

class NumberedSource : public RequestSource {
 public:
  explicit NumberedSource(std::int64_t n, std::int64_t max_tokens = 100)
      : n_(n), max_tokens_(max_tokens) {}

  std::optional<GenerateRequest> next() override {
    if (at_ == n_) {
      return std::nullopt;
    }
    GenerateRequest request;
    request.index = at_;
    request.messages = {{"user", "question " + std::to_string(at_)}};
    request.config.max_tokens = max_tokens_;
    request.config.seed = static_cast<std::uint64_t>(at_);
    ++at_;
    return request;
  }

 private:
  const std::int64_t n_;
  const std::int64_t max_tokens_;
  std::int64_t at_ = 0;
};

class Collector : public CompletionSink {
 public:
  void done(std::int64_t index, Completion completion) override {
    EXPECT_TRUE(completions.emplace(index, std::move(completion)).second) << "done twice";
  }

  std::map<std::int64_t, Completion> completions;
};

BackendOptions options_for(const MockServer& server, bool stream) {
  BackendOptions options;
  options.model = "mock";
  options.base_url = "http://127.0.0.1:" + std::to_string(server.port());
  options.stream = stream;
  options.max_attempts = 12;
  options.concurrency = 16;
  return options;
}

std::unique_ptr<MockServer> start_server(const std::string& faults, std::int64_t context = 32768) {
  MockServerOptions options;
  options.faults = parse_faults(faults).value();
  options.max_model_len = context;
  options.seed = 3;
  return MockServer::start(MockScript(), options).value();
}

class FaultyServer : public testing::TestWithParam<bool> {};

TEST_P(FaultyServer, GetsEveryAnswerOnceAndExactly) {
  const auto server = start_server("500:5%,429:5%:retry-after=0,cut:2%");
  const auto backend = open_openai_backend(options_for(*server, GetParam()));
  ASSERT_TRUE(backend.has_value()) << backend.error().message;
  NumberedSource source(200);
  Collector collector;
  const CancelToken cancel;
  ASSERT_TRUE((*backend)->generate(source, collector, cancel).has_value());
  ASSERT_EQ(collector.completions.size(), 200u);
  std::int64_t n_retried = 0;
  for (const auto& [index, completion] : collector.completions) {
    ASSERT_FALSE(completion.error.has_value()) << completion.error->message;
    EXPECT_EQ(completion.content, "mock answer to: question " + std::to_string(index));
    EXPECT_EQ(completion.finish_reason, "stop");
    n_retried += completion.attempts > 1 ? 1 : 0;
  }
  EXPECT_GT(n_retried, 0);
}

INSTANTIATE_TEST_SUITE_P(StreamedAndNot, FaultyServer, testing::Bool());

TEST(OpenAiBackendTest, ReadsTheContextLengthAndRefusesUnknownModels) {
  const auto server = start_server("", 4096);
  BackendOptions options = options_for(*server, true);
  EXPECT_EQ((*open_openai_backend(options))->capabilities().context_tokens, 4096);
  options.model = "other";
  const auto unknown = open_openai_backend(options);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("it serves mock"), std::string::npos);
}

TEST(OpenAiBackendTest, ALengthRefusalIsAConfigurationErrorAndNotTriedAgain) {
  const auto server = start_server("", 50);
  const auto backend = open_openai_backend(options_for(*server, true)).value();
  NumberedSource source(1, 1000);
  Collector collector;
  const CancelToken cancel;
  ASSERT_TRUE(backend->generate(source, collector, cancel).has_value());
  const Completion& completion = collector.completions.at(0);
  ASSERT_TRUE(completion.error.has_value());
  EXPECT_EQ(completion.error->code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(completion.attempts, 1);
  EXPECT_NE(completion.error->message.find("--max-tokens"), std::string::npos);
}

TEST(OpenAiBackendTest, AServerThatOnlyFailsGivesAnErrorNotAnAnswer) {
  const auto server = start_server("500:100%");
  BackendOptions options = options_for(*server, true);
  options.max_attempts = 2;
  const auto backend = open_openai_backend(options).value();
  NumberedSource source(3);
  Collector collector;
  const CancelToken cancel;
  ASSERT_TRUE(backend->generate(source, collector, cancel).has_value());
  ASSERT_EQ(collector.completions.size(), 3u);
  for (const auto& [index, completion] : collector.completions) {
    ASSERT_TRUE(completion.error.has_value());
    EXPECT_EQ(completion.attempts, 2);
    EXPECT_NE(completion.error->message.find("500"), std::string::npos);
  }
}

TEST(OpenAiBackendTest, AClosedPortNamesTheAddress) {
  BackendOptions options;
  options.model = "m@http://127.0.0.1:1";
  const auto backend = open_openai_backend(options);
  ASSERT_FALSE(backend.has_value());
  EXPECT_EQ(backend.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(backend.error().message.find("http://127.0.0.1:1"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
