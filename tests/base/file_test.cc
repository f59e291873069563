#include "base/file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

TEST(WriteFileAtomicTest, ReplacesTheWholeFileAndLeavesNothingBeside) {
  const TempDir dir;
  const std::string path = dir.file("a.json");
  ASSERT_TRUE(write_file_atomic(path, "first, longer").has_value());
  ASSERT_TRUE(write_file_atomic(path, "second").has_value());
  EXPECT_EQ(read_file(path).value(), "second");
  int n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    ++n;
  }
  EXPECT_EQ(n, 1);
}

TEST(WriteFileAtomicTest, NamesTheFolderThatIsNotThere) {
  const auto status = write_file_atomic("/nonexistent/x/y", "z");
  ASSERT_FALSE(status.has_value());
  EXPECT_NE(status.error().message.find("/nonexistent/x/y"), std::string::npos);
}

TEST(ForEachLineTest, CountsALastLineWithoutNewlineAndLinesAcrossReads) {
  const TempDir dir;
  const std::string path = dir.file("lines");
  const std::string long_line(600000, 'x');
  ASSERT_TRUE(write_file_atomic(path, "a\n" + long_line + "\n\nlast").has_value());
  std::vector<std::string> lines;
  const Status status = for_each_line(path, [&](std::string_view line, std::int64_t number) {
    EXPECT_EQ(number, static_cast<std::int64_t>(lines.size()) + 1);
    lines.emplace_back(line);
    return ok_status();
  });
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(lines, (std::vector<std::string>{"a", long_line, "", "last"}));
}

TEST(ForEachLineTest, StopsAtTheFirstError) {
  const TempDir dir;
  const std::string path = dir.file("lines");
  ASSERT_TRUE(write_file_atomic(path, "a\nb\nc\n").has_value());
  int seen = 0;
  const Status status = for_each_line(path, [&](std::string_view, std::int64_t) -> Status {
    return ++seen == 2 ? Status(fail(ErrorCode::kParse, "bad")) : ok_status();
  });
  EXPECT_FALSE(status.has_value());
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace r1eval
