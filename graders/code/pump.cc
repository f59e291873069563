#include "graders/code/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>

namespace r1eval {
namespace {

constexpr std::size_t kChunk = 256 << 10;

// A new pipe's end has no other flag, and its access mode is not changed by this.
void set_nonblocking(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
}

// Kept for a thread's next run: to map, clear and fault it in takes longer than the rest of a pump.
char* chunk_of_this_thread() {
  thread_local const std::unique_ptr<char[]> chunk = std::make_unique_for_overwrite<char[]>(kChunk);
  return chunk.get();
}

// A program that does not read its input must not end us: SIGPIPE is held off for this thread and,
// if one came, taken away.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &old_);
  }

  ~SigpipeGuard() {
    if (::sigismember(&old_, SIGPIPE) == 0) {
      const timespec now{0, 0};
      while (::sigtimedwait(&pipe_, nullptr, &now) == SIGPIPE) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &old_, nullptr);
  }

  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t old_{};
};

class Pump {
 public:
  Pump(int socket, PumpPipes pipes, std::string_view stdin_bytes, const PumpLimits& limits,
       const PumpResultWatcher& on_result)
      : socket_(socket),
        pipes_(std::move(pipes)),
        input_(stdin_bytes),
        limits_(limits),
        on_result_(on_result),
        buffer_(chunk_of_this_thread()) {
    set_nonblocking(pipes_.input);
    set_nonblocking(pipes_.output);
    set_nonblocking(pipes_.errors);
    set_nonblocking(pipes_.result);
    if (stdin_bytes.size() > (64 << 10)) {
      ::fcntl(pipes_.input.get(), F_SETPIPE_SZ, 1 << 20);  // fewer switches; refusal is fine
    }
  }

  Pumped run() {
    if (on_result_) {
      watch();
    }
    write_input();
    while (!pumped_.has_report) {
      pollfd events[5] = {{pipes_.input.get(), POLLOUT, 0},
                          {pipes_.output.get(), POLLIN, 0},
                          {pipes_.errors.get(), POLLIN, 0},
                          {pipes_.result.get(), POLLIN, 0},
                          {socket_, POLLIN, 0}};
      if (input_.empty()) {
        events[0].fd = -1;
      }
      if (limits_.result_fits_pipe) {
        events[3].fd = -1;  // each waking up costs; it can wait in the pipe
      }
      if (::poll(events, 5, -1) < 0 && errno != EINTR) {
        break;
      }
      if (events[0].revents != 0) {
        write_input();
      }
      read_outputs(events[1].revents != 0, events[2].revents != 0, events[3].revents != 0);
      if (events[4].revents != 0 && !read_report()) {
        break;
      }
    }
    read_outputs(true, true, true);  // what was still there when the last process died
    return std::move(pumped_);
  }

 private:
  bool read_report() {
    const ssize_t n = ::recv(socket_, &pumped_.report, sizeof pumped_.report, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      return true;
    }
    pumped_.has_report = n == static_cast<ssize_t>(sizeof pumped_.report) &&
                         pumped_.report.kind == wire::Kind::kReport;
    return pumped_.has_report;
  }

  void write_input() {
    while (!input_.empty()) {
      const ssize_t n = ::write(pipes_.input.get(), input_.data(), std::min(input_.size(), kChunk));
      if (n < 0) {
        if (errno == EAGAIN) {
          return;
        }
        if (errno == EINTR) {
          continue;
        }
        input_ = {};  // the program closed its input, which is its right
        break;
      }
      input_.remove_prefix(static_cast<std::size_t>(n));
    }
    if (!on_result_) {
      pipes_.input.reset();
    }
  }

  void stop() {
    if (!stopped_) {
      const wire::Stop message;
      ::send(socket_, &message, sizeof message, MSG_NOSIGNAL);
      stopped_ = true;
    }
  }

  void read_outputs(bool output, bool errors, bool result) {
    if (output) {
      read_output();
    }
    if (errors) {
      read_errors();
    }
    if (result) {
      read_result();
    }
  }

  void read_output() {
    read_pipe(pipes_.output, [this](std::string_view bytes) {
      std::string& out = pumped_.stdout_bytes;
      const auto room = static_cast<std::size_t>(limits_.stdout_bytes) - out.size();
      out.append(bytes.substr(0, room));
      if (bytes.size() > room) {
        pumped_.is_over_output = true;
        stop();
      }
    });
  }

  void read_errors() {
    read_pipe(pipes_.errors, [this](std::string_view bytes) {
      std::string& tail = pumped_.stderr_tail;
      const auto keep = static_cast<std::size_t>(limits_.stderr_tail_bytes);
      tail.append(bytes.substr(bytes.size() - std::min(bytes.size(), keep)));
      if (tail.size() > keep) {
        tail.erase(0, tail.size() - keep);
      }
    });
  }

  void read_result() {
    bool has_news = false;
    read_pipe(pipes_.result, [&](std::string_view bytes) {
      const auto room =
          static_cast<std::size_t>(limits_.result_bytes) - pumped_.result_bytes.size();
      pumped_.result_bytes.append(bytes.substr(0, room));
      has_news = true;
      if (bytes.size() > room) {
        pumped_.is_over_result = true;
        stop();
      }
    });
    if (has_news && on_result_) {
      watch();
    }
  }

  void watch() {
    std::string more;
    if (on_result_(pumped_.result_bytes, more) == PumpStep::kStop) {
      stop();
      return;
    }
    if (!more.empty()) {
      // Requests go one at a time: the last one was read whole before its answer came.
      pending_ = std::move(more);
      input_ = pending_;
      write_input();
    }
  }

  template <typename Sink>
  void read_pipe(UniqueFd& pipe, const Sink& sink) {
    // A few pieces at a time, so that no stream starves the others.
    for (int piece = 0; piece < 16 && pipe.is_open(); ++piece) {
      const ssize_t n = ::read(pipe.get(), buffer_, kChunk);
      if (n > 0) {
        sink(std::string_view(buffer_, static_cast<std::size_t>(n)));
        continue;
      }
      if (n < 0 && errno == EINTR) {
        continue;
      }
      if (n < 0 && errno == EAGAIN) {
        return;
      }
      pipe.reset();
    }
  }

  int socket_;
  PumpPipes pipes_;
  std::string_view input_;
  std::string pending_;
  PumpLimits limits_;
  const PumpResultWatcher& on_result_;
  char* buffer_;
  bool stopped_ = false;
  Pumped pumped_;
};

}  // namespace

Pumped pump_run(int supervisor_socket, PumpPipes pipes, std::string_view stdin_bytes,
                const PumpLimits& limits, const PumpResultWatcher& on_result) {
  const SigpipeGuard guard;
  return Pump(supervisor_socket, std::move(pipes), stdin_bytes, limits, on_result).run();
}

}  // namespace r1eval
