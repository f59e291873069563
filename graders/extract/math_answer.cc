#include "graders/extract/math_answer.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "graders/extract/boxes.h"
#include "graders/extract/conclusion.h"
#include "graders/extract/spans.h"
#include "graders/extract/statement.h"
#include "graders/math/characters.h"
#include "graders/math/number_words.h"

namespace r1eval {
namespace {

constexpr std::size_t npos = std::string_view::npos;

// The last delimited mathematics; neighbours that "and" or a comma joins to it are one list.
struct LastMath {
  bool any = false;
  Span last;
  Span list;  // from the first member's opening to the last one's closing
  std::size_t members = 0;
};

LastMath last_math(std::string_view text, bool is_strict) {
  LastMath found;
  Span span;
  MathSpans spans(text, 0, text.size(), is_strict);
  while (spans.next(span)) {
    const bool joins =
        found.any &&
        is_list_separator(text.substr(found.last.outer_to, span.outer_from - found.last.outer_to));
    found.list.outer_from = joins ? found.list.outer_from : span.outer_from;
    found.members = joins ? found.members + 1 : 1;
    found.list.outer_to = span.outer_to;
    found.last = span;
    found.any = true;
  }
  return found;
}

// "x=3" or "3": what a list of answers is made of, as against "A" and "B" that are talked about.
bool is_value_like(std::string_view text) {
  return text.find_first_of("0123456789") != npos;
}

}  // namespace

FoundAnswer find_math_answer(std::string_view text,
                             const std::function<int(std::string_view)>& read_level,
                             const AnswerRules& rules) {
  FoundAnswer answer;
  const auto take = [&](std::size_t from, std::size_t to, std::string_view rule) {
    answer.found = true;
    answer.text = std::string(text.substr(from, to - from));
    answer.from = static_cast<std::int64_t>(from);
    answer.to = static_cast<std::int64_t>(to);
    answer.rule = rule;
    return answer;
  };

  StatementRules statements;
  statements.delimited_only = rules.delimited_only;
  statements.reads_number_words = rules.reads_number_words;
  if (rules.statement_first) {
    StatementRules only_final = statements;
    only_final.final_only = true;
    if (const auto stated = find_statement(text, read_level, only_final)) {
      const Span& value = stated->value;
      if (text.substr(value.from, value.to - value.from).find("oxed") == npos) {
        return take(value.from, value.to, "statement");
      }
    }
  }
  const std::vector<Span> boxes = find_boxes(text);
  if (!boxes.empty()) {
    std::size_t first = boxes.size() - 1;
    std::vector<std::string_view> members = {
        trim(text.substr(boxes[first].from, boxes[first].to - boxes[first].from))};
    while (first > 0 && members.size() < 64 && !rules.last_box_only) {
      const Span& left = boxes[first - 1];
      const std::string_view between =
          text.substr(left.outer_to,
                      boxes[first].outer_from - std::min(left.outer_to, boxes[first].outer_from));
      if (!boxes_join(between)) {
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
      answer.text = std::string(inside_boxes(members[0]));
      // \boxed{50}\%
      const std::string_view rest = trim(text.substr(boxes.back().outer_to));
      if (rest.starts_with("\\%") || rest.starts_with('%')) {
        answer.text += "\\%";
      }
      answer.from = static_cast<std::int64_t>(boxes.back().from);
    } else {
      answer.text.clear();
      for (auto it = members.rbegin(); it != members.rend(); ++it) {
        answer.text += (answer.text.empty() ? "" : ", ") + std::string(*it);
      }
    }
    return answer;
  }

  // A statement, or the conclusion of the text where that stands further right.
  Span concluded;
  const bool has_conclusion = !rules.delimited_only && find_conclusion(text, read_level, concluded);
  if (const auto stated = find_statement(text, read_level, statements)) {
    if (!has_conclusion || !stated->is_earlier || concluded.from < stated->anchor) {
      return take(stated->value.from, stated->value.to, "statement");
    }
  }
  if (has_conclusion) {
    return take(concluded.from, concluded.to, "conclusion");
  }

  // The last delimited mathematics.
  const LastMath math = last_math(text, rules.delimited_only);
  if (math.any) {
    const std::string_view all =
        text.substr(math.list.outer_from, math.list.outer_to - math.list.outer_from);
    const std::string_view last = text.substr(math.last.from, math.last.to - math.last.from);
    if (math.members > 1 && math.members <= 16 && is_value_like(last) && read_level(all) == 2) {
      return take(math.list.outer_from, math.list.outer_to, "math");
    }
    if (read_level(last) >= 1) {
      return take(math.last.from, math.last.to, "math");
    }
  }
  if (rules.delimited_only) {
    return answer;
  }
  std::size_t end = text.size();
  while (end > 0 && is_space(text[end - 1])) {
    --end;
  }
  const std::size_t line_start = end == 0 ? 0 : text.rfind('\n', end - 1) + 1;
  const std::string_view line = strip_statement(text.substr(line_start, end - line_start));
  const auto take_part = [&](std::string_view part) {
    const auto from = static_cast<std::size_t>(part.data() - text.data());
    return take(from, from + part.size(), "line");
  };
  if (const std::string_view tail = after_verb(line); !tail.empty() && read_level(tail) == 2) {
    return take_part(tail);
  }
  if (!line.empty() && line.size() < 400) {
    const int level = read_level(line);
    const bool is_short = line_start == 0 && line.size() < 60 && !line.starts_with("I ") &&
                          std::count(line.begin(), line.end(), ' ') < 3;
    if (level == 2 || (level == 1 && is_short)) {
      return take_part(line);
    }
  }
  // "x = 3 (since x > 0)"
  if (const std::size_t note = line.ends_with(')') ? line.rfind(" (") : npos;
      note != npos && note > 0) {
    if (const std::string_view part = strip_statement(line.substr(0, note));
        !part.empty() && part.size() < 400 && read_level(part) == 2) {
      return take_part(part);
    }
  }
  Span span;
  if (!math.any && bare_latex(text, line_start, end, span) &&
      read_level(text.substr(span.from, span.to - span.from)) == 2 &&
      text.find_first_of("0123456789", span.to) == npos) {
    return take(span.from, span.to, "line");
  }
  if (!math.any && number_in(text, 0, text.size(), true, span) && stands_alone(text, span)) {
    return take(span.from, span.to, "number");
  }
  // "The day is Thursday."
  if (const std::string_view tail = after_verb(line);
      !math.any && !tail.empty() && tail.size() < 60 &&
      std::count(tail.begin(), tail.end(), ' ') < 3 && read_level(tail) == 1) {
    return take_part(tail);
  }
  if (rules.reads_number_words) {
    const std::string low =
        lower_case(text.substr(text.size() - std::min<std::size_t>(text.size(), 4096)));
    if (const auto words = last_number_words(low)) {
      const std::size_t shift = text.size() - low.size();
      return take(shift + words->from, shift + words->to, "number");
    }
  }
  return answer;
}

}  // namespace r1eval
