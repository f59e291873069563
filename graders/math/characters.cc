#include "graders/math/characters.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace r1eval {
namespace {

// A code point of 1 to 4 bytes at text[at]; malformed bytes stand for themselves.
char32_t code_point(std::string_view text, std::size_t at, std::size_t& width) {
  const auto byte = [&](std::size_t k) {
    return at + k < text.size() ? static_cast<unsigned char>(text[at + k]) : 0U;
  };
  const unsigned first = byte(0);
  width = 1;
  const std::size_t length = first < 0xC2 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length == 1 || first > 0xF4) {
    return first;
  }
  char32_t point = length == 2 ? first & 0x1F : length == 3 ? first & 0x0F : first & 0x07;
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(k) & 0xC0) != 0x80) {
      return first;
    }
    point = (point << 6U) | (byte(k) & 0x3F);
  }
  width = length;
  return point;
}

// Zeros of the decimal digits that answers are written in.
constexpr std::array<char32_t, 16> kZeros = {0x0660, 0x06F0, 0x0966, 0x09E6, 0x0A66, 0x0AE6,
                                             0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0E50,
                                             0x0ED0, 0x1040, 0x17E0, 0xFF10};

int digit_of(char32_t point) {
  if (point < 0x0660) {
    return -1;
  }
  for (const char32_t zero : kZeros) {
    if (point >= zero && point < zero + 10) {
      return static_cast<int>(point - zero);
    }
  }
  if (point >= 0x1D7CE && point <= 0x1D7FF) {  // mathematical bold, double-struck, …
    return static_cast<int>((point - 0x1D7CE) % 10);
  }
  return -1;
}

bool is_invisible(char32_t point) {
  return point == 0x00AD || (point >= 0x200B && point <= 0x200F) ||
         (point >= 0x202A && point <= 0x202E) || (point >= 0x2060 && point <= 0x2069) ||
         point == 0xFEFF || (point >= 0xFE00 && point <= 0xFE0F);
}

bool is_wide_space(char32_t point) {
  return point == 0x00A0 || (point >= 0x2000 && point <= 0x200A) || point == 0x202F ||
         point == 0x205F || point == 0x3000;
}

// The ASCII letter that a letter of a mathematical alphabet shows, or 0.
char alphabet_letter(char32_t point) {
  if (point < 0x1D400 || point > 0x1D6A3) {
    return 0;
  }
  const auto k = static_cast<int>((point - 0x1D400) % 52);
  return static_cast<char>(k < 26 ? 'A' + k : 'a' + (k - 26));
}

struct Entity {
  std::string_view name;
  std::string_view text;
};

constexpr std::array<Entity, 23> kEntities = {
    {{"&lt;", "<"},     {"&gt;", ">"},     {"&le;", "\\le "}, {"&ge;", "\\ge "}, {"&ne;", "\\ne "},
     {"&amp;", "&"},    {"&nbsp;", " "},   {"&thinsp;", " "}, {"&minus;", "-"},  {"&ndash;", "-"},
     {"&times;", "*"},  {"&middot;", "*"}, {"&divide;", "/"}, {"&frac12;", "½"}, {"&frac14;", "¼"},
     {"&frac34;", "¾"}, {"&deg;", "°"},    {"&pi;", "π"},     {"&radic;", "√"},  {"&infin;", "∞"},
     {"&plusmn;", "±"}, {"&sup2;", "²"},   {"&sup3;", "³"}}};

// What is left of a command after its first letter went into a control character. A remainder
// that is itself an English word ("\to", "\nu") is not listed: the character may be a real break.
constexpr std::array<std::string_view, 6> kAlert = {"lpha",  "pprox", "ngle",
                                                    "rcsin", "rctan", "rccos"};
constexpr std::array<std::string_view, 14> kBackspace = {
    "oxed", "inom", "eta",      "ar",    "egin", "igl",    "igr",
    "ig",   "mod",  "ackslash", "inary", "f",    "matrix", "oldsymbol"};
constexpr std::array<std::string_view, 17> kTab = {
    "ext",  "extbf", "extit", "extrm",   "extnormal", "exttt", "extsf", "imes", "heta",
    "frac", "au",    "anh",   "riangle", "herefore",  "an",    "binom", "ilde"};
constexpr std::array<std::string_view, 5> kLine = {"eq", "abla", "otin", "eg", "exists"};
constexpr std::array<std::string_view, 4> kVertical = {"ec", "arphi", "ert", "arnothing"};
constexpr std::array<std::string_view, 4> kFeed = {"rac", "box", "orall", "ramebox"};
constexpr std::array<std::string_view, 8> kReturn = {"ight", "ho",   "angle", "floor",
                                                     "ceil", "vert", "brace", "brack"};

