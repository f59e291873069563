// Rows of programming tasks: formats, releases, windows, and tests that stay in their file.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "base/file.h"
#include "base/json.h"
#include "tasks/dataset_store.h"
#include "tasks/prompt.h"
#include "tasks/registry.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

void nothing(const std::string&) {}

Task task_of(const std::string& files, const std::string& more = "") {
  const auto task =
      parse_task(fmt::format("name = \"t\"\nrelease = 2\n[dataset]\nname = \"t\"\n{}\n"
                             "[columns]\nid = \"id\"\nquestion = \"q\"\n"
                             "tests = [\"tests\"]\n{}\n[grader]\nname = \"code\"\n",
                             files, more),
                 "t.toml");
  EXPECT_TRUE(task.has_value()) << task.error().message;
  return *task;
}

std::string row(const std::string& id, const std::string& date, const std::string& tests = "[]") {
  OrderedJson json;
  json["id"] = id;
  json["q"] = "question " + id;
  json["date"] = date;
  json["tests"] = tests;
  return dump_json(json) + "\n";
}

void put(const TempDir& dir, const std::string& name, const std::string& bytes) {
  ASSERT_TRUE(make_directories(dir.file("t")).has_value());
  ASSERT_TRUE(write_file_atomic(dir.file("t/" + name), bytes).has_value());
}

std::string ids(const Result<TaskData>& data) {
  if (!data) {
    return data.error().message;
  }
  std::string out;
  for (const Item& item : data->items) {
    out += item.id + " ";
  }
  return out;
}

constexpr const char* kReleases =
    "files = [{path = \"a.jsonl\", release = 1, optional = true}, {path = \"b.jsonl\", release = "
    "2, "
    "optional = true}, {path = \"c.jsonl\", release = 3, optional = true}, "
    "{path = \"other.jsonl\", official = false, optional = true}]";

TEST(CodeRowsTest, ReadsTheFilesOfItsReleaseOnly) {
  const TempDir dir;
  put(dir, "a.jsonl", row("1", "2024-01-01"));
  put(dir, "b.jsonl", row("2", "2024-02-01"));
  put(dir, "c.jsonl", row("3", "2024-03-01"));
  const DatasetStore store(dir.file(""));
  Task task = task_of(kReleases);
  EXPECT_EQ(ids(store.load(task)), "1 2 ");
  task.release = 3;
  EXPECT_EQ(ids(store.load(task)), "1 2 3 ");
  task.release = 1;
  EXPECT_EQ(ids(store.load(task)), "1 ");
}

TEST(CodeRowsTest, StandInRowsAreMarkedAndGiveWayToOfficialOnes) {
  const TempDir dir;
  const DatasetStore store(dir.file(""));
  const Task task = task_of(kReleases);
  EXPECT_FALSE(store.has(task));
  EXPECT_EQ(store.load(task).error().code, ErrorCode::kNotFound);
  put(dir, "other.jsonl", row("9", "2024-01-01"));
  ASSERT_TRUE(store.has(task));
  EXPECT_EQ(ids(store.load(task)), "9 ");
  EXPECT_FALSE(store.load(task)->is_official);
  put(dir, "b.jsonl", row("2", "2024-02-01"));
  EXPECT_EQ(ids(store.load(task)), "2 ");
  EXPECT_TRUE(store.load(task)->is_official);
}

TEST(CodeRowsTest, KeepsAWindowOfDatesOrNumbers) {
  const TempDir dir;
  put(dir, "a.jsonl",
      row("2", "2024-01-31T22:30:00") + row("11", "2024-02-01") + row("111", "2024-03-01"));
  const DatasetStore store(dir.file(""));
  Task dates = task_of(kReleases,
                       "[filter]\ncolumn = \"date\"\nsince = \"2024-02-01\"\n"
                       "until = \"2024-03-01\"");
  EXPECT_EQ(ids(store.load(dates)), "11 ");
  dates.filter.until = "";
  EXPECT_EQ(ids(store.load(dates)), "11 111 ");
  const Task numbers = task_of(kReleases,
                               "[filter]\ncolumn = \"id\"\nsince = \"3\"\n"
                               "until = \"100\"\nnumeric = true");
  EXPECT_EQ(ids(store.load(numbers)), "11 ");
  Task words = numbers;
  words.filter.column = "date";
  EXPECT_NE(store.load(words).error().message.find("no whole number"), std::string::npos);
}

