#include "graders/extract/choice.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

namespace r1eval {
namespace {

constexpr std::size_t kMaxChoiceBytes = 1 << 20;
constexpr std::size_t npos = std::string_view::npos;

bool is_alnum(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

char upper(char c) {
  return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
}

// Text with full-width and other scripts' option letters and punctuation as ASCII, and for every
// byte the offset that it came from.
struct Folded {
  std::string text;
  std::string low;
  std::vector<std::uint32_t> from;
};

struct Fold {
  std::string_view bytes;
  char ascii;
};

constexpr std::array<Fold, 30> kFolds = {{
    {"：", ':'}, {"（", '('},       {"）", ')'},
    {"，", ','}, {"、", ','},       {"。", '.'},
    {"．", '.'}, {"【", '['},       {"】", ']'},
    {"–", '-'},  {"—", '-'},        {"−", '-'},
    {"“", '"'},  {"”", '"'},        {"’", '\''},
    {"‘", '\''}, {"「", '['},       {"」", ']'},
    {"।", '.'},  {"\xC2\xA0", ' '}, {"\xE3\x80\x80", ' '},
    {"أ", 'A'},  {"ب", 'B'},        {"ج", 'C'},
    {"د", 'D'},  {"ক", 'A'},        {"খ", 'B'},
    {"গ", 'C'},  {"ঘ", 'D'},        {"；", ';'},
}};

// Letters of other scripts stand for options only when nothing of their script touches them.
bool is_script_letter(const Fold& fold) {
  return is_letter(fold.ascii);
}

Folded fold_text(std::string_view text) {
  Folded folded;
  const std::size_t start = text.size() > kMaxChoiceBytes ? text.size() - kMaxChoiceBytes : 0;
  folded.text.reserve(text.size() - start);
  folded.from.reserve(text.size() - start + 1);
  const auto put = [&](char c, std::size_t at) {
    folded.text += c;
    folded.from.push_back(static_cast<std::uint32_t>(at));
  };
  std::size_t i = start;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      put(text[i], i);
      ++i;
      continue;
    }
    // Full-width ASCII: EF BC 81 … EF BD 9E.
    if (c == 0xEF && i + 2 < text.size()) {
      const auto b = static_cast<unsigned char>(text[i + 1]);
      const auto d = static_cast<unsigned char>(text[i + 2]);
      const int code = ((b & 0x3F) << 6) | (d & 0x3F);  // low 12 bits of U+Fxxx
      if ((b == 0xBC || b == 0xBD) && code >= 0xF01 && code <= 0xF5E) {
        put(static_cast<char>(code - 0xF01 + '!'), i);
        i += 3;
        continue;
      }
    }
    const std::string_view rest = text.substr(i);
    const auto* fold = std::find_if(kFolds.begin(), kFolds.end(), [&](const Fold& f) {
      if (rest.substr(0, f.bytes.size()) != f.bytes) {
        return false;
      }
      if (!is_script_letter(f)) {
        return true;
      }
      const std::size_t after = i + f.bytes.size();
      const bool touches_after = after < text.size() &&
                                 static_cast<unsigned char>(text[after]) >= 0xC0 &&
                                 rest.substr(f.bytes.size(), 3) != "।";
      const bool touches_before = i > 0 && static_cast<unsigned char>(text[i - 1]) >= 0x80;
      return !touches_after && !touches_before;
    });
    if (fold != kFolds.end()) {
      put(fold->ascii, i);
      i += fold->bytes.size();
    } else {
      put(text[i], i);
      ++i;
    }
  }
  folded.from.push_back(static_cast<std::uint32_t>(text.size()));
  folded.low.resize(folded.text.size());
  std::transform(folded.text.begin(), folded.text.end(), folded.low.begin(), lower);
  return folded;
}

// Words that name an answer; longest first where one starts another.
constexpr std::array<std::string_view, 44> kAnchors = {
    "answer",    "choice",      "option",    "solution is", "答案",    "回答",    "选项",
    "正解",      "答え",        "答",        "réponse",     "reponse", "antwort", "respuesta",
    "risposta",  "resposta",    "odpowiedź", "ответ",       "cevap",   "yanıt",   "الإجابة",
    "الجواب",    "תשובה",       "उत्तर",      "উত্তর",        "정답",    "답",      "jawaban",
    "đáp án",    "câu trả lời", "คำตอบ",     "jibu",        "idahun",  "vastaus", "svar",
    "відповідь", "απάντηση",    "answers",   "vastuse",     "răspuns", "lösung",  "válasz",
    "odpověď",   "jawapan"};

// Between an anchor and its letter these words say nothing.
constexpr std::array<std::string_view, 50> kFillers = {
    "is",        "are",      "was",      "be",      "would",  "should", "must",       "option",
    "choice",    "answer",   "letter",   "the",     "for",    "sure",   "definitely", "clearly",
    "therefore", "thus",     "indeed",   "simply",  "est",    "es",     "ist",        "é",
    "è",         "la",       "le",       "das",     "die",    "der",    "correct",    "correcta",
    "correcte",  "corretta", "corretta", "richtig", "是",     "应为",   "应该是",     "为",
    "は",        "は、",     "选",       "选择",    "adalah", "هي",     "هو",         "है",
    "ni",        "only"};

constexpr std::array<std::string_view, 22> kProse = {
    "it's", "it is",     "must be", "should be", "choose",     "select",   "pick",     "hence",
    "thus", "therefore", "so",      "go with",   "going with", "finalize", "finalise", "conclude",
    "故选", "选择",      "应选",    "选",        "option",     "choice"};

class Reader {
 public:
  Reader(std::string_view text, const ChoiceRules& rules) : rules_(rules), f_(fold_text(text)) {}

