// Every letter that may name an option is read with its surroundings: what stands before it
// ("the answer is", "not", "hence") and what follows it ("is correct", "is a distractor"). That
// makes it a claim, a denial or neither; the last claim of the strongest kind is the answer.
#include "graders/extract/choice.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "graders/extract/choice_claims.h"
#include "graders/extract/choice_tokens.h"
#include "graders/extract/choice_values.h"
#include "graders/extract/choice_words.h"

namespace r1eval {
namespace {

class Reader {
 public:
  Reader(std::string_view text, const ChoiceRules& rules)
      : rules_(rules),
        folded_(fold_choice_text(text)),
        tokens_(tokenize_choice_text(folded_, {rules.options, rules.is_case_sensitive})),
        claims_(read_choice_claims(folded_, tokens_, {rules.options, rules.is_multi})) {}

  ChosenLetter read() const;

 private:
  struct Hit {
    std::string letters;
    std::size_t from = 0;
    std::size_t to = 0;
    std::string_view rule;
  };

  Hit hit_of(const ChoiceClaim& claim, std::string_view rule) const {
    return {claim.letters, tokens_[claim.first].from, tokens_[claim.last].to, rule};
  }

  bool has_correction_between(std::size_t from, std::size_t to) const;
  std::optional<Hit> last_marker() const;
  std::optional<Hit> last_prose() const;
  std::optional<Hit> label_with_text() const;
  std::optional<Hit> letter_line() const;
  std::optional<Hit> label_line() const;
  std::optional<Hit> whole_option_text() const;
  std::optional<Hit> single_letter() const;
  bool is_apart(const ChoiceClaim& claim) const;