template <typename List>
bool contains(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The letter that an escape of the control character c swallowed before `rest`, or 0.
char lost_letter(char c, std::string_view rest) {
  std::size_t n = 0;
  while (n < rest.size() && n < 16 && is_letter(rest[n])) {
    ++n;
  }
  if (n == 0) {
    return '\0';
  }
  const std::string_view word = rest.substr(0, n);
  switch (c) {
    case '\a':
      return contains(kAlert, word) ? 'a' : '\0';
    case '\b':
      return contains(kBackspace, word) ? 'b' : '\0';
    case '\t':
      return contains(kTab, word) ? 't' : '\0';
    case '\n':
      return contains(kLine, word) ? 'n' : '\0';
    case '\v':
      return contains(kVertical, word) ? 'v' : '\0';
    case '\f':
      return contains(kFeed, word) ? 'f' : '\0';
    case '\r':
      return contains(kReturn, word) ? 'r' : '\0';
    default:
      return '\0';
  }
}

}  // namespace

bool hides_command(std::string_view text) {
  return !text.empty() && static_cast<unsigned char>(text.front()) < 0x20 &&
         lost_letter(text.front(), text.substr(1)) != '\0';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front()) && !hides_command(text)) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

bool needs_folding(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || byte < 0x20 || c == '&';
  });
}

std::string fold_characters(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      const auto* entity = std::find_if(kEntities.begin(), kEntities.end(), [&](const Entity& one) {
        return text.compare(i, one.name.size(), one.name) == 0;
      });
      if (entity != kEntities.end()) {
        out += entity->text;
        i += entity->name.size();
        continue;
      }
    } else if (byte < 0x20) {
      if (const char letter = lost_letter(c, text.substr(i + 1)); letter != '\0') {
        out += '\\';
        out += letter;
        ++i;
        continue;
      }
    }
    if (byte < 0x80) {
      out += c;
      ++i;
      continue;
    }
    std::size_t width = 1;
    const char32_t point = code_point(text, i, width);
    if (const int digit = digit_of(point); digit >= 0) {
      out += static_cast<char>('0' + digit);
    } else if (is_wide_space(point)) {
      out += ' ';
    } else if (point >= 0xFF01 && point <= 0xFF5E) {
      out += static_cast<char>(point - 0xFF01 + '!');
    } else if (const char letter = alphabet_letter(point); letter != '\0') {
      out += letter;
    } else if (point == 0x066B) {
      out += '.';
    } else if (point == 0x066C) {
      out += ',';
    } else if (point == 0x066A) {
      out += '%';
    } else if (!is_invisible(point)) {
      out += text.substr(i, width);
    }
    i += width;
  }
  return out;
}

int digit_value(std::string_view text, std::size_t at, std::size_t& width) {
  width = 1;
  if (at >= text.size()) {
    return -1;
  }
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) {
    return byte >= '0' && byte <= '9' ? byte - '0' : -1;
  }
  return digit_of(code_point(text, at, width));
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto first = static_cast<unsigned char>(out[i]);
    if (first >= 'A' && first <= 'Z') {
      out[i] = static_cast<char>(first + 0x20);
    }
    if (first < 0xC3 || first > 0xD0 || i + 1 >= out.size()) {
      continue;
    }
    const auto second = static_cast<unsigned char>(out[i + 1]);
    const auto put = [&](unsigned a, unsigned b) {
      out[i] = static_cast<char>(a);
      out[i + 1] = static_cast<char>(b);
    };
    if (first == 0xC3 && second >= 0x80 && second <= 0x9E && second != 0x97) {
      put(0xC3, second + 0x20U);
    } else if (first == 0xC4 && second == 0x90) {  // Đ
      put(0xC4, 0x91);
    } else if (first == 0xCE && second >= 0x91 && second <= 0x9F) {
      put(0xCE, second + 0x20U);
    } else if (first == 0xCE && second >= 0xA0 && second <= 0xA9) {
      put(0xCF, second - 0x20U);
    } else if (first == 0xD0 && second >= 0x90 && second <= 0x9F) {
      put(0xD0, second + 0x20U);
    } else if (first == 0xD0 && second >= 0xA0 && second <= 0xAF) {
      put(0xD1, second - 0x20U);
    }
  }
  return out;
}

}  // namespace r1eval
