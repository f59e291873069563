#include "results/report_html.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>

#include "base/hash.h"
#include "results/embedded.h"
#include "results/escape.h"

namespace r1eval {
namespace {

std::string_view file_of_page(std::string_view name) {
  for (const auto& [file, text] : embedded_result_files()) {
    if (file == name) {
      return text;
    }
  }
  return "";
}

// What the page's policy names a script by: base64 of the SHA-256 of its text.
std::string script_hash(std::string_view script) {
  const std::string hex = sha256_hex(script);
  std::string digest;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    digest += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return base64(digest);
}

// JSON inside a script element: nothing in it may end the element or begin a comment.
std::string json_in_html(const std::string& json) {
  std::string out;
  out.reserve(json.size());
  for (const char c : json) {
    if (c == '<' || c == '>' || c == '&') {
      out += c == '<' ? "\\u003c" : (c == '>' ? "\\u003e" : "\\u0026");
    } else {
      out += c;
    }
  }
  return out;
}

// In one pass, so that what is filled in is never searched for names itself.
std::string fill(
    std::string_view page,
    const std::initializer_list<std::pair<std::string_view, std::string_view>>& parts) {
  std::string out;
  for (std::size_t at = 0; at < page.size();) {
    const std::size_t mark = page.find('@', at);
    out += page.substr(at, mark == std::string_view::npos ? std::string_view::npos : mark - at);
    if (mark == std::string_view::npos) {
      break;
    }
    at = mark;
    const auto part = std::find_if(parts.begin(), parts.end(), [&](const auto& p) {
      return page.substr(mark).starts_with(p.first);
    });
    if (part == parts.end()) {
      out += '@';
      ++at;
    } else {
      out += part->second;
      at += part->first.size();
    }
  }
  return out;
}

}  // namespace

Result<std::string> gzip(std::string_view bytes) {
  z_stream stream{};
  // 16 more than the window bits asks zlib for a gzip frame.
  if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    return fail(ErrorCode::kInternal, "zlib cannot begin");
  }
  std::string out;
  std::string piece(std::size_t{1} << 16, '\0');
  std::size_t given = 0;
  int state = Z_OK;
  while (state != Z_STREAM_END) {
    if (stream.avail_in == 0 && given < bytes.size()) {
      const std::size_t n = std::min<std::size_t>(bytes.size() - given, std::size_t{1} << 20);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + given));
      stream.avail_in = static_cast<uInt>(n);
      given += n;
    }
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    state = deflate(&stream, given == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    if (state == Z_STREAM_ERROR) {
      deflateEnd(&stream);
      return fail(ErrorCode::kInternal, "zlib failed");
    }
    out.append(piece, 0, piece.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return out;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t j) {
      return j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0U;
    };
    const std::uint32_t word = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out += kDigits[word >> 18 & 63];
    out += kDigits[word >> 12 & 63];
    out += i + 1 < bytes.size() ? kDigits[word >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kDigits[word & 63] : '=';
  }
  return out;
}

Result<std::string> report_html(const HtmlReport& report) {
  std::string samples;
  if (!report.samples.empty()) {
    R1_TRY(const std::string packed, gzip(report.samples));
    samples = base64(packed);
  }
  const std::string_view script = file_of_page("report/report.js");
  // Without it (a build without Debian's libjs-katex) formulas stay as written.
  const std::string_view katex =
      embedded_katex_files().empty() ? std::string_view() : embedded_katex_files().front().second;
  const std::string katex_element =
      katex.empty() ? "" : fmt::format("<script>{}</script>\n", katex);
  const std::string katex_policy =
      katex.empty() ? "" : fmt::format(" 'sha256-{}'", script_hash(katex));
  const std::string title = xml_text(report.title);
  return fill(file_of_page("report/report.html"),
              {{"@TITLE@", title},
               {"@SUBTITLE@", xml_text(report.subtitle)},
               {"@SCRIPT_HASH@", script_hash(script)},
               {"@KATEX_HASH@", katex_policy},
               {"@KATEX@", katex_element},
               {"@STYLE@", file_of_page("report/report.css")},
               {"@TRANSCRIPTS@", samples.empty() ? "no transcripts in this report" : "unpacking …"},
               {"@HEAD@", json_in_html(dump_json(report.head))},
               {"@SAMPLES@", samples},
               {"@SCRIPT@", script}});
}

}  // namespace r1eval
