#include "harness/foreign_archive.h"

#include <fmt/format.h>
#include <zip.h>
#include <zstd.h>

#include <memory>
#include <optional>

namespace r1eval {
namespace {

constexpr std::uint64_t kMaxMember = std::uint64_t{1} << 30;
constexpr std::uint16_t kZstandard = 93;

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};

struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

using Archive = std::unique_ptr<zip_t, CloseZip>;

Result<Archive> open_archive(const std::string& path) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string why = zip_error_strerror(&error);
    zip_error_fini(&error);
    return fail(ErrorCode::kParse,
                fmt::format("{}: no zip archive that can be read: {}", path, why));
  }
  return archive;
}

// All frames of `packed`, one after the other.
Result<std::string> decompress(const std::string& packed, const std::string& where) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     ZSTD_freeDCtx);
  std::string out;
  std::string piece(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer input{packed.data(), packed.size(), 0};
  std::size_t state = 0;
  while (input.pos < input.size) {
    ZSTD_outBuffer output{piece.data(), piece.size(), 0};
    state = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(state) != 0) {
      return fail(ErrorCode::kParse, fmt::format("{}: {}", where, ZSTD_getErrorName(state)));
    }
    if (out.size() + output.pos > kMaxMember) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: unpacks to more than 1 GiB", where));
    }
    out.append(piece, 0, output.pos);
  }
  // What is left inside the decoder comes without further input.
  while (state != 0) {
    ZSTD_outBuffer output{piece.data(), piece.size(), 0};
    state = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(state) != 0 || output.pos == 0) {
      return fail(ErrorCode::kParse, fmt::format("{}: its compressed data end too early", where));
    }
    if (out.size() + output.pos > kMaxMember) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: unpacks to more than 1 GiB", where));
    }
    out.append(piece, 0, output.pos);
  }
  return out;
}

Result<std::string> read_member(zip_t* archive, zip_uint64_t index, const std::string& path) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat_index(archive, index, 0, &stat) != 0 || (stat.valid & ZIP_STAT_NAME) == 0) {
    return fail(ErrorCode::kParse, fmt::format("{}: its directory is damaged", path));
  }
  const std::string where = fmt::format("{}: {}", path, stat.name);
  const bool is_zstandard =
      (stat.valid & ZIP_STAT_COMP_METHOD) != 0 && stat.comp_method == kZstandard;
  const std::unique_ptr<zip_file_t, CloseFile> file(
      zip_fopen_index(archive, index, is_zstandard ? ZIP_FL_COMPRESSED : 0));
  if (file == nullptr) {
    return fail(ErrorCode::kParse, fmt::format("{}: {}", where, zip_strerror(archive)));
  }
  std::string bytes;
  std::string piece(std::size_t{1} << 16, '\0');
  while (true) {
    const zip_int64_t n = zip_fread(file.get(), piece.data(), piece.size());
    if (n < 0) {
      return fail(ErrorCode::kParse, fmt::format("{}: {}", where, zip_file_strerror(file.get())));
    }
    if (n == 0) {
      break;
    }
    if (bytes.size() + static_cast<std::uint64_t>(n) > kMaxMember) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: unpacks to more than 1 GiB", where));
    }
    bytes.append(piece, 0, static_cast<std::size_t>(n));
  }
  return is_zstandard ? decompress(bytes, where) : std::move(bytes);
}

}  // namespace

Result<std::vector<std::string>> list_archive(const std::string& path) {
  R1_TRY(const Archive archive, open_archive(path));
  std::vector<std::string> names;
  const zip_int64_t n = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < n; ++i) {
    const char* name = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
    names.emplace_back(name == nullptr ? "" : name);
  }
  return names;
}

Result<std::string> read_archive_member(const std::string& path, const std::string& member) {
  R1_TRY(const Archive archive, open_archive(path));
  const zip_int64_t index = zip_name_locate(archive.get(), member.c_str(), 0);
  if (index < 0) {
    return fail(ErrorCode::kParse, fmt::format("{}: has no member {}", path, member));
  }
  return read_member(archive.get(), static_cast<zip_uint64_t>(index), path);
}

Status for_each_archive_member(
    const std::string& path, const std::function<bool(const std::string&)>& wants,
    const std::function<Status(const std::string& name, const Result<std::string>& bytes)>& take) {
  R1_TRY(const Archive archive, open_archive(path));
  const zip_int64_t n = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < n; ++i) {
    const char* name = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), 0);
    if (name == nullptr || !wants(name)) {
      continue;
    }
    R1_RETURN_IF_ERROR(take(name, read_member(archive.get(), static_cast<zip_uint64_t>(i), path)));
  }
  return ok_status();
}

}  // namespace r1eval
