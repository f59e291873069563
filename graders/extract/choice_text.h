// Folds text for the choice reader: lower case, no accents and vowel signs, full-width and
// mathematical letters, punctuation and option letters of other scripts as ASCII. One pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace r1eval {

struct FoldedText {
  std::string low;   // what words are matched against
  std::string text;  // the same positions with case; letters with accents stand as kAccented
  std::vector<std::uint32_t> from;  // per byte, and one past the end: the offset in the source
};

inline constexpr char kAccented = '\x01';

// Characters of a folded text.
namespace choice_chars {

inline bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

inline bool is_lower_letter(char c) {
  return c >= 'a' && c <= 'z';
}

inline bool is_upper_letter(char c) {
  return c >= 'A' && c <= 'Z';
}

inline bool is_letter(char c) {
  return is_lower_letter(c) || is_upper_letter(c) || c == kAccented;
}

inline char lower(char c) {
  return is_upper_letter(c) ? static_cast<char>(c - 'A' + 'a') : c;
}

inline char upper(char c) {
  return is_lower_letter(c) ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace choice_chars

// Reads at most the last `kMaxChoiceBytes` of the source.
inline constexpr std::size_t kMaxChoiceBytes = 1 << 20;
FoldedText fold_choice_text(std::string_view source);

// The character at `at` and its length; malformed UTF-8 yields U+FFFD, one byte long.
std::uint32_t decode_choice_char(std::string_view text, std::size_t at, std::size_t& length);

// Bytes of the run of word characters at `at`, for scripts that put spaces between words; 0 if
// there is none.
std::size_t choice_word_length(std::string_view folded, std::size_t at);

}  // namespace r1eval
