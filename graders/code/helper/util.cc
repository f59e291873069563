#include "graders/code/helper/util.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace r1eval::helper {

bool Failure::set(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return false;
}

bool Failure::set_errno(const char* doing) {
  const int number = errno;
  return set("%s: %s (%s)", doing, strerrorname_np(number), strerror(number));
}

double now_s() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void close_all_from(int first) {
  if (syscall(SYS_close_range, static_cast<unsigned>(first), ~0u, 0u) != 0) {
    for (int fd = first; fd < 65536; ++fd) {
      close(fd);
    }
  }
}

bool write_text(const char* path, const char* text) {
  return write_text_at(AT_FDCWD, path, text);
}

bool write_text_at(int directory, const char* name, const char* text) {
  const int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
  if (fd < 0) {
    return false;
  }
  const std::size_t size = std::strlen(text);
  const ssize_t written = write(fd, text, size);
  const int saved = errno;
  close(fd);
  errno = saved;
  return written == static_cast<ssize_t>(size);
}

long read_text(const char* path, char* out, std::size_t capacity) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return -1;
  }
  std::size_t size = 0;
  while (size + 1 < capacity) {
    const ssize_t n = read(fd, out + size, capacity - 1 - size);
    if (n <= 0) {
      break;
    }
    size += static_cast<std::size_t>(n);
  }
  close(fd);
  out[size] = '\0';
  return static_cast<long>(size);
}

bool make_directory(const char* path, unsigned mode) {
  return mkdir(path, mode) == 0 || errno == EEXIST;
}

bool send_message(int socket, const void* bytes, std::size_t size, const int* fds, int n_fds) {
  iovec part{const_cast<void*>(bytes), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)] = {};
  if (n_fds > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * static_cast<std::size_t>(n_fds));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * static_cast<std::size_t>(n_fds));
    std::memcpy(CMSG_DATA(header), fds, sizeof(int) * static_cast<std::size_t>(n_fds));
  }
  for (;;) {
    const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent >= 0 || errno != EINTR) {
      return sent == static_cast<ssize_t>(size);
    }
  }
}

long receive_message(int socket, void* bytes, std::size_t capacity, int* fds, int max_fds,
                     int* n_fds, int flags) {
  iovec part{bytes, capacity};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 16)] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t size = 0;
  do {
    size = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
  } while (size < 0 && errno == EINTR);
  int count = 0;
  if (size >= 0) {
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
        continue;
      }
      const auto n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < n; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
        if (count < max_fds) {
          fds[count++] = fd;
        } else {
          close(fd);
        }
      }
    }
  }
  if (n_fds != nullptr) {
    *n_fds = count;
  }
  return size;
}

int open_pidfd(pid_t pid) {
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

}  // namespace r1eval::helper
