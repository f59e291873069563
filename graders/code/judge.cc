#include "graders/code/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/hash.h"
#include "graders/code/python_value.h"
#include "graders/code/stdout_match.h"
#include "graders/code/text.h"
#include "graders/code/value.h"

namespace r1eval {
namespace {

constexpr std::int64_t kShownBytes = 300;

CodeVerdict verdict_of(RunEnd end) {
  switch (end) {
    case RunEnd::kSandboxError:
      return CodeVerdict::kIe;
    case RunEnd::kSecurityViolation:
      return CodeVerdict::kSv;
    case RunEnd::kOutputLimit:
      return CodeVerdict::kOle;
    case RunEnd::kMemoryLimit:
      return CodeVerdict::kMle;
    case RunEnd::kTimeLimit:
      return CodeVerdict::kTle;
    case RunEnd::kRuntimeError:
      return CodeVerdict::kRe;
    case RunEnd::kCompileError:
      return CodeVerdict::kCe;
    case RunEnd::kFinished:
      return CodeVerdict::kOk;
  }
  return CodeVerdict::kIe;
}

LcbResult lcb_result_of(CodeVerdict verdict, CodeProblem::Mode mode) {
  switch (verdict) {
    case CodeVerdict::kOk:
      return LcbResult::kTrue;
    case CodeVerdict::kWa:
      return mode == CodeProblem::Mode::kFunctional ? LcbResult::kFalse : LcbResult::kWrongOutput;
    case CodeVerdict::kTle:
      return LcbResult::kTimeLimit;
    default:
      return LcbResult::kError;
  }
}

// What one run means for its test.
struct TestOutcome {
  CodeVerdict verdict = CodeVerdict::kIe;
  std::string detail;
  std::string got;
  std::string expected;
  bool is_official_error = false;  // the official evaluator itself stops with an error here
};

TestOutcome judge_stdout(const RunResult& run, const CodeTest& test) {
  TestOutcome outcome;
  StdoutComparison comparison = compare_stdout(run.stdout_bytes, test.expected);
  outcome.verdict = comparison.match == StdoutMatch::kSame ? CodeVerdict::kOk : CodeVerdict::kWa;
  if (comparison.match != StdoutMatch::kSame) {
    outcome.detail =
        fmt::format("line {} differs{}", comparison.line + 1,
                    comparison.match == StdoutMatch::kLineCount ? ", and the number of lines" : "");
    outcome.got = std::move(comparison.got);
    outcome.expected = std::move(comparison.expected);
    outcome.is_official_error = comparison.match == StdoutMatch::kSignaling;
  }
  return outcome;
}

TestOutcome judge_value(const RunResult& run, const CodeTest& test) {
  TestOutcome outcome;
  const Result<PythonValue> expected = parse_python_json(test.expected);
  if (!expected) {
    outcome.detail = "the expected value: " + expected.error().message;
    return outcome;
  }
  Result<CodeValue> value = decode_code_value(run.value_bytes);
  if (!value) {
    outcome.verdict = CodeVerdict::kRe;
    outcome.detail = "no readable value came back: " + value.error().message;
    return outcome;
  }
  const PythonValue returned = to_python_value(std::move(value).value());
  if (returned_value_matches(returned, *expected)) {
    outcome.verdict = CodeVerdict::kOk;
    return outcome;
  }
  outcome.verdict = CodeVerdict::kWa;
  outcome.detail = "the returned value differs";
  outcome.got = python_repr(returned, kShownBytes);
  outcome.expected = python_repr(*expected, kShownBytes);
  return outcome;
}

// Numbers of elements along each axis of a regular nested list; empty for anything else.
std::vector<std::size_t> shape_of(const PythonValue& value) {
  std::vector<std::size_t> shape;
  const PythonValue* at = &value;
  while (at->kind == PythonValue::Kind::kList) {
    shape.push_back(at->items.size());
    if (at->items.empty()) {
      break;
    }
    at = &at->items.front();
  }
  return shape;
}

// The official runner compares an array with the expected value element by element, keeps the
// result, and then asks for its truth: an error unless there is one element. `first` is what it
// keeps, shown as its first element.
struct ArrayComparison {
  bool is_one = false;
  std::optional<bool> first;  // empty: the shapes do not go together, which is an error at once
};

ArrayComparison compare_array(const PythonValue& array, const PythonValue& expected) {
  ArrayComparison comparison;
  const std::vector<std::size_t> shape = shape_of(array);
  const std::vector<std::size_t> wanted = shape_of(expected);
  const auto size = [](const std::vector<std::size_t>& of) {
    std::size_t n = 1;
    for (const std::size_t length : of) {
      n *= length;
    }
    return n;
  };
  const bool fits = wanted.empty() || shape == wanted || size(shape) == 1 || size(wanted) == 1;
  if (!fits || size(shape) == 0 || size(wanted) == 0) {
    return comparison;
  }
  const auto first_of = [](const PythonValue& value) {
    const PythonValue* at = &value;
    while (at->kind == PythonValue::Kind::kList && !at->items.empty()) {
      at = &at->items.front();
    }
    return at;
  };
  comparison.is_one = size(shape) == 1 && size(wanted) == 1;
  comparison.first = python_equal(*first_of(array), *first_of(expected));
  return comparison;
}

TestOutcome judge_run(const RunResult& run, const CodeProblem& problem, const CodeTest& test) {
  if (run.end != RunEnd::kFinished) {
    TestOutcome outcome;
    outcome.verdict = verdict_of(run.end);
    outcome.detail = run.detail;
    return outcome;
  }
  return problem.mode == CodeProblem::Mode::kFunctional ? judge_value(run, test)
                                                        : judge_stdout(run, test);
}

// The line of the script that raised, as a traceback shows it; empty: none is shown.
std::string failed_line(std::string_view traceback) {
  const std::size_t frame = traceback.rfind("\n  File \"main.py\"");
  const std::size_t at =
      frame == std::string_view::npos ? frame : traceback.find("\n    ", frame + 1);
  if (at == std::string_view::npos) {
    return "";
  }
  const std::string_view line = traceback.substr(at + 5);
  return std::string(line.substr(0, line.find('\n')));
}

class Judge {
 public:
  Judge(CodeExecutor& executor, const CodeProblem& problem, std::string_view program,
        const JudgeOptions& options)
      : executor_(executor), problem_(problem), options_(options) {
    spec_.language = options.language;
    spec_.source = std::string(program);
    spec_.profile = options.profile;
    spec_.mode = problem.mode == CodeProblem::Mode::kFunctional ? ProgramMode::kFunctional
                                                                : ProgramMode::kStdin;
    spec_.fn_name = problem.fn_name;
    judgement_.n_tests = static_cast<std::int64_t>(problem.tests.size());
  }

