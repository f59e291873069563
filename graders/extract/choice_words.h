// What a word says about the option letter near it: names an answer, denies, joins, concludes.
//
// The vocabulary is data (choice_words.cc): one line a class, about thirty languages. Lookups go
// through folded text (fold_choice_text), so case, accents and Arabic vowel signs do not matter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace r1eval {

// A word may belong to several classes: "so" concludes and may also stand before a letter.
enum WordClass : std::uint32_t {
  kAnchor = 1U << 0,       // answer
  kNamed = 1U << 1,        // result: names an answer only before a sign or "is"
  kOption = 1U << 2,       // option, choice, letter
  kCopula = 1U << 3,       // is
  kGlue = 1U << 4,         // the, definitely: says nothing of its own
  kAffirm = 1U << 5,       // correct
  kTrue = 1U << 6,         // true: of a statement, which may still not be the answer
  kDeny = 1U << 7,         // wrong
  kFails = 1U << 8,        // fails, a distractor: denies what stands before it
  kHolds = 1U << 9,        // works: affirms what stands before it
  kNot = 1U << 10,         // not, instead of, rule out
  kContrast = 1U << 11,    // but, after a denied letter
  kChoose = 1U << 12,      // choose
  kConclude = 1U << 13,    // hence
  kLeaves = 1U << 14,      // leaves, matches
  kMatch = 1U << 15,       // gives, listed as: only before "option C" or "(C)"
  kOnly = 1U << 16,        // only
  kCorrection = 1U << 17,  // wait, actually
  kAnd = 1U << 18,
  kOr = 1U << 19,
  kReason = 1U << 20,   // because
  kIf = 1U << 21,       // if, whether
  kMaybe = 1U << 22,    // would, could
  kPronoun = 1U << 23,  // it, that
  kBelieve = 1U << 24,  // think
  kPast = 1U << 25,     // thought, initially
  kAlso = 1U << 26,
  kFunction = 1U << 27,   // may follow a label and cannot follow the article "A"
  kPrep = 1U << 28,       // with, for: stands between "vote" and a letter
  kTo = 1U << 29,         // to: stands between "corresponds" and a letter
  kSuper = 1U << 31,      // most: the clause chooses among the options
  kStatement = 1U << 30,  // statement: the false one may be the answer
};

struct WordMatch {
  std::size_t length = 0;  // bytes of the folded text; 0: no entry starts here
  std::uint32_t classes = 0;
};

// The longest entry that starts at `at` in a folded text. Entries of scripts that put spaces
// between words match whole words only.
WordMatch match_choice_word(std::string_view folded, std::size_t at);

}  // namespace r1eval
