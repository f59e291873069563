#include "engine/openai/chat_completions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace r1eval {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return out;
}

}  // namespace

const std::set<std::string>& optional_fields() {
  static const auto* const fields = new std::set<std::string>{"temperature",
                                                              "top_p",
                                                              "top_k",
                                                              "min_p",
                                                              "presence_penalty",
                                                              "frequency_penalty",
                                                              "repetition_penalty",
                                                              "seed",
                                                              "stop",
                                                              "stream_options",
                                                              "reasoning_effort",
                                                              "chat_template_kwargs",
                                                              "add_generation_prompt",
                                                              "continue_final_message"};
  return *fields;
}

Result<std::string> request_body(const GenerateRequest& request, const std::string& model,
                                 bool stream, const std::set<std::string>& omit) {
  const GenerateConfig& c = request.config;
  OrderedJson body;
  body["model"] = model;
  body["messages"] = OrderedJson::array();
  for (const ChatMessage& message : request.messages) {
    body["messages"].push_back({{"role", message.role}, {"content", message.content}});
  }
  const auto put = [&](const std::string& field, auto value) {
    if (!omit.contains(field)) {
      body[field] = value;
    }
  };
  if (!request.assistant_prefix.empty()) {
    // Servers that can go on with a begun answer are told so in the two ways that are in use.
    body["messages"].push_back({{"role", "assistant"}, {"content", request.assistant_prefix}});
    put("continue_final_message", true);
    put("add_generation_prompt", false);
  }
  put("max_tokens", c.max_tokens);
  if (c.temperature) {
    put("temperature", *c.temperature);
  }
  if (c.top_p) {
    put("top_p", *c.top_p);
  }
  if (c.top_k) {
    // "Off" is -1 for vLLM and SGLang; llama.cpp's servers want 0 and refuse -1.
    const std::int64_t off = omit.contains(std::string(kTopKMinusOne)) ? 0 : -1;
    put("top_k", *c.top_k > 0 ? *c.top_k : off);
  }
  if (c.min_p) {
    put("min_p", *c.min_p);
  }
  if (c.presence_penalty) {
    put("presence_penalty", *c.presence_penalty);
  }
  if (c.frequency_penalty) {
    put("frequency_penalty", *c.frequency_penalty);
  }
  if (c.repetition_penalty) {
    put("repetition_penalty", *c.repetition_penalty);
  }
  if (c.send_seed) {
    put("seed", c.seed);
  }
  if (!c.stop.empty()) {
    put("stop", c.stop);
  }
  if (!c.reasoning_effort.empty()) {
    put("reasoning_effort", c.reasoning_effort);
  }
  const auto merge = [&](const std::string& text, std::string_view flag,
                         OrderedJson& into) -> Status {
    if (text.empty()) {
      return ok_status();
    }
    const Result<Json> parsed = parse_json(text);
    if (!parsed || !parsed->is_object()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be a JSON object", flag));
    }
    for (const auto& [key, value] : parsed->items()) {
      into[key] = OrderedJson(value);
    }
    return ok_status();
  };
  if (!c.chat_template_kwargs.empty() && !omit.contains("chat_template_kwargs")) {
    OrderedJson kwargs = OrderedJson::object();
    R1_RETURN_IF_ERROR(merge(c.chat_template_kwargs, "--chat-template-kwargs", kwargs));
    body["chat_template_kwargs"] = kwargs;
  }
  if (stream) {
    body["stream"] = true;
    put("stream_options", OrderedJson{{"include_usage", true}});
  }
  R1_RETURN_IF_ERROR(merge(c.extra_body, "--extra-body", body));
  return dump_json(body);
}

void ReplyReader::read_common(const Json& json) {
  if (const std::string model = string_or(json, "model"); !model.empty()) {
    completion_.server_model = model;
  }
  if (const std::string print = string_or(json, "system_fingerprint"); !print.empty()) {
    completion_.system_fingerprint = print;
  }
  const Json* usage = find_member(json, "usage");
  if (usage == nullptr || !usage->is_object()) {
    return;
  }
  completion_.usage.prompt = int_or(*usage, "prompt_tokens", completion_.usage.prompt);
  completion_.usage.completion = int_or(*usage, "completion_tokens", completion_.usage.completion);
  if (const Json* details = find_member(*usage, "completion_tokens_details")) {
    completion_.usage.reasoning = int_or(*details, "reasoning_tokens", completion_.usage.reasoning);
  }
  if (const Json* details = find_member(*usage, "prompt_tokens_details")) {
    completion_.usage.cached = int_or(*details, "cached_tokens", completion_.usage.cached);
  }
}