  Judgement judge() {
    if (problem_.mode == CodeProblem::Mode::kScript) {
      judge_script();
    } else if (problem_.tests.empty()) {
      judgement_.detail = "there are no tests";
    } else if (const std::optional<std::string> problem = unreadable_tests(); problem) {
      judgement_.detail = *problem;
      if (is_official()) {
        replace_results(LcbResult::kError);
      }
    } else if (is_official()) {
      judge_shared();
    } else {
      judge_each();
    }
    return std::move(judgement_);
  }

 private:
  bool is_official() const {
    return options_.profile == CodeProfile::kLcbOfficial && options_.language == "python";
  }

  // Arguments and expected values that are no JSON are the data's failure, not the program's.
  std::optional<std::string> unreadable_tests() const {
    if (problem_.mode != CodeProblem::Mode::kFunctional) {
      return std::nullopt;
    }
    for (std::size_t i = 0; i < problem_.tests.size(); ++i) {
      const CodeTest& test = problem_.tests[i];
      for (const std::string_view line : split_lines(test.input)) {
        if (const Result<PythonValue> value = parse_python_json(line); !value) {
          return fmt::format("test {}: an argument is no JSON: {}", i, value.error().message);
        }
      }
      if (const Result<PythonValue> value = parse_python_json(test.expected); !value) {
        return fmt::format("test {}: the expected value is no JSON: {}", i, value.error().message);
      }
    }
    return std::nullopt;
  }

