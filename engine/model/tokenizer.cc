#include "engine/model/tokenizer.h"

#include <fmt/format.h>
#include <unicode/normalizer2.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <queue>
#include <utility>

#include "base/check.h"

namespace r1eval {
namespace {

std::uint64_t pair_key(TokenId a, TokenId b) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32) |
         static_cast<std::uint32_t>(b);
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// White space that lstrip and rstrip of an added token take along.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// The code point that stands for each byte: printable Latin-1 stands for itself, the others are
// counted up from U+0100.
const std::array<char32_t, 256>& stand_ins() {
  static const std::array<char32_t, 256> table = [] {
    std::array<char32_t, 256> out{};
    char32_t next = 256;
    for (char32_t b = 0; b < 256; ++b) {
      const bool printable =
          (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
      out[b] = printable ? b : next++;
    }
    return out;
  }();
  return table;
}

enum Spelling : std::uint8_t { kUnknown, kMergesToItself, kMergesToOthers };

}  // namespace

std::optional<std::string> bytes_of_stand_ins(std::string_view text) {
  static const std::unordered_map<char32_t, char> back = [] {
    std::unordered_map<char32_t, char> out;
    for (std::size_t b = 0; b < 256; ++b) {
      out.emplace(stand_ins()[b], static_cast<char>(b));
    }
    return out;
  }();
  std::string bytes;
  const auto n = static_cast<std::int32_t>(text.size());
  const auto* data = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::int32_t i = 0; i < n;) {
    UChar32 c = 0;
    U8_NEXT(data, i, n, c);
    const auto found = c < 0 ? back.end() : back.find(static_cast<char32_t>(c));
    if (found == back.end()) {
      return std::nullopt;
    }
    bytes += found->second;
  }
  return bytes;
}

std::string normalize_nfc(std::string_view text) {
  if (is_ascii(text)) {
    return std::string(text);
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* const nfc = icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) {
    return std::string(text);
  }
  std::string out;
  icu::StringByteSink<std::string> sink(&out);
  nfc->normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), sink,
                     nullptr, error);
  return U_FAILURE(error) ? std::string(text) : out;
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  std::size_t kept = 0;
  const auto n = static_cast<std::int64_t>(text.size());
  const auto* data = reinterpret_cast<const std::uint8_t*>(text.data());
  for (std::int64_t i = 0; i < n;) {
    const std::int64_t begin = i;
    UChar32 c = 0;
    U8_NEXT(data, i, n, c);
    if (c < 0) {
      out.append(text.substr(kept, static_cast<std::size_t>(begin) - kept));
      out += "\xEF\xBF\xBD";
      kept = static_cast<std::size_t>(i);
    }
  }
  out.append(text.substr(kept));
  return out;
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_parts(TokenizerParts parts) {
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(parts)));
  R1_RETURN_IF_ERROR(tokenizer->index());
  return tokenizer;
}

Status Tokenizer::index() {
  ids_.reserve(parts_.tokens.size());
  special_.assign(parts_.tokens.size(), false);
  spellings_ = std::vector<std::atomic<std::uint8_t>>(parts_.tokens.size());  // all kUnknown
  for (std::size_t i = 0; i < parts_.tokens.size(); ++i) {
    ids_.emplace(parts_.tokens[i], static_cast<TokenId>(i));  // the lowest id keeps the text
  }
  for (std::size_t b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    const auto found = ids_.find(std::string_view(&byte, 1));
    byte_ids_[b] = found == ids_.end() ? -1 : found->second;
  }
  merges_.reserve(parts_.merges.size());
  std::int32_t rank = 0;
  for (const auto& [left, right] : parts_.merges) {
    const auto a = ids_.find(left);
    const auto b = ids_.find(right);
    const auto merged = ids_.find(left + right);
    if (a != ids_.end() && b != ids_.end() && merged != ids_.end()) {
      merges_.emplace(pair_key(a->second, b->second), Merge{rank, merged->second});
    }
    ++rank;
  }
  parts_.merges.clear();
  parts_.merges.shrink_to_fit();
  for (const TokenizerParts::AddedToken& token : parts_.added) {
    if (token.text.empty() || token.id < 0 ||
        token.id >= static_cast<TokenId>(parts_.tokens.size())) {
      continue;
    }
    special_[static_cast<std::size_t>(token.id)] =
        special_[static_cast<std::size_t>(token.id)] || token.is_special;
    added_by_byte_[static_cast<unsigned char>(token.text[0])].push_back(&token);
  }
  for (auto& tokens : added_by_byte_) {
    std::stable_sort(tokens.begin(), tokens.end(),
                     [](const auto* a, const auto* b) { return a->text.size() > b->text.size(); });
  }
  if (parts_.end_tokens.empty() && parts_.eos) {
    parts_.end_tokens.push_back(*parts_.eos);
  }
  return ok_status();
}

