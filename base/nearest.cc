#include "base/nearest.h"

#include <algorithm>
#include <utility>

namespace r1eval {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view name, const std::vector<std::string>& names,
                                       std::size_t n) {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  if (name.size() > 200) {
    return {};
  }
  for (const std::string& candidate : names) {
    const std::size_t distance = edit_distance(name, candidate);
    const bool begins = !name.empty() && candidate.starts_with(name);
    if (begins ||
        distance <= std::max<std::size_t>(1, std::max(name.size(), candidate.size()) / 3)) {
      ranked.emplace_back(begins ? 0 : distance, candidate);
    }
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> out;
  for (std::size_t i = 0; i < ranked.size() && i < n; ++i) {
    out.push_back(ranked[i].second);
  }
  return out;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& names) {
  const std::vector<std::string> near = nearest_names(name, names);
  std::string text;
  if (!near.empty()) {
    for (std::size_t i = 0; i < near.size(); ++i) {
      text += (i == 0 ? ": did you mean '" : " or '") + near[i] + "'";
    }
    return text + "?";
  }
  for (std::size_t i = 0; i < names.size() && i < 20; ++i) {
    text += (i == 0 ? ": there are " : ", ") + names[i];
  }
  return text + (names.size() > 20 ? ", …" : "");
}

}  // namespace r1eval
