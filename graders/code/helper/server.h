// Fork servers: processes that wait in the slot's namespaces, all layers on, and fork a child a run
// into the slot's process namespace. They themselves live outside of that namespace, where no
// program can see or signal them.
//
// Protocol, over a SEQPACKET socket. Down: for the native server a wire::Request, for Python lines
// of text (driver.py), with the run's descriptors. Up, text: "R" ready, "S PID" started, then "E
// STATUS CPU_US MAXRSS_KIB" with wait4's status once the main process ended.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "graders/code/helper/util.h"
#include "graders/code/wire.h"

namespace r1eval::helper {

struct Namespaces {
  int user = -1, mnt = -1, pid = -1, ipc = -1, uts = -1, net = -1, cgroup = -1;

  // Opens those of `pid` that `flags` (CLONE_NEW*) names.
  bool open(pid_t pid, std::uint64_t flags, Failure& failure);
  bool enter(Failure& failure) const;
  void close();
};

struct ServerPlan {
  wire::Engine engine = wire::Engine::kNative;
  wire::Profile profile = wire::Profile::kLcb;
  const Namespaces* namespaces = nullptr;  // null: level C
  unsigned uid = 0;               // to become, inside the namespace if there is one; 0: stay
  const char* interpreter = "";   // kPython, kPyPy; of the native server: Python's
  const char* pypy = "";          // of the native server
  bool with_numpy = false;        // imported before the first program, where it is installed
  const char* scratch = "/tmp";   // what programs find as their folder
  const char* writable = "/box";  // for Landlock
  const char* headers = nullptr;
  std::int64_t stack_bytes = 0;
  std::int64_t nproc = 0;
  int socket = -1;  // the server's end
  int go = -1;      // one byte arrives once the supervisor has put the process into its groups
  bool with_landlock = true;
};

// Runs in the forked child; never returns. What goes wrong is sent as "F message" on the socket.
[[noreturn]] void run_server(const ServerPlan& plan);

// The native server's loop, once all layers are on. It runs compiled programs, compilers and, where
// no Python server could be started, a new interpreter a run. Descriptors: 3 the socket, 4 the
// driver, 5 (level C only) a Landlock ruleset that keeps programs from signalling this server.
[[noreturn]] void serve_native(const ServerPlan& plan);

// A request as driver.py reads it; its length.
std::size_t format_python_request(const wire::Request& request, char* out, std::size_t capacity);

// Whether programs of this engine need an interpreter.
inline bool is_python(wire::Engine engine) {
  return engine == wire::Engine::kPython || engine == wire::Engine::kPyPy;
}

}  // namespace r1eval::helper
