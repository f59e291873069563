#include "graders/extract/math_answer.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cctype>
#include <cstring>
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

bool ends_with_at(std::string_view text, std::size_t end, std::string_view word) {
  return end >= word.size() && text.substr(end - word.size(), word.size()) == word;
}

// Outermost boxes in order, in one pass: boxed, fbox, framebox, also with the backslash (and the
// "b" that an escape swallowed) lost. An open box counts up to the end of its line.
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
    } else if (best == npos && line.starts_with(verb.substr(1))) {
      best = verb.size() - 1;
    }
  }
  return best == npos ? std::string_view() : strip_statement(line.substr(best));
}

// Delimited mathematics, $…$, $$…$$, \(…\), \[…\], one after the other; linear in all.
class MathSpans {
 public:
  MathSpans(std::string_view text, std::size_t from, std::size_t to, bool is_strict = false)
      : text_(text), at_(from), to_(to), is_strict_(is_strict) {}

  bool next(Span& span) {
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
      const std::size_t end = is_spent_[kind] ? npos : text_.find(kCloses[kind], at_ + width);
      if (end == npos) {
        is_spent_[kind] = true;  // no such closer is left, here or further on
        at_ += width;
        continue;
      }
      span = {at_ + width, end, at_, end + width};
      at_ = end + width;
      // Inline mathematics does not run over a line's end.
      if (is_strict_ && kind == 0 && text_.substr(span.from, end - span.from).find('\n') != npos) {
        continue;
      }
      if (!is_blank(text_.substr(span.from, span.to - span.from))) {
        return true;
      }
    }
    return false;
  }

 private:
  std::string_view text_;
  std::size_t at_;
  std::size_t to_;
  bool is_strict_;
  std::array<bool, 4> is_spent_ = {};
};

