#include "graders/extract/choice_text.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace r1eval {
namespace {

using choice_chars::is_digit;
using choice_chars::is_letter;
using choice_chars::lower;

// Base letters of U+00C0..U+017F and U+1E00..U+1EFF; '?' where there is none.
constexpr std::string_view kLatin =
    "aaaaaaaceeeeiiiidnooooo?ouuuuytsaaaaaaaceeeeiiiidnooooo?ouuuuytyaaaaaaccccccccddddeeeeeeeeee"
    "gggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyy"
    "zzzzzzs";
constexpr std::string_view kLatinAdditional =
    "aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnnoooooooopppprrrr"
    "rrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzhtwy??????aaaaaaaaaaaaaaaaaaaaaaaa"
    "eeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooouuuuuuuuuuuuuuyyyyyyyy??????";

char latin_base(std::uint32_t c) {
  char base = '?';
  if (c >= 0xC0U && c < 0x180U) {
    base = kLatin[c - 0xC0U];
  } else if (c >= 0x1E00U && c < 0x1F00U) {
    base = kLatinAdditional[c - 0x1E00U];
  } else if (c == 0x1A0U || c == 0x1A1U) {
    base = 'o';
  } else if (c == 0x1AFU || c == 0x1B0U) {
    base = 'u';
  }
  return base == '?' ? '\0' : base;
}

struct CharFold {
  std::uint32_t code;
  char ascii;
};

// Punctuation of other scripts.
constexpr std::array<CharFold, 28> kPunctuation = {{
    {0x3001, ','}, {0x3002, '.'}, {0x3010, '['}, {0x3011, ']'},  {0x300C, '['},  {0x300D, ']'},
    {0x300E, '['}, {0x300F, ']'}, {0x3014, '['}, {0x3015, ']'},  {0x201C, '"'},  {0x201D, '"'},
    {0x201E, '"'}, {0x00AB, '"'}, {0x00BB, '"'}, {0x2018, '\''}, {0x2019, '\''}, {0x05F3, '\''},
    {0x060C, ','}, {0x061B, ';'}, {0x061F, '?'}, {0x0964, '.'},  {0x0965, '.'},  {0x00A0, ' '},
    {0x3000, ' '}, {0x202F, ' '}, {0x2026, '.'}, {0xFF0E, '.'},
}};

// Letters of other scripts that label options. They count where nothing of a script touches them.
// The Cyrillic В is left out: it labels the third option and looks like the second.
constexpr std::array<CharFold, 37> kLabels = {{
    {0x0623, 'A'}, {0x0627, 'A'}, {0x0628, 'B'}, {0x062C, 'C'}, {0x062F, 'D'},  // Arabic
    {0x05D0, 'A'}, {0x05D1, 'B'}, {0x05D2, 'C'}, {0x05D3, 'D'},                 // Hebrew
    {0x0995, 'A'}, {0x0996, 'B'}, {0x0997, 'C'}, {0x0998, 'D'},                 // Bengali
    {0x0915, 'A'}, {0x0916, 'B'}, {0x0917, 'C'}, {0x0918, 'D'},                 // Devanagari
    {0x0905, 'A'}, {0x092C, 'B'}, {0x0938, 'C'}, {0x0926, 'D'}, {0x0E01, 'A'},
    {0x0E02, 'B'}, {0x0E04, 'C'}, {0x0E07, 'D'},                                // Thai
    {0x0410, 'A'}, {0x0411, 'B'}, {0x0421, 'C'}, {0x0413, 'D'}, {0x0414, 'E'},  // Cyrillic
    {0x0415, 'E'}, {0x0431, 'b'}, {0x0433, 'd'}, {0x0391, 'A'}, {0x0392, 'B'},
    {0x0393, 'C'}, {0x0394, 'D'},  // Greek
}};

template <std::size_t n>
char find_fold(const std::array<CharFold, n>& folds, std::uint32_t code) {
  for (const CharFold& fold : folds) {
    if (fold.code == code) {
      return fold.ascii;
    }
  }
  return '\0';
}

// Ⓐ, full-width and mathematical letters; '\0' for any other character.
char styled_ascii(std::uint32_t c) {
  if (c >= 0xFF01U && c <= 0xFF5EU) {
    return static_cast<char>(c - 0xFF01U + '!');
  }
  if (c >= 0x24B6U && c <= 0x24CFU) {
    return static_cast<char>(c - 0x24B6U + 'A');
  }
  if (c >= 0x24D0U && c <= 0x24E9U) {
    return static_cast<char>(c - 0x24D0U + 'a');
  }
  if (c >= 0x1D400U && c < 0x1D6A4U) {
    const std::uint32_t i = (c - 0x1D400U) % 52U;
    return static_cast<char>(i < 26U ? 'A' + i : 'a' + (i - 26U));
  }
  return '\0';
}

bool is_dropped(std::uint32_t c) {
  return (c >= 0x300U && c <= 0x36FU) || (c >= 0x64BU && c <= 0x652U) || c == 0x640U ||
         (c >= 0x591U && c <= 0x5C7U) || c == 0xFE0FU || (c >= 0x200BU && c <= 0x200FU) ||
         (c >= 0x2060U && c <= 0x2064U) || c == 0xFEFFU || c == 0xADU;
}

// Scripts that put spaces between words, Latin apart.
bool is_spaced_script(std::uint32_t c) {
  return (c >= 0x370U && c < 0x590U) || (c >= 0x5D0U && c < 0xE00U && c != 0x60CU && c != 0x61FU) ||
         (c >= 0x1200U && c < 0x1380U);
}

bool is_any_script(std::uint32_t c) {
  return is_spaced_script(c) || (c >= 0xE00U && c < 0xE80U);
}

}  // namespace

