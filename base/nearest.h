// "Did you mean …": names that look like a mistyped one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace r1eval {

// Up to `n` of `names`, closest first by edit distance, none further than a third of the length (or
// that do not begin with what was typed).
std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& names,
                                       std::size_t n = 3);

// ": did you mean 'a' or 'b'?" or, without a near one, ": there are a, b, c".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& names);

}  // namespace r1eval
