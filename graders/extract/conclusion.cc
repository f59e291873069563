#include "graders/extract/conclusion.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "graders/extract/statement.h"

namespace r1eval {
namespace {

constexpr std::size_t npos = std::string_view::npos;
constexpr int kMaxSentencesBack = 6;

bool is_word_char(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

// Is there nothing in this sentence that could be an answer?
bool is_filler(std::string_view s) {
  return s.find_first_of("0123456789$=") == npos && s.find("\\(") == npos &&
         s.find("\\)") == npos && s.find("\\]") == npos && s.find("\\[") == npos;
}

// "$8$, attained when $x = 2$": the value that a clause about it follows, or nothing.
std::string_view value_before_clause(std::string_view tail) {
  static constexpr std::array<std::array<std::string_view, 2>, 2> kPairs = {
      {{"$", "$"}, {"\\(", "\\)"}}};
  static constexpr std::array<std::string_view, 15> kClauses = {
      "when", "where", "which", "since",    "because", "as",        "for",     "if",
      "at",   "while", "being", "attained", "reached", "occurring", "achieved"};
  for (const auto& [open, close] : kPairs) {
    const std::size_t end = tail.starts_with(open) ? tail.find(close, open.size()) : npos;
    if (end == npos || end == open.size()) {
      continue;
    }
    std::string_view rest = trim(tail.substr(end + close.size()));
    if (rest.starts_with(',')) {
      rest = trim(rest.substr(1));
    }
    std::size_t word = 0;
    while (word < rest.size() && is_word_char(rest[word])) {
      ++word;
    }
    if (std::find(kClauses.begin(), kClauses.end(), rest.substr(0, word)) != kClauses.end()) {
      return tail.substr(open.size(), end - open.size());
    }
  }
  return {};
}

// "x = -2 or x = 3" at a sentence's end: several equations with one name each.
std::string_view equations_in(std::string_view sentence) {
  const std::size_t first = sentence.find(" = ");
  if (first == npos || first == 0 || (first > 1 && sentence[first - 2] != ' ')) {
    return {};
  }
  const std::string_view all = sentence.substr(first - 1);
  std::size_t parts = 0;
  for (std::string_view rest = all; !rest.empty(); ++parts) {
    std::size_t end = rest.size();
    std::size_t next = rest.size();
    for (const std::string_view separator : {", and ", ", or ", " and ", " or ", ", "}) {
      const std::size_t at = rest.find(separator);
      if (at < end) {
        end = at;
        next = at + separator.size();
      }
    }
    const std::string_view part = rest.substr(0, end);
    if (part.size() < 5 || !is_word_char(part[0]) || part.substr(1, 3) != " = " ||
        part.find('=', 4) != npos || part.find(' ', 4) != npos) {
      return {};
    }
    rest.remove_prefix(next);
  }
  return parts >= 2 ? all : std::string_view();
}

}  // namespace

bool find_conclusion(std::string_view text, const std::function<int(std::string_view)>& read_level,
                     Span& span) {
  std::size_t end = text.size();
  while (end > 0 && is_space(text[end - 1])) {
    --end;
  }
  std::string_view sentence;
  for (int back = 0; back < kMaxSentencesBack && end > 0; ++back) {
    std::size_t from = end;
    while (from > 0 && text[from - 1] != '\n' &&
           !(from < end && is_space(text[from]) &&
             (text[from - 1] == '.' || text[from - 1] == '!' || text[from - 1] == '?'))) {
      --from;
      if (end - from > 1000) {
        return false;
      }
    }
    sentence = strip_statement(text.substr(from, end - from));
    if (!sentence.empty() && !is_filler(sentence)) {
      break;
    }
    back -= sentence.empty() ? 1 : 0;
    sentence = {};
    end = from > 0 && text[from - 1] == '\n' ? from - 1 : from;
  }
  std::string_view tail = after_verb(sentence);
  std::string_view before_clause;
  for (const std::string_view verb : {" is ", " are ", " equals "}) {
    for (std::size_t at = sentence.find(verb); at != npos; at = sentence.find(verb, at + 1)) {
      const std::string_view value = value_before_clause(trim(sentence.substr(at + verb.size())));
      if (!value.empty() && value.data() > before_clause.data()) {
        before_clause = value;
      }
    }
  }
  if (const std::size_t equals = sentence.rfind("= ");
      equals != npos && (tail.empty() || sentence.data() + equals > tail.data())) {
    tail = strip_statement(sentence.substr(equals + 2));
  }
  const auto take = [&](std::string_view part) {
    const auto at = static_cast<std::size_t>(part.data() - text.data());
    span = {at, at + part.size(), at, at + part.size()};
    return true;
  };
  if (!before_clause.empty() && read_level(before_clause) == 2) {
    return take(before_clause);
  }
  if (const std::string_view list = equations_in(sentence);
      !list.empty() && read_level(list) == 2) {
    return take(list);
  }
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view word :
         {"indeed ", "therefore ", "thus ", "approximately ", "about ", "exactly ", "simply ",
          "also ", "just ", "only ", "still ", "then ", "now ", "equal to "}) {
      if (tail.starts_with(word)) {
        tail.remove_prefix(word.size());
        again = true;
      }
    }
  }
  if (tail.empty() || tail.find_first_of("$\\=") != npos) {
    return false;
  }
  const auto at = static_cast<std::size_t>(tail.data() - text.data());
  if (read_level(tail) == 2) {
    span = {at, at + tail.size(), at, at + tail.size()};
    return true;
  }
  // "29 cents", "10 years old now": a number and a few words.
  if (!number_in(text, at, at + tail.size(), false, span) || span.from != at) {
    return false;
  }
  const std::string_view rest = text.substr(span.to, at + tail.size() - span.to);
  return std::count(rest.begin(), rest.end(), ' ') <= 4 &&
         std::all_of(rest.begin(), rest.end(),
                     [](char c) { return is_word_char(c) || c == ' ' || c == '*'; });
}

}  // namespace r1eval