  ChosenLetter read();

 private:
  struct Hit {
    std::string letters;
    std::size_t from = 0;
    std::size_t to = 0;
  };

  std::size_t size() const { return f_.text.size(); }

  char at(std::size_t i) const { return i < size() ? f_.text[i] : '\0'; }

  std::string_view low(std::size_t i) const { return std::string_view(f_.low).substr(i); }

  bool low_starts(std::size_t i, std::string_view word) const {
    return i <= size() && low(i).substr(0, word.size()) == word;
  }

  std::optional<char> option_at(std::size_t i) const {
    if (i >= size() || !is_letter(at(i)) || is_alnum(at(i + 1)) || at(i + 1) == '_') {
      return std::nullopt;
    }
    if (i > 0 && (is_alnum(at(i - 1)) || at(i - 1) == '\\')) {
      return std::nullopt;
    }
    if (at(i + 1) == '\'' && is_letter(at(i + 2))) {
      return std::nullopt;  // "I'm", "A's"
    }
    if (rules_.is_case_sensitive && at(i) != upper(at(i))) {
      return std::nullopt;
    }
    const char letter = upper(at(i));
    if (rules_.options.find(letter) == npos) {
      return std::nullopt;
    }
    return letter;
  }

  std::size_t skip_spaces(std::size_t i) const {
    while (i < size() && is_space(at(i))) {
      ++i;
    }
    return i;
  }

  // Is a capital A here an article, or I a pronoun: followed by a word that goes on in a sentence?
  bool is_word_not_label(std::size_t i) const {
    const char c = at(i);
    if (c != 'A' && c != 'I' && c != 'a' && c != 'i') {
      return false;
    }
    if (at(i + 1) != ' ') {
      return false;
    }
    const std::size_t j = i + 2;
    if (!is_letter(at(j)) || at(j) != lower(at(j))) {
      return false;
    }
    for (const std::string_view word : {"is ", "is.", "was ", "because", "since ", "and ", "or ",
                                        "as ", "with ", "but ", "per ", "seems", "for ", "then "}) {
      if (low_starts(j, word)) {
        return c == 'I' || c == 'i';
      }
    }
    return true;
  }

  // "not A", "can't be A", "不是 A": a letter that is ruled out by what stands before it.
  bool is_negated_before(std::size_t i) const {
    std::size_t from = i > 24 ? i - 24 : 0;
    std::string_view before = std::string_view(f_.low).substr(from, i - from);
    while (!before.empty() && (is_space(before.back()) || before.back() == '(' ||
                               before.back() == '*' || before.back() == '"')) {
      before.remove_suffix(1);
    }
    for (const std::string_view word :
         {" option", " choice", " answer", " be", " the", " letter"}) {
      if (before.size() >= word.size() && before.substr(before.size() - word.size()) == word) {
        before.remove_suffix(word.size());
      }
    }
    for (const std::string_view word :
         {" not", "not", "n't", "cannot", "never", "neither", "nor", " non", "no", "不是", "不选",
          "非", "nicht", "instead of", "rather than", "rule out", "exclude", "eliminate",
          "except"}) {
      if (before.size() >= word.size() && before.substr(before.size() - word.size()) == word) {
        const std::size_t left = before.size() - word.size();
        if (left == 0 || !is_letter(before[left]) || !is_letter(before[left - 1]) ||
            word.front() == ' ' || word == "n't") {
          return true;
        }
      }
    }
    return false;
  }

