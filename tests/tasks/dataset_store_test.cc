#include "tasks/dataset_store.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hash.h"
#include "tasks/registry.h"
#include "tests/support/http_server.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

const std::string kRows = "{\"q\": \"1+1?\", \"a\": \"2\"}\n{\"q\": \"2+2?\", \"a\": 4}\n";

void nothing(const std::string&) {}

Task pinned_task(const std::string& url, const std::string& bytes = kRows) {
  return parse_task(
             fmt::format("name = \"t\"\n[dataset]\nname = \"t\"\nfiles = [{{path = \"rows.jsonl\", "
                         "bytes = {}, sha256 = \"{}\", url = \"{}\"}}]\n[columns]\nquestion = "
                         "\"q\"\ntarget = \"a\"\n",
                         bytes.size(), sha256_hex(bytes), url),
             "t.toml")
      .value();
}

TEST(DatasetStoreTest, ImportsAFileByItsContentAndLoadsIt) {
  const TempDir dir;
  ASSERT_TRUE(make_directories(dir.file("have/deep")).has_value());
  ASSERT_TRUE(write_file_atomic(dir.file("have/deep/other-name.jsonl"), kRows).has_value());
  const DatasetStore store(dir.file("store"));
  const Task task = pinned_task("");
  EXPECT_FALSE(store.has(task));
  const Status imported = store.import(task, dir.file("have"), nothing);
  ASSERT_TRUE(imported.has_value()) << imported.error().message;
  const auto data = store.load(task);
  ASSERT_TRUE(data.has_value()) << data.error().message;
  ASSERT_EQ(data->items.size(), 2u);
  EXPECT_EQ(data->items[1].target, "4");
}

TEST(DatasetStoreTest, RefusesAFileOfOtherContentAndLeavesNothing) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.file("rows.jsonl"), kRows + "\n").has_value());
  const DatasetStore store(dir.file("store"));
  const Task task = pinned_task("");
  const Status imported = store.import(task, dir.file("rows.jsonl"), nothing);
  ASSERT_FALSE(imported.has_value());
  EXPECT_NE(imported.error().message.find("rows.jsonl"), std::string::npos);
  EXPECT_FALSE(store.has(task));
}

TEST(DatasetStoreTest, NoticesAFileThatWasChangedInTheStore) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.file("rows.jsonl"), kRows).has_value());
  const DatasetStore store(dir.file("store"));
  const Task task = pinned_task("");
  ASSERT_TRUE(store.import(task, dir.file("rows.jsonl"), nothing).has_value());
  std::string changed = kRows;
  changed[8] = '3';
  ASSERT_TRUE(write_file_atomic(dir.file("store/t/rows.jsonl"), changed).has_value());
  const auto data = store.load(task);
  ASSERT_FALSE(data.has_value());
  EXPECT_NE(data.error().message.find("SHA-256"), std::string::npos);
  EXPECT_EQ(store.status(task, true)[0].state, FileState::kCorrupt);
}

TEST(DatasetStoreTest, BadRowsAreErrorsWithFileLineAndColumn) {
  const TempDir dir;
  const std::string toml =
      "name = \"t\"\n[dataset]\nfiles = [{local = \"r.jsonl\"}]\n[columns]\nquestion = \"q\"\n"
      "target = \"a\"\n";
  const Task task = parse_task(toml, dir.file("t.toml")).value();
  const DatasetStore store(dir.file("store"));
  for (const auto& [text, words] : std::vector<std::pair<std::string, std::string>>{
           {"{\"q\": \"x\", \"a\": \"1\"}\n{\"q\": \"y\"}\n", "line 2: column 'a' is missing"},
           {"{\"q\": \"x\"", "line 1"},
           {"[1]\n", "line 1: expected a JSON object"},
           {"{\"q\": \"x\", \"a\": \"\"}\n", "column 'a' is empty"},
           {"", "no rows"}}) {
    ASSERT_TRUE(write_file_atomic(dir.file("r.jsonl"), text).has_value());
    const auto data = store.load(task);
    ASSERT_FALSE(data.has_value()) << text;
    EXPECT_NE(data.error().message.find(words), std::string::npos) << data.error().message;
  }
}

TEST(DatasetStoreTest, FetchesFromAServerAndChecksWhatCame) {
  const TempDir dir;
  HttpServer server;
  server.serve("/rows.jsonl", kRows);
  const DatasetStore store(dir.file("store"));
  const Task good = pinned_task(server.url() + "/rows.jsonl");
  const Status fetched = store.fetch(good, nothing);
  ASSERT_TRUE(fetched.has_value()) << fetched.error().message;
  EXPECT_EQ(store.load(good)->items.size(), 2u);

  const DatasetStore other(dir.file("other"));
  std::string wrong = kRows;
  wrong[8] = '9';
  const Task bad = pinned_task(server.url() + "/rows.jsonl", wrong);
  const Status refused = other.fetch(bad, nothing);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("SHA-256"), std::string::npos);
  EXPECT_FALSE(other.has(bad));
}

TEST(DatasetStoreTest, LoadsTheOfficialSetsFromFilesThatTheUserHas) {
  R1_REQUIRE_SHARED(folder, "data");
  const TempDir dir;
  const DatasetStore store(dir.file("store"));
  const auto registry = TaskRegistry::open();
  const std::vector<std::pair<std::string, std::size_t>> sets = {{"math_500", 500},
                                                                 {"aime_2024", 30},
                                                                 {"aime_2025", 30},
                                                                 {"mmlu", 14042},
                                                                 {"gpqa_diamond", 198}};
  for (const auto& [name, n] : sets) {
    const Task task = registry->find(name).value();
    const Status imported = store.import(task, folder, nothing);
    ASSERT_TRUE(imported.has_value()) << imported.error().message;
    const auto data = store.load(task);
    ASSERT_TRUE(data.has_value()) << data.error().message;
    EXPECT_EQ(data->items.size(), n) << name;
    report_cases("rows of " + name, static_cast<long>(n));
  }
}

}  // namespace
}  // namespace r1eval
