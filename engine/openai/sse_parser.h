// Server-sent events, as the streams of chat completions use them.
//
// Source  WHATWG HTML, "Server-sent events": lines end in LF, CRLF or CR, a blank line ends an
// event,
//         "data" lines of one event are joined by LF, lines that begin with ':' are comments.
// Bounds  an event of more than `max_event_bytes` is an error: a hostile server cannot fill memory.
// Threads one thread a parser.  Tested  tests/engine/net/, tests/fuzz/sse_fuzz.cc
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace r1eval {

class SseParser {
 public:
  explicit SseParser(std::size_t max_event_bytes = std::size_t{16} << 20)
      : max_event_bytes_(max_event_bytes) {}

  // Takes bytes in any pieces and hands each event's data to `on_data`.
  // Errors: kParse when an event grows too large.
  Status feed(std::string_view bytes, const std::function<void(std::string_view)>& on_data);

 private:
  void end_line(const std::function<void(std::string_view)>& on_data);

  std::size_t max_event_bytes_;
  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool after_cr_ = false;
};

}  // namespace r1eval
