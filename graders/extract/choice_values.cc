#include "graders/extract/choice_values.h"

#include <algorithm>
#include <array>

#include "base/verdict.h"
#include "graders/extract/choice_words.h"
#include "graders/math/equality.h"

namespace r1eval {
namespace {

constexpr std::size_t kMaxValueBytes = 1024;
constexpr std::size_t kMaxMathBytes = 128;
constexpr int kMaxValues = 64;  // markers whose value is compared, from the last one back

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_style(char c) {
  return c == '*' || c == '$' || c == '`' || c == '"' || c == '{' || c == '}' || c == '_' ||
         c == '#';
}

// Folded, with one space between words and without style, LaTeX commands, and ends of sentences.
std::string plain_words(std::string_view text) {
  std::string out;
  const std::string low = fold_choice_text(text.substr(0, kMaxValueBytes)).low;
  for (std::size_t i = 0; i < low.size(); ++i) {
    char c = low[i];
    if (c == '\\') {
      std::size_t end = i + 1;
      while (end < low.size() && is_letter(low[end])) {
        ++end;
      }
      const std::string_view name = std::string_view(low).substr(i + 1, end - i - 1);
      if (name.empty() || name.substr(0, 4) == "text" || name.substr(0, 4) == "math" ||
          name == "left" || name == "right" || name == "quad" || name == "boxed") {
        i = name.empty() ? i + 1 : end - 1;
        c = ' ';
      }
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '~') {
      if (!out.empty() && out.back() != ' ') {
        out += ' ';
      }
    } else if (!is_style(c)) {
      out += c;
    }
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '.' || out.back() == '!' ||
                          out.back() == ',' || out.back() == ';')) {
    out.pop_back();
  }
  return out;
}

bool starts_aside(std::string_view rest) {
  constexpr std::array<std::string_view, 9> kAsides = {", ",     "; ",   ". ",  " (", " because",
                                                       " since", " as ", " - ", ": "};
  return std::any_of(kAsides.begin(), kAsides.end(),
                     [&](std::string_view aside) { return rest.substr(0, aside.size()) == aside; });
}

}  // namespace

OptionTexts::OptionTexts(std::string_view options, std::span<const std::string> texts)
    : options_(options), texts_(texts.first(std::min(texts.size(), options.size()))) {
  for (const std::string& text : texts_) {
    words_.push_back(plain_words(text));
  }
}

// `may_go_on`: "Paris, the capital of France" names Paris. The longest option wins.
char OptionTexts::find_words(std::string_view value, bool may_go_on) const {
  char found = '\0';
  std::size_t best = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::string& option = words_[i];
    if (option.empty() || value.substr(0, option.size()) != option || option.size() < best) {
      continue;
    }
    const std::string_view rest = value.substr(option.size());
    if (!rest.empty() && !(may_go_on && starts_aside(rest))) {
      continue;
    }
    found = option.size() == best ? '\0' : options_[i];
    best = option.size();
  }
  return found;
}

char OptionTexts::find_math(std::string_view value) const {
  while (!value.empty() && (value.back() == '.' || value.back() == ' ' || value.back() == '*')) {
    value.remove_suffix(1);
  }
  if (value.size() > kMaxMathBytes || value.find_first_of("0123456789\\") == value.npos ||
      how_readable(value) != Readable::kMath) {
    return '\0';
  }
  char found = '\0';
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (texts_[i].size() > kMaxMathBytes || how_readable(texts_[i]) != Readable::kMath ||
        compare_math(texts_[i], value, MathRules()).outcome != Outcome::kCorrect) {
      continue;
    }
    if (found != '\0') {
      return '\0';
    }
    found = options_[i];
  }
  return found;
}

char OptionTexts::find(std::string_view low, std::string_view text, bool may_go_on) const {
  const char words = find_words(plain_words(low), may_go_on);
  return words != '\0' ? words : find_math(text);
}

