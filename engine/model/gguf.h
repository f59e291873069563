// GGUF model files, versions 2 and 3, little endian: typed key/values and a directory of tensors.
//
// Ownership  open() maps the file (and its further parts, for split models) read-only and keeps the
//            mapping for its lifetime; strings and tensor bytes that it hands out point into it.
//            parse() borrows the caller's bytes instead.
// Errors     kNotFound, kIo; kParse with file, what and byte offset for anything that the format
// does
//            not allow; kUnsupported for versions, byte orders and tensor types that we do not
//            read. Every count, offset and product is checked against the bytes that are there
//            before anything is allocated for it: a hostile or cut file is an error, never a crash.
// Threads    immutable after open(); release_pages() may be called any time.
// Source     the GGUF specification of the ggml project.
// Tested     tests/engine/cpu/gguf_test.cc, tests/fuzz/gguf_fuzz.cc
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/model/mapped_file.h"
#include "engine/model/tensor_type.h"

namespace r1eval {

struct GgufTensor {
  std::string name;
  TensorType type = TensorType::kF32;
  // Shape as GGUF states it: the first dimension is the row length (contiguous), so that a linear
  // layer's weight is {in, out}. 1 to 4 dimensions, each at least 1.
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;

  std::int64_t n_values() const;

  std::int64_t row_length() const { return shape.empty() ? 0 : shape[0]; }

  std::int64_t n_rows() const { return row_length() == 0 ? 0 : n_values() / row_length(); }
};

class GgufFile {
 public:
  static Result<GgufFile> open(const std::string& path);

  // `name` stands in messages. The bytes must outlive the result.
  static Result<GgufFile> parse(std::span<const std::byte> bytes, std::string name = "(memory)");

  GgufFile(GgufFile&&) noexcept;
  GgufFile& operator=(GgufFile&&) noexcept;
  ~GgufFile();

  const std::string& path() const { return path_; }

  std::uint32_t version() const { return version_; }

  // Key/values. get_x returns nothing where the key is absent, and an error (kParse, naming file,
  // key and both types) where it is there with another type. Integers of any width are one kind, so
  // are floats; get_float also takes integers.
  bool has(std::string_view key) const;
  Result<std::optional<std::string>> get_string(std::string_view key) const;
  Result<std::optional<std::int64_t>> get_int(std::string_view key) const;
  Result<std::optional<double>> get_float(std::string_view key) const;
  Result<std::optional<bool>> get_bool(std::string_view key) const;
  // The views point into the mapping.
  Result<std::optional<std::vector<std::string_view>>> get_string_array(std::string_view key) const;
  Result<std::optional<std::vector<std::int64_t>>> get_int_array(std::string_view key) const;
  Result<std::optional<std::vector<double>>> get_float_array(std::string_view key) const;
  bool is_array(std::string_view key) const;

  // The same for keys that a model cannot do without: absent is an error that names file and key.
  Result<std::string> require_string(std::string_view key) const;
  Result<std::int64_t> require_int(std::string_view key) const;
  Result<double> require_float(std::string_view key) const;

  std::vector<std::string> keys() const;

  const std::vector<GgufTensor>& tensors() const { return tensors_; }

  const GgufTensor* find_tensor(std::string_view name) const;  // null where absent

  // Bytes of the file, or of all parts.
  std::int64_t total_bytes() const;

  // Tells the system that the mapped pages are not needed any more (after weights were copied out).
  // Everything stays readable; it is read from disk again when touched.
  void release_pages() const;

 private:
  struct Value;
  class Parser;

  GgufFile();
  const Value* find(std::string_view key) const;
  Error wrong_type(std::string_view key, const Value& value, std::string_view wanted) const;
  Status index_tensors();

  std::string path_;
  std::uint32_t version_ = 0;
  std::int64_t parsed_bytes_ = 0;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, std::size_t, std::less<>> tensor_index_;
  std::vector<std::unique_ptr<MappedFile>> mappings_;
};

}  // namespace r1eval
