// report.html: one file that needs no network, with scores, comparisons and transcripts.
//
// What models wrote is data: it stands in the page as JSON, `<` and `&` escaped, and reaches the
// screen as text nodes only; the page's policy runs one script, by its hash. Transcripts are
// gzipped and unpacked in the browser when the list is drawn.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace r1eval {

struct HtmlReport {
  std::string title;
  std::string subtitle;
  OrderedJson head;     // runs, comparisons, published, lengths: see results/report/report.js
  std::string samples;  // a JSON array of samples; empty: none
};

Result<std::string> report_html(const HtmlReport& report);

// gzip, level 6. Errors: kInternal.
Result<std::string> gzip(std::string_view bytes);
std::string base64(std::string_view bytes);

}  // namespace r1eval
