// The number formats that a weight may have.
//
// Layout   values are stored in blocks along a row; a block holds `block_values` values in
//          `block_bytes` bytes. Plain floats are blocks of one. Values are little endian.
// Source   the GGUF specification and the block structures of ggml-common.h (ggml project).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace r1eval {

// The numbers are those that a GGUF file stores; types that only safetensors files have come after
// kOnlySafetensors.
enum class TensorType : std::uint8_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
  kOnlySafetensors = 200,
  // Values of one byte, whose factors (one per 128 x 128 values) stand in a second tensor.
  kF8_E4M3 = 201,
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;
  std::int64_t block_values;
  std::int64_t block_bytes;
};

const TensorTypeInfo& tensor_type_info(TensorType type);

// The type with GGUF's number, or nothing where we do not read it from GGUF files.
std::optional<TensorType> tensor_type_from_number(std::uint32_t number);

// "IQ2_XS (17)" also for types that we do not read, "unknown type 999" otherwise.
std::string describe_tensor_type_number(std::uint32_t number);

// The type with safetensors' name ("BF16"), or nothing where we do not read it from such files.
std::optional<TensorType> tensor_type_from_safetensors(std::string_view name);

// "F32, F16, BF16, …": what GGUF files may hold, for messages.
std::string supported_tensor_types();

}  // namespace r1eval