  bool is_negated_after(std::size_t after) const {
    std::size_t j = after;
    while (j < size() && (at(j) == ' ' || at(j) == ')' || at(j) == ']' || at(j) == '*' ||
                          at(j) == '"' || at(j) == '}' || at(j) == '$')) {
      ++j;
    }
    for (const std::string_view word :
         {"is wrong",        "is incorrect", "is not",        "isn't",
          "is false",        "was wrong",    "can't be",      "cannot be",
          "is a distractor", "is a common",  "is tempting",   "is ruled",
          "is out",          "不对",         "是错",          "错误",
          "不正确",          "is invalid",   "is impossible", "ist falsch",
          "est faux"}) {
      if (low_starts(j, word)) {
        return true;
      }
    }
    return false;
  }

  // Skips decoration, wrappers and fillers after an anchor. `strong` tells whether a sign such as
  // ':' or a verb was crossed, `lines` how many line ends were.
  std::size_t skip_to_value(std::size_t i, bool& strong, int& lines) const {
    for (int steps = 0; steps < 24 && i < size(); ++steps) {
      const char c = at(i);
      if (c == '\n') {
        if (++lines > 3) {
          return i;
        }
        ++i;
      } else if (is_space(c) || c == '*' || c == '_' || c == '#' || c == '$' || c == '(' ||
                 c == '[' || c == '{' || c == '"' || c == '\'' || c == '`' || c == '>' ||
                 c == '~') {
        ++i;
        --steps;
      } else if (c == ':' || c == '=' || c == '-') {
        strong = true;
        ++i;
      } else if (c == '\\') {
        std::size_t j = i + 1;
        while (j < size() && is_letter(at(j))) {
          ++j;
        }
        const std::string_view name = std::string_view(f_.text).substr(i + 1, j - i - 1);
        if (name == "boxed" || name == "text" || name == "textbf" || name == "mathrm" ||
            name == "mathbf" || name == "fbox" || name == "textit" || name == "bf" ||
            name == "rm" || name == "left" || name == "mathbb" || name == "displaystyle") {
          strong = strong || name == "boxed" || name == "fbox";
          i = j;
        } else if (name.empty() && (at(i + 1) == '(' || at(i + 1) == '[' || at(i + 1) == ' ')) {
          i += 2;
        } else {
          return i;
        }
      } else {
        std::size_t best = 0;
        for (const std::string_view word : kFillers) {
          if (word.size() > best && low_starts(i, word) &&
              !(is_letter(word.back()) && is_alnum(at(i + word.size())))) {
            best = word.size();
          }
        }
        if (best == 0) {
          return i;
        }
        strong = true;
        i += best;
      }
    }
    return i;
  }

  std::optional<Hit> value_at(std::size_t i, bool strong, int lines) const;
  std::optional<Hit> several_at(std::size_t i) const;
  bool is_one_of_several(std::size_t i) const;
  std::optional<Hit> option_text_at(std::size_t i) const;
  std::optional<Hit> last_marker(std::string_view& rule) const;
  std::optional<Hit> last_prose() const;
  std::optional<char> label_at(std::size_t i, std::size_t& text_from) const;
  bool is_option_text(char letter, std::size_t text_from) const;
  std::optional<Hit> label_after_verb() const;
  std::optional<Hit> label_after_colon() const;
  std::optional<Hit> last_line() const;
  std::optional<Hit> whole_option_text() const;
  std::optional<Hit> single_letter() const;

