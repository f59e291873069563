// Any bytes as a GGUF file: parsing and every accessor end in a value or an error.
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/model/gguf.h"
#include "engine/model/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = r1eval::GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file) {
    return 0;
  }
  for (const std::string& key : file.value().keys()) {
    (void)file.value().get_string(key);
    (void)file.value().get_int(key);
    (void)file.value().get_float(key);
    (void)file.value().get_bool(key);
    (void)file.value().get_string_array(key);
    (void)file.value().get_int_array(key);
    (void)file.value().get_float_array(key);
  }
  // A wild touch of the first and last byte that each tensor claims.
  unsigned sum = 0;
  for (const r1eval::GgufTensor& tensor : file.value().tensors()) {
    sum += static_cast<unsigned>(tensor.bytes.front()) + static_cast<unsigned>(tensor.bytes.back());
  }
  (void)r1eval::read_model_config(file.value());
  return sum == 0xffffffffU ? 1 : 0;
}
