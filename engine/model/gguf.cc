// Reading of GGUF files. See gguf.h for the contract.
//
// The parser walks the bytes once with a cursor that refuses to pass the end. Nothing is reserved
// by a count that the file states: vectors grow with what was really read, and a count that could
// not fit in the remaining bytes (each string takes at least 8, each tensor entry at least 24) is
// refused first, so that a 40-byte file cannot ask for gigabytes.
#include "engine/model/gguf.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>
#include <utility>

namespace r1eval {

static_assert(std::endian::native == std::endian::little, "GGUF values are read in place");

namespace {

enum ValueType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

constexpr std::int64_t kDefaultAlignment = 32;
constexpr std::int64_t kMaxAlignment = 1 << 20;
constexpr std::uint64_t kMaxNameBytes = 1 << 16;  // of a key or a tensor; ggml itself allows 64

// Bytes of a scalar, 0 for strings, arrays and unknown types.
std::int64_t scalar_bytes(std::uint32_t type) {
  switch (type) {
    case kUint8:
    case kInt8:
    case kBool:
      return 1;
    case kUint16:
    case kInt16:
      return 2;
    case kUint32:
    case kInt32:
    case kFloat32:
      return 4;
    case kUint64:
    case kInt64:
    case kFloat64:
      return 8;
    default:
      return 0;
  }
}

std::string type_name(std::uint32_t type) {
  constexpr std::string_view kNames[] = {"uint8",  "int8",    "uint16", "int16",  "uint32",
                                         "int32",  "float32", "bool",   "string", "array",
                                         "uint64", "int64",   "float64"};
  return type < std::size(kNames) ? std::string(kNames[type]) : fmt::format("type {}", type);
}

bool is_integer(std::uint32_t type) {
  return type <= kInt32 || type == kUint64 || type == kInt64;
}

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// Unsigned 64-bit values above the signed range become its maximum: nothing here is that large.
std::int64_t load_integer(std::uint32_t type, const std::byte* from) {
  switch (type) {
    case kUint8:
      return load<std::uint8_t>(from);
    case kInt8:
      return load<std::int8_t>(from);
    case kUint16:
      return load<std::uint16_t>(from);
    case kInt16:
      return load<std::int16_t>(from);
    case kUint32:
      return load<std::uint32_t>(from);
    case kInt32:
      return load<std::int32_t>(from);
    case kUint64: {
      const auto value = load<std::uint64_t>(from);
      constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
      return value > static_cast<std::uint64_t>(kMax) ? kMax : static_cast<std::int64_t>(value);
    }
    default:
      return load<std::int64_t>(from);
  }
}

double load_float(std::uint32_t type, const std::byte* from) {
  if (type == kFloat32) {
    return load<float>(from);
  }
  if (type == kFloat64) {
    return load<double>(from);
  }
  return static_cast<double>(load_integer(type, from));
}

std::string_view text_view(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) {
    out += c >= 0x20 && c < 0x7f ? c : '?';
  }
  return out;
}

}  // namespace

struct GgufFile::Value {
  std::uint32_t type = 0;
  std::uint32_t element_type = 0;         // of arrays
  std::uint64_t count = 0;                // of arrays
  std::span<const std::byte> bytes;       // the scalar, the string's or the array's bytes
  std::vector<std::string_view> strings;  // of arrays of strings
};

// A cursor over the bytes that fills a GgufFile.
class GgufFile::Parser {
 public:
  Parser(std::span<const std::byte> bytes, GgufFile& file) : bytes_(bytes), file_(file) {}

