#include "results/run_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/parallel.h"

namespace r1eval {
namespace {

constexpr std::int64_t kSchema = 1;
// fsync after this much or this long: what a power cut can cost, beside the requests in flight. A
// killed process loses nothing, as write() has already handed the bytes to the kernel.
constexpr std::int64_t kSyncBytes = 4 << 20;
constexpr double kSyncSeconds = 2;

std::string samples_path(const std::string& directory) {
  return directory + "/samples.jsonl";
}

std::string manifest_path(const std::string& directory) {
  return directory + "/manifest.json";
}

// A file that grows by whole lines. After a failed append it is cut back to whole lines and takes
// no more.
class AppendFile {
 public:
  ~AppendFile() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }

  Status open(const std::string& path) {
    path_ = path;
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd_ < 0) {
      return errno_error(errno, "open", path);
    }

    struct stat info {};

    if (::fstat(fd_, &info) != 0) {
      return errno_error(errno, "look at", path);
    }
    size_ = info.st_size;
    return cut_torn_line();
  }

  Status append(std::string_view line) {
    if (!status_.has_value()) {
      return status_;
    }
    std::string bytes(line);
    bytes += '\n';
    std::string_view left = bytes;
    while (!left.empty()) {
      const ssize_t n = ::write(fd_, left.data(), left.size());
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n < 0) {
        status_ = errno_error(errno, "write", path_);
        if (::ftruncate(fd_, size_) != 0) {
          log_warning(fmt::format("{}: a torn last line is left, the next opening cuts it", path_));
        }
        return status_;
      }
      left.remove_prefix(static_cast<std::size_t>(n));
    }
    size_ += static_cast<off_t>(bytes.size());
    unsynced_ += static_cast<std::int64_t>(bytes.size());
    const double now = steady_clock().now();
    if (unsynced_ >= kSyncBytes || now - synced_at_ >= kSyncSeconds) {
      return sync();
    }
    return ok_status();
  }

  Status sync() {
    if (unsynced_ == 0 || fd_ < 0) {
      return ok_status();
    }
    unsynced_ = 0;
    synced_at_ = steady_clock().now();
    if (::fdatasync(fd_) != 0 && errno != EINVAL && errno != EROFS) {
      status_ = errno_error(errno, "flush", path_);
      return status_;
    }
    return ok_status();
  }

 private:
  Status cut_torn_line() {
    off_t keep = size_;
    std::vector<char> buffer(1 << 16);
    while (keep > 0) {
      const off_t from = std::max<off_t>(0, keep - static_cast<off_t>(buffer.size()));
      const ssize_t n = ::pread(fd_, buffer.data(), static_cast<std::size_t>(keep - from), from);
      if (n <= 0) {
        return errno_error(n < 0 ? errno : EIO, "read", path_);
      }
      ssize_t at = n;
      while (at > 0 && buffer[static_cast<std::size_t>(at - 1)] != '\n') {
        --at;
      }
      keep = from + at;
      if (at > 0) {
        break;
      }
    }
    if (keep < size_) {
      log_warning(
          fmt::format("{}: the last line was torn ({} bytes, from an interrupted write); it "
                      "is cut off and its sample will be asked for again",
                      path_, size_ - keep));
      if (::ftruncate(fd_, keep) != 0) {
        return errno_error(errno, "cut the torn last line of", path_);
      }
      size_ = keep;
    }
    return ok_status();
  }

  std::string path_;
  int fd_ = -1;
  off_t size_ = 0;
  std::int64_t unsynced_ = 0;
  double synced_at_ = 0;
  Status status_;
};

