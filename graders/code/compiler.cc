#include "graders/code/compiler.h"

#include <fmt/format.h>

#include <cstring>

#include "base/check.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"

namespace r1eval {
namespace {

constexpr std::size_t kMaxBinaries = 256;  // each holds a descriptor and its size in memory
constexpr const char* kSeenHeaders = "/opt/r1eval";  // where a slot shows the header's folder

// Compilers change with the machine: the program's own bytes would be surer, its size and time do.
std::string compiler_identity(const std::string& path) {
  const Result<std::int64_t> size = file_size(path);
  return fmt::format("{}:{}", path, size ? *size : 0);
}

RunLimits compile_limits() {
  RunLimits limits;
  limits.cpu_s = 20;
  limits.wall_s = 40;
  limits.memory_mib = 1024;
  limits.pids = 32;
  limits.stdout_mib = 1;
  limits.scratch_mib = 256;
  limits.scratch_inodes = 256;
  return limits;
}

}  // namespace

Compiler::Compiler(SlotPool& slots, std::string cache_directory)
    : slots_(slots), cache_directory_(std::move(cache_directory)) {}

std::string Compiler::header_folder(const CodeLanguage& language) {
  std::string key;
  for (const std::string& word : language.header_step.command) {
    key += word + "\n";
  }
  key += compiler_identity(language.header_step.command.front());
  return fmt::format("{}/headers-{}", cache_directory_, sha256_hex(key).substr(0, 16));
}

void Compiler::prepare_header(const CodeLanguage& language) {
  if (language.header.empty() || language.header_step.command.empty()) {
    return;
  }
  const std::string folder = header_folder(language);
  const std::string file = folder + "/" + language.header + ".gch";
  if (!path_exists(file)) {
    const std::string source = fmt::format("#include <{}>\n", language.header);
    const CompiledProgram made = run_step(language.header_step, source, "");
    Status stored = fail(ErrorCode::kInternal, made.result.detail);
    if (made.result.end == RunEnd::kFinished) {
      stored = make_directories(file.substr(0, file.rfind('/')));
      Result<std::string> bytes = read_file(fmt::format("/proc/self/fd/{}", made.binary.get()));
      if (stored && bytes) {
        stored = write_file_atomic(file, *bytes);
      }
    }
    if (!stored) {
      log_warning(fmt::format("{} is not precompiled, compiling will be slower: {}",
                              language.header, stored.error().message));
      return;
    }
  }
  slots_.set_headers(folder);
}

CompiledProgram Compiler::run_step(const CompileStep& step, const std::string& source,
                                   const std::string& extra_include) {
  CompiledProgram compiled;
  SlotRun run;
  run.request.engine = wire::Engine::kCompile;
  const bool is_header = step.made.ends_with(".gch");
  RunLimits limits = compile_limits();
  if (is_header) {
    limits.cpu_s = 60;
    limits.wall_s = 120;
    limits.memory_mib = 2048;
    limits.scratch_mib = 512;
  }
  set_limits(run.request, limits);
  std::string words = step.source + '\0' + step.made + '\0';
  for (std::size_t i = 0; i < step.command.size(); ++i) {
    words += step.command[i] + '\0';
    if (i == 0 && !extra_include.empty()) {
      words += "-I" + extra_include + '\0';
    }
  }
  R1_CHECK(words.size() < sizeof run.request.text, "a language's command line is too long");
  std::memcpy(run.request.text, words.data(), words.size());
  run.request.text_bytes = static_cast<std::uint32_t>(words.size());
  Result<UniqueFd> file = make_memory_file(source);
  if (!file) {
    compiled.result.detail = file.error().message;
    return compiled;
  }
  run.program_fd = file->get();
  run.stdout_bytes = 1 << 20;
  run.result_bytes = limits.scratch_mib << 20;
  SlotOutcome outcome = run_on_slot(slots_, run);
  compiled.result = std::move(outcome.result);
  RunResult& result = compiled.result;
  if (result.end == RunEnd::kSandboxError) {
    return compiled;
  }
  if (result.end != RunEnd::kFinished || outcome.result_bytes.empty()) {
    const bool is_ours = result.end == RunEnd::kRuntimeError && result.exit_code >= 118;
    if (is_ours && result.exit_code == 122) {
      result.end = RunEnd::kCompileError;
      result.detail = fmt::format("no compiler: {}", step.command.front());
    } else if (is_ours && result.exit_code != 118 && result.exit_code != 119) {
      result.end = RunEnd::kSandboxError;
    } else {
      const bool is_message = result.end == RunEnd::kRuntimeError;
      result.detail = is_message ? result.stderr_tail : "compiler: " + result.detail;
      result.end = RunEnd::kCompileError;
    }
    return compiled;
  }
  Result<UniqueFd> binary = make_executable_memory_file(outcome.result_bytes);
  if (!binary) {
    result.end = RunEnd::kSandboxError;
    result.detail = binary.error().message;
    return compiled;
  }
  compiled.binary = std::move(binary).value();
  return compiled;
}

std::shared_ptr<const CompiledProgram> Compiler::compile(const CodeLanguage& language,
                                                         const std::string& source) {
  std::call_once(header_once_, [&] { prepare_header(language); });
  std::string key = source + '\0';
  for (const std::string& word : language.compile.command) {
    key += word + '\0';
  }
  key = sha256_hex(key);
  std::promise<std::shared_ptr<const CompiledProgram>> promise;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (const auto found = cache_.find(key); found != cache_.end()) {
      Future future = found->second;
      order_.remove(key);
      order_.push_back(key);
      lock.unlock();
      return future.get();
    }
    cache_.emplace(key, promise.get_future().share());
    order_.push_back(key);
    if (order_.size() > kMaxBinaries) {
      cache_.erase(order_.front());
      order_.pop_front();
    }
  }
  auto compiled = std::make_shared<CompiledProgram>(
      run_step(language.compile, source, language.header.empty() ? "" : kSeenHeaders));
  promise.set_value(compiled);
  if (compiled->result.end == RunEnd::kSandboxError) {
    const std::lock_guard<std::mutex> lock(mutex_);  // our failure must not be remembered
    cache_.erase(key);
    order_.remove(key);
  }
  return compiled;
}

}  // namespace r1eval
