// CSV as RFC 4180 has it: quoted fields with newlines and doubled quotes, LF or CRLF, a last line
// with or without its line end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace r1eval {

struct CsvRow {
  std::int64_t line = 0;  // physical line on which the row begins, from 1
  std::vector<std::string> fields;
};

// Errors: kParse naming the line: a quote that is never closed, text after a closing quote.
Result<std::vector<CsvRow>> parse_csv(std::string_view text);

}  // namespace r1eval
