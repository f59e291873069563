#include "graders/extract/choice_claims.h"

#include <algorithm>

#include "graders/extract/choice_context.h"
#include "graders/extract/choice_words.h"

namespace r1eval {
namespace {

class ClaimReader {
 public:
  ClaimReader(const FoldedText& folded, const std::vector<ChoiceToken>& tokens,
              const ClaimRules& rules)
      : f_(folded), tokens_(folded, tokens), rules_(rules) {}

  ChoiceClaims read();

 private:
  bool is_subject(std::size_t after) const;
  bool read_run(std::size_t i, ChoiceClaim& claim) const;
  ChoiceClaim read_group(std::size_t i) const;
  bool is_named_thing(const ChoiceClaim& claim) const;
  std::size_t line_start(std::size_t i) const;
  bool chooses(std::size_t end, std::uint32_t classes) const;
  bool answers_colon(const ChoiceClaim& claim) const;
  bool is_chosen_aside(const ChoiceClaim& claim) const;
  void judge(ChoiceClaim& claim) const;
  void find_lines();

  const FoldedText& f_;
  TokenView tokens_;
  const ClaimRules& rules_;
  ChoiceClaims claims_;
};

// Does the letter before `after` begin a clause of its own: "B, D is a distractor"?
bool ClaimReader::is_subject(std::size_t after) const {
  after = tokens_.skip_closers(after);
  return tokens_.has(after, kCopula | kFails | kHolds | kDeny | kNot | kMaybe) ||
         (tokens_.is(after, TokenKind::kWord) && tokens_[after].classes == 0);
}

// "ACD" in multi-select.
bool ClaimReader::read_run(std::size_t i, ChoiceClaim& claim) const {
  const ChoiceToken& token = tokens_[i];
  const std::size_t n = token.to - token.from;
  if (!rules_.is_multi || token.kind != TokenKind::kWord || n < 2 || n > rules_.options.size()) {
    return false;
  }
  std::string letters;
  const bool is_lower = f_.text[token.from] >= 'a';
  for (std::size_t k = token.from; k < token.to; ++k) {
    const char c = f_.text[k];
    const char letter = is_lower ? static_cast<char>(c - 'a' + 'A') : c;
    if (rules_.options.find(letter) == std::string_view::npos ||
        letters.find(letter) != std::string::npos) {
      return false;
    }
    letters += letter;
  }
  claim.is_lower = is_lower;
  claim.letters = letters;
  return true;
}

// The letter at `i` and those joined to it.
ChoiceClaim ClaimReader::read_group(std::size_t i) const {
  ChoiceClaim claim;
  claim.first = i;
  claim.last = i;
  if (read_run(i, claim)) {
    std::sort(claim.letters.begin(), claim.letters.end());
    claim.ends = tokens_.clause_ends(claim.last);
    return claim;
  }
  claim.is_lower = tokens_[i].is_lower;
  claim.letters = tokens_[i].letter;
  std::size_t j = i + 1;
  bool is_joined = false;
  bool is_or = false;
  bool is_comma_only = true;
  for (std::size_t steps = 0; steps < 8 && j < tokens_.size(); ++steps, ++j) {
    const ChoiceToken& token = tokens_[j];
    if (token.kind == TokenKind::kOpen || token.kind == TokenKind::kClose ||
        tokens_.has(j, kOption)) {
      continue;
    }
    if (token.kind == TokenKind::kJoin || token.kind == TokenKind::kComma ||
        (token.kind == TokenKind::kSemicolon && rules_.is_multi)) {
      is_comma_only = is_comma_only && token.kind == TokenKind::kComma;
      is_joined = true;
      continue;
    }
    if (rules_.is_multi &&
        (token.kind == TokenKind::kBox ||
         (token.kind == TokenKind::kLine && tokens_.is(j + 1, TokenKind::kDash)))) {
      is_joined = true;
      continue;
    }
    if (rules_.is_multi && token.kind == TokenKind::kDash && tokens_.is(j - 1, TokenKind::kLine)) {
      continue;
    }
    if (tokens_.has(j, kOr | kAnd) &&
        !(token.kind == TokenKind::kLetter && tokens_.is_label_letter(j) && !token.is_lower)) {
      is_joined = true;
      is_comma_only = false;
      is_or = is_or || (tokens_.has(j, kOr) && !tokens_.has(j, kAnd));
      continue;
    }
    const bool is_next = token.kind == TokenKind::kLetter && tokens_.is_label_letter(j) &&
                         (!token.is_lower || claim.is_lower) &&
                         !(token.letter == 'I' && !token.is_wrapped && tokens_.has(j + 1, ~0U));
    if (!is_next || (!is_joined && tokens_.is(j - 1, TokenKind::kOpen) && !token.is_wrapped)) {
      break;
    }
    if (is_comma_only && is_subject(j + 1)) {
      break;
    }
    if (claim.letters.find(token.letter) == std::string::npos) {
      claim.letters += token.letter;
    }
    claim.last = j;
    claim.is_or = claim.is_or || is_or;
    is_joined = false;
    is_comma_only = true;
    steps = 0;
  }
  std::sort(claim.letters.begin(), claim.letters.end());
  claim.ends = tokens_.clause_ends(claim.last);
  return claim;
}

// "Vitamin C", "point A": a word that says nothing here stands right before the letter.
bool ClaimReader::is_named_thing(const ChoiceClaim& claim) const {
  const ChoiceToken& token = tokens_[claim.first];
  if (claim.first == 0 || token.is_wrapped || token.is_set_apart) {
    return false;
  }
  const ChoiceToken& before = tokens_[claim.first - 1];
  return before.kind == TokenKind::kWord && (before.classes & ~(kPrep | kAnd | kOr)) == 0 &&
         before.to < token.from;
}

std::size_t ClaimReader::line_start(std::size_t i) const {
  while (i > 0 && !tokens_.is(i - 1, TokenKind::kLine)) {
    --i;
  }
  return i;
}

// Does the line, from its end back, choose: "the most likely", "therefore", "is"?
bool ClaimReader::chooses(std::size_t end, std::uint32_t classes) const {
  for (std::size_t steps = 0; steps < 2 * kMaxLeft && end > 0; ++steps) {
    --end;
    if (tokens_.is(end, TokenKind::kLine) || tokens_.is(end, TokenKind::kStop)) {
      break;
    }
    if (tokens_.has(end, classes)) {
      return true;
    }
  }
  return false;
}

// "Hence the motion is:" and then a line "C. a circle".
bool ClaimReader::answers_colon(const ChoiceClaim& claim) const {
  if (!claim.is_label || claim.is_list_item || claim.is_cell || claim.is_line) {
    return false;
  }
  const std::size_t start = line_start(claim.first);
  if (start < 3 || !tokens_.is(start - 2, TokenKind::kSign)) {
    return false;
  }
  return tokens_.has(start - 3, kCopula) ||
         chooses(start - 2, kSuper | kAffirm | kConclude | kAnchor | kChoose);
}

// "The most likely reason is that it is out of frame (option C)."
bool ClaimReader::is_chosen_aside(const ChoiceClaim& claim) const {
  const std::size_t next = claim.last + 1;
  return claim.first >= 2 && tokens_.has(claim.first - 1, kOption) &&
         tokens_.is(claim.first - 2, TokenKind::kOpen) && tokens_.is(next, TokenKind::kClose) &&
         tokens_.is_clause_end(next + 1) && chooses(claim.first - 2, kCopula) &&
         chooses(claim.first - 2, kSuper | kAffirm | kConclude | kAnchor);
}

void ClaimReader::judge(ChoiceClaim& claim) const {
  const std::size_t next = tokens_.skip_closers(claim.last + 1);
  if (tokens_.is(next, TokenKind::kQuestion)) {
    claim.kind = ClaimKind::kAsked;
    return;
  }
  const bool follows_denied =
      !claims_.groups.empty() && claims_.groups.back().kind == ClaimKind::kDenied;
  const LetterSpan span{claim.first, claim.last,     claim.is_lower,
                        claim.ends,  claim.is_label, claim.is_list_item};
  const Before before = look_before_letter(tokens_, span);
  const After after = look_after_letter(tokens_, span, follows_denied);
  if (before.is_denied || after == After::kDenied) {
    claim.kind = ClaimKind::kDenied;
    return;
  }
  if (after == After::kAsked) {
    claim.kind = ClaimKind::kAsked;
    return;
  }
  if ((claim.letters.size() > 1 && !rules_.is_multi) || claim.is_or) {
    return;  // several letters choose nothing
  }
  Head head = before.head;
  if (head == Head::kContrast) {
    // "not A but B".
    const bool is_near = follows_denied && claim.first - claims_.groups.back().last <= kMaxLeft;
    head = is_near ? head : Head::kNone;
  }
  if (before.is_idle) {
    return;
  }
  if (head == Head::kNone && (answers_colon(claim) || is_chosen_aside(claim))) {
    claim.kind = ClaimKind::kProse;
    return;
  }
  switch (head) {
    case Head::kBox:
      claim.kind = ClaimKind::kBox;
      return;
    case Head::kAnchor:
    case Head::kNamed:
    case Head::kOption:
      claim.kind = ClaimKind::kMarker;
      return;
    case Head::kNone:
      break;
    default:
      claim.kind = ClaimKind::kProse;
      return;
  }
  const bool is_firm = !claim.is_lower || tokens_[claim.first].is_wrapped;
  for (std::size_t i = claim.first, steps = 0; steps < 4 && i > 0 && !tokens_.is_clause_end(i - 1);
       --i, ++steps) {
    if (tokens_.has(i - 1, kIf) && !tokens_.has(i - 1, kReason)) {
      return;  // "assume B is correct"
    }
  }
  if ((after == After::kAffirmed || after == After::kWeak) && is_firm && !is_named_thing(claim)) {
    claim.kind = after == After::kAffirmed ? ClaimKind::kProse : ClaimKind::kWeak;
    claim.is_verdict = true;
    std::size_t i = next;
    while (i < next + 14 && !tokens_.is_clause_end(i)) {
      claim.is_also = claim.is_also || tokens_.has(i, kAlso);
      ++i;
    }
  }
}

// Lines, labels and lists.
void ClaimReader::find_lines() {
  std::size_t line = 0;
  std::size_t at = 0;
  for (ChoiceClaim& claim : claims_.groups) {
    for (; at < claim.first; ++at) {
      line += tokens_.is(at, TokenKind::kLine) && at > 0 ? 1 : 0;
    }
    claim.line = line;
    const ChoiceToken& letter = tokens_[claim.first];
    const bool is_start = tokens_.is_line_start(claim.first);
    std::size_t end = tokens_.skip_closers(claim.last + 1);
    const bool has_mark = end > claim.last + 1 || tokens_.is(end, TokenKind::kStop) ||
                          tokens_.is(end, TokenKind::kSign) || tokens_.is(end, TokenKind::kDash) ||
                          tokens_.is(end, TokenKind::kBar) || tokens_.is(end, TokenKind::kYes) ||
                          tokens_.is(end, TokenKind::kNo) || letter.is_set_apart ||
                          letter.is_wrapped;
    const bool is_one = claim.letters.size() == 1;
    const bool is_firm = !claim.is_lower || letter.is_wrapped;
    claim.is_label = is_start && has_mark && is_one && is_firm;
    while (tokens_.is(end, TokenKind::kStop) || tokens_.is(end, TokenKind::kSign) ||
           tokens_.is(end, TokenKind::kClose)) {
      ++end;
    }
    const bool is_line_end = end >= tokens_.size() || tokens_.is(end, TokenKind::kLine);
    claim.is_line = is_start && is_line_end && (is_one || rules_.is_multi) && !claim.is_or;
    claim.is_label = claim.is_label || (claim.is_line && is_one && is_firm);
    const bool is_aside =
        tokens_.is(end, TokenKind::kComma) || tokens_.has(end, kReason | kNot | kContrast);
    claim.is_reply_start = line == 0 && is_start && is_one && is_firm &&
                           (claim.is_label || (is_aside && letter.letter != 'I'));
    claim.is_cell = tokens_.is(tokens_.skip_closers(claim.last + 1), TokenKind::kBar);
  }
  for (; at < tokens_.size(); ++at) {
    line += tokens_.is(at, TokenKind::kLine) && at > 0 && at + 1 < tokens_.size() ? 1 : 0;
  }
  claims_.last_line = line;
  ChoiceClaim* last = nullptr;
  for (ChoiceClaim& claim : claims_.groups) {
    if (!claim.is_label) {
      continue;
    }
    // A label after a line with a colon begins anew.
    const std::size_t start = line_start(claim.first);
    const bool is_after_colon = start > 1 && tokens_.is(start - 2, TokenKind::kSign);
    if (last != nullptr && last->line < claim.line && !is_after_colon &&
        claim.letters[0] == last->letters[0] + 1) {
      last->is_list_item = true;
      claim.is_list_item = true;
    }
    last = &claim;
  }
  // "A) 1 B) 2 C) 3" in one line.
  std::vector<ChoiceClaim*> items;
  for (ChoiceClaim& claim : claims_.groups) {
    const std::size_t next = claim.last + 1;
    const bool has_mark = tokens_.is(next, TokenKind::kClose) ||
                          tokens_.is(next, TokenKind::kSign) ||
                          tokens_.is(next, TokenKind::kStop) || tokens_.is(next, TokenKind::kDash);
    if (claim.letters.size() != 1 || !has_mark) {
      continue;
    }
    if (!items.empty() && items.back()->line != claim.line) {
      items.clear();
    }
    const bool goes_on = !items.empty() && items.back()->letters[0] + 1 == claim.letters[0];
    if (!goes_on) {
      items.clear();
    }
    items.push_back(&claim);
    if (items.size() >= 3 && items.front()->letters == "A") {
      for (ChoiceClaim* item : items) {
        item->is_list_item = true;
      }
    }
  }
}

ChoiceClaims ClaimReader::read() {
  std::vector<ChoiceClaim> groups;
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    ChoiceClaim run;
    if (tokens_.is_label_letter(i) || read_run(i, run)) {
      groups.push_back(read_group(i));
      i = groups.back().last;
    }
  }
  claims_.groups = std::move(groups);
  find_lines();
  groups = std::move(claims_.groups);
  claims_.groups.clear();
  for (ChoiceClaim& claim : groups) {
    judge(claim);
    claims_.groups.push_back(std::move(claim));
  }
  std::size_t end = tokens_.size();
  while (end > 0 &&
         (tokens_.is(end - 1, TokenKind::kStop) || tokens_.is(end - 1, TokenKind::kLine) ||
          tokens_.is(end - 1, TokenKind::kClose) || tokens_.is(end - 1, TokenKind::kQuestion))) {
    --end;
  }
  while (end > 0 && !tokens_.is(end - 1, TokenKind::kStop) &&
         !tokens_.is(end - 1, TokenKind::kLine) && !tokens_.is(end - 1, TokenKind::kQuestion)) {
    --end;
  }
  claims_.last_sentence = end;
  return std::move(claims_);
}

}  // namespace

ChoiceClaims read_choice_claims(const FoldedText& folded, const std::vector<ChoiceToken>& tokens,
                                const ClaimRules& rules) {
  return ClaimReader(folded, tokens, rules).read();
}

}  // namespace r1eval
