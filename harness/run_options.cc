#include "harness/run_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "engine/model/tokenizer.h"
#include "graders/code/sandbox.h"

namespace r1eval {
namespace {

std::vector<std::string> strings_or_empty(const Json& json, std::string_view key) {
  std::vector<std::string> out;
  if (const Json* member = find_member(json, key); member != nullptr && member->is_array()) {
    for (const Json& value : *member) {
      if (value.is_string()) {
        out.push_back(value.get<std::string>());
      }
    }
  }
  return out;
}

template <typename T>
std::optional<T> optional_number(const Json& json, std::string_view key) {
  const Json* member = find_member(json, key);
  return member != nullptr && member->is_number() ? std::optional<T>(member->get<T>())
                                                  : std::nullopt;
}

template <typename T>
OrderedJson or_null(const std::optional<T>& value) {
  return value ? OrderedJson(*value) : OrderedJson();
}

Error bad_flag(std::string_view flag, std::string_view value, std::string_view fix) {
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} '{}': {}", flag, value, fix));
}

Status check_json_object(std::string_view flag, const std::string& text) {
  if (text.empty()) {
    return ok_status();
  }
  const Result<Json> parsed = parse_json(text);
  if (!parsed || !parsed->is_object()) {
    return bad_flag(flag, text, R"(must be a JSON object, e.g. '{"enable_thinking": true}')");
  }
  return ok_status();
}

Status check_range(std::string_view flag, const std::optional<double>& value, double low,
                   double high) {
  if (value && !(*value >= low && *value <= high)) {
    return bad_flag(flag, format_double(*value), fmt::format("must lie in [{}, {}]", low, high));
  }
  return ok_status();
}

}  // namespace

OrderedJson run_options_to_json(const RunOptions& o) {
  OrderedJson json;
  json["suite"] = o.suite;
  json["tasks"] = o.tasks;
  json["limit"] = o.limit;
  json["items"] = o.items;
  json["k"] = or_null(o.k);
  json["seed"] = o.seed;
  json["shuffle"] = o.shuffle;
  json["directive"] = o.directive;
  json["prompt"] = o.prompt_variant;
  json["system_prompt"] = o.system_prompt;
  json["shots"] = o.n_shots;
  json["release"] = o.release;
  json["window"] = o.window;
  json["code_profile"] = o.code_profile;
  json["code_extraction"] = o.code_extraction;
  json["sandbox_min"] = o.sandbox_min;
  json["model"] = o.model;
  json["base_url"] = o.base_url;
  json["model_revision"] = o.model_revision;
  OrderedJson header_names = OrderedJson::array();
  for (const std::string& header : o.headers) {
    header_names.push_back(header.substr(0, header.find(':')));
  }
  json["header_names"] = header_names;
  json["threads"] = o.threads;
  json["engine_memory"] = o.engine_memory;
  json["concurrency"] = o.concurrency;
  json["stream"] = o.stream;
  json["think_tags"] = o.think_tags;
  json["assistant_prefix"] = or_null(o.assistant_prefix);
  json["max_tokens"] = or_null(o.max_tokens);
  json["temperature"] = or_null(o.temperature);
  json["top_p"] = or_null(o.top_p);
  json["top_k"] = or_null(o.top_k);
  json["min_p"] = or_null(o.min_p);
  json["stop"] = o.stop;
  json["think_budget"] = o.think_budget;
  json["force_think_close"] = o.force_think_close;
  json["logprobs"] = o.logprobs;
  json["reasoning_effort"] = o.reasoning_effort;
  json["chat_template_kwargs"] = o.chat_template_kwargs;
  json["extra_body"] = o.extra_body;
  json["omit"] = o.omit;
  json["labels"] = o.labels;
  json["max_failures"] = o.max_failures;
  json["prices"] = {{"file", o.prices.file},
                    {"input", o.prices.input},
                    {"cached_input", o.prices.cached},
                    {"output", o.prices.output}};
  return json;
}