Status ReplyReader::read_choice(const Json& choice, std::string_view part) {
  if (int_or(choice, "index", 0) != 0) {
    return ok_status();
  }
  saw_choice_ = true;
  if (const Json* message = find_member(choice, part)) {
    const std::string content = string_or(*message, "content");
    std::string reasoning = string_or(*message, "reasoning_content");
    const bool has_reasoning = find_member(*message, "reasoning_content") != nullptr ||
                               find_member(*message, "reasoning") != nullptr;
    if (reasoning.empty()) {
      reasoning = string_or(*message, "reasoning");
    }
    completion_.content += content;
    completion_.reasoning += reasoning;
    completion_.has_reasoning_field = completion_.has_reasoning_field || has_reasoning;
    begun_ = begun_ || !content.empty() || !reasoning.empty();
  }
  if (const std::string reason = string_or(choice, "finish_reason"); !reason.empty()) {
    completion_.finish_reason = reason;
  }
  return ok_status();
}

Status ReplyReader::read_whole(std::string_view body) {
  Result<Json> json = parse_json(body);
  if (!json) {
    return fail(ErrorCode::kParse, "the reply is no JSON: " + json.error().message);
  }
  if (find_member(*json, "error") != nullptr) {
    return fail(ErrorCode::kParse, "the reply is an error: " + error_words(body));
  }
  const Json* choices = find_member(*json, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) {
    return fail(ErrorCode::kParse, "the reply has no choices");
  }
  read_common(*json);
  done_ = true;
  return read_choice((*choices)[0], "message");
}

Status ReplyReader::read_event(std::string_view data) {
  if (data == "[DONE]") {
    done_ = true;
    return ok_status();
  }
  Result<Json> json = parse_json(data);
  if (!json) {
    return fail(ErrorCode::kParse, "an event of the stream is no JSON: " + json.error().message);
  }
  if (find_member(*json, "error") != nullptr) {
    return fail(ErrorCode::kParse, "the stream ended in an error: " + error_words(data));
  }
  read_common(*json);
  const Json* choices = find_member(*json, "choices");
  if (choices == nullptr || !choices->is_array()) {
    return ok_status();  // an event of usage alone
  }
  for (const Json& choice : *choices) {
    R1_RETURN_IF_ERROR(read_choice(choice, "delta"));
  }
  return ok_status();
}

Result<Completion> ReplyReader::finish() const {
  if (!saw_choice_) {
    return fail(ErrorCode::kParse, "the reply has no choices");
  }
  if (completion_.finish_reason.empty()) {
    return fail(ErrorCode::kParse,
                "the stream was cut: it ended without a finish reason, so the answer is not whole");
  }
  if (completion_.content.empty() && completion_.reasoning.empty() &&
      completion_.usage.completion <= 0) {
    return fail(ErrorCode::kUnavailable,
                "the reply is empty: no content, no reasoning and no completion tokens");
  }
  return completion_;
}

std::string error_words(std::string_view body) {
  const Result<Json> json = parse_json(body);
  if (json) {
    const Json* error = find_member(*json, "error");
    if (error != nullptr && error->is_string()) {
      return error->get<std::string>();
    }
    for (const Json* place : {error, &*json}) {
      if (place == nullptr) {
        continue;
      }
      for (const char* key : {"message", "detail", "error_description"}) {
        const Json* member = find_member(*place, key);
        if (member != nullptr) {
          return member->is_string() ? member->get<std::string>() : dump_json(*member);
        }
      }
    }
  }
  std::string words(body.substr(0, 300));
  std::replace(words.begin(), words.end(), '\n', ' ');
  return words.empty() ? "(no words)" : words;
}

std::string refused_field(std::string_view words, const std::set<std::string>& sent) {
  const std::string text = lower(words);
  static constexpr std::string_view kRefusals[] = {
      "unrecognized", "unsupported",      "not supported", "unknown",
      "unexpected",   "extra inputs",     "not permitted", "not allowed",
      "invalid",      "does not support", "should be",     "must be"};
  const bool refuses = std::any_of(std::begin(kRefusals), std::end(kRefusals), [&](auto refusal) {
    return text.find(refusal) != std::string::npos;
  });
  if (!refuses) {
    return "";
  }
  for (const std::string& field : sent) {
    const std::size_t at = text.find(field);
    if (at == std::string::npos) {
      continue;
    }
    // The whole word: "stop" is not named by "stopped", nor "top_p" by "stop_p".
    const auto is_word = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    };
    const bool begins = at == 0 || !is_word(text[at - 1]);
    const bool ends = at + field.size() >= text.size() || !is_word(text[at + field.size()]);
    if (begins && ends) {
      return field;
    }
  }
  return "";
}

bool speaks_of_validation(std::string_view words) {
  return lower(words.substr(0, 200)).find("validation error") != std::string::npos;
}

bool speaks_of_length(std::string_view words) {
  const std::string text = lower(words);
  return text.find("context length") != std::string::npos ||
         text.find("maximum context") != std::string::npos ||
         text.find("context window") != std::string::npos ||
         text.find("max_tokens") != std::string::npos ||
         text.find("too long") != std::string::npos || text.find("exceed") != std::string::npos;
}

}  // namespace r1eval
