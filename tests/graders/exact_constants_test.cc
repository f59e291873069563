#include "graders/math/exact_constants.h"

#include <gtest/gtest.h>

#include "graders/bounds.h"
#include "graders/math/equality.h"
#include "graders/math/parser.h"

namespace r1eval {
namespace {

Same constants(const char* a, const char* b) {
  const auto x = parse_math(a);
  const auto y = parse_math(b);
  EXPECT_TRUE(x.has_value() && y.has_value()) << a << " | " << b;
  std::int64_t fuel = bounds::kMaxFuel;
  return same_constant(*x, x->root, *y, y->root, fuel);
}

class ExactConstantsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (constants("\\sqrt{2}", "\\sqrt{2}") == Same::kUndecided) {
      GTEST_SKIP() << "built without Calcium";
    }
  }
};

TEST_F(ExactConstantsTest, ProvesEqualities) {
  EXPECT_EQ(constants("\\cos(\\pi/5)", "\\frac{1+\\sqrt5}{4}"), Same::kEqual);
  EXPECT_EQ(constants("4\\arctan(1/5)-\\arctan(1/239)", "\\pi/4"), Same::kEqual);
  EXPECT_EQ(constants("\\sqrt[3]{2+\\sqrt5}+\\sqrt[3]{2-\\sqrt5}", "1"), Same::kEqual);
  EXPECT_EQ(constants("\\ln(2+\\sqrt3)", "-\\ln(2-\\sqrt3)"), Same::kEqual);
  EXPECT_EQ(constants("e^{i\\pi}", "-1"), Same::kEqual);
}

TEST_F(ExactConstantsTest, RefutesWhatIsNearlyEqual) {
  EXPECT_EQ(constants("\\sqrt{2}+\\sqrt{3}", "\\pi"), Same::kDifferent);
  EXPECT_EQ(constants("\\cos(\\pi/5)", "\\frac{1+\\sqrt5}{5}"), Same::kDifferent);
}

TEST_F(ExactConstantsTest, LeavesAloneWhatCouldTakeLong) {
  // The degree of the number field is the product of the roots' degrees.
  EXPECT_EQ(constants("\\sqrt[7]{2}+\\sqrt[5]{3}", "\\sqrt[5]{3}+\\sqrt[7]{2}"), Same::kUndecided);
  EXPECT_EQ(constants("\\tan(\\cos(\\cos\\frac{37\\pi}{61}))", "1"), Same::kUndecided);
  EXPECT_EQ(constants("2^{\\sqrt{100000000000000}}", "1"), Same::kUndecided);
}

TEST(LadderTest, ConstantsThatNoIdentityCoversAreStillEqual) {
  for (const auto& [gold, pred] :
       {std::pair{"\\sin 18^\\circ", "\\frac{\\sqrt5-1}{4}"},
        std::pair{"\\tan\\frac{3\\pi}{11}+4\\sin\\frac{2\\pi}{11}", "\\sqrt{11}"}}) {
    const MathComparison found = compare_math(gold, pred, MathRules());
    EXPECT_EQ(found.outcome, Outcome::kCorrect) << gold << ": " << found.evidence;
    EXPECT_TRUE(found.evidence == "algebraic_proof" ||
                found.evidence.starts_with("numeric_agreement"))
        << found.evidence;
  }
  EXPECT_EQ(compare_math("262537412640768744", "e^{\\pi\\sqrt{163}}", MathRules()).outcome,
            Outcome::kIncorrect);
}

}  // namespace
}  // namespace r1eval
