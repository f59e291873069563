// Text as Python sees it: UTF-8 code points, white space and decimal digits by Unicode's own
// classes.
//
// Bytes that are no UTF-8 are code points of their own that belong to no class, so that nothing a
// program prints can stop a comparison.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1eval {

// str.isspace: what str.strip() and str.split() take as white space.
bool is_python_space(char32_t c);

// The value of a decimal digit of any script (category Nd), or -1.
int python_decimal_digit(char32_t c);

// The code point at text[at], and `at` moved behind it. An invalid byte gives 0x110000 + byte.
char32_t next_code_point(std::string_view text, std::size_t& at);

// Appends UTF-8; surrogates as three bytes.
void append_utf8(std::string& out, char32_t c);

// str.strip() and str.split() without arguments. Views into `text`.
std::string_view python_strip(std::string_view text);
std::vector<std::string_view> python_split(std::string_view text);

// str.split("\n"): one more part than there are newlines.
std::vector<std::string_view> split_lines(std::string_view text);

// The text, or its first and last part around "...(N bytes)..." when it is longer than `limit`
// bytes. Never cuts inside a code point.
std::string cut_middle(std::string_view text, std::int64_t limit);

}  // namespace r1eval
