#include "engine/model/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <utility>

namespace r1eval {

// The expressions are facts of the published tokenizers: openai/gpt-2 encoder.py; the
// tokenizer.json files of Llama 3, Qwen2 and DeepSeek-V3; HuggingFaceTB/SmolLM (digits alone, then
// GPT-2). Digits are ASCII digits: the reference encoder leaves other numerals to GPT-2's
// expression.
const std::string_view kSingleDigits = R"([0-9])";
const std::string_view kDigitRuns = R"([0-9]+)";
const std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

constexpr std::string_view kLlama3Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kDeepseekDigits = R"(\p{N}{1,3})";
constexpr std::string_view kDeepseekCjk =
    R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)";
constexpr std::string_view kDeepseekMain =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Family {
  std::string_view name;
  std::vector<std::string_view> patterns;
};

const std::vector<Family>& families() {
  static const auto* const list = new std::vector<Family>{
      {"gpt-2", {kGpt2Pattern}},
      {"gpt2", {kGpt2Pattern}},
      {"default", {kGpt2Pattern}},
      {"smollm", {kSingleDigits, kGpt2Pattern}},
      {"llama-bpe", {kLlama3Pattern}},
      {"llama-3", {kLlama3Pattern}},
      {"llama3", {kLlama3Pattern}},
      {"llama-v3", {kLlama3Pattern}},
      {"qwen2", {kQwen2Pattern}},
      {"qwen", {kQwen2Pattern}},
      {"deepseek-r1-qwen", {kQwen2Pattern}},
      {"deepseek-v3", {kDeepseekDigits, kDeepseekCjk, kDeepseekMain}},
      {"deepseek-coder",
       {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)",
        R"([\x{4e00}-\x{9fa5}\x{0800}-\x{4e00}\x{ac00}-\x{d7ff}]+)", R"(\p{N})"}},
  };
  return *list;
}

}  // namespace

class PreTokenizer::Pattern {
 public:
  ~Pattern() {
    pcre2_match_context_free(context_);
    pcre2_code_free(code_);
  }

  Status compile(std::string_view text) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_ =
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                      PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
    if (code_ == nullptr) {
      std::array<PCRE2_UCHAR, 256> message{};
      pcre2_get_error_message(error, message.data(), message.size());
      return fail(ErrorCode::kUnsupported,
                  fmt::format("the tokenizer's pattern '{}' at {}: {}", text, offset,
                              reinterpret_cast<const char*>(message.data())));
    }
    // Slower without, not wrong. pcre2_jit_match() skips the checks of arguments that pcre2_match()
    // makes for every word.
    is_compiled_ = pcre2_jit_compile(code_, PCRE2_JIT_COMPLETE) == 0;
    context_ = pcre2_match_context_create(nullptr);
    pcre2_set_match_limit(context_, 50'000'000);
    return ok_status();
  }

  // Cuts one piece; empty matches are passed over.
  Status cut(std::string_view piece, pcre2_match_data* match,
             std::vector<std::string_view>& out) const {
    std::size_t begin = 0;  // of what is not yet given out
    std::size_t at = 0;
    while (at < piece.size()) {
      const auto* const subject = reinterpret_cast<PCRE2_SPTR>(piece.data());
      const int found =
          is_compiled_
              ? pcre2_jit_match(code_, subject, piece.size(), at, 0, match, context_)
              : pcre2_match(code_, subject, piece.size(), at, PCRE2_NO_UTF_CHECK, match, context_);
      if (found == PCRE2_ERROR_NOMATCH) {
        break;
      }
      if (found < 0) {
        return fail(ErrorCode::kResourceExhausted,
                    "the tokenizer's pattern takes too many steps on this text");
      }
      const PCRE2_SIZE* const span = pcre2_get_ovector_pointer(match);
      if (span[1] == span[0]) {
        ++at;
        while (at < piece.size() && (static_cast<unsigned char>(piece[at]) & 0xC0) == 0x80) {
          ++at;
        }
        continue;
      }
      if (span[0] > begin) {
        out.push_back(piece.substr(begin, span[0] - begin));
      }
      out.push_back(piece.substr(span[0], span[1] - span[0]));
      begin = span[1];
      at = span[1];
    }
    if (begin < piece.size()) {
      out.push_back(piece.substr(begin));
    }
    return ok_status();
  }

  const pcre2_code* code() const { return code_; }

 private:
  pcre2_code* code_ = nullptr;
  pcre2_match_context* context_ = nullptr;
  bool is_compiled_ = false;
};

PreTokenizer::PreTokenizer() = default;
PreTokenizer::~PreTokenizer() = default;
PreTokenizer::PreTokenizer(PreTokenizer&&) noexcept = default;
PreTokenizer& PreTokenizer::operator=(PreTokenizer&&) noexcept = default;

Result<PreTokenizer> PreTokenizer::by_name(std::string_view name) {
  for (const Family& family : families()) {
    if (family.name == name) {
      PreTokenizer pre;
      for (const std::string_view pattern : family.patterns) {
        R1_RETURN_IF_ERROR(pre.add_pattern(pattern));
      }
      return pre;
    }
  }
  std::string names;
  for (const Family& family : families()) {
    names += (names.empty() ? "" : ", ") + std::string(family.name);
  }
  return fail(ErrorCode::kUnsupported,
              fmt::format("the pre-tokenizer '{}' is unknown; there are {}", name, names));
}

Status PreTokenizer::add_pattern(std::string_view text) {
  auto pattern = std::make_unique<Pattern>();
  R1_RETURN_IF_ERROR(pattern->compile(text));
  patterns_.push_back(std::move(pattern));
  return ok_status();
}

Result<std::vector<std::string_view>> PreTokenizer::cut(std::string_view text) const {
  std::vector<std::string_view> pieces;
  if (text.empty()) {
    return pieces;
  }
  pieces.push_back(text);
  for (const auto& pattern : patterns_) {
    pcre2_match_data* const match = pcre2_match_data_create_from_pattern(pattern->code(), nullptr);
    std::vector<std::string_view> finer;
    finer.reserve(text.size() / 4 + 4);
    Status status = ok_status();
    for (const std::string_view piece : pieces) {
      status = pattern->cut(piece, match, finer);
      if (!status) {
        break;
      }
    }
    pcre2_match_data_free(match);
    R1_RETURN_IF_ERROR(status);
    pieces = std::move(finer);
  }
  return pieces;
}

}  // namespace r1eval
