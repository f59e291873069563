// sandbox run: programs in the sandbox, one JSON line each, with the verdict on what they printed
// or returned; doctor: what isolation this machine allows.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "graders/code/judge.h"
#include "graders/code/sandbox.h"
#include "harness/command.h"
#include "harness/doctor.h"
#include "harness/exit_codes.h"

namespace r1eval {
namespace {

// Larger output is cut in the line that is printed, not in what is compared.
constexpr std::size_t kShownStdout = 1 << 20;

struct SandboxFlags {
  std::int64_t jobs = 0;
  std::string level;
  std::string profile = "lcb";
};

class SandboxRef : public CodeExecutor {
 public:
  explicit SandboxRef(Sandbox& sandbox) : sandbox_(sandbox) {}

  RunResult run(const ProgramSpec& program, const RunInput& input,
                const RunLimits& limits) override {
    last_ = sandbox_.run(program, input, limits);
    return last_;
  }

  RunResult run_shared(
      const ProgramSpec& program, std::span<const RunInput> inputs, const RunLimits& limits,
      const std::function<bool(std::size_t, const RunResult&)>& on_result) override {
    last_ = sandbox_.run_shared(program, inputs, limits, [&](std::size_t i, const RunResult& one) {
      shared_ = one;
      return on_result(i, one);
    });
    if (last_.end != RunEnd::kSandboxError) {
      last_.stdout_bytes = shared_.stdout_bytes;
    }
    return last_;
  }

  const RunResult& last() const { return last_; }

 private:
  Sandbox& sandbox_;
  RunResult last_;
  RunResult shared_;
};

RunLimits read_limits(const Json& row) {
  RunLimits limits;
  const Json* given = find_member(row, "limits");
  if (given == nullptr) {
    return limits;
  }
  const auto clamp = [&](const char* key, std::int64_t otherwise, std::int64_t most) {
    return std::clamp<std::int64_t>(int_or(*given, key, otherwise), 1, most);
  };
  limits.cpu_s = std::clamp(double_or(*given, "cpu_s", limits.cpu_s), 0.01, 3600.0);
  limits.wall_s = std::clamp(double_or(*given, "wall_s", limits.wall_s), 0.01, 7200.0);
  limits.memory_mib = clamp("memory_mib", limits.memory_mib, 1 << 20);
  limits.pids = clamp("pids", limits.pids, 4096);
  limits.stdout_mib = clamp("stdout_mib", limits.stdout_mib, 1024);
  limits.stderr_mib = clamp("stderr_mib", limits.stderr_mib, 1024);
  limits.scratch_mib = clamp("scratch_mib", limits.scratch_mib, 1 << 16);
  limits.scratch_inodes = clamp("scratch_inodes", limits.scratch_inodes, 1 << 20);
  return limits;
}

Result<CodeProblem> read_problem(const Json& row) {
  CodeProblem problem;
  if (string_or(row, "mode", "stdin") == "functional") {
    problem.mode = CodeProblem::Mode::kFunctional;
    R1_TRY(problem.fn_name, get_string(row, "fn_name"));
    const Json* tests = find_member(row, "tests");
    if (tests == nullptr || !tests->is_array()) {
      return fail(ErrorCode::kInvalidArgument, "'tests' must be a list");
    }
    for (const Json& test : *tests) {
      CodeTest& added = problem.tests.emplace_back();
      R1_TRY(added.input, get_string(test, "input"));
      R1_TRY(added.expected, get_string(test, "output"));
    }
    return problem;
  }
  CodeTest& test = problem.tests.emplace_back();
  test.input = string_or(row, "stdin");
  test.expected = string_or(row, "expected_stdout");
  if (const Json* made = find_member(row, "stdin_gen")) {
    R1_TRY(const std::string piece, get_string(*made, "repeat"));
    R1_TRY(const std::int64_t bytes, get_int(*made, "bytes"));
    if (piece.empty() || bytes < 0 || bytes > (std::int64_t{1} << 30)) {
      return fail(ErrorCode::kInvalidArgument, "stdin_gen: repeat a text up to 2^30 bytes");
    }
    test.input.clear();
    test.input.reserve(static_cast<std::size_t>(bytes) + piece.size());
    while (test.input.size() < static_cast<std::size_t>(bytes)) {
      test.input += piece;
    }
    test.input.resize(static_cast<std::size_t>(bytes));
  }
  return problem;
}

Result<OrderedJson> run_row(Sandbox& sandbox, const Json& row, const std::string& profile) {
  R1_TRY(const CodeProblem problem, read_problem(row));
  R1_TRY(const std::string program, get_string(row, "program"));
  JudgeOptions options;
  options.language = string_or(row, "language", "python");
  options.limits = read_limits(row);
  const std::string name = string_or(row, "profile", profile);
  const std::optional<CodeProfile> known = code_profile_from(name);
  if (!known) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("profile '{}': expected lcb, lcb-official or strict", name));
  }
  options.profile = *known;
  const std::int64_t repeat = std::clamp<std::int64_t>(int_or(row, "repeat", 1), 1, 100);
  OrderedJson out;
  // Of several runs the first bad one is told, as state that one left is found by the next.
  for (std::int64_t i = 0; i < repeat; ++i) {
    SandboxRef executor(sandbox);
    const Judgement judgement = judge_program(executor, problem, program, options);
    const RunResult& run = executor.last();
    out = OrderedJson();
    out["verdict"] = code_verdict_name(judgement.verdict);
    out["detail"] = judgement.detail;
    out["stdout"] = run.stdout_bytes.substr(0, kShownStdout);
    out["stdout_bytes"] = run.stdout_bytes.size();
    out["exit"] = run.exit_code < 0 ? OrderedJson() : OrderedJson(run.exit_code);
    out["signal"] = run.signal == 0 ? OrderedJson() : OrderedJson(run.signal);
    out["cpu_s"] = judgement.cpu_s;
    out["wall_s"] = judgement.wall_s;
    out["elapsed_s"] = run.elapsed_s;
    out["peak_mib"] = judgement.peak_mib;
    out["kill_us"] = run.kill_us;
    if (judgement.n_reruns > 0) {
      out["reruns"] = judgement.n_reruns;
    }
    out["level"] = sandbox_level_name(sandbox.level());
    out["layers"] = sandbox.active_layers();
    if (judgement.verdict != CodeVerdict::kOk) {
      break;
    }
  }
  return out;
}

