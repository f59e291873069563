// Extra vectors and data for tests, from outside the repository. The one file that reads
// R1EVAL_SHARED (a folder with conformance/, data/, reference/) and R1EVAL_TEST_MODELS (a folder
// with real .gguf files). Tests that need them call the macros below, which skip by name where the
// file is absent; scripts/check.sh collects the lines "ran N cases of NAME" and "absent: NAME".
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace r1eval {

inline std::string path_under(const char* variable, const std::string& relative) {
  const char* root = std::getenv(variable);
  if (root == nullptr || *root == '\0') {
    return "";
  }
  const std::string path = std::string(root) + "/" + relative;
  std::error_code ignored;
  return std::filesystem::exists(path, ignored) ? path : "";
}

// Path of a file or folder under R1EVAL_SHARED, or empty.
inline std::string shared_path(const std::string& relative) {
  return path_under("R1EVAL_SHARED", relative);
}

// Path of a file under R1EVAL_TEST_MODELS, or empty.
inline std::string test_model_path(const std::string& file) {
  return path_under("R1EVAL_TEST_MODELS", file);
}

// Counts for the closing lines of scripts/check.sh.
inline void report_cases(const std::string& name, long n) {
  std::printf("[extra] ran %ld cases of %s\n", n, name.c_str());
}

inline void report_absent(const std::string& name) {
  std::printf("[extra] absent: %s\n", name.c_str());
}

#define R1_REQUIRE_SHARED(variable, relative)                   \
  const std::string variable = ::r1eval::shared_path(relative); \
  if (variable.empty()) {                                       \
    ::r1eval::report_absent(relative);                          \
    GTEST_SKIP() << "absent: $R1EVAL_SHARED/" << (relative);    \
  }

#define R1_REQUIRE_TEST_MODEL(variable, file)                   \
  const std::string variable = ::r1eval::test_model_path(file); \
  if (variable.empty()) {                                       \
    ::r1eval::report_absent(std::string("model ") + (file));    \
    GTEST_SKIP() << "absent: $R1EVAL_TEST_MODELS/" << (file);   \
  }

}  // namespace r1eval