  Status run() {
    R1_TRY(const auto magic, take(4, "magic"));
    if (text_view(magic) != "GGUF") {
      return broken(0, fmt::format("begins with \"{}\" instead of \"GGUF\": not a GGUF file",
                                   printable(text_view(magic))));
    }
    R1_TRY(const auto version, number<std::uint32_t>("version"));
    if ((version & 0xffffU) == 0 && version != 0) {
      return unsupported("is a big-endian GGUF file; only little-endian ones are read");
    }
    if (version != 2 && version != 3) {
      return unsupported(fmt::format("is GGUF version {}; versions 2 and 3 are read", version));
    }
    file_.version_ = version;
    R1_TRY(const auto n_tensors, number<std::uint64_t>("tensor count"));
    R1_TRY(const auto n_values, number<std::uint64_t>("key/value count"));
    // Name length, dimension count, one dimension, type and offset: 8 + 4 + 8 + 4 + 8 bytes at
    // least.
    R1_RETURN_IF_ERROR(check_count(n_tensors, 32, "tensor count"));
    R1_RETURN_IF_ERROR(check_count(n_values, 13, "key/value count"));
    for (std::uint64_t i = 0; i < n_values; ++i) {
      R1_RETURN_IF_ERROR(key_value());
    }
    R1_TRY(const std::int64_t alignment, read_alignment());
    std::vector<std::uint64_t> offsets;
    for (std::uint64_t i = 0; i < n_tensors; ++i) {
      R1_RETURN_IF_ERROR(tensor_entry(offsets));
    }
    return place_tensors(offsets, static_cast<std::uint64_t>(alignment));
  }

 private:
  std::uint64_t left() const { return bytes_.size() - at_; }

  Error broken(std::uint64_t offset, std::string_view what) const {
    return fail(ErrorCode::kParse, fmt::format("{}: offset {}: {}", file_.path_, offset, what));
  }

  Error unsupported(std::string_view what) const {
    return fail(ErrorCode::kUnsupported, fmt::format("{}: {}", file_.path_, what));
  }

  Result<std::span<const std::byte>> take(std::uint64_t n, std::string_view what) {
    if (n > left()) {
      return broken(at_,
                    fmt::format("{}: {} bytes are needed and {} are left; the file is cut off or "
                                "damaged, fetch it again",
                                what, n, left()));
    }
    const auto part = bytes_.subspan(at_, n);
    at_ += n;
    return part;
  }

  template <typename T>
  Result<T> number(std::string_view what) {
    R1_TRY(const auto part, take(sizeof(T), what));
    return load<T>(part.data());
  }

  Status check_count(std::uint64_t count, std::uint64_t least_bytes, std::string_view what) const {
    if (count > left() / least_bytes) {
      return broken(at_, fmt::format("{} {} cannot fit in the {} bytes that are left; the file is "
                                     "damaged",
                                     what, count, left()));
    }
    return ok_status();
  }

  Result<std::span<const std::byte>> string_bytes(std::string_view what) {
    R1_TRY(const auto length, number<std::uint64_t>(what));
    return take(length, what);
  }

  Result<std::string> name(std::string_view what) {
    const std::uint64_t start = at_;
    R1_TRY(const auto part, string_bytes(what));
    if (part.empty() || part.size() > kMaxNameBytes) {
      return broken(start, fmt::format("{} of {} bytes", what, part.size()));
    }
    return std::string(text_view(part));
  }

  Status key_value() {
    const std::uint64_t start = at_;
    R1_TRY(std::string key, name("key"));
    R1_TRY(const auto type, number<std::uint32_t>("value type"));
    Value value;
    value.type = type;
    if (type == kString) {
      R1_TRY(value.bytes, string_bytes(printable(key)));
    } else if (type == kArray) {
      R1_RETURN_IF_ERROR(array(key, value));
    } else if (scalar_bytes(type) > 0) {
      R1_TRY(value.bytes, take(static_cast<std::uint64_t>(scalar_bytes(type)), printable(key)));
    } else {
      return broken(start, fmt::format("key {} has value {}, which GGUF does not define",
                                       printable(key), type_name(type)));
    }
    if (!file_.values_.emplace(std::move(key), std::move(value)).second) {
      return broken(start, "a key occurs twice");
    }
    return ok_status();
  }

  Status array(const std::string& key, Value& value) {
    const std::uint64_t start = at_;
    R1_TRY(value.element_type, number<std::uint32_t>(printable(key)));
    R1_TRY(value.count, number<std::uint64_t>(printable(key)));
    const std::uint64_t element = static_cast<std::uint64_t>(scalar_bytes(value.element_type));
    if (element > 0) {
      R1_RETURN_IF_ERROR(check_count(value.count, element, printable(key)));
      R1_TRY(value.bytes, take(value.count * element, printable(key)));
      return ok_status();
    }
    if (value.element_type != kString) {
      return broken(start, fmt::format("key {} is an array of {}, which is not read",
                                       printable(key), type_name(value.element_type)));
    }
    R1_RETURN_IF_ERROR(check_count(value.count, 8, printable(key)));
    for (std::uint64_t i = 0; i < value.count; ++i) {
      R1_TRY(const auto part, string_bytes(printable(key)));
      value.strings.push_back(text_view(part));
    }
    return ok_status();
  }

