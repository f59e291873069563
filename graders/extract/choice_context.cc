#include "graders/extract/choice_context.h"

#include <array>

#include "graders/extract/choice_words.h"

namespace r1eval {
namespace {

constexpr std::size_t kMaxRight = 14;   // tokens looked at after a letter
constexpr std::size_t kMaxClause = 40;  // tokens of a clause looked at for "therefore"
constexpr std::size_t kMaxGap = 12;     // words between "answer" and "is"

// Walks from a letter to the left over words that say nothing of their own, and keeps the
// strongest head that it meets.
class Lookback {
 public:
  Lookback(const TokenView& tokens, const LetterSpan& span);

  Before run();

 private:
  void offer(Head head, std::size_t at);
  void offer_gap(std::size_t end);
  bool may_lead(Head head, std::size_t at) const;
  bool chooses_before(std::size_t i) const;
  bool step(std::size_t i);
  bool step_tick(std::size_t i);
  bool step_negation(std::size_t i);
  bool step_anchor(std::size_t i);
  bool step_word(std::size_t i);
  Head head_in_gap(std::size_t end) const;
  void look_around_head();

  const TokenView& tokens_;
  const LetterSpan& span_;
  std::size_t next_;  // the token after the letter and its brackets
  bool is_wrapped_;
  bool is_firm_;  // may stand in a sentence: upper case or in brackets
  bool is_free_;  // not the subject of something else: "so A is the area"
  Before before_;
  std::size_t head_at_;
  // What was crossed on the way.
  bool sign_ = false;
  bool copula_ = false;
  bool comma_ = false;
  bool line_ = false;
  bool preposition_ = false;  // with
  bool to_ = false;
  bool option_ = false;
  bool statement_ = false;
  bool affirm_ = false;
  bool deny_ = false;
};

struct Lead {
  std::uint32_t classes;
  Head head;
};

constexpr std::array<Lead, 5> kWordLeads = {{{kOption, Head::kOption},
                                             {kAffirm, Head::kAffirm},
                                             {kChoose, Head::kChoose},
                                             {kNamed, Head::kNamed},
                                             {kOnly, Head::kOnly}}};
// These also reach over a comma: "Hence, C".
constexpr std::array<Lead, 3> kSentenceLeads = {
    {{kConclude, Head::kConclude}, {kCorrection, Head::kCorrection}, {kContrast, Head::kContrast}}};

Lookback::Lookback(const TokenView& tokens, const LetterSpan& span)
    : tokens_(tokens),
      span_(span),
      next_(tokens.skip_closers(span.last + 1)),
      is_wrapped_(tokens[span.first].is_wrapped),
      is_firm_(!span.is_lower || is_wrapped_),
      is_free_(span.ends && !tokens.has(next_, kMaybe | kHolds | kFails | kBelieve) &&
               !(tokens.has(next_, kCopula) && !tokens.is_clause_end(next_ + 1) &&
                 !tokens.has(next_ + 1, kReason))),
      head_at_(span.first) {}

bool Lookback::may_lead(Head head, std::size_t at) const {
  if (line_ && span_.is_list_item && head != Head::kBox) {
    return false;
  }
  switch (head) {
    case Head::kNone:
      return false;
    case Head::kBox:
      return true;
    case Head::kAnchor: {
      const bool is_listed = span_.is_list_item && !span_.is_label;
      const bool is_heading = line_ || (tokens_.is_line_start(at) && tokens_.is_clause_end(next_));
      return !is_listed && !preposition_ &&
             (sign_ || copula_ ? is_firm_ || span_.ends : span_.ends && (is_firm_ || is_heading));
    }
    case Head::kNamed:
    case Head::kOption:
      return (sign_ || copula_) && is_free_ && !span_.is_list_item && !preposition_;
    case Head::kAffirm:
      return (sign_ || copula_ || (affirm_ && option_)) && is_free_ && is_firm_ && !preposition_ &&
             !to_;
    case Head::kChoose:
      return !copula_ && !to_ && is_firm_ && (span_.ends || option_) &&
             (is_free_ || !tokens_.has(next_, kCopula));
    case Head::kPronoun:
      return copula_ && is_free_ && is_firm_ && !preposition_ && !to_;
    case Head::kLabelled:
      return span_.ends && is_firm_ && !span_.is_list_item && !line_ &&
             (tokens_[span_.first].is_labelled || option_) &&
             (tokens_[span_.first].is_bold || chooses_before(at));
    case Head::kOnly:
      return span_.ends && is_firm_ && !preposition_;
    case Head::kMatch:
      return !copula_ && is_free_ && is_firm_;
    case Head::kTick:
    case Head::kConclude:
    case Head::kContrast:
    case Head::kCorrection:
      break;
  }
  const bool is_pronoun = tokens_[span_.first].letter == 'I' && !is_wrapped_ &&
                          tokens_.is(next_, TokenKind::kComma);  // "so I, too"
  return is_free_ && is_firm_ && !preposition_ && !to_ && !is_pronoun;
}

// Does the clause say that it chooses: "the most likely", "the correct", "therefore"?
bool Lookback::chooses_before(std::size_t i) const {
  for (std::size_t steps = 0; steps < kMaxClause && i > 0; ++steps) {
    --i;
    if (tokens_.is(i, TokenKind::kStop) || tokens_.is(i, TokenKind::kLine) ||
        tokens_.is(i, TokenKind::kQuestion)) {
      break;
    }
    if (tokens_.has(i, kSuper | kAffirm | kConclude | kAnchor | kTrue)) {
      return true;
    }
  }
  return false;
}

void Lookback::offer(Head head, std::size_t at) {
  if (head > before_.head && may_lead(head, at)) {
    before_.head = head;
    head_at_ = at;
  }
}

// Between "answer" and the "is" before a letter: words that do not change who is meant.
Head Lookback::head_in_gap(std::size_t i) const {
  for (std::size_t steps = 0; steps < kMaxGap && i > 0; ++steps) {
    --i;
    const ChoiceToken& token = tokens_[i];
    switch (token.kind) {
      case TokenKind::kNumber:
      case TokenKind::kComma:
      case TokenKind::kOpen:
      case TokenKind::kClose:
        break;
      case TokenKind::kLetter:
        if (tokens_.is_label_letter(i)) {
          return Head::kNone;
        }
        break;
      case TokenKind::kWord:
        if (tokens_.has(i, kAnchor | kOption)) {
          return tokens_.has(i, kAnchor) ? Head::kAnchor : Head::kOption;
        }
        // "the statement that is true"
        if (tokens_.has(i, kCopula) && i > 0 && tokens_.has(i - 1, kPronoun)) {
          break;
        }
        if (tokens_.has(i, kNot | kDeny | kIf | kContrast | kCopula) ||
            (tokens_.has(i, kPronoun) && !tokens_.has(i, kGlue))) {
          return Head::kNone;
        }
        break;
      default:
        return Head::kNone;
    }
  }
  return Head::kNone;
}

void Lookback::offer_gap(std::size_t end) {
  if (span_.ends && is_firm_) {
    offer(head_in_gap(end), end - 1);
  }
}

// What stands before the head: "the wrong answer", "I would not choose", "if the answer".
void Lookback::look_around_head() {
  bool believes = false;
  std::size_t i = head_at_;
  for (std::size_t steps = 0; steps < 8 && i > 0; ++steps) {
    --i;
    if (tokens_[i].kind != TokenKind::kWord ||
        (tokens_.has(i, kContrast) && !tokens_.has(i, kNot))) {
      break;
    }
    const bool is_noun = before_.head == Head::kAnchor || before_.head == Head::kOption;
    if (tokens_.has(i, kDeny) && is_noun && !tokens_.has(head_at_, kStatement) &&
        head_at_ - i <= 2) {
      before_.is_denied = true;
    }
    if (tokens_.has(i, kNot) && !tokens_.has(i, kCorrection) &&
        (before_.head == Head::kChoose || believes || head_at_ - i <= 1)) {
      before_.is_denied = true;
    }
    believes = believes || tokens_.has(i, kBelieve);
    const bool is_condition = tokens_.has(i, kIf) && !tokens_.has(i, kReason);
    before_.is_idle = before_.is_idle || is_condition || tokens_.has(i, kPast);
  }
}

// Each step looks at one token and tells whether to go on to the left.
bool Lookback::step(std::size_t i) {
  const ChoiceToken& token = tokens_[i];
  switch (token.kind) {
    case TokenKind::kOpen:
    case TokenKind::kClose:
      return true;
    case TokenKind::kBox:
      offer(Head::kBox, i);
      return false;
    case TokenKind::kSign: {
      const bool is_arrow = tokens_.has(i, kConclude);
      if (is_arrow && !sign_ && !copula_ && !(i > 0 && tokens_.is_label_letter(i - 1))) {
        offer(Head::kConclude, i);
      }
      sign_ = true;
      return true;
    }
    case TokenKind::kDash:
      sign_ = sign_ || !(i == 0 || tokens_.is(i - 1, TokenKind::kLine));
      return true;
    case TokenKind::kBar: {
      const bool is_first = !sign_ && !line_;
      sign_ = true;
      return is_first;
    }
    case TokenKind::kComma:
      if (copula_ && !sign_ && !line_) {
        offer_gap(i);  // "The answer, then, is B"
        return false;
      }
      if (comma_ || sign_ || line_) {
        return false;
      }
      comma_ = true;
      return true;
    case TokenKind::kLine:
      if (line_) {
        return false;
      }
      line_ = true;
      return true;
    case TokenKind::kYes:
    case TokenKind::kNo:
      return step_tick(i);
    case TokenKind::kNumber:
      if (copula_ && !line_ && !comma_) {
        offer_gap(i + 1);
      }
      return false;
    case TokenKind::kLetter:
      return !tokens_.is_label_letter(i) && step_word(i);
    case TokenKind::kWord:
      return step_word(i);
    case TokenKind::kSemicolon:
    case TokenKind::kStop:
    case TokenKind::kQuestion:
    case TokenKind::kJoin:
      break;
  }
  return false;
}

// "✅ C" at the start of a line; "Answer: ✅ C".
bool Lookback::step_tick(std::size_t i) {
  if (line_) {
    return false;
  }
  if (!tokens_.is_line_start(i)) {
    return tokens_.is(i, TokenKind::kYes);
  }
  before_.is_denied = tokens_.is(i, TokenKind::kNo);
  offer(Head::kTick, i);
  return false;
}

bool Lookback::step_negation(std::size_t i) {
  if (tokens_.has(i, kContrast) && !copula_ && !sign_) {
    offer(Head::kContrast, i);
  } else if (tokens_.has(i, kCorrection) && (sign_ || comma_)) {
    offer(Head::kCorrection, i);  // "no: B"
  } else if (!line_ && !comma_) {
    before_.is_denied = true;
  }
  return false;
}

bool Lookback::step_anchor(std::size_t i) {
  before_.is_denied = deny_;
  // "Students answer A" needs a sign; "Answer A." and "the correct answer A" do not.
  const bool is_verb = !sign_ && !copula_ && i > 0 && tokens_.is(i - 1, TokenKind::kWord) &&
                       tokens_[i - 1].classes == 0 && tokens_.reads(i, "answer");
  if ((!comma_ || sign_ || copula_) && !is_verb) {
    offer(Head::kAnchor, i);
  }
  return false;
}

bool Lookback::step_word(std::size_t i) {
  const std::uint32_t c = tokens_[i].classes;
  if ((c & kNot) != 0) {
    return step_negation(i);
  }
  if ((c & kAnchor) != 0) {
    return step_anchor(i);
  }
  if (line_) {
    // Only a heading reaches over the end of its line.
    for (const Lead& lead : kWordLeads) {
      if ((c & lead.classes) != 0 && (sign_ || copula_)) {
        offer(lead.head, i);
      }
    }
    copula_ = copula_ || (c & kCopula) != 0;
    return (c & (kCopula | kGlue | kOption | kAffirm)) != 0;
  }
  if (comma_) {
    for (const Lead& lead : kSentenceLeads) {
      if ((c & lead.classes) != 0) {
        offer(lead.head, i);
      }
    }
    copula_ = copula_ || (c & kCopula) != 0;
    return (c & (kGlue | kConclude | kCopula)) != 0;
  }
  option_ = option_ || (c & kOption) != 0;
  statement_ = statement_ || (c & kStatement) != 0;
  affirm_ = affirm_ || (c & kAffirm) != 0;
  deny_ = deny_ || (c & kDeny) != 0;
  copula_ = copula_ || ((c & kCopula) != 0 && (c & kGlue) == 0);
  if ((c & (kCopula | kTo | kPrep)) != 0 || tokens_.reads(i, "as ") || tokens_.reads(i, "of ")) {
    offer(Head::kLabelled, i);
  }
  for (const Lead& lead : kWordLeads) {
    if ((c & lead.classes) != 0) {
      offer(lead.head, i);
    }
  }
  for (const Lead& lead : kSentenceLeads) {
    if ((c & lead.classes) != 0) {
      offer(lead.head, i);
    }
  }
  if ((c & (kPronoun | kBelieve)) != 0 && copula_) {
    offer(Head::kPronoun, i);
  }
  if ((c & kBelieve) != 0 && !copula_ && tokens_.is_clause_end(next_)) {
    offer(Head::kConclude, i);  // "I think C."
  }
  // "(A) implies (B)"
  const std::size_t subject = tokens_.skip_closers_back(i);
  const bool is_letter_before = subject > 0 && tokens_.is(subject - 1, TokenKind::kLetter);
  if (!is_letter_before &&
      ((c & kLeaves) != 0 || ((c & kMatch) != 0 && (option_ || is_wrapped_)))) {
    offer(Head::kMatch, i);
  }
  preposition_ = preposition_ || (c & kPrep) != 0;
  to_ = to_ || ((c & kTo) != 0 && !tokens_.has(i + 1, kCopula));  // not "has to be"
  constexpr std::uint32_t kEmpty =
      kGlue | kMaybe | kOption | kAffirm | kDeny | kCopula | kPrep | kTo;
  if ((c & kLeaves) != 0 && copula_) {
    return true;  // "the closest match is option D"
  }
  if ((c & kEmpty) != 0 && (c & kContrast) == 0) {
    return true;
  }
  if ((copula_ || sign_) && before_.head < Head::kOption) {
    offer_gap(i + 1);  // "The answer that fits best is B"
  }
  return false;
}

Before Lookback::run() {
  std::size_t i = span_.first;
  for (std::size_t steps = 0; steps < kMaxLeft && i > 0; ++steps) {
    --i;
    if (!step(i)) {
      break;
    }
  }
  if (before_.head != Head::kNone && before_.head != Head::kBox) {
    look_around_head();
  }
  if (deny_ && before_.head == Head::kOption && !statement_) {
    before_.is_denied = true;
  }
  if (deny_ && before_.head == Head::kNone && (copula_ || sign_) && is_free_ && is_firm_) {
    before_.head = Head::kAffirm;  // "the false one is D"
  }
  return before_;
}

}  // namespace

Before look_before_letter(const TokenView& tokens, const LetterSpan& span) {
  return Lookback(tokens, span).run();
}

// What follows: "is correct", "is wrong", "正确", a tick.
After look_after_letter(const TokenView& tokens, const LetterSpan& span, bool follows_denied) {
  std::size_t i = tokens.skip_closers(span.last + 1);
  bool is_label = false;
  if (span.is_list_item) {
    // "A) true", "Option B: wrong", "| C | correct |".
    while (i <= span.last + 4 &&
           (tokens.is(i, TokenKind::kStop) || tokens.is(i, TokenKind::kSign) ||
            tokens.is(i, TokenKind::kDash) || tokens.is(i, TokenKind::kBar) ||
            tokens.is(i, TokenKind::kClose) || tokens.is(i, TokenKind::kOpen))) {
      is_label = true;
      ++i;
    }
  }
  bool copula = false;
  bool is_not = false;
  bool maybe = false;
  bool is_would = false;
  bool also = false;
  bool particle = false;
  bool pronoun = false;
  bool superlative = false;  // "is the most likely"
  const auto verdict = [&](std::size_t at, After affirmed) {
    std::size_t end = at + 1;
    while (end < at + 16 && (tokens.has(end, kOption | kAnchor | kAlso | kCopula | kGlue) ||
                             tokens.is(end, TokenKind::kClose))) {
      also = also || tokens.has(end, kAlso);
      ++end;
    }
    if (tokens.is(end, TokenKind::kQuestion)) {
      return After::kAsked;
    }
    if (is_label && !tokens.is_clause_end(end) && !tokens.has(end, kReason | kContrast) &&
        !tokens.is(end, TokenKind::kDash) && !tokens.is(end, TokenKind::kOpen) &&
        !tokens.is(end, TokenKind::kYes) && !tokens.is(end, TokenKind::kNo)) {
      return After::kNothing;
    }
    if (is_not) {
      return affirmed == After::kDenied ? After::kNothing : After::kDenied;
    }
    // "B would be the correct answer", but not "would be correct if" and "could be correct".
    if (maybe && affirmed != After::kDenied && !(is_would && tokens.is_clause_end(end))) {
      return After::kNothing;
    }
    return affirmed == After::kAffirmed && also ? After::kWeak : affirmed;
  };
  for (std::size_t steps = 0; steps < kMaxRight; ++steps, ++i) {
    if (i >= tokens.size() || tokens.is_clause_end(i)) {
      // "A is not.", "so B it is.", "A is wrong. B is."
      if (copula && is_not) {
        return After::kDenied;
      }
      return copula && (pronoun || (follows_denied && !tokens.is(i, TokenKind::kComma)))
                 ? After::kWeak
                 : After::kNothing;
    }
    const ChoiceToken& token = tokens[i];
    const std::uint32_t c = token.classes;
    if (token.kind == TokenKind::kQuestion) {
      return After::kAsked;
    }
    if (token.kind == TokenKind::kYes || token.kind == TokenKind::kNo) {
      return token.kind == TokenKind::kYes ? After::kAffirmed : After::kDenied;
    }
    if (token.kind == TokenKind::kOpen && !copula && !is_not) {
      return After::kNothing;
    }
    if (token.kind != TokenKind::kWord) {
      return After::kNothing;
    }
    if ((c & kDeny) != 0) {
      return verdict(i, After::kDenied);
    }
    if ((c & kFails) != 0 && (copula || (c & kFunction) != 0)) {
      return verdict(i, After::kDenied);
    }
    if ((c & kHolds) != 0 && !copula) {
      return verdict(i, After::kWeak);
    }
    if ((c & kAffirm) != 0) {
      return verdict(i, After::kAffirmed);
    }
    if ((c & kTrue) != 0) {
      return verdict(i, After::kWeak);
    }
    if ((c & kAnchor) != 0) {
      return copula || particle ? verdict(i, After::kAffirmed) : After::kNothing;
    }
    if ((c & kChoose) != 0 && particle) {
      return verdict(i, After::kAffirmed);
    }
    superlative = superlative || (copula && (c & kSuper) != 0 && (c & kGlue) == 0) ||
                  (copula && tokens.has(i - 1, kSuper) && (c & kConclude) != 0);
    if ((c & kNot) != 0) {
      if ((c & kContrast) != 0) {
        return After::kDenied;
      }
      is_not = true;
      // "B, not A" says nothing against B.
      if (!copula && !is_label) {
        const std::size_t next = i + 1;
        if (!tokens.has(next, kAffirm | kTrue | kAnchor | kCopula | kGlue) &&
            !tokens.is_clause_end(next)) {
          return After::kNothing;
        }
      }
      if (is_label && tokens.is_clause_end(i + 1)) {
        return After::kDenied;
      }
      continue;
    }
    if ((c & kCopula) != 0) {
      copula = true;
      particle = true;
      continue;
    }
    if ((c & kAlso) != 0) {
      also = true;
      continue;
    }
    if ((c & kMaybe) != 0) {
      maybe = true;
      is_would = tokens.reads(i, "would");
      continue;
    }
    if ((c & kPronoun) != 0 && !copula) {
      pronoun = true;
      continue;
    }
    if ((c & kOnly) != 0 && copula && tokens.reads(i - 1, "the")) {
      return verdict(i, After::kAffirmed);  // "is the only one"
    }
    if ((c & (kGlue | kOption | kOnly)) != 0) {
      particle = particle || (c & kGlue) != 0;
      continue;
    }
    if (copula && is_not) {
      return After::kDenied;  // "is not supported"
    }
    if (superlative) {
      return verdict(i, After::kAffirmed);
    }
    return After::kNothing;
  }
  return After::kNothing;
}

}  // namespace r1eval
