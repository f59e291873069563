#include "graders/extract/math_answer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "graders/bounds.h"

namespace r1eval {
namespace {

constexpr std::size_t npos = std::string_view::npos;

struct Span {
  std::size_t from = 0;  // of the content
  std::size_t to = 0;
  std::size_t outer_from = 0;
  std::size_t outer_to = 0;
};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_blank(std::string_view s) {
  return s.find_first_not_of(" \t\r\n") == npos;
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && is_space(s.front()))
    s.remove_prefix(1);
  while (!s.empty() && is_space(s.back()))
    s.remove_suffix(1);
  return s;
}

std::vector<Span> find_boxes(std::string_view text) {
  std::vector<Span> boxes;
  std::size_t i = 0;
  while (true) {
    // boxed, fbox, framebox; also with the backslash (or "\b") lost.
    const std::size_t a = text.find("oxed", i);
    const std::size_t b = text.find("box", i);
    std::size_t at = npos;
    std::size_t after = 0;
    if (a != npos && (b == npos || a <= b + 1)) {
      at = a;
      after = a + 4;
    } else if (b != npos) {
      at = b;
      after = b + 3;
      const bool is_fbox = (b >= 2 && text.substr(b - 2, 2) == "\\f") ||
                           (b >= 6 && text.substr(b - 6, 6) == "\\frame");
      if (!is_fbox) {
        i = b + 1;
        continue;
      }
    }
    if (at == npos) {
      break;
    }
    std::size_t j = after;
    while (j < text.size() && text[j] == ' ') {
      ++j;
    }
    Span span;
    span.outer_from = at >= 2 && text[at - 1] == 'b' ? at - 2 : at;
    if (j < text.size() && text[j] == '{') {
      int depth = 0;
      std::size_t k = j;
      for (; k < text.size(); ++k) {
        if (text[k] == '\\') {
          ++k;
        } else if (text[k] == '{') {
          ++depth;
        } else if (text[k] == '}' && --depth == 0) {
          break;
        }
      }
      span.from = j + 1;
      if (k >= text.size()) {
        const std::size_t line = text.find('\n', j);
        span.to = std::min(line, text.size());
        span.outer_to = span.to;
        i = after;
      } else {
        span.to = k;
        span.outer_to = k + 1;
        i = k + 1;
      }
    } else if (j > after && j < text.size() &&
               (is_digit(text[j]) || text[j] == '-' || text[j] == '\\')) {
      std::size_t k = j;
      while (k < text.size() && !is_space(text[k]) && text[k] != '$') {
        ++k;
      }
      span.from = j;
      span.to = k;
      span.outer_to = k;
      i = k;
    } else {
      i = after;
      continue;
    }
    if (!is_blank(text.substr(span.from, span.to - span.from))) {
      if (static_cast<std::int64_t>(boxes.size()) >= bounds::kMaxBoxes) {
        boxes.erase(boxes.begin(), boxes.begin() + static_cast<std::ptrdiff_t>(boxes.size() / 2));
      }
      boxes.push_back(span);
    }
  }
  return boxes;
}

// Do two boxes belong to one list: nothing but a separator between them?
bool joins(std::string_view between) {
  std::string rest;
  bool has_separator = false;
  for (std::size_t i = 0; i < between.size(); ++i) {
    const char c = between[i];
    if (c == ',' || c == ';') {
      has_separator = true;
    } else if (!is_space(c) && c != '$' && c != '\\' && c != '{' && c != '}' && c != '(' &&
               c != ')' && c != '[' && c != ']') {
      rest += c;
    }
  }
  const bool has_word = between.find(" and ") != npos || between.find("{ and }") != npos ||
                        between.find("{and}") != npos || between.find(" or ") != npos;
  if (rest.empty()) {
    return between.size() <= 10 && (has_separator || between.empty());
  }
  if (rest == "quad" || rest == "and" || rest == "textand" || rest == "quadtextandquad" ||
      rest == "or" || rest == "textor" || rest == "quadtextorquad") {
    return true;
  }
  return has_word && between.size() <= 70 && between.find('\n') == npos;
}

std::string_view strip_statement(std::string_view s) {
  while (true) {
    s = trim(s);
    const std::size_t before = s.size();
    for (const std::string_view deco :
         {"**", "__", "`", "\"", ":", "：", "*", "=", "'", "“", "”", "\\\""}) {
      if (s.starts_with(deco) && !(deco == "*" && s.starts_with("**"))) {
        s.remove_prefix(deco.size());
      }
      if (s.ends_with(deco)) {
        s.remove_suffix(deco.size());
      }
    }
    while (!s.empty() && (s.back() == '.' || s.back() == ',' || s.back() == ';')) {
      s.remove_suffix(1);
    }
    for (const std::string_view tail : {"。", "．", "です"}) {
      if (s.ends_with(tail)) {
        s.remove_suffix(tail.size());
      }
    }
    if (s.size() == before) {
      return s;
    }
  }
}

// What follows the last "is" or "are" of a line.
std::string_view after_verb(std::string_view line) {
  std::size_t best = npos;
  for (const std::string_view verb : {" is ", " are ", " equals "}) {
    const std::size_t at = line.rfind(verb);
    if (at != npos && (best == npos || at + verb.size() > best)) {
      best = at + verb.size();
    }
  }
  return best == npos ? std::string_view() : strip_statement(line.substr(best));
}

// The first $…$, \(…\), \[…\] span at or after `from`, within `to`.
bool first_math(std::string_view text, std::size_t from, std::size_t to, Span& span) {
  for (std::size_t i = from; i < to; ++i) {
    std::string_view close;
    std::size_t open = 0;
    if (text[i] == '$') {
      const bool two = i + 1 < to && text[i + 1] == '$';
      close = two ? "$$" : "$";
      open = two ? 2 : 1;
    } else if (text[i] == '\\' && i + 1 < to && (text[i + 1] == '(' || text[i + 1] == '[')) {
      close = text[i + 1] == '(' ? "\\)" : "\\]";
      open = 2;
    } else {
      continue;
    }
    const std::size_t end = text.find(close, i + open);
    if (end == npos || end > text.size()) {
      continue;
    }
    span = {i + open, end, i, end + close.size()};
    return !is_blank(text.substr(span.from, span.to - span.from));
  }
  return false;
}

// The first or last number in text[from, to), with sign, separators, percent.
bool number_in(std::string_view text, std::size_t from, std::size_t to, bool last, Span& span) {
  bool found = false;
  std::size_t i = from;
  while (i < to) {
    if (!is_digit(text[i]) && !(text[i] == '.' && i + 1 < to && is_digit(text[i + 1]))) {
      ++i;
      continue;
    }
    std::size_t start = i;
    while (i < to && (is_digit(text[i]) || ((text[i] == ',' || text[i] == '.') && i + 1 < to &&
                                            is_digit(text[i + 1])))) {
      ++i;
    }
    if (i < to && text[i] == '/' && i + 1 < to && is_digit(text[i + 1])) {
      ++i;
      while (i < to && is_digit(text[i])) {
        ++i;
      }
    }
    if (i < to && text[i] == '%') {
      ++i;
    } else if (i + 1 < to && text[i] == '\\' && text[i + 1] == '%') {
      i += 2;
    }
    if (start > from && (text[start - 1] == '-' || text[start - 1] == '+')) {
      const bool binary = start >= 2 && (is_digit(text[start - 2]) || text[start - 2] == ')');
      start -= binary ? 0 : 1;
    } else if (start >= from + 3 && text.substr(start - 3, 3) == "−") {
      start -= 3;
    }
    span = {start, i, start, i};
    found = true;
    if (!last) {
      return true;
    }
  }
  return found;
}

constexpr std::array<std::string_view, 40> kAnchors = {"final answer is",
                                                       "final answer",
                                                       "answer is",
                                                       "answer:",
                                                       "answer：",
                                                       "answer =",
                                                       "answer",
                                                       "####",
                                                       "答案是",
                                                       "答案为",
                                                       "答案：",
                                                       "答案:",
                                                       "答案",
                                                       "回答",
                                                       "答えは",
                                                       "答え",
                                                       "정답은",
                                                       "정답",
                                                       "답은",
                                                       "réponse est",
                                                       "réponse",
                                                       "respuesta es",
                                                       "respuesta",
                                                       "antwort ist",
                                                       "antwort",
                                                       "risposta",
                                                       "resposta",
                                                       "odpowiedź",
                                                       "ответ",
                                                       "الإجابة",
                                                       "उत्तर",
                                                       "উত্তর",
                                                       "คำตอบ",
                                                       "jawaban",
                                                       "đáp án",
                                                       "cevap",
                                                       "jibu",
                                                       "תשובה",
                                                       "the result is",
                                                       "result:"};

}  // namespace