  RunInput input_of(std::size_t test) const {
    RunInput input;
    const std::string& text = problem_.tests[test].input;
    if (problem_.mode == CodeProblem::Mode::kFunctional) {
      input.args_json = text;
    } else {
      input.stdin_bytes = text;
    }
    input.seed = stable_hash64({"program", spec_.source, std::to_string(test)});
    return input;
  }

  void add_resources(const RunResult& run) {
    judgement_.cpu_s += run.cpu_s;
    judgement_.wall_s += run.wall_s;
    judgement_.n_reruns += run.was_rerun ? 1 : 0;
    judgement_.peak_mib = std::max(judgement_.peak_mib, run.peak_mib);
  }

  // True: go on with the next test.
  bool take(std::size_t test, TestOutcome outcome) {
    if (outcome.verdict == CodeVerdict::kOk) {
      judgement_.results.push_back(LcbResult::kTrue);
      return true;
    }
    judgement_.verdict = outcome.verdict;
    // A program that does not compile fails no test in particular.
    judgement_.first_failing_test =
        outcome.verdict == CodeVerdict::kCe ? -1 : static_cast<std::int64_t>(test);
    judgement_.detail = cut_middle(outcome.detail, kShownBytes);
    judgement_.got = std::move(outcome.got);
    judgement_.expected = std::move(outcome.expected);
    if (outcome.verdict != CodeVerdict::kCe) {
      judgement_.input = cut_middle(problem_.tests[test].input, kShownBytes);
    }
    if (outcome.verdict != CodeVerdict::kIe) {
      judgement_.results.push_back(lcb_result_of(outcome.verdict, problem_.mode));
    }
    return false;
  }

  void replace_results(LcbResult only) { judgement_.results = {only}; }

  void judge_each() {
    for (std::size_t i = 0; i < problem_.tests.size(); ++i) {
      const RunResult run = executor_.run(spec_, input_of(i), options_.limits);
      add_resources(run);
      if (!take(i, judge_run(run, problem_, problem_.tests[i]))) {
        return;
      }
    }
    judgement_.verdict = CodeVerdict::kOk;
  }

  TestOutcome judge_array(const RunResult& run, const CodeTest& test) {
    TestOutcome outcome = judge_run(run, problem_, test);
    Result<CodeValue> value = decode_code_value(run.value_bytes);
    const Result<PythonValue> expected = parse_python_json(test.expected);
    if (!value || !expected) {
      return outcome;
    }
    const PythonValue returned = to_python_value(std::move(value).value());
    const ArrayComparison comparison = compare_array(returned, *expected);
    if (comparison.is_one) {
      outcome = TestOutcome();
      outcome.verdict = *comparison.first ? CodeVerdict::kOk : CodeVerdict::kWa;
      outcome.detail = "the returned array differs";
      outcome.got = python_repr(returned, kShownBytes);
      outcome.expected = python_repr(*expected, kShownBytes);
    } else if (comparison.first) {
      judgement_.results.push_back(*comparison.first ? LcbResult::kTrue : LcbResult::kFalse);
    }
    return outcome;
  }

