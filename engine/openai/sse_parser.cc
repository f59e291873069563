#include "engine/openai/sse_parser.h"

namespace r1eval {

Status SseParser::feed(std::string_view bytes,
                       const std::function<void(std::string_view)>& on_data) {
  for (const char c : bytes) {
    if (c == '\n' && after_cr_) {
      after_cr_ = false;  // the second half of CRLF
      continue;
    }
    after_cr_ = c == '\r';
    if (c == '\n' || c == '\r') {
      end_line(on_data);
      continue;
    }
    line_ += c;
    if (line_.size() + data_.size() > max_event_bytes_) {
      return fail(ErrorCode::kParse, "an event of the stream is too large");
    }
  }
  return ok_status();
}

void SseParser::end_line(const std::function<void(std::string_view)>& on_data) {
  if (line_.empty()) {
    if (has_data_) {
      on_data(data_);
    }
    data_.clear();
    has_data_ = false;
    return;
  }
  std::string_view line = line_;
  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) {
    value.remove_prefix(1);
  }
  if (field == "data") {
    if (has_data_) {
      data_ += '\n';
    }
    data_ += value;
    has_data_ = true;
  }
  line_.clear();
}

}  // namespace r1eval
