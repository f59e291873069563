// Reading tokenizers from GGUF metadata and from tokenizer.json.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "engine/model/tokenizer.h"

namespace r1eval {
namespace {

constexpr std::int64_t kLargestVocabulary = 4'000'000;

Error bad(const std::string& origin, std::string_view text) {
  return fail(ErrorCode::kParse, fmt::format("{}: {}", origin, text));
}

Error unsupported(const std::string& origin, std::string_view text) {
  return fail(ErrorCode::kUnsupported, fmt::format("{}: {}", origin, text));
}

// A vocabulary entry's bytes; one that is not written in stand-ins is taken literally.
std::string token_text(std::string_view text) {
  return bytes_of_stand_ins(text).value_or(std::string(text));
}

// Names that end a turn or a text, for files that list no more than one end token.
bool names_an_end(std::string_view text) {
  static const std::set<std::string_view> names = {
      "<|eot_id|>",      "<|im_end|>",    "<|end_of_text|>", "<|endoftext|>",
      "<|end|>",         "<end_of_turn>", "<|eom_id|>",      "<｜end▁of▁sentence｜>",
      "<|end_of_turn|>", "</s>",          "<EOT>",           "_<EOT>"};
  return names.contains(text);
}

void add_end(TokenizerParts& parts, TokenId id) {
  if (id >= 0 && id < static_cast<TokenId>(parts.tokens.size()) &&
      std::find(parts.end_tokens.begin(), parts.end_tokens.end(), id) == parts.end_tokens.end()) {
    parts.end_tokens.push_back(id);
  }
}

// ---- tokenizer.json -----------------------------------------------------------------------------

Status read_pre_tokenizer(const Json& json, const std::string& origin, TokenizerParts& parts) {
  const std::string type = string_or(json, "type");
  if (type == "Sequence") {
    const Json* list = find_member(json, "pretokenizers");
    if (list == nullptr || !list->is_array()) {
      return bad(origin, "pre_tokenizer: a Sequence without 'pretokenizers'");
    }
    for (const Json& member : *list) {
      R1_RETURN_IF_ERROR(read_pre_tokenizer(member, origin, parts));
    }
    return ok_status();
  }
  if (type == "Split") {
    const Json* pattern = find_member(json, "pattern");
    const std::string regex = pattern == nullptr ? "" : string_or(*pattern, "Regex");
    if (regex.empty()) {
      return unsupported(origin, "pre_tokenizer Split without a Regex");
    }
    if (string_or(json, "behavior") != "Isolated" || bool_or(json, "invert", false)) {
      return unsupported(
          origin, fmt::format("pre_tokenizer Split with behavior {}", string_or(json, "behavior")));
    }
    return parts.pre.add_pattern(regex);
  }
  if (type == "Digits") {
    return parts.pre.add_pattern(bool_or(json, "individual_digits", false) ? kSingleDigits
                                                                           : kDigitRuns);
  }
  if (type == "ByteLevel") {
    parts.add_prefix_space = parts.add_prefix_space || bool_or(json, "add_prefix_space", false);
    return bool_or(json, "use_regex", true) ? parts.pre.add_pattern(kGpt2Pattern) : ok_status();
  }
  return unsupported(origin, fmt::format("pre_tokenizer '{}'", type));
}

Status read_normalizer(const Json& json, const std::string& origin, TokenizerParts& parts) {
  const std::string type = string_or(json, "type");
  if (type == "Sequence") {
    if (const Json* list = find_member(json, "normalizers"); list != nullptr && list->is_array()) {
      for (const Json& member : *list) {
        R1_RETURN_IF_ERROR(read_normalizer(member, origin, parts));
      }
    }
    return ok_status();
  }
  if (type == "NFC") {
    parts.nfc = true;
    return ok_status();
  }
  return unsupported(origin, fmt::format("normalizer '{}'", type));
}

// The token that a TemplateProcessing puts in front of a single text.
void read_post_processor(const Json& json, TokenizerParts& parts) {
  if (const Json* list = find_member(json, "processors"); list != nullptr && list->is_array()) {
    for (const Json& member : *list) {
      read_post_processor(member, parts);
    }
    return;
  }
  const Json* single = find_member(json, "single");
  if (string_or(json, "type") != "TemplateProcessing" || single == nullptr || !single->is_array() ||
      single->empty()) {
    return;
  }
  const Json* special = find_member((*single)[0], "SpecialToken");
  const std::string text = special == nullptr ? "" : string_or(*special, "id");
  for (const TokenizerParts::AddedToken& token : parts.added) {
    if (!text.empty() && token.text == text) {
      parts.bos = token.id;
      parts.adds_bos = true;
    }
  }
}

Status read_vocabulary(const Json& model, const Json* added, const std::string& origin,
                       TokenizerParts& parts) {
  const Json* vocabulary = find_member(model, "vocab");
  if (vocabulary == nullptr || !vocabulary->is_object()) {
    return bad(origin, "model.vocab is missing or no object");
  }
  std::int64_t largest = -1;
  const auto see = [&](const Json& id) -> Status {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 ||
        id.get<std::int64_t>() >= kLargestVocabulary) {
      return bad(origin, "a token's id is no sensible number");
    }
    largest = std::max(largest, id.get<std::int64_t>());
    return ok_status();
  };
  for (const auto& [text, id] : vocabulary->items()) {
    R1_RETURN_IF_ERROR(see(id));
  }
  if (added != nullptr && added->is_array()) {
    for (const Json& token : *added) {
      if (const Json* id = find_member(token, "id")) {
        R1_RETURN_IF_ERROR(see(*id));
      }
    }
  }
  parts.tokens.assign(static_cast<std::size_t>(largest + 1), "");
  for (const auto& [text, id] : vocabulary->items()) {
    parts.tokens[id.get<std::size_t>()] = token_text(text);
  }
  if (added != nullptr && added->is_array()) {
    for (const Json& entry : *added) {
      TokenizerParts::AddedToken token;
      token.id = static_cast<TokenId>(int_or(entry, "id", -1));
      token.text = string_or(entry, "content");
      token.is_special = bool_or(entry, "special", false);
      token.lstrip = bool_or(entry, "lstrip", false);
      token.rstrip = bool_or(entry, "rstrip", false);
      token.normalized = bool_or(entry, "normalized", false);
      if (token.id >= 0) {
        parts.tokens[static_cast<std::size_t>(token.id)] = token.text;
        parts.added.push_back(std::move(token));
      }
    }
  }
  return ok_status();
}

Status read_merges(const Json& model, const std::string& origin, TokenizerParts& parts) {
  const Json* merges = find_member(model, "merges");
  if (merges == nullptr || !merges->is_array()) {
    return bad(origin, "model.merges is missing or no list");
  }
  for (const Json& merge : *merges) {
    std::string left;
    std::string right;
    if (merge.is_string()) {
      const std::string text = merge.get<std::string>();
      const std::size_t space = text.find(' ');
      if (space == std::string::npos) {
        return bad(origin, fmt::format("merge '{}' is no pair", text));
      }
      left = text.substr(0, space);
      right = text.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get<std::string>();
      right = merge[1].get<std::string>();
    } else {
      return bad(origin, "a merge is neither 'a b' nor [a, b]");
    }
    parts.merges.emplace_back(token_text(left), token_text(right));
  }
  return ok_status();
}

void add_specials(const TokenizerSpecials& specials, TokenizerParts& parts) {
  const auto id_of = [&](const std::string& text) -> std::optional<TokenId> {
    for (std::size_t id = 0; id < parts.tokens.size() && !text.empty(); ++id) {
      if (parts.tokens[id] == text) {
        return static_cast<TokenId>(id);
      }
    }
    return std::nullopt;
  };
  if (const auto bos = id_of(specials.bos)) {
    parts.bos = bos;
  }
  if (const auto eos = id_of(specials.eos)) {
    parts.eos = eos;
    add_end(parts, *eos);
  }
  for (const std::int64_t id : specials.end_tokens) {
    if (id >= 0 && id < static_cast<std::int64_t>(parts.tokens.size())) {
      add_end(parts, static_cast<TokenId>(id));
    }
  }
  if (specials.adds_bos) {
    parts.adds_bos = *specials.adds_bos && parts.bos.has_value();
  }
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_tokenizer_json(
    std::string_view text, const std::string& origin, const TokenizerSpecials& specials) {
  Result<Json> json = parse_json(text);
  if (!json) {
    return json.error().with_context(origin);
  }
  const Json* model = find_member(*json, "model");
  if (model == nullptr) {
    return bad(origin, "'model' is missing: is this a tokenizer.json?");
  }
  if (string_or(*model, "type", "BPE") != "BPE") {
    return unsupported(origin, fmt::format("tokenizer model '{}'; byte-level BPE is what is read",
                                           string_or(*model, "type")));
  }
  if (bool_or(*model, "byte_fallback", false)) {
    return unsupported(origin, "BPE with byte fallback (SentencePiece style)");
  }
  TokenizerParts parts;
  parts.family = "tokenizer.json";
  parts.ignore_merges = bool_or(*model, "ignore_merges", false);
  R1_RETURN_IF_ERROR(read_vocabulary(*model, find_member(*json, "added_tokens"), origin, parts));
  R1_RETURN_IF_ERROR(read_merges(*model, origin, parts));
  if (const Json* pre = find_member(*json, "pre_tokenizer")) {
    R1_RETURN_IF_ERROR(read_pre_tokenizer(*pre, origin, parts));
  }
  if (const Json* normalizer = find_member(*json, "normalizer")) {
    R1_RETURN_IF_ERROR(read_normalizer(*normalizer, origin, parts));
  }
  if (const Json* post = find_member(*json, "post_processor")) {
    read_post_processor(*post, parts);
  }
  for (const TokenizerParts::AddedToken& token : parts.added) {
    if (names_an_end(token.text)) {
      add_end(parts, token.id);
    }
  }
  add_specials(specials, parts);
  return from_parts(std::move(parts));
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_tokenizer_json_file(const std::string& path) {
  R1_TRY(const std::string text, read_file(path));
  return from_tokenizer_json(text, path);
}

// ---- GGUF ---------------------------------------------------------------------------------------

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_gguf(const GgufFile& file) {
  const std::string& origin = file.path();
  R1_TRY(const std::string model, file.require_string("tokenizer.ggml.model"));
  if (model != "gpt2") {
    return unsupported(
        origin, fmt::format("tokenizer '{}'; byte-level BPE ('gpt2') is what is read{}", model,
                            model == "none" ? " (this file has none)" : ""));
  }
  TokenizerParts parts;
  R1_TRY(const auto tokens, file.get_string_array("tokenizer.ggml.tokens"));
  R1_TRY(const auto merges, file.get_string_array("tokenizer.ggml.merges"));
  R1_TRY(const auto types, file.get_int_array("tokenizer.ggml.token_type"));
  R1_TRY(const auto pre, file.get_string("tokenizer.ggml.pre"));
  if (!tokens || !merges) {
    return bad(origin, "tokenizer.ggml.tokens or tokenizer.ggml.merges is missing");
  }
  parts.family = pre.value_or("default");
  R1_TRY(parts.pre, PreTokenizer::by_name(parts.family));
  parts.ignore_merges = parts.family == "llama-bpe" || parts.family == "llama3" ||
                        parts.family == "llama-v3" || parts.family == "llama-3";
  // GGUF does not carry the normaliser; the published Qwen2 tokenizer has NFC.
  parts.nfc = parts.family == "qwen2" || parts.family == "deepseek-r1-qwen";
  constexpr std::int64_t kControl = 3;
  constexpr std::int64_t kUserDefined = 4;
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    const std::int64_t type = types && i < types->size() ? (*types)[i] : 1;
    if (type == kControl || type == kUserDefined) {
      TokenizerParts::AddedToken token;
      token.id = static_cast<TokenId>(i);
      token.text = (*tokens)[i];
      token.is_special = type == kControl;
      parts.tokens.push_back(token.text);
      parts.added.push_back(std::move(token));
    } else {
      parts.tokens.push_back(token_text((*tokens)[i]));
    }
  }
  for (const std::string_view merge : *merges) {
    const std::size_t space = merge.find(' ');
    if (space == std::string_view::npos) {
      return bad(origin, fmt::format("merge '{}' is no pair", merge));
    }
    parts.merges.emplace_back(token_text(merge.substr(0, space)),
                              token_text(merge.substr(space + 1)));
  }
  const auto id_of = [&](std::string_view key) -> Result<std::optional<TokenId>> {
    R1_TRY(const auto value, file.get_int(key));
    if (!value) {
      return std::optional<TokenId>();
    }
    if (*value < 0 || *value >= static_cast<std::int64_t>(parts.tokens.size())) {
      return bad(origin, fmt::format("{} is {}, but there are {} tokens", key, *value,
                                     parts.tokens.size()));
    }
    return std::optional<TokenId>(static_cast<TokenId>(*value));
  };
  R1_TRY(parts.bos, id_of("tokenizer.ggml.bos_token_id"));
  R1_TRY(parts.eos, id_of("tokenizer.ggml.eos_token_id"));
  if (parts.eos) {
    add_end(parts, *parts.eos);
  }
  for (const std::string_view key :
       {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    R1_TRY(const auto id, id_of(key));
    if (id) {
      add_end(parts, *id);
    }
  }
  for (const TokenizerParts::AddedToken& token : parts.added) {
    if (names_an_end(token.text)) {
      add_end(parts, token.id);
    }
  }
  R1_TRY(const auto adds_bos, file.get_bool("tokenizer.ggml.add_bos_token"));
  parts.adds_bos = adds_bos.value_or(parts.ignore_merges) && parts.bos.has_value();
  return from_parts(std::move(parts));
}

}  // namespace r1eval
