#include "base/log.h"

#include <gtest/gtest.h>

namespace r1eval {
namespace {

TEST(LogTest, RegisteredSecretsNeverAppear) {
  register_secret("sk-very-secret-key");
  testing::internal::CaptureStderr();
  log_warning("request with sk-very-secret-key failed twice: sk-very-secret-key");
  const std::string out = testing::internal::GetCapturedStderr();
  EXPECT_EQ(out, "warning: request with [redacted] failed twice: [redacted]\n");
}

TEST(LogTest, MessagesBelowTheLevelAreNotWritten) {
  testing::internal::CaptureStderr();
  log_debug("hidden");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace r1eval
