// See memory.h.
#include "kernels/cpu/memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/file.h"

namespace r1eval::cpu {

Result<Block> Block::make(std::int64_t bytes, const std::string& what) {
  Block block;
  if (bytes <= 0) {
    return block;
  }
  void* data = ::mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("{} of {:.1f} MiB: {}", what, static_cast<double>(bytes) / 1048576.0,
                            std::strerror(errno)));
  }
  ::madvise(data, static_cast<std::size_t>(bytes), MADV_HUGEPAGE);
  block.data_ = static_cast<std::byte*>(data);
  block.bytes_ = bytes;
  return block;
}

Block::~Block() {
  if (data_ != nullptr) {
    ::munmap(data_, static_cast<std::size_t>(bytes_));
  }
}

Block::Block(Block&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Block& Block::operator=(Block&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

namespace {

// A file that holds one number, or -1.
std::int64_t number_in(const std::string& path) {
  const auto text = read_file(path);
  if (!text) {
    return -1;
  }
  char* end = nullptr;
  const long long value = std::strtoll(text.value().c_str(), &end, 10);
  return end == text.value().c_str() ? -1 : value;
}

}  // namespace

std::int64_t available_memory_bytes() {
  std::int64_t available = -1;
  if (const auto text = read_file("/proc/meminfo")) {
    const std::size_t at = text.value().find("MemAvailable:");
    if (at != std::string::npos) {
      available = std::strtoll(text.value().c_str() + at + 13, nullptr, 10) * 1024;
    }
  }
  const std::int64_t limit = number_in("/sys/fs/cgroup/memory.max");
  const std::int64_t used = number_in("/sys/fs/cgroup/memory.current");
  if (limit > 0 && used >= 0) {
    const std::int64_t left = std::max<std::int64_t>(limit - used, 0);
    available = available < 0 ? left : std::min(available, left);
  }
  return available;
}

}  // namespace r1eval::cpu
