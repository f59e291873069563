#include "tasks/registry.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

const char* const kSmall = R"(
name = "mine"
[dataset]
files = [{local = "rows.jsonl"}]
[columns]
question = "q"
target = "a"
)";

TEST(TaskRegistryTest, EverySuiteNamesTasksThatExist) {
  const auto registry = TaskRegistry::open();
  ASSERT_TRUE(registry.has_value()) << registry.error().message;
  for (const Suite& suite : registry->suites()) {
    for (const std::string& task : suite.tasks) {
      EXPECT_TRUE(registry->find(task).has_value()) << suite.name << " " << task;
    }
  }
  for (const char* name : {"mmlu", "math_500", "aime_2024", "aime_2025", "gpqa_diamond",
                           "livecodebench", "mini_math", "mini_code"}) {
    EXPECT_TRUE(registry->find(name).has_value()) << name;
  }
}

TEST(TaskRegistryTest, AMistypedNameGetsTheNearest) {
  const auto registry = TaskRegistry::open();
  const auto task = registry->find("math500");
  ASSERT_FALSE(task.has_value());
  EXPECT_EQ(task.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(task.error().message.find("'math_500'"), std::string::npos);
}

TEST(TaskRegistryTest, ATaskCanTakeTheDataOfAnother) {
  const auto registry = TaskRegistry::open();
  const Task by_letters = registry->find("mmlu_loglikelihood").value();
  const Task mmlu = registry->find("mmlu").value();
  ASSERT_EQ(by_letters.sources.size(), mmlu.sources.size());
  EXPECT_EQ(by_letters.sources.back().sha256, mmlu.sources.back().sha256);
  EXPECT_EQ(by_letters.columns.choices, mmlu.columns.choices);
  const TempDir dir;
  const std::string path = dir.path() + "/mine.toml";
  ASSERT_TRUE(write_file_atomic(path, "name = \"mine\"\ndata_of = \"nothing\"\n"));
  const auto wrong = registry->find(path);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_NE(wrong.error().message.find("nothing"), std::string::npos);
}

TEST(TaskTomlTest, ReadsAUsersTaskWithDefaults) {
  const auto task = parse_task(kSmall, "/data/mine.toml");
  ASSERT_TRUE(task.has_value()) << task.error().message;
  EXPECT_EQ(task->sources[0].local, "/data/rows.jsonl");
  EXPECT_EQ(task->grader.grader, "math");
  EXPECT_EQ(task->k, 1);
}

TEST(TaskTomlTest, ErrorsNameFileLineAndKey) {
  const std::string mistyped = std::string("temprature = 1\n") + kSmall;
  const auto unknown = parse_task(mistyped, "mine.toml");
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("mine.toml line 1: temprature: unknown key"),
            std::string::npos)
      << unknown.error().message;
  EXPECT_NE(unknown.error().message.find("temperature"), std::string::npos);
  const auto broken = parse_task("name = \n", "mine.toml");
  ASSERT_FALSE(broken.has_value());
  EXPECT_NE(broken.error().message.find("mine.toml line 1"), std::string::npos);
  const auto grader = parse_task(std::string(kSmall) + "[grader]\nname = \"maths\"\n", "mine.toml");
  ASSERT_FALSE(grader.has_value());
  EXPECT_NE(grader.error().message.find("'math'"), std::string::npos) << grader.error().message;
}

}  // namespace
}  // namespace r1eval
