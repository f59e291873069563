// GGUF files: what is read, and how damage is refused.
#include "engine/model/gguf.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/model/model_config.h"
#include "tests/engine/cpu/gguf_builder.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

Result<GgufFile> parse(const std::string& bytes) {
  return GgufFile::parse(std::as_bytes(std::span(bytes)), "m.gguf");
}

TEST(GgufTest, ReadsValuesByTypeAndSaysWhenATypeIsAnother) {
  GgufBuilder b;
  b.text("name", "x").number("count", 7).real("eps", 0.5F).raw_value("flag", 7, "\x01");
  b.raw_value("list", 9, std::string("\x04\0\0\0\x02\0\0\0\0\0\0\0\x05\0\0\0\x06\0\0\0", 20));
  const std::string bytes = b.build(2);
  const auto file = parse(bytes);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file.value().version(), 2U);
  EXPECT_EQ(file.value().get_string("name").value(), "x");
  EXPECT_EQ(file.value().get_int("count").value(), 7);
  EXPECT_EQ(file.value().get_float("eps").value(), 0.5);
  EXPECT_EQ(file.value().get_float("count").value(), 7.0);
  EXPECT_EQ(file.value().get_bool("flag").value(), true);
  EXPECT_EQ(*file.value().get_int_array("list").value(), (std::vector<std::int64_t>{5, 6}));
  EXPECT_FALSE(file.value().get_int("absent").value().has_value());
  const auto wrong = file.value().get_int("name");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "m.gguf: key name is string, expected an integer");
  EXPECT_NE(file.value().require_int("absent").error().message.find("absent"), std::string::npos);
}

TEST(GgufTest, EveryPrefixOfAFileIsRefused) {
  const std::string bytes = tiny_model().build();
  for (std::size_t n = 0; n < bytes.size(); n += n < 3000 ? 1 : 997) {
    const std::string part = bytes.substr(0, n);
    const auto file = parse(part);
    ASSERT_FALSE(file) << n;
    EXPECT_NE(file.error().message.find("m.gguf"), std::string::npos);
  }
}

TEST(GgufTest, RefusesCountsThatTheFileCannotHold) {
  std::string bytes = tiny_model().build();
  for (const std::size_t at : {8U, 16U}) {  // tensor and key/value counts
    std::string hostile = bytes;
    hostile[at + 6] = '\x7f';
    const auto file = parse(hostile);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, ErrorCode::kParse);
  }
}

TEST(GgufTest, RefusesDimensionsWhoseProductOverflows) {
  GgufBuilder b;
  b.tensor("w", {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, 0, "");
  const std::string bytes = b.build();
  EXPECT_EQ(parse(bytes).error().code, ErrorCode::kParse);
}

TEST(GgufTest, NamesAnUnsupportedTensorTypeAndVersion) {
  GgufBuilder b;
  b.tensor("blk.0.ffn_up.weight", {256}, 17, std::string(74, '\0'));
  const std::string bytes = b.build();
  const auto file = parse(bytes);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(file.error().message.find("blk.0.ffn_up.weight is stored as IQ2_XS (17)"),
            std::string::npos);
  const std::string old = GgufBuilder().build(1);
  EXPECT_NE(parse(old).error().message.find("version 1"), std::string::npos);
  const std::string other = "not a model at all, only text";
  EXPECT_NE(parse(other).error().message.find("not a GGUF file"), std::string::npos);
}

TEST(GgufTest, OpensASplitModelByItsFirstPart) {
  const TempDir dir;
  GgufBuilder first;
  first.number("split.count", 2).number("split.no", 0).random_f32("a", {4}, 0.0F, 1.0F);
  GgufBuilder second;
  second.number("split.count", 2).number("split.no", 1).random_f32("b", {4}, 0.0F, 1.0F);
  std::ofstream(dir.file("m-00001-of-00002.gguf"), std::ios::binary) << first.build();
  EXPECT_EQ(GgufFile::open(dir.file("m-00001-of-00002.gguf")).error().code, ErrorCode::kNotFound);
  std::ofstream(dir.file("m-00002-of-00002.gguf"), std::ios::binary) << second.build();
  const auto file = GgufFile::open(dir.file("m-00001-of-00002.gguf"));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_NE(file.value().find_tensor("a"), nullptr);
  EXPECT_NE(file.value().find_tensor("b"), nullptr);
  const auto middle = GgufFile::open(dir.file("m-00002-of-00002.gguf"));
  ASSERT_FALSE(middle);
  EXPECT_NE(middle.error().message.find("name its first part"), std::string::npos);
}

TEST(ModelConfigTest, NamesAnUnknownArchitectureAndWhatIsSupported) {
  const std::string bytes = tiny_model("mamba").build();
  const auto file = parse(bytes);
  ASSERT_TRUE(file);
  const auto config = read_model_config(file.value());
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(
      config.error().message.find("\"mamba\" is not supported; llama, qwen2 and deepseek2 are"),
      std::string::npos);
}

TEST(ModelConfigTest, RefusesARopeScalingThatItDoesNotKnowByName) {
  GgufBuilder b = tiny_model();
  b.text("llama.rope.scaling.type", "longrope");
  const std::string bytes = b.build();
  const auto file = parse(bytes);
  ASSERT_TRUE(file);
  EXPECT_NE(read_model_config(file.value()).error().message.find("longrope"), std::string::npos);
}

TEST(ModelConfigTest, LinearScalingDividesEveryFrequency) {
  const std::string plain = tiny_model().build();
  GgufBuilder b = tiny_model();
  b.text("llama.rope.scaling.type", "linear").real("llama.rope.scaling.factor", 4.0F);
  const std::string scaled = b.build();
  const auto plain_file = parse(plain);
  const auto scaled_file = parse(scaled);
  const auto before = read_model_config(plain_file.value());
  const auto after = read_model_config(scaled_file.value());
  ASSERT_TRUE(before);
  ASSERT_TRUE(after);
  EXPECT_EQ(before.value().head_dim, 16);
  EXPECT_TRUE(before.value().tied_head);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_DOUBLE_EQ(after.value().rope_frequencies[i], before.value().rope_frequencies[i] / 4.0);
  }
}

}  // namespace
}  // namespace r1eval
