#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

namespace r1eval {

Error errno_error(int error_number, std::string_view doing, std::string_view path) {
  ErrorCode code = ErrorCode::kIo;
  if (error_number == ENOENT || error_number == ENOTDIR) {
    code = ErrorCode::kNotFound;
  } else if (error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG) {
    code = ErrorCode::kResourceExhausted;
  } else if (error_number == EACCES || error_number == EPERM || error_number == EROFS) {
    code = ErrorCode::kFailedPrecondition;
  }
  return fail(code, fmt::format("{} {}: {}", doing, path, std::strerror(error_number)));
}

Result<std::string> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return errno_error(errno, "open", path);
  }

  struct stat info {};

  std::string bytes;
  if (::fstat(fd, &info) == 0 && info.st_size > 0) {
    bytes.reserve(static_cast<std::size_t>(info.st_size));
  }
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      const int error = errno;
      ::close(fd);
      return errno_error(error, "read", path);
    }
    if (n == 0) {
      break;
    }
    bytes.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(fd);
  return bytes;
}

Status write_file_atomic(const std::string& path, std::string_view bytes) {
  std::string temporary = path + ".part-XXXXXX";
  const int fd = ::mkstemp(temporary.data());
  if (fd < 0) {
    return errno_error(errno, "create a file beside", path);
  }
  const auto give_up = [&](int error, std::string_view doing) -> Status {
    ::close(fd);
    ::unlink(temporary.c_str());
    return errno_error(error, doing, path);
  };
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return give_up(errno, "write");
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  // mkstemp makes the file private; what we write is meant to be shared like any other file.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(fd, 0666 & ~mask) != 0 || ::fsync(fd) != 0) {
    return give_up(errno, "flush");
  }
  ::close(fd);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return errno_error(error, "rename into", path);
  }
  return ok_status();
}

Status make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return errno_error(error.value(), "create folder", path);
  }
  return ok_status();
}

bool path_exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

bool is_directory(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

Result<std::int64_t> file_size(const std::string& path) {
  struct stat info {};

  if (::stat(path.c_str(), &info) != 0) {
    return errno_error(errno, "look at", path);
  }
  return static_cast<std::int64_t>(info.st_size);
}

Status for_each_line(
    const std::string& path,
    const std::function<Status(std::string_view line, std::int64_t number)>& on_line) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return errno_error(errno, "open", path);
  }

  struct Closer {
    int fd;

    ~Closer() { ::close(fd); }
  } closer{fd};

  std::string pending;
  std::vector<char> buffer(1 << 18);
  std::int64_t number = 0;
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n < 0) {
      return errno_error(errno, "read", path);
    }
    if (n == 0) {
      break;
    }
    std::string_view piece(buffer.data(), static_cast<std::size_t>(n));
    for (std::size_t end = piece.find('\n'); end != std::string_view::npos;
         end = piece.find('\n')) {
      std::string_view line = piece.substr(0, end);
      if (!pending.empty()) {
        pending.append(line);
        line = pending;
      }
      R1_RETURN_IF_ERROR(on_line(line, ++number));
      pending.clear();
      piece.remove_prefix(end + 1);
    }
    pending.append(piece);
  }
  if (!pending.empty()) {
    R1_RETURN_IF_ERROR(on_line(pending, ++number));
  }
  return ok_status();
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  return value == nullptr ? std::string() : std::string(value);
}

namespace {

std::string xdg_directory(const char* variable, std::string_view under_home) {
  std::string root = environment(variable);
  if (root.empty()) {
    const std::string home = environment("HOME");
    root = (home.empty() ? std::string("/tmp") : home) + std::string(under_home);
  }
  return root + "/r1eval";
}

}  // namespace

std::string cache_directory() {
  return xdg_directory("XDG_CACHE_HOME", "/.cache");
}

std::string data_directory() {
  return xdg_directory("XDG_DATA_HOME", "/.local/share");
}

}  // namespace r1eval
