#include "tasks/csv.h"

#include <fmt/format.h>

#include <utility>

namespace r1eval {

Result<std::vector<CsvRow>> parse_csv(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) {
    text.remove_prefix(3);
  }
  std::vector<CsvRow> rows;
  std::int64_t line = 1;
  std::size_t at = 0;
  while (at < text.size()) {
    CsvRow row;
    row.line = line;
    bool row_ended = false;
    while (!row_ended) {
      std::string field;
      if (at < text.size() && text[at] == '"') {
        const std::int64_t opened = line;
        ++at;
        for (;;) {
          const std::size_t quote = text.find('"', at);
          if (quote == std::string_view::npos) {
            return fail(ErrorCode::kParse,
                        fmt::format("line {}: a quoted field is never closed", opened));
          }
          for (std::size_t i = at; i < quote; ++i) {
            line += text[i] == '\n' ? 1 : 0;
          }
          field.append(text.substr(at, quote - at));
          at = quote + 1;
          if (at < text.size() && text[at] == '"') {
            field += '"';
            ++at;
            continue;
          }
          break;
        }
        if (at < text.size() && text[at] != ',' && text[at] != '\n' && text[at] != '\r') {
          return fail(ErrorCode::kParse,
                      fmt::format("line {}: text follows the closing quote of a field", line));
        }
      } else {
        const std::size_t end = std::min(text.find_first_of(",\r\n", at), text.size());
        field = text.substr(at, end - at);
        at = end;
      }
      row.fields.push_back(std::move(field));
      if (at >= text.size()) {
        row_ended = true;
      } else if (text[at] == ',') {
        ++at;
      } else {
        if (text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n') {
          ++at;
        }
        ++at;
        ++line;
        row_ended = true;
      }
    }
    if (row.fields.size() > 1 || !row.fields.front().empty()) {  // an empty line is no row
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace r1eval
