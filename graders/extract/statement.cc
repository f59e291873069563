#include "graders/extract/statement.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <cstdint>
#include <string>

#include "graders/bounds.h"
#include "graders/math/characters.h"
#include "graders/math/number_words.h"

namespace r1eval {
namespace {

constexpr std::size_t npos = std::string_view::npos;
constexpr std::size_t kWindowBefore = 1000;  // bytes around an anchor that are looked at
constexpr std::size_t kWindowAfter = 1200;
constexpr std::size_t kMaxAnchorBytes = 40;
constexpr std::size_t kMaxLine = 4000;  // of the line after it

// How much must follow a word for it to state an answer.
enum class Strength : std::uint8_t {
  kMark,     // "####": the line is the value
  kLine,     // "A: ": so does it at a line's beginning
  kEnglish,  // "answer": a colon, a verb, mathematics or a number must follow
  kWord,     // the same word of other languages: what follows has a value
  kWeak,     // "result", "solution": a colon or verb, and a value that is the whole of what follows
};

struct Anchor {
  std::string_view text;  // lower case
  Strength strength;
};

constexpr std::array<Anchor, 77> kAnchors = {{
    {"####", Strength::kMark},        {"a: ", Strength::kLine},      {"answer", Strength::kEnglish},
    {"答案", Strength::kWord},        {"答：", Strength::kWord},     {"答:", Strength::kWord},
    {"回答", Strength::kWord},        {"解答", Strength::kWord},     {"答え", Strength::kWord},
    {"正解", Strength::kWord},        {"정답", Strength::kWord},     {"답은", Strength::kWord},
    {"답:", Strength::kWord},         {"답：", Strength::kWord},     {"réponse", Strength::kWord},
    {"respuesta", Strength::kWord},   {"antwort", Strength::kWord},  {"antwoord", Strength::kWord},
    {"risposta", Strength::kWord},    {"resposta", Strength::kWord}, {"odpowiedź", Strength::kWord},
    {"odpověď", Strength::kWord},     {"odpoveď", Strength::kWord},  {"ответ", Strength::kWord},
    {"відповідь", Strength::kWord},   {"отговор", Strength::kWord},  {"одговор", Strength::kWord},
    {"odgovor", Strength::kWord},     {"الإجابة", Strength::kWord},  {"الاجابة", Strength::kWord},
    {"الجواب", Strength::kWord},      {"جواب", Strength::kWord},     {"پاسخ", Strength::kWord},
    {"उत्तर", Strength::kWord},        {"जवाब", Strength::kWord},     {"উত্তর", Strength::kWord},
    {"பதில்", Strength::kWord},        {"விடை", Strength::kWord},     {"సమాధానం", Strength::kWord},
    {"ಉತ್ತರ", Strength::kWord},        {"ഉത്തരം", Strength::kWord},    {"જવાબ", Strength::kWord},
    {"ਜਵਾਬ", Strength::kWord},        {"คำตอบ", Strength::kWord},    {"jawaban", Strength::kWord},
    {"jawapan", Strength::kWord},     {"đáp án", Strength::kWord},   {"đáp số", Strength::kWord},
    {"câu trả lời", Strength::kWord}, {"cevap", Strength::kWord},    {"yanıt", Strength::kWord},
    {"jibu", Strength::kWord},        {"ìdáhùn", Strength::kWord},   {"idahun", Strength::kWord},
    {"תשובה", Strength::kWord},       {"απάντηση", Strength::kWord}, {"răspuns", Strength::kWord},
    {"raspuns", Strength::kWord},     {"válasz", Strength::kWord},   {"vastaus", Strength::kWord},
    {"svar:", Strength::kWord},       {"svaret", Strength::kWord},   {"sagot", Strength::kWord},
    {"result", Strength::kWeak},      {"solution", Strength::kWeak}, {"ergebnis", Strength::kWeak},
    {"lösung", Strength::kWeak},      {"résultat", Strength::kWeak}, {"resultado", Strength::kWeak},
    {"risultato", Strength::kWeak},   {"wynik", Strength::kWeak},    {"результат", Strength::kWeak},
    {"sonuç", Strength::kWeak},       {"hasil", Strength::kWeak},    {"结果", Strength::kWeak},
    {"結果", Strength::kWeak},        {"결과", Strength::kWeak},
}};

// Words that stand between the anchor and the value.
constexpr std::array<std::string_view, 44> kVerbs = {
    "is",  "are", "was",  "be",  "equals", "equal",  "to",    "therefore", "thus", "ist", "lautet",
    "est", "es",  "è",    "é",   "este",   "adalah", "ialah", "är",        "er",   "on",  "ni",
    "là",  "là:", "jest", "è:",  "is:",    "finale", "final", "是",        "为",   "為",  "は",
    "هي",  "هو",  "היא",  "הוא", "হল",     "হলো",    "है",     "คือ",        "은",   "는",  "是："};

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Moves past decoration and signs such as ":" and "→".
std::size_t skip_signs(std::string_view text, std::size_t i, bool& has_colon) {
  while (i < text.size()) {
    const char c = text[i];
    if (c == '\n' || is_space(c) || c == '*' || c == '#' || c == '_' || c == '`' || c == '|' ||
        c == '>') {
      ++i;
      continue;
    }
    if (c == ':' || (c == '=' && text.compare(i, 2, "==") != 0)) {
      has_colon = true;
      ++i;
      continue;
    }
    if (c == '-' && i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == '>')) {
      has_colon = true;
      ++i;
      continue;
    }
    bool is_sign = false;
    for (const std::string_view sign : {"：", "→", "⇒", "—", "–", "﹕", "，", "、"}) {
      if (text.compare(i, sign.size(), sign) == 0) {
        is_sign = true;
        has_colon = true;
        i += sign.size();
        break;
      }
    }
    if (!is_sign) {
      break;
    }
  }
  return i;
}

// Moves past verbs; `low` is the text in lower case.
std::size_t skip_verbs(std::string_view low, std::size_t i, bool& has_verb) {
  for (int rounds = 0; rounds < 6; ++rounds) {
    i = skip_signs(low, i, has_verb);
    bool moved = false;
    for (const std::string_view verb : kVerbs) {
      if (low.compare(i, verb.size(), verb) != 0) {
        continue;
      }
      const std::size_t end = i + verb.size();
      const bool is_ascii = static_cast<unsigned char>(verb.back()) < 0x80;
      if (!is_ascii || end >= low.size() || !is_letter(low[end])) {
        i = end;
        moved = true;
        has_verb = true;
        break;
      }
    }
    if (!moved) {
      break;
    }
  }
  return i;
}

// "So 17 is the answer": the sentence before the anchor, or an empty view.
std::string_view sentence_before(std::string_view text, std::string_view low, std::size_t at) {
  std::size_t end = at;
  while (end > 0 && (is_space(low[end - 1]) || low[end - 1] == '*')) {
    --end;
  }
  bool is_backward = false;
  for (const std::string_view adjective :
       {"final", "correct", "required", "desired", "right", "exact"}) {
    if (low.substr(0, end).ends_with(adjective)) {
      end -= adjective.size();
      while (end > 0 && is_space(low[end - 1])) {
        --end;
      }
    }
  }
  for (const std::string_view link : {" is the", " is our", " is my", " are the", " are our",
                                      " as the", " as our", " as my", " be the", " be our"}) {
    if (low.substr(0, end).ends_with(link)) {
      end -= link.size();
      is_backward = true;
      break;
    }
  }
  if (!is_backward) {
    return {};
  }
  std::size_t start = end;
  while (start > 0 && low[start - 1] != '\n' && low[start - 1] != ';' &&
         !(is_space(low[start - 1]) && start >= 2 && low[start - 2] == '.')) {
    --start;
  }
  return text.substr(start, end - start);
}

class Statement {
 public:
  Statement(std::string_view text, const std::function<int(std::string_view)>& read_level,
            const StatementRules& rules)
      : text_(text), read_level_(read_level), rules_(rules) {}

