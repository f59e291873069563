#include "engine/openai/chat_completions.h"

#include <gtest/gtest.h>

#include "engine/openai/openai_backend.h"
#include "engine/openai/retry_policy.h"

namespace r1eval {
namespace {

GenerateRequest small_request() {
  GenerateRequest request;
  request.messages = {{"user", "hi"}};
  request.config.temperature = 0.6;
  request.config.top_k = 0;
  request.config.min_p = 0;
  request.config.max_tokens = 10;
  request.config.seed = 5;
  return request;
}

TEST(RequestBodyTest, SendsNeutralValuesAndLeavesOutWhatIsOmitted) {
  const Json body = parse_json(request_body(small_request(), "m", true, {"min_p"}).value()).value();
  EXPECT_EQ(body["top_k"], -1);
  EXPECT_FALSE(body.contains("min_p"));
  EXPECT_FALSE(body.contains("top_p"));
  EXPECT_EQ(body["seed"], 5);
  EXPECT_EQ(body["stream"], true);
}

TEST(RequestBodyTest, SendsZeroForTopKToServersThatRefuseMinusOne) {
  const std::set<std::string> omit = {std::string(kTopKMinusOne)};
  const Json body = parse_json(request_body(small_request(), "m", false, omit).value()).value();
  EXPECT_EQ(body["top_k"], 0);
}

TEST(RefusedFieldTest, AValidationErrorIsARefusalWhateverItsStatus) {
  const std::string words =
      "1 validation error: {'type': 'greater_than_equal', 'loc': ('body', 'top_k'), 'msg': 'Input "
      "should be greater than or equal to 0'}";
  EXPECT_TRUE(speaks_of_validation(words));
  EXPECT_EQ(refused_field(words, optional_fields()), "top_k");
  EXPECT_FALSE(speaks_of_validation("CUDA out of memory"));
}

TEST(RequestBodyTest, MergesExtraFieldsAndRefusesBadJson) {
  GenerateRequest request = small_request();
  request.config.extra_body = R"({"top_k": 7, "x": [1]})";
  const Json body = parse_json(request_body(request, "m", false, {}).value()).value();
  EXPECT_EQ(body["top_k"], 7);
  EXPECT_EQ(body["x"][0], 1);
  request.config.extra_body = "[";
  EXPECT_FALSE(request_body(request, "m", false, {}).has_value());
}

Result<Completion> streamed(const std::vector<std::string>& events) {
  ReplyReader reader;
  for (const std::string& event : events) {
    if (const Status status = reader.read_event(event); !status) {
      return status.error();
    }
  }
  return reader.finish();
}

TEST(ReplyReaderTest, JoinsAStreamWithReasoningAndUsage) {
  const auto completion =
      streamed({R"({"choices":[{"delta":{"reasoning_content":"th"}}]})",
                R"({"choices":[{"delta":{"reasoning_content":"ink"}}]})",
                R"({"choices":[{"delta":{"content":"4"}}]})",
                R"({"choices":[{"delta":{},"finish_reason":"stop"}]})",
                R"({"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}})", "[DONE]"});
  ASSERT_TRUE(completion.has_value()) << completion.error().message;
  EXPECT_EQ(completion->reasoning, "think");
  EXPECT_EQ(completion->content, "4");
  EXPECT_EQ(completion->usage.completion, 5);
}

TEST(ReplyReaderTest, AStreamWithoutAFinishReasonIsCut) {
  const auto completion = streamed({R"({"choices":[{"delta":{"content":"4"}}]})", "[DONE]"});
  ASSERT_FALSE(completion.has_value());
  EXPECT_NE(completion.error().message.find("cut"), std::string::npos);
}

TEST(ReplyReaderTest, AnEmptyReplyIsAFailureAndAnEmptyTextWithTokensIsAnAnswer) {
  const std::string end = R"({"choices":[{"delta":{"content":""},"finish_reason":"stop"}]})";
  EXPECT_FALSE(streamed({end}).has_value());
  EXPECT_TRUE(streamed({end, R"({"choices":[],"usage":{"completion_tokens":4}})"}).has_value());
}

TEST(ReplyReaderTest, RepliesWithoutChoicesOrJsonSayWhatIsWrong) {
  ReplyReader reader;
  EXPECT_NE(reader.read_whole("{}").error().message.find("no choices"), std::string::npos);
  EXPECT_NE(reader.read_whole("<html>").error().message.find("no JSON"), std::string::npos);
  EXPECT_NE(reader.read_whole(R"({"error":{"message":"boom"}})").error().message.find("boom"),
            std::string::npos);
}

TEST(RefusedFieldTest, FindsTheWholeWordAmongOptionalFields) {
  EXPECT_EQ(refused_field("Unrecognized request argument supplied: min_p", optional_fields()),
            "min_p");
  EXPECT_EQ(refused_field("top_k: Extra inputs are not permitted", optional_fields()), "top_k");
  EXPECT_EQ(refused_field("the messages are wrong", optional_fields()), "");
  EXPECT_EQ(refused_field("unknown thing: unstoppable", optional_fields()), "");
}

TEST(RetryAfterTest, ReadsSecondsAndDates) {
  EXPECT_EQ(parse_retry_after(" 7", 0), 7);
  EXPECT_EQ(parse_retry_after("0.5", 0), 0.5);
  EXPECT_EQ(parse_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 10), 50);
  EXPECT_EQ(parse_retry_after("soon", 0), -1);
}

TEST(BaseUrlTest, GetsItsVersionPathWhereNoneIsGiven) {
  EXPECT_EQ(normalize_base_url("http://h:1/"), "http://h:1/v1");
  EXPECT_EQ(normalize_base_url("http://h:1/v1/"), "http://h:1/v1");
  EXPECT_EQ(normalize_base_url("https://h/api/openai"), "https://h/api/openai");
  EXPECT_EQ(normalize_base_url("http://h/v1/chat/completions"), "http://h/v1");
}

}  // namespace
}  // namespace r1eval
