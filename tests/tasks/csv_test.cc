#include "tasks/csv.h"

#include <gtest/gtest.h>

namespace r1eval {
namespace {

TEST(CsvTest, ReadsQuotedNewlinesDoubledQuotesAndBothLineEnds) {
  const auto rows = parse_csv("a,\"b\nb\",\"c\"\"c\"\r\n1,,3\n\nx,y,z");
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 3u);
  EXPECT_EQ((*rows)[0].fields, (std::vector<std::string>{"a", "b\nb", "c\"c"}));
  EXPECT_EQ((*rows)[1].fields, (std::vector<std::string>{"1", "", "3"}));
  EXPECT_EQ((*rows)[2].fields, (std::vector<std::string>{"x", "y", "z"}));
  EXPECT_EQ((*rows)[2].line, 5);
}

TEST(CsvTest, NamesTheLineOfAnUnclosedQuote) {
  const auto rows = parse_csv("a\nb,\"c\nd\n");
  ASSERT_FALSE(rows.has_value());
  EXPECT_NE(rows.error().message.find("line 2"), std::string::npos);
}

TEST(CsvTest, RefusesTextAfterAClosingQuote) {
  EXPECT_FALSE(parse_csv("\"a\"b,c\n").has_value());
}

}  // namespace
}  // namespace r1eval
