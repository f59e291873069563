// Bringing data files into the store: from the network, or from files that the user has.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "base/download.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/hub.h"
#include "base/json.h"
#include "tasks/dataset_store.h"

namespace r1eval {
namespace {

using Say = std::function<void(const std::string&)>;

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::string base_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

Status check_bytes(const SourceFile& file, std::string_view bytes, const std::string& origin) {
  if (!file.sha256.empty()) {
    const std::string hash = sha256_hex(bytes);
    if (hash != file.sha256) {
      return fail(ErrorCode::kParse, fmt::format("{} ({} bytes): its SHA-256 is {}, expected {}",
                                                 origin, bytes.size(), hash, file.sha256));
    }
  }
  return ok_status();
}

Status put(const std::string& place, std::string_view bytes) {
  R1_RETURN_IF_ERROR(make_directories(folder_of(place)));
  return write_file_atomic(place, bytes);
}

// Copies a file that may not fit in memory.
Status copy_file(const std::string& from, const std::string& place) {
  R1_RETURN_IF_ERROR(make_directories(folder_of(place)));
  const std::string part = place + ".part";
  std::error_code error;
  std::filesystem::copy_file(from, part, std::filesystem::copy_options::overwrite_existing, error);
  if (!error) {
    // A read-only original would make a copy that cannot be replaced later.
    std::filesystem::permissions(part, std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add, error);
    std::filesystem::rename(part, place, error);
  }
  if (error) {
    std::error_code ignored;
    std::filesystem::remove(part, ignored);
    return errno_error(error.value(), "copy " + from + " to", place);
  }
  return ok_status();
}

}  // namespace

Status DatasetStore::fetch(const Task& task, const Say& say) const {
  std::vector<const SourceFile*> missing;
  for (const SourceFile& file : task.sources) {
    if (!file.path.empty() && file.is_official && file.release <= task.release &&
        !path_exists(place(task, file))) {
      missing.push_back(&file);
    }
  }
  if (missing.empty()) {
    say(fmt::format("{}: everything is there", task.name));
    return ok_status();
  }
  const auto get = [&](const std::string& url, const std::string& destination,
                       const std::string& sha256, std::int64_t bytes) {
    DownloadRequest request;
    request.url = resolve_hub_url(url);
    request.destination = destination;
    request.sha256 = sha256;
    request.bytes = bytes;
    request.headers = hub_headers(url);
    say(fmt::format("{}: fetching {}{}", task.name, request.url,
                    bytes > 0 ? fmt::format(" ({} bytes)", bytes) : ""));
    return download(request);
  };
  R1_RETURN_IF_ERROR(make_directories(fmt::format("{}/{}", root_, task.dataset)));
  if (!task.archive_url.empty()) {
    const std::string archive =
        fmt::format("{}/{}/{}", root_, task.dataset, base_name(task.archive_url));
    R1_RETURN_IF_ERROR(get(task.archive_url, archive, task.archive_sha256, task.archive_bytes));
    for (const SourceFile* file : missing) {
      R1_TRY(const std::string bytes, read_zip_member(archive, base_name(file->path), ""));
      R1_RETURN_IF_ERROR(check_bytes(*file, bytes, archive + " member " + base_name(file->path)));
      R1_RETURN_IF_ERROR(put(place(task, *file), bytes));
    }
    std::error_code ignored;
    std::filesystem::remove(archive, ignored);
  } else {
    for (const SourceFile* file : missing) {
      if (file->url.empty()) {
        return fail(
            ErrorCode::kUnsupported,
            fmt::format("{}: {} has no address to fetch it from: `r1eval data import {} PATH`",
                        task.name, file->path, task.name));
      }
      const std::string destination = place(task, *file);
      R1_RETURN_IF_ERROR(make_directories(folder_of(destination)));
      R1_RETURN_IF_ERROR(get(file->url, destination, file->sha256, file->bytes));
      if (file->sha256.empty()) {
        say(fmt::format("{}: {} is unverified: there is no checksum of ours for it", task.name,
                        destination));
      }
    }
  }
  say(fmt::format("{}: {} files are in {}/{}", task.name, missing.size(), root_, task.dataset));
  return ok_status();
}

namespace {

// Is the first row of a file without a pin one of this task's? Many files are named test.jsonl.
bool has_columns(const Task& task, const std::string& path) {
  bool has = true;
  const auto look = [&](std::string_view line, std::int64_t) -> Status {
    const Result<Json> row = parse_json(line);
    if (row && row->is_object()) {
      for (const std::string& column : {task.columns.id, task.columns.question}) {
        has = has && (column.empty() || row->contains(column.substr(0, column.find('.'))));
      }
    }
    return fail(ErrorCode::kCancelled, "one line is enough");
  };
  const Status read = for_each_line(path, look);
  return has && !read;
}

}  // namespace

Status DatasetStore::import(const Task& task, const std::string& path, const Say& say) const {
  if (!path_exists(path)) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: there is no such file or folder", path));
  }
  // What is wanted, by content and by name. Files of a known size only are hashed.
  std::map<std::string, std::vector<const SourceFile*>> by_hash;
  std::map<std::string, const SourceFile*> by_name;
  std::map<std::int64_t, bool> sizes;
  std::size_t n_wanted = 0;
  std::size_t n_pinned_required = 0;
  for (const SourceFile& file : task.sources) {
    if (file.path.empty()) {
      continue;
    }
    ++n_wanted;
    n_pinned_required += !file.sha256.empty() && !file.is_optional ? 1 : 0;
    if (file.sha256.empty()) {
      by_name[base_name(file.path)] = &file;
    } else {
      by_hash[file.sha256].push_back(&file);
      sizes[file.bytes] = true;
    }
  }
  if (n_wanted == 0) {
    say(fmt::format("{}: built in, there is nothing to import", task.name));
    return ok_status();
  }
  std::map<const SourceFile*, std::string> found;
  std::string near_miss;
  const auto look_at = [&](const std::string& candidate) -> Status {
    R1_TRY(const std::int64_t size, file_size(candidate));
    if (sizes.contains(size)) {
      R1_TRY(const std::string hash, sha256_file(candidate));
      if (const auto match = by_hash.find(hash); match != by_hash.end()) {
        for (const SourceFile* file : match->second) {
          found.emplace(file, candidate);
        }
        return ok_status();
      }
    }
    for (const SourceFile& file : task.sources) {
      if (!file.sha256.empty() && base_name(file.path) == base_name(candidate) &&
          near_miss.empty()) {
        near_miss =
            fmt::format("{} has the right name but {} bytes, expected {} bytes with SHA-256 {}",
                        candidate, size, file.bytes, file.sha256);
      }
    }
    if (const auto match = by_name.find(base_name(candidate));
        match != by_name.end() && has_columns(task, candidate)) {
      found.emplace(match->second, candidate);
    }
    return ok_status();
  };
  if (is_directory(path)) {
    std::error_code error;
    for (auto entry = std::filesystem::recursive_directory_iterator(
             path, std::filesystem::directory_options::skip_permission_denied, error);
         !error && entry != std::filesystem::recursive_directory_iterator();
         entry.increment(error)) {
      if (entry->is_regular_file(error)) {
        R1_RETURN_IF_ERROR(look_at(entry->path().string()));
      }
    }
    if (error) {
      return errno_error(error.value(), "look through", path);
    }
  } else {
    R1_RETURN_IF_ERROR(look_at(path));
    if (found.empty() && !by_name.empty() && (by_hash.empty() || n_pinned_required == 0)) {
      found.emplace(by_name.begin()->second, path);  // a single file of the user's, under any name
    }
    if (found.empty() && !task.archive_sha256.empty()) {
      R1_TRY(const std::string hash, sha256_file(path));
      if (hash == task.archive_sha256) {
        for (const SourceFile& file : task.sources) {
          R1_TRY(const std::string bytes, read_zip_member(path, base_name(file.path), ""));
          R1_RETURN_IF_ERROR(check_bytes(file, bytes, path));
          R1_RETURN_IF_ERROR(put(place(task, file), bytes));
        }
        say(fmt::format("{}: {} files taken from {}", task.name, task.sources.size(), path));
        return ok_status();
      }
    }
  }
  std::string missing;
  std::size_t n_missing = 0;
  for (const SourceFile& file : task.sources) {
    if (!file.path.empty() && !file.is_optional && !found.contains(&file)) {
      ++n_missing;
      if (n_missing <= 3) {
        missing += (missing.empty() ? "" : ", ") + file.path;
      }
    }
  }
  if (found.empty() && n_missing == 0) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: none of its files was found at {}. Nothing was imported.{}",
                            task.name, path, near_miss.empty() ? "" : " " + near_miss));
  }
  if (n_missing > 0) {
    return fail(
        ErrorCode::kParse,
        fmt::format("{}: {} of {} files were not found under {} ({}{}). Nothing was imported.{}",
                    task.name, n_missing, n_wanted, path, missing, n_missing > 3 ? ", …" : "",
                    near_miss.empty() ? "" : " " + near_miss));
  }
  for (const auto& [file, from] : found) {
    R1_RETURN_IF_ERROR(copy_file(from, place(task, *file)));
    if (!file->sha256.empty()) {
      R1_TRY(const std::string hash, sha256_file(place(task, *file)));
      if (hash != file->sha256) {
        std::error_code ignored;
        std::filesystem::remove(place(task, *file), ignored);
        return fail(ErrorCode::kIo, fmt::format("{} changed while it was copied", from));
      }
    }
  }
  const auto n_unpinned = std::count_if(
      found.begin(), found.end(), [](const auto& entry) { return entry.first->sha256.empty(); });
  say(fmt::format("{}: {} files imported into {}/{}{}", task.name, found.size(), root_,
                  task.dataset,
                  n_unpinned == 0 ? "" : " (unverified: there is no checksum of ours for them)"));
  return ok_status();
}

}  // namespace r1eval
