#include "base/json.h"

#include <gtest/gtest.h>

namespace r1eval {
namespace {

TEST(ParseJsonTest, GivesAnErrorWithAPositionForBrokenText) {
  const auto result = parse_json("{\"a\": }");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kParse);
  EXPECT_NE(result.error().message.find("column 7"), std::string::npos) << result.error().message;
}

TEST(ParseJsonTest, RefusesHostileNesting) {
  const std::string deep(100000, '[');
  EXPECT_FALSE(parse_json(deep).has_value());
  const std::string closed = std::string(100000, '[') + std::string(100000, ']');
  EXPECT_FALSE(parse_json(closed).has_value());
  const std::string brackets_in_text = "\"" + deep + "\"";
  EXPECT_TRUE(parse_json(brackets_in_text).has_value());
}

TEST(FieldTest, ErrorsNameFieldAndType) {
  const Json object = parse_json(R"({"a": 1, "b": null})").value();
  EXPECT_EQ(get_int(object, "a").value(), 1);
  EXPECT_EQ(get_string(object, "a").error().message, "field 'a': expected a string, got number");
  EXPECT_EQ(get_string(object, "b").error().message, "field 'b': expected a string, got nothing");
  EXPECT_EQ(string_or(object, "b", "x"), "x");
}

TEST(DumpJsonTest, ReplacesInvalidUtf8) {
  EXPECT_EQ(dump_json(Json(std::string("a\xff"))), "\"a\xEF\xBF\xBD\"");
}

TEST(FormatDoubleTest, IsTheShortestTextThatReadsBack) {
  EXPECT_EQ(format_double(0.1), "0.1");
  EXPECT_EQ(format_double(1.0 / 3), "0.3333333333333333");
}

}  // namespace
}  // namespace r1eval