bool OptionTexts::begins(char letter, std::string_view value) const {
  const std::size_t i = options_.find(letter);
  if (i >= words_.size() || words_[i].empty()) {
    return false;
  }
  const std::string words = plain_words(value);
  const std::string& option = words_[i];
  if (words.compare(0, option.size(), option) != 0) {
    return false;
  }
  const std::string_view rest = std::string_view(words).substr(option.size());
  return rest.empty() || starts_aside(rest);
}

std::optional<OptionValue> OptionTexts::last_marked(const FoldedText& folded,
                                                    const std::vector<ChoiceToken>& tokens) const {
  int budget = kMaxValues;
  for (std::size_t i = tokens.size(); i-- > 0 && budget > 0;) {
    const bool is_box = tokens[i].kind == TokenKind::kBox;
    if (!is_box && (tokens[i].classes & (kAnchor | kNamed | kPronoun)) == 0) {
      continue;
    }
    // The value may begin after any of the signs and empty words that follow.
    bool is_marked = is_box;
    for (std::size_t j = i + 1; j < tokens.size() && j < i + 8; ++j) {
      const ChoiceToken& token = tokens[j];
      if (is_marked && budget-- > 0) {
        // Quotes and signs before the value were no tokens.
        const std::size_t from = tokens[j].from;
        std::size_t end =
            std::min({folded.low.find('\n', from), folded.low.size(), from + kMaxValueBytes});
        const std::string_view value = std::string_view(folded.text).substr(from, end - from);
        std::string_view inner = value;
        if (is_box) {
          int depth = value.substr(0, 1) == "{" ? 0 : 1;
          for (std::size_t k = 0; k < value.size(); ++k) {
            depth += value[k] == '{' ? 1 : value[k] == '}' ? -1 : 0;
            if (depth <= 0) {
              inner = value.substr(0, k);
              break;
            }
          }
        }
        while (!inner.empty() &&
               (inner.back() == ')' || inner.back() == ']' || inner.back() == '\\') &&
               inner.find_first_of("([") == inner.npos) {
          inner.remove_suffix(1);
        }
        inner = inner.substr(0, inner.find("</"));
        const char letter =
            find(std::string_view(folded.low).substr(from, inner.size()), inner, true);
        if (letter != '\0') {
          std::size_t last = j;
          while (last + 1 < tokens.size() && tokens[last + 1].to <= from + inner.size()) {
            ++last;
          }
          return OptionValue{letter, from, from + inner.size(), last};
        }
      }
      const bool is_sign = token.kind == TokenKind::kSign || token.kind == TokenKind::kDash ||
                           (token.classes & kCopula) != 0;
      if (is_sign) {
        is_marked = true;
      } else if (token.kind != TokenKind::kOpen && token.kind != TokenKind::kLine &&
                 (token.classes & (kGlue | kAffirm | kAnchor | kOption)) == 0) {
        break;
      }
    }
  }
  return std::nullopt;
}

std::optional<OptionValue> OptionTexts::last_line(const FoldedText& folded) const {
  std::size_t end = folded.text.size();
  while (end > 0 && (folded.text[end - 1] == '\n' || folded.text[end - 1] == ' ' ||
                     folded.text[end - 1] == '\r' || folded.text[end - 1] == '\t')) {
    --end;
  }
  if (end == 0) {
    return std::nullopt;
  }
  const std::size_t line = folded.text.rfind('\n', end - 1);
  const std::size_t from = line == std::string::npos ? 0 : line + 1;
  if (end - from > kMaxValueBytes) {
    return std::nullopt;
  }
  const std::string_view value = std::string_view(folded.low).substr(from, end - from);
  const bool is_whole = folded.text.find_first_not_of(" \r\n\t") >= from;
  const char letter =
      is_whole ? find(value, std::string_view(folded.text).substr(from, end - from), false)
               : find_words(plain_words(value), false);
  return letter != '\0' ? std::optional<OptionValue>(OptionValue{letter, from, end, 0})
                        : std::nullopt;
}

}  // namespace r1eval