// Names every member that differs between two JSON values, as dotted paths.
void differences(const Json& a, const Json& b, const std::string& path, std::string& out, int& n) {
  if (a == b) {
    return;
  }
  if (a.is_object() && b.is_object()) {
    std::set<std::string> keys;
    for (const auto& [key, value] : a.items()) {
      keys.insert(key);
    }
    for (const auto& [key, value] : b.items()) {
      keys.insert(key);
    }
    static const Json kNothing;
    for (const std::string& key : keys) {
      const auto in_a = a.find(key);
      const auto in_b = b.find(key);
      differences(in_a == a.end() ? kNothing : *in_a, in_b == b.end() ? kNothing : *in_b,
                  path.empty() ? key : path + "." + key, out, n);
    }
    return;
  }
  if (++n <= 8) {
    const auto text = [](const Json& value) {
      std::string s = dump_json(value);
      return s.size() > 60 ? s.substr(0, 57) + "..." : s;
    };
    out += fmt::format("{}{}: {} there, {} now", out.empty() ? "" : "; ", path, text(a), text(b));
  }
}

Status check_manifest(const std::string& directory, const std::string& stored_text,
                      const std::string& manifest_json) {
  Result<Json> stored = parse_json(stored_text);
  if (!stored) {
    return stored.error().with_context(manifest_path(directory));
  }
  const std::int64_t schema = int_or(*stored, "schema", 0);
  if (schema > kSchema) {
    return fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: its manifest has schema {}, this r1eval writes {}: use a newer r1eval",
                    directory, schema, kSchema));
  }
  R1_TRY(const Json wanted, parse_json(manifest_json));
  const Json* stored_config = find_member(*stored, "config");
  const Json* wanted_config = find_member(wanted, "config");
  if (stored_config == nullptr || wanted_config == nullptr) {
    return fail(ErrorCode::kParse, fmt::format("{} has no 'config'", manifest_path(directory)));
  }
  std::string what;
  int n = 0;
  differences(*stored_config, *wanted_config, "", what, n);
  if (n > 0) {
    return fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("{} holds a run of another configuration ({}{}): give another --out, or "
                    "--fresh to start anew there",
                    directory, what, n > 8 ? fmt::format("; and {} more", n - 8) : ""));
  }
  return ok_status();
}

class RunStoreOnDisk : public RunStore {
 public:
  ~RunStoreOnDisk() override {
    if (lock_fd_ >= 0) {
      ::close(lock_fd_);  // lets go of the lock
    }
  }

  Status open_at(const std::string& directory, const std::string& manifest_json) {
    directory_ = directory;
    R1_RETURN_IF_ERROR(make_directories(directory));
    R1_RETURN_IF_ERROR(take_lock());
    if (path_exists(manifest_path(directory))) {
      R1_TRY(const std::string stored, read_manifest(directory));
      R1_RETURN_IF_ERROR(check_manifest(directory, stored, manifest_json));
    } else if (path_exists(samples_path(directory))) {
      return fail(
          ErrorCode::kFailedPrecondition,
          fmt::format("{} has samples.jsonl but no manifest.json: it is no run directory of "
                      "ours, give another --out",
                      directory));
    } else {
      R1_RETURN_IF_ERROR(write_file_atomic(manifest_path(directory), manifest_json));
    }
    R1_RETURN_IF_ERROR(samples_.open(samples_path(directory)));
    R1_RETURN_IF_ERROR(events_.open(directory + "/events.jsonl"));
    std::int64_t n = 0;
    R1_RETURN_IF_ERROR(for_each_line(samples_path(directory), [&](std::string_view, std::int64_t) {
      ++n;
      return ok_status();
    }));
    n_samples_found_ = n;
    return ok_status();
  }

  const std::string& directory() const override { return directory_; }

  std::int64_t n_samples_found() const override { return n_samples_found_; }

  Status for_each_sample(const std::function<Status(SampleRecord&&)>& on_sample) const override {
    return read_samples(directory_, on_sample);
  }

  Status append_sample(const SampleRecord& record) override {
    const std::string line = sample_to_json(record);
    const std::lock_guard lock(mutex_);
    return samples_.append(line);
  }

  Status append_event(std::string_view json_object) override {
    Result<Json> parsed = parse_json(json_object);
    OrderedJson event;
    event["time"] = utc_timestamp();
    if (parsed && parsed->is_object()) {
      for (const auto& [key, value] : parsed->items()) {
        event[key] = value;
      }
    } else {
      event["text"] = std::string(json_object);
    }
    const std::string line = dump_json(event);
    const std::lock_guard lock(mutex_);
    return events_.append(line);
  }

