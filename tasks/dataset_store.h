// The dataset store: data files under data_directory()/datasets, each pinned by SHA-256.
//
// Nothing is ever half written: files are fetched or copied beside their place, checked, renamed.
// Errors name file, line or row, and column, what was expected and what was found, and how to get
// the data (`r1eval data fetch NAME`, `r1eval data import NAME PATH`).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/item.h"
#include "base/result.h"
#include "tasks/task.h"

namespace r1eval {

enum class FileState { kMissing, kVerified, kUnverified, kCorrupt };

struct FileStatus {
  std::string path;  // in the store
  FileState state = FileState::kMissing;
  std::string detail;  // what is wrong, or why it is unverified
};

// Rows of a task, ready to be asked.
struct TaskData {
  std::vector<Item> items;
  std::vector<Item> shots;     // in file order
  std::string dataset_sha256;  // over the files' hashes, in order
  bool is_official = true;     // false: rows or tests are not the benchmark's own
};

class DatasetStore {
 public:
  // `root` empty: data_directory()/datasets, or R1EVAL_DATA_DIR.
  explicit DatasetStore(std::string root = "");

  const std::string& root() const { return root_; }

  // State of every file of the task. `deep` hashes the bytes, else size and a stamp are compared.
  std::vector<FileStatus> status(const Task& task, bool deep) const;
  // True when all files are there (a built-in task always is).
  bool has(const Task& task) const;
  // Downloads what is missing. `say` gets progress lines.
  Status fetch(const Task& task, const std::function<void(const std::string&)>& say) const;
  // Takes files the user has: a file, a folder with them anywhere below, or an archive.
  Status import(const Task& task, const std::string& path,
                const std::function<void(const std::string&)>& say) const;
  // Reads and checks all rows. Errors: kNotFound when absent (with the commands that bring it).
  Result<TaskData> load(const Task& task) const;

 private:
  std::string place(const Task& task, const SourceFile& file) const;

  std::string root_;
};

// The test columns of an item of `task` as a JSON object of texts: Item::tests, or what its row in
// the store says. Errors: kIo, kParse when the file is no longer what was loaded.
Result<std::string> read_item_tests(const Task& task, const Item& item);

// The bytes of an archive's member, decrypted in memory. `member` is its path or the end of it.
// Errors: kParse naming archive, member and reason (wrong password, damaged, too large).
Result<std::string> read_zip_member(const std::string& path, const std::string& member,
                                    const std::string& password);

}  // namespace r1eval
