#include "base/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace r1eval {
namespace {

std::string to_hex(const unsigned char* bytes, std::size_t n) {
  std::string out;
  out.reserve(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

}  // namespace

struct Sha256::State {
  EVP_MD_CTX* context = nullptr;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  // Fetched once and never freed: looking the algorithm up costs more than hashing a short text.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  state_->context = EVP_MD_CTX_new();
  R1_CHECK(state_->context != nullptr && algorithm != nullptr &&
               EVP_DigestInit_ex(state_->context, algorithm, nullptr) == 1,
           "SHA-256 is not available");
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(state_->context);
}

void Sha256::update(std::string_view bytes) {
  R1_CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1, "SHA-256 update");
}

std::string Sha256::finish_hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int n = 0;
  R1_CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), &n) == 1, "SHA-256 end");
  return to_hex(digest.data(), n);
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish_hex();
}

Result<std::string> sha256_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    const int error = errno;
    return fail(error == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("open {}: {}", path, std::strerror(error)));
  }
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  for (;;) {
    const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file);
    hash.update(std::string_view(buffer.data(), n));
    if (n < buffer.size()) {
      break;
    }
  }
  const bool broken = std::ferror(file) != 0;
  std::fclose(file);
  if (broken) {
    return fail(ErrorCode::kIo, fmt::format("read {}: {}", path, std::strerror(errno)));
  }
  return hash.finish_hex();
}

std::uint64_t stable_hash64(std::initializer_list<std::string_view> parts) {
  std::string bytes;
  for (const std::string_view part : parts) {
    const std::uint64_t n = part.size();
    for (int shift = 0; shift < 64; shift += 8) {
      bytes += static_cast<char>((n >> shift) & 255);
    }
    bytes += part;
  }
  const std::string hex = sha256_hex(bytes);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const char c = hex[i];
    value = value << 4 | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return value;
}

}  // namespace r1eval
