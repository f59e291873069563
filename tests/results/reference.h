// Values of an independent implementation, made by scripts/reference_statistics.py.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "base/json.h"

namespace r1eval {

inline const Json& reference() {
  static const Json values = [] {
    const Result<std::string> text =
        read_file(std::string(R1EVAL_TEST_DATA) + "/statistics_reference.json");
    return parse_json(text.value()).value();
  }();
  return values;
}

}  // namespace r1eval
