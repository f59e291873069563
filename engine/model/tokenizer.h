// Byte-level byte-pair encoding: text to token ids and back, exactly as the model's own tokenizer.
//
// Sources  a GGUF file's tokenizer.ggml.* keys, or a tokenizer.json. Families: GPT-2, SmolLM, Llama
// 3,
//          Qwen2, DeepSeek-V3 and any tokenizer.json made of the same parts.
// Steps    added tokens are found first (longest at the leftmost place), the text between them is
//          normalised (NFC where the file says so), cut (engine/model/pretokenizer.h), and each
//          piece merged by rank.
// Text     invalid UTF-8 is replaced by U+FFFD before encoding; decode gives bytes, which may end
//          inside a character.
// Threads  immutable after creation.
// Tested   tests/engine/model/tokenizer_test.cc
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/model/gguf.h"
#include "engine/model/pretokenizer.h"
#include "engine/model_runner.h"

namespace r1eval {

struct EncodeOptions {
  bool add_special = false;   // put the tokens that the file adds (BOS) in front
  bool parse_special = true;  // added tokens written in the text are those tokens
};

// Everything that a tokenizer is made of; both file formats are read into it.
struct TokenizerParts {
  struct AddedToken {
    TokenId id = -1;
    std::string text;
    bool is_special = false;
    bool lstrip = false;
    bool rstrip = false;
    bool normalized = false;  // searched in the normalised text
  };

  std::vector<std::string> tokens;  // id -> bytes (not the printable stand-ins)
  std::vector<std::pair<std::string, std::string>> merges;  // in order of rank, as bytes
  std::vector<AddedToken> added;
  PreTokenizer pre;
  std::string family;
  bool nfc = false;
  bool ignore_merges = false;  // a whole word that is in the vocabulary wins
  bool add_prefix_space = false;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::vector<TokenId> end_tokens;  // all that end a generation
  bool adds_bos = false;
};

// What a tokenizer_config.json and a config.json add to a tokenizer.json. Empty texts: not stated.
struct TokenizerSpecials {
  std::string bos;
  std::string eos;
  std::vector<std::int64_t> end_tokens;
  std::optional<bool> adds_bos;
};

class Tokenizer {
 public:
  // Errors: kUnsupported (another kind of tokenizer, or one of its parts, by name), kParse.
  static Result<std::unique_ptr<Tokenizer>> from_gguf(const GgufFile& file);
  static Result<std::unique_ptr<Tokenizer>> from_tokenizer_json(
      std::string_view text, const std::string& origin, const TokenizerSpecials& specials = {});
  static Result<std::unique_ptr<Tokenizer>> from_tokenizer_json_file(const std::string& path);
  static Result<std::unique_ptr<Tokenizer>> from_parts(TokenizerParts parts);

  Result<std::vector<TokenId>> encode(std::string_view text,
                                      const EncodeOptions& options = {}) const;
  std::string decode(std::span<const TokenId> ids) const;
  // Bytes of one token; empty for an id that is none.
  std::string_view token_bytes(TokenId id) const;
  bool is_special(TokenId id) const;

  std::int64_t vocab_size() const { return static_cast<std::int64_t>(parts_.tokens.size()); }

  std::optional<TokenId> bos() const { return parts_.bos; }

  std::optional<TokenId> eos() const { return parts_.eos; }

  // All ids that end a generation: eos, end of turn, …
  const std::vector<TokenId>& end_tokens() const { return parts_.end_tokens; }

  std::string bos_text() const;
  std::string eos_text() const;

  bool adds_bos() const { return parts_.adds_bos; }

  const std::string& family() const { return parts_.family; }

  bool has_token(std::string_view bytes) const;
  // Puts another pre-tokenizer in place.
  Status set_pre_tokenizer(std::string_view name);

 private:
  struct Merge {
    std::int32_t rank;
    TokenId merged;
  };

  explicit Tokenizer(TokenizerParts parts) : parts_(std::move(parts)) {}

  Status index();
  Status encode_segment(std::string_view text, std::vector<TokenId>& out) const;
  Status encode_between(std::string_view text, const EncodeOptions& options,
                        std::vector<TokenId>& out) const;
  // What merge_word() works in, kept from word to word.
  struct Scratch;
  void encode_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const;
  void merge_word(std::string_view word, Scratch& scratch, std::vector<TokenId>& out) const;
  const Merge* find_merge(TokenId a, TokenId b) const;
  // The added token that begins first in `text` (the longest there), at `position`; null: none.
  const TokenizerParts::AddedToken* next_added(std::string_view text, bool normalized,
                                               std::size_t& position) const;

  TokenizerParts parts_;
  std::unordered_map<std::string_view, TokenId> ids_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  // Of every token: whether merging its bytes leads to it, once somebody wanted to know (Spelling).
  // Nine words of ten are such tokens. The only mutable state: whoever finds out first writes the
  // one possible answer.
  mutable std::vector<std::atomic<std::uint8_t>> spellings_;
  std::vector<bool> special_;
  std::array<TokenId, 256> byte_ids_{};
  // Added tokens by their first byte, longest first.
  std::array<std::vector<const TokenizerParts::AddedToken*>, 256> added_by_byte_;
};

// The printable stand-ins of GPT-2's byte-level encoding: one code point a byte.
// Text of such code points back to bytes; nothing when a code point stands for no byte.
std::optional<std::string> bytes_of_stand_ins(std::string_view text);

// NFC, through ICU. The text must be valid UTF-8.
std::string normalize_nfc(std::string_view text);

// Replaces invalid sequences by U+FFFD; valid text comes back as it is.
std::string valid_utf8(std::string_view text);

}  // namespace r1eval