  Result<std::int64_t> read_alignment() const {
    R1_TRY(const auto stated, file_.get_int("general.alignment"));
    const std::int64_t alignment = stated.value_or(kDefaultAlignment);
    if (alignment <= 0 || alignment > kMaxAlignment || (alignment & (alignment - 1)) != 0) {
      return fail(ErrorCode::kParse,
                  fmt::format("{}: general.alignment is {}; a power of two up to {} is expected",
                              file_.path_, alignment, kMaxAlignment));
    }
    return alignment;
  }

  Status tensor_entry(std::vector<std::uint64_t>& offsets) {
    const std::uint64_t start = at_;
    GgufTensor tensor;
    R1_TRY(tensor.name, name("tensor name"));
    const std::string shown = printable(tensor.name);
    R1_TRY(const auto n_dims, number<std::uint32_t>(shown));
    if (n_dims < 1 || n_dims > 4) {
      return broken(start,
                    fmt::format("tensor {} has {} dimensions; 1 to 4 are read", shown, n_dims));
    }
    std::uint64_t n_values = 1;
    for (std::uint32_t d = 0; d < n_dims; ++d) {
      R1_TRY(const auto extent, number<std::uint64_t>(shown));
      // 2^40 values are more than any model has; with it no later product can overflow.
      if (extent == 0 || extent > (std::uint64_t{1} << 40) ||
          n_values > (std::uint64_t{1} << 40) / extent) {
        return broken(start, fmt::format("tensor {} has dimension {} of {}, which cannot be", shown,
                                         d, extent));
      }
      n_values *= extent;
      tensor.shape.push_back(static_cast<std::int64_t>(extent));
    }
    R1_TRY(const auto type_number, number<std::uint32_t>(shown));
    const auto type = tensor_type_from_number(type_number);
    if (!type) {
      return unsupported(fmt::format(
          "tensor {} is stored as {}, which is not supported; supported are {}. Use another "
          "quantisation of the model",
          shown, describe_tensor_type_number(type_number), supported_tensor_types()));
    }
    tensor.type = *type;
    const TensorTypeInfo& info = tensor_type_info(*type);
    if (tensor.shape[0] % info.block_values != 0) {
      return broken(start, fmt::format("tensor {} has rows of {} values, which {} (blocks of {}) "
                                       "cannot store",
                                       shown, tensor.shape[0], info.name, info.block_values));
    }
    R1_TRY(const auto offset, number<std::uint64_t>(shown));
    offsets.push_back(offset);
    file_.tensors_.push_back(std::move(tensor));
    return ok_status();
  }

  Status place_tensors(const std::vector<std::uint64_t>& offsets, std::uint64_t alignment) {
    if (offsets.empty()) {
      return ok_status();
    }
    const std::uint64_t start = (at_ + alignment - 1) / alignment * alignment;
    if (start > bytes_.size()) {
      return broken(at_, "the file ends before the tensor data; it is cut off, fetch it again");
    }
    const std::uint64_t available = bytes_.size() - start;
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      GgufTensor& tensor = file_.tensors_[i];
      const TensorTypeInfo& info = tensor_type_info(tensor.type);
      const std::uint64_t n_bytes =
          static_cast<std::uint64_t>(tensor.n_values() / info.block_values * info.block_bytes);
      if (offsets[i] % alignment != 0) {
        return broken(start, fmt::format("tensor {} begins at data offset {}, which is not a "
                                         "multiple of the alignment {}",
                                         printable(tensor.name), offsets[i], alignment));
      }
      if (offsets[i] > available || n_bytes > available - offsets[i]) {
        return broken(start, fmt::format("tensor {} needs {} bytes at data offset {}, but the file "
                                         "has {} bytes of data; it is cut off, fetch it again",
                                         printable(tensor.name), n_bytes, offsets[i], available));
      }
      tensor.bytes = bytes_.subspan(start + offsets[i], n_bytes);
    }
    return ok_status();
  }

  std::span<const std::byte> bytes_;
  GgufFile& file_;
  std::uint64_t at_ = 0;
};

