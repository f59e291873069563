// Random inputs, doubles of what kernels should give, and the measures by which they are compared.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "kernels/shared/numbers.h"

namespace r1eval::kernels {

// Normal / 10, clamped to +-1.
inline float draw(std::uint64_t key, std::uint64_t i) {
  double sum = 0.0;
  for (std::uint64_t j = 0; j < 4; ++j) {
    sum += uniform_at(key, 4 * i + j);
  }
  return static_cast<float>(std::clamp((sum - 2.0) * std::sqrt(3.0) / 10.0, -1.0, 1.0));
}

inline std::vector<Bf16> draw_bf16(std::uint64_t key, std::int64_t n, float factor = 1.0F) {
  std::vector<Bf16> out;
  for (std::int64_t i = 0; i < n; ++i) {
    out.push_back(to_bf16(draw(key, static_cast<std::uint64_t>(i)) * factor));
  }
  return out;
}

inline std::vector<float> draw_float(std::uint64_t key, std::int64_t n, float factor = 1.0F) {
  std::vector<float> out;
  for (std::int64_t i = 0; i < n; ++i) {
    out.push_back(draw(key, static_cast<std::uint64_t>(i)) * factor);
  }
  return out;
}

inline int draw_below(std::uint64_t key, std::uint64_t i, int n) {
  return static_cast<int>(random_at(key, i) % static_cast<std::uint64_t>(n));
}

template <class T>
std::vector<double> widen(const std::vector<T>& x) {
  std::vector<double> out;
  for (const T& value : x) {
    out.push_back(static_cast<double>(to_float(value)));
  }
  return out;
}

inline std::vector<Bf16> poisoned(std::int64_t n) {
  return std::vector<Bf16>(static_cast<std::size_t>(n), Bf16{0x7fc0});
}

// Weights of (experts, rows, columns) in e4m3 with a scale for 128 x 128.
struct Weights8 {
  std::vector<E4m3> values;
  std::vector<float> scales;
  std::vector<double> meant;  // value * scale
};

inline Weights8 quantize_weights(std::uint64_t key, std::int64_t experts, std::int64_t rows,
                                 std::int64_t columns, bool is_positive = false) {
  Weights8 w;
  const auto n = static_cast<std::size_t>(experts * rows * columns);
  std::vector<float> x = draw_float(key, static_cast<std::int64_t>(n));
  if (is_positive) {
    for (float& value : x) {
      value = std::fabs(value);
    }
  }
  w.scales.assign(static_cast<std::size_t>(experts * scale_blocks(rows) * scale_blocks(columns)),
                  0.0F);
  const auto place = [&](std::size_t i) {
    const auto at = static_cast<std::int64_t>(i);
    return static_cast<std::size_t>(weight_scale_index(at / (rows * columns), at / columns % rows,
                                                       at % columns, rows, columns));
  };
  for (std::size_t i = 0; i < n; ++i) {
    float& most = w.scales[place(i)];
    most = std::max(most, std::fabs(x[i]));
  }
  for (float& scale : w.scales) {
    scale = scale_for(scale);
  }
  for (std::size_t i = 0; i < n; ++i) {
    w.values.push_back(to_e4m3(x[i] / w.scales[place(i)]));
    w.meant.push_back(static_cast<double>(to_float(w.values.back())) *
                      static_cast<double>(w.scales[place(i)]));
  }
  return w;
}

struct Rows8 {
  std::vector<E4m3> values;
  std::vector<float> scales;
  std::vector<double> meant;
};

// (rows, columns) by 1 x 128.
inline Rows8 quantize_rows_of(const std::vector<double>& x, std::int64_t columns) {
  Rows8 r;
  const std::int64_t rows = columns == 0 ? 0 : static_cast<std::int64_t>(x.size()) / columns;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c0 = 0; c0 < columns; c0 += 128) {
      float most = 0.0F;
      for (std::int64_t c = c0; c < std::min(columns, c0 + 128); ++c) {
        most = std::max(
            most, std::fabs(static_cast<float>(x[static_cast<std::size_t>(row * columns + c)])));
      }
      r.scales.push_back(scale_for(most));
      for (std::int64_t c = c0; c < std::min(columns, c0 + 128); ++c) {
        const auto value = static_cast<float>(x[static_cast<std::size_t>(row * columns + c)]);
        r.values.push_back(to_e4m3(value / r.scales.back()));
        r.meant.push_back(static_cast<double>(to_float(r.values.back())) *
                          static_cast<double>(r.scales.back()));
      }
    }
  }
  return r;
}

