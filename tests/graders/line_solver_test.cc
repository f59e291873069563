#include "graders/math/line_solver.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "graders/math/function_names.h"
#include "graders/math/parser.h"

namespace r1eval {
namespace {

// The solution of a relation in x as text: "(-inf,-2)[1,1](3,inf)".
std::string solution(const std::string& relation) {
  auto parsed = parse_math(relation);
  if (!parsed) {
    return "unread";
  }
  const std::int32_t root = parsed->root;
  const Side side{std::make_shared<Expression>(std::move(*parsed)), root};
  std::vector<LinePiece> pieces;
  if (!solve_on_line(side, 0, "x", pieces)) {
    return "unsolved";
  }
  const auto number = [](double v) {
    return std::isinf(v) ? std::string(v < 0 ? "-inf" : "inf")
                         : std::to_string(static_cast<long>(std::lround(v * 1000)));
  };
  std::string out;
  for (const LinePiece& piece : pieces) {
    out += (piece.lo_open ? "(" : "[") + number(piece.lo_value) + "," + number(piece.hi_value) +
           (piece.hi_open ? ")" : "]");
  }
  return out;
}

TEST(SolveOnLineTest, SolvesPolynomialsAndQuotients) {  // ends in thousandths
  EXPECT_EQ(solution("x^2<2"), "(-1414,1414)");
  EXPECT_EQ(solution("x^2-3x-4\\ge0"), "(-inf,-1000][4000,inf)");
  EXPECT_EQ(solution("\\frac{x-1}{x+2}\\le0"), "(-2000,1000]");
  EXPECT_EQ(solution("\\frac1x<1"), "(-inf,0)(1000,inf)");
  EXPECT_EQ(solution("(x-1)^2>0"), "(-inf,1000)(1000,inf)");
  EXPECT_EQ(solution("(x-1)^2\\le0"), "[1000,1000]");
  EXPECT_EQ(solution("x^3-2>0"), "(1260,inf)");
  EXPECT_EQ(solution("x^2+1<0"), "");
  EXPECT_EQ(solution("x^2+1>0"), "(-inf,inf)");
}

TEST(SolveOnLineTest, ReadsAbsoluteValuesBySign) {
  EXPECT_EQ(solution("|x-1|<2"), "(-1000,3000)");
  EXPECT_EQ(solution("|x|+|x-2|\\le4"), "[-1000,3000]");
  EXPECT_EQ(solution("|2x+1|=3"), "[-2000,-2000][1000,1000]");
}

TEST(SolveOnLineTest, LeavesOtherRelationsAlone) {
  EXPECT_EQ(solution("\\sin x<1"), "unsolved");
  EXPECT_EQ(solution("x+y<1"), "unsolved");
  EXPECT_EQ(solution("x^{40}<1"), "unsolved");
  EXPECT_EQ(solution("||x|-1|<1"), "unsolved");
}

TEST(FunctionNamesTest, KnowsAliasesAndInverses) {
  EXPECT_EQ(function_named("asin"), "arcsin");
  EXPECT_EQ(function_named("tg"), "tan");
  EXPECT_EQ(function_named("since"), "");
  EXPECT_EQ(inverse_function("cosh"), "arcosh");
  EXPECT_EQ(inverse_function("log"), "");
  EXPECT_TRUE(is_plain_function("arctan"));
  EXPECT_FALSE(is_plain_function("th"));
}

}  // namespace
}  // namespace r1eval
