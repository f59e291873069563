#include "engine/mock/script.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/file.h"
#include "base/json.h"

namespace r1eval {
namespace {

constexpr std::string_view kKeys[] = {
    "match",          "equals",        "seed",          "content",
    "reasoning",      "finish_reason", "prompt_tokens", "completion_tokens",
    "opens_thinking", "error"};

std::int64_t count_words(std::string_view text) {
  std::int64_t n = 0;
  bool in_word = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    n += !space && !in_word ? 1 : 0;
    in_word = !space;
  }
  return n;
}

// The first `n` words, with the white space between them.
std::string first_words(const std::string& text, std::int64_t n) {
  std::int64_t seen = 0;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool space = text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r';
    if (!space && !in_word && ++seen > n) {
      return text.substr(0, i);
    }
    in_word = !space;
  }
  return text;
}

std::string replace(std::string text, std::string_view from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

Result<MockScript> MockScript::open(const std::string& path) {
  R1_TRY(const std::string text, read_file(path));
  return parse(text, path);
}

Result<MockScript> MockScript::parse(std::string_view jsonl, const std::string& origin) {
  MockScript script;
  std::int64_t number = 0;
  while (!jsonl.empty()) {
    const std::size_t end = jsonl.find('\n');
    const std::string_view line = jsonl.substr(0, end);
    jsonl.remove_prefix(end == std::string_view::npos ? jsonl.size() : end + 1);
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos || line.starts_with('#')) {
      continue;
    }
    const Result<Json> json = parse_json(line);
    if (!json || !json->is_object()) {
      return fail(ErrorCode::kParse,
                  fmt::format("{} line {}: {}", origin, number,
                              json ? "expected a JSON object" : json.error().message));
    }
    for (const auto& member : json->items()) {
      if (std::find(std::begin(kKeys), std::end(kKeys), member.key()) == std::end(kKeys)) {
        return fail(ErrorCode::kParse,
                    fmt::format("{} line {}: unknown key '{}'; a rule has {}", origin, number,
                                member.key(), fmt::join(kKeys, ", ")));
      }
    }
    Rule rule;
    rule.match = string_or(*json, "match");
    if (find_member(*json, "equals") != nullptr) {
      rule.equals = string_or(*json, "equals");
    }
    if (const Json* seed = find_member(*json, "seed");
        seed != nullptr && seed->is_number_integer()) {
      rule.seed = seed->get<std::uint64_t>();
    }
    rule.content = string_or(*json, "content");
    if (find_member(*json, "reasoning") != nullptr) {
      rule.reasoning = string_or(*json, "reasoning");
    }
    rule.finish_reason = string_or(*json, "finish_reason", "stop");
    rule.prompt_tokens = int_or(*json, "prompt_tokens", -1);
    rule.completion_tokens = int_or(*json, "completion_tokens", -1);
    rule.opens_thinking = bool_or(*json, "opens_thinking", false);
    rule.error = string_or(*json, "error");
    script.rules_.push_back(std::move(rule));
  }
  return script;
}

Completion MockScript::answer(const std::vector<ChatMessage>& messages, std::uint64_t seed,
                              std::int64_t max_tokens) const {
  std::string prompt;
  std::int64_t n_prompt = 0;
  for (const ChatMessage& message : messages) {
    n_prompt += count_words(message.content);
    if (message.role == "user") {
      prompt = message.content;
    }
  }
  Rule rule;
  rule.content = "mock answer to: {prompt}";
  for (const Rule& candidate : rules_) {
    const bool holds = candidate.equals ? prompt == *candidate.equals
                                        : prompt.find(candidate.match) != std::string::npos;
    if (holds && (!candidate.seed || *candidate.seed == seed)) {
      rule = candidate;
      break;
    }
  }
  Completion completion;
  completion.content =
      replace(replace(rule.content, "{seed}", std::to_string(seed)), "{prompt}", prompt);
  completion.finish_reason = rule.finish_reason;
  if (rule.reasoning) {
    completion.reasoning = *rule.reasoning;
    completion.has_reasoning_field = true;
  }
  completion.prompt_opens_thinking = rule.opens_thinking;
  std::int64_t n_completion = count_words(completion.content) + count_words(completion.reasoning);
  if (max_tokens > 0 && n_completion > max_tokens && rule.completion_tokens < 0) {
    completion.content = first_words(completion.content, max_tokens);
    completion.finish_reason = "length";
    n_completion = max_tokens;
  }
  completion.usage.prompt = rule.prompt_tokens >= 0 ? rule.prompt_tokens : n_prompt;
  completion.usage.completion = rule.completion_tokens >= 0 ? rule.completion_tokens : n_completion;
  completion.server_model = "mock";
  if (!rule.error.empty()) {
    completion.error = fail(ErrorCode::kUnavailable, rule.error);
  }
  return completion;
}

}  // namespace r1eval
