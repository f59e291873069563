// Reads grading cases: one JSON object a line.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/json.h"

namespace r1eval {

inline std::vector<Json> read_cases(const std::string& path) {
  std::vector<Json> cases;
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::string line;
  while (std::getline(file, line)) {
    if (!line.empty()) {
      auto parsed = parse_json(line);
      EXPECT_TRUE(parsed.has_value()) << path << ": " << line;
      if (parsed) {
        cases.push_back(std::move(*parsed));
      }
    }
  }
  return cases;
}

}  // namespace r1eval