// A B^T for (rows, depth) and (columns, depth).
inline std::vector<double> product(const double* a, const double* b, std::int64_t rows,
                                   std::int64_t columns, std::int64_t depth) {
  std::vector<double> out;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      double sum = 0.0;
      for (std::int64_t k = 0; k < depth; ++k) {
        sum += a[r * depth + k] * b[c * depth + k];
      }
      out.push_back(sum);
    }
  }
  return out;
}

// The three measures of the suite: relative norm of the error, worst row's cosine distance, worst
// element by absolute or relative error.
struct Bounds {
  double norm;
  double cosine;
  double relative;
  double of_row_rms = 0.0;
  double absolute = 0.0;
};

constexpr Bounds kProductBounds{3e-3, 1e-5, 1.0 / 128, 1e-2, 1e-7};
constexpr Bounds kAttentionBounds{4e-3, 5e-6, 2.01 / 128, 0.0, 8e-4};
constexpr Bounds kRowBounds{3e-3, 1e-5, 1.5 / 128, 0.0, 1e-6};
constexpr Bounds kLayerBounds{6e-3, 3e-5, 1.0 / 64, 2e-2, 1e-7};

// Empty, or the measure that fails.
inline std::string difference(const std::vector<double>& out, const std::vector<double>& expected,
                              std::int64_t columns, const Bounds& bounds) {
  if (out.size() != expected.size()) {
    return "another number of values";
  }
  double error_squares = 0.0;
  double squares = 0.0;
  for (std::size_t begin = 0; begin < out.size(); begin += static_cast<std::size_t>(columns)) {
    double dot = 0.0;
    double row_squares = 0.0;
    double out_squares = 0.0;
    const std::size_t end = begin + static_cast<std::size_t>(columns);
    for (std::size_t i = begin; i < end; ++i) {
      row_squares += expected[i] * expected[i];
    }
    const double rms = std::sqrt(row_squares / static_cast<double>(columns));
    for (std::size_t i = begin; i < end; ++i) {
      const double error = std::fabs(out[i] - expected[i]);
      const double allowed = std::max(
          {bounds.absolute, bounds.of_row_rms * rms, bounds.relative * std::fabs(expected[i])});
      if (!(error <= allowed)) {
        return "value " + std::to_string(i % static_cast<std::size_t>(columns)) + " of row " +
               std::to_string(i / static_cast<std::size_t>(columns)) + " is " +
               std::to_string(out[i]) + ", expected " + std::to_string(expected[i]);
      }
      dot += out[i] * expected[i];
      out_squares += out[i] * out[i];
      error_squares += error * error;
    }
    squares += row_squares;
    if (row_squares > 0.0 && out_squares > 0.0 &&
        1.0 - dot / std::sqrt(row_squares * out_squares) > bounds.cosine) {
      return "row " + std::to_string(begin / static_cast<std::size_t>(columns)) +
             " points elsewhere";
    }
  }
  if (std::sqrt(error_squares) > bounds.norm * std::sqrt(squares)) {
    return "the error's norm is " + std::to_string(std::sqrt(error_squares / squares));
  }
  return "";
}

// softmax(scale q k) v for one query, and log sum exp (+inf without tokens).
struct Attended {
  std::vector<double> out;
  double lse = HUGE_VAL;
};

inline Attended attend(const double* q, std::int64_t width, std::int64_t value_width,
                       std::int64_t tokens, double scale,
                       const std::function<const double*(std::int64_t)>& key,
                       const std::function<const double*(std::int64_t)>& value) {
  Attended a;
  a.out.assign(static_cast<std::size_t>(value_width), 0.0);
  std::vector<double> scores;
  double most = -HUGE_VAL;
  for (std::int64_t t = 0; t < tokens; ++t) {
    double dot = 0.0;
    for (std::int64_t d = 0; d < width; ++d) {
      dot += q[d] * key(t)[d];
    }
    scores.push_back(dot * scale);
    most = std::max(most, scores.back());
  }
  double sum = 0.0;
  for (double& score : scores) {
    score = std::exp(score - most);
    sum += score;
  }
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t d = 0; d < value_width; ++d) {
      a.out[static_cast<std::size_t>(d)] += scores[static_cast<std::size_t>(t)] / sum * value(t)[d];
    }
  }
  if (tokens > 0) {
    a.lse = most + std::log(sum);
  }
  return a;
}

}  // namespace r1eval::kernels
