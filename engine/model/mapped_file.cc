// See mapped_file.h.
#include "engine/model/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"

namespace r1eval {

Result<std::unique_ptr<MappedFile>> MappedFile::open(const std::string& path,
                                                     const std::string& what) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return errno_error(errno, "open", path);
  }

  struct stat status {};

  if (::fstat(fd, &status) != 0) {
    const int error = errno;
    ::close(fd);
    return errno_error(error, "stat", path);
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(fd);
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: not a regular file; {} is expected", path, what));
  }
  auto mapping = std::make_unique<MappedFile>();
  mapping->size_ = static_cast<std::size_t>(status.st_size);
  if (mapping->size_ > 0) {
    void* data = ::mmap(nullptr, mapping->size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) {
      const int error = errno;
      ::close(fd);
      return errno_error(error, "map", path);
    }
    mapping->data_ = static_cast<std::byte*>(data);
  }
  ::close(fd);
  return mapping;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    ::munmap(data_, size_);
  }
}

void MappedFile::release() const {
  if (data_ != nullptr) {
    ::madvise(data_, size_, MADV_DONTNEED);
  }
}

}  // namespace r1eval
