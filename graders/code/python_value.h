// Values as Python programs return them and as a test's JSON text states them, and Python's `==`
// between the two.
//
// Numbers  integers keep all digits, floats are doubles; an integer and a float are compared by
//          value without going through double, so that 2**53 + 1 is not 2.0**53.
// Source   the rules are those of CPython 3.11's json module and of object comparison.
// Bounds   nesting up to kMaxPythonNesting; integers up to kMaxPythonIntDigits, as the official
//          evaluator sets its own limit.
// Threads  values, no shared state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graders/code/value.h"

namespace r1eval {

inline constexpr std::int64_t kMaxPythonNesting = 2000;
inline constexpr std::int64_t kMaxPythonIntDigits = 50000;

struct PythonValue {
  enum class Kind : std::uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kStr,
    kList,
    kTuple,
    kDict,
    kSet,
    kOther,  // anything else: equal to nothing
  };

  Kind kind = Kind::kNone;
  bool boolean = false;
  double number = 0;
  // kInt: decimal digits with an optional '-'. kStr: UTF-8, lone surrogates as three bytes.
  // kOther: the type's name, for people.
  std::string text;
  // Members in order; of a dict key, value, key, value, …
  std::vector<PythonValue> items;
};

// json.loads: NaN and infinities are read, a repeated key's last value counts, lone surrogates
// stay. Errors: kParse with the byte offset.
Result<PythonValue> parse_python_json(std::string_view text);

// `a == b` of two values that are not the same object: NaN equals nothing.
bool python_equal(const PythonValue& a, const PythonValue& b);

// What the sandbox hands over, as the same kind of value. An integer of more digits than any test
// can expect becomes kOther.
PythonValue to_python_value(CodeValue value);

// The official comparison of a functional test: a tuple returned at the top counts as a list.
bool returned_value_matches(PythonValue returned, const PythonValue& expected);

// The value as Python's repr would show it, cut in the middle after `limit` bytes.
std::string python_repr(const PythonValue& value, std::int64_t limit);

}  // namespace r1eval