Result<RunOptions> run_options_from_json(const Json& json) {
  if (!json.is_object()) {
    return fail(ErrorCode::kParse, "the manifest has no 'options' object");
  }
  RunOptions o;
  o.suite = string_or(json, "suite");
  o.tasks = strings_or_empty(json, "tasks");
  o.limit = string_or(json, "limit");
  o.items = strings_or_empty(json, "items");
  o.k = optional_number<std::int64_t>(json, "k");
  if (const Json* seed = find_member(json, "seed"); seed != nullptr && seed->is_number()) {
    o.seed = seed->get<std::uint64_t>();
  }
  o.shuffle = string_or(json, "shuffle");
  o.directive = string_or(json, "directive");
  o.prompt_variant = string_or(json, "prompt");
  o.system_prompt = string_or(json, "system_prompt");
  o.n_shots = int_or(json, "shots", -1);
  o.release = int_or(json, "release", 0);
  o.window = string_or(json, "window");
  o.code_profile = string_or(json, "code_profile");
  o.code_extraction = string_or(json, "code_extraction");
  o.sandbox_min = string_or(json, "sandbox_min", "B");
  o.model = string_or(json, "model");
  o.base_url = string_or(json, "base_url");
  o.model_revision = string_or(json, "model_revision");
  o.threads = int_or(json, "threads", 0);
  o.engine_memory = int_or(json, "engine_memory", 0);
  o.concurrency = string_or(json, "concurrency", "auto");
  o.stream = bool_or(json, "stream", true);
  o.think_tags = string_or(json, "think_tags");
  if (const Json* prefix = find_member(json, "assistant_prefix")) {
    if (prefix->is_string()) {
      o.assistant_prefix = prefix->get<std::string>();
    }
  }
  o.max_tokens = optional_number<std::int64_t>(json, "max_tokens");
  o.temperature = optional_number<double>(json, "temperature");
  o.top_p = optional_number<double>(json, "top_p");
  o.top_k = optional_number<std::int64_t>(json, "top_k");
  o.min_p = optional_number<double>(json, "min_p");
  o.stop = strings_or_empty(json, "stop");
  o.think_budget = int_or(json, "think_budget", 0);
  o.force_think_close = bool_or(json, "force_think_close", true);
  o.logprobs = int_or(json, "logprobs", -1);
  o.reasoning_effort = string_or(json, "reasoning_effort");
  o.chat_template_kwargs = string_or(json, "chat_template_kwargs");
  o.extra_body = string_or(json, "extra_body");
  o.omit = strings_or_empty(json, "omit");
  o.labels = strings_or_empty(json, "labels");
  if (const Json* prices = find_member(json, "prices")) {
    o.prices = {string_or(*prices, "file"), double_or(*prices, "input", -1),
                double_or(*prices, "cached_input", -1), double_or(*prices, "output", -1)};
  }
  o.max_failures = double_or(json, "max_failures", 0.01);
  return o;
}

Status check_run_options(const RunOptions& o) {
  if (o.suite.empty() == o.tasks.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                o.suite.empty()
                    ? "nothing to run: give --suite S or --task T[,T] (`r1eval list` shows them)"
                    : "--suite and --task exclude each other: give one of them");
  }
  if (!o.limit.empty()) {
    std::string_view digits = o.limit;
    const bool is_percent = digits.back() == '%';
    if (is_percent) {
      digits.remove_suffix(1);
    }
    double value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool is_whole = value == std::floor(value);
    if (error != std::errc() || end != digits.data() + digits.size() || !(value > 0) ||
        (is_percent && value > 100) || (!is_percent && !is_whole)) {
      return bad_flag("--limit", o.limit, "must be a number of items (50) or a share (10%)");
    }
  }
  if (!o.window.empty() && o.window.find("..") == std::string::npos) {
    return bad_flag("--window", o.window, "must look like 2024-08-01..2025-02-01");
  }
  if (o.release < 0 || o.release > 1000) {
    return bad_flag("--release", std::to_string(o.release), "must be a number from 1 on");
  }
  if (!sandbox_level_from(o.sandbox_min)) {
    return bad_flag("--sandbox-min", o.sandbox_min, "must be A, B or C");
  }
  if (o.k && (*o.k < 1 || *o.k > 100000)) {
    return bad_flag("--k", std::to_string(*o.k), "must be between 1 and 100000");
  }
  if (o.max_tokens && *o.max_tokens < 1) {
    return bad_flag("--max-tokens", std::to_string(*o.max_tokens), "must be at least 1");
  }
  R1_RETURN_IF_ERROR(check_range("--temperature", o.temperature, 0, 100));
  R1_RETURN_IF_ERROR(check_range("--top-p", o.top_p, 1e-9, 1));
  R1_RETURN_IF_ERROR(check_range("--min-p", o.min_p, 0, 1));
  R1_RETURN_IF_ERROR(check_range("--max-failures", o.max_failures, 0, 1));
  R1_RETURN_IF_ERROR(check_json_object("--chat-template-kwargs", o.chat_template_kwargs));
  R1_RETURN_IF_ERROR(check_json_object("--extra-body", o.extra_body));
  for (const std::string& stop : o.stop) {
    if (stop.empty() || valid_utf8(stop) != stop) {
      return bad_flag("--stop", valid_utf8(stop), "must be text in UTF-8, not empty");
    }
  }
  for (const std::string& label : o.labels) {
    if (label.find('=') == std::string::npos || label.front() == '=') {
      return bad_flag("--label", label, "must look like KEY=VALUE");
    }
  }
  for (const std::string& header : o.headers) {
    if (header.find(':') == std::string::npos || header.front() == ':') {
      return bad_flag("--header", header.substr(0, header.find('=')), "must look like KEY:VALUE");
    }
  }
  if (!o.think_tags.empty()) {
    const std::size_t comma = o.think_tags.find(',');
    if (comma == std::string::npos || comma == 0 || comma + 1 == o.think_tags.size()) {
      return bad_flag("--think-tags", o.think_tags, "must look like OPEN,CLOSE: <think>,</think>");
    }
  }
  if (o.concurrency != "auto") {
    std::int64_t value = 0;
    const char* const end = o.concurrency.data() + o.concurrency.size();
    const auto parsed = std::from_chars(o.concurrency.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || value < 1) {
      return bad_flag("--concurrency", o.concurrency, "must be 'auto' or a number of at least 1");
    }
  }
  return ok_status();
}

}  // namespace r1eval
