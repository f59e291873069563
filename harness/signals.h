// Ctrl-C as a request: the first SIGINT or SIGTERM drains the run, the second stops it.
#pragma once

#include "base/cancel.h"

namespace r1eval {

// Routes SIGINT and SIGTERM to `token` for this object's life; one at a time in the process.
// SIGPIPE is ignored for good: a closed reader shows as a failed write.
class SignalScope {
 public:
  explicit SignalScope(CancelToken& token);
  ~SignalScope();
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;
};

}  // namespace r1eval
