// Runs programs that a model wrote, each in isolation, and reports what they did.
//
// The sandbox never sees an expected output and gives no verdict on correctness: it hands over what
// the program printed or returned, and how it ended. Comparing is the caller's business, in this
// process, where no foreign code runs.
//
//     R1_TRY(const std::unique_ptr<Sandbox> sandbox, Sandbox::open({}));
//     ProgramSpec program;
//     program.source = "print(int(input()) * 2)";
//     RunInput input;
//     input.stdin_bytes = "21\n";
//     const RunResult result = sandbox->run(program, input);   // result.stdout_bytes == "42\n"
//
// Processes A slot is a supervisor (limits, clock, kills), a slot init (pid 1 of the slot's process
//           namespace), and one fork server per language and profile. A run costs one fork. Data go
//           straight between this process and the program through pipes; they are bounded here.
// Units     seconds, MiB (2^20 bytes), bytes where the name says so.
// Errors    open() fails with kFailedPrecondition where the wanted level cannot be had, the message
//           naming what would help. run() never fails: RunEnd::kSandboxError is our own failure,
//           after retries, and must become `unscored`, never a wrong answer.
// Threads   every method may be called from any thread at once; at most `slots` programs run at a
//           time, further callers wait in order of arrival. run() blocks: call it from threads that
//           may wait, not from a compute pool's.
// Tested    tests/graders/code/.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace r1eval {

// How much isolation there is. A: namespaces, control groups, seccomp (root or delegated groups).
// B: namespaces and seccomp (ordinary user). C: seccomp, Landlock and rlimits only.
enum class SandboxLevel : std::uint8_t { kA, kB, kC };

std::string_view sandbox_level_name(SandboxLevel level);  // "A", "B", "C"
std::optional<SandboxLevel> sandbox_level_from(std::string_view name);

enum class ProgramMode : std::uint8_t {
  kStdin,       // reads standard input, prints
  kFunctional,  // a function is called with JSON arguments, its value is handed over
};

// Under which rules a Python program runs (docs/sandbox.md); other languages know only kLcb.
enum class CodeProfile : std::uint8_t {
  kLcb,          // a real script, LiveCodeBench's prelude, SystemExit is a normal end
  kLcbOfficial,  // LiveCodeBench's own runner imitated, its quirks included; see run_shared()
  kStrict,       // no prelude, the exit status must be 0
};

std::string_view code_profile_name(CodeProfile profile);  // "lcb", "lcb-official", "strict"
std::optional<CodeProfile> code_profile_from(std::string_view name);

struct RunLimits {
  double cpu_s = 6;                // CPU time of all the run's processes together
  double wall_s = 18;              // for programs that sleep; waiting for a busy core is free
  std::int64_t memory_mib = 1024;  // of all the run's processes and its scratch files
  std::int64_t pids = 64;          // processes and threads at a time
  std::int64_t stdout_mib = 16;    // more is an output-limit end
  std::int64_t stderr_mib = 1;     // more is read and dropped
  std::int64_t scratch_mib = 64;   // files under /tmp
  std::int64_t scratch_inodes = 4096;
};

struct ProgramSpec {
  std::string language = "python";  // a name of sandbox_languages()
  std::string source;
  ProgramMode mode = ProgramMode::kStdin;
  std::string fn_name;  // kFunctional: attribute of Solution(), else of the module
  CodeProfile profile = CodeProfile::kLcb;
};

struct RunInput {
  std::string_view stdin_bytes;  // kStdin: what the program reads; must outlive the call
  std::string_view args_json;    // kFunctional: one JSON value a line, an argument each
  std::uint64_t seed = 0;        // reseeds `random`: the same number, the same run
};

// How a run ended, in the order in which several reasons give way: the first one that holds counts.
enum class RunEnd : std::uint8_t {
  kSandboxError,       // IE: ours, after retries
  kSecurityViolation,  // SV: a forbidden system call
  kOutputLimit,        // OLE
  kMemoryLimit,        // MLE
  kTimeLimit,          // TLE: `detail` is "cpu" or "idle"
  kRuntimeError,       // RE: exception, exit status, signal, no or a malformed value
  kCompileError,       // CE: `detail` is the compiler's message
  kFinished,           // ended normally: compare the output or value
};

