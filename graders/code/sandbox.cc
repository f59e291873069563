#include "graders/code/sandbox.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "base/file.h"
#include "graders/code/compiler.h"
#include "graders/code/layers.h"

namespace r1eval {
namespace {

// A memory file a program: runs share it, the supervisor passes its descriptor on.
constexpr std::int64_t kMaxResultBytes = 64 << 20;

wire::Profile wire_profile(CodeProfile profile) {
  switch (profile) {
    case CodeProfile::kLcb:
      return wire::Profile::kLcb;
    case CodeProfile::kLcbOfficial:
      return wire::Profile::kOfficial;
    case CodeProfile::kStrict:
      return wire::Profile::kStrict;
  }
  return wire::Profile::kLcb;
}

RunResult sandbox_error(std::string detail) {
  RunResult result;
  result.end = RunEnd::kSandboxError;
  result.detail = std::move(detail);
  return result;
}

RunResult refused(std::string detail) {
  RunResult result;
  result.end = RunEnd::kCompileError;
  result.detail = std::move(detail);
  return result;
}

bool set_name(wire::Request& request, const std::string& name) {
  if (name.size() >= sizeof request.text || name.find('\0') != std::string::npos) {
    return false;
  }
  std::memcpy(request.text, name.data(), name.size());
  request.text_bytes = static_cast<std::uint32_t>(name.size());
  return true;
}

// Whether a time limit was reached while processors were short. The time a program needs grows
// then, so the verdict would depend on who else was at work.
bool wants_quiet(const RunResult& result) {
  constexpr double kWaitingShare = 0.4;
  return result.end == RunEnd::kTimeLimit &&
         result.elapsed_s - result.wall_s > kWaitingShare * result.elapsed_s;
}

// Importing numpy costs thirty times what a run does, so programs that name it are forked from an
// interpreter that has it.
bool names_numpy(std::string_view source) {
  return source.find("numpy") != std::string_view::npos;
}

// What the driver wrote about a function's call: a tag, then a value or a text.
void read_functional(const std::string& bytes, RunResult& result) {
  if (result.end != RunEnd::kFinished) {
    return;
  }
  const char tag = bytes.empty() ? '\0' : bytes.front();
  std::string rest = bytes.empty() ? std::string() : bytes.substr(1);
  switch (tag) {
    case 'V':
      result.value_bytes = std::move(rest);
      return;
    case 'C':
      result.end = RunEnd::kCompileError;
      break;
    case 'M':
      result.end = RunEnd::kMemoryLimit;
      break;
    case 'E':
    case 'A':
      result.end = RunEnd::kRuntimeError;
      break;
    default:
      result.end = RunEnd::kRuntimeError;
      rest = "ended without returning a value";
      break;
  }
  result.detail = rest.substr(0, 400);
}

}  // namespace

struct Sandbox::State {
  SandboxLevel level = SandboxLevel::kC;
  std::uint32_t layer_bits = 0;
  std::vector<LayerStatus> layers;
  std::string python;  // path, empty: none
  std::string pypy;
  std::string python_version;
  std::unique_ptr<SlotPool> slots;
  std::unique_ptr<Compiler> compiler;
};

Sandbox::Sandbox(std::unique_ptr<State> state) : state_(std::move(state)) {}

Sandbox::~Sandbox() = default;

std::string_view sandbox_level_name(SandboxLevel level) {
  constexpr std::string_view kNames[] = {"A", "B", "C"};
  return kNames[static_cast<std::size_t>(level)];
}

std::optional<SandboxLevel> sandbox_level_from(std::string_view name) {
  for (const SandboxLevel level : {SandboxLevel::kA, SandboxLevel::kB, SandboxLevel::kC}) {
    if (sandbox_level_name(level) == name) {
      return level;
    }
  }
  return std::nullopt;
}

std::string_view run_end_verdict(RunEnd end) {
  constexpr std::string_view kNames[] = {"IE", "SV", "OLE", "MLE", "TLE", "RE", "CE", "OK"};
  return kNames[static_cast<std::size_t>(end)];
}

std::vector<std::string> sandbox_languages() {
  std::vector<std::string> names;
  for (const CodeLanguage& language : code_languages()) {
    names.push_back(language.name);
  }
  return names;
}

Result<std::unique_ptr<Sandbox>> Sandbox::open(const SandboxOptions& options) {
  auto state = std::make_unique<State>();
  wire::Config config;
  find_interpreters(config);
  config.no_fork_server = options.fork_servers ? 0 : 1;
  state->python = config.python;
  state->pypy = config.pypy;
  config.memory_mib_max = 1024;
  R1_TRY(FirstSlot first, open_first_slot(options, config));
  state->level = first.level;
  state->layer_bits = first.supervisor.layers;
  state->layers = describe_layers(first);
  int n_slots = options.slots;
  if (n_slots <= 0) {
    n_slots = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
  config = first.config;
  std::vector<Supervisor> supervisors;
  supervisors.push_back(std::move(first.supervisor));
  // The others start when they are first needed.
  for (int i = 1; i < n_slots; ++i) {
    supervisors.emplace_back();
  }
  state->slots = std::make_unique<SlotPool>(std::move(supervisors), config);
  std::string cache = options.cache_directory;
  if (cache.empty()) {
    // A slot's own user must be able to read it; a home folder is often closed to others.
    cache = ::geteuid() == 0 ? "/var/cache/r1eval" : cache_directory();
  }
  state->compiler = std::make_unique<Compiler>(*state->slots, cache + "/sandbox");
  std::unique_ptr<Sandbox> sandbox(new Sandbox(std::move(state)));
  if (!sandbox->state_->python.empty()) {
    ProgramSpec version;
    version.profile = CodeProfile::kLcb;
    version.source =
        "import platform\nprint(platform.python_implementation().replace('C', '', 1), "
        "platform.python_version())";
    RunLimits limits;
    const RunResult result = sandbox->run(version, RunInput{}, limits);
    if (result.end != RunEnd::kFinished) {
      return fail(ErrorCode::kFailedPrecondition,
                  fmt::format("sandbox: a first program failed: {} {} {}",
                              run_end_verdict(result.end), result.detail, result.stderr_tail));
    }
    std::string text = result.stdout_bytes;
    text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
    sandbox->state_->python_version = text;
  }
  return sandbox;
}

RunResult Sandbox::run(const ProgramSpec& program, const RunInput& input, const RunLimits& limits) {
  const CodeLanguage* language = find_code_language(program.language);
  if (language == nullptr) {
    return refused(fmt::format("unknown language '{}'", program.language));
  }
  const bool is_pypy = language->name == "pypy";
  if (language->is_python && !is_pypy && program.profile == CodeProfile::kLcbOfficial) {
    RunResult last;
    const RunResult outcome =
        run_shared(program, std::span(&input, 1), limits, [&](std::size_t, const RunResult& one) {
          last = one;
          return false;
        });
    return outcome.end == RunEnd::kSandboxError ? outcome : last;
  }
  SlotRun run;
  set_limits(run.request, limits);
  run.request.seed = input.seed;
  run.stdout_bytes = std::max<std::int64_t>(1, limits.stdout_mib) << 20;
  run.stdin_bytes = input.stdin_bytes;
  UniqueFd source;
  std::shared_ptr<const CompiledProgram> compiled;
  const bool is_functional = program.mode == ProgramMode::kFunctional;
  if (language->is_python) {
    if ((is_pypy ? state_->pypy : state_->python).empty()) {
      return refused(fmt::format("no {} interpreter on this machine: install {}",
                                 is_pypy ? "PyPy" : "Python", is_pypy ? "pypy3" : "python3"));
    }
    run.request.engine = is_pypy ? wire::Engine::kPyPy : wire::Engine::kPython;
    run.request.profile = wire_profile(
        program.profile == CodeProfile::kLcbOfficial ? CodeProfile::kLcb : program.profile);
    run.request.with_numpy = !is_pypy && names_numpy(program.source) ? 1 : 0;
    if (is_functional) {
      run.request.is_functional = 1;
      run.stdin_bytes = input.args_json;
      run.result_bytes = kMaxResultBytes;
      if (!set_name(run.request, program.fn_name)) {
        return refused("the function's name is too long");
      }
    }
    Result<UniqueFd> file = make_memory_file(program.source);
    if (!file) {
      return sandbox_error(file.error().message);
    }
    source = std::move(file).value();
    run.program_fd = source.get();
  } else {
    if (is_functional) {
      return refused(fmt::format("functions cannot be called in {}", program.language));
    }
    compiled = state_->compiler->compile(*language, program.source);
    if (compiled->result.end != RunEnd::kFinished) {
      RunResult result = compiled->result;
      result.stdout_bytes.clear();
      return result;
    }
    run.request.engine = wire::Engine::kNative;
    run.program_fd = compiled->binary.get();
  }
  SlotOutcome outcome = run_on_slot(*state_->slots, run);
  if (wants_quiet(outcome.result)) {
    run.is_quiet = true;
    SlotOutcome again = run_on_slot(*state_->slots, run);
    if (again.result.end != RunEnd::kSandboxError) {
      outcome = std::move(again);
    }
    outcome.result.was_rerun = true;
  }
  if (is_functional) {
    read_functional(outcome.result_bytes, outcome.result);
  }
  return std::move(outcome.result);
}

RunResult Sandbox::compile(const ProgramSpec& program) {
  const CodeLanguage* language = find_code_language(program.language);
  if (language == nullptr) {
    return refused(fmt::format("unknown language '{}'", program.language));
  }
  if (language->is_python) {
    RunResult result;
    result.end = RunEnd::kFinished;
    return result;
  }
  return state_->compiler->compile(*language, program.source)->result;
}

namespace {

// The driver's stream of records: a tag, eight bytes of length, that many bytes.
class RecordReader {
 public:
  struct Record {
    char tag = 0;
    std::string data;
  };

  // The next whole record behind those that were taken; the first byte of all is "begun".
  std::optional<Record> next(const std::string& bytes) {
    if (at_ == 0) {
      at_ = bytes.empty() ? 0 : 1;
    }
    if (at_ == 0 || bytes.size() - at_ < 9) {
      return std::nullopt;
    }
    std::uint64_t size = 0;
    std::memcpy(&size, bytes.data() + at_ + 1, sizeof size);
    if (bytes.size() - at_ - 9 < size) {
      return std::nullopt;
    }
    Record record;
    record.tag = bytes[at_];
    record.data = bytes.substr(at_ + 9, size);
    at_ += 9 + size;
    return record;
  }

 private:
  std::size_t at_ = 0;
};

std::string framed(std::string_view input) {
  const std::uint64_t size = input.size();
  std::string out(sizeof size, '\0');
  std::memcpy(out.data(), &size, sizeof size);
  out += input;
  return out;
}

RunResult result_of_record(const RecordReader::Record& record, bool is_functional) {
  RunResult result;
  result.exit_code = 0;
  result.detail = record.data.substr(0, 400);
  switch (record.tag) {
    case 'V':
      result.end = RunEnd::kFinished;
      result.detail.clear();
      (is_functional ? result.value_bytes : result.stdout_bytes) = record.data;
      break;
    case 'N':
      result.end = RunEnd::kRuntimeError;
      result.value_bytes = record.data;
      result.detail = "ValueError: the truth value of an array is ambiguous";
      break;
    case 'T':
      result.end = RunEnd::kTimeLimit;
      result.detail = "alarm";
      break;
    case 'C':
      result.end = RunEnd::kCompileError;
      break;
    default:
      result.end = RunEnd::kRuntimeError;
      break;
  }
  return result;
}

}  // namespace

RunResult Sandbox::run_shared(const ProgramSpec& program, std::span<const RunInput> inputs,
                              const RunLimits& limits,
                              const std::function<bool(std::size_t, const RunResult&)>& on_result) {
  if (program.language != "python" || state_->python.empty()) {
    const RunResult result = refused("only Python programs run in one process for all tests");
    if (!inputs.empty()) {
      on_result(0, result);
    }
    return result;
  }
  if (inputs.empty()) {
    return sandbox_error("no inputs");
  }
  const bool is_functional = program.mode == ProgramMode::kFunctional;
  SlotRun run;
  const double alarm_s = std::max(1.0, std::floor(limits.cpu_s));
  RunLimits patience = limits;
  // The official runner's own patience with a process.
  patience.cpu_s = (alarm_s + 1) * static_cast<double>(inputs.size()) + 5;
  patience.wall_s = patience.cpu_s;
  set_limits(run.request, patience);
  run.request.alarm_s = alarm_s;
  run.request.engine = wire::Engine::kPython;
  run.request.profile = wire::Profile::kOfficial;
  run.request.is_functional = is_functional ? 1 : 0;
  run.request.is_shared = 1;
  run.request.with_numpy = names_numpy(program.source) ? 1 : 0;
  run.request.seed = inputs.front().seed;
  run.stdout_bytes = std::max<std::int64_t>(1, limits.stdout_mib) << 20;
  run.result_bytes = (std::max<std::int64_t>(1, limits.stdout_mib) << 20) *
                         std::min<std::int64_t>(static_cast<std::int64_t>(inputs.size()), 16) +
                     (1 << 20);
  if (!set_name(run.request, program.fn_name)) {
    return refused("the function's name is too long");
  }
  const Result<UniqueFd> source = make_memory_file(program.source);
  if (!source) {
    return sandbox_error(source.error().message);
  }
  run.program_fd = source->get();
  const auto input_of = [&](std::size_t index) {
    return framed(is_functional ? inputs[index].args_json : inputs[index].stdin_bytes);
  };
  const std::string first = input_of(0);
  run.stdin_bytes = first;

  std::size_t n_delivered = 0;  // results that on_result() has seen
  RunResult last;
  for (bool is_quiet : {false, true}) {
    run.is_quiet = is_quiet;
    RecordReader reader;
    std::size_t n_seen = 0;  // results of this process
    bool stopped = false;
    bool is_held = false;  // `last` is a time limit that is not delivered yet
    const PumpResultWatcher watcher = [&](const std::string& bytes, std::string& more) {
      while (!stopped) {
        const std::optional<RecordReader::Record> record = reader.next(bytes);
        if (!record || n_seen >= inputs.size()) {
          break;
        }
        last = result_of_record(*record, is_functional);
        last.was_rerun = is_quiet;
        const std::size_t index = n_seen++;
        bool goes_on = record->tag == 'V' || record->tag == 'N';
        if (last.end == RunEnd::kTimeLimit) {
          is_held = true;
        } else if (index >= n_delivered) {
          ++n_delivered;
          goes_on = on_result(index, last) && goes_on;
        }
        stopped = !goes_on || n_seen == inputs.size();
        if (!stopped) {
          more = input_of(n_seen);
        }
      }
      return stopped ? PumpStep::kStop : PumpStep::kGoOn;
    };
    const std::size_t n_before = n_delivered;
    SlotOutcome outcome = run_on_slot(*state_->slots, run, watcher, [&] {
      // A retry after our own failure is a new process; what was delivered may not be told again.
      reader = RecordReader{};
      n_seen = 0;
      return n_delivered == n_before;
    });
    RunResult& whole = outcome.result;
    if (whole.end == RunEnd::kSandboxError && !stopped) {
      return std::move(whole);
    }
    if (stopped) {
      last.cpu_s = whole.cpu_s;
      last.wall_s = whole.wall_s;
      last.elapsed_s = whole.elapsed_s;
      last.peak_mib = whole.peak_mib;
    } else {
      // The process ended by itself, or a limit ended it, in the middle of an input.
      last = std::move(whole);
      if (last.end == RunEnd::kFinished) {
        last.end = RunEnd::kRuntimeError;
        last.detail = "the program ended the process";
      }
      last.stdout_bytes.clear();
      last.ended_process = true;
      last.was_rerun = is_quiet;
    }
    if (!is_quiet && wants_quiet(last)) {
      continue;
    }
    if (is_held || !stopped) {
      on_result(n_delivered, last);
    }
    break;
  }
  return last;
}

SandboxLevel Sandbox::level() const {
  return state_->level;
}

const std::vector<LayerStatus>& Sandbox::layers() const {
  return state_->layers;
}

std::vector<std::string> Sandbox::active_layers() const {
  std::vector<std::string> names;
  for (const LayerStatus& layer : state_->layers) {
    if (layer.is_active) {
      names.push_back(layer.name);
    }
  }
  return names;
}

std::string Sandbox::interpreter_version(std::string_view language) const {
  return language == "python" ? state_->python_version : std::string();
}

int Sandbox::slots() const {
  return state_->slots->size();
}

}  // namespace r1eval
