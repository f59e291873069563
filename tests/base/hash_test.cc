#include "base/hash.h"

#include <gtest/gtest.h>

namespace r1eval {
namespace {

TEST(Sha256Test, MatchesTheStandardsExample) {  // FIPS 180-4, the message "abc"
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256Test, PiecesGiveTheHashOfTheWhole) {
  Sha256 hash;
  hash.update("a");
  hash.update("bc");
  EXPECT_EQ(hash.finish_hex(), sha256_hex("abc"));
}

TEST(StableHashTest, KeepsPartsApart) {
  EXPECT_NE(stable_hash64({"ab", "c"}), stable_hash64({"a", "bc"}));
  EXPECT_EQ(stable_hash64({"a", "b"}), stable_hash64({"a", "b"}));
}

TEST(Sha256FileTest, NamesAMissingFile) {
  const auto result = sha256_file("/nonexistent/file");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kNotFound);
  EXPECT_NE(result.error().message.find("/nonexistent/file"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
