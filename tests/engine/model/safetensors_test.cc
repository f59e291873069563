// What a safetensors file may not be.
#include "engine/model/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace r1eval {
namespace {

std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string out(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(out.data(), &length, sizeof length);
  return out + header + std::string(data_bytes, '\x01');
}

std::string problem(const std::string& bytes) {
  const auto file = SafetensorsFile::parse(std::as_bytes(std::span(bytes)), "m.safetensors");
  return file ? "" : file.error().message;
}

TEST(SafetensorsTest, ReadsNamesShapesAndBytes) {
  const std::string bytes = file_of(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
      16);
  const auto file = SafetensorsFile::parse(std::as_bytes(std::span(bytes)));
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 2U);
  EXPECT_EQ(file->tensors()[0].name, "a");
  EXPECT_EQ(file->tensors()[0].n_values(), 6);
  EXPECT_EQ(file->tensors()[0].bytes.size(), 12U);
  EXPECT_EQ(file->tensors()[1].n_values(), 1);
}

TEST(SafetensorsTest, RefusesWhatDoesNotFitTheFile) {
  EXPECT_NE(problem("abc").find("too short"), std::string::npos);
  std::string long_header = file_of("{}", 0);
  long_header[3] = '\x7f';
  EXPECT_NE(problem(long_header).find("header"), std::string::npos);
  EXPECT_NE(problem(file_of("[1]", 0)).find("no JSON object"), std::string::npos);
  EXPECT_NE(problem(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7))
                .find("tensor a: data from 0 to 8"),
            std::string::npos);
  EXPECT_NE(problem(file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8))
                .find("do not fit its shape"),
            std::string::npos);
}

TEST(SafetensorsTest, RefusesOverlapsOverflowsAndUnknownTypes) {
  EXPECT_NE(problem(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                            R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                            8))
                .find("tensors a and b overlap"),
            std::string::npos);
  EXPECT_NE(problem(file_of(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],)"
                            R"("data_offsets":[0,0]}})",
                            8))
                .find("do not fit"),
            std::string::npos);
  EXPECT_NE(problem(file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}})", 8))
                .find("cannot be read"),
            std::string::npos);
  EXPECT_NE(problem(file_of(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8))
                .find("is of type I64"),
            std::string::npos);
}

}  // namespace
}  // namespace r1eval
