#include "graders/math/number_words.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "graders/math/characters.h"
#include "graders/math/units.h"

namespace r1eval {
namespace {

constexpr std::size_t npos = std::string_view::npos;
constexpr std::size_t kMaxWords = 40;  // of one number

struct Word {
  std::string_view text;
  std::size_t from;
  std::size_t to;
  bool is_joined;  // a hyphen or nothing but one space stands before it
};

std::vector<Word> words_of(std::string_view text, std::size_t from, std::size_t limit) {
  std::vector<Word> words;
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  std::size_t i = from;
  while (i < text.size() && words.size() < limit) {
    std::size_t start = i;
    while (start < text.size() &&
           (text[start] == ' ' || text[start] == '-' || text[start] == ',' || text[start] == '~')) {
      ++start;
    }
    std::size_t end = start;
    while (end < text.size() && is_letter(text[end])) {
      ++end;
    }
    if (end == start) {
      break;
    }
    words.push_back({text.substr(start, end - start), start, end, true});
    i = end;
  }
  return words;
}

// 0 … 19 and the tens, or -1.
std::int64_t small_number(std::string_view word) {
  static constexpr std::array<std::string_view, 20> kUnits = {
      "zero",     "one",     "two",     "three",     "four",     "five",    "six",
      "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",  "thirteen",
      "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
  static constexpr std::array<std::string_view, 8> kTens = {
      "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"};
  for (std::size_t k = 0; k < kUnits.size(); ++k) {
    if (kUnits[k] == word) {
      return static_cast<std::int64_t>(k);
    }
  }
  for (std::size_t k = 0; k < kTens.size(); ++k) {
    if (kTens[k] == word) {
      return static_cast<std::int64_t>(20 + 10 * k);
    }
  }
  return word == "fourty" ? 40 : -1;
}

std::int64_t scale_word(std::string_view word) {
  return word == "thousand"   ? 1000
         : word == "million"  ? 1000000
         : word == "billion"  ? 1000000000
         : word == "trillion" ? 1000000000000
                              : 0;
}

// The denominator that "half", "thirds", "quarter", "tenths" name, or 0.
std::int64_t denominator_of(std::string_view word) {
  static constexpr std::array<std::string_view, 10> kNames = {"third", "quarter", "fourth", "fifth",
                                                              "sixth", "seventh", "eighth", "ninth",
                                                              "tenth", "twelfth"};
  static constexpr std::array<std::int64_t, 10> kValues = {3, 4, 4, 5, 6, 7, 8, 9, 10, 12};
  if (word == "half" || word == "halves") {
    return 2;
  }
  if (word.size() > 1 && word.back() == 's') {
    word.remove_suffix(1);
  }
  for (std::size_t k = 0; k < kNames.size(); ++k) {
    if (kNames[k] == word) {
      return kValues[k];
    }
  }
  return word == "hundredth" ? 100 : word == "thousandth" ? 1000 : 0;
}

// A cardinal at words[at]; moves past it. Each part must be smaller than the one before.
std::optional<std::int64_t> cardinal(const std::vector<Word>& words, std::size_t& at) {
  std::int64_t total = 0;
  std::int64_t part = -1;    // below 1000
  std::int64_t room = 1000;  // what is added to the part must be below this
  std::int64_t last_scale = 0;
  std::size_t k = at;
  std::size_t good = at;
  while (k < words.size()) {
    std::string_view word = words[k].text;
    const bool is_and = word == "and" && (part >= 100 || total > 0) && k + 1 < words.size();
    if (is_and) {
      word = words[++k].text;
      if (small_number(word) < 0) {
        break;
      }
    }
    const std::int64_t small = small_number(word);
    if (word == "a" && part < 0 && total == 0 && k + 1 < words.size() &&
        (words[k + 1].text == "hundred" || scale_word(words[k + 1].text) != 0)) {
      part = 1;
      room = 0;
    } else if (small >= 0) {
      if (part >= 0 && (small >= room || small == 0)) {
        return std::nullopt;  // "one two"
      }
      part = std::max<std::int64_t>(part, 0) + small;
      room = small >= 20 ? 10 : 0;
    } else if (word == "hundred" && part > 0 && part < 100) {
      part *= 100;
      room = 100;
    } else if (const std::int64_t scale = scale_word(word); scale != 0 && part > 0) {
      if (last_scale != 0 && scale >= last_scale) {
        return std::nullopt;
      }
      total += part * scale;
      last_scale = scale;
      part = -1;
      room = 1000;
    } else {
      break;
    }
    good = ++k;
  }
  if (good == at) {
    return std::nullopt;
  }
  at = good;
  return total + std::max<std::int64_t>(part, 0);
}

std::optional<WordNumber> number_at(std::string_view text, std::size_t from) {
  const std::vector<Word> words = words_of(text, from, kMaxWords);
  std::size_t at = 0;
  const bool minus = !words.empty() && (words[0].text == "minus" || words[0].text == "negative");
  at += minus ? 1 : 0;
  if (at >= words.size()) {
    return std::nullopt;
  }
  const auto result = [&](Rational value) {
    return WordNumber{minus ? -value : std::move(value), words[0].from, words[at - 1].to};
  };
  const auto part_at = [&](std::size_t k) {  // "half", "a half", "one third": its denominator
    return k < words.size() ? denominator_of(words[k].text) : 0;
  };
  if (words[at].text == "half") {
    ++at;
    return result(Rational(Integer(1), Integer(2)));
  }
  if (words[at].text == "a" || words[at].text == "an") {
    if (at + 1 < words.size() && words[at + 1].text == "dozen") {
      at += 2;
      return result(Rational(Integer(12)));
    }
    if (const std::int64_t below = part_at(at + 1); below != 0) {
      at += 2;
      return result(Rational(Integer(1), Integer(below)));
    }
  }
  const auto whole = cardinal(words, at);
  if (!whole) {
    return std::nullopt;
  }
  Rational value{Integer(*whole)};
  if (at < words.size() && words[at].text == "dozen") {
    ++at;
    return result(value * Rational(Integer(12)));
  }
  if (const std::int64_t below = part_at(at); below != 0) {
    ++at;
    return result(Rational(value.num, Integer(below)));
  }
  if (at + 1 < words.size() && words[at].text == "point" && small_number(words[at + 1].text) >= 0) {
    Integer scale = 1;
    for (++at; at < words.size(); ++at) {
      const std::int64_t digit = small_number(words[at].text);
      if (digit < 0 || digit > 9) {
        break;
      }
      scale *= 10;
      value = value + Rational(Integer(digit), scale);
    }
    return result(value);
  }
  // "two and a half", "two and three quarters"
  if (at + 2 < words.size() && words[at].text == "and") {
    std::size_t k = at + 1;
    std::int64_t above = 1;
    if (words[k].text == "a" || words[k].text == "one") {
      ++k;
    } else {
      above = small_number(words[k].text);
      ++k;
    }
    const std::int64_t below = part_at(k);
    if (above > 0 && below > above) {
      at = k + 1;
      return result(value + Rational(Integer(above), Integer(below)));
    }
  }
  return result(value);
}

}  // namespace

std::optional<Rational> number_from_numerals(std::string_view text) {
  static const std::map<std::string_view, std::int64_t> kChinese = {
      {"零", 0},  {"〇", 0},   {"一", 1},    {"二", 2},    {"两", 2}, {"三", 3},
      {"四", 4},  {"五", 5},   {"六", 6},    {"七", 7},    {"八", 8}, {"九", 9},
      {"十", 10}, {"百", 100}, {"千", 1000}, {"万", 10000}};
  if (text.empty() || text.size() > 60 || text.size() % 3 != 0) {
    return std::nullopt;
  }
  std::int64_t total = 0;
  std::int64_t section = 0;
  std::int64_t digit = -1;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const auto found = kChinese.find(text.substr(i, 3));
    if (found == kChinese.end() || total > 1000000000) {
      return std::nullopt;
    }
    const std::int64_t v = found->second;
    if (v < 10) {
      if (digit > 1000000) {
        return std::nullopt;
      }
      digit = digit > 0 ? digit * 10 + v : v;
    } else if (v == 10000) {
      total = (total + section + std::max<std::int64_t>(digit, 0)) * v;
      section = 0;
      digit = -1;
    } else {
      section += (digit < 0 ? 1 : digit) * v;
      digit = -1;
    }
  }
  return Rational(Integer(total + section + std::max<std::int64_t>(digit, 0)));
}

std::optional<WordNumber> leading_number_words(std::string_view text) {
  return number_at(text, 0);
}

std::optional<WordNumber> last_number_words(std::string_view text) {
  std::optional<WordNumber> last;
  std::size_t tried = 0;
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  // From the end: the leftmost start of the last number.
  for (std::size_t i = text.size(); i-- > 0 && tried < 4000;) {
    const bool starts = is_letter(text[i]) && (i == 0 || !is_letter(text[i - 1]));
    if (!starts) {
      continue;
    }
    ++tried;
    const auto here = number_at(text, i);
    if (here && (!last || here->to >= last->to)) {
      last = here;
    } else if (last) {
      break;
    }
  }
  return last;
}

std::optional<std::string> with_digits(std::string_view text) {
  const std::string low = lower_case(text);
  const auto found = leading_number_words(low);
  if (!found) {
    return std::nullopt;
  }
  // Words after it that say nothing of the value are left out: "seven apples", not "seven or
  // eight".
  const std::string_view rest = std::string_view(low).substr(found->to);
  const bool says_more = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz .!") != npos ||
                         rest.find(" or ") != npos || rest.find(" and ") != npos ||
                         last_number_words(rest) || rest.starts_with(" percent") ||
                         rest.starts_with(" per cent") || normal_unit(rest).is_known;
  return print_rational(found->value) + (says_more ? std::string(text.substr(found->to)) : "");
}

}  // namespace r1eval
