// What stands before and after an option letter, and what it makes of it.
//
// Looks at a bounded number of tokens on either side.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graders/extract/choice_tokens.h"

namespace r1eval {

inline constexpr std::size_t kMaxLeft = 20;  // tokens looked at before a letter

// One letter, or several that are joined, as the context sees it.
struct LetterSpan {
  std::size_t first = 0;  // tokens
  std::size_t last = 0;
  bool is_lower = false;
  bool ends = false;          // its clause ends after it, or goes on as after a label
  bool is_label = false;      // "C. ..." at the start of a line
  bool is_list_item = false;  // one of several labels in a row
};

// What gives a letter its standing, from what stands before it; later ones are stronger.
enum class Head : std::uint8_t {
  kNone,
  kTick,
  kConclude,
  kLabelled,  // "is **C. text**" in a clause that chooses
  kOnly,
  kMatch,
  kPronoun,
  kContrast,
  kCorrection,
  kChoose,
  kOption,
  kAffirm,
  kNamed,
  kAnchor,
  kBox,
};

struct Before {
  Head head = Head::kNone;
  bool is_denied = false;
  bool is_idle = false;  // conditional or past: no claim
};

enum class After : std::uint8_t { kNothing, kAffirmed, kWeak, kDenied, kAsked };

// "The answer is", "not", "hence": what stands before the letter.
Before look_before_letter(const TokenView& tokens, const LetterSpan& span);

// "is correct", "is wrong", a tick: what follows. `follows_denied`: the letter before was denied.
After look_after_letter(const TokenView& tokens, const LetterSpan& span, bool follows_denied);

}  // namespace r1eval
