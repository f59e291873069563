// The native fork server: runs compiled programs, compilers, and interpreters where these have no
// server of their own.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "graders/code/helper/confine.h"
#include "graders/code/helper/server.h"

namespace r1eval::helper {
namespace {

// Filled in once, before the first fork.
char home_word[300];
char temporary_word[300];
const char* const kEnvironment[] = {
    "PATH=/usr/bin:/bin",     "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC", "OMP_NUM_THREADS=1",
    "OPENBLAS_NUM_THREADS=1", home_word,      temporary_word,   nullptr};

void lower(decltype(RLIMIT_CPU) which, rlim_t soft, rlim_t hard) {
  rlimit old{};
  getrlimit(which, &old);
  const rlimit limit{soft < old.rlim_max ? soft : old.rlim_max,
                     hard < old.rlim_max ? hard : old.rlim_max};
  setrlimit(which, &limit);
}

void set_run_limits(const wire::Request& request) {
  const auto cpu = static_cast<rlim_t>(std::ceil(request.cpu_s));
  lower(RLIMIT_CPU, cpu + 1, cpu + 2);
  lower(RLIMIT_FSIZE, static_cast<rlim_t>(request.scratch_bytes),
        static_cast<rlim_t>(request.scratch_bytes));
  lower(RLIMIT_STACK, static_cast<rlim_t>(request.memory_bytes),
        static_cast<rlim_t>(request.memory_bytes));
  if (request.address_space_bytes > 0) {
    // Threads take their stacks out of the address space, so the stack gets a part of it only.
    const auto stack = static_cast<rlim_t>(
        request.memory_bytes < (256 << 20) ? request.memory_bytes / 4 : 64 << 20);
    lower(RLIMIT_STACK, stack, stack);
    lower(RLIMIT_AS, static_cast<rlim_t>(request.address_space_bytes),
          static_cast<rlim_t>(request.address_space_bytes));
  }
}

bool copy_all(int from, int to) {
  static char buffer[1 << 16];
  for (;;) {
    const ssize_t n = read(from, buffer, sizeof buffer);
    if (n <= 0) {
      return n == 0;
    }
    for (ssize_t at = 0; at < n;) {
      const ssize_t written = write(to, buffer + at, static_cast<std::size_t>(n - at));
      if (written <= 0) {
        return false;
      }
      at += written;
    }
  }
}

// In the child. Exit status: the compiler's, or 120 and more for our own failures.
[[noreturn]] void compile(const wire::Request& request, const char* scratch) {
  const char* words[200];
  int n = 0;
  for (std::size_t at = 0; at < request.text_bytes && n < 199;) {
    words[n++] = request.text + at;
    at += std::strlen(request.text + at) + 1;
  }
  words[n] = nullptr;
  if (n < 3 || chdir(scratch) != 0) {
    _exit(120);
  }
  const int source = open(words[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  lseek(3, 0, SEEK_SET);
  if (source < 0 || !copy_all(3, source)) {
    _exit(121);
  }
  close(source);
  (void)!write(4, "B", 1);
  const pid_t pid = fork();
  if (pid == 0) {
    close(3);
    close(4);
    dup2(2, 1);
    execve(words[2], const_cast<char* const*>(words + 2), const_cast<char* const*>(kEnvironment));
    _exit(122);
  }
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) {
    _exit(123);
  }
  if (WIFSIGNALED(status)) {
    _exit(119);
  }
  if (WEXITSTATUS(status) != 0) {
    _exit(WEXITSTATUS(status) < 100 ? WEXITSTATUS(status) : 99);
  }
  const int made = open(words[1], O_RDONLY | O_CLOEXEC);
  _exit(made >= 0 && copy_all(made, 4) ? 0 : 118);
}

// Starts an interpreter with the driver for one run. Its descriptors: 3 the program, 4 the result,
// 5 the driver.
[[noreturn]] void interpret(const ServerPlan& plan, const wire::Request& request) {
  static char text[8000] = "R1EVAL_REQUEST=";
  const std::size_t used = std::strlen(text);
  format_python_request(request, text + used, sizeof text - used);
  char profile[64];
  std::snprintf(profile, sizeof profile, "R1EVAL_PROFILE=%u",
                static_cast<unsigned>(request.profile));
  const char* environment[20];
  int n = 0;
  for (const char* const* word = kEnvironment; *word != nullptr; ++word) {
    environment[n++] = *word;
  }
  for (const char* word : {"PYTHONHASHSEED=0", "PYTHONUTF8=1", "PYTHONDONTWRITEBYTECODE=1",
                           static_cast<const char*>(profile), static_cast<const char*>(text)}) {
    environment[n++] = word;
  }
  environment[n] = nullptr;
  const char* const arguments[] = {
      "python3", "-S",
      "-s",      "-B",
      "-X",      "utf8",
      "-c",      "import os; exec(compile(os.pread(5, 1 << 20, 0), '<driver>', 'exec'))",
      nullptr};
  const char* interpreter = request.engine == wire::Engine::kPyPy ? plan.pypy : plan.interpreter;
  execve(interpreter, const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
  _exit(127);
}

[[noreturn]] void run_child(const ServerPlan& plan, const wire::Request& request, const int* fds) {
  const char* scratch = plan.scratch;
  setsid();
  if (plan.namespaces == nullptr) {
    // No namespace keeps a program from signalling this server, Landlock does.
    syscall(446, 5, 0);  // landlock_restrict_self
  }
  // Received descriptors are numbered after the server's own, and close on exec.
  const int program = fcntl(fds[0], F_DUPFD_CLOEXEC, 50);
  const int result = fcntl(fds[4], F_DUPFD_CLOEXEC, 50);
  dup2(fds[1], 0);
  dup2(fds[2], 1);
  dup2(fds[3], 2);
  const bool compiles = request.engine == wire::Engine::kCompile;
  const bool interprets = is_python(request.engine);
  if (interprets) {
    const int driver = fcntl(4, F_DUPFD_CLOEXEC, 50);
    dup2(driver, 5);
    dup2(program, 3);
    dup2(result, 4);
    close_all_from(6);
    interpret(plan, request);
  }
  dup3(program, 3, O_CLOEXEC);
  dup3(result, 4, O_CLOEXEC);
  close_all_from(5);
  set_run_limits(request);
  if (compiles) {
    compile(request, scratch);
  }
  if (chdir(scratch) != 0) {
    _exit(126);
  }
  // The library takes a run without this byte, or with an X after it, as our failure.
  (void)!write(4, "B", 1);
  const char* const arguments[] = {"main", nullptr};
  syscall(SYS_execveat, 3, "", arguments, kEnvironment, AT_EMPTY_PATH);
  (void)!write(4, "X", 1);
  _exit(127);
}

}  // namespace

void serve_native(const ServerPlan& plan) {
  const int socket = 3;
  const char* scratch = plan.scratch;
  std::snprintf(home_word, sizeof home_word, "HOME=%s", scratch);
  std::snprintf(temporary_word, sizeof temporary_word, "TMPDIR=%s", scratch);
  send_message(socket, "R", 1, nullptr, 0);
  for (;;) {
    wire::Request request;
    int fds[wire::kRunDescriptors];
    int n_fds = 0;
    const long size =
        receive_message(socket, &request, sizeof request, fds, wire::kRunDescriptors, &n_fds, 0);
    if (size != static_cast<long>(sizeof request) || n_fds != wire::kRunDescriptors) {
      _exit(0);
    }
    const pid_t pid = fork();
    if (pid == 0) {
      run_child(plan, request, fds);
    }
    for (const int fd : fds) {
      close(fd);
    }
    char text[128];
    if (pid < 0) {
      send_message(socket, "F fork", 6, nullptr, 0);
      continue;
    }
    int status = 0;
    rusage usage{};
    while (wait4(pid, &status, 0, &usage) < 0) {
    }
    const long long cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000ll +
                             usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    const int n =
        std::snprintf(text, sizeof text, "E %d %lld %ld", status, cpu_us, usage.ru_maxrss);
    send_message(socket, text, static_cast<std::size_t>(n), nullptr, 0);
  }
}

}  // namespace r1eval::helper
