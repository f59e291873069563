// Any bytes as a safetensors file: parsing ends in a value or an error, and every tensor that it
// hands out lies inside the bytes.
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = r1eval::SafetensorsFile::parse(std::as_bytes(std::span(data, size)), "fuzz");
  if (!file) {
    return 0;
  }
  unsigned sum = 0;
  for (const r1eval::SafetensorsTensor& tensor : file->tensors()) {
    if (tensor.n_values() * r1eval::tensor_type_info(tensor.type).block_bytes !=
        static_cast<std::int64_t>(tensor.bytes.size())) {
      __builtin_trap();
    }
    if (!tensor.bytes.empty()) {
      sum +=
          static_cast<unsigned>(tensor.bytes.front()) + static_cast<unsigned>(tensor.bytes.back());
    }
  }
  return sum == 0xffffffffU ? 1 : 0;
}