TEST(CodeRowsTest, LargeTestsStayInTheirFile) {
  const TempDir dir;
  const std::string tests(200'000, 'x');
  put(dir, "a.jsonl", row("1", "d", "small") + row("2", "d", tests) + row("3", "d", tests + "3"));
  const DatasetStore store(dir.file(""));
  const Task task = task_of(kReleases);
  const TaskData data = store.load(task).value();
  ASSERT_EQ(data.items.size(), 3U);
  EXPECT_FALSE(data.items[0].tests.empty());
  EXPECT_TRUE(data.items[1].tests.empty());
  const auto tests_of = [&](std::size_t i) {
    const Result<std::string> text = read_item_tests(task, data.items[i]);
    return text ? string_or(parse_json(*text).value(), "tests") : text.error().message;
  };
  EXPECT_EQ(tests_of(0), "small");
  EXPECT_EQ(tests_of(1), tests);
  EXPECT_EQ(tests_of(2), tests + "3");
  put(dir, "a.jsonl", row("7", "d", tests));
  EXPECT_NE(tests_of(1).find("was the file changed"), std::string::npos);
  EXPECT_FALSE(read_item_tests(task, data.items[2]).has_value());
}

TEST(CodeRowsTest, ReadsJsonListsAndGzip) {
  const TempDir dir;
  put(dir, "list.json",
      R"([{"id": 1, "q": "a", "tests": [{"input": "1", "output": "2"}]}, {"id": 2, "q": "b", "tests": []}])");
  const DatasetStore store(dir.file(""));
  const Task list = task_of("format = \"json\"\nfiles = [{path = \"list.json\"}]");
  EXPECT_EQ(ids(store.load(list)), "1 2 ");
  put(dir, "list.json", "{}");
  EXPECT_NE(ids(store.load(list)).find("expected a JSON list"), std::string::npos);

  const std::string path = dir.file("t/rows.jsonl.gz");
  gzFile const file = gzopen(path.c_str(), "wb");
  const std::string text = row("5", "d") + row("6", "d");
  ASSERT_EQ(gzwrite(file, text.data(), static_cast<unsigned>(text.size())),
            static_cast<int>(text.size()));
  gzclose(file);
  const Task packed = task_of("format = \"jsonl.gz\"\nfiles = [{path = \"rows.jsonl.gz\"}]");
  EXPECT_EQ(ids(store.load(packed)), "5 6 ");
  put(dir, "rows.jsonl.gz", text);
  EXPECT_NE(ids(store.load(packed)).find("not gzip"), std::string::npos);
}

TEST(CodeRowsTest, ImportsAFileWithoutAPinOnlyIfItHasTheColumns) {
  const TempDir dir;
  ASSERT_TRUE(make_directories(dir.file("have/x")).has_value());
  ASSERT_TRUE(write_file_atomic(dir.file("have/x/a.jsonl"), "{\"problem\": 1}\n").has_value());
  const DatasetStore store(dir.file("store"));
  const Task task = task_of(kReleases);
  EXPECT_FALSE(store.import(task, dir.file("have"), nothing).has_value());
  EXPECT_FALSE(store.has(task));
  ASSERT_TRUE(write_file_atomic(dir.file("have/b.jsonl"), row("2", "d")).has_value());
  ASSERT_TRUE(store.import(task, dir.file("have"), nothing).has_value());
  EXPECT_EQ(ids(store.load(task)), "2 ");
}

TEST(CodeRowsTest, APromptShowsAllTestsOfAList) {
  const TempDir dir;
  put(dir, "a.jsonl",
      R"({"id": "1", "q": "add", "tests": ["assert 1", "assert 2"]})"
      "\n");
  const Task task = task_of(kReleases,
                            "metadata = {asserts = \"tests.*\"}\n[prompt]\nstyle = \"template\"\n"
                            "text = \"{question}:\\n{asserts}\"");
  const TaskData data = DatasetStore(dir.file("")).load(task).value();
  const auto renderer = PromptRenderer::create(task, data, {}).value();
  EXPECT_EQ(renderer->render(0, 0).messages.back().content, "add:\nassert 1\nassert 2");
}

TEST(CodeRowsTest, BuiltInCodeTasksAreWhole) {
  const TaskRegistry registry = TaskRegistry::open().value();
  for (const char* const name : {"livecodebench", "humaneval", "mbpp", "leetcode_dataset",
                                 "rllm_leetcode", "rllm_codeforces", "rllm_code_contests"}) {
    const Result<Task> task = registry.find(name);
    ASSERT_TRUE(task.has_value()) << name;
    EXPECT_EQ(task->grader.grader, "code") << name;
    EXPECT_FALSE(task->columns.tests.empty()) << name;
    EXPECT_TRUE(make_grader(task->grader).has_value()) << name;
  }
  EXPECT_TRUE(registry.find("humaneval")->is_official);
  EXPECT_FALSE(registry.find("rllm_codeforces")->is_official);
}

}  // namespace
}  // namespace r1eval
