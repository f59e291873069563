// A run directory: manifest.json, samples.jsonl, grades.HASH.jsonl, events.jsonl, results.json, …
//
// Append-only: a sample's line is written whole and flushed (fsync in batches); a torn last line,
// as kill -9 or a full disk leaves it, is cut off at the next opening. One writer at a time (lock
// file with flock): a second process gets an error that names the directory and the other process.
// Errors   kFailedPrecondition (locked; a manifest of another configuration, with the fields that
//          differ), kResourceExhausted (disk full: nothing written before is lost), kIo.
// Threads  append_* from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "results/record.h"

namespace r1eval {

class RunStore {
 public:
  // Makes or reopens `directory` for writing and takes its lock. `manifest_json` is written if the
  // directory is new; else its "config" object must equal the stored one.
  static Result<std::unique_ptr<RunStore>> open(const std::string& directory,
                                                const std::string& manifest_json);
  virtual ~RunStore() = default;

  virtual const std::string& directory() const = 0;
  // Samples that were there when the store was opened.
  virtual std::int64_t n_samples_found() const = 0;
  // All samples on disk, in file order; stops at the first error of `on_sample`.
  virtual Status for_each_sample(const std::function<Status(SampleRecord&&)>& on_sample) const = 0;
  virtual Status append_sample(const SampleRecord& record) = 0;
  // One JSON object about a retry, a failed request, a changed limit; a time stamp is added.
  virtual Status append_event(std::string_view json_object) = 0;
  // Replaces grades.HASH.jsonl atomically.
  virtual Status write_file(std::string_view name, std::string_view bytes) = 0;
  // Flushes everything to disk.
  virtual Status sync() = 0;
};

// Reads without a lock, for report, compare and grade.
Result<std::string> read_manifest(const std::string& directory);
Status read_samples(const std::string& directory,
                    const std::function<Status(SampleRecord&&)>& on_sample);

}  // namespace r1eval