int sandbox_run(const SandboxFlags& flags) {
  SandboxOptions options;
  options.min_level = SandboxLevel::kC;
  if (!flags.level.empty()) {
    options.level = sandbox_level_from(flags.level);
  }
  options.slots = static_cast<int>(flags.jobs);
  Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::open(options);
  if (!sandbox) {
    return report_failure(sandbox.error());
  }
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) {
      lines.push_back(std::move(line));
    }
  }
  std::vector<std::string> answers(lines.size());
  std::atomic<std::size_t> next = 0;  // relaxed would do: each index is taken once, nothing else
  std::atomic<bool> failed = false;
  const auto work = [&] {
    for (std::size_t i = next++; i < lines.size(); i = next++) {
      const Result<Json> row = parse_json(lines[i]);
      Result<OrderedJson> answer = fail(ErrorCode::kParse, "expected a JSON object");
      if (row && row->is_object()) {
        answer = run_row(**sandbox, *row, flags.profile);
      } else if (!row) {
        answer = row.error();
      }
      OrderedJson out;
      const Json* id = row && row->is_object() ? find_member(*row, "id") : nullptr;
      out["id"] = id == nullptr ? OrderedJson() : OrderedJson(*id);
      if (answer) {
        out.update(*answer);
      } else {
        failed = true;
        out["line"] = i + 1;
        out["error"] = answer.error().message;
      }
      answers[i] = dump_json(out);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < (*sandbox)->slots(); ++i) {
    threads.emplace_back(work);
  }
  work();
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const std::string& answer : answers) {
    std::printf("%s\n", answer.c_str());
  }
  std::fflush(stdout);
  return failed ? kExitMalformedInput : kExitOk;
}

}  // namespace

void add_sandbox_commands(CLI::App& app, Action& action) {
  CLI::App* sandbox = app.add_subcommand("sandbox", "run programs in isolation");
  sandbox->require_subcommand(1);
  CLI::App* run = sandbox->add_subcommand(
      "run", "JSON lines of id, program, stdin, expected_stdout, limits -> verdict and resources");
  auto flags = std::make_shared<SandboxFlags>();
  run->add_option("--jobs", flags->jobs, "programs at a time; default: one a core")
      ->check(CLI::Range(1, 1024));
  run->add_option("--level", flags->level, "exactly this level of isolation")
      ->check(CLI::IsMember({"A", "B", "C"}));
  run->add_option("--profile", flags->profile, "where a line names none")
      ->check(CLI::IsMember({"lcb", "lcb-official", "strict"}));
  run->callback([&action, flags] { action = [flags] { return sandbox_run(*flags); }; });
  CLI::App* doctor =
      app.add_subcommand("doctor", "what isolation this machine gives, layer by layer");
  auto json = std::make_shared<bool>(false);
  doctor->add_flag("--json", *json, "one JSON object");
  doctor->callback([&action, json] {
    action = [json] {
      print_doctor(*json);
      return kExitOk;
    };
  });
}

}  // namespace r1eval
