// Numbers written in words.
#pragma once

#include <optional>
#include <string>

#include "graders/math/rational.h"

namespace r1eval {

// Chinese numerals always; English number words where `english` is set.
std::optional<Rational> number_from_words(const std::string& text, bool english);

}  // namespace r1eval
