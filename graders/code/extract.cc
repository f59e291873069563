#include "graders/code/extract.h"

#include <array>
#include <utility>
#include <vector>

#include "graders/code/text.h"

namespace r1eval {
namespace {

constexpr std::string_view kFence = "```";

constexpr std::array<std::pair<std::string_view, CodeStyle>, 4> kStyles = {{
    {"lcb", CodeStyle::kLcb},
    {"last_python_block", CodeStyle::kLastPythonBlock},
    {"answer_tag", CodeStyle::kAnswerTag},
    {"base", CodeStyle::kBase},
}};

ExtractedCode piece(std::string_view text, std::size_t from, std::size_t to) {
  ExtractedCode found;
  found.code = std::string(text.substr(from, to - from));
  found.from = static_cast<std::int64_t>(from);
  found.to = static_cast<std::int64_t>(to);
  return found;
}

std::size_t offset_in(std::string_view text, std::string_view part) {
  return static_cast<std::size_t>(part.data() - text.data());
}

// The lines strictly between two lines; nothing when they are neighbours.
ExtractedCode between(std::string_view text, std::string_view open, std::string_view close) {
  const std::size_t from = offset_in(text, open) + open.size() + 1;
  const std::size_t to = offset_in(text, close);
  return to > from ? piece(text, from, to - 1) : ExtractedCode();
}

ExtractedCode between_last_fences(std::string_view text) {
  std::string_view last;
  std::string_view before_last;
  int n = 0;
  for (const std::string_view line : split_lines(text)) {
    if (line.find(kFence) != std::string_view::npos) {
      before_last = last;
      last = line;
      ++n;
    }
  }
  return n < 2 ? ExtractedCode() : between(text, before_last, last);
}

// A fence line's run of backticks (at least three) and what follows it; 0 when it is none.
std::size_t fence_of(std::string_view line, std::string_view& info) {
  const std::string_view stripped = python_strip(line);
  std::size_t n = 0;
  while (n < stripped.size() && stripped[n] == '`') {
    ++n;
  }
  info = python_strip(stripped.substr(n));
  return n < 3 || info.find('`') != std::string_view::npos ? 0 : n;
}

bool is_python(std::string_view info) {
  std::string word;
  for (const char c : info.substr(0, info.find_first_of(" \t{:,"))) {
    word += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return word == "python" || word == "py" || word == "python3" || word == "py3" ||
         word == "pypy3" || word == "pypy";
}

ExtractedCode last_python_block(std::string_view text) {
  ExtractedCode python;
  ExtractedCode unnamed;
  std::string_view open;
  std::string_view open_info;
  std::size_t open_fence = 0;
  const auto keep = [&](ExtractedCode block) {
    if (python_strip(block.code).empty()) {
      return;
    }
    if (is_python(open_info)) {
      python = std::move(block);
    } else if (open_info.empty()) {
      unnamed = std::move(block);
    }
  };
  for (const std::string_view line : split_lines(text)) {
    std::string_view info;
    const std::size_t fence = fence_of(line, info);
    if (open_fence == 0) {
      if (fence > 0) {
        open = line;
        open_info = info;
        open_fence = fence;
      }
    } else if (fence >= open_fence && info.empty()) {
      keep(between(text, open, line));
      open_fence = 0;
    } else if (fence >= open_fence && is_python(info)) {
      // A block that nobody closed before the next one began.
      keep(between(text, open, line));
      open = line;
      open_info = info;
      open_fence = fence;
    }
  }
  if (open_fence > 0) {
    const std::size_t from = offset_in(text, open) + open.size() + 1;
    if (from < text.size()) {
      keep(piece(text, from, text.size()));
    }
  }
  return python.from >= 0 ? python : unnamed;
}

ExtractedCode stripped(std::string_view whole, std::string_view part) {
  const std::string_view code = python_strip(part);
  return code.empty() ? ExtractedCode()
                      : piece(whole, offset_in(whole, code), offset_in(whole, code) + code.size());
}

ExtractedCode in_answer_tag(std::string_view text) {
  constexpr std::string_view kOpen = "<answer>";
  constexpr std::string_view kClose = "</answer>";
  const std::size_t open = text.rfind(kOpen);
  if (open == std::string_view::npos) {
    return {};
  }
  const std::size_t from = open + kOpen.size();
  const std::size_t close = text.find(kClose, from);
  const std::string_view inside =
      text.substr(from, close == std::string_view::npos ? std::string_view::npos : close - from);
  ExtractedCode block = last_python_block(inside);
  if (block.from < 0) {
    return stripped(text, inside);
  }
  block.from += static_cast<std::int64_t>(from);
  block.to += static_cast<std::int64_t>(from);
  return block;
}

}  // namespace

std::optional<CodeStyle> code_style_from_name(std::string_view name) {
  for (const auto& [known, style] : kStyles) {
    if (known == name) {
      return style;
    }
  }
  return std::nullopt;
}

std::string_view code_style_name(CodeStyle style) {
  for (const auto& [name, known] : kStyles) {
    if (known == style) {
      return name;
    }
  }
  return "";
}

ExtractedCode extract_code(std::string_view text, CodeStyle style) {
  switch (style) {
    case CodeStyle::kLcb:
      return between_last_fences(text);
    case CodeStyle::kLastPythonBlock:
      return last_python_block(text);
    case CodeStyle::kAnswerTag:
      return in_answer_tag(text);
    case CodeStyle::kBase:
      return stripped(text, text);
  }
  return {};
}

}  // namespace r1eval