  const ChoiceRules& rules_;
  Folded f_;
};

std::optional<Reader::Hit> Reader::several_at(std::size_t i) const {
  Hit hit;
  hit.from = i;
  std::string letters;
  const auto add = [&](char c) {
    if (letters.find(c) == npos) {
      letters += c;
    }
  };
  // A run such as "ACD".
  std::size_t j = i;
  while (j < size() && is_letter(at(j))) {
    ++j;
  }
  const bool is_run = j - i >= 2 && j - i <= rules_.options.size() &&
                      std::all_of(f_.text.begin() + static_cast<std::ptrdiff_t>(i),
                                  f_.text.begin() + static_cast<std::ptrdiff_t>(j),
                                  [&](char c) { return rules_.options.find(c) != npos; });
  if (is_run) {
    for (std::size_t k = i; k < j; ++k) {
      add(at(k));
    }
    hit.to = j;
  } else {
    j = i;
    while (true) {
      const auto letter = option_at(j);
      if (!letter) {
        break;
      }
      add(*letter);
      hit.to = j + 1;
      j = j + 1;
      bool separated = false;
      while (j < size()) {
        if (at(j) == ',' || at(j) == '/' || at(j) == '&' || at(j) == ';') {
          separated = true;
          ++j;
        } else if (at(j) == ' ' || at(j) == ')' || at(j) == '(' || at(j) == '*') {
          ++j;
        } else if (low_starts(j, "and ")) {
          separated = true;
          j += 4;
        } else {
          break;
        }
      }
      if (!separated) {
        break;
      }
    }
  }
  if (letters.empty()) {
    return std::nullopt;
  }
  std::sort(letters.begin(), letters.end());
  hit.letters = letters;
  return hit;
}

std::string normal_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_space(c)) {
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else if (c != '*' && c != '$' && c != '`' && c != '"') {
      out += lower(c);
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.')) {
    out.pop_back();
  }
  return out;
}

std::optional<Reader::Hit> Reader::option_text_at(std::size_t i) const {
  if (rules_.option_texts.empty() || i >= size()) {
    return std::nullopt;
  }
  const std::size_t end = std::min(std::min(f_.text.find('\n', i), size()), i + 1024);
  const std::string value = normal_text(std::string_view(f_.text).substr(i, end - i));
  std::optional<Hit> found;
  for (std::size_t o = 0; o < rules_.option_texts.size() && o < rules_.options.size(); ++o) {
    const std::string option = normal_text(rules_.option_texts[o]);
    if (!option.empty() && option == value) {
      if (found) {
        return std::nullopt;
      }
      found = Hit{std::string(1, rules_.options[o]), i, end};
    }
  }
  return found;
}

// "A or B", "A/B", "(A) and (B)": no single answer.
bool Reader::is_one_of_several(std::size_t i) const {
  std::size_t j = i + 1;
  while (j < size() &&
         (at(j) == ')' || at(j) == '*' || at(j) == ' ' || at(j) == '}' || at(j) == '$')) {
    ++j;
  }
  for (const std::string_view word : {"or ", "and ", "/", "&", "and/or ", "或", ", or "}) {
    if (low_starts(j, word)) {
      std::size_t k = skip_spaces(j + word.size());
      while (at(k) == '(' || at(k) == '*' || at(k) == '$') {
        ++k;
      }
      if (option_at(k) && !is_word_not_label(k)) {
        return true;
      }
    }
  }
  return false;
}

// The letter (or option text) that stands at `i`, where a marker's value is expected.
std::optional<Reader::Hit> Reader::value_at(std::size_t i, bool strong, int lines) const {
  if (rules_.is_multi) {
    return several_at(i);
  }
  const auto letter = option_at(i);
  if (!letter || is_word_not_label(i)) {
    return strong ? option_text_at(i) : std::nullopt;
  }
  const char next = at(i + 1);
  const bool ends = next == '\0' || next == '\n' || next == '.' || next == ',' || next == ')' ||
                    next == ']' || next == '*' || next == '}' || next == ':' || next == ';' ||
                    next == '"' || next == '$' || next == '\'' || next == '`' || next == '_' ||
                    next == '!' || next == '<' || next == '\r';
  if (at(i) != *letter && !ends) {
    return strong ? option_text_at(i) : std::nullopt;  // a lower-case word, not a label
  }
  if (lines > 1 && !ends) {
    return std::nullopt;
  }
  if (is_negated_after(i + 1) || is_negated_before(i)) {
    return std::nullopt;
  }
  if (is_one_of_several(i)) {
    return std::nullopt;
  }
  return Hit{std::string(1, *letter), i, i + 1};
}

