// A second stack to run on, and switching to and from it, for the emulator's threads.
//
// A switch saves the registers a call must preserve and costs some nanoseconds (x86-64); elsewhere
// it is swapcontext. Everything stays on one thread of the operating system.
// Ownership  a Fiber owns its stack; destroying one that has not finished abandons its frames.
#pragma once

#include <cstddef>
#include <memory>

namespace r1eval::kernels::emulator {

class Fiber {
 public:
  using Entry = void (*)(void*);

  Fiber();
  Fiber(Fiber&&) noexcept;
  Fiber& operator=(Fiber&&) noexcept;
  ~Fiber();

  // Makes the next resume() call entry(argument) on this fiber's stack. entry must end by calling
  // leave() and never return.
  void start(Entry entry, void* argument);

  // Runs the fiber until it calls leave().
  void resume();

  // On the fiber: back to who resumed it.
  void leave();

  // Whether the lowest bytes of the stack are still as they were.
  bool stack_is_whole() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace r1eval::kernels::emulator
