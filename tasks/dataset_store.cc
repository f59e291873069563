#include "tasks/dataset_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zip.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "tasks/csv.h"
#include "tasks/embedded.h"

namespace r1eval {
namespace {

constexpr std::int64_t kLargestMember = std::int64_t{1} << 31;
// Tests above this stay in their file until an item is graded: LiveCodeBench's are gigabytes.
constexpr std::size_t kLargestKeptTests = std::size_t{64} << 10;

std::string strip(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n\v\f");
  if (begin == std::string_view::npos) {
    return "";
  }
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n\v\f") - begin + 1));
}

// One row, whatever the file's format: columns by name.
using Row = std::map<std::string, std::string, std::less<>>;

struct RowReader {
  const Task& task;
  const SourceFile& file;
  std::string origin;  // for errors

  Error error(std::int64_t line, std::string_view text) const {
    return fail(ErrorCode::kParse, fmt::format("{} line {}: {}", origin, line, text));
  }

  Result<std::string> column(const Row& row, std::int64_t line, const std::string& name) const {
    if (name == "@value") {
      return file.value;
    }
    if (name == "@group") {
      return file.group;
    }
    const auto found = row.find(name);
    if (found == row.end()) {
      std::string there;
      for (const auto& [key, value] : row) {
        there += (there.empty() ? "" : ", ") + key;
        if (there.size() > 300) {
          there += ", …";
          break;
        }
      }
      return error(line, fmt::format("column '{}' is missing; there are {}", name, there));
    }
    return found->second;
  }

  // Is `value` below `bound` in the filter's order?
  Result<bool> is_below(const std::string& value, const std::string& bound,
                        std::int64_t line) const {
    if (!task.filter.is_numeric) {
      return value < bound;
    }
    std::int64_t numbers[2] = {0, 0};
    for (int i = 0; i < 2; ++i) {
      const std::string& text = i == 0 ? value : bound;
      const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), numbers[i]);
      if (code != std::errc() || end != text.data() + text.size()) {
        return error(line, fmt::format("column '{}': '{}' is no whole number", task.filter.column,
                                       text.substr(0, 40)));
      }
    }
    return numbers[0] < numbers[1];
  }

  Result<bool> passes_filter(const Row& row, std::int64_t line) const {
    const RowFilter& filter = task.filter;
    if (filter.column.empty()) {
      return true;
    }
    R1_TRY(const std::string value, column(row, line, filter.column));
    if (!filter.since.empty()) {
      R1_TRY(const bool is_too_low, is_below(value, filter.since, line));
      if (is_too_low) {
        return false;
      }
    }
    return filter.until.empty() ? Result<bool>(true) : is_below(value, filter.until, line);
  }

  Result<std::string> tests_of(const Row& row, std::int64_t line) const {
    OrderedJson tests;
    for (const std::string& name : task.columns.tests) {
      R1_TRY(tests[name], column(row, line, name));
    }
    return dump_json(tests);
  }

