#include "graders/code/helper/server.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "graders/code/helper/confine.h"

extern "C" const char r1eval_driver_begin[];
extern "C" const char r1eval_driver_end[];
// The Python driver's text, put into the program by the assembler.
asm(".section .rodata\n"
    ".global r1eval_driver_begin\nr1eval_driver_begin:\n"
    ".incbin \"" R1EVAL_DRIVER_FILE
    "\"\n"
    ".global r1eval_driver_end\nr1eval_driver_end:\n.byte 0\n"
    ".previous\n");

namespace r1eval::helper {
namespace {

constexpr int kSocket = 3;
constexpr int kDriver = 4;
constexpr int kRuleset = 5;

[[noreturn]] void give_up(int socket, const Failure& failure) {
  char text[300];
  const int n = std::snprintf(text, sizeof text, "F %s", failure.text);
  send_message(socket, text, static_cast<std::size_t>(n), nullptr, 0);
  _exit(1);
}

int driver_file() {
  const int fd = memfd_create("driver", 0);
  const auto size = static_cast<std::size_t>(r1eval_driver_end - r1eval_driver_begin);
  if (fd < 0 || write(fd, r1eval_driver_begin, size) != static_cast<ssize_t>(size)) {
    return -1;
  }
  return fd;
}

// Puts descriptors at 0 to 5 and closes all others. 0 to 2 are pipes without another end, so that
// Python takes its standard streams for what they will be: nothing to seek in.
bool arrange_descriptors(int socket, int driver, int ruleset) {
  int ends[2];
  if (pipe(ends) != 0) {
    return false;
  }
  // Out of the way first: any of them may lie where another one must go.
  const int high[5] = {fcntl(socket, F_DUPFD, 20), driver < 0 ? -1 : fcntl(driver, F_DUPFD, 20),
                       ruleset < 0 ? -1 : fcntl(ruleset, F_DUPFD, 20), fcntl(ends[0], F_DUPFD, 20),
                       fcntl(ends[1], F_DUPFD, 20)};
  close_range(3, 19, 0);
  bool ok = dup2(high[0], kSocket) == kSocket && dup2(high[3], 0) == 0 && dup2(high[4], 1) == 1 &&
            dup2(high[4], 2) == 2;
  ok = ok && (high[1] < 0 || dup2(high[1], kDriver) == kDriver);
  ok = ok && (high[2] < 0 || dup2(high[2], kRuleset) == kRuleset);
  close_all_from(6);
  if (high[1] < 0) {
    close(kDriver);
  }
  if (high[2] < 0) {
    close(kRuleset);
  }
  return ok;
}

bool become(const ServerPlan& plan, Failure& failure) {
  if (!drop_bounding_set(failure)) {
    return false;
  }
  if (plan.uid != 0) {
    (void)!syscall(SYS_setgroups, 0,
                   nullptr);  // refused where only one id is mapped: nothing to drop
    if (setresgid(plan.uid, plan.uid, plan.uid) != 0 ||
        setresuid(plan.uid, plan.uid, plan.uid) != 0) {
      return failure.set_errno("become the program's user");
    }
  }
  return drop_capabilities(failure);
}

}  // namespace

bool Namespaces::open(pid_t of, std::uint64_t flags, Failure& failure) {
  const struct {
    std::uint64_t flag;
    const char* name;
    int* fd;
  } all[] = {{CLONE_NEWUSER, "user", &user},      {CLONE_NEWNS, "mnt", &mnt},
             {CLONE_NEWPID, "pid", &pid},         {CLONE_NEWIPC, "ipc", &ipc},
             {CLONE_NEWUTS, "uts", &uts},         {CLONE_NEWNET, "net", &net},
             {CLONE_NEWCGROUP, "cgroup", &cgroup}};

  for (const auto& one : all) {
    if ((flags & one.flag) == 0) {
      continue;
    }
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/ns/%s", static_cast<int>(of), one.name);
    *one.fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (*one.fd < 0) {
      return failure.set_errno(path);
    }
  }
  return true;
}

bool Namespaces::enter(Failure& failure) const {
  // The user namespace first: it gives the right to enter the others.
  for (const int fd : {user, mnt, ipc, uts, net, cgroup, pid}) {
    if (fd >= 0 && setns(fd, 0) != 0) {
      return failure.set_errno("enter the slot's namespaces");
    }
  }
  return true;
}

void Namespaces::close() {
  for (int* fd : {&user, &mnt, &pid, &ipc, &uts, &net, &cgroup}) {
    if (*fd >= 0) {
      ::close(*fd);
      *fd = -1;
    }
  }
}

std::size_t format_python_request(const wire::Request& request, char* out, std::size_t capacity) {
  const char* mode = request.profile == wire::Profile::kOfficial
                         ? (request.is_functional != 0 ? "official-functional" : "official-stdin")
                         : (request.is_functional != 0 ? "functional" : "stdin");
  const int n = std::snprintf(
      out, capacity, "%s %llu %.3f %lld %lld %lld %d\n%.*s", mode,
      static_cast<unsigned long long>(request.seed), request.cpu_s,
      static_cast<long long>(request.memory_bytes),
      static_cast<long long>(request.address_space_bytes),
      static_cast<long long>(request.scratch_bytes), static_cast<int>(request.alarm_s),
      static_cast<int>(request.text_bytes < sizeof request.text ? request.text_bytes
                                                                : sizeof request.text - 1),
      request.text);
  return static_cast<std::size_t>(n);
}

void run_server(const ServerPlan& plan) {
  Failure failure;
  char byte = 0;
  if (read(plan.go, &byte, 1) != 1) {
    _exit(1);
  }
  const int driver = driver_file();
  const int ruleset = plan.namespaces == nullptr ? make_signal_ruleset() : -1;
  setsid();
  setpriority(PRIO_PROCESS, 0, 0);
  if (plan.namespaces != nullptr && !plan.namespaces->enter(failure)) {
    give_up(plan.socket, failure);
  }
  bool ok =
      arrange_descriptors(plan.socket, driver, ruleset) || failure.set_errno("arrange descriptors");
  ok = ok && become(plan, failure);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  FixedRlimits limits;
  limits.stack_bytes = plan.stack_bytes;
  limits.nproc = plan.nproc;
  ok = ok && set_fixed_rlimits(limits, failure);
  ok = ok && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 || failure.set_errno("no_new_privs"));
  if (ok && plan.with_landlock) {
    LandlockView view;
    view.has_own_root = plan.namespaces != nullptr;
    view.writable = plan.writable;
    view.headers = plan.headers;
    ok = install_landlock(view, failure);
  }
  ok = ok && (chdir("/") == 0 || failure.set_errno("chdir /"));
  ok = ok && install_seccomp(plan.namespaces != nullptr, failure);
  if (!ok) {
    give_up(kSocket, failure);
  }
  umask(022);
  for (int signal_number = 1; signal_number < NSIG; ++signal_number) {
    signal(signal_number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (!is_python(plan.engine)) {
    prctl(PR_SET_DUMPABLE, 0);
    serve_native(plan);
  }
  char temporary[300];
  std::snprintf(temporary, sizeof temporary, "TMPDIR=%s", plan.scratch);
  char home[300];
  std::snprintf(home, sizeof home, "HOME=%s", plan.scratch);
  char profile[64];
  std::snprintf(profile, sizeof profile, "R1EVAL_PROFILE=%u", static_cast<unsigned>(plan.profile));
  const char* const arguments[] = {
      "python3", "-S",
      "-s",      "-B",
      "-X",      "utf8",
      "-c",      "import os; exec(compile(os.pread(4, 1 << 20, 0), '<driver>', 'exec'))",
      nullptr};
  const char* const environment[] = {"PATH=/usr/bin:/bin",
                                     "LANG=C.UTF-8",
                                     "LC_ALL=C.UTF-8",
                                     "TZ=UTC",
                                     "PYTHONHASHSEED=0",
                                     "PYTHONUTF8=1",
                                     "OMP_NUM_THREADS=1",
                                     "OPENBLAS_NUM_THREADS=1",
                                     "MKL_NUM_THREADS=1",
                                     "PYTHONDONTWRITEBYTECODE=1",
                                     home,
                                     temporary,
                                     profile,
                                     plan.with_numpy ? "R1EVAL_PRELOAD=numpy" : nullptr,
                                     nullptr};
  execve(plan.interpreter, const_cast<char* const*>(arguments),
         const_cast<char* const*>(environment));
  failure.set_errno(plan.interpreter);
  give_up(kSocket, failure);
}

}  // namespace r1eval::helper