  const ChoiceRules& rules_;
  FoldedText folded_;
  std::vector<ChoiceToken> tokens_;
  ChoiceClaims claims_;
};

bool Reader::has_correction_between(std::size_t from, std::size_t to) const {
  for (std::size_t i = from; i < to; ++i) {
    if ((tokens_[i].classes & kCorrection) != 0) {
      return true;
    }
  }
  return false;
}

std::optional<Reader::Hit> Reader::last_marker() const {
  std::optional<Hit> best;
  std::size_t end = 0;  // the token after it
  for (const ChoiceClaim& claim : claims_.groups) {
    if (claim.kind == ClaimKind::kBox || claim.kind == ClaimKind::kMarker) {
      best = hit_of(claim, claim.kind == ClaimKind::kBox ? "boxed" : "marker");
      end = claim.last + 1;
    }
  }
  // An option's own text after a marker counts as its letter.
  if (!rules_.option_texts.empty() && !rules_.is_multi) {
    const OptionTexts texts(rules_.options, rules_.option_texts);
    if (const auto value = texts.last_marked(folded_, tokens_)) {
      if (!best || value->from > best->to) {
        best = Hit{std::string(1, value->letter), value->from, value->to, "option_text"};
        end = value->last + 1;
      }
    }
  }
  if (!best) {
    return best;
  }
  // "Answer: A. Wait, no: it is B."
  for (const ChoiceClaim& claim : claims_.groups) {
    if (claim.kind == ClaimKind::kProse && claim.first >= end &&
        has_correction_between(end, claim.first)) {
      best = hit_of(claim, "prose");
    }
  }
  return best;
}

std::optional<Reader::Hit> Reader::last_prose() const {
  std::optional<Hit> best;
  std::string weak;  // letters called true, or correct "too": several of them decide nothing
  std::string all;
  for (const ChoiceClaim& claim : claims_.groups) {
    if (claim.kind == ClaimKind::kProse) {
      best = hit_of(claim, "prose");
      weak.clear();
      if (claim.is_verdict) {
        all += claim.letters;
      } else {
        all.clear();
      }
    } else if (claim.kind == ClaimKind::kWeak) {
      weak += claim.letters;
      all += claim.letters;
      if (!best || claim.is_also) {
        best = hit_of(claim, "prose");
      }
      if (claim.is_also) {
        weak += all;
      }
    }
  }
  if (!best) {
    return best;
  }
  if (rules_.is_multi && !all.empty()) {
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    best->letters = all;
  } else if (weak.find_first_not_of(best->letters) != std::string::npos) {
    return std::nullopt;
  }
  return best;
}

// "is known as C. behaviorism": a label in a sentence with the option's own text to its end.
std::optional<Reader::Hit> Reader::label_with_text() const {
  if (rules_.option_texts.empty() || rules_.is_multi) {
    return std::nullopt;
  }
  const OptionTexts texts(rules_.options, rules_.option_texts);
  std::optional<Hit> best;
  int budget = 64;
  for (auto claim = claims_.groups.rbegin(); claim != claims_.groups.rend() && !best; ++claim) {
    std::size_t before = claim->first;
    while (before > 0 && tokens_[before - 1].kind == TokenKind::kOpen) {
      --before;
    }
    const bool is_in_sentence =
        before > 0 && tokens_[before - 1].kind == TokenKind::kWord &&
        (tokens_[before - 1].classes & (kOption | kAnd | kOr | kContrast | kNot)) == 0;
    if (claim->kind != ClaimKind::kNone || claim->letters.size() != 1 || claim->is_list_item ||
        claim->is_lower || !is_in_sentence || claim->last + 1 >= tokens_.size() || --budget < 0) {
      continue;
    }
    const ChoiceToken& mark = tokens_[claim->last + 1];
    if (mark.kind != TokenKind::kStop && mark.kind != TokenKind::kClose &&
        mark.kind != TokenKind::kSign) {
      continue;
    }
    const std::size_t end = std::min(folded_.low.find('\n', mark.to), folded_.low.size());
    if (texts.begins(claim->letters[0],
                     std::string_view(folded_.low).substr(mark.to, end - mark.to))) {
      best = hit_of(*claim, "label");
    }
  }
  return best;
}

// A line that is a letter, the last one; two such lines in a row are a list.
std::optional<Reader::Hit> Reader::letter_line() const {
  std::optional<Hit> best;
  std::size_t best_line = 0;
  for (const ChoiceClaim& claim : claims_.groups) {
    if (!claim.is_line || claim.kind == ClaimKind::kDenied) {
      continue;
    }
    if (best && claim.line == best_line + 1 && best->letters != claim.letters) {
      best.reset();
    } else {
      best = hit_of(claim, "line");
    }
    best_line = claim.line;
  }
  return best;
}

// A reply that begins or ends with a labelled line: "C. The rate triples".
std::optional<Reader::Hit> Reader::label_line() const {
  for (const bool is_first : {true, false}) {
    for (std::size_t i = 0; i < claims_.groups.size(); ++i) {
      const ChoiceClaim& claim = claims_.groups[i];
      // "(A) implies (B)" speaks of two.
      if (i + 1 < claims_.groups.size() && claims_.groups[i + 1].line == claim.line &&
          tokens_[claim.first].is_wrapped && tokens_[claims_.groups[i + 1].first].is_wrapped) {
        continue;
      }
      const bool is_there = is_first ? claim.line == 0 && claim.is_reply_start
                                     : claim.line == claims_.last_line && claim.is_label;
      if (is_there && !claim.is_list_item && !claim.is_cell && claim.kind != ClaimKind::kDenied &&
          claim.kind != ClaimKind::kAsked) {
        return hit_of(claim, "line");
      }
    }
  }
  return std::nullopt;
}

std::optional<Reader::Hit> Reader::whole_option_text() const {
  if (rules_.option_texts.empty() || rules_.is_multi) {
    return std::nullopt;
  }
  const OptionTexts texts(rules_.options, rules_.option_texts);
  const auto value = texts.last_line(folded_);
  return value ? std::optional<Hit>(
                     Hit{std::string(1, value->letter), value->from, value->to, "option_text"})
               : std::nullopt;
}

// A letter that is no part of a name or a sentence about it.
bool Reader::is_apart(const ChoiceClaim& claim) const {
  const ChoiceToken& letter = tokens_[claim.first];
  std::size_t left = claim.first;
  while (left > 0 && (tokens_[left - 1].kind == TokenKind::kOpen ||
                      (tokens_[left - 1].classes & kOption) != 0)) {
    --left;
  }
  std::size_t right = claim.last + 1;
  while (right < tokens_.size() && tokens_[right].kind == TokenKind::kClose) {
    ++right;
  }
  const bool is_aside = left + 2 <= claim.first && tokens_[left].kind == TokenKind::kOpen;
  const bool is_end = right == tokens_.size() || tokens_[right].kind == TokenKind::kStop ||
                      tokens_[right].kind == TokenKind::kLine;
  // "B because", "B, not A", but not "B would be" or "B is the base".
  constexpr std::uint32_t kGoesOn = kReason | kContrast | kNot | kConclude | kCorrection | kOption;
  const bool is_free = claim.ends && (is_end || tokens_[right].kind != TokenKind::kWord ||
                                      ((tokens_[right].classes & kGoesOn) != 0 &&
                                       (tokens_[right].classes & (kCopula | kMaybe)) == 0));
  if (left == 0) {
    return is_free;
  }
  if (is_aside && is_end) {
    return true;  // "12 J (option C)"
  }
  const ChoiceToken& before = tokens_[left - 1];
  const bool follows_word = before.kind == TokenKind::kWord || before.kind == TokenKind::kLetter;
  if (letter.is_wrapped && follows_word) {
    // "12 J (C)", but not "carbon (C)", "see (C)".
    bool has_value = false;
    for (std::size_t i = left; i > 0 && i + 5 > left; --i) {
      has_value = has_value || tokens_[i - 1].kind == TokenKind::kNumber;
    }
    return is_end && has_value;
  }
  if (letter.is_wrapped || letter.is_set_apart) {
    return is_end;
  }
  if (follows_word) {
    return is_end && (before.classes & (kConclude | kMaybe | kCorrection | kChoose | kAffirm)) != 0;
  }
  return is_free;
}

// Exactly one letter stands alone in the last sentence.
std::optional<Reader::Hit> Reader::single_letter() const {
  std::optional<Hit> found;
  for (const ChoiceClaim& claim : claims_.groups) {
    if (claim.last < claims_.last_sentence || claim.kind == ClaimKind::kDenied ||
        (claim.is_lower && !tokens_[claim.first].is_wrapped)) {
      continue;
    }
    if (claim.kind == ClaimKind::kAsked || (found && found->letters != claim.letters) ||
        (claim.letters.size() > 1 && !rules_.is_multi)) {
      return std::nullopt;
    }
    if (!is_apart(claim) || claim.is_list_item ||
        (claim.letters == "I" && !tokens_[claim.first].is_wrapped)) {
      return std::nullopt;
    }
    found = hit_of(claim, "single_letter");
  }
  return found;
}

ChosenLetter Reader::read() const {
  auto hit = last_marker();
  if (!hit) {
    hit = last_prose();
  }
  if (!hit) {
    hit = label_with_text();
  }
  if (!hit) {
    hit = letter_line();
  }
  if (!hit) {
    hit = label_line();
  }
  if (!hit) {
    hit = whole_option_text();
  }
  if (!hit) {
    hit = single_letter();
  }
  ChosenLetter chosen;
  if (hit) {
    chosen.letters = hit->letters;
    chosen.from = folded_.from[hit->from];
    chosen.to = folded_.from[hit->to];
    chosen.rule = hit->rule;
  }
  return chosen;
}

}  // namespace

ChosenLetter extract_choice(std::string_view text, const ChoiceRules& rules) {
  return Reader(text, rules).read();
}

}  // namespace r1eval
