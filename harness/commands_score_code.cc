// score code: programs judged by running them, as a JSONL filter on standard input.
//
// A line is a problem with solutions (mode, tests, solutions) or an answer to an official row
// (completion, problem); each solution gives a line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/parallel.h"
#include "base/waiting_threads.h"
#include "graders/code/code_grader.h"
#include "graders/extract/thinking.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/filter.h"
#include "harness/sandbox_executor.h"

namespace r1eval {
namespace {

struct ScoreCodeFlags {
  std::string profile;
  std::string extraction = "lcb";
  std::string sandbox_min = "B";
  std::int64_t jobs = 0;
};

struct Solution {
  std::string language = "python";
  std::string code;
};

// What a line asks for.
struct CodeLine {
  CodeProblem problem;
  std::string problem_error;  // the tests cannot be read: our failure, no program's
  std::vector<Solution> solutions;
  JudgeOptions options;
};

Status read_limits(const Json& line, RunLimits& limits) {
  const Json* given = find_member(line, "limits");
  if (given == nullptr) {
    return ok_status();
  }
  limits.cpu_s = double_or(*given, "cpu_s", limits.cpu_s);
  limits.wall_s = double_or(*given, "wall_s", limits.wall_s);
  limits.memory_mib = int_or(*given, "memory_mib", limits.memory_mib);
  if (!(limits.cpu_s > 0 && limits.cpu_s <= 3600) ||
      !(limits.wall_s > 0 && limits.wall_s <= 7200) || limits.memory_mib < 1 ||
      limits.memory_mib > (1 << 20)) {
    return fail(ErrorCode::kInvalidArgument,
                "limits: cpu_s in (0, 3600], wall_s in (0, 7200], memory_mib in [1, 1048576]");
  }
  return ok_status();
}

// "mode", "fn_name", "tests" and "solutions".
Status read_solutions(const Json& line, CodeLine& out) {
  R1_TRY(const std::string mode, get_string(line, "mode"));
  if (mode == "functional") {
    out.problem.mode = CodeProblem::Mode::kFunctional;
    R1_TRY(out.problem.fn_name, get_string(line, "fn_name"));
  } else if (mode != "stdin") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("mode '{}': expected stdin or functional", mode));
  }
  const Json* tests = find_member(line, "tests");
  const Json* solutions = find_member(line, "solutions");
  if (tests == nullptr || !tests->is_array() || solutions == nullptr || !solutions->is_array()) {
    return fail(ErrorCode::kInvalidArgument, "'tests' and 'solutions' must be lists");
  }
  for (const Json& test : *tests) {
    CodeTest& added = out.problem.tests.emplace_back();
    R1_TRY(added.input, get_string(test, "input"));
    R1_TRY(added.expected, get_string(test, "output"));
  }
  for (const Json& solution : *solutions) {
    Solution& added = out.solutions.emplace_back();
    added.language = string_or(solution, "language", "python");
    R1_TRY(added.code, get_string(solution, "code"));
  }
  return ok_status();
}

// "completion" and "problem", an official row.
Status read_completion(const Json& line, CodeStyle style, CodeLine& out) {
  R1_TRY(const std::string completion, get_string(line, "completion"));
  const Json* row = find_member(line, "problem");
  if (row == nullptr || !row->is_object()) {
    return fail(ErrorCode::kInvalidArgument,
                "expected 'mode', 'tests' and 'solutions', or 'completion' and 'problem'");
  }
  OrderedJson columns;
  for (const auto& [key, value] : row->items()) {
    if (!value.is_null()) {
      columns[key] = value.is_string() ? value.get<std::string>() : dump_json(value);
    }
  }
  Result<CodeProblem> problem = read_code_problem(dump_json(columns));
  if (problem) {
    out.problem = std::move(problem).value();
  } else {
    out.problem_error = problem.error().message;
  }
  ThinkingInput thinking;
  thinking.content = completion;
  out.solutions.push_back(
      {"python", extract_code(split_thinking(thinking, ThinkTags()).answer, style).code});
  return ok_status();
}