std::optional<Reader::Hit> Reader::last_marker(std::string_view& rule) const {
  std::optional<Hit> best;
  std::size_t best_at = 0;
  const auto consider = [&](std::size_t anchor, std::size_t after, std::string_view name) {
    bool strong = name == "boxed";
    int lines = 0;
    const std::size_t value = skip_to_value(after, strong, lines);
    if (value == after && name != "boxed") {
      return;
    }
    if (!strong && lines == 0) {
      return;
    }
    const auto hit = value_at(value, strong, lines);
    if (hit && (!best || hit->from >= best_at)) {
      best = hit;
      best_at = hit->from;
      rule = name;
    }
    static_cast<void>(anchor);
  };
  for (const std::string_view box : {"boxed", "fbox", "framebox"}) {
    for (std::size_t i = f_.low.find(box); i != npos; i = f_.low.find(box, i + box.size())) {
      consider(i, i + box.size(), "boxed");
    }
  }
  for (const std::string_view anchor : kAnchors) {
    for (std::size_t i = f_.low.find(anchor); i != npos;
         i = f_.low.find(anchor, i + anchor.size())) {
      if (i > 0 && is_letter(anchor.front()) && is_letter(at(i - 1))) {
        continue;
      }
      consider(i, i + anchor.size(), "marker");
    }
  }
  return best;
}

std::optional<Reader::Hit> Reader::last_prose() const {
  std::optional<Hit> best;
  const auto take = [&](std::size_t i) {
    const auto letter = option_at(i);
    if (letter && at(i) == *letter && !is_word_not_label(i) && !is_negated_before(i) &&
        !is_negated_after(i + 1) && (!best || i >= best->from)) {
      best = Hit{std::string(1, *letter), i, i + 1};
    }
  };
  for (const std::string_view phrase : kProse) {
    for (std::size_t i = f_.low.find(phrase); i != npos;
         i = f_.low.find(phrase, i + phrase.size())) {
      if (i > 0 && is_letter(phrase.front()) && is_letter(at(i - 1))) {
        continue;
      }
      if (is_letter(phrase.back()) && is_alnum(at(i + phrase.size()))) {
        continue;
      }
      bool strong = false;
      int lines = 0;
      const std::size_t value = skip_to_value(i + phrase.size(), strong, lines);
      if (lines == 0) {
        const auto hit = value_at(value, false, 0);
        if (hit && (at(value) == hit->letters.front() || rules_.is_multi) &&
            (!best || hit->from >= best->from)) {
          best = hit;
        }
      }
    }
  }
  for (const std::string_view phrase :
       {" is correct", " is right", " is the correct", " is the right", " is the answer",
        " is true", "正确", " est correct", " ist richtig", " es correcta", " is the best"}) {
    for (std::size_t i = f_.low.find(phrase); i != npos;
         i = f_.low.find(phrase, i + phrase.size())) {
      std::size_t j = i;
      while (j > 0 && (at(j - 1) == ')' || at(j - 1) == ']' || at(j - 1) == '*' ||
                       at(j - 1) == '"' || at(j - 1) == ' ')) {
        --j;
      }
      if (j > 0) {
        take(j - 1);
      }
    }
  }
  return best;
}

// The option letter of a label that begins at `i`, "C. text", "**(C)** text", "C) text", "C: text",
// with where its text begins.
std::optional<char> Reader::label_at(std::size_t i, std::size_t& text_from) const {
  const auto is_open = [](char c) { return c == '*' || c == '(' || c == '[' || c == '_'; };
  const auto is_close = [](char c) {
    return c == '*' || c == ')' || c == ']' || c == '_' || c == '.' || c == ':';
  };
  while (i < size() && is_open(at(i))) {
    ++i;
  }
  const auto letter = option_at(i);
  if (!letter || at(i) != *letter) {
    return std::nullopt;
  }
  std::size_t j = i + 1;
  bool has_sign = false;
  while (j < size() && is_close(at(j))) {
    has_sign = has_sign || (at(j) != '*' && at(j) != '_');
    ++j;
  }
  if (!has_sign) {
    return std::nullopt;
  }
  while (j < size() && (at(j) == ' ' || at(j) == '*')) {
    ++j;
  }
  text_from = j;
  return letter;
}