// The first or last number in text[from, to), with sign, separators, percent.
bool number_in(std::string_view text, std::size_t from, std::size_t to, bool last, Span& span) {
  bool found = false;
  std::size_t i = from;
  const auto vulgar = [&](std::size_t at) -> std::size_t {  // bytes of a "½" here
    for (const std::string_view one : {"½", "⅓", "⅔", "¼", "¾", "⅕", "⅙", "⅛"}) {
      if (text.substr(at, one.size()) == one) {
        return one.size();
      }
    }
    return 0;
  };
  while (i < to) {
    if (const std::size_t width = vulgar(i); width != 0) {
      const bool minus = i > from && text[i - 1] == '-';
      span = {i - (minus ? 1 : 0), i + width, i - (minus ? 1 : 0), i + width};
      i += width;
      found = true;
      if (!last) {
        return true;
      }
      continue;
    }
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

// A run of LaTeX that lost its delimiters, around a command in text[from, to): "(\frac{2}{5}) kg".
bool bare_latex(std::string_view text, std::size_t from, std::size_t to, Span& span) {
  static constexpr std::array<std::string_view, 6> kStarts = {"\\frac", "\\dfrac", "\\tfrac",
                                                              "\\sqrt", "\\binom", "\\pi"};
  std::size_t start = npos;
  for (const std::string_view command : kStarts) {
    start = std::min(start, text.substr(0, to).find(command, from));
  }
  if (start == npos) {
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

// Is a number no part of an expression that could not be read? Its last operand is not its value.
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

constexpr int kMaxAnchorsTried = 4;
constexpr int kMaxSentencesBack = 6;

using ReadLevel = std::function<int(std::string_view)>;

// Words that state an answer, from `from` to `after`. Firm ones cannot be a mere mention.
struct Anchor {
  std::size_t from = 0;
  std::size_t after = 0;
  bool is_firm = false;
};

bool is_word_char(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// The first two bytes of every anchor: a text of 100 KB without one is left behind in one pass.
const std::bitset<1 << 16>& anchor_starts() {
  static const std::bitset<1 << 16> kStarts = [] {
    std::bitset<1 << 16> starts;
    for (const std::string_view word : kAnchors) {
      starts.set(static_cast<std::size_t>(static_cast<unsigned char>(word[0])) << 8 |
                 static_cast<unsigned char>(word[1]));
    }
    return starts;
  }();
  return kStarts;
}

// The anchor that starts last in text[0, limit), the longest one there.
bool last_anchor(std::string_view text, std::size_t limit, Anchor& found) {
  const std::bitset<1 << 16>& starts = anchor_starts();
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(lower(text[i])));
  };
  for (std::size_t i = limit; i-- > 0;) {
    if (i + 1 >= text.size() || !starts[byte(i) << 8 | byte(i + 1)]) {
      continue;
    }
    std::size_t best = 0;
    for (const std::string_view word : kAnchors) {
      if (word.size() <= best || i + word.size() > limit ||
          !std::equal(word.begin(), word.end(), text.begin() + static_cast<std::ptrdiff_t>(i),
                      [](char w, char c) { return w == lower(c); })) {
        continue;
      }
      // "answered" is no anchor, "answers" is one.
      std::size_t after = i + word.size();
      if (is_word_char(word.back()) && after < limit && is_word_char(text[after])) {
        if (text[after] != 's' || (after + 1 < limit && is_word_char(text[after + 1]))) {
          continue;
        }
        ++after;
      }
      best = word.size();
      found = {i, after, word != "answer"};
    }
    if (best > 0) {
      return true;
    }
  }
  return false;
}

// Words after "the answer is" that judge the answer and do not give it.
bool is_judgement(std::string_view words) {
  static constexpr std::array<std::string_view, 14> kJudgements = {
      "correct",   "right", "wrong",      "incorrect", "consistent", "reasonable", "verified",
      "confirmed", "valid", "as follows", "below",     "above",      "clear",      "complete"};
  return std::any_of(kJudgements.begin(), kJudgements.end(),
                     [&](std::string_view word) { return words == word; });
}

// The value that an anchor states: what follows "is" on its line, or the line, its first sentence,
// its first mathematics, its first number. Words are a value only after a firm anchor that is the
// text's last one.
bool find_stated(std::string_view text, const Anchor& anchor, bool is_last,
                 const ReadLevel& read_level, const AnswerRules& rules, Span& span) {
  bool is_firm = anchor.is_firm;
  bool has_colon = false;
  std::size_t from = anchor.after;
  while (from < text.size() && (is_space(text[from]) || text[from] == '*' || text[from] == ':' ||
                                text[from] == '=' || text[from] == '#')) {
    has_colon = has_colon || (text[from] != ' ' && text[from] != '\t');
    ++from;
  }
  // "the answers are:" and a list, "the answer, then, is 5".
  for (const std::string_view verb : {"are:", "is:", "are\n", "is\n"}) {
    if (text.substr(from, verb.size()) == verb) {
      from = std::min(text.find_first_not_of(" \n*:", from + verb.size()), text.size());
      has_colon = true;
      break;
    }
  }
  is_firm = is_firm || has_colon;
  if (!is_last && !is_firm) {
    return false;
  }
  std::size_t to = std::min(text.find('\n', from), text.size());
  for (std::size_t dot = text.find('.', from); dot < to; dot = text.find('.', dot + 1)) {
    if (text.substr(dot, 8) == ". I hope" || text.substr(dot, 8) == ". i hope") {
      to = dot;
      break;
    }
  }
  const std::string_view line = strip_statement(text.substr(from, to - from));
  const int words_level = is_firm && is_last ? 1 : 2;
  const auto is_allowed = [&](std::string_view candidate) {
    return !rules.delimited_only || candidate.starts_with('$') || candidate.starts_with("\\(") ||
           candidate.starts_with("\\[");
  };
  const auto accept = [&](std::string_view candidate, int level) {
    if (candidate.empty() || !is_allowed(candidate) || read_level(candidate) < level ||
        (!has_colon && is_judgement(candidate))) {
      return false;
    }
    const auto at = static_cast<std::size_t>(candidate.data() - text.data());
    span = {at, at + candidate.size(), at, at + candidate.size()};
    return true;
  };
  if (accept(after_verb(line), 2) || accept(line, words_level)) {
    return true;
  }
  // The first sentence of the line.
  for (std::size_t k = 0; k + 1 < line.size(); ++k) {
    if (line[k] == '.' && is_space(line[k + 1])) {
      if (accept(strip_statement(line.substr(0, k)), words_level)) {
        return true;
      }
      break;
    }
  }
  if (MathSpans(text, from, to, rules.delimited_only).next(span)) {
    return read_level(text.substr(span.from, span.to - span.from)) >= 1;
  }
  if (rules.delimited_only) {
    return false;
  }
  return (bare_latex(text, from, to, span) &&
          read_level(text.substr(span.from, span.to - span.from)) == 2) ||
         number_in(text, from, to, false, span);
}

// Is there nothing in this sentence that could be an answer?
bool is_filler(std::string_view s) {
  return s.find_first_of("0123456789$=") == npos && s.find("\\(") == npos &&
         s.find("\\)") == npos && s.find("\\]") == npos && s.find("\\[") == npos;
}

// The value that the text's last sentence concludes with: "Hence the degree of $f(x)$ is 3." Filler
// after it ("Everything checks out.") is passed over. Nothing where the value is mathematics
// between delimiters: that is the next rule's.
bool find_conclusion(std::string_view text, const ReadLevel& read_level, Span& span) {
  std::size_t end = text.size();
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

  if (rules.statement_first) {
    // The statement is looked for in the text before the boxes too.
    AnswerRules others = rules;
    others.statement_first = false;
    const std::vector<Span> later = find_boxes(text);
    const std::size_t end = later.empty() ? text.size() : later.front().outer_from;
    FoundAnswer stated = find_math_answer(text.substr(0, end), read_level, others);
    if (stated.found && stated.rule == "statement") {
      return stated;
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

  // The rightmost anchor that has a value. One that has none ("I think that is the answer.") lets
  // the conclusion of the text or an earlier anchor decide, whichever stands further right.
  Span concluded;
  bool has_conclusion = false;
  Anchor anchor;
  std::size_t limit = text.size();
  for (int tries = 0; tries < kMaxAnchorsTried && last_anchor(text, limit, anchor); ++tries) {
    if (tries == 1) {
      has_conclusion = !rules.delimited_only && find_conclusion(text, read_level, concluded);
    }
    if (has_conclusion && concluded.from > anchor.from) {
      break;
    }
    Span stated;
    if (find_stated(text, anchor, tries == 0, read_level, rules, stated)) {
      return take(stated.from, stated.to, "statement");
    }
    limit = anchor.from;
  }
  if (has_conclusion || (!rules.delimited_only && find_conclusion(text, read_level, concluded))) {
    return take(concluded.from, concluded.to, "conclusion");
  }

  // The last delimited mathematics.
  Span last;
  bool any = false;
  Span span;
  MathSpans spans(text, 0, text.size(), rules.delimited_only);
  while (spans.next(span)) {
    last = span;
    any = true;
  }
  if (any && (read_level(text.substr(last.from, last.to - last.from)) >= 1)) {
    return take(last.from, last.to, "math");
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
  if (const std::string_view tail = after_verb(line); !tail.empty() && read_level(tail) == 2) {
    const auto from = static_cast<std::size_t>(tail.data() - text.data());
    return take(from, from + tail.size(), "line");
  }
  if (!line.empty() && line.size() < 400 && read_level(line) == 2) {
    const auto from = static_cast<std::size_t>(line.data() - text.data());
    return take(from, from + line.size(), "line");
  }
  if (!any && number_in(text, 0, text.size(), true, span) && stands_alone(text, span)) {
    return take(span.from, span.to, "number");
  }
  return answer;
}

}  // namespace r1eval
