// Switching stacks. See fiber.h.
#include "kernels/cuda/emulator/fiber.h"

#include <cstdint>
#include <cstring>
#include <memory>

#if defined(__x86_64__)
#define R1_FIBER_ASM 1
#else
#define R1_FIBER_ASM 0
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define R1_FIBER_ASAN 1
#else
#define R1_FIBER_ASAN 0
#endif

namespace r1eval::kernels::emulator {

namespace {

#if R1_FIBER_ASAN
constexpr std::size_t kStackBytes = 512 << 10;  // redzones make frames several times as large
#else
constexpr std::size_t kStackBytes = 64 << 10;
#endif
constexpr std::uint64_t kCanary = 0x5a17ed5a17ed5a17;

}  // namespace

#if R1_FIBER_ASM
// Pushes what the callee must preserve, stores the stack pointer, takes the other one.
asm(R"(
.text
.type r1_fiber_switch, @function
.globl r1_fiber_switch
r1_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size r1_fiber_switch, . - r1_fiber_switch
)");

extern "C" void r1_fiber_switch(void** save, void* load);
#endif

struct Fiber::State {
  std::unique_ptr<std::uint64_t[]> stack{new std::uint64_t[kStackBytes / 8]};
  Entry entry = nullptr;
  void* argument = nullptr;
#if R1_FIBER_ASM
  void* inside = nullptr;
  void* outside = nullptr;
#else
  ucontext_t inside;
  ucontext_t outside;
#endif
#if R1_FIBER_ASAN
  void* fake = nullptr;
  const void* outer_stack = nullptr;
  std::size_t outer_bytes = 0;
#endif

  static State* starting;

  static void first() {
    State* self = starting;
#if R1_FIBER_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &self->outer_stack, &self->outer_bytes);
#endif
    self->entry(self->argument);
  }
};

// Set right before the switch that reads it; one emulator a thread, and never nested.
Fiber::State* Fiber::State::starting = nullptr;

Fiber::Fiber() : state_(std::make_unique<State>()) {}

Fiber::Fiber(Fiber&&) noexcept = default;
Fiber& Fiber::operator=(Fiber&&) noexcept = default;
Fiber::~Fiber() = default;

void Fiber::start(Entry entry, void* argument) {
  state_->entry = entry;
  state_->argument = argument;
  state_->stack[0] = kCanary;
  state_->stack[1] = kCanary;
#if R1_FIBER_ASM
  // As r1_fiber_switch finds it: six registers, the address to return to, and above it a place
  // aligned as after a call.
  std::uint64_t* top = state_->stack.get() + kStackBytes / 8;
  top -= reinterpret_cast<std::uintptr_t>(top) % 16 / 8;
  top -= 2;
  *--top = 0;
  *--top = reinterpret_cast<std::uint64_t>(&State::first);
  for (int i = 0; i < 6; ++i) {
    *--top = 0;
  }
  state_->inside = top;
#else
  getcontext(&state_->inside);
  state_->inside.uc_stack.ss_sp = state_->stack.get();
  state_->inside.uc_stack.ss_size = kStackBytes;
  state_->inside.uc_link = nullptr;
  makecontext(&state_->inside, &State::first, 0);
#endif
}

void Fiber::resume() {
  State::starting = state_.get();
#if R1_FIBER_ASAN
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, state_->stack.get(), kStackBytes);
#endif
#if R1_FIBER_ASM
  r1_fiber_switch(&state_->outside, state_->inside);
#else
  swapcontext(&state_->outside, &state_->inside);
#endif
#if R1_FIBER_ASAN
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}

void Fiber::leave() {
#if R1_FIBER_ASAN
  __sanitizer_start_switch_fiber(&state_->fake, state_->outer_stack, state_->outer_bytes);
#endif
#if R1_FIBER_ASM
  r1_fiber_switch(&state_->inside, state_->outside);
#else
  swapcontext(&state_->inside, &state_->outside);
#endif
#if R1_FIBER_ASAN
  __sanitizer_finish_switch_fiber(state_->fake, &state_->outer_stack, &state_->outer_bytes);
#endif
}

bool Fiber::stack_is_whole() const {
  return state_->stack[0] == kCanary && state_->stack[1] == kCanary;
}

}  // namespace r1eval::kernels::emulator
