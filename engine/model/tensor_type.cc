// The table of tensor types, with the names of those that are refused.
#include "engine/model/tensor_type.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/check.h"

namespace r1eval {

namespace {

constexpr std::array<TensorTypeInfo, 12> kTypes{{
    {TensorType::kF32, "F32", 1, 4},
    {TensorType::kF16, "F16", 1, 2},
    {TensorType::kBF16, "BF16", 1, 2},
    {TensorType::kQ8_0, "Q8_0", 32, 34},
    {TensorType::kQ4_0, "Q4_0", 32, 18},
    {TensorType::kQ4_1, "Q4_1", 32, 20},
    {TensorType::kQ5_0, "Q5_0", 32, 22},
    {TensorType::kQ5_1, "Q5_1", 32, 24},
    {TensorType::kQ4_K, "Q4_K", 256, 144},
    {TensorType::kQ5_K, "Q5_K", 256, 176},
    {TensorType::kQ6_K, "Q6_K", 256, 210},
    {TensorType::kF8_E4M3, "F8_E4M3", 1, 1},
}};

// Types that exist but are not read, so that the refusal can name them.
constexpr std::array<std::pair<std::uint32_t, std::string_view>, 22> kRefused{{
    {9, "Q8_1"},     {10, "Q2_K"},  {11, "Q3_K"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
    {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"},
    {24, "I8"},      {25, "I16"},   {26, "I32"},    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},
    {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"},  {40, "NVFP4"},
}};

}  // namespace

const TensorTypeInfo& tensor_type_info(TensorType type) {
  for (const TensorTypeInfo& info : kTypes) {
    if (info.type == type) {
      return info;
    }
  }
  check_failed(__FILE__, __LINE__, "tensor type in table", "unknown tensor type");
}

std::optional<TensorType> tensor_type_from_number(std::uint32_t number) {
  for (const TensorTypeInfo& info : kTypes) {
    if (static_cast<std::uint32_t>(info.type) == number &&
        info.type < TensorType::kOnlySafetensors) {
      return info.type;
    }
  }
  return std::nullopt;
}

std::string describe_tensor_type_number(std::uint32_t number) {
  if (const auto type = tensor_type_from_number(number)) {
    return fmt::format("{} ({})", tensor_type_info(*type).name, number);
  }
  for (const auto& [id, name] : kRefused) {
    if (id == number) {
      return fmt::format("{} ({})", name, number);
    }
  }
  return fmt::format("unknown type {}", number);
}

std::optional<TensorType> tensor_type_from_safetensors(std::string_view name) {
  for (const TensorType type :
       {TensorType::kF32, TensorType::kF16, TensorType::kBF16, TensorType::kF8_E4M3}) {
    if (tensor_type_info(type).name == name) {
      return type;
    }
  }
  return std::nullopt;
}

std::string supported_tensor_types() {
  std::string text;
  for (const TensorTypeInfo& info : kTypes) {
    if (info.type > TensorType::kOnlySafetensors) {
      continue;
    }
    text += (text.empty() ? "" : ", ") + std::string(info.name);
  }
  return text;
}

}  // namespace r1eval