  // The value that begins at text[from]: the line, its first clause, its first mathematics, its
  // first number.
  std::optional<Span> value_at(std::size_t from, bool whole_only) const {
    std::size_t to = std::min(from + kMaxLine, text_.size());
    to = std::min(text_.substr(0, to).find('\n', from), to);
    const std::string low = lower_case(text_.substr(from, to - from));
    if (rules_.final_only) {  // a box after the statement is no part of it
      const std::size_t box = low.find("\\boxed");
      to = box != npos && box > 0 ? from + box : to;
    }
    for (const std::string_view hope : {". i hope", " i hope it is"}) {
      const std::size_t at = low.find(hope);
      if (at != npos && from + at < to) {
        to = from + at;
      }
    }
    std::string_view line = strip_statement(text_.substr(from, to - from));
    // "not 16 but 17"
    const std::string_view low_line = std::string_view(low).substr(
        std::min<std::size_t>(low.size(), offset(line) - from), line.size());
    if (const std::size_t but = low_line.find(" but ");
        low_line.starts_with("not ") && but != npos) {
      line = strip_statement(line.substr(but + 5));
    }
    if (line.empty()) {
      return std::nullopt;
    }
    if (takes(line, whole_only ? 2 : 1)) {
      return span_of(line);
    }
    if (!whole_only && is_letter(line.front())) {
      if (const std::string_view tail = after_verb(line); !tail.empty() && takes(tail, 2)) {
        return span_of(tail);
      }
    }
    for (std::size_t k = 1; k < line.size(); ++k) {
      if (!ends_clause(line, k)) {
        continue;
      }
      // Words are an answer where the sentence says so, not where a bracket follows.
      const bool ends_words = line[k] == ',' || line[k] == '.' || line[k] == ';' ||
                              line.compare(k, 8, " because") == 0 ||
                              line.compare(k, 6, " since") == 0;
      const std::string_view clause = strip_statement(line.substr(0, k));
      if (!clause.empty() && takes(clause, ends_words && !whole_only &&
                                                   std::count(clause.begin(), clause.end(), ' ') < 4
                                               ? 1
                                               : 2)) {
        return span_of(clause);
      }
      if (k > 200) {
        break;
      }
    }
    if (whole_only) {
      return std::nullopt;
    }
    return first_value(from, to);
  }

