// When a failed request is sent again, and after what pause.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace r1eval {

struct RetryPolicy {
  std::int64_t max_attempts = 6;  // requests that a server answered, or that broke on the way
  double first_wait_s = 0.5;      // doubled each time
  double longest_wait_s = 30;
  // A server that is not there is waited for this long, however many attempts that takes: it may be
  // starting again.
  double patience_s = 120;
  double longest_retry_after_s = 300;
};

enum class FailureKind { kTransient, kNoServer, kFinal };

// Pause before attempt n + 1 (n attempts were made), with a jitter of 0.5 to 1 keyed by `key`, so
// that many failed requests do not come back at the same moment. `retry_after_s` < 0: none was
// given.
double retry_wait(const RetryPolicy& policy, std::int64_t n_attempts, double retry_after_s,
                  std::uint64_t key);

// Seconds of a Retry-After header: a number, or an HTTP date relative to `now_unix`. -1: neither.
double parse_retry_after(std::string_view value, std::int64_t now_unix);

}  // namespace r1eval