  Status item(const Row& row, std::int64_t line, std::int64_t number,
              std::vector<Item>& items) const {
    const ColumnMap& columns = task.columns;
    const auto text = [&](std::string value) {
      return columns.strip ? strip(value) : std::move(value);
    };
    R1_TRY(const bool is_kept, passes_filter(row, line));
    if (!is_kept) {
      return ok_status();
    }
    Item item;
    if (columns.id.empty()) {
      item.id =
          file.value.empty() ? std::to_string(number) : fmt::format("{}/{}", file.value, number);
    } else {
      R1_TRY(item.id, column(row, line, columns.id));
      item.id = strip(item.id);
    }
    R1_TRY(std::string question, column(row, line, columns.question));
    item.question = text(std::move(question));
    if (item.question.empty()) {
      return error(line, fmt::format("column '{}' is empty", columns.question));
    }
    for (const std::string& name : columns.choices) {
      R1_TRY(std::string choice, column(row, line, name));
      item.choices.push_back(text(std::move(choice)));
    }
    if (columns.target_is_first_choice) {
      item.correct_choice = 0;
      item.target = "A";
    } else if (!columns.target.empty()) {
      R1_TRY(const std::string target, column(row, line, columns.target));
      item.target = strip(target);
      if (item.target.empty()) {
        return error(
            line, fmt::format("column '{}' is empty: every item needs its answer", columns.target));
      }
    }
    if (!item.choices.empty() && !columns.target_is_first_choice) {
      const auto n = static_cast<std::int64_t>(item.choices.size());
      item.correct_choice = item.target.size() == 1 ? item.target[0] - 'A' : -1;
      if (item.correct_choice < 0 || item.correct_choice >= n) {
        return error(
            line, fmt::format("column '{}' is '{}': expected a letter from A to {}", columns.target,
                              item.target.substr(0, 40), static_cast<char>('A' + n - 1)));
      }
    }
    for (const auto& [name, from] : columns.metadata) {
      R1_TRY(item.metadata[name], column(row, line, from));
    }
    if (!columns.cluster.empty()) {
      R1_TRY(item.cluster, column(row, line, columns.cluster));
    }
    if (!columns.stratum.empty()) {
      R1_TRY(item.stratum, column(row, line, columns.stratum));
    }
    if (!columns.tests.empty()) {
      R1_TRY(item.tests, tests_of(row, line));
    }
    items.push_back(std::move(item));
    return ok_status();
  }
};

void flatten(const Json& object, Row& row) {
  const auto text = [](const Json& value) {
    return value.is_string() ? value.get<std::string>()
                             : (value.is_null() ? std::string() : dump_json(value));
  };
  for (const auto& [key, value] : object.items()) {
    row[key] = text(value);
    if (value.is_array()) {
      std::string& lines = row[key + ".*"];  // all members, one a line
      for (std::size_t i = 0; i < value.size() && i < 32; ++i) {
        row[fmt::format("{}.{}", key, i)] = text(value[i]);
        lines += (i == 0 ? "" : "\n") + text(value[i]);
      }
    }
  }
}

Status read_object(const RowReader& reader, const Json& object, std::int64_t number,
                   std::int64_t& n_rows, std::vector<Item>& items) {
  if (!object.is_object()) {
    return reader.error(number, fmt::format("expected a JSON object, got {}", object.type_name()));
  }
  Row row;
  flatten(object, row);
  return reader.item(row, number, n_rows++, items);
}

Status read_jsonl_line(const RowReader& reader, std::string_view line, std::int64_t number,
                       std::int64_t& n_rows, std::vector<Item>& items) {
  if (strip(line).empty()) {
    return ok_status();
  }
  const Result<Json> object = parse_json(line);
  if (!object) {
    return reader.error(number, object.error().message);
  }
  return read_object(reader, *object, number, n_rows, items);
}

// One JSON list of objects; rows are numbered from 1.
Status read_json_list(const RowReader& reader, std::string_view text, std::int64_t& n_rows,
                      std::vector<Item>& items) {
  const Result<Json> list = parse_json(text);
  if (!list) {
    return list.error().with_context(reader.origin);
  }
  if (!list->is_array()) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: expected a JSON list, got {}", reader.origin, list->type_name()));
  }
  std::int64_t number = 0;
  for (const Json& object : *list) {
    R1_RETURN_IF_ERROR(read_object(reader, object, ++number, n_rows, items));
  }
  return ok_status();
}

Result<std::string> read_gzip(const std::string& path) {
  gzFile const file = gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    return errno_error(errno, "open", path);
  }

  struct Closer {
    gzFile file;

    ~Closer() { gzclose(file); }
  } closer{file};

  std::string bytes;
  std::vector<char> buffer(1 << 18);
  int n = 0;
  while ((n = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0) {
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
    if (static_cast<std::int64_t>(bytes.size()) > kLargestMember) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: unpacks to more than {} bytes", path, kLargestMember));
    }
  }
  if (n < 0 || gzdirect(file) != 0) {
    return fail(ErrorCode::kParse, fmt::format("{}: damaged, or not gzip", path));
  }
  return bytes;
}

