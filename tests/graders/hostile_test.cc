// Text that was made to be too much: every grader gives a verdict, and the right one where there is
// one.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "graders/extract/choice.h"
#include "graders/extract/math_answer.h"
#include "graders/extract/thinking.h"
#include "graders/grader.h"
#include "graders/math/equality.h"

namespace r1eval {
namespace {

std::string repeated(const std::string& text, int n) {
  std::string out;
  out.reserve(text.size() * static_cast<std::size_t>(n));
  for (int k = 0; k < n; ++k) {
    out += text;
  }
  return out;
}

bool is_correct(const std::string& gold, const std::string& pred) {
  return compare_math(gold, pred, MathRules()).outcome == Outcome::kCorrect;
}

Verdict grade(const std::string& grader, const std::string& target, const std::string& text) {
  GraderSpec spec;
  spec.grader = grader;
  GradeRequest request;
  request.text = text;
  request.target = target;
  return make_grader(spec).value()->grade(request);
}

// One hostile family: its n-th member.
struct Family {
  const char* name;
  std::function<std::string(int)> make;
};

std::string terms(int n, const std::function<std::string(int)>& term) {
  std::string out = "0";
  for (int k = 0; k < n; ++k) {
    out += "+" + term(k);
  }
  return out;
}

const std::vector<Family>& families() {
  static const std::vector<Family> list = {
      {"fractions below fractions",
       [](int n) { return repeated("1+\\frac{1}{", n) + "x" + repeated("}", n); }},
      {"fractions above fractions",
       [](int n) { return repeated("\\frac{", n) + "7" + repeated("}{2}", n); }},
      {"roots in roots", [](int n) { return repeated("\\sqrt{2+", n) + "2" + repeated("}", n); }},
      {"powers of powers", [](int n) { return repeated("9^{", n) + "9" + repeated("}", n); }},
      {"powers of brackets", [](int n) { return repeated("(", n) + "x+1" + repeated(")^{9}", n); }},
      {"factorials of factorials", [](int n) { return "3" + repeated("!", n); }},
      {"fractions of factorials",
       [](int n) {
         return terms(n, [](int k) { return "\\frac{1}{" + std::to_string(2000 - k) + "!}"; });
       }},
      {"binomials of binomials",
       [](int n) { return repeated("\\binom{", n) + "5" + repeated("}{2}", n); }},
      {"sums of sums", [](int n) { return repeated("\\sum_{k=1}^{99}", n) + "1"; }},
      {"a sum of nested fractions",
       [](int n) { return "\\sum_{k=1}^{9999}(" + repeated("\\frac{1}{k}+", n) + "1)"; }},
      {"products of matrices",
       [](int n) { return repeated("\\begin{pmatrix}1&x\\\\x&2\\end{pmatrix}", n); }},
      {"sines in sines", [](int n) { return repeated("\\sin(", n) + "x" + repeated(")", n); }},
      {"many angles",
       [](int n) {
         return terms(n, [](int k) { return "\\sin(" + std::to_string(k + 7) + "x)"; });
       }},
      {"many logarithms",
       [](int n) {
         return terms(n, [](int k) {
           return "\\ln(1000000000000000000000000" + std::to_string(1000003 + k) + ")";
         });
       }},
      {"many roots",
       [](int n) {
         return terms(n, [](int k) { return "\\sqrt{" + std::to_string(1000003 + k) + "}"; });
       }},
      {"floors in floors",
       [](int n) { return repeated("\\lfloor \\pi+", n) + "1" + repeated("\\rfloor", n); }},
      {"bars in bars",
       [](int n) { return repeated("\\lvert \\pi-", n) + "1" + repeated("\\rvert", n); }},
      {"long digits", [](int n) { return repeated("7", 100 * n); }},
      {"a long fraction",
       [](int n) {
         return "\\frac{" + repeated("7", 20 * n) + "}{" + repeated("3", 20 * n) + "1}";
       }},
      {"a huge exponent", [](int n) { return "x^{" + repeated("9", n) + "}+1"; }},
      {"a huge power of pi", [](int n) { return "\\pi^{" + repeated("9", n) + "}+1"; }},
      {"a large set",
       [](int n) {
         std::string out = "\\{0";
         for (int k = 0; k < n; ++k) {
           out += ",\\sqrt{" + std::to_string(std::int64_t{k} * k * k + 2) + "}";
         }
         return out + "\\}";
       }},
      {"sets in sets", [](int n) { return repeated("\\{1,", n) + "2" + repeated("\\}", n); }},
      {"a large matrix",
       [](int n) {
         std::string out = "\\begin{pmatrix}";
         for (int k = 0; k < n; ++k) {
           out += repeated("x+\\sqrt2&", n - 1) + "1\\\\";
         }
         return out + "\\end{pmatrix}";
       }},
      {"a union of many intervals",
       [](int n) {
         std::string out = "(0,1)";
         for (int k = 1; k < n; ++k) {
           out += "\\cup(\\sqrt{" + std::to_string(2 * k) + "},\\sqrt{" +
                  std::to_string(2 * k + 1) + "})";
         }
         return out;
       }},
      {"many plus-minus signs", [](int n) { return repeated("1\\pm 2\\pm 3,", n) + "2"; }},
      {"open braces", [](int n) { return repeated("{", n); }},
      {"closing braces", [](int n) { return repeated("}", n); }},
      {"brackets of every kind", [](int n) { return repeated("(]}\\{", n) + "1"; }},
      {"bars", [](int n) { return repeated("|", n) + "x"; }},
      {"dollars", [](int n) { return repeated("$", n) + "1"; }},
      {"right-to-left marks", [](int n) { return repeated("\u202e", n) + "1"; }},
      {"zero-width characters", [](int n) { return repeated("\u200b", n) + "1"; }},
      {"lone surrogates", [](int n) { return repeated("\xED\xA0\x80", n) + "1"; }},
      {"invalid UTF-8", [](int n) { return repeated("\xC3\x28\xF0\x28\x8C\xBC\xFF", n) + "1"; }},
      {"boxes in boxes", [](int n) { return repeated("\\boxed{", n) + "1" + repeated("}", n); }},
  };
  return list;
}

constexpr std::array<int, 6> kSizes = {1, 3, 20, 100, 256, 1500};

TEST(HostileMathTest, AnAnswerEqualsItselfOrIsUnreadable) {
  for (const Family& family : families()) {
    for (const int n : kSizes) {
      const std::string text = family.make(n);
      const MathComparison c = compare_math(text, text, MathRules());
      EXPECT_NE(c.outcome, Outcome::kIncorrect)
          << family.name << " " << n << ": " << outcome_name(c.outcome) << ": " << c.evidence;
    }
  }
}

TEST(HostileMathTest, NothingHugeEqualsItsSuccessor) {
  for (const Family& family : families()) {
    for (const int n : kSizes) {
      const std::string text = family.make(n);
      EXPECT_FALSE(is_correct(text, "(" + text + ")+1")) << family.name << " " << n;
    }
  }
}

TEST(HostileMathTest, NothingHugeEqualsASmallNumber) {
  for (const Family& family : families()) {
    for (const int n : {20, 256}) {
      EXPECT_FALSE(is_correct("19", family.make(n))) << family.name << " " << n;
    }
  }
}

TEST(HostileMathTest, ExactVerdictsOnHugeValues) {
  EXPECT_TRUE(is_correct("2000!", "2000\\cdot 1999!"));
  EXPECT_FALSE(is_correct("\\frac{1}{1999!}", "\\frac{1}{2000!}"));
  EXPECT_FALSE(is_correct("2^{-99}", "2^{-98}"));
  EXPECT_FALSE(is_correct("9^{9^{9}}", "9^{9^{8}}"));
  EXPECT_TRUE(is_correct("9^{9^{9}}", "9^{9^{9}}"));
  const std::string digits = repeated("7", 9000);
  EXPECT_TRUE(is_correct(digits, digits + ".0"));
  EXPECT_FALSE(is_correct(digits + "1", digits + "2"));
  const std::string more = repeated("7", 20000);
  EXPECT_FALSE(is_correct(more + "1", more + "2"));
}

// --- completions

TEST(HostileCompletionTest, EveryGraderGivesAVerdictOnAFloodOfAnything) {
  const std::vector<std::string> parts = {
      "{",        "\\boxed{", "\\boxed{1}", "$",        "\xED\xA0\x80", "\u200b", "<think>",
      "</think>", "A ",       "answer is ", "\xFF\xFE", "\\(",          "1,",     "####  "};
  for (std::size_t k = 0; k < parts.size(); ++k) {
    // Every fourth flood is as long as a completion may be.
    const int bytes = k % 4 == 0 ? 8 << 20 : 1 << 18;
    const std::string text = repeated(parts[k], bytes / static_cast<int>(parts[k].size()));
    for (const std::string grader : {"math", "choice", "text"}) {
      const Verdict v = grade(grader, grader == "choice" ? "B" : "1234567", text);
      EXPECT_NE(v.outcome, Outcome::kCorrect) << grader << " " << parts[k];
      EXPECT_LE(v.span_to, static_cast<std::int64_t>(text.size()));
    }
  }
}

TEST(HostileCompletionTest, TheAnswerBehindAFloodIsFound) {
  for (const std::string part :
       {"{", "}", "$", "\xED\xA0\x80", "\u202e", "\xFF", "word ", "x^2 "}) {
    const std::string text =
        repeated(part, (1 << 20) / static_cast<int>(part.size())) + "\n\nSo it is \\boxed{42}.";
    EXPECT_EQ(grade("math", "42", text).outcome, Outcome::kCorrect) << part;
  }
}

TEST(HostileCompletionTest, InvisibleCharactersInAnAnswerDoNotChangeIt) {
  for (const std::string mark :
       {"\u200b", "\u200c", "\u200d", "\u2060", "\u200e", "\u200f", "\ufeff"}) {
    EXPECT_EQ(grade("math", "42", "\\boxed{" + mark + "42" + mark + "}").outcome,
              Outcome::kCorrect);
    EXPECT_EQ(grade("math", "42", "\\boxed{" + mark + "43" + mark + "}").outcome,
              Outcome::kIncorrect);
  }
}

}  // namespace
}  // namespace r1eval
