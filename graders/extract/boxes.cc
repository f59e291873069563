#include "graders/extract/boxes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "graders/bounds.h"

namespace r1eval {
namespace {

constexpr std::size_t npos = std::string_view::npos;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool ends_with_at(std::string_view text, std::size_t end, std::string_view word) {
  return end >= word.size() && text.substr(end - word.size(), word.size()) == word;
}

}  // namespace

std::vector<Span> find_boxes(std::string_view text) {
  struct Open {
    std::size_t from;
    std::size_t outer_from;
    std::int64_t depth;
  };

  std::vector<Span> boxes;
  std::vector<Open> open;
  std::int64_t depth = 0;
  const auto keep = [&](const Span& span) {
    if (is_blank(text.substr(span.from, span.to - span.from))) {
      return;
    }
    while (!boxes.empty() && boxes.back().outer_from >= span.outer_from) {
      boxes.pop_back();  // inside this one
    }
    if (static_cast<std::int64_t>(boxes.size()) >= bounds::kMaxBoxes) {
      boxes.erase(boxes.begin(), boxes.begin() + static_cast<std::ptrdiff_t>(boxes.size() / 2));
    }
    boxes.push_back(span);
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (open.empty()) {
      // Outside every box only the next "ox" matters; memmem finds it many times faster.
      const void* found = ::memmem(text.data() + i, text.size() - i, "ox", 2);
      if (found == nullptr) {
        break;
      }
      i = static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
      i += text.compare(i, 4, "oxed") == 0 ? 3 : 1;
      depth = 0;
    }
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size() && (text[i + 1] == '{' || text[i + 1] == '}')) {
      ++i;
      continue;
    }
    if (c == '}') {
      if (!open.empty() && open.back().depth == depth) {
        keep({open.back().from, i, open.back().outer_from, i + 1});
        open.pop_back();
      }
      depth -= depth > 0 ? 1 : 0;
      continue;
    }
    if (c == '{') {
      ++depth;
      continue;
    }
    const bool is_boxed = c == 'd' && ends_with_at(text, i + 1, "oxed");
    const bool is_box = c == 'x' && (ends_with_at(text, i + 1, "\\fbox") ||
                                     ends_with_at(text, i + 1, "\\framebox"));
    if (!is_boxed && !is_box) {
      continue;
    }
    std::size_t outer_from = i + 1 - (is_boxed ? 4 : 3);
    while (outer_from > 0 && (text[outer_from - 1] == 'b' || text[outer_from - 1] == '\\')) {
      --outer_from;
      if (text[outer_from] == '\\') {
        break;
      }
    }
    std::size_t j = i + 1;
    while (j < text.size() && text[j] == ' ') {
      ++j;
    }
    if (j < text.size() && text[j] == '{') {
      ++depth;
      open.push_back({j + 1, outer_from, depth});
      if (static_cast<std::int64_t>(open.size()) > bounds::kMaxBoxes) {
        open.erase(open.begin(), open.begin() + static_cast<std::ptrdiff_t>(open.size() / 2));
      }
      i = j;
    } else if (j > i + 1 && j < text.size() && open.empty() &&
               (is_digit(text[j]) || text[j] == '-' || text[j] == '\\')) {
      std::size_t k = j;
      while (k < text.size() && !is_space(text[k]) && text[k] != '$') {
        ++k;
      }
      keep({j, k, outer_from, k});
      i = k - 1;
    }
  }
  // A box that nothing closed counts when it is the last.
  if (!open.empty() && (boxes.empty() || boxes.back().outer_from < open.front().outer_from)) {
    const Open& last = open.back();
    const std::size_t line = std::min(text.find('\n', last.from), text.size());
    keep({last.from, line, last.outer_from, line});
  }
  return boxes;
}

std::string_view inside_boxes(std::string_view content) {
  static constexpr std::string_view kOpen = "\\boxed{";
  std::size_t n = 0;
  while (content.substr(n * kOpen.size()).starts_with(kOpen)) {
    ++n;
  }
  std::size_t closed = 0;
  while (closed < n && closed < content.size() && content[content.size() - 1 - closed] == '}') {
    ++closed;
  }
  const std::size_t from = closed * kOpen.size();
  if (closed == 0 || from + closed > content.size()) {
    return content;
  }
  const std::string_view inner = content.substr(from, content.size() - from - closed);
  std::int64_t depth = 0;
  for (const char c : inner) {
    depth += c == '{' ? 1 : c == '}' ? -1 : 0;
    if (depth < 0) {
      return content;  // two boxes side by side
    }
  }
  return depth == 0 ? inner : content;
}

bool boxes_join(std::string_view between) {
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
                        between.find("{and}") != npos || between.find(" or ") != npos ||
                        is_list_separator(between);
  if (rest.empty()) {
    return between.size() <= 10 && (has_separator || between.empty());
  }
  if (rest == "quad" || rest == "and" || rest == "textand" || rest == "quadtextandquad" ||
      rest == "or" || rest == "textor" || rest == "quadtextorquad") {
    return true;
  }
  // "++++++": a line of one sign
  const bool is_rule = rest.size() >= 2 && rest.find_first_not_of(rest[0]) == npos &&
                       std::string_view("+-*=#|~_").find(rest[0]) != npos;
  if (is_rule) {
    return between.size() <= 70;
  }
  return has_word && between.size() <= 70 && between.find('\n') == npos;
}

}  // namespace r1eval
