// Small things that every part of the sandbox helper uses. The helper is linked statically and
// never throws; a failed step is reported upwards as text.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace r1eval::helper {

// Text of a failed step: what was done and errno's name. Printf-style, cut to the buffer.
struct Failure {
  char text[256] = {};
  bool set(const char* format, ...) __attribute__((format(printf, 2, 3)));  // returns false
  bool set_errno(const char* doing);  // "doing: EPERM (Operation not permitted)"; returns false
};

double now_s();                                       // monotonic clock
void close_all_from(int first);                       // close_range, with a fallback
bool write_text(const char* path, const char* text);  // one write(); false with errno
bool write_text_at(int directory, const char* name, const char* text);
long read_text(const char* path, char* out, std::size_t capacity);  // NUL-ended; -1 with errno
bool make_directory(const char* path, unsigned mode);               // existing is fine

// SEQPACKET messages with descriptors. receive: -1 error, 0 end of file, else bytes.
bool send_message(int socket, const void* bytes, std::size_t size, const int* fds, int n_fds);
long receive_message(int socket, void* bytes, std::size_t capacity, int* fds, int max_fds,
                     int* n_fds, int flags);

// File descriptor that is readable once the process is dead, or -1.
int open_pidfd(pid_t pid);

}  // namespace r1eval::helper
