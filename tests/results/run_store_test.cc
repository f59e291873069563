#include "results/run_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <fstream>
#include <vector>

#include "base/file.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

const char* const kManifest = R"({"schema":1,"config":{"seed":0,"tasks":{"t":{"k":1}}}})";

SampleRecord sample(int i, std::size_t bytes = 10) {
  SampleRecord record;
  record.key = "key" + std::to_string(i);
  record.task = "t";
  record.item = std::to_string(i);
  record.answer = std::string(bytes, 'x');
  return record;
}

std::vector<std::string> items_of(const std::string& directory) {
  std::vector<std::string> items;
  EXPECT_TRUE(read_samples(directory, [&](const SampleRecord& record) {
                items.push_back(record.item);
                return ok_status();
              }).has_value());
  return items;
}

TEST(RunStoreTest, KeepsSamplesOverReopening) {
  const TempDir dir;
  for (int i = 0; i < 3; ++i) {
    const auto store = RunStore::open(dir.file("run"), kManifest);
    ASSERT_TRUE(store.has_value()) << store.error().message;
    EXPECT_EQ((*store)->n_samples_found(), i);
    ASSERT_TRUE((*store)->append_sample(sample(i)).has_value());
  }
  EXPECT_EQ(items_of(dir.file("run")), (std::vector<std::string>{"0", "1", "2"}));
}

TEST(RunStoreTest, CutsATornLastLineAndGoesOn) {
  const TempDir dir;
  {
    const auto store = RunStore::open(dir.file("run"), kManifest);
    ASSERT_TRUE((*store)->append_sample(sample(0)).has_value());
  }
  std::ofstream(dir.file("run") + "/samples.jsonl", std::ios::app) << R"({"key":"torn","ta)";
  const auto store = RunStore::open(dir.file("run"), kManifest);
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->n_samples_found(), 1);
  ASSERT_TRUE((*store)->append_sample(sample(1)).has_value());
  EXPECT_EQ(items_of(dir.file("run")), (std::vector<std::string>{"0", "1"}));
}

TEST(RunStoreTest, RefusesASecondWriterByName) {
  const TempDir dir;
  const auto first = RunStore::open(dir.file("run"), kManifest);
  ASSERT_TRUE(first.has_value());
  const auto second = RunStore::open(dir.file("run"), kManifest);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(second.error().message.find(dir.file("run")), std::string::npos);
}

TEST(RunStoreTest, RefusesAnotherConfigurationAndNamesWhatDiffers) {
  const TempDir dir;
  { ASSERT_TRUE(RunStore::open(dir.file("run"), kManifest).has_value()); }
  const auto other =
      RunStore::open(dir.file("run"), R"({"schema":1,"config":{"seed":7,"tasks":{"t":{"k":4}}}})");
  ASSERT_FALSE(other.has_value());
  EXPECT_NE(other.error().message.find("seed: 0 there, 7 now"), std::string::npos)
      << other.error().message;
  EXPECT_NE(other.error().message.find("tasks.t.k: 1 there, 4 now"), std::string::npos);
  EXPECT_NE(other.error().message.find("--fresh"), std::string::npos);
}

TEST(RunStoreTest, RefusesAManifestOfANewerSchema) {
  const TempDir dir;
  ASSERT_TRUE(make_directories(dir.file("run")).has_value());
  ASSERT_TRUE(write_file_atomic(dir.file("run") + "/manifest.json", R"({"schema":99,"config":{}})")
                  .has_value());
  const auto store = RunStore::open(dir.file("run"), kManifest);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::kUnsupported);
}

TEST(RunStoreTest, AFullDiskLosesNothingThatWasWritten) {
  const TempDir dir;
  const auto store = RunStore::open(dir.file("run"), kManifest);
  ASSERT_TRUE((*store)->append_sample(sample(0)).has_value());

  // A limit on file size fails a write in its middle, as a full disk does.
  struct rlimit old {};

  getrlimit(RLIMIT_FSIZE, &old);
  struct rlimit small = old;
  small.rlim_cur = 4096;
  const auto old_handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const Status failed = (*store)->append_sample(sample(1, 100000));
  const Status after = (*store)->append_sample(sample(2));
  setrlimit(RLIMIT_FSIZE, &old);
  signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kResourceExhausted);
  EXPECT_FALSE(after.has_value());
  EXPECT_EQ(items_of(dir.file("run")), (std::vector<std::string>{"0"}));
}

TEST(RunStoreTest, NamesAFolderThatCannotBeWritten) {
  const auto store = RunStore::open("/proc/no-such-place/run", kManifest);
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().message.find("/proc/no-such-place/run"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
