// The value that a text concludes with in words.
#pragma once

#include <functional>
#include <string_view>

#include "graders/extract/spans.h"

namespace r1eval {

// The value that the text's last sentence concludes with: "Hence the degree of $f(x)$ is 3." Filler
// after it ("Everything checks out.") is passed over. Nothing where the value is mathematics
// between delimiters: that is the next rule's.
bool find_conclusion(std::string_view text, const std::function<int(std::string_view)>& read_level,
                     Span& span);

}  // namespace r1eval
