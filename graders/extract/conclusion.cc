#include "graders/extract/conclusion.h"

#include <algorithm>
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
  if (const std::size_t equals = sentence.rfind("= ");
      equals != npos && (tail.empty() || sentence.data() + equals > tail.data())) {
    tail = strip_statement(sentence.substr(equals + 2));
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