  // The last value of the sentence before "is the answer".
  std::optional<Span> value_before(std::string_view sentence) const {
    const std::size_t from = offset(sentence);
    const std::size_t to = from + sentence.size();
    Span last;
    Span span;
    bool any = false;
    MathSpans spans(text_, from, to, rules_.delimited_only);
    while (spans.next(span) && span.outer_to <= to) {
      last = span;
      any = true;
    }
    if (any) {
      return read_level_(text_.substr(last.from, last.to - last.from)) >= 1
                 ? std::optional<Span>(last)
                 : std::nullopt;
    }
    if (!rules_.delimited_only && number_in(text_, from, to, true, span) &&
        stands_alone(text_, span)) {
      return span;
    }
    return std::nullopt;
  }

 private:
  std::size_t offset(std::string_view part) const {
    return static_cast<std::size_t>(part.data() - text_.data());
  }

  Span span_of(std::string_view part) const {
    const std::size_t from = offset(part);
    return {from, from + part.size(), from, from + part.size()};
  }

  bool takes(std::string_view candidate, int level) const {
    if (rules_.delimited_only && !candidate.starts_with('$') && !candidate.starts_with("\\(") &&
        !candidate.starts_with("\\[")) {
      return false;
    }
    if (candidate.size() > 4000) {
      return false;
    }
    const int read = read_level_(candidate);
    return read >= level && (read != 1 || !is_remark(candidate));
  }

  // "The answer is correct": words about the answer.
  static bool is_remark(std::string_view words) {
    static constexpr std::array<std::string_view, 18> kRemarks = {
        "correct",    "right", "wrong", "incorrect", "valid", "verified",
        "reasonable", "below", "above", "given",     "shown", "as follows",
        "obtained",   "found", "clear", "unique",    "not",   "confirmed"};
    const std::string low = lower_case(words.substr(0, 40));
    return std::any_of(kRemarks.begin(), kRemarks.end(), [&](std::string_view remark) {
      return low.compare(0, remark.size(), remark) == 0 &&
             (low.size() == remark.size() || !is_letter(low[remark.size()]));
    });
  }

  static bool ends_clause(std::string_view line, std::size_t k) {
    if ((line[k] == '.' || line[k] == '!' || line[k] == ';') &&
        (k + 1 >= line.size() || is_space(line[k + 1]))) {
      return true;
    }
    if (line.compare(k, 3, "。") == 0 || line.compare(k, 3, "，") == 0) {
      return true;
    }
    if (line[k] == ',' && k + 2 < line.size() && line[k + 1] == ' ' && is_letter(line[k + 2]) &&
        !(k + 3 < line.size() && !is_letter(line[k + 3]))) {
      return line.compare(k + 2, 4, "and ") != 0 && line.compare(k + 2, 3, "or ") != 0;
    }
    for (const std::string_view word :
         {" because", " since ", " where ", " which ", " when ", " (", " as "}) {
      if (line.compare(k, word.size(), word) == 0) {
        return true;
      }
    }
    return false;
  }