std::int64_t GgufTensor::n_values() const {
  std::int64_t n = shape.empty() ? 0 : 1;
  for (const std::int64_t extent : shape) {
    n *= extent;
  }
  return n;
}

GgufFile::GgufFile() = default;
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

Status GgufFile::index_tensors() {
  tensor_index_.clear();
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!tensor_index_.emplace(tensors_[i].name, i).second) {
      return fail(ErrorCode::kParse,
                  fmt::format("{}: tensor {} occurs twice", path_, printable(tensors_[i].name)));
    }
  }
  return ok_status();
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  GgufFile file;
  file.path_ = std::move(name);
  file.parsed_bytes_ = static_cast<std::int64_t>(bytes.size());
  R1_RETURN_IF_ERROR(Parser(bytes, file).run());
  R1_RETURN_IF_ERROR(file.index_tensors());
  return file;
}

namespace {

// "model-00001-of-00003.gguf" and part 1 -> "model-00002-of-00003.gguf"; empty when `path` is not
// named like the first of `n_parts` parts.
std::string part_path(const std::string& path, std::int64_t part, std::int64_t n_parts) {
  const std::string first = fmt::format("-{:05}-of-{:05}.gguf", 1, n_parts);
  if (path.size() < first.size() || path.substr(path.size() - first.size()) != first) {
    return "";
  }
  return path.substr(0, path.size() - first.size()) +
         fmt::format("-{:05}-of-{:05}.gguf", part + 1, n_parts);
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::string& path) {
  R1_TRY(auto mapping, MappedFile::open(path, "a GGUF model file"));
  R1_TRY(GgufFile file, parse(mapping->bytes(), path));
  file.mappings_.push_back(std::move(mapping));
  R1_TRY(const auto split_count, file.get_int("split.count"));
  const std::int64_t n_parts = split_count.value_or(1);
  if (n_parts <= 1) {
    return file;
  }
  R1_TRY(const auto split_number, file.get_int("split.no"));
  if (split_number.value_or(0) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: is part {} of {} of a split model; name its first part", path,
                            *split_number + 1, n_parts));
  }
  if (n_parts > 1000) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: split.count is {}, which cannot be", path, n_parts));
  }
  for (std::int64_t part = 1; part < n_parts; ++part) {
    const std::string next = part_path(path, part, n_parts);
    if (next.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: is the first of {} parts, whose name must end in "
                              "-00001-of-{:05}.gguf for the others to be found",
                              path, n_parts, n_parts));
    }
    R1_TRY(auto next_mapping, MappedFile::open(next, "a part of a GGUF model file"));
    R1_TRY(GgufFile next_file, parse(next_mapping->bytes(), next));
    for (GgufTensor& tensor : next_file.tensors_) {
      file.tensors_.push_back(std::move(tensor));
    }
    file.mappings_.push_back(std::move(next_mapping));
  }
  R1_RETURN_IF_ERROR(file.index_tensors());
  return file;
}

std::int64_t GgufFile::total_bytes() const {
  if (mappings_.empty()) {
    return parsed_bytes_;
  }
  std::int64_t n = 0;
  for (const auto& mapping : mappings_) {
    n += static_cast<std::int64_t>(mapping->bytes().size());
  }
  return n;
}

void GgufFile::release_pages() const {
  for (const auto& mapping : mappings_) {
    mapping->release();
  }
}

const GgufFile::Value* GgufFile::find(std::string_view key) const {
  const auto at = values_.find(key);
  return at == values_.end() ? nullptr : &at->second;
}

Error GgufFile::wrong_type(std::string_view key, const Value& value,
                           std::string_view wanted) const {
  const std::string is = value.type == kArray
                             ? fmt::format("an array of {}", type_name(value.element_type))
                             : type_name(value.type);
  return fail(ErrorCode::kParse,
              fmt::format("{}: key {} is {}, expected {}", path_, key, is, wanted));
}

bool GgufFile::has(std::string_view key) const {
  return find(key) != nullptr;
}

