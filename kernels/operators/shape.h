// The dimensions of one case: a short ordered list of named numbers, "T8.H2048.E64".
//
// Names are letters only, values are not negative, so that the text reads back without escapes and
// serves in case names, file names and CSV.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace r1eval::kernels {

class Shape {
 public:
  using Dim = std::pair<std::string, std::int64_t>;

  Shape() = default;

  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}

  // Errors: kInvalidArgument with the piece that is no name with a number behind it.
  static Result<Shape> parse(std::string_view text);
  std::string text() const;

  bool has(std::string_view name) const;
  std::int64_t operator[](std::string_view name) const;  // must be there (R1_CHECK)
  std::int64_t get_or(std::string_view name, std::int64_t fallback) const;
  void set(std::string_view name, std::int64_t value);  // replaces or appends

  const std::vector<Dim>& dims() const { return dims_; }

  bool operator==(const Shape&) const = default;

 private:
  std::vector<Dim> dims_;
};

}  // namespace r1eval::kernels
