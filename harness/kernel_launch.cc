#include "harness/kernel_launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "harness/signals.h"

extern char** environ;

namespace r1eval {
namespace {

struct Program {
  std::string path;
  std::string sha256;
  bool is_r1eval = false;
};

// Starts `words` in a process group of its own, output to `log`, and waits. The group is ended at
// the limit or when the user asks. Returns the exit status as waitpid gives it.
Result<int> run_program(std::vector<std::string> words, const std::string& log, double limit_s,
                        const CancelToken& cancel) {
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t pid = 0;
  const int error =
      ::posix_spawn(&pid, words.front().c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("start {}: {}", words.front(), std::strerror(error)));
  }
  const double started = steady_clock().now();
  int status = 0;
  while (true) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) {
      return status;
    }
    const bool is_late = steady_clock().now() - started > limit_s;
    if (is_late || cancel.is_draining()) {
      ::kill(-pid, SIGKILL);
      while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
      return is_late ? fail(ErrorCode::kResourceExhausted,
                            fmt::format("{} ran past {:g} s and was ended; --limit SECONDS gives "
                                        "it longer, --case PATTERN less to do",
                                        words.front(), limit_s))
                     : fail(ErrorCode::kCancelled, "interrupted; finished launches are kept");
    }
    // A launch takes seconds, and the waiting must not disturb it.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string end_of(const std::string& log) {
  const std::string text = read_file(log).value_or("");
  constexpr std::size_t kShown = 600;
  return text.size() > kShown ? "…" + text.substr(text.size() - kShown) : text;
}

Result<Program> look_at(const std::string& path, const std::string& flag,
                        const std::string& runner) {
  Program program;
  if (!path_exists(path) || is_directory(path)) {
    return fail(ErrorCode::kNotFound, fmt::format("{} {}: no such program", flag, path));
  }
  // A name without a slash would be looked for nowhere: posix_spawn takes paths.
  program.path = path.find('/') == std::string::npos ? "./" + path : path;
  if (::access(program.path.c_str(), X_OK) != 0) {
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} {}: may not be executed (chmod +x)", flag, path));
  }
  R1_TRY(program.sha256, sha256_file(program.path));
  const std::string name = program.path.substr(program.path.rfind('/') + 1);
  program.is_r1eval = runner.empty() ? name.starts_with("r1eval") : runner == "r1eval";
  return program;
}

// Ours first, so that --args may change them; which cases last, as that is what this launch is for.
std::vector<std::string> words_of(const Program& program, const KernelLaunchPlan& plan,
                                  const std::string& out) {
  std::vector<std::string> words = {program.path};
  if (program.is_r1eval) {
    words.insert(words.end(), {"kernels", "run", "--out", out});
  } else {
    words.insert(words.end(), {"--benchmark_out=" + out, "--benchmark_out_format=json",
                               fmt::format("--benchmark_repetitions={}", plan.n_repetitions),
                               "--benchmark_enable_random_interleaving=true"});
  }
  words.insert(words.end(), plan.arguments.begin(), plan.arguments.end());
  if (!plan.cases.empty() && !program.is_r1eval) {
    words.push_back("--benchmark_filter=" + exact_names_regex(plan.cases));
  }
  for (const std::string& name : plan.cases) {
    if (program.is_r1eval) {
      words.insert(words.end(), {"--case", name});
    }
  }
  return words;
}

Result<KernelRun> launch(const Program& program, const KernelLaunchPlan& plan,
                         const std::string& stem, std::int64_t order, const CancelToken& cancel) {
  const std::string out = stem + ".json";
  const std::string log = stem + ".log";
  ::unlink(out.c_str());  // an older result must not pass for this one
  R1_TRY(const int status,
         run_program(words_of(program, plan, out), log, plan.limit_seconds, cancel));
  Result<KernelRun> run = read_kernel_run(out);
  if (!run) {
    const std::string how = WIFEXITED(status) ? fmt::format("exit {}", WEXITSTATUS(status))
                                              : fmt::format("signal {}", WTERMSIG(status));
    return fail(ErrorCode::kUnavailable,
                fmt::format("{} wrote no result ({}; {}): {}", program.path, how,
                            run.error().message, end_of(log)));
  }
  // A result beside a bad exit is one of a suite with failed cases: its entries say so.
  run->context["r1eval.launch_order"] = std::to_string(order);
  run->context["r1eval.program_sha256"] = program.sha256;
  R1_RETURN_IF_ERROR(write_file_atomic(out, kernel_run_json(*run)));
  return run;
}

}  // namespace

std::string exact_names_regex(const std::vector<std::string>& names) {
  std::string regex = "^(";
  for (const std::string& name : names) {
    regex += regex.size() > 2 ? "|" : "";
    for (const char c : name) {
      if (std::strchr("\\^$.|?*+()[]{}", c) != nullptr) {
        regex += '\\';
      }
      regex += c;
    }
  }
  // What Google Benchmark appends to names, which case ids do not carry.
  return regex + ")(/(manual_time|real_time|process_time|[a-z_]+:[^/]*))*$";
}

Result<KernelLaunches> launch_kernel_pairs(
    const KernelLaunchPlan& plan, const std::function<void(const std::string&)>& progress) {
  CancelToken cancel;
  const SignalScope signals(cancel);
  const std::string folders[2] = {plan.directory + "/" + plan.prefix + "base",
                                  plan.directory + "/" + plan.prefix + "head"};
  for (const std::string& folder : folders) {
    R1_RETURN_IF_ERROR(make_directories(folder));
  }
  R1_TRY(const Program base, look_at(plan.base, "--base", plan.runner));
  R1_TRY(const Program head, look_at(plan.head, "--head", plan.runner));
  KernelLaunches launches;
  std::int64_t order = 0;
  for (std::int64_t pair = 0; pair < plan.n_pairs; ++pair) {
    for (const bool is_second : {false, true}) {
      const bool is_head = is_second == (pair % 2 == 0);
      progress(fmt::format("{}pair {} of {}: {}", plan.prefix.empty() ? "" : "confirming ",
                           pair + 1, plan.n_pairs, is_head ? "head" : "base"));
      R1_TRY(KernelRun run,
             launch(is_head ? head : base, plan,
                    fmt::format("{}/{:02}", folders[is_head ? 1 : 0], pair), order++, cancel));
      (is_head ? launches.head : launches.base).push_back(std::move(run));
    }
  }
  return launches;
}

}  // namespace r1eval