FoundAnswer find_math_answer(std::string_view text,
                             const std::function<int(std::string_view)>& read_level) {
  FoundAnswer answer;
  const auto take = [&](std::size_t from, std::size_t to, std::string_view rule) {
    answer.found = true;
    answer.text = std::string(text.substr(from, to - from));
    answer.from = static_cast<std::int64_t>(from);
    answer.to = static_cast<std::int64_t>(to);
    answer.rule = rule;
    return answer;
  };

  const std::vector<Span> boxes = find_boxes(text);
  if (!boxes.empty()) {
    std::size_t first = boxes.size() - 1;
    std::vector<std::string_view> members = {
        trim(text.substr(boxes[first].from, boxes[first].to - boxes[first].from))};
    while (first > 0 && members.size() < 64) {
      const Span& left = boxes[first - 1];
      const std::string_view between =
          text.substr(left.outer_to,
                      boxes[first].outer_from - std::min(left.outer_to, boxes[first].outer_from));
      if (!joins(between)) {
        break;
      }
      --first;
      const std::string_view content = trim(text.substr(left.from, left.to - left.from));
      if (std::find(members.begin(), members.end(), content) == members.end()) {
        members.push_back(content);
      }
    }
    take(boxes[first].from, boxes.back().to, "boxed");
    if (members.size() == 1) {
      answer.text = std::string(members[0]);
      answer.from = static_cast<std::int64_t>(boxes.back().from);
    } else {
      answer.text.clear();
      for (auto it = members.rbegin(); it != members.rend(); ++it) {
        answer.text += (answer.text.empty() ? "" : ", ") + std::string(*it);
      }
    }
    return answer;
  }

  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(),
                 [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
  std::size_t best = npos;
  std::size_t best_after = 0;
  for (const std::string_view anchor : kAnchors) {
    const std::size_t at = low.rfind(anchor);
    if (at != npos && (best == npos || at + anchor.size() > best_after)) {
      best = at;
      best_after = at + anchor.size();
    }
  }
  if (best != npos) {
    std::size_t from = best_after;
    while (from < text.size() && (is_space(text[from]) || text[from] == '*' || text[from] == ':' ||
                                  text[from] == '=' || text[from] == '#')) {
      ++from;
    }
    std::size_t to = std::min(text.find('\n', from), text.size());
    const std::size_t hope = low.find(". i hope", from);
    if (hope != npos && hope < to) {
      to = hope;
    }
    const std::string_view line = strip_statement(text.substr(from, to - from));
    const auto offset = [&](std::string_view part) {
      return static_cast<std::size_t>(part.data() - text.data());
    };
    if (const std::string_view tail = after_verb(line); !tail.empty() && read_level(tail) == 2) {
      return take(offset(tail), offset(tail) + tail.size(), "statement");
    }
    if (!line.empty() && (read_level(line) >= 1)) {
      return take(offset(line), offset(line) + line.size(), "statement");
    }
    // The first sentence of the line.
    for (std::size_t k = 0; k + 1 < line.size(); ++k) {
      if (line[k] == '.' && is_space(line[k + 1])) {
        const std::string_view sentence = strip_statement(line.substr(0, k));
        if (!sentence.empty() && (read_level(sentence) >= 1)) {
          return take(offset(sentence), offset(sentence) + sentence.size(), "statement");
        }
        break;
      }
    }
    Span span;
    if (first_math(text, from, to, span)) {
      const std::string_view inner = text.substr(span.from, span.to - span.from);
      if ((read_level(inner) >= 1)) {
        return take(span.from, span.to, "statement");
      }
    } else if (number_in(text, from, to, false, span)) {
      return take(span.from, span.to, "statement");
    }
  }

  // The last delimited mathematics.
  Span last;
  bool any = false;
  std::size_t i = 0;
  Span span;
  while (i < text.size() && first_math(text, i, text.size(), span)) {
    last = span;
    any = true;
    i = span.outer_to;
  }
  if (any && (read_level(text.substr(last.from, last.to - last.from)) >= 1)) {
    return take(last.from, last.to, "math");
  }
  std::size_t end = text.size();
  while (end > 0 && is_space(text[end - 1])) {
    --end;
  }
  const std::size_t line_start = end == 0 ? 0 : text.rfind('\n', end - 1) + 1;
  const std::string_view line = strip_statement(text.substr(line_start, end - line_start));
  if (const std::string_view tail = after_verb(line); !tail.empty() && read_level(tail) == 2) {
    const auto from = static_cast<std::size_t>(tail.data() - text.data());
    return take(from, from + tail.size(), "line");
  }
  if (!line.empty() && line.size() < 400 && read_level(line) == 2) {
    const auto from = static_cast<std::size_t>(line.data() - text.data());
    return take(from, from + line.size(), "line");
  }
  if (!any && number_in(text, 0, text.size(), true, span)) {
    return take(span.from, span.to, "number");
  }
  return answer;
}

}  // namespace r1eval