  std::optional<Span> first_value(std::size_t from, std::size_t to) const {
    Span span;
    MathSpans spans(text_, from, to, rules_.delimited_only);
    if (spans.next(span)) {
      const Span first = span;
      Span joined = first;
      bool is_list = false;
      while (spans.next(span) && span.outer_to <= to &&
             is_list_separator(text_.substr(joined.outer_to, span.outer_from - joined.outer_to))) {
        joined.outer_to = span.outer_to;
        is_list = true;
      }
      const std::string_view inner = text_.substr(first.from, first.to - first.from);
      const std::string_view all =
          text_.substr(joined.outer_from, joined.outer_to - joined.outer_from);
      if (is_list && read_level_(all) == 2) {
        return span_of(all);
      }
      if (read_level_(inner) >= 1) {
        return first;
      }
      return std::nullopt;
    }
    if (rules_.delimited_only) {
      return std::nullopt;
    }
    if (bare_latex(text_, from, to, span) &&
        read_level_(text_.substr(span.from, span.to - span.from)) == 2) {
      return span;
    }
    if (number_in(text_, from, to, false, span)) {
      return span;
    }
    if (rules_.reads_number_words) {
      const std::string low = lower_case(text_.substr(from, to - from));
      if (const auto words = last_number_words(low)) {
        return Span{from + words->from, from + words->to, from + words->from, from + words->to};
      }
    }
    return std::nullopt;
  }

  std::string_view text_;
  const std::function<int(std::string_view)>& read_level_;
  const StatementRules& rules_;
};

// What follows an English "answer", with everything between it and its value: "answer (in cm)",
// "answer, in simplest form, is", "answers:".
std::size_t after_english(std::string_view text, std::string_view low, std::size_t i,
                          bool is_weak) {
  for (const std::string_view plural : {"(s)", "s"}) {
    if (low.compare(i, plural.size(), plural) == 0) {
      i += plural.size();
      break;
    }
  }
  while (i < low.size() && (low[i] == '*' || low[i] == '_' || low[i] == ' ')) {
    ++i;
  }
  if (i < low.size() && low[i] == '(') {
    const std::size_t close = low.find(')', i);
    const bool is_note = close != npos && close - i <= 60 && is_letter(low[i + 1]);
    i = is_note ? close + 1 : i;
  }
  bool has_colon = false;
  bool has_line_end = false;
  for (std::size_t k = i; k < low.size() && (is_space(low[k]) || low[k] == '*' || low[k] == '#');
       ++k) {
    has_line_end = has_line_end || low[k] == '\n';
  }
  std::size_t from = skip_verbs(low, i, has_colon);
  if (has_colon || (has_line_end && !is_weak)) {
    return from;
  }
  if (is_weak) {
    return npos;
  }
  const char c = from < text.size() ? text[from] : '\0';
  if (c == '$' || c == '\\' || is_digit(c) || c == '(' || c == '[' ||
      (c == '-' && from + 1 < text.size() && is_digit(text[from + 1]))) {
    return from;
  }
  // The first verb or colon of the sentence.
  const std::size_t stop = std::min({low.find('\n', i), low.find(". ", i), low.size(), i + 100});
  std::size_t best = npos;
  for (const std::string_view verb : {" is ", " are ", " be ", ": ", " equals ", " is: "}) {
    const std::size_t at = low.find(verb, i);
    if (at != npos && at < stop && (best == npos || at + verb.size() < best)) {
      best = at + verb.size();
    }
  }
  bool ignored = false;
  return best == npos ? npos : skip_verbs(low, best, ignored);
}

// The anchor that begins at text[i], or null. Two bytes decide almost everywhere, three in a text
// that repeats a word.
const Anchor* anchor_at(std::string_view text, std::size_t i) {
  static const std::bitset<1U << 16U> kStarts = [] {
    std::bitset<1U << 16U> starts;
    const auto add = [&](char first, char second) {
      starts.set(static_cast<std::size_t>(static_cast<unsigned char>(first)) << 8U |
                 static_cast<unsigned char>(second));
    };
    const auto upper = [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 0x20) : c;
    };
    for (const Anchor& anchor : kAnchors) {
      const char first = anchor.text[0];
      const char second = anchor.text[1];
      for (const char a : {first, upper(first)}) {
        add(a, second);
        add(a, upper(second));
      }
      // Capitals of two bytes: "Ответ", "Απάντηση".
      for (const char lead : {'\xC3', '\xC4', '\xCE', '\xD0'}) {
        for (int b = 0x80; b < 0xC0; ++b) {
          const std::array<char, 2> pair = {lead, static_cast<char>(b)};
          const std::string low = lower_case(std::string_view(pair.data(), 2));
          if (low[0] == first && low[1] == second) {
            add(pair[0], pair[1]);
          }
        }
      }
    }
    return starts;
  }();
  if (i + 1 >= text.size() ||
      !kStarts[static_cast<std::size_t>(static_cast<unsigned char>(text[i])) << 8U |
               static_cast<unsigned char>(text[i + 1])]) {
    return nullptr;
  }
  static const std::bitset<1U << 16U> kSeconds = [] {
    std::bitset<1U << 16U> seconds;  // second and third byte, of anchors in ASCII
    for (const Anchor& anchor : kAnchors) {
      seconds.set(static_cast<std::size_t>(static_cast<unsigned char>(anchor.text[1])) << 8U |
                  static_cast<unsigned char>(anchor.text[2]));
    }
    return seconds;
  }();
  const auto ascii_lower = [](char c) {
    return static_cast<std::size_t>(
        static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c));
  };
  if (i + 2 < text.size() &&
      static_cast<unsigned char>(text[i] | text[i + 1] | text[i + 2]) < 0x80 &&
      !kSeconds[ascii_lower(text[i + 1]) << 8U | ascii_lower(text[i + 2])]) {
    return nullptr;
  }
  // Scripts without capitals need no lower case.
  const bool has_case = static_cast<unsigned char>(text[i]) < 0xD2;
  const std::string low = has_case ? lower_case(text.substr(i, kMaxAnchorBytes)) : std::string();
  const std::string_view here = has_case ? std::string_view(low) : text.substr(i, kMaxAnchorBytes);
  const Anchor* longest = nullptr;
  for (const Anchor& anchor : kAnchors) {
    if (here.starts_with(anchor.text) &&
        (longest == nullptr || longest->text.size() < anchor.text.size())) {
      longest = &anchor;
    }
  }
  return longest;
}

}  // namespace

