// A file mapped into memory, read-only.
//
// Errors   kNotFound, kIo with path and the system's reason; kInvalidArgument where it is no
// regular
//          file.
// Threads  immutable after open(); release() may be called any time.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace r1eval {

class MappedFile {
 public:
  // `what` names in messages what was expected: "a GGUF model file".
  static Result<std::unique_ptr<MappedFile>> open(const std::string& path, const std::string& what);

  MappedFile() = default;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Tells the system that the pages are not needed any more. Everything stays readable; it is read
  // from disk again when touched.
  void release() const;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace r1eval