Status read_csv_text(const RowReader& reader, std::string_view text, std::vector<Item>& items) {
  Result<std::vector<CsvRow>> rows = parse_csv(text);
  if (!rows) {
    return rows.error().with_context(reader.origin);
  }
  std::vector<std::string> names;
  std::size_t first = 0;
  if (reader.task.columns.has_header && !rows->empty()) {
    names = rows->front().fields;
    first = 1;
  } else if (!rows->empty()) {
    for (std::size_t c = 0; c < rows->front().fields.size(); ++c) {
      names.push_back(std::to_string(c));
    }
  }
  for (std::size_t r = first; r < rows->size(); ++r) {
    CsvRow& fields = (*rows)[r];
    if (fields.fields.size() != names.size()) {
      return reader.error(
          fields.line, fmt::format("{} columns, expected {}", fields.fields.size(), names.size()));
    }
    Row row;
    for (std::size_t c = 0; c < names.size(); ++c) {
      row.emplace(names[c], std::move(fields.fields[c]));
    }
    R1_RETURN_IF_ERROR(reader.item(row, fields.line, static_cast<std::int64_t>(r - first), items));
  }
  return ok_status();
}

std::string_view builtin_text(const std::string& name) {
  for (const auto& [file, text] : embedded_task_files()) {
    if (file == name) {
      return text;
    }
  }
  return "";
}

}  // namespace

Result<std::string> read_zip_member(const std::string& path, const std::string& member,
                                    const std::string& password) {
  int code = 0;
  zip_t* const archive = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (archive == nullptr) {
    zip_error_t reason;
    zip_error_init_with_code(&reason, code);
    const std::string text = zip_error_strerror(&reason);
    zip_error_fini(&reason);
    return fail(ErrorCode::kParse, fmt::format("{}: {}", path, text));
  }

  struct Closer {
    zip_t* archive;

    ~Closer() { zip_discard(archive); }
  } closer{archive};

  // The exact name, else the only member whose path ends in it.
  zip_int64_t index = zip_name_locate(archive, member.c_str(), 0);
  if (index < 0) {
    const zip_int64_t n = zip_get_num_entries(archive, 0);
    for (zip_int64_t i = 0; i < n; ++i) {
      const char* name = zip_get_name(archive, static_cast<zip_uint64_t>(i), 0);
      if (name != nullptr && std::string_view(name).ends_with("/" + member)) {
        index = i;
        break;
      }
    }
  }
  if (index < 0) {
    return fail(ErrorCode::kParse, fmt::format("{}: no member named {}", path, member));
  }
  zip_stat_t info;
  if (zip_stat_index(archive, static_cast<zip_uint64_t>(index), 0, &info) != 0 ||
      (info.valid & ZIP_STAT_SIZE) == 0 || info.size > static_cast<zip_uint64_t>(kLargestMember)) {
    return fail(ErrorCode::kParse, fmt::format("{}: member {} has no usable size", path, member));
  }
  zip_file_t* const file =
      password.empty() ? zip_fopen_index(archive, static_cast<zip_uint64_t>(index), 0)
                       : zip_fopen_index_encrypted(archive, static_cast<zip_uint64_t>(index), 0,
                                                   password.c_str());
  if (file == nullptr) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: member {}: {}", path, member, zip_strerror(archive)));
  }
  std::string bytes;
  std::vector<char> buffer(1 << 18);
  zip_int64_t n = 0;
  while ((n = zip_fread(file, buffer.data(), buffer.size())) > 0) {
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
    if (static_cast<std::int64_t>(bytes.size()) > kLargestMember) {
      break;
    }
  }
  zip_fclose(file);
  if (n < 0 || bytes.size() != info.size) {
    return fail(ErrorCode::kParse, fmt::format("{}: member {} is damaged: {} of {} bytes came out",
                                               path, member, bytes.size(), info.size));
  }
  return bytes;
}

DatasetStore::DatasetStore(std::string root) : root_(std::move(root)) {
  if (root_.empty()) {
    root_ = environment("R1EVAL_DATA_DIR");
  }
  if (root_.empty()) {
    root_ = data_directory() + "/datasets";
  }
}