std::string_view after_verb(std::string_view line) {
  // What is longer than this is no answer.
  const std::size_t far =
      line.size() -
      std::min(line.size(), static_cast<std::size_t>(bounds::kMaxExpressionBytes) * 4);
  std::size_t best = npos;
  for (const std::string_view verb : {" is ", " are ", " equals "}) {
    const std::size_t at = line.substr(far).rfind(verb);
    if (at != npos && (best == npos || far + at + verb.size() > best)) {
      best = far + at + verb.size();
    } else if (best == npos && line.starts_with(verb.substr(1))) {
      best = verb.size() - 1;
    }
  }
  return best == npos ? std::string_view() : strip_statement(line.substr(best));
}

std::optional<Stated> find_statement(std::string_view text,
                                     const std::function<int(std::string_view)>& read_level,
                                     const StatementRules& rules) {
  const Statement statement(text, read_level, rules);
  std::int64_t tried = 0;
  std::int64_t seen = 0;
  bool is_earlier = false;
  for (std::size_t i = text.size(); i-- > 0;) {
    const Anchor* anchor = anchor_at(text, i);
    if (anchor == nullptr) {
      continue;
    }
    if (++seen > 4 * bounds::kMaxStatements) {
      return std::nullopt;
    }
    // What stands around the anchor, in lower case; the rest of the text does not matter.
    const std::size_t start = i - std::min(i, kWindowBefore);
    const std::string_view window = text.substr(start, i - start + kWindowAfter);
    const std::string lowered = lower_case(window);
    const std::string_view low = lowered;
    const std::size_t at = i - start;
    const std::size_t after = at + anchor->text.size();
    const bool is_weak = anchor->strength == Strength::kWeak;
    if (rules.final_only) {
      std::size_t k = at;
      while (k > 0 && is_space(low[k - 1])) {
        --k;
      }
      if (!low.substr(0, k).ends_with("final")) {
        continue;
      }
    }
    std::size_t from = after;
    bool has_verb = false;
    switch (anchor->strength) {
      case Strength::kLine:
        if (i > 0 && text[i - 1] != '\n') {
          continue;
        }
        break;
      case Strength::kMark:
        from = skip_signs(low, after, has_verb);
        break;
      case Strength::kEnglish:
      case Strength::kWeak:
        if (const std::string_view sentence = sentence_before(window, low, at);
            !sentence.empty() && !is_weak) {
          if (const auto value = statement.value_before(sentence)) {
            return Stated{*value, i, is_earlier};
          }
        }
        from = after_english(window, low, after, is_weak);
        break;
      case Strength::kWord:
        // Endings: "jawabannya", "răspunsul"
        while (from < low.size() && low[from] >= 'a' && low[from] <= 'z' && from < after + 6) {
          ++from;
        }
        from = skip_verbs(low, from, has_verb);
        break;
    }
    if (from == npos || from >= window.size()) {
      is_earlier = is_earlier || !is_weak;
      continue;
    }
    if (++tried > bounds::kMaxStatements) {
      return std::nullopt;
    }
    if (const auto value = statement.value_at(start + from, is_weak)) {
      return Stated{*value, i, is_earlier};
    }
    is_earlier = is_earlier || !is_weak;
  }
  return std::nullopt;
}

}  // namespace r1eval
