// LiveCodeBench's private tests: JSON text, or base64 of zlib of a pickle of one text.
//
// Unpickling in Python runs whatever the pickle says. This decoder knows the opcodes that one text
// needs and refuses every other, so that a data file stays data.
// Bounds   inflated bytes and their ratio to the packed ones; nothing is built beyond them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace r1eval {

struct PayloadLimits {
  std::int64_t max_inflated_bytes = std::int64_t{1} << 31;
  // Tests of repeated text pack well, seldom all of them so well: past min_inflated_bytes an
  // inflated byte must cost at least 1/max_ratio packed ones.
  std::int64_t max_ratio = 200;
  std::int64_t min_inflated_bytes = std::int64_t{64} << 20;
};

// The JSON text of the tests. A field that begins like JSON is that text itself.
// Errors: kParse saying which layer is wrong and at which byte, kResourceExhausted past a limit.
Result<std::string> decode_test_payload(std::string_view field, const PayloadLimits& limits = {});

// The layers, each alone.
Result<std::string> decode_base64(std::string_view text);
Result<std::string> inflate_zlib(std::string_view bytes, const PayloadLimits& limits);
// The text of a pickle that holds exactly one str (protocols 0 to 5), as UTF-8 with surrogates as
// three bytes.
Result<std::string> unpickle_text(std::string_view bytes);

}  // namespace r1eval
