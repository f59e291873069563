// safetensors files: a JSON directory of tensors in front of their bytes.
//
// Layout   8 bytes little-endian length of the header, the header
//          {name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {…}}, the data.
// Ownership  open() maps the file read-only for its lifetime; parse() borrows the caller's bytes.
// Errors   kNotFound, kIo; kParse with file and tensor for anything that does not fit: a header or
//          data beyond the file, overlapping tensors, sizes that differ from shape times type;
//          kUnsupported for types that we do not read, by name.
// Threads  immutable after open(); release_pages() may be called any time.
// Source   the format's description in the safetensors library.
// Tested   tests/engine/model/safetensors_test.cc, tests/fuzz/safetensors_fuzz.cc
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/model/mapped_file.h"
#include "engine/model/tensor_type.h"

namespace r1eval {

struct SafetensorsTensor {
  std::string name;
  TensorType type = TensorType::kF32;
  std::vector<std::int64_t> shape;  // outermost first, as the file states it; may be empty
  std::span<const std::byte> bytes;

  std::int64_t n_values() const;
};

class SafetensorsFile {
 public:
  static Result<SafetensorsFile> open(const std::string& path);

  // `name` stands in messages. The bytes must outlive the result.
  static Result<SafetensorsFile> parse(std::span<const std::byte> bytes,
                                       std::string name = "(memory)");

  const std::string& path() const { return path_; }

  // In order of name.
  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }

  std::int64_t total_bytes() const { return total_bytes_; }

  void release_pages() const;

 private:
  SafetensorsFile() = default;

  std::string path_;
  std::int64_t total_bytes_ = 0;
  std::vector<SafetensorsTensor> tensors_;
  std::unique_ptr<MappedFile> mapping_;
};

}  // namespace r1eval
