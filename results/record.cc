#include "results/record.h"

#include <cmath>

#include "base/json.h"

namespace r1eval {
namespace {

OrderedJson or_null(std::int64_t value) {
  return value < 0 ? OrderedJson() : OrderedJson(value);
}

OrderedJson or_null(double value) {
  return value < 0 ? OrderedJson() : OrderedJson(value);
}

std::uint64_t uint_or_zero(const Json& json, std::string_view key) {
  const Json* member = find_member(json, key);
  return member != nullptr && member->is_number_integer() ? member->get<std::uint64_t>() : 0;
}

// -1.5 a token, or [-1.5, [[id, -1.5], …]] where the best ones stand beside it.
OrderedJson logprobs_to_json(const std::vector<TokenLogprob>& logprobs) {
  OrderedJson list = OrderedJson::array();
  for (const TokenLogprob& token : logprobs) {
    const OrderedJson own =
        std::isfinite(token.logprob) ? OrderedJson(token.logprob) : OrderedJson();
    list.push_back(token.top.empty() ? own : OrderedJson::array({own, OrderedJson(token.top)}));
  }
  return list;
}

void read_logprobs(const Json& json, SampleRecord& r) {
  const auto number = [](const Json& value) {
    return value.is_number() ? value.get<double>() : std::nan("");
  };
  if (const Json* list = find_member(json, "continuation_logprobs"); list && list->is_array()) {
    for (const Json& value : *list) {
      r.continuation_logprobs.push_back(number(value));
    }
  }
  const Json* list = find_member(json, "logprobs");
  if (list == nullptr || !list->is_array()) {
    return;
  }
  for (const Json& value : *list) {
    TokenLogprob token;
    const bool has_top = value.is_array() && value.size() == 2 && value[1].is_array();
    token.logprob = number(has_top ? value[0] : value);
    for (std::size_t i = 0; has_top && i < value[1].size(); ++i) {
      const Json& pair = value[1][i];
      if (pair.is_array() && pair.size() == 2 && pair[0].is_number_integer()) {
        token.top.emplace_back(pair[0].get<std::int32_t>(), number(pair[1]));
      }
    }
    r.logprobs.push_back(std::move(token));
  }
}

}  // namespace

std::string sample_to_json(const SampleRecord& r) {
  OrderedJson json;
  json["key"] = r.key;
  json["task"] = r.task;
  json["item"] = r.item;
  json["sample"] = r.sample;
  json["prompt_sha256"] = r.prompt_sha256;
  json["seed"] = r.seed;
  json["target"] = r.target;
  json["thinking"] = r.thinking;
  json["answer"] = r.answer;
  if (!r.raw.empty()) {
    json["raw"] = r.raw;
  }
  json["finish_reason"] = r.finish_reason;
  if (!r.stop_cause.empty()) {
    json["stop_cause"] = r.stop_cause;
  }
  if (r.think_close_forced) {
    json["think_close_forced"] = true;
  }
  if (!r.continuation_logprobs.empty()) {
    json["continuation_logprobs"] = r.continuation_logprobs;
  }
  if (!r.logprobs.empty()) {
    json["logprobs"] = logprobs_to_json(r.logprobs);
  }
  json["truncated"] = r.truncated;
  json["truncated_in_thinking"] = r.truncated_in_thinking;
  json["has_thinking"] = r.has_thinking;
  json["thinking_closed"] = r.thinking_closed;
  json["stray_tags"] = r.stray_tags;
  json["usage"] = {{"prompt", or_null(r.usage.prompt)},
                   {"cached", or_null(r.usage.cached)},
                   {"completion", or_null(r.usage.completion)},
                   {"reasoning", or_null(r.usage.reasoning)}};
  json["timings"] = {{"queue", or_null(r.timings.queue)},
                     {"first_token", or_null(r.timings.first_token)},
                     {"total", or_null(r.timings.total)}};
  if (r.cost >= 0) {
    json["cost"] = r.cost;
  }
  json["attempts"] = r.attempts;
  json["server"] = {{"model", r.server_model}, {"system_fingerprint", r.system_fingerprint}};
  json["endpoint"] = r.endpoint;
  if (r.foreign_score >= 0) {
    json["foreign"] = {{"score", r.foreign_score}, {"trusted", r.is_foreign_trusted}};
  }
  return dump_json(json);
}

Result<SampleRecord> sample_from_json(std::string_view line) {
  R1_TRY(Json json, parse_json(line));
  // The long texts are moved out: a copy of each is a copy of the file.
  const auto take = [&](const char* key) {
    const auto member = json.find(key);
    return member != json.end() && member->is_string() ? std::move(member->get_ref<std::string&>())
                                                       : std::string();
  };
  SampleRecord r;
  R1_TRY(r.task, get_string(json, "task"));
  R1_TRY(r.item, get_string(json, "item"));
  R1_TRY(r.sample, get_int(json, "sample"));
  r.key = string_or(json, "key");
  r.prompt_sha256 = string_or(json, "prompt_sha256");
  r.seed = uint_or_zero(json, "seed");
  r.target = string_or(json, "target");
  r.thinking = take("thinking");
  r.answer = take("answer");
  r.raw = take("raw");
  r.finish_reason = string_or(json, "finish_reason");
  r.stop_cause = string_or(json, "stop_cause");
  r.think_close_forced = bool_or(json, "think_close_forced", false);
  read_logprobs(json, r);
  r.truncated = bool_or(json, "truncated", r.finish_reason == "length");
  r.truncated_in_thinking = bool_or(json, "truncated_in_thinking", false);
  r.has_thinking = bool_or(json, "has_thinking", !r.thinking.empty());
  r.thinking_closed = bool_or(json, "thinking_closed", false);
  r.stray_tags = bool_or(json, "stray_tags", false);
  if (const Json* usage = find_member(json, "usage")) {
    r.usage.prompt = int_or(*usage, "prompt", -1);
    r.usage.cached = int_or(*usage, "cached", -1);
    r.usage.completion = int_or(*usage, "completion", -1);
    r.usage.reasoning = int_or(*usage, "reasoning", -1);
  }
  if (const Json* timings = find_member(json, "timings")) {
    r.timings.queue = double_or(*timings, "queue", -1);
    r.timings.first_token = double_or(*timings, "first_token", -1);
    r.timings.total = double_or(*timings, "total", -1);
  }
  r.cost = double_or(json, "cost", -1);
  r.attempts = int_or(json, "attempts", 1);
  if (const Json* server = find_member(json, "server")) {
    r.server_model = string_or(*server, "model");
    r.system_fingerprint = string_or(*server, "system_fingerprint");
  }
  r.endpoint = string_or(json, "endpoint");
  if (const Json* foreign = find_member(json, "foreign")) {
    const double score = double_or(*foreign, "score", -1);
    r.foreign_score = score >= 0 && score <= 1 ? score : -1;
    r.is_foreign_trusted = r.foreign_score >= 0 && bool_or(*foreign, "trusted", false);
  }
  return r;
}

std::string grade_to_json(const GradeRecord& r) {
  OrderedJson json;
  json["task"] = r.task;
  json["item"] = r.item;
  json["sample"] = r.sample;
  json["verdict"] = outcome_name(r.verdict.outcome);
  json["answer"] = r.verdict.answer;
  json["span"] = r.verdict.span_from < 0
                     ? OrderedJson()
                     : OrderedJson::array({r.verdict.span_from, r.verdict.span_to});
  json["pred_form"] = r.verdict.pred_form;
  json["gold_form"] = r.verdict.gold_form;
  json["rule"] = r.verdict.rule;
  json["evidence"] = r.verdict.evidence;
  if (!r.verdict.details.empty()) {
    if (const Result<Json> details = parse_json(r.verdict.details); details) {
      json["details"] = *details;
    }
  }
  json["truncated"] = r.truncated;
  return dump_json(json);
}

Result<GradeRecord> grade_from_json(std::string_view line) {
  R1_TRY(const Json json, parse_json(line));
  GradeRecord r;
  R1_TRY(r.task, get_string(json, "task"));
  R1_TRY(r.item, get_string(json, "item"));
  R1_TRY(r.sample, get_int(json, "sample"));
  R1_TRY(const std::string verdict, get_string(json, "verdict"));
  const std::optional<Outcome> outcome = outcome_from_name(verdict);
  if (!outcome) {
    return fail(ErrorCode::kParse, "field 'verdict': '" + verdict + "' is none of ours");
  }
  r.verdict.outcome = *outcome;
  r.verdict.answer = string_or(json, "answer");
  if (const Json* span = find_member(json, "span");
      span != nullptr && span->is_array() && span->size() == 2 && (*span)[0].is_number_integer() &&
      (*span)[1].is_number_integer()) {
    r.verdict.span_from = (*span)[0].get<std::int64_t>();
    r.verdict.span_to = (*span)[1].get<std::int64_t>();
  }
  r.verdict.pred_form = string_or(json, "pred_form");
  r.verdict.gold_form = string_or(json, "gold_form");
  r.verdict.rule = string_or(json, "rule");
  r.verdict.evidence = string_or(json, "evidence");
  if (const Json* details = find_member(json, "details"); details != nullptr) {
    r.verdict.details = dump_json(*details);
  }
  r.truncated = bool_or(json, "truncated", false);
  return r;
}

}  // namespace r1eval
