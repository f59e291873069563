#include "results/record.h"

#include <gtest/gtest.h>

namespace r1eval {
namespace {

TEST(SampleRecordTest, ReadsBackWhatItWrote) {
  SampleRecord record;
  record.key = "k";
  record.task = "t";
  record.item = "i\"\n";
  record.sample = 3;
  record.seed = (std::uint64_t{1} << 63) + 5;
  record.thinking = "hm";
  record.answer = "\\boxed{4}";
  record.finish_reason = "length";
  record.truncated = true;
  record.usage.completion = 12;
  record.timings.total = 0.1;
  const auto back = sample_from_json(sample_to_json(record));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(sample_to_json(*back), sample_to_json(record));
  EXPECT_EQ(back->seed, record.seed);
  EXPECT_EQ(back->usage.prompt, -1);
}

TEST(SampleRecordTest, InvalidUtf8DoesNotStopARecord) {
  SampleRecord record;
  record.task = "t";
  record.item = "i";
  record.answer = "a\xFF";
  EXPECT_TRUE(sample_from_json(sample_to_json(record)).has_value());
}

TEST(SampleRecordTest, NamesTheMissingField) {
  const auto result = sample_from_json(R"({"task":"t","sample":0})");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("'item'"), std::string::npos);
}

TEST(GradeRecordTest, ReadsBackWhatItWroteAndRefusesUnknownVerdicts) {
  GradeRecord record{"t", "i", 1, {}, false};
  record.verdict.outcome = Outcome::kNoAnswer;
  record.verdict.rule = "r";
  const auto back = grade_from_json(grade_to_json(record));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->verdict.outcome, Outcome::kNoAnswer);
  EXPECT_FALSE(
      grade_from_json(R"({"task":"t","item":"i","sample":0,"verdict":"maybe"})").has_value());
}

}  // namespace
}  // namespace r1eval
