#include "harness/signals.h"

#include <signal.h>

#include <atomic>

namespace r1eval {
namespace {

// Read in the handler; sequentially consistent by default, which a handler may rely on.
std::atomic<CancelToken*> g_token{nullptr};

extern "C" void on_signal(int) {
  CancelToken* const token = g_token.load();
  if (token == nullptr) {
    return;
  }
  if (token->is_draining()) {
    token->stop();
  } else {
    token->drain();
  }
}

void install(int signal_number, void (*handler)(int)) {
  struct sigaction action {};

  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal_number, &action, nullptr);
}

}  // namespace

SignalScope::SignalScope(CancelToken& token) {
  g_token.store(&token);
  install(SIGINT, on_signal);
  install(SIGTERM, on_signal);
  install(SIGPIPE, SIG_IGN);
}

SignalScope::~SignalScope() {
  install(SIGINT, SIG_DFL);
  install(SIGTERM, SIG_DFL);
  g_token.store(nullptr);
}

}  // namespace r1eval
