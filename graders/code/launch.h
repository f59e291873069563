// Starting a slot's supervisor, and memory files for programs.
//
// Errors   kFailedPrecondition: the supervisor could not set up what the level wants, the message
//          being its own; kResourceExhausted, kIo: no process, memory or descriptors.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "graders/code/unique_fd.h"
#include "graders/code/wire.h"

namespace r1eval {

struct Supervisor {
  UniqueFd socket;
  pid_t pid = -1;
  std::uint32_t layers = 0;  // wire::Layer bits
};

// Starts a supervisor and waits until its slot is ready.
Result<Supervisor> launch_supervisor(const wire::Config& config);

// Closes the socket and waits for the supervisor, which cleans up behind itself.
void end_supervisor(Supervisor& supervisor);

// Bytes in a sealed memory file: nobody can write, lengthen or shorten it any more.
Result<UniqueFd> make_memory_file(std::string_view bytes);

// The same, opened for reading only, which the kernel wants of what it is to execute.
Result<UniqueFd> make_executable_memory_file(std::string_view bytes);

// A close-on-exec pipe.
struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe();

}  // namespace r1eval