  Status write_file(std::string_view name, std::string_view bytes) override {
    return write_file_atomic(fmt::format("{}/{}", directory_, name), bytes);
  }

  Status sync() override {
    const std::lock_guard lock(mutex_);
    R1_RETURN_IF_ERROR(samples_.sync());
    return events_.sync();
  }

 private:
  Status take_lock() {
    const std::string path = directory_ + "/.lock";
    lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock_fd_ < 0) {
      return errno_error(errno, "lock run directory", directory_);
    }
    if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
      char holder[32] = {};
      const ssize_t n = ::pread(lock_fd_, holder, sizeof holder - 1, 0);
      return fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} is being written by another r1eval (process {}): wait for it, or "
                              "give another --out",
                              directory_, n > 0 ? holder : "unknown"));
    }
    const std::string pid = std::to_string(::getpid());
    if (::ftruncate(lock_fd_, 0) != 0 ||
        ::pwrite(lock_fd_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
      return errno_error(errno, "write the lock of", directory_);
    }
    return ok_status();
  }

  std::string directory_;
  std::int64_t n_samples_found_ = 0;
  int lock_fd_ = -1;
  std::mutex mutex_;  // guards samples_ and events_
  AppendFile samples_;
  AppendFile events_;
};

}  // namespace

Result<std::unique_ptr<RunStore>> RunStore::open(const std::string& directory,
                                                 const std::string& manifest_json) {
  auto store = std::make_unique<RunStoreOnDisk>();
  R1_RETURN_IF_ERROR(store->open_at(directory, manifest_json));
  return std::unique_ptr<RunStore>(std::move(store));
}

Result<std::string> read_manifest(const std::string& directory) {
  Result<std::string> text = read_file(manifest_path(directory));
  if (!text) {
    return fail(text.error().code,
                fmt::format("{} is no run directory: {}", directory, text.error().message));
  }
  return text;
}

Status read_samples(const std::string& directory,
                    const std::function<Status(SampleRecord&&)>& on_sample) {
  // Lines are parsed in parallel, a bounded batch at a time, and handed over in file order.
  constexpr std::size_t kBatchBytes = std::size_t{16} << 20;

  struct Line {
    std::string text;
    std::int64_t number;
  };

  const std::string path = samples_path(directory);
  if (!path_exists(path)) {
    return ok_status();
  }
  std::vector<Line> batch;
  std::size_t bytes = 0;
  std::int64_t n_bad = 0;
  const auto flush = [&]() -> Status {
    std::vector<Result<SampleRecord>> records(batch.size(), Result<SampleRecord>(SampleRecord{}));
    parallel_for_index(
        static_cast<std::int64_t>(batch.size()),
        [&](std::int64_t i) {
          const auto at = static_cast<std::size_t>(i);
          records[at] = sample_from_json(batch[at].text);
        },
        8);
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (!records[i]) {
        if (++n_bad <= 3) {
          log_warning(fmt::format("{} line {} is left out: {}", path, batch[i].number,
                                  records[i].error().message));
        }
        continue;
      }
      R1_RETURN_IF_ERROR(on_sample(std::move(*records[i])));
    }
    batch.clear();
    bytes = 0;
    return ok_status();
  };
  R1_RETURN_IF_ERROR(for_each_line(path, [&](std::string_view line, std::int64_t number) -> Status {
    if (line.empty()) {
      return ok_status();
    }
    batch.push_back({std::string(line), number});
    bytes += line.size();
    return bytes >= kBatchBytes ? flush() : ok_status();
  }));
  R1_RETURN_IF_ERROR(flush());
  if (n_bad > 3) {
    log_warning(fmt::format("{}: {} unreadable lines in all", path, n_bad));
  }
  return ok_status();
}

}  // namespace r1eval
