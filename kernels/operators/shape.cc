// See shape.h.
#include "kernels/operators/shape.h"

#include <cctype>
#include <charconv>

#include "base/check.h"

namespace r1eval::kernels {

Result<Shape> Shape::parse(std::string_view text) {
  Shape shape;
  while (!text.empty()) {
    const std::size_t end = text.find('.');
    const std::string_view piece = text.substr(0, end);
    std::size_t letters = 0;
    while (letters < piece.size() &&
           std::isalpha(static_cast<unsigned char>(piece[letters])) != 0) {
      ++letters;
    }
    std::int64_t value = 0;
    const char* last = piece.data() + piece.size();
    const auto [at, problem] = std::from_chars(piece.data() + letters, last, value);
    if (letters == 0 || problem != std::errc() || at != last || value < 0) {
      return fail(ErrorCode::kInvalidArgument,
                  "shape '" + std::string(piece) +
                      "': expected letters and a number from 0 on, as in T8.H2048");
    }
    if (shape.has(piece.substr(0, letters))) {
      return fail(ErrorCode::kInvalidArgument,
                  "shape: " + std::string(piece.substr(0, letters)) + " is given twice");
    }
    shape.dims_.emplace_back(piece.substr(0, letters), value);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return shape;
}

std::string Shape::text() const {
  std::string out;
  for (const auto& [name, value] : dims_) {
    out += (out.empty() ? "" : ".") + name + std::to_string(value);
  }
  return out;
}

bool Shape::has(std::string_view name) const {
  for (const Dim& dim : dims_) {
    if (dim.first == name) {
      return true;
    }
  }
  return false;
}

std::int64_t Shape::operator[](std::string_view name) const {
  R1_CHECK(has(name), name);
  return get_or(name, 0);
}

std::int64_t Shape::get_or(std::string_view name, std::int64_t fallback) const {
  for (const Dim& dim : dims_) {
    if (dim.first == name) {
      return dim.second;
    }
  }
  return fallback;
}

void Shape::set(std::string_view name, std::int64_t value) {
  for (Dim& dim : dims_) {
    if (dim.first == name) {
      dim.second = value;
      return;
    }
  }
  dims_.emplace_back(name, value);
}

}  // namespace r1eval::kernels