// Does the text from here on begin as the letter's option does (or the option as the text)? True
// where the texts are not known.
bool Reader::is_option_text(char letter, std::size_t text_from) const {
  const std::size_t o = rules_.options.find(letter);
  if (o >= rules_.option_texts.size()) {
    return rules_.option_texts.empty();
  }
  const std::string option = normal_text(rules_.option_texts[o]);
  const std::size_t end = std::min({f_.text.find('\n', text_from), size(), text_from + 256});
  const std::string text =
      normal_text(std::string_view(f_.text).substr(text_from, end - text_from));
  const std::size_t n = std::min<std::size_t>({option.size(), text.size(), 16});
  return n > 0 && option.compare(0, n, text, 0, n) == 0;
}

// "The closest option is **D. 138**", "the correct statement is D.", "is best called a B. Whig": a
// label after a verb. The sentence has to say that it chooses, or the text to be the option's.
std::optional<Reader::Hit> Reader::label_after_verb() const {
  std::optional<Hit> best;
  for (const std::string_view verb :
       {" is", " are", " be", " as", " was", " of", " to", " by", " for"}) {
    for (std::size_t i = f_.low.find(verb); i != npos; i = f_.low.find(verb, i + verb.size())) {
      std::size_t j = i + verb.size();
      if (at(j) != ' ' && at(j) != ':') {
        continue;
      }
      while (at(j) == ' ' || at(j) == ':') {
        ++j;
      }
      for (const std::string_view word : {"most ", "likely ", "probably ", "indeed ", "therefore ",
                                          "thus ", "a ", "an ", "the "}) {
        if (low_starts(j, word) && at(j) != upper(at(j))) {
          j += word.size();
        }
      }
      const bool is_bold = low_starts(j, "**");
      std::size_t text_from = j;
      const auto letter = label_at(j, text_from);
      if (!letter) {
        continue;
      }
      while (at(j) != *letter) {
        ++j;
      }
      if (is_negated_before(j) || is_negated_after(j + 1) || is_one_of_several(j)) {
        continue;
      }
      std::size_t from = i;
      while (from > 0 && at(from - 1) != '\n' && i - from < 240 &&
             !(at(from) == ' ' && at(from - 1) == '.')) {
        --from;
      }
      const std::string_view sentence = std::string_view(f_.low).substr(from, j - from);
      bool chooses = false;
      for (const std::string_view word : {"correct", "closest", "best", "answer", "option",
                                          "most likely", "choice", "true", "therefore", "thus"}) {
        chooses = chooses || sentence.find(word) != npos;
      }
      const bool has_text = text_from < size() && at(text_from) != '\n';
      const bool is_text = has_text && is_option_text(*letter, text_from);
      const bool is_known = !rules_.option_texts.empty();
      if ((has_text && is_known ? is_text : chooses || (has_text && is_bold)) &&
          (!best || j >= best->from)) {
        best = Hit{std::string(1, *letter), j, j + 1};
      }
    }
  }
  return best;
}

// A line "C. text" that answers a line which ends with a colon, as the last label of the reply: the
// options of a list that is only discussed follow one another.
std::optional<Reader::Hit> Reader::label_after_colon() const {
  std::optional<Hit> last;
  bool is_after_colon = false;
  for (std::size_t line = 0; line < size();) {
    const std::size_t end = std::min(f_.text.find('\n', line), size());
    std::size_t from = line;
    std::size_t to = end;
    while (from < to && (is_space(at(from)) || at(from) == '>' || at(from) == '#')) {
      ++from;
    }
    while (to > from && (is_space(at(to - 1)) || at(to - 1) == '*' || at(to - 1) == '_')) {
      --to;
    }
    line = end + 1;
    if (from == to) {
      continue;
    }
    std::size_t text_from = from;
    if (const auto letter = label_at(from, text_from)) {
      std::size_t at_letter = from;
      while (at(at_letter) != *letter) {
        ++at_letter;
      }
      last.reset();
      if (is_after_colon && text_from < to && !is_negated_after(at_letter + 1)) {
        last = Hit{std::string(1, *letter), at_letter, at_letter + 1};
      }
    }
    is_after_colon = at(to - 1) == ':';
  }
  return last;
}

