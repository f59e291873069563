// Streams of an endpoint: the event parser and the reply reader, on any bytes in any pieces.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/openai/chat_completions.h"
#include "engine/openai/sse_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::size_t piece = 1 + data[0] % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  r1eval::SseParser parser(1 << 16);
  r1eval::ReplyReader reader;
  bool failed = false;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto fed = parser.feed(bytes.substr(at, piece), [&](std::string_view event) {
      failed = !reader.read_event(event) || failed;
    });
    if (!fed) {
      break;
    }
  }
  (void)reader.finish();
  r1eval::ReplyReader whole;
  (void)whole.read_whole(bytes);
  (void)r1eval::error_words(bytes);
  return 0;
}
