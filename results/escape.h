// Foreign text in our output: names of items, tasks and models come from files that others wrote.
//
// Each function gives valid UTF-8 without control characters and without characters that turn the
// direction of text, so that what stands on a screen is what is meant.
#pragma once

#include <string>
#include <string_view>

namespace r1eval {

// For a terminal or a line of a log: control and direction characters become U+FFFD, new lines
// stay.
std::string safe_text(std::string_view text);
// Inside an XML or HTML element or a quoted attribute.
std::string xml_text(std::string_view text);
// Inside a Markdown paragraph or table cell; inside `code`.
std::string markdown_text(std::string_view text);
std::string markdown_code(std::string_view text);
// Of a GitHub workflow command.
std::string annotation_text(std::string_view text);
std::string annotation_property(std::string_view text);
// A CSV field (RFC 4180), quoted where needed; one that a spreadsheet would run as a formula gets a
// leading apostrophe.
std::string csv_field(std::string_view text);

}  // namespace r1eval
