// A programming problem as the judge needs it: how a program is run, on which inputs, and what is
// expected of it.
//
// Source   a dataset row's test columns, kept as a JSON object of texts (Item::tests). Which
// columns
//          there are tells the layout: LiveCodeBench (public_test_cases, private_test_cases,
//          metadata), HumanEval (prompt, test, entry_point), MBPP (test_list, test_setup_code), or
//          plain pairs of input and output (tests).
// Memory   a decoded problem may be hundreds of MiB: read it, judge, drop it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "graders/code/payload.h"

namespace r1eval {

struct CodeTest {
  std::string input;     // kStdin: bytes; kFunctional: one JSON value a line, an argument each
  std::string expected;  // kStdin: text; kFunctional: a JSON value
};

struct CodeProblem {
  enum class Mode : std::uint8_t {
    kStdin,
    kFunctional,
    kScript,  // the tests are code that runs after the program, in the same process
  };

  Mode mode = Mode::kStdin;
  std::string fn_name;          // kFunctional
  std::vector<CodeTest> tests;  // public ones first; empty for kScript
  std::int64_t n_public = 0;

  // kScript.
  std::string prompt;          // code that the model was shown, empty if none
  std::string entry_point;     // the function that a program should define, empty if unknown
  std::string checks;          // code that runs after the program and raises if it is wrong
  bool needs_prelude = false;  // programs may use LiveCodeBench's prelude

  // Rough size in memory.
  std::int64_t bytes() const;
};

// Errors: kParse naming the column and what is wrong, kResourceExhausted past a limit. A problem
// without tests is an error: it would accept everything.
Result<CodeProblem> read_code_problem(std::string_view tests_json,
                                      const PayloadLimits& limits = {});

// What can be checked without unpacking anything: are the columns there, is the metadata readable?
Status check_code_problem(std::string_view tests_json);

// The whole script of a kScript problem: what the program builds on, the program, the checks, and
// at the very end a line that writes `token` to standard output.
std::string assemble_script(const CodeProblem& problem, std::string_view program,
                            std::string_view token);

}  // namespace r1eval