std::string DatasetStore::place(const Task& task, const SourceFile& file) const {
  return file.local.empty() ? fmt::format("{}/{}/{}", root_, task.dataset, file.path) : file.local;
}

std::vector<FileStatus> DatasetStore::status(const Task& task, bool deep) const {
  std::vector<FileStatus> out;
  for (const SourceFile& file : task.sources) {
    FileStatus status;
    if (!file.builtin.empty()) {
      status.path = "(built in) " + file.builtin;
      status.state = FileState::kVerified;
      out.push_back(std::move(status));
      continue;
    }
    status.path = place(task, file);
    const Result<std::int64_t> size = file_size(status.path);
    if (!size) {
      status.state = FileState::kMissing;
      status.detail = file.is_optional ? "optional" : "";
    } else if (file.bytes >= 0 && *size != file.bytes) {
      status.state = FileState::kCorrupt;
      status.detail = fmt::format("{} bytes, expected {}", *size, file.bytes);
    } else if (file.sha256.empty()) {
      status.state = FileState::kUnverified;
      status.detail =
          file.local.empty() ? "there is no checksum of ours for it" : "a file of yours";
    } else {
      status.state = FileState::kVerified;
      if (deep) {
        const Result<std::string> hash = sha256_file(status.path);
        if (!hash || *hash != file.sha256) {
          status.state = FileState::kCorrupt;
          status.detail = hash ? fmt::format("SHA-256 {}, expected {}", *hash, file.sha256)
                               : hash.error().message;
        }
      }
    }
    out.push_back(std::move(status));
  }
  return out;
}

bool DatasetStore::has(const Task& task) const {
  const bool any =
      std::any_of(task.sources.begin(), task.sources.end(), [&](const SourceFile& file) {
        return !file.builtin.empty() ||
               (file.release <= task.release && path_exists(place(task, file)));
      });
  return any && std::all_of(task.sources.begin(), task.sources.end(), [&](const SourceFile& file) {
           return !file.builtin.empty() || file.is_optional || file.release > task.release ||
                  path_exists(place(task, file));
         });
}

Result<std::string> read_item_tests(const Task& task, const Item& item) {
  if (item.row_path.empty()) {
    return item.tests;
  }
  const int fd = ::open(item.row_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return errno_error(errno, "open", item.row_path);
  }
  std::string line(static_cast<std::size_t>(item.row_bytes), '\0');
  std::size_t done = 0;
  ssize_t n = 1;
  while (done < line.size() && n > 0) {
    n = ::pread(fd, line.data() + done, line.size() - done,
                item.row_offset + static_cast<std::int64_t>(done));
    if (n < 0 && errno == EINTR) {
      n = 1;
      continue;
    }
    done += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  ::close(fd);
  const Result<Json> object = parse_json(std::string_view(line).substr(0, done));
  const RowReader reader{task, task.sources.front(), item.row_path};
  Row row;
  if (object && object->is_object()) {
    flatten(*object, row);
  }
  if (!task.columns.id.empty() && strip(row[task.columns.id]) != item.id) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: item {} is not where it was when the data were loaded; was the "
                            "file changed?",
                            item.row_path, item.id));
  }
  return reader.tests_of(row, 0);
}

