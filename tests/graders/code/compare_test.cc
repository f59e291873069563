// Comparison of outputs and values against cases whose answers CPython 3.11 gave.
#include <gtest/gtest.h>

#include "graders/code/python_value.h"
#include "graders/code/stdout_match.h"
#include "graders/code/text.h"
#include "tests/graders/cases.h"

namespace r1eval {
namespace {

const std::string kData = R1EVAL_TEST_DATA;

// The cases' bytes are written one a code point.
std::string bytes_of(const std::string& text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size();) {
    bytes += static_cast<char>(next_code_point(text, at));
  }
  return bytes;
}

TEST(CodeStdoutTest, ComparesAsPythonDoes) {
  const std::vector<Json> cases = read_cases(kData + "/code_stdout_cases.jsonl");
  EXPECT_GE(cases.size(), 70U);
  for (const Json& line : cases) {
    const std::string got = string_or(line, "got");
    const std::string expected = string_or(line, "expected");
    const bool same = bool_or(line, "same", false);
    EXPECT_EQ(compare_stdout(got, expected).match == StdoutMatch::kSame, same) << line.dump();
    // Equality does not depend on the side.
    EXPECT_EQ(compare_stdout(expected, got).match == StdoutMatch::kSame, same) << line.dump();
  }
}

TEST(CodeStdoutTest, NamesTheFirstDifference) {
  const StdoutComparison line = compare_stdout("1\n2\n4\n5\n", "1\n2\n3\n6\n");
  EXPECT_EQ(line.match, StdoutMatch::kLine);
  EXPECT_EQ(line.line, 2);
  EXPECT_EQ(line.got, "4");
  EXPECT_EQ(line.expected, "3");
  const StdoutComparison count = compare_stdout("1\n", "1\n2\n");
  EXPECT_EQ(count.match, StdoutMatch::kLineCount);
  EXPECT_EQ(count.line, 1);
  EXPECT_EQ(count.got, "");
  EXPECT_EQ(count.expected, "2");
}

TEST(CodeStdoutTest, SignallingNaNIsToldApart) {
  EXPECT_EQ(compare_stdout("1 snan", "1.0 snan").match, StdoutMatch::kSignaling);
  EXPECT_EQ(compare_stdout("2 snan", "1.0 snan").match, StdoutMatch::kLine);
  EXPECT_EQ(compare_stdout("snan", "snan").match, StdoutMatch::kSame);
}

TEST(CodeStdoutTest, InvalidUtf8IsTextLikeAnyOther) {
  EXPECT_EQ(compare_stdout("\xFF\xFE\n", "\xFF\xFE").match, StdoutMatch::kSame);
  EXPECT_EQ(compare_stdout("\xFF", "\xFE").match, StdoutMatch::kLine);
  EXPECT_EQ(compare_stdout("\xE2\x80", "").match, StdoutMatch::kLine);
  EXPECT_EQ(compare_stdout("1\xC2", "1").match, StdoutMatch::kLine);
}

TEST(CodeStdoutTest, ShowsLongLinesCutInTheMiddle) {
  const StdoutComparison comparison = compare_stdout(std::string(100000, 'a'), "b");
  EXPECT_LT(comparison.got.size(), 400U);
  EXPECT_NE(comparison.got.find("100000 bytes"), std::string::npos);
}

TEST(CodeTextTest, CutsBetweenCodePoints) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "\u20AC";
  }
  for (std::int64_t limit = 0; limit < 20; ++limit) {
    const std::string cut = cut_middle(text, limit);
    for (std::size_t at = 0; at < cut.size();) {
      EXPECT_LT(next_code_point(cut, at), 0x110000U) << limit;
    }
  }
  EXPECT_EQ(cut_middle("abc", 3), "abc");
}

