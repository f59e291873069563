// Reads float32 tensors of a small safetensors file: expected logits of conformance vectors.
//
// Format  8 bytes little-endian header length, JSON {name: {dtype, shape, data_offsets}}, data.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/result.h"

namespace r1eval {

struct FloatTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

inline Result<FloatTensor> read_safetensor(const std::string& path, const std::string& name) {
  R1_TRY(const std::string bytes, read_file(path));
  const auto broken = [&](const std::string& what) {
    return fail(ErrorCode::kParse, path + ": " + what);
  };
  std::uint64_t header_bytes = 0;
  if (bytes.size() < 8) {
    return broken("no header");
  }
  std::memcpy(&header_bytes, bytes.data(), 8);
  if (header_bytes > bytes.size() - 8) {
    return broken("header beyond the file");
  }
  R1_TRY(const Json header, parse_json(std::string_view(bytes).substr(8, header_bytes)));
  const Json* entry = find_member(header, name);
  if (entry == nullptr || string_or(*entry, "dtype") != "F32") {
    return broken("no F32 tensor " + name);
  }
  FloatTensor tensor;
  tensor.shape = (*entry)["shape"].get<std::vector<std::int64_t>>();
  const auto offsets = (*entry)["data_offsets"].get<std::vector<std::uint64_t>>();
  const std::uint64_t start = 8 + header_bytes;
  if (offsets.size() != 2 || offsets[1] < offsets[0] || offsets[1] > bytes.size() - start) {
    return broken("data beyond the file");
  }
  tensor.values.resize((offsets[1] - offsets[0]) / 4);
  std::memcpy(tensor.values.data(), bytes.data() + start + offsets[0], tensor.values.size() * 4);
  return tensor;
}

}  // namespace r1eval