  void judge_shared() {
    std::vector<RunInput> inputs;
    for (std::size_t i = 0; i < problem_.tests.size(); ++i) {
      inputs.push_back(input_of(i));
    }
    std::size_t n_passed = 0;
    const auto on_result = [&](std::size_t i, const RunResult& run) {
      add_resources(run);
      TestOutcome outcome = run.end == RunEnd::kRuntimeError && !run.value_bytes.empty()
                                ? judge_array(run, problem_.tests[i])
                                : judge_run(run, problem_, problem_.tests[i]);
      const bool is_official_error =
          outcome.is_official_error || outcome.verdict == CodeVerdict::kCe;
      const bool goes_on = take(i, std::move(outcome));
      n_passed += goes_on ? 1 : 0;
      if (!goes_on && is_official_error) {
        replace_results(LcbResult::kError);
      }
      if (run.ended_process && run.end != RunEnd::kFinished) {
        // The official runner loses all results with its process, and calls that a wrong output.
        replace_results(LcbResult::kWrongOutput);
      }
      return goes_on;
    };
    const RunResult last = executor_.run_shared(spec_, inputs, options_.limits, on_result);
    if (last.end == RunEnd::kSandboxError) {
      judgement_ = Judgement();
      judgement_.n_tests = static_cast<std::int64_t>(problem_.tests.size());
      judgement_.detail = last.detail;
    } else if (n_passed == problem_.tests.size()) {
      judgement_.verdict = CodeVerdict::kOk;
    } else if (judgement_.verdict == CodeVerdict::kIe) {
      // The process ended between two tests.
      judgement_.verdict = last.end == RunEnd::kFinished ? CodeVerdict::kRe : verdict_of(last.end);
      judgement_.first_failing_test = static_cast<std::int64_t>(n_passed);
      judgement_.detail = last.detail;
      replace_results(LcbResult::kWrongOutput);
    }
  }

  // The checks raise where the program is wrong. A program that ends before them has not passed
  // them, so the script's last line writes a token that the program cannot know.
  void judge_script() {
    const std::string token = fmt::format(
        "r1eval-{:016x}",
        stable_hash64({"checks passed", spec_.source, problem_.prompt, problem_.checks}));
    spec_.source = assemble_script(problem_, spec_.source, token);
    spec_.profile = problem_.needs_prelude ? CodeProfile::kLcb : CodeProfile::kStrict;
    judgement_.n_tests = 1;
    RunInput input;
    input.seed = stable_hash64({"script", token});
    const RunResult run = executor_.run(spec_, input, options_.limits);
    add_resources(run);
    judgement_.verdict = verdict_of(run.end);
    judgement_.detail = run.detail;
    if (run.end == RunEnd::kRuntimeError &&
        (run.detail.find("AssertionError") != std::string::npos ||
         run.stderr_tail.find("\nAssertionError") != std::string::npos)) {
      judgement_.verdict = CodeVerdict::kWa;
      judgement_.got = cut_middle(run.stderr_tail, kShownBytes);
      if (const std::string line = failed_line(run.stderr_tail); !line.empty()) {
        judgement_.input = cut_middle(line, kShownBytes);
        judgement_.detail += ": " + line;
      }
    }
    // What the program printed may still have been in a buffer, and come after the token.
    if (run.end == RunEnd::kFinished &&
        run.stdout_bytes.find("\n" + token + "\n") == std::string::npos) {
      judgement_.verdict = CodeVerdict::kRe;
      judgement_.detail = "the program ended before its tests did";
    }
    if (judgement_.verdict == CodeVerdict::kIe) {
      return;
    }
    if (judgement_.verdict != CodeVerdict::kOk) {
      judgement_.first_failing_test = judgement_.verdict == CodeVerdict::kCe ? -1 : 0;
      judgement_.detail = cut_middle(judgement_.detail, kShownBytes);
    }
    judgement_.results.push_back(lcb_result_of(judgement_.verdict, problem_.mode));
  }

  CodeExecutor& executor_;
  const CodeProblem& problem_;
  const JudgeOptions& options_;
  ProgramSpec spec_;
  Judgement judgement_;
};

}  // namespace

std::string_view code_verdict_name(CodeVerdict verdict) {
  constexpr std::string_view kNames[] = {"OK", "WA", "RE", "TLE", "MLE", "OLE", "CE", "SV", "IE"};
  return kNames[static_cast<std::size_t>(verdict)];
}

Judgement judge_program(CodeExecutor& executor, const CodeProblem& problem,
                        std::string_view program, const JudgeOptions& options) {
  return Judge(executor, problem, program, options).judge();
}

}  // namespace r1eval
