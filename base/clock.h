// Time as a seam: real in the program, set by hand in tests, so that no test sleeps.
#pragma once

#include <cstdint>
#include <string>

namespace r1eval {

class Clock {
 public:
  virtual ~Clock() = default;
  // Seconds since an arbitrary start, never going back.
  virtual double now() const = 0;
};

// The machine's steady clock; lives for the whole program.
const Clock& steady_clock();

class FakeClock : public Clock {
 public:
  double now() const override { return seconds_; }

  void advance(double seconds) { seconds_ += seconds; }

 private:
  double seconds_ = 0;
};

// The present as "2026-01-31T12:00:00Z".
std::string utc_timestamp();

}  // namespace r1eval
