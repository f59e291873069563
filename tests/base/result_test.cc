#include "base/result.h"

#include <gtest/gtest.h>

namespace r1eval {
namespace {

Result<int> half(int x) {
  if (x % 2 != 0) {
    return fail(ErrorCode::kInvalidArgument, "odd");
  }
  return x / 2;
}

Result<int> quarter(int x) {
  R1_TRY(const int h, half(x));
  R1_TRY(const int q, half(h));
  return q;
}

TEST(ResultTest, TryPassesValuesThroughAndErrorsUp) {
  EXPECT_EQ(quarter(12).value(), 3);
  ASSERT_FALSE(quarter(6).has_value());
  EXPECT_EQ(quarter(6).error().message, "odd");
}

TEST(ResultTest, ContextIsPutInFrontOfTheMessage) {
  EXPECT_EQ(half(1).error().with_context("line 3").message, "line 3: odd");
}

}  // namespace
}  // namespace r1eval