Result<CodeLine> read_line(const Json& line, const ScoreCodeFlags& flags, CodeStyle style) {
  CodeLine out;
  const std::string profile =
      flags.profile.empty() ? string_or(line, "profile", "lcb") : flags.profile;
  const std::optional<CodeProfile> known = code_profile_from(profile);
  if (!known) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("profile '{}': expected lcb, lcb-official or strict", profile));
  }
  out.options.profile = *known;
  R1_RETURN_IF_ERROR(read_limits(line, out.options.limits));
  if (find_member(line, "completion") != nullptr) {
    R1_RETURN_IF_ERROR(read_completion(line, style, out));
  } else {
    R1_RETURN_IF_ERROR(read_solutions(line, out));
  }
  const std::vector<std::string> languages = sandbox_languages();
  for (const Solution& solution : out.solutions) {
    if (std::find(languages.begin(), languages.end(), solution.language) == languages.end()) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("language '{}': there are {}", solution.language,
                              fmt::join(languages, ", ")));
    }
  }
  return out;
}

OrderedJson answer_of(CodeExecutor& executor, const CodeLine& line, std::size_t which) {
  JudgeOptions options = line.options;
  options.language = line.solutions[which].language;
  Judgement judgement;
  if (line.problem_error.empty()) {
    judgement = judge_program(executor, line.problem, line.solutions[which].code, options);
  } else {
    judgement.detail = line.problem_error;
  }
  OrderedJson out;
  out["solution"] = which;
  const OrderedJson judged = judgement_json(judgement);
  for (const auto& [key, value] : judged.items()) {
    out[key] = value;
  }
  return out;
}

int score_code(const ScoreCodeFlags& flags) {
  const std::optional<CodeStyle> style = code_style_from_name(flags.extraction);
  const std::optional<SandboxLevel> level = sandbox_level_from(flags.sandbox_min);
  if (!style || !level) {
    return report_failure(fail(
        ErrorCode::kInvalidArgument,
        "--extract is lcb, last_python_block, answer_tag or base; --sandbox-min is A, B or C"));
  }
  const Result<std::shared_ptr<CodeExecutor>> opened =
      SandboxExecutor::open(*level, static_cast<int>(flags.jobs));
  if (!opened) {
    return report_failure(opened.error());
  }
  CodeExecutor& executor = **opened;
  const std::int64_t n_threads = executor.slots() + 1;
  return run_jsonl_filter_many(
      stdin, stdout,
      [&](const Json& input) -> Result<std::vector<OrderedJson>> {
        R1_TRY(const CodeLine line, read_line(input, flags, *style));
        std::vector<OrderedJson> answers(line.solutions.size());
        run_on_waiting_threads(static_cast<std::int64_t>(answers.size()), n_threads,
                               [&](std::int64_t i) {
                                 const auto which = static_cast<std::size_t>(i);
                                 answers[which] = answer_of(executor, line, which);
                               });
        return answers;
      },
      n_threads);
}

}  // namespace

void add_score_code_command(CLI::App& score, Action& action) {
  CLI::App* code = score.add_subcommand(
      "code", "id, mode, tests, solutions; or id, completion, problem -> a verdict a solution");
  auto flags = std::make_shared<ScoreCodeFlags>();
  code->add_option("--profile", flags->profile,
                   "lcb (default), lcb-official, strict; for every line (docs/grading.md)")
      ->check(CLI::IsMember({"lcb", "lcb-official", "strict"}));
  code->add_option("--jobs", flags->jobs, "programs at a time; default: one a core")
      ->check(CLI::Range(1, 1024));
  code->add_option("--extract", flags->extraction,
                   "of completions: lcb, last_python_block, answer_tag, base");
  code->add_option("--sandbox-min", flags->sandbox_min, "least isolation: A, B or C");
  code->callback([&action, flags] { action = [flags] { return score_code(*flags); }; });
}

}  // namespace r1eval