std::string_view run_end_verdict(RunEnd end);  // "IE", "SV", …, "OK" for kFinished

struct RunResult {
  RunEnd end = RunEnd::kSandboxError;
  std::string detail;        // for people: exception's name, limit, message; bounded, any bytes
  int exit_code = -1;        // -1 where a signal ended the program
  int signal = 0;            // 0 where it exited
  std::string stdout_bytes;  // at most stdout_mib; any bytes
  std::string stderr_tail;   // last 4 KiB; any bytes
  std::string value_bytes;   // kFunctional: graders/code/value.h decodes it
  double cpu_s = 0;          // of all processes
  double wall_s = 0;         // what the wall limit counts: without waiting for a busy core
  double elapsed_s = 0;      // as a clock on the wall tells it
  double peak_mib = 0;
  std::int64_t kill_us = 0;    // from the decision to kill, or the end, to an empty slot
  bool ended_process = false;  // run_shared(): the process is gone with this result
  bool was_rerun = false;      // a time limit was reached on a busy machine; this is the second run
};

// One layer of isolation, as probed on this machine.
struct LayerStatus {
  std::string name;  // "user namespace", "seccomp", …
  bool is_available = false;
  bool is_active = false;
  std::string evidence;  // the errno's text, the path, the version
  std::string fallback;  // what is done instead, where inactive
};

struct SandboxOptions {
  int slots = 0;                              // 0: one a core
  SandboxLevel min_level = SandboxLevel::kB;  // below it open() fails
  std::optional<SandboxLevel> level;          // exactly this one, also where more is possible
  std::string cache_directory;                // compiled headers; empty: r1eval's own
  bool fork_servers = true;  // false: a new interpreter a run, as where none can be started
};

class Sandbox {
 public:
  static Result<std::unique_ptr<Sandbox>> open(const SandboxOptions& options);
  ~Sandbox();  // waits for running programs
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  // One program on one input in a process of its own. C++ is compiled first, once per source. A run
  // that reaches a time limit while it often had to wait for a processor is done again with no
  // other run beside it, and the second run counts: processor time, too, gets dearer on a busy
  // machine.
  RunResult run(const ProgramSpec& program, const RunInput& input, const RunLimits& limits);

  // One process for all inputs, in order, as CodeProfile::kLcbOfficial wants it (Python only).
  // After each input on_result(index, result) says whether to go on; false kills the process. When
  // the process ends by itself or by a limit, the last result has `ended_process`. limits.cpu_s is
  // per input and counts wall time in whole seconds, as LiveCodeBench's alarm does. A result's
  // stdout_bytes is the captured text in kStdin mode (UTF-8, lone surrogates as three bytes).
  // Returns a kSandboxError result if our own machinery failed (nothing that was delivered counts
  // then), else the last delivered one. Time limits on a busy machine are treated as run() does:
  // the inputs up to there are given again, and only results that were not delivered yet are.
  // A numpy array that a function returns is a kRuntimeError result with the value of its tolist().
  RunResult run_shared(const ProgramSpec& program, std::span<const RunInput> inputs,
                       const RunLimits& limits,
                       const std::function<bool(std::size_t, const RunResult&)>& on_result);

  // Compiles only: kFinished, kCompileError or kSandboxError. Interpreted languages: kFinished.
  RunResult compile(const ProgramSpec& program);

  SandboxLevel level() const;
  const std::vector<LayerStatus>& layers() const;
  std::vector<std::string> active_layers() const;                    // names, for records
  std::string interpreter_version(std::string_view language) const;  // "Python 3.11.2", or empty
  int slots() const;

 private:
  struct State;
  explicit Sandbox(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What could be had here, without starting anything that stays: for `r1eval doctor`.
struct SandboxProbe {
  std::optional<SandboxLevel> level;  // empty: none
  std::vector<LayerStatus> layers;
  std::string advice;  // what would raise the level, or empty
};

SandboxProbe probe_sandbox();

std::vector<std::string> sandbox_languages();  // "python", "cpp", …

}  // namespace r1eval