Status Tokenizer::set_pre_tokenizer(std::string_view name) {
  Result<PreTokenizer> pre = PreTokenizer::by_name(name);
  if (!pre) {
    return pre.error();
  }
  parts_.pre = std::move(pre).value();
  parts_.family = name;
  return ok_status();
}

const TokenizerParts::AddedToken* Tokenizer::next_added(std::string_view text, bool normalized,
                                                        std::size_t& position) const {
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const auto* token : added_by_byte_[static_cast<unsigned char>(text[at])]) {
      if (token->normalized == normalized && text.substr(at).starts_with(token->text)) {
        position = at;
        return token;
      }
    }
  }
  return nullptr;
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text,
                                               const EncodeOptions& options) const {
  const std::string valid = valid_utf8(text);
  std::vector<TokenId> out;
  if (options.add_special && parts_.adds_bos && parts_.bos) {
    out.push_back(*parts_.bos);
  }
  std::string_view left = valid;
  if (options.parse_special) {
    std::size_t at = 0;
    while (const auto* token = next_added(left, false, at)) {
      std::string_view before = left.substr(0, at);
      while (token->lstrip && !before.empty() && is_space(before.back())) {
        before.remove_suffix(1);
      }
      R1_RETURN_IF_ERROR(encode_between(before, options, out));
      out.push_back(token->id);
      left.remove_prefix(at + token->text.size());
      while (token->rstrip && !left.empty() && is_space(left.front())) {
        left.remove_prefix(1);
      }
    }
  }
  R1_RETURN_IF_ERROR(encode_between(left, options, out));
  return out;
}

// Text without any of the tokens that are searched in the raw text.
Status Tokenizer::encode_between(std::string_view text, const EncodeOptions& options,
                                 std::vector<TokenId>& out) const {
  if (text.empty()) {
    return ok_status();
  }
  std::string normalized;
  if (parts_.nfc) {
    normalized = normalize_nfc(text);
    text = normalized;
  }
  if (options.parse_special) {
    std::size_t at = 0;
    while (const auto* token = next_added(text, true, at)) {
      R1_RETURN_IF_ERROR(encode_segment(text.substr(0, at), out));
      out.push_back(token->id);
      text.remove_prefix(at + token->text.size());
    }
  }
  return encode_segment(text, out);
}

// Symbols of a word in a linked list, and a heap of possible merges: lowest rank first, leftmost
// among equals.
struct Tokenizer::Scratch {
  struct Symbol {
    TokenId id;
    std::int32_t previous;
    std::int32_t next;
  };

  struct Candidate {
    std::int32_t rank;
    std::int32_t left;
    TokenId left_id;
    TokenId right_id;
    TokenId merged;

    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };

  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
};

Status Tokenizer::encode_segment(std::string_view text, std::vector<TokenId>& out) const {
  if (text.empty()) {
    return ok_status();
  }
  std::string prefixed;
  if (parts_.add_prefix_space && !is_space(text.front())) {
    prefixed = " " + std::string(text);
    text = prefixed;
  }
  R1_TRY(const std::vector<std::string_view> words, parts_.pre.cut(text));
  Scratch scratch;
  for (const std::string_view word : words) {
    encode_word(word, scratch, out);
  }
  return ok_status();
}

const Tokenizer::Merge* Tokenizer::find_merge(TokenId a, TokenId b) const {
  const auto found = merges_.find(pair_key(a, b));
  return found == merges_.end() ? nullptr : &found->second;
}

