#include "engine/model/tokenizer.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

// A tokenizer of a few merges, enough to see ranks, added tokens and pieces at work.
TokenizerParts small_parts() {
  TokenizerParts parts;
  for (int b = 0; b < 256; ++b) {
    parts.tokens.emplace_back(1, static_cast<char>(b));
  }
  for (const char* token : {"ab", "bc", "abc", "<end>", " a"}) {
    parts.tokens.emplace_back(token);
  }
  parts.merges = {{"b", "c"}, {"a", "b"}, {"a", "bc"}, {" ", "a"}};
  parts.added.push_back({259, "<end>", true, false, false, false});
  parts.eos = 259;
  return parts;
}

std::unique_ptr<Tokenizer> small_tokenizer() {
  TokenizerParts parts = small_parts();
  EXPECT_TRUE(parts.pre.add_pattern(kGpt2Pattern).has_value());
  return Tokenizer::from_parts(std::move(parts)).value();
}

TEST(TokenizerTest, MergesTheLowestRankFirst) {
  EXPECT_EQ(small_tokenizer()->encode("abc").value(), (std::vector<TokenId>{258}));
  EXPECT_EQ(small_tokenizer()->encode("ab").value(), (std::vector<TokenId>{256}));
}

TEST(TokenizerTest, AddedTokensAreFoundInTheTextOnlyWhenAskedFor) {
  const auto tokenizer = small_tokenizer();
  EXPECT_EQ(tokenizer->encode("ab<end>ab").value(), (std::vector<TokenId>{256, 259, 256}));
  EncodeOptions plain;
  plain.parse_special = false;
  const auto ids = tokenizer->encode("<end>", plain).value();
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 259), 0);
}

TEST(TokenizerTest, DecodingGivesTheTextBack) {
  const auto tokenizer = small_tokenizer();
  const std::string text = "abc a\xC3\xA9 \xF0\x9F\x98\x80\n\n  x<end>";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text).value()), text);
}

