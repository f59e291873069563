#include "results/escape.h"

#include <cstdint>

namespace r1eval {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the valid UTF-8 character at `at`, 0 if there is none; `code` gets its code point.
std::size_t character_at(std::string_view text, std::size_t at, std::uint32_t& code) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  const std::size_t length = lead >= 0xF0 ? 4 : (lead >= 0xE0 ? 3 : (lead >= 0xC2 ? 2 : 0));
  if (length == 0 || lead > 0xF4 || at + length > text.size()) {
    return 0;
  }
  code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) {
      return 0;
    }
    code = code << 6 | (byte(at + i) & 0x3FU);
  }
  static constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
    return 0;
  }
  return length;
}

bool is_unsafe(std::uint32_t code) {
  return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code < 0xA0) ||
         (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
         code == 0x200E || code == 0x200F || code == 0x061C || code == 0x2028 || code == 0x2029 ||
         code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
}

std::string replace_each(std::string_view text, const auto& replacement_of) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const std::string_view replacement = replacement_of(c);
    if (replacement.empty()) {
      out += c;
    } else {
      out += replacement;
    }
  }
  return out;
}

}  // namespace

std::string safe_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    std::uint32_t code = 0;
    const std::size_t length = character_at(text, at, code);
    if (length == 0 || is_unsafe(code)) {
      out += kReplacement;
    } else {
      out += text.substr(at, length);
    }
    at += length == 0 ? 1 : length;
  }
  return out;
}

std::string xml_text(std::string_view text) {
  return replace_each(safe_text(text), [](char c) -> std::string_view {
    switch (c) {
      case '&':
        return "&amp;";
      case '<':
        return "&lt;";
      case '>':
        return "&gt;";
      case '"':
        return "&quot;";
      case '\'':
        return "&#39;";
      default:
        return "";
    }
  });
}

std::string markdown_text(std::string_view text) {
  static constexpr std::string_view kSpecial = "\\`*_{}[]()#!|~";
  std::string out;
  for (const char c : safe_text(text)) {
    if (c == '\n' || c == '\r') {
      out += ' ';
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      if (kSpecial.find(c) != std::string_view::npos) {
        out += '\\';
      }
      out += c;
    }
  }
  return out;
}

std::string markdown_code(std::string_view text) {
  return replace_each(safe_text(text), [](char c) -> std::string_view {
    return c == '`' ? "'" : (c == '|' ? "\\|" : (c == '\n' ? " " : ""));
  });
}

std::string annotation_text(std::string_view text) {
  return replace_each(safe_text(text), [](char c) -> std::string_view {
    return c == '%' ? "%25" : (c == '\n' ? "%0A" : (c == '\r' ? "%0D" : ""));
  });
}

std::string annotation_property(std::string_view text) {
  return replace_each(annotation_text(text), [](char c) -> std::string_view {
    return c == ':' ? "%3A" : (c == ',' ? "%2C" : "");
  });
}

std::string csv_field(std::string_view text) {
  std::string field = safe_text(text);
  if (!field.empty() &&
      (field[0] == '=' || field[0] == '@' || field[0] == '+' ||
       (field[0] == '-' && field.size() > 1 && (field[1] < '0' || field[1] > '9')))) {
    field.insert(0, "'");
  }
  if (field.find_first_of(",\"\n\r") == std::string::npos) {
    return field;
  }
  return "\"" +
         replace_each(field, [](char c) -> std::string_view { return c == '"' ? "\"\"" : ""; }) +
         "\"";
}

}  // namespace r1eval
