#include "graders/code/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "graders/code/helper_image.h"

namespace r1eval {
namespace {

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace

Result<UniqueFd> make_memory_file(std::string_view bytes) {
  UniqueFd writable(::memfd_create("r1eval", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!writable.is_open() || !write_all(writable.get(), bytes) ||
      ::fcntl(writable.get(), F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
    return errno_error(errno, "make", "a memory file");
  }
  return writable;
}

Result<UniqueFd> make_executable_memory_file(std::string_view bytes) {
  // A file that is open for writing anywhere cannot be executed.
  R1_TRY(const UniqueFd writable, make_memory_file(bytes));
  const std::string path = fmt::format("/proc/self/fd/{}", writable.get());
  UniqueFd readable(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!readable.is_open()) {
    return errno_error(errno, "open", path);
  }
  return readable;
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return errno_error(errno, "make", "a pipe");
  }
  Pipe pipe;
  pipe.read.reset(ends[0]);
  pipe.write.reset(ends[1]);
  return pipe;
}

Result<Supervisor> launch_supervisor(const wire::Config& config) {
  static Result<UniqueFd> image = make_executable_memory_file(sandbox_helper_image());
  if (!image) {
    return image.error();
  }
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno_error(errno, "make", "a socket pair");
  }
  Supervisor supervisor;
  supervisor.socket.reset(ends[0]);
  UniqueFd theirs(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, theirs.get(), 3);
  // Signal masks and ignored signals would be inherited down to the programs.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const std::string path = fmt::format("/proc/self/fd/{}", image->get());
  char name[] = "r1eval-sandbox";
  char* const arguments[] = {name, nullptr};
  char* const environment[] = {nullptr};  // secrets of the user stay here
  const int spawned =
      ::posix_spawn(&supervisor.pid, path.c_str(), &actions, &attributes, arguments, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (spawned != 0) {
    return errno_error(spawned, "start", "the sandbox's supervisor");
  }
  wire::Ready ready;
  if (::send(supervisor.socket.get(), &config, sizeof config, MSG_NOSIGNAL) !=
      static_cast<ssize_t>(sizeof config)) {
    ready.ok = 0;
    std::strcpy(ready.message, "the supervisor ended while starting");
  } else {
    // Our copy of its end must go first, or its death would never read as the end of the socket.
    theirs.reset();
    ssize_t n = 0;
    do {
      n = ::recv(supervisor.socket.get(), &ready, sizeof ready, 0);
    } while (n < 0 && errno == EINTR);
    if (n != static_cast<ssize_t>(sizeof ready)) {
      ready.ok = 0;
      std::strcpy(ready.message, "the supervisor ended while starting");
    }
  }
  if (ready.ok == 0) {
    end_supervisor(supervisor);
    return fail(ErrorCode::kFailedPrecondition,
                fmt::format("sandbox level {}: {}", config.level, std::string(ready.message)));
  }
  supervisor.layers = ready.layers;
  return supervisor;
}

void end_supervisor(Supervisor& supervisor) {
  supervisor.socket.reset();
  if (supervisor.pid > 0) {
    while (::waitpid(supervisor.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    supervisor.pid = -1;
  }
}

}  // namespace r1eval