bool GgufFile::is_array(std::string_view key) const {
  const Value* value = find(key);
  return value != nullptr && value->type == kArray;
}

Result<std::optional<std::string>> GgufFile::get_string(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) {
    return std::optional<std::string>();
  }
  if (value->type != kString) {
    return wrong_type(key, *value, "a string");
  }
  return std::optional<std::string>(text_view(value->bytes));
}

Result<std::optional<std::int64_t>> GgufFile::get_int(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) {
    return std::optional<std::int64_t>();
  }
  if (!is_integer(value->type)) {
    return wrong_type(key, *value, "an integer");
  }
  return std::optional<std::int64_t>(load_integer(value->type, value->bytes.data()));
}

Result<std::optional<double>> GgufFile::get_float(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) {
    return std::optional<double>();
  }
  if (value->type != kFloat32 && value->type != kFloat64 && !is_integer(value->type)) {
    return wrong_type(key, *value, "a number");
  }
  return std::optional<double>(load_float(value->type, value->bytes.data()));
}

Result<std::optional<bool>> GgufFile::get_bool(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) {
    return std::optional<bool>();
  }
  if (value->type != kBool) {
    return wrong_type(key, *value, "a bool");
  }
  return std::optional<bool>(load<std::uint8_t>(value->bytes.data()) != 0);
}

Result<std::optional<std::vector<std::string_view>>> GgufFile::get_string_array(
    std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) {
    return std::optional<std::vector<std::string_view>>();
  }
  if (value->type != kArray || value->element_type != kString) {
    return wrong_type(key, *value, "an array of strings");
  }
  return std::optional<std::vector<std::string_view>>(value->strings);
}

Result<std::optional<std::vector<std::int64_t>>> GgufFile::get_int_array(
    std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) {
    return std::optional<std::vector<std::int64_t>>();
  }
  // Arrays of bool are taken too: some files mark layers with them.
  if (value->type != kArray || (!is_integer(value->element_type) && value->element_type != kBool)) {
    return wrong_type(key, *value, "an array of integers");
  }
  std::vector<std::int64_t> out;
  out.reserve(value->count);
  const std::uint32_t type = value->element_type == kBool ? kUint8 : value->element_type;
  const std::size_t step = static_cast<std::size_t>(scalar_bytes(type));
  for (std::uint64_t i = 0; i < value->count; ++i) {
    out.push_back(load_integer(type, value->bytes.data() + i * step));
  }
  return std::optional<std::vector<std::int64_t>>(std::move(out));
}

Result<std::optional<std::vector<double>>> GgufFile::get_float_array(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) {
    return std::optional<std::vector<double>>();
  }
  if (value->type != kArray || value->element_type == kString || value->element_type == kBool) {
    return wrong_type(key, *value, "an array of numbers");
  }
  std::vector<double> out;
  out.reserve(value->count);
  const std::size_t step = static_cast<std::size_t>(scalar_bytes(value->element_type));
  for (std::uint64_t i = 0; i < value->count; ++i) {
    out.push_back(load_float(value->element_type, value->bytes.data() + i * step));
  }
  return std::optional<std::vector<double>>(std::move(out));
}

namespace {

template <typename T>
Result<T> required(Result<std::optional<T>> value, const std::string& path, std::string_view key) {
  if (!value) {
    return value.error();
  }
  if (!value->has_value()) {
    return fail(
        ErrorCode::kParse,
        fmt::format("{}: key {} is missing, without which the model cannot be read", path, key));
  }
  return std::move(**value);
}

}  // namespace

Result<std::string> GgufFile::require_string(std::string_view key) const {
  return required(get_string(key), path_, key);
}

Result<std::int64_t> GgufFile::require_int(std::string_view key) const {
  return required(get_int(key), path_, key);
}

Result<double> GgufFile::require_float(std::string_view key) const {
  return required(get_float(key), path_, key);
}

std::vector<std::string> GgufFile::keys() const {
  std::vector<std::string> out;
  for (const auto& [key, value] : values_) {
    out.push_back(key);
  }
  return out;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto at = tensor_index_.find(name);
  return at == tensor_index_.end() ? nullptr : &tensors_[at->second];
}

}  // namespace r1eval
