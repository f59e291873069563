// The boxes of a completion: \boxed, \fbox, \framebox, also damaged ones.
#pragma once

#include <string_view>
#include <vector>

#include "graders/extract/spans.h"

namespace r1eval {

// Outermost boxes in order, in one pass: boxed, fbox, framebox, also with the backslash (and the
// "b" that an escape swallowed) lost. An open box counts up to the end of its line.
std::vector<Span> find_boxes(std::string_view text);
// Do two boxes belong to one list: nothing but a separator between them?
bool boxes_join(std::string_view between);

// What \boxed{\boxed{…}} holds, however deep.
std::string_view inside_boxes(std::string_view content);

}  // namespace r1eval