std::uint32_t decode_choice_char(std::string_view text, std::size_t at, std::size_t& length) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const auto is_tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const std::uint32_t c = byte(at);
  length = 1;
  if (c < 0x80U) {
    return c;
  }
  if (c >= 0xC2U && c < 0xE0U && is_tail(at + 1)) {
    length = 2;
    return ((c & 0x1FU) << 6U) | (byte(at + 1) & 0x3FU);
  }
  if (c >= 0xE0U && c < 0xF0U && is_tail(at + 1) && is_tail(at + 2)) {
    length = 3;
    return ((c & 0x0FU) << 12U) | ((byte(at + 1) & 0x3FU) << 6U) | (byte(at + 2) & 0x3FU);
  }
  if (c >= 0xF0U && c < 0xF5U && is_tail(at + 1) && is_tail(at + 2) && is_tail(at + 3)) {
    length = 4;
    return ((c & 0x07U) << 18U) | ((byte(at + 1) & 0x3FU) << 12U) | ((byte(at + 2) & 0x3FU) << 6U) |
           (byte(at + 3) & 0x3FU);
  }
  return 0xFFFDU;
}

std::size_t choice_word_length(std::string_view folded, std::size_t at) {
  std::size_t end = at;
  while (end < folded.size()) {
    if (is_letter(folded[end]) || (end > at && is_digit(folded[end]))) {
      ++end;
      continue;
    }
    std::size_t length = 0;
    if (static_cast<unsigned char>(folded[end]) < 0x80 ||
        !is_spaced_script(decode_choice_char(folded, end, length))) {
      break;
    }
    end += length;
  }
  return end - at;
}

FoldedText fold_choice_text(std::string_view source) {
  FoldedText folded;
  std::size_t start = source.size() > kMaxChoiceBytes ? source.size() - kMaxChoiceBytes : 0;
  if (start > 0) {
    start = std::min(source.find_first_of(" \n", start), source.size());  // no piece of a word
  }
  folded.low.reserve(source.size() - start);
  folded.text.reserve(source.size() - start);
  folded.from.reserve(source.size() - start + 1);
  const auto put = [&](char low, char cased, std::size_t at) {
    folded.low += low;
    folded.text += cased;
    folded.from.push_back(static_cast<std::uint32_t>(at));
  };
  const auto put_code = [&](std::uint32_t c, std::size_t at) {
    if (c < 0x800U) {
      const char lead = static_cast<char>(0xC0U | (c >> 6U));
      put(lead, lead, at);
    } else {
      const char lead = static_cast<char>(0xE0U | (c >> 12U));
      const char middle = static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
      put(lead, lead, at);
      put(middle, middle, at);
    }
    const char tail = static_cast<char>(0x80U | (c & 0x3FU));
    put(tail, tail, at);
  };
  std::uint32_t before = ' ';
  std::size_t i = start;
  while (i < source.size()) {
    // A run of ASCII at once.
    std::size_t run = i;
    while (run < source.size() && static_cast<unsigned char>(source[run]) < 0x80) {
      ++run;
    }
    if (run > i) {
      const std::string_view ascii = source.substr(i, run - i);
      const std::size_t at = folded.low.size();
      folded.text += ascii;
      folded.low += ascii;
      std::transform(ascii.begin(), ascii.end(),
                     folded.low.begin() + static_cast<std::ptrdiff_t>(at), lower);
      folded.from.resize(at + ascii.size());
      std::iota(folded.from.begin() + static_cast<std::ptrdiff_t>(at), folded.from.end(),
                static_cast<std::uint32_t>(i));
      before = static_cast<unsigned char>(ascii.back());
      i = run;
      continue;
    }
    std::size_t length = 0;
    std::uint32_t c = decode_choice_char(source, i, length);
    const std::size_t at = i;
    i += length;
    if (is_dropped(c)) {
      continue;
    }
    const std::uint32_t last = before;
    before = c;
    if (const char base = latin_base(c)) {
      put(base, kAccented, at);
      continue;
    }
    const char styled = styled_ascii(c);
    const char plain = styled != '\0' ? styled : find_fold(kPunctuation, c);
    if (plain != '\0') {
      put(lower(plain), plain, at);
      continue;
    }
    if (const char label = find_fold(kLabels, c)) {
      std::size_t next_length = 0;
      const std::uint32_t next =
          i < source.size() ? decode_choice_char(source, i, next_length) : ' ';
      if (!is_any_script(last) && (!is_any_script(next) || next == 0x964U)) {
        put(lower(label), label, at);
        continue;
      }
    }
    if (c == 0x622U || c == 0x623U || c == 0x625U) {
      c = 0x627U;  // alef with its signs
    } else if (c >= 0x410U && c < 0x430U) {
      c += 0x20U;  // Cyrillic capitals
    } else if (c >= 0x391U && c < 0x3AAU) {
      c += 0x20U;  // Greek capitals
    }
    if (c == 0xFFFDU) {
      put(' ', ' ', at);
    } else if (c >= 0x10000U) {
      put_code(0x2605U, at);  // any symbol
    } else {
      put_code(c, at);
    }
  }
  folded.from.push_back(static_cast<std::uint32_t>(source.size()));
  return folded;
}

}  // namespace r1eval
