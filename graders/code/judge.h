// The judge: a program's verdict over a problem's tests, from what an executor reports of its runs.
//
// Expected outputs stay here; the executor gets inputs only. The first failing test decides, later
// ones are not run.
// Threads  judge_program is called from many threads with one executor; it blocks while programs
//          run.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graders/code/problem.h"
#include "graders/code/sandbox.h"

namespace r1eval {

// What runs programs: the sandbox, or a stand-in for tests. Methods as in Sandbox.
class CodeExecutor {
 public:
  virtual ~CodeExecutor() = default;

  // Programs that run at a time; more callers wait.
  virtual int slots() const { return 1; }

  // Under which isolation and interpreter programs run, in a few words and as a JSON object, for
  // records; empty: nothing to say.
  virtual std::string description() const { return ""; }

  virtual std::string details() const { return ""; }

  virtual RunResult run(const ProgramSpec& program, const RunInput& input,
                        const RunLimits& limits) = 0;
  virtual RunResult run_shared(
      const ProgramSpec& program, std::span<const RunInput> inputs, const RunLimits& limits,
      const std::function<bool(std::size_t, const RunResult&)>& on_result) = 0;
};

// "OK" and what is wrong otherwise; the letters are those of docs/grading.md.
enum class CodeVerdict : std::uint8_t { kOk, kWa, kRe, kTle, kMle, kOle, kCe, kSv, kIe };

std::string_view code_verdict_name(CodeVerdict verdict);

// LiveCodeBench's own result of one test.
enum class LcbResult : std::int8_t {
  kTrue = 1,
  kFalse = 0,  // a wrong value of a function
  kWrongOutput = -2,
  kTimeLimit = -3,
  kError = -4,
};

struct Judgement {
  CodeVerdict verdict = CodeVerdict::kIe;
  std::int64_t first_failing_test = -1;  // from 0; -1: none
  std::int64_t n_tests = 0;
  std::vector<LcbResult> results;  // up to and with the first failing test
  double cpu_s = 0;                // of all runs
  double wall_s = 0;
  double peak_mib = 0;        // of the largest run
  std::int64_t n_reruns = 0;  // runs done again as the machine was busy (sandbox.h)
  // For people, each cut in the middle.
  std::string detail;    // how it failed
  std::string input;     // of the failing test
  std::string got;       // the first differing line, or the value
  std::string expected;  // the same of the test
};

struct JudgeOptions {
  std::string language = "python";
  CodeProfile profile = CodeProfile::kLcb;
  RunLimits limits;
};

Judgement judge_program(CodeExecutor& executor, const CodeProblem& problem,
                        std::string_view program, const JudgeOptions& options);

}  // namespace r1eval
