// Which tile of which group a persistent block works on.
//
// Tiles of all groups stand in one line: group after group, and inside a group in the order of
// `raster`. Block b of B takes tiles b, b + B, b + 2B, …: nothing is exchanged between blocks, and
// a group without rows has no tiles. A cursor walks forward through the groups, so that finding the
// next tile costs the groups passed, not their number.
//
// Tested   tests/kernels/shared_test.cc: every tile of every group exactly once, for any number of
//          blocks, empty groups first, last and in a row.
#pragma once

#include <cstdint>

#include "kernels/shared/host_device.h"

namespace r1eval::kernels {

struct Tile {
  int group = 0;
  int row_tile = 0;
  int column_tile = 0;
  bool valid = false;
};

// Place of the i-th tile among row_tiles x column_tiles: bands of `band` column tiles, in a band
// rows outside and columns inside. Blocks that run together then share few columns (weights) and
// few rows.
R1_HD constexpr Tile raster(int i, int row_tiles, int column_tiles, int band) {
  const int per_band = row_tiles * band;
  const int which = i / per_band;
  const int width = smaller(band, column_tiles - which * band);
  const int within = i - which * per_band;
  return {0, within / width, which * band + within % width, true};
}

// Rows(g) gives the rows of group g; queried once a group passed.
template <class Rows>
class GroupedTiles {
 public:
  R1_HD constexpr GroupedTiles(Rows rows, int n_groups, int tile_rows, int column_tiles, int band)
      : rows_(rows),
        n_groups_(n_groups),
        tile_rows_(tile_rows),
        column_tiles_(column_tiles),
        band_(band) {
    row_tiles_ = n_groups > 0 ? ceil_div(static_cast<int>(rows_(0)), tile_rows_) : 0;
  }

  // Tile `linear`; calls must not go backwards.
  R1_HD constexpr Tile at(std::int64_t linear) {
    while (group_ < n_groups_) {
      const std::int64_t tiles = std::int64_t{row_tiles_} * column_tiles_;
      if (linear < before_ + tiles) {
        Tile tile = raster(static_cast<int>(linear - before_), row_tiles_, column_tiles_, band_);
        tile.group = group_;
        return tile;
      }
      before_ += tiles;
      ++group_;
      row_tiles_ = group_ < n_groups_ ? ceil_div(static_cast<int>(rows_(group_)), tile_rows_) : 0;
    }
    return {};
  }

 private:
  Rows rows_;
  int n_groups_;
  int tile_rows_;
  int column_tiles_;
  int band_;
  int group_ = 0;
  int row_tiles_ = 0;
  std::int64_t before_ = 0;
};

}  // namespace r1eval::kernels
