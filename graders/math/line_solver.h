// Relations in one real variable solved on the real line: "x^2 < 4", "|x - 1| >= 2", "1/x < 1".
#pragma once

#include <string>
#include <vector>

#include "graders/math/side.h"

namespace r1eval {

// A part of the real line. `lo` and `hi` are trees of the ends where they are known exactly (an
// irrational root of higher degree has only its floating-point value: id -1).
struct LinePiece {
  Side lo, hi;
  bool lo_open = false;
  bool hi_open = false;
  double lo_value = 0;
  double hi_value = 0;
};

// Solves child k `op` child k+1 of a relation for `name`, where the difference of the two is a
// rational function of it over the rational numbers, absolute values included. Appends the
// solution's pieces in order; false where it is not of this form.
bool solve_on_line(const Side& relation, std::size_t k, const std::string& name,
                   std::vector<LinePiece>& out);

}  // namespace r1eval