TEST(CodeValueTest, ComparesAsPythonDoes) {
  const std::vector<Json> cases = read_cases(kData + "/code_value_cases.jsonl");
  EXPECT_GE(cases.size(), 80U);
  for (const Json& line : cases) {
    const Result<CodeValue> value = decode_code_value(bytes_of(string_or(line, "value")));
    const Result<PythonValue> expected = parse_python_json(string_or(line, "expected"));
    ASSERT_TRUE(value.has_value()) << line.dump();
    ASSERT_TRUE(expected.has_value()) << line.dump();
    EXPECT_EQ(returned_value_matches(to_python_value(*value), *expected),
              bool_or(line, "same", false))
        << line.dump();
  }
}

TEST(CodeValueTest, SetsAndKeysCompareByValue) {
  const auto value = [](std::string_view bytes) {
    return to_python_value(decode_code_value(bytes).value());
  };
  EXPECT_TRUE(python_equal(value("e2:i1:1i1:2"), value("e2:d5:0x1p1d5:0x1p0")));
  EXPECT_FALSE(python_equal(value("e2:i1:1i1:2"), value("e2:i1:1i1:3")));
  EXPECT_FALSE(python_equal(value("e1:i1:1"), value("l1:i1:1")));
  EXPECT_TRUE(python_equal(value("m1:TN"), value("m1:i1:1N")));
  EXPECT_TRUE(python_equal(value("m1:t2:i1:1s1:aN"), value("m1:t2:Ts1:aN")));
  EXPECT_FALSE(python_equal(value("m1:s1:1N"), value("m1:i1:1N")));
  EXPECT_FALSE(python_equal(value("d3:nan"), value("d3:nan")));
  EXPECT_FALSE(python_equal(value("o3:foo"), value("o3:foo")));
}

TEST(CodeValueTest, ReadsJsonAsPythonDoes) {
  for (const char* const bad : {"",
                                "1 2",
                                "01x",
                                "01",
                                "[1,]",
                                "{\"a\":1,}",
                                "{a:1}",
                                "'a'",
                                "\"a\nb\"",
                                "\"\\x41\"",
                                "\"\\u12\"",
                                "+1",
                                ".5",
                                "1.",
                                "1e",
                                "-",
                                "nan",
                                "True",
                                "[1",
                                "{\"a\"",
                                "\"a",
                                "\xEF\xBB\xBF"
                                "1"}) {
    EXPECT_FALSE(parse_python_json(bad).has_value()) << bad;
  }
  for (const char* const good :
       {" 1 ", "\t[\n]\r", "-0", "1E5", "[NaN,-Infinity]", "\"\x7F\"", "\"\\/\"", "{\"\":{}}"}) {
    EXPECT_TRUE(parse_python_json(good).has_value()) << good;
  }
  EXPECT_TRUE(parse_python_json(std::string(50000, '9')).has_value());
  EXPECT_FALSE(parse_python_json(std::string(50001, '9')).has_value());
  EXPECT_FALSE(parse_python_json(std::string(100000, '[')).has_value());
}

TEST(CodeValueTest, ShowsValuesAsPythonWould) {
  const auto repr = [](std::string_view json) {
    return python_repr(parse_python_json(json).value(), 100);
  };
  EXPECT_EQ(repr("[1, 2.0, true, null, \"a'b\\n\"]"), "[1, 2.0, True, None, \"a'b\\n\"]");
  EXPECT_EQ(repr("{\"k\": [1e100]}"), "{'k': [1e+100]}");
  EXPECT_LT(repr("\"" + std::string(10000, 'x') + "\"").size(), 160U);
  PythonValue pair;
  pair.kind = PythonValue::Kind::kTuple;
  pair.items.resize(1);
  EXPECT_EQ(python_repr(pair, 100), "(None,)");
}

TEST(CodeValueTest, AnIntegerBeyondEveryTestIsNoInteger) {
  const std::string digits(2'000'000, 'f');
  const PythonValue value = to_python_value(
      decode_code_value("i" + std::to_string(digits.size()) + ":" + digits).value());
  EXPECT_EQ(value.kind, PythonValue::Kind::kOther);
}

}  // namespace
}  // namespace r1eval
