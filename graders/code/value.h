// Values that a function returned, as the sandbox's Python driver hands them over.
//
// Format   one byte of tag, then: N none, T true, F false; i LEN:hexadecimal integer with sign
//          ("-ff"); d LEN:hexadecimal float as Python's float.hex ("0x1.8p+1", "inf", "-inf",
//          "nan"); s LEN:UTF-8, lone surrogates as three bytes; l, t, e (list, tuple, set) COUNT:
//          that many values; m COUNT: that many key, value pairs; o LEN:type name, any other
//          object. LEN and COUNT are decimal.
// Limits   depth 1000 (the writer gives up at less), as many values as bytes.
// Errors   kParse for anything else, trailing bytes included. Hostile bytes are expected.
// Tested   tests/graders/code/value_test.cc
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace r1eval {

struct CodeValue {
  enum class Kind : std::uint8_t {
    kNone,
    kBool,    // is_true
    kInt,     // text: sign and lower-case hexadecimal digits, no leading zeros ("0", "-1f")
    kFloat,   // number (NaN and infinities possible)
    kString,  // text: UTF-8, lone surrogates as three bytes
    kList,    // items
    kTuple,   // items
    kSet,     // items, in no order
    kDict,    // items: key, value, key, value, …
    kOther,   // text: the type's name; equal to nothing
  };
  Kind kind = Kind::kNone;
  bool is_true = false;
  double number = 0;
  std::string text;
  std::vector<CodeValue> items;
};

Result<CodeValue> decode_code_value(std::string_view bytes);

}  // namespace r1eval