TEST(TokenizerTest, InvalidUtf8BecomesReplacementCharacters) {
  const auto tokenizer = small_tokenizer();
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\xFF\xC3z").value()),
            "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

TEST(TokenizerTest, AWordOfAMegabyteIsMergedWithoutQuadraticWork) {
  const auto tokenizer = small_tokenizer();
  const std::string text(1 << 20, 'b');
  EXPECT_EQ(tokenizer->encode(text).value().size(), text.size());
}

TEST(TokenizerJsonTest, RefusesWhatIsNoByteLevelBpe) {
  const auto result =
      Tokenizer::from_tokenizer_json(R"({"model": {"type": "Unigram", "vocab": []}})", "t.json");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(result.error().message.find("Unigram"), std::string::npos);
}

TEST(TokenizerJsonTest, TakesMergesInBothShapes) {
  const std::string head = R"({"model": {"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": )";
  for (const std::string merges : {R"(["a b"]}})", R"([["a", "b"]]}})"}) {
    const auto tokenizer = Tokenizer::from_tokenizer_json(head + merges, "t.json");
    ASSERT_TRUE(tokenizer.has_value());
    EXPECT_EQ((*tokenizer)->encode("ab").value(), (std::vector<TokenId>{2}));
  }
}

// ---- published vectors --------------------------------------------------------------------------

std::string gunzip(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  std::string out;
  std::array<char, 65536> buffer{};
  for (int n = 0; file != nullptr && (n = gzread(file, buffer.data(), buffer.size())) > 0;) {
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
  if (file != nullptr) {
    gzclose(file);
  }
  return out;
}

void check_vectors(const Tokenizer& tokenizer, const std::string& path, const std::string& name,
                   bool parse_special) {
  long n = 0;
  const Status status = for_each_line(path, [&](std::string_view line, std::int64_t) -> Status {
    R1_TRY(const Json json, parse_json(line));
    const std::string text = string_or(json, "text");
    std::vector<TokenId> expected;
    for (const Json& id : json["ids"]) {
      expected.push_back(id.get<TokenId>());
    }
    EncodeOptions options;
    options.parse_special = parse_special;
    R1_TRY(const std::vector<TokenId> ids, tokenizer.encode(text, options));
    EXPECT_EQ(ids, expected) << name << " " << string_or(json, "id") << ": " << text;
    const std::string back = tokenizer.decode(expected);
    EXPECT_TRUE(back == text || back == normalize_nfc(text)) << name << ": " << text;
    ++n;
    return ok_status();
  });
  ASSERT_TRUE(status.has_value()) << status.error().message;
  report_cases(name, n);
}

struct Family {
  const char* vectors;
  const char* vocabulary;
  const char* pre;
};

class TokenizerVectors : public testing::TestWithParam<Family> {};

TEST_P(TokenizerVectors, EncodeExactlyAsPublished) {
  const std::string folder = "conformance/tokenizers/";
  R1_REQUIRE_SHARED(vectors, folder + GetParam().vectors);
  R1_REQUIRE_SHARED(vocabulary, folder + "vocab/" + GetParam().vocabulary);
  std::unique_ptr<Tokenizer> tokenizer;
  if (vocabulary.ends_with(".gz")) {
    auto read = Tokenizer::from_tokenizer_json(gunzip(vocabulary), vocabulary);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    tokenizer = std::move(read).value();
  } else {
    const auto file = GgufFile::open(vocabulary);
    ASSERT_TRUE(file.has_value()) << file.error().message;
    auto read = Tokenizer::from_gguf(*file);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    tokenizer = std::move(read).value();
  }
  if (GetParam().pre[0] != '\0') {
    ASSERT_TRUE(tokenizer->set_pre_tokenizer(GetParam().pre).has_value());
  }
  check_vectors(*tokenizer, vectors, std::string("tokenizer ") + GetParam().vectors, true);
}

INSTANTIATE_TEST_SUITE_P(
    Families, TokenizerVectors,
    testing::Values(Family{"vectors/gpt2.jsonl", "ggml-vocab-gpt-2.gguf", ""},
                    Family{"vectors/smollm-pre-on-gpt2-vocab.jsonl", "ggml-vocab-gpt-2.gguf",
                           "smollm"},
                    Family{"vectors/llama3.jsonl", "llama-3.1.tokenizer.json.gz", ""},
                    Family{"vectors/qwen.jsonl", "qwen3.tokenizer.json.gz", ""},
                    Family{"vectors/deepseek-v3.jsonl", "deepseek-v3.tokenizer.json.gz", ""},
                    Family{"published/gpt2.jsonl", "ggml-vocab-gpt-2.gguf", ""},
                    Family{"published/llama3.jsonl", "llama-3.1.tokenizer.json.gz", ""},
                    Family{"published/qwen.jsonl", "qwen3.tokenizer.json.gz", ""}));

class RealPrompts : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(RealPrompts, HaveTheReferencesTokenIds) {
  R1_REQUIRE_SHARED(path, std::string("conformance/engine/") + GetParam().second);
  R1_REQUIRE_TEST_MODEL(model, GetParam().first);
  const auto file = GgufFile::open(model);
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto tokenizer = Tokenizer::from_gguf(*file);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  const auto text = read_file(path);
  ASSERT_TRUE(text.has_value());
  const auto json = parse_json(*text);
  ASSERT_TRUE(json.has_value());
  long n = 0;
  for (const Json& row : (*json)["items"]) {
    std::vector<TokenId> expected;
    for (const Json& id : row["prompt_tokens"]) {
      expected.push_back(id.get<TokenId>());
    }
    EXPECT_EQ((*tokenizer)->encode(string_or(row, "rendered")).value(), expected);
    ++n;
  }
  EXPECT_GT(n, 0);
  report_cases(std::string("prompt ids of ") + GetParam().second, n);
}

INSTANTIATE_TEST_SUITE_P(Models, RealPrompts,
                         testing::Values(std::pair{"smollm2-135m.gguf", "real-smol.json"},
                                         std::pair{"qwen2.5-coder-0.5b.gguf", "real-qwen.json"}));

}  // namespace
}  // namespace r1eval
