// See safetensors.h.
#include "engine/model/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "base/json.h"

namespace r1eval {

static_assert(std::endian::native == std::endian::little, "tensor values are read in place");

namespace {

// The format's own bound; the largest published model needs some 15 MB over all its shards.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxDimensions = 8;

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 120)) {
    out += c >= 0x20 && c < 0x7f ? c : '?';
  }
  return out;
}

// A list of non-negative integers of at most `most` entries; empty optional-like: false.
bool read_numbers(const Json* list, std::size_t most, std::vector<std::int64_t>& out) {
  if (list == nullptr || !list->is_array() || list->size() > most) {
    return false;
  }
  for (const Json& value : *list) {
    // Non-negative whole numbers are read as unsigned.
    if (!value.is_number_unsigned() ||
        value.get<std::uint64_t>() >
            static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return false;
    }
    out.push_back(value.get<std::int64_t>());
  }
  return true;
}

// Product of the shape times the type's size, or -1 where that overflows.
std::int64_t byte_size(const SafetensorsTensor& tensor) {
  std::int64_t n = tensor_type_info(tensor.type).block_bytes;
  for (const std::int64_t extent : tensor.shape) {
    if (__builtin_mul_overflow(n, extent, &n)) {
      return -1;
    }
  }
  return n;
}

}  // namespace

std::int64_t SafetensorsTensor::n_values() const {
  std::int64_t n = 1;
  for (const std::int64_t extent : shape) {
    n *= extent;
  }
  return n;
}

Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes, std::string name) {
  SafetensorsFile file;
  file.path_ = std::move(name);
  file.total_bytes_ = static_cast<std::int64_t>(bytes.size());
  const auto broken = [&](const std::string& what) {
    return fail(ErrorCode::kParse, fmt::format("{}: {}", file.path_, what));
  };
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) {
    return broken("is too short for a safetensors file; it is cut off, fetch it again");
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > bytes.size() - sizeof header_bytes || header_bytes > kMaxHeaderBytes) {
    return broken(
        fmt::format("states a header of {} bytes in a file of {}: not a safetensors file, "
                    "or cut off",
                    header_bytes, bytes.size()));
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof header_bytes,
                              header_bytes);
  const Result<Json> header = parse_json(text);
  if (!header) {
    return header.error().with_context(file.path_ + ": header");
  }
  if (!header->is_object()) {
    return broken("the header is no JSON object");
  }
  const auto data = bytes.subspan(sizeof header_bytes + header_bytes);

  struct Extent {
    std::int64_t begin;
    std::int64_t end;
    std::size_t tensor;
  };

  std::vector<Extent> extents;
  for (const auto& [key, entry] : header->items()) {
    if (key == "__metadata__") {
      continue;
    }
    const std::string shown = printable(key);
    SafetensorsTensor tensor;
    tensor.name = key;
    const std::string dtype = string_or(entry, "dtype");
    const auto type = tensor_type_from_safetensors(dtype);
    if (!type) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}: tensor {} is of type {}; F32, F16, BF16 and F8_E4M3 are read",
                              file.path_, shown, dtype.empty() ? "none" : printable(dtype)));
    }
    tensor.type = *type;
    std::vector<std::int64_t> offsets;
    if (!read_numbers(find_member(entry, "shape"), kMaxDimensions, tensor.shape) ||
        !read_numbers(find_member(entry, "data_offsets"), 2, offsets) || offsets.size() != 2) {
      return broken(fmt::format("tensor {}: shape or data_offsets cannot be read", shown));
    }
    if (offsets[0] > offsets[1] || static_cast<std::uint64_t>(offsets[1]) > data.size()) {
      return broken(
          fmt::format("tensor {}: data from {} to {}, but there are {} bytes; the file is "
                      "cut off or damaged, fetch it again",
                      shown, offsets[0], offsets[1], data.size()));
    }
    if (byte_size(tensor) != offsets[1] - offsets[0]) {
      return broken(fmt::format("tensor {}: {} bytes do not fit its shape and type", shown,
                                offsets[1] - offsets[0]));
    }
    tensor.bytes = data.subspan(static_cast<std::size_t>(offsets[0]),
                                static_cast<std::size_t>(offsets[1] - offsets[0]));
    extents.push_back({offsets[0], offsets[1], file.tensors_.size()});
    file.tensors_.push_back(std::move(tensor));
  }
  std::ranges::sort(extents, {}, &Extent::begin);
  for (std::size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      return broken(fmt::format("tensors {} and {} overlap",
                                printable(file.tensors_[extents[i - 1].tensor].name),
                                printable(file.tensors_[extents[i].tensor].name)));
    }
  }
  return file;
}

Result<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
  R1_TRY(auto mapping, MappedFile::open(path, "a safetensors file"));
  R1_TRY(SafetensorsFile file, parse(mapping->bytes(), path));
  file.mapping_ = std::move(mapping);
  return file;
}

void SafetensorsFile::release_pages() const {
  if (mapping_ != nullptr) {
    mapping_->release();
  }
}

}  // namespace r1eval
