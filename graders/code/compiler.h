// Compiled programs: each source once, in a slot of its own limits, the binary kept in memory.
//
// Key      source, command, compiler's version.      Limits  20 s CPU, 1 GiB, as the design says.
// Header   a language's precompiled header is made once a machine and kept on disk; where it cannot
//          be made, compiling is slower and nothing else.
// Threads  any; two threads with the same source wait for one compilation.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "graders/code/language.h"
#include "graders/code/pump.h"
#include "graders/code/sandbox.h"
#include "graders/code/slots.h"

namespace r1eval {

// One request, carried out with retries: pipes, pump, report.
struct SlotRun {
  wire::Request request;
  int program_fd = -1;
  std::string_view stdin_bytes;
  std::int64_t stdout_bytes = 0;
  std::int64_t result_bytes = 0;
  bool is_quiet = false;  // with no ordinary run beside it (slots.h)
};

// What came out, and what the sandbox makes of it. `result_bytes` is without the leading "begun"
// byte.
struct SlotOutcome {
  RunResult result;
  std::string result_bytes;
};

struct CompiledProgram {
  UniqueFd binary;   // closed where compiling failed
  RunResult result;  // kFinished, kCompileError or kSandboxError
};

class Compiler {
 public:
  Compiler(SlotPool& slots, std::string cache_directory);

  std::shared_ptr<const CompiledProgram> compile(const CodeLanguage& language,
                                                 const std::string& source);

 private:
  CompiledProgram run_step(const CompileStep& step, const std::string& source,
                           const std::string& extra_include);
  void prepare_header(const CodeLanguage& language);
  std::string header_folder(const CodeLanguage& language);

  SlotPool& slots_;
  std::string cache_directory_;
  std::once_flag header_once_;

  std::mutex mutex_;  // guards the cache
  using Future = std::shared_future<std::shared_ptr<const CompiledProgram>>;
  std::map<std::string, Future> cache_;
  std::list<std::string> order_;  // oldest first; at most kMaxBinaries
};

// Carries a run out on a slot; kSandboxError results are tried again twice.
SlotOutcome run_on_slot(SlotPool& slots, const SlotRun& run);
SlotOutcome run_on_slot(SlotPool& slots, const SlotRun& run, const PumpResultWatcher& watcher,
                        const std::function<bool()>& may_retry);

// Limits and mode of a request; the CPU limit of compilations and runs alike.
void set_limits(wire::Request& request, const RunLimits& limits);

}  // namespace r1eval
