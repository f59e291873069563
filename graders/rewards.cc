#include "graders/rewards.h"

#include <re2/re2.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numbers>
#include <set>

namespace r1eval {
namespace {

std::int64_t count_of(std::string_view text, std::string_view what) {
  std::int64_t n = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size())) {
    ++n;
  }
  return n;
}

template <typename T>
double repetition(const std::vector<T>& items, std::int64_t n, double max_penalty) {
  const auto size = static_cast<std::int64_t>(items.size());
  if (n < 1 || size < n) {
    return 0;
  }
  std::set<std::vector<T>> seen;
  const std::int64_t total = size - n + 1;
  for (std::int64_t i = 0; i < total; ++i) {
    const auto from = items.begin() + i;
    seen.insert(std::vector<T>(from, from + n));
  }
  const double repeated = 1.0 - static_cast<double>(seen.size()) / static_cast<double>(total);
  return repeated * max_penalty;
}

}  // namespace

double reward_format_think_answer(std::string_view text) {
  static const RE2 pattern("(?sm)\\A<think>\\n.*?\\n</think>\\n<answer>\\n.*?\\n</answer>$");
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), pattern) ? 1 : 0;
}

double reward_format_think(std::string_view text) {
  static constexpr std::string_view kOpen = "<think>";
  if (!text.starts_with(kOpen) || text.find(kOpen, kOpen.size()) != std::string_view::npos) {
    return 0;
  }
  return text.find("</think>", kOpen.size()) == std::string_view::npos ? 0 : 1;
}

double reward_tag_count(std::string_view text) {
  double value = 0;
  for (const std::string_view tag : {"<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>"}) {
    value += count_of(text, tag) == 1 ? 0.25 : 0;
  }
  return value;
}

double reward_reasoning_steps(std::string_view text) {
  static const RE2 pattern("(Step \\d+:|\\A\\d+\\.|\\n-|\\n\\*|First,|Second,|Next,|Finally,)");
  // Only the first three count, so that a long text costs little.
  std::int64_t n = 0;
  re2::StringPiece group;
  std::size_t from = 0;
  const re2::StringPiece whole(text.data(), text.size());
  while (n < 3 && from <= text.size() &&
         pattern.Match(whole, from, text.size(), RE2::UNANCHORED, &group, 1)) {
    ++n;
    from = static_cast<std::size_t>(group.data() - text.data()) + group.size();
  }
  return static_cast<double>(n) / 3;
}

double reward_cosine(double length, bool correct, const CosineReward& params) {
  const double cosine = std::cos(length / params.max_len * std::numbers::pi);
  // A wrong answer's ends are exchanged: the longer it is, the less it loses.
  const double low = correct ? params.min_value_correct : params.max_value_wrong;
  const double high = correct ? params.max_value_correct : params.min_value_wrong;
  return low + 0.5 * (high - low) * (1.0 + cosine);
}

double reward_repetition_words(std::string_view text, std::int64_t n, double max_penalty) {
  std::vector<std::string> words;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const auto c = static_cast<unsigned char>(i < text.size() ? text[i] : ' ');
    if (std::isspace(c) == 0) {
      word += static_cast<char>(c < 0x80 ? std::tolower(c) : c);
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return repetition(words, n, max_penalty);
}

double reward_repetition_ids(std::span<const std::int64_t> ids, std::int64_t n,
                             double max_penalty) {
  return repetition(std::vector<std::int64_t>(ids.begin(), ids.end()), n, max_penalty);
}

std::vector<double> reward_length_batch(std::span<const double> lengths,
                                        const std::vector<bool>& correct) {
  std::vector<double> rewards(lengths.size(), 0.0);
  if (lengths.empty()) {
    return rewards;
  }
  const auto [low, high] = std::minmax_element(lengths.begin(), lengths.end());
  if (*low == *high) {
    return rewards;
  }
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const double value = 0.5 - (lengths[i] - *low) / (*high - *low);
    rewards[i] = correct[i] ? value : std::min(0.0, value);
  }
  return rewards;
}

double reward_soft_overlong(double length, double max_len, double cache) {
  if (length <= max_len - cache) {
    return 0;
  }
  return length <= max_len ? (max_len - cache - length) / cache : -1;
}

}  // namespace r1eval
