// What an answer's text shows beside right and wrong: scripts mixed, repetition.
//
// Pure functions, linear in the text; any bytes may come in.
#pragma once

#include <cstdint>
#include <string_view>

namespace r1eval {

// Share of letters whose script is not the prompt's main one, outside fenced code and LaTeX.
// Scripts are told apart as writing systems a reader tells apart: Latin, Greek, Cyrillic, Arabic,
// Hebrew, Indic, Thai, Han with kana, Hangul. Greek does not count: it is notation.
double foreign_script_share(std::string_view prompt, std::string_view text);

// A sample is marked above this share.
inline constexpr double kLanguageMixLimit = 0.05;

// Share of the text's words that lie in a run of 64 words which occurred before in it.
double repeated_share(std::string_view text);

// A sample is marked above this share: an answer that quotes its own thinking once stays below.
inline constexpr double kRepetitionLimit = 0.3;

}  // namespace r1eval
