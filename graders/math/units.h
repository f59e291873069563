// Units of measure by name and symbol, and one spelling for what follows a value.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace r1eval {

struct UnitText {
  std::string text;       // "cm^2", "km/h"; of unknown words: the words in singular
  bool is_known = false;  // made of units of the table; words after them are left out
};

// `words` is what followed a value: words, "^2", "/", "per", "square", LaTeX commands.
UnitText normal_unit(std::string_view words);

// Do two texts after equal values leave the values equal? Different known units do not.
bool same_unit(std::string_view a, std::string_view b);

// The end of a unit in plain letters ("m/s", "kJ", "N*m", "m^2") that begins at text[from] and
// fills what is left of the answer, or npos. One letter alone counts where `allows_letter`.
std::size_t plain_unit_end(std::string_view text, std::size_t from, bool allows_letter);

}  // namespace r1eval