std::optional<Reader::Hit> Reader::last_line() const {
  std::optional<Hit> best;
  const auto is_decoration = [](char c) {
    return is_space(c) || c == '*' || c == '_' || c == '(' || c == ')' || c == '[' || c == ']' ||
           c == '.' || c == '$' || c == '"' || c == '`' || c == '#' || c == '\'' || c == ':';
  };
  std::size_t line = 0;
  while (line <= size()) {
    const std::size_t end = std::min(f_.text.find('\n', line), size());
    std::size_t from = line;
    std::size_t to = end;
    while (from < to && is_decoration(at(from))) {
      ++from;
    }
    while (to > from && is_decoration(at(to - 1))) {
      --to;
    }
    if (to == from + 1) {
      if (const auto letter = option_at(from)) {
        best = Hit{std::string(1, *letter), from, to};
      }
    }
    if (end == size()) {
      break;
    }
    line = end + 1;
  }
  if (best) {
    return best;
  }
  // A reply that starts with its label: "C. The rate triples", "C) …", "(C) …".
  std::size_t i = 0;
  while (i < size() && is_decoration(at(i))) {
    ++i;
  }
  const auto letter = option_at(i);
  if (letter && at(i) == *letter && !is_negated_after(i + 1)) {
    const char next = at(i + 1);
    if (next == '.' || next == ')' || next == ':' || (next == '*' && at(i + 2) == '*') ||
        next == ']') {
      return Hit{std::string(1, *letter), i, i + 1};
    }
  }
  return std::nullopt;
}

std::optional<Reader::Hit> Reader::whole_option_text() const {
  std::size_t i = skip_spaces(0);
  std::size_t end = size();
  while (end > i && is_space(at(end - 1))) {
    --end;
  }
  const std::size_t line_end = f_.text.find('\n', i);
  if (line_end != npos && line_end < end) {
    return std::nullopt;
  }
  return option_text_at(i);
}

std::optional<Reader::Hit> Reader::single_letter() const {
  std::size_t end = size();
  while (end > 0 && (is_space(at(end - 1)) || at(end - 1) == '.')) {
    --end;
  }
  std::size_t from = end;
  while (
      from > 0 && at(from - 1) != '\n' &&
      !(at(from) == ' ' && (at(from - 1) == '.' || at(from - 1) == '!' || at(from - 1) == '?'))) {
    --from;
  }
  std::optional<Hit> found;
  for (std::size_t i = from; i < end; ++i) {
    const auto letter = option_at(i);
    if (!letter || at(i) != *letter || *letter == 'I' || is_negated_before(i) ||
        is_negated_after(i + 1) || is_word_not_label(i) || at(skip_spaces(i + 1)) == '=') {
      continue;
    }
    if (!rules_.is_multi && is_one_of_several(i)) {
      return std::nullopt;
    }
    // A letter that follows a word is part of a name ("Vitamin C") unless brackets set it apart.
    const bool follows_word = i >= 2 && at(i - 1) == ' ' && is_alnum(at(i - 2));
    if (follows_word || (!rules_.is_multi && !value_at(i, false, 0))) {
      continue;
    }
    if (found && found->letters.front() != *letter) {
      return std::nullopt;
    }
    found = Hit{std::string(1, *letter), i, i + 1};
  }
  return found;
}

ChosenLetter Reader::read() {
  ChosenLetter chosen;
  std::string_view rule = "marker";
  auto hit = last_marker(rule);
  if (!hit) {
    rule = "prose";
    hit = last_prose();
    if (!rules_.is_multi) {
      for (const auto& label : {label_after_verb(), label_after_colon()}) {
        if (label && (!hit || label->from > hit->from)) {
          hit = label;
          rule = "label";
        }
      }
    }
  }
  if (!hit) {
    rule = "line";
    hit = last_line();
  }
  if (!hit) {
    rule = "option_text";
    hit = whole_option_text();
  }
  if (!hit) {
    rule = "single_letter";
    hit = single_letter();
  }
  if (hit) {
    chosen.letters = hit->letters;
    chosen.from = f_.from[hit->from];
    chosen.to = f_.from[hit->to];
    chosen.rule = rule;
  }
  return chosen;
}

}  // namespace

ChosenLetter extract_choice(std::string_view text, const ChoiceRules& rules) {
  return Reader(text, rules).read();
}

}  // namespace r1eval
