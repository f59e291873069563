#include "results/text_metrics.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

namespace r1eval {
namespace {

enum Script : std::size_t {
  kNone,
  kLatin,
  kGreek,
  kCyrillic,
  kHebrew,
  kArabic,
  kIndic,
  kThai,
  kHan,
  kHangul,
  kScripts
};

Script script_of(std::uint32_t c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0x24F) ||
      (c >= 0x1E00 && c <= 0x1EFF)) {
    return c == 0xD7 || c == 0xF7 ? kNone : kLatin;
  }
  if (c < 0x370) {
    return kNone;
  }
  if (c <= 0x3FF) {
    return kGreek;
  }
  if (c <= 0x52F) {
    return kCyrillic;
  }
  if (c >= 0x590 && c <= 0x5FF) {
    return kHebrew;
  }
  if ((c >= 0x600 && c <= 0x77F) || (c >= 0xFB50 && c <= 0xFDFF)) {
    return kArabic;
  }
  if (c >= 0x900 && c <= 0xDFF) {
    return kIndic;
  }
  if (c >= 0xE00 && c <= 0xE7F) {
    return kThai;
  }
  if ((c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) ||
      (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x20000 && c <= 0x2FA1F)) {
    return kHan;
  }
  if ((c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x1100 && c <= 0x11FF)) {
    return kHangul;
  }
  return kNone;
}

using Counts = std::array<double, kScripts>;

// Letters by script, outside ``` fences, $…$, \(…\), \[…\] and commands.
Counts count_scripts(std::string_view text) {
  Counts counts{};
  bool in_fence = false;
  char closing = 0;  // of mathematics: '$', ')' or ']'
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, 3) == "```") {
      in_fence = !in_fence;
      at += 3;
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[at]);
    if (!in_fence && byte == '\\' && at + 1 < text.size()) {
      const char next = text[at + 1];
      if (closing == 0 && (next == '(' || next == '[')) {
        closing = next == '(' ? ')' : ']';
        at += 2;
        continue;
      }
      if (closing != 0 && next == closing) {
        closing = 0;
        at += 2;
        continue;
      }
      at += 2;
      while (at < text.size() &&
             ((text[at] >= 'a' && text[at] <= 'z') || (text[at] >= 'A' && text[at] <= 'Z'))) {
        ++at;
      }
      continue;
    }
    if (!in_fence && byte == '$' && (closing == 0 || closing == '$')) {
      closing = closing == 0 ? '$' : '\0';
      ++at;
      continue;
    }
    // A lone dollar is money: mathematics does not go on over an empty line.
    if (byte == '\n' && closing == '$' && at + 1 < text.size() && text[at + 1] == '\n') {
      closing = 0;
    }
    std::uint32_t code = byte;
    std::size_t length = 1;
    if (byte >= 0xC2) {
      const std::size_t wanted = byte >= 0xF0 ? 4 : (byte >= 0xE0 ? 3 : 2);
      if (at + wanted <= text.size()) {
        code = byte & (0x7FU >> wanted);
        for (std::size_t i = 1; i < wanted; ++i) {
          code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
        }
        length = wanted;
      }
    }
    if (!in_fence && closing == 0) {
      ++counts[script_of(code)];
    }
    at += length;
  }
  return counts;
}

bool is_ascii(std::string_view text) {
  unsigned char all = 0;
  for (const char c : text) {
    all |= static_cast<unsigned char>(c);
  }
  return all < 0x80;
}

}  // namespace

double foreign_script_share(std::string_view prompt, std::string_view text) {
  const Counts asked = count_scripts(prompt);
  std::size_t main = kLatin;
  for (std::size_t s = kLatin; s < kScripts; ++s) {
    main = s != kGreek && asked[s] > asked[main] ? s : main;
  }
  // Most texts have no byte above ASCII: Latin letters alone, whatever is code or formula. A third
  // of the time of grading a run again went into counting these.
  if (main == kLatin && is_ascii(text)) {
    return 0;
  }
  const Counts given = count_scripts(text);
  double letters = 0;
  for (std::size_t s = kLatin; s < kScripts; ++s) {
    letters += s == kGreek ? 0 : given[s];
  }
  return letters > 0 ? (letters - given[main]) / letters : 0;
}

double repeated_share(std::string_view text) {
  constexpr std::size_t kRun = 64;
  // Rolling hash over the last 64 words' hashes; a collision of 64 bits is not worth a comparison.
  constexpr std::uint64_t kBase = 0x9E3779B97F4A7C15ULL;
  std::uint64_t base_to_run = 1;
  for (std::size_t i = 0; i < kRun; ++i) {
    base_to_run *= kBase;
  }
  std::vector<std::uint64_t> words;
  for (std::size_t at = 0; at < text.size();) {
    const auto is_space = [&](std::size_t i) {
      return text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';
    };
    while (at < text.size() && is_space(at)) {
      ++at;
    }
    std::uint64_t hash = 14695981039346656037ULL;
    const std::size_t from = at;
    // Eight bytes a multiplication: the chain of multiplications is what hashing waits for.
    std::uint64_t packed = 0;
    while (at < text.size() && !is_space(at)) {
      packed = packed << 8 | static_cast<unsigned char>(text[at]);
      ++at;
      if ((at - from) % 8 == 0) {
        hash = (hash ^ packed) * 1099511628211ULL;
        packed = 0;
      }
    }
    hash = (hash ^ packed ^ (at - from)) * 1099511628211ULL;
    if (at > from) {
      words.push_back(hash);
    }
  }
  if (words.size() <= kRun) {
    return 0;
  }
  // Open addressing, at most half full; 0 marks a free place.
  std::size_t places = 256;
  while (places < 2 * words.size()) {
    places *= 2;
  }
  std::vector<std::uint64_t> seen(places, 0);
  const auto is_new = [&](std::uint64_t hash) {
    hash = std::max<std::uint64_t>(hash, 1);
    // The upper half of a product spreads hashes that differ in few bits.
    std::size_t at = static_cast<std::size_t>((hash * kBase) >> 32) & (places - 1);
    while (seen[at] != 0) {
      if (seen[at] == hash) {
        return false;
      }
      at = (at + 1) & (places - 1);
    }
    seen[at] = hash;
    return true;
  };
  std::uint64_t rolling = 0;
  std::size_t n_repeated = 0;
  std::size_t counted_until = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    rolling = rolling * kBase + words[i];
    if (i >= kRun) {
      rolling -= words[i - kRun] * base_to_run;
    }
    if (i + 1 >= kRun && !is_new(rolling)) {
      const std::size_t from = std::max(counted_until, i + 1 - kRun);
      n_repeated += i + 1 - from;
      counted_until = i + 1;
    }
  }
  return static_cast<double>(n_repeated) / static_cast<double>(words.size());
}

}  // namespace r1eval
