#include "engine/openai/sse_parser.h"

#include <gtest/gtest.h>

#include <vector>

namespace r1eval {
namespace {

std::vector<std::string> events_of(const std::string& bytes, std::size_t piece) {
  SseParser parser;
  std::vector<std::string> events;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    EXPECT_TRUE(parser
                    .feed(bytes.substr(at, piece),
                          [&](std::string_view data) { events.emplace_back(data); })
                    .has_value());
  }
  return events;
}

TEST(SseParserTest, GivesTheSameEventsForAnyPieces) {
  const std::string bytes =
      ": comment\n\ndata: one\r\n\r\ndata: two\ndata:lines\n\nevent: x\ndata: {\"a\": "
      "1}\n\r\ndata: "
      "last\r\r";
  const std::vector<std::string> expected = {"one", "two\nlines", "{\"a\": 1}", "last"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_EQ(events_of(bytes, piece), expected) << piece;
  }
}

TEST(SseParserTest, AnUnfinishedEventIsNotGivenOut) {
  EXPECT_TRUE(events_of("data: half\n", 100).empty());
}

TEST(SseParserTest, RefusesAnEventWithoutEnd) {
  SseParser parser(1000);
  EXPECT_FALSE(parser.feed(std::string(2000, 'x'), [](std::string_view) {}).has_value());
}

}  // namespace
}  // namespace r1eval