Result<TaskData> DatasetStore::load(const Task& task) const {
  TaskData data;
  Sha256 all;
  if (!has(task)) {
    return fail(
        ErrorCode::kNotFound,
        fmt::format("no data for {} under {}: `r1eval data fetch {}`, or `r1eval data import "
                    "{} PATH` from files that you have",
                    task.name, root_, task.name, task.name));
  }
  data.is_official = task.is_official;
  // Rows that stand in for official ones are read only where there is no official one.
  const bool has_official =
      std::any_of(task.sources.begin(), task.sources.end(), [&](const SourceFile& file) {
        return file.is_official && file.release <= task.release && file.builtin.empty() &&
               path_exists(place(task, file));
      });
  for (const SourceFile& file : task.sources) {
    if (file.release > task.release || (!file.is_official && has_official)) {
      continue;
    }
    std::vector<Item>& items = file.role == "shots" ? data.shots : data.items;
    const RowReader reader{task, file,
                           file.builtin.empty() ? place(task, file) : "built-in " + file.builtin};
    std::int64_t n_rows = static_cast<std::int64_t>(items.size());
    const auto read_lines = [&](std::string_view text) -> Status {
      std::int64_t number = 0;
      while (!text.empty()) {
        const std::size_t end = text.find('\n');
        R1_RETURN_IF_ERROR(read_jsonl_line(reader, text.substr(0, end), ++number, n_rows, items));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      }
      return ok_status();
    };
    if (!file.builtin.empty()) {
      const std::string_view text = builtin_text(file.builtin);
      if (text.empty()) {
        return fail(ErrorCode::kNotFound,
                    fmt::format("task {}: nothing is built in as '{}'", task.name, file.builtin));
      }
      all.update(sha256_hex(text));
      R1_RETURN_IF_ERROR(read_lines(text));
      continue;
    }
    const std::string path = place(task, file);
    if (!path_exists(path)) {
      if (file.is_optional) {
        continue;
      }
      return fail(ErrorCode::kNotFound,
                  fmt::format("{} is not there: `r1eval data fetch {}`, or `r1eval data import {} "
                              "PATH` from files that you have",
                              path, task.name, task.name));
    }
    data.is_official = data.is_official && file.is_official;
    // Bytes are hashed as they are used: a file that changed since it was fetched never gets asked.
    R1_TRY(const std::string hash, sha256_file(path));
    if (!file.sha256.empty() && hash != file.sha256) {
      return fail(ErrorCode::kParse,
                  fmt::format("{}: its SHA-256 is {}, the task expects {}: bring it again with "
                              "`r1eval data fetch {}`",
                              path, hash, file.sha256, task.name));
    }
    all.update(hash);
    if (file.format == "jsonl") {
      // Row by row: a line of LiveCodeBench can hold megabytes of tests.
      std::int64_t offset = 0;
      const auto read_line = [&](std::string_view line, std::int64_t number) -> Status {
        const std::size_t n_items = items.size();
        R1_RETURN_IF_ERROR(read_jsonl_line(reader, line, number, n_rows, items));
        if (items.size() > n_items && items.back().tests.size() > kLargestKeptTests) {
          items.back().tests = std::string();
          items.back().row_path = path;
          items.back().row_offset = offset;
          items.back().row_bytes = static_cast<std::int64_t>(line.size());
        }
        offset += static_cast<std::int64_t>(line.size()) + 1;
        return ok_status();
      };
      R1_RETURN_IF_ERROR(for_each_line(path, read_line));
    } else if (file.format == "jsonl.gz") {
      R1_TRY(const std::string text, read_gzip(path));
      R1_RETURN_IF_ERROR(read_lines(text));
    } else if (file.format == "json") {
      R1_TRY(const std::string text, read_file(path));
      R1_RETURN_IF_ERROR(read_json_list(reader, text, n_rows, items));
    } else if (file.format == "csv") {
      R1_TRY(const std::string text, read_file(path));
      R1_RETURN_IF_ERROR(read_csv_text(reader, text, items));
    } else {
      R1_TRY(const std::string text, read_zip_member(path, file.member, file.password));
      R1_RETURN_IF_ERROR(read_csv_text(reader, text, items));
    }
  }
  std::set<std::string_view> ids;
  for (const Item& item : data.items) {
    if (!ids.insert(item.id).second) {
      return fail(ErrorCode::kParse,
                  fmt::format("task {}: two items have the id '{}'", task.name, item.id));
    }
  }
  if (data.items.empty()) {
    return fail(ErrorCode::kParse,
                fmt::format("task {}: its data has no rows{}", task.name,
                            task.filter.column.empty()
                                ? std::string()
                                : fmt::format(" with {} from {} up to {}", task.filter.column,
                                              task.filter.since, task.filter.until)));
  }
  data.dataset_sha256 = all.finish_hex();
  return data;
}

}  // namespace r1eval