void Tokenizer::encode_word(std::string_view word, Scratch& scratch,
                            std::vector<TokenId>& out) const {
  const auto whole = ids_.find(word);
  if (whole == ids_.end()) {
    merge_word(word, scratch, out);
    return;
  }
  const TokenId id = whole->second;
  std::atomic<std::uint8_t>& spelling = spellings_[static_cast<std::size_t>(id)];
  std::uint8_t known = spelling.load(std::memory_order_relaxed);  // a fact by itself
  if (known == kUnknown) {
    if (parts_.ignore_merges || word.size() == 1) {
      known = kMergesToItself;
    } else {
      std::vector<TokenId> merged;
      merge_word(word, scratch, merged);
      known = merged.size() == 1 && merged.front() == id ? kMergesToItself : kMergesToOthers;
    }
    spelling.store(known, std::memory_order_relaxed);
  }
  if (known == kMergesToItself) {
    out.push_back(id);
  } else {
    merge_word(word, scratch, out);
  }
}

// n log n also for a word of a megabyte.
void Tokenizer::merge_word(std::string_view word, Scratch& scratch,
                           std::vector<TokenId>& out) const {
  using Symbol = Scratch::Symbol;
  using Candidate = Scratch::Candidate;
  auto& symbols = scratch.symbols;
  symbols.clear();
  symbols.reserve(word.size());
  for (const char c : word) {
    const TokenId id = byte_ids_[static_cast<unsigned char>(c)];
    if (id < 0) {
      continue;  // a vocabulary without this byte cannot spell it
    }
    const auto at = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({id, at - 1, at + 1});
  }
  if (symbols.empty()) {
    return;
  }
  symbols.back().next = -1;

  const auto candidate = [&](std::int32_t left, Candidate& c) {
    const std::int32_t right = symbols[static_cast<std::size_t>(left)].next;
    if (right < 0) {
      return false;
    }
    const TokenId a = symbols[static_cast<std::size_t>(left)].id;
    const TokenId b = symbols[static_cast<std::size_t>(right)].id;
    const Merge* merge = find_merge(a, b);
    if (merge == nullptr) {
      return false;
    }
    c = {merge->rank, left, a, b, merge->merged};
    return true;
  };
  auto& heap = scratch.heap;
  heap.clear();
  for (std::int32_t i = 0; i + 1 < static_cast<std::int32_t>(symbols.size()); ++i) {
    Candidate c{};
    if (candidate(i, c)) {
      heap.push_back(c);
    }
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const Candidate c = heap.back();
    heap.pop_back();
    Symbol& left = symbols[static_cast<std::size_t>(c.left)];
    if (left.id != c.left_id || left.next < 0 ||
        symbols[static_cast<std::size_t>(left.next)].id != c.right_id) {
      continue;  // one of the two was merged since
    }
    Symbol& right = symbols[static_cast<std::size_t>(left.next)];
    left.id = c.merged;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) {
      symbols[static_cast<std::size_t>(left.next)].previous = c.left;
    }
    Candidate next{};
    if (candidate(c.left, next)) {
      heap.push_back(next);
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
    if (left.previous >= 0 && candidate(left.previous, next)) {
      heap.push_back(next);
      std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
  }
  for (std::int32_t i = 0; i >= 0; i = symbols[static_cast<std::size_t>(i)].next) {
    out.push_back(symbols[static_cast<std::size_t>(i)].id);
  }
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  std::string out;
  for (const TokenId id : ids) {
    out += token_bytes(id);
  }
  return out;
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  return id >= 0 && id < static_cast<TokenId>(parts_.tokens.size())
             ? std::string_view(parts_.tokens[static_cast<std::size_t>(id)])
             : std::string_view();
}

bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && id < static_cast<TokenId>(special_.size()) &&
         special_[static_cast<std::size_t>(id)];
}

bool Tokenizer::has_token(std::string_view bytes) const {
  return ids_.contains(bytes);
}

std::string Tokenizer::bos_text() const {
  return parts_.bos ? std::string(token_bytes(*parts_.bos)) : "";
}

std::string Tokenizer::eos_text() const {
  return parts_.eos ? std::string(token_bytes(*parts_.eos)) : "";
}

}  // namespace r1eval
