// An OpenAI-compatible server that answers from a script and fails on purpose.
//
// Serves  GET /v1/models, POST /v1/chat/completions (streamed or not), GET /stats: what was served.
// Design  one event loop (Boost.Asio) with a coroutine a connection, so that thousands of streams
//         cost little. Faults are drawn per request by a counter and a seed: a run of requests in
//         the same order meets the same faults.
// Threads start() runs the loop on a thread of its own; stop() ends it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/mock/script.h"

namespace r1eval {

// Shares of requests, 0 to 1.
struct MockFaults {
  double internal_error = 0;  // HTTP 500
  double rate_limited = 0;    // HTTP 429
  double retry_after_s = -1;  // of the 429; negative: no header
  double cut = 0;             // the connection closes in the middle of the answer
  double empty = 0;           // an answer of nothing
  double slow = 0;            // ten times the latency
  double stall = 0;           // headers, then silence
};

// "500:5%,429:5%:retry-after=1,cut:2%,empty:1%,slow:1%,stall:1%". Errors: kInvalidArgument.
Result<MockFaults> parse_faults(const std::string& spec);

struct MockServerOptions {
  std::uint16_t port = 0;  // 0: any free one
  std::string model = "mock";
  std::int64_t max_model_len = 32768;
  double latency_s = 0;     // before the first byte
  std::int64_t tokens = 0;  // > 0: answers are this many words in place of the script's
  std::int64_t queue = 0;   // > 0: so many are served at once, the others wait
  std::uint64_t seed = 0;
  MockFaults faults;
};

class MockServer {
 public:
  // Binds to 127.0.0.1. Errors: kUnavailable (port taken).
  static Result<std::unique_ptr<MockServer>> start(MockScript script,
                                                   const MockServerOptions& options);
  virtual ~MockServer() = default;
  virtual std::uint16_t port() const = 0;
  virtual std::string stats_json() const = 0;
  virtual void stop() = 0;
};

}  // namespace r1eval
