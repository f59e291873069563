#include "graders/extract/spans.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "graders/math/characters.h"

namespace r1eval {
namespace {

constexpr std::size_t npos = std::string_view::npos;
constexpr std::size_t kNearEnd = 8192;  // bytes

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool ends_with_at(std::string_view text, std::size_t end, std::string_view word) {
  return end >= word.size() && text.substr(end - word.size(), word.size()) == word;
}

// Words of prose in what stands between two dollar signs: not commands, not \text{…}, no names of
// functions.
std::size_t count_words(std::string_view content) {
  static constexpr std::array<std::string_view, 24> kNames = {
      "sin", "cos", "tan", "log", "ln", "exp", "mod", "gcd", "lcm", "max",  "min", "lim",
      "and", "or",  "for", "if",  "cm", "km",  "kg",  "mm",  "ft",  "sqrt", "pi",  "frac"};
  std::size_t words = 0;
  for (std::size_t i = 0; i < content.size();) {
    if (content[i] == '\\') {
      const std::size_t from = ++i;
      while (i < content.size() && is_letter(content[i])) {
        ++i;
      }
      const std::string_view name = content.substr(from, i - from);
      if ((name.starts_with("text") || name.starts_with("math") || name == "mbox" ||
           name == "operatorname" || name == "begin" || name == "end") &&
          i < content.size() && content[i] == '{') {
        i = std::min(content.find('}', i), content.size());
      } else if (name.empty()) {
        ++i;
      }
      continue;
    }
    if (!is_letter(content[i])) {
      ++i;
      continue;
    }
    const std::size_t from = i;
    while (i < content.size() && is_letter(content[i])) {
      ++i;
    }
    const std::string_view word = content.substr(from, i - from);
    words += word.size() >= 2 && std::find(kNames.begin(), kNames.end(), word) == kNames.end();
  }
  return words;
}

// Is $…$ no mathematics but text between two dollar signs that mean money or stand for themselves?
bool is_prose(std::string_view text, const Span& span) {
  const std::string_view content = text.substr(span.from, span.to - span.from);
  const bool opens_amount = !content.empty() && is_digit(content.front());
  const bool closes_amount = span.outer_to < text.size() && is_digit(text[span.outer_to]);
  if (opens_amount && closes_amount) {
    return true;
  }
  const std::size_t words = count_words(content.substr(0, 2000));
  const bool is_sentence =
      content.find("? ") != npos || content.find(". ") != npos || content.find(", ") != npos;
  const bool has_gap = !content.empty() && (is_space(content.back()) || closes_amount);
  return words >= 3 || (words >= 2 && (is_sentence || opens_amount || closes_amount)) ||
         (words >= 1 && opens_amount && has_gap && content.find('\\') == npos);
}

}  // namespace

bool is_blank(std::string_view s) {
  return s.find_first_not_of(" \t\r\n") == npos;
}

namespace {

// What decorates an answer on either side.
bool is_decoration(char c) {
  return std::string_view("`\":*='_|>").find(c) != npos;
}

// Bytes of decoration that s begins with, or 0.
std::size_t decoration_before(std::string_view s) {
  if (is_decoration(s.front())) {
    return 1;
  }
  switch (s.front()) {
    case '\\':
      return s.starts_with("\\\"") ? 2 : 0;
    case '\xE2':
    case '\xEF':
      for (const std::string_view one : {"：", "“", "”", "‘", "’", "→"}) {
        if (s.starts_with(one)) {
          return one.size();
        }
      }
      return 0;
    default:
      return 0;
  }
}

// Bytes of decoration, or of a sentence's end, that s ends with, or 0.
std::size_t decoration_after(std::string_view s) {
  if (is_decoration(s.back()) || std::string_view(".,;").find(s.back()) != npos) {
    return 1;
  }
  if (static_cast<unsigned char>(s.back()) < 0x80) {
    return 0;
  }
  for (const std::string_view one :
       {"：", "“", "”", "‘", "’", "→", "。", "．", "です", "입니다", "이다", "।", "個", "个"}) {
    if (s.ends_with(one)) {
      return one.size();
    }
  }
  return 0;
}

}  // namespace

std::string_view strip_statement(std::string_view s) {
  for (s = trim(s); !s.empty(); s = trim(s)) {
    if (const std::size_t before = decoration_before(s); before != 0) {
      s.remove_prefix(before);
    } else if (const std::size_t after = decoration_after(s); after != 0) {
      s.remove_suffix(after);
    } else {
      break;
    }
  }
  return s;
}

namespace {

// As find, but many times faster in a text full of the word's first byte.
std::size_t find_fast(std::string_view text, std::string_view word, std::size_t from) {
  const void* found = from >= text.size() ? nullptr
                                          : ::memmem(text.data() + from, text.size() - from,
                                                     word.data(), word.size());
  return found == nullptr ? npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

bool MathSpans::next(Span& span) {
  static constexpr std::array<std::string_view, 4> kCloses = {"$", "$$", "\\)", "\\]"};
  while (at_ < to_) {
    const char c = text_[at_];
    const char d = at_ + 1 < to_ ? text_[at_ + 1] : '\0';
    std::size_t kind = 0;
    if (c == '$') {
      kind = d == '$' ? 1 : 0;
    } else if (c == '\\' && (d == '(' || d == '[')) {
      kind = d == '(' ? 2 : 3;
    } else {
      ++at_;
      continue;
    }
    const std::size_t width = kind == 0 ? 1 : 2;
    const std::size_t end = is_spent_[kind] ? npos : find_fast(text_, kCloses[kind], at_ + width);
    if (end == npos) {
      is_spent_[kind] = true;  // no such closer is left, here or further on
      at_ += width;
      continue;
    }
    span = {at_ + width, end, at_, end + width};
    if (kind == 0 && is_prose(text_, span)) {
      at_ += 1;
      continue;
    }
    at_ = end + width;
    if (is_strict_ && kind == 0 && text_.substr(span.from, end - span.from).find('\n') != npos) {
      continue;
    }
    if (!is_blank(text_.substr(span.from, span.to - span.from))) {
      return true;
    }
  }
  return false;
}

bool is_list_separator(std::string_view between) {
  if (between.size() > 24) {
    return false;
  }
  std::string_view rest = trim(between);
  if (rest.starts_with(',') || rest.starts_with(';')) {
    rest = trim(rest.substr(1));
  }
  static constexpr std::array<std::string_view, 17> kWords = {
      "",  "and", "or",  "et", "ou", "und", "oder", "y", "o",
      "e", "и",   "или", "和", "及", "或",  "、",   "と"};
  return std::find(kWords.begin(), kWords.end(), rest) != kWords.end() &&
         !(rest.empty() && trim(between).empty());
}

namespace {

// Bytes of a "½" at text[at].
std::size_t vulgar_width(std::string_view text, std::size_t at) {
  const char first = at < text.size() ? text[at] : '\0';
  const char second = at + 1 < text.size() ? text[at + 1] : '\0';
  if (!(first == '\xC2' && second >= '\xBC') && !(first == '\xE2' && second == '\x85')) {
    return 0;
  }
  for (const std::string_view one :
       {"½", "¼", "¾", "⅓", "⅔", "⅕", "⅖", "⅗", "⅘", "⅙", "⅚", "⅛", "⅜", "⅝", "⅞"}) {
    if (text.compare(at, one.size(), one) == 0) {
      return one.size();
    }
  }
  return 0;
}

// Digits of any script from `at` to below `to`; their end.
std::size_t digits_end(std::string_view text, std::size_t at, std::size_t to) {
  std::size_t width = 1;
  while (at < to && digit_value(text, at, width) >= 0) {
    at += width;
  }
  return at;
}

// Bytes of a sign that parts digits of one number at text[at], or 0.
std::size_t separator_width(std::string_view text, std::size_t at) {
  for (const std::string_view one :
       {",", ".", "\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x89", "٫", "٬"}) {
    if (text.compare(at, one.size(), one) == 0) {
      return one.size();
    }
  }
  return 0;
}

// The end of the number that begins with a digit at text[at].
std::size_t number_end(std::string_view text, std::size_t at, std::size_t to) {
  std::size_t i = digits_end(text, at, to);
  while (i < to) {
    const std::size_t width = separator_width(text, i);
    const std::size_t next = width == 0 ? i : digits_end(text, i + width, to);
    if (width == 0 || next == i + width) {
      break;
    }
    i = next;
  }
  const auto fraction_end = [&](std::size_t from) {
    std::size_t k = digits_end(text, from, to);
    if (k == from || k >= to || text[k] != '/') {
      return from;
    }
    const std::size_t end = digits_end(text, k + 1, to);
    return end == k + 1 ? from : end;
  };
  if (i < to && text[i] == '/' && digits_end(text, i + 1, to) > i + 1) {
    i = digits_end(text, i + 1, to);
  } else if (i + 2 < to && text[i] == ':' && is_digit(text[i + 1]) && is_digit(text[i + 2]) &&
             !(i + 3 < to && is_digit(text[i + 3]))) {
    i += 3;  // 12:30
  } else if (const std::size_t width = vulgar_width(text, i); width != 0) {
    i += width;
  } else if (i + 1 < to && text[i] == ' ' && fraction_end(i + 1) > i + 1) {
    i = fraction_end(i + 1);  // 1 3/4
  } else if (i + 1 < to && text[i] == ' ' && vulgar_width(text, i + 1) != 0) {
    i += 1 + vulgar_width(text, i + 1);
  }
  // 6.02 x 10^23
  std::size_t k = i;
  k += k < to && text[k] == ' ' ? 1 : 0;
  for (const std::string_view times : {"x", "×", "*", "\\times", "\\cdot"}) {
    if (text.compare(k, times.size(), times) == 0) {
      k += times.size();
      k += k < to && text[k] == ' ' ? 1 : 0;
      if (text.compare(k, 3, "10^") == 0) {
        k += 3;
        const bool braced = k < to && text[k] == '{';
        k += braced ? 1 : 0;
        k += k < to && text[k] == '-' ? 1 : 0;
        const std::size_t end = digits_end(text, k, to);
        if (end > k) {
          i = end + (braced && end < to && text[end] == '}' ? 1 : 0);
        }
      }
      break;
    }
  }
  // What the number counts in.
  std::size_t word = i;
  word += word < to && text[word] == ' ' ? 1 : 0;
  for (const std::string_view tail : {"%", "\\%", "％", "percent", "pct", "per cent", "million",
                                      "billion", "trillion", "thousand"}) {
    const std::size_t end = word + tail.size();
    if (text.compare(word, tail.size(), tail) == 0 && end <= to &&
        (!is_letter(tail.back()) || end >= text.size() || !is_letter(text[end]))) {
      return end;
    }
  }
  return i;
}

}  // namespace

bool number_in(std::string_view text, std::size_t from, std::size_t to, bool last, Span& span) {
  // The last number stands near the end, as a rule.
  if (last && to - from > kNearEnd && number_in(text, to - kNearEnd, to, true, span) &&
      span.from > to - kNearEnd / 2) {
    return true;
  }
  bool found = false;
  std::size_t i = from;
  while (i < to) {
    std::size_t width = 1;
    const bool is_point = text[i] == '.' && i + 1 < to && is_digit(text[i + 1]);
    const std::size_t vulgar =
        static_cast<unsigned char>(text[i]) >= 0x80 ? vulgar_width(text, i) : 0;
    if (!is_point && vulgar == 0 && digit_value(text, i, width) < 0) {
      i += 1;
      continue;
    }
    std::size_t start = i;
    i = vulgar != 0 ? i + vulgar : number_end(text, i + (is_point ? 1 : 0), to);
    // A minus belongs to the number unless something stands before it.
    std::size_t sign = 0;
    for (const std::string_view one : {"-", "+", "−", "–", "-$", "−$", "-\\$"}) {
      if (start >= from + one.size() && ends_with_at(text, start, one)) {
        sign = one.size();
      }
    }
    if (sign != 0) {
      const char before = start - sign > from ? text[start - sign - 1] : ' ';
      start -= is_digit(before) || before == ')' || before == '}' ? 0 : sign;
    }
    span = {start, i, start, i};
    found = true;
    if (!last) {
      return true;
    }
  }
  return found;
}

bool bare_latex(std::string_view text, std::size_t from, std::size_t to, Span& span) {
  static constexpr std::array<std::string_view, 6> kStarts = {"\\frac", "\\dfrac", "\\tfrac",
                                                              "\\sqrt", "\\binom", "\\pi"};
  std::size_t start = text.find('\\', from);
  const auto is_start = [&](std::string_view command) {
    return text.compare(start, command.size(), command) == 0;
  };
  while (start < to && std::none_of(kStarts.begin(), kStarts.end(), is_start)) {
    start = text.find('\\', start + 1);
  }
  if (start >= to) {
    return false;
  }
  static constexpr std::string_view kMath = "0123456789+-*/^_().,= ";
  std::size_t left = start;
  while (left > from && kMath.find(text[left - 1]) != npos) {
    --left;
  }
  std::size_t right = start;
  std::size_t depth = 0;
  while (right < to) {
    const char c = text[right];
    if (c == '\\') {
      ++right;
      while (right < to && std::isalpha(static_cast<unsigned char>(text[right])) != 0) {
        ++right;
      }
      continue;
    }
    if (c == '{') {
      ++depth;
    } else if (c == '}') {
      if (depth == 0) {
        break;
      }
      --depth;
    } else if (depth == 0 && kMath.find(c) == npos) {
      break;
    }
    ++right;
  }
  static constexpr std::string_view kLoose = "+*/^_.,= ";
  while (left < start && kLoose.find(text[left]) != npos) {
    ++left;
  }
  while (right > start && (kLoose.find(text[right - 1]) != npos || text[right - 1] == '-')) {
    --right;
  }
  const std::string_view run = text.substr(left, right - left);
  const auto n_open = std::count(run.begin(), run.end(), '(');
  const auto n_close = std::count(run.begin(), run.end(), ')');
  if (n_open > n_close && run.front() == '(') {
    ++left;
  } else if (n_close > n_open && run.back() == ')') {
    --right;
  }
  span = {left, right, left, right};
  return right > left;
}

bool stands_alone(std::string_view text, const Span& span) {
  static constexpr std::string_view kOperators = "+*/^_{}|\\";
  std::size_t i = span.from;
  while (i > 0 && is_space(text[i - 1])) {
    --i;
  }
  if (i > 0 && kOperators.find(text[i - 1]) != npos && !ends_with_at(text, i, "**")) {
    return false;
  }
  std::size_t word = i;
  while (word > 0 && std::isalpha(static_cast<unsigned char>(text[word - 1])) != 0) {
    --word;
  }
  if (word > 0 && text[word - 1] == '\\') {
    return false;
  }
  std::size_t j = span.to;
  while (j < text.size() && is_space(text[j])) {
    ++j;
  }
  return j >= text.size() || kOperators.find(text[j]) == npos || text.substr(j, 2) == "**";
}

}  // namespace r1eval
