// The equality ladder over two trees: each rung answers equal, different, or passes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graders/bounds.h"
#include "graders/math/equality.h"
#include "graders/math/line_solver.h"
#include "graders/math/side.h"

namespace r1eval {

class Ladder {
 public:
  explicit Ladder(const MathRules& rules) : rules_(rules) {}

  bool equal(Side gold, Side pred);
  std::string evidence = "structure";

 private:
  using Piece = LinePiece;

  bool value_equal(const Side& gold, const Side& pred);
  std::optional<bool> by_written_form(const Side& gold, const Side& pred);
  bool is_computation(const Side& s);
  std::optional<Side> value_of_chain(const Side& s);
  bool members_equal(const std::vector<Side>& gold, const std::vector<Side>& pred);
  bool sets_on_line_equal(const Side& gold, const Side& pred);
  void members_of(const Side& s, std::vector<Side>& out, int plus_minus_left);
  bool relation_equal(const Side& gold, const Side& pred);
  bool roots_equal(const Side& gold, const Side& pred);
  bool chain_equal(const Side& gold, const Side& pred);
  std::optional<bool> by_names(const Side& gold, const Side& pred);
  std::optional<bool> by_relation(const Side& gold, const Side& pred);
  std::optional<bool> by_unit_or_text(const Side& gold, const Side& pred);
  std::optional<bool> by_identity_matrix(const Side& gold, const Side& pred);
  std::optional<bool> by_matrix(const Side& gold, const Side& pred);
  std::optional<bool> by_set(const Side& gold, const Side& pred);
  std::optional<bool> by_members(const Side& gold, const Side& pred);
  bool ratios_equal(const Side& gold, const Side& pred);
  bool builders_equal(const Side& gold, const Side& pred);
  bool families_equal(const Side& gold, const Side& pred);
  bool antiderivatives_equal(const Side& gold, const Side& pred);
  bool scalars_equal(const Side& gold, const Side& pred);
  bool solved_pieces(const Side& relation, std::vector<Piece>& out);
  std::vector<Piece> intersection(const std::vector<Piece>& a, const std::vector<Piece>& b);

  bool pieces_of(const Side& s, std::vector<Piece>& out);
  Side evaluate_set(const Side& s);
  static double end_value(const Side& s);
  int order_of_ends(const Side& x, double u, const Side& y, double v);
  bool contains(const Piece& piece, const Side& s);

  const MathRules& rules_;
  int depth_ = 0;
  int steps_ = 0;
  bool parameters_are_integers_ = false;  // "k in Z" was said
  std::int64_t fuel_ = bounds::kMaxFuel;
};

}  // namespace r1eval
