// score math, score choice and split-thinking: graders as JSONL filters on standard input.

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include <chrono>
#include <memory>

#include "graders/bounds.h"
#include "graders/extract/choice.h"
#include "graders/extract/thinking.h"
#include "graders/grader.h"
#include "graders/math/equality.h"
#include "graders/rewards.h"
#include "harness/command.h"
#include "harness/filter.h"
#include "harness/score_line.h"

namespace r1eval {
namespace {

class Stopwatch {
 public:
  double us() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Result<OrderedJson> score_math(const Json& input, const std::string& profile_flag) {
  const Stopwatch watch;
  R1_TRY(const MathLine line, read_math_line(input, profile_flag));
  R1_TRY(const std::unique_ptr<Grader> grader, make_grader(line.spec));
  const Verdict verdict = grade_math_line(*grader, line);
  OrderedJson out;
  out["verdict"] = outcome_name(verdict.outcome);
  out["answer"] = verdict.answer;
  out["span"] = OrderedJson::array({verdict.span_from, verdict.span_to});
  out["pred_form"] = verdict.pred_form;
  out["gold_form"] = verdict.gold_form;
  out["rule"] = verdict.rule;
  out["evidence"] = verdict.evidence;
  if (verdict.rule == kTruncatedInThinking) {
    out["truncated"] = true;
  }
  out["us"] = watch.us();
  return out;
}

Result<OrderedJson> score_choice(const Json& input) {
  const Stopwatch watch;
  R1_TRY(const std::string text, get_string(input, "text"));
  const std::string options = string_or(input, "options", "ABCD");
  if (options.empty() || static_cast<std::int64_t>(options.size()) > bounds::kMaxOptions ||
      options.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("options '{}': expected 1 to 26 different capital letters", options));
  }
  const std::string profile = string_or(input, "profile", "default");
  GraderSpec spec;
  spec.grader = "choice";
  spec.profile = profile;
  R1_RETURN_IF_ERROR(make_grader(spec));  // for the message about unknown profiles
  std::vector<std::string> choices;
  if (const Json* texts = find_member(input, "choices"); texts != nullptr && texts->is_array()) {
    for (const Json& choice : *texts) {
      choices.push_back(choice.is_string() ? choice.get<std::string>() : dump_json(choice));
    }
  }
  const AnswerPart part =
      find_answer_part(text, profile == "salvage-unfinished", prompt_opens_thinking(input));
  ChoiceRules rules;
  rules.options = options;
  rules.option_texts = choices;
  rules.is_multi = bool_or(input, "multi", false);
  rules.is_case_sensitive = profile == "case-sensitive";
  const ChosenLetter chosen = extract_choice(
      std::string_view(text).substr(part.from, part.to > part.from ? part.to - part.from : 0),
      rules);
  OrderedJson out;
  if (chosen.letters.empty()) {
    out["answer"] = nullptr;
    out["rule"] = part.is_unfinished ? kTruncatedInThinking : "none";
    if (part.is_unfinished) {
      out["truncated"] = true;
    }
  } else {
    out["answer"] = chosen.letters;
    out["rule"] = chosen.rule;
  }
  out["us"] = watch.us();
  return out;
}

Result<double> get_number(const Json& json, const std::string& name) {
  const Json* value = find_member(json, name);
  if (value == nullptr || !value->is_number()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is missing or no number", name));
  }
  return value->get<double>();
}

double number_or(const Json& json, const std::string& name, double otherwise) {
  const Json* value = find_member(json, name);
  return value != nullptr && value->is_number() ? value->get<double>() : otherwise;
}

constexpr std::array<std::string_view, 10> kRewards = {"accuracy",
                                                       "format_think_answer",
                                                       "format_think",
                                                       "tag_count",
                                                       "reasoning_steps",
                                                       "cosine_scaled",
                                                       "length_batch",
                                                       "soft_overlong",
                                                       "repetition_ngram_words",
                                                       "repetition_ngram_ids"};

// The reward functions that take a text.
Result<double> text_reward(const std::string& name, const std::string& text, const Json& input,
                           const Json& params) {
  if (name == "accuracy") {
    R1_TRY(const std::string gold, get_string(input, "gold"));
    GraderSpec spec;
    spec.profile = string_or(params, "profile", "default");
    R1_TRY(const std::unique_ptr<Grader> grader, make_grader(spec));
    GradeRequest request;
    request.text = text;
    request.target = gold;
    R1_RETURN_IF_ERROR(grader->check_target(request));
    return grader->grade(request).outcome == Outcome::kCorrect ? 1.0 : 0.0;
  }
  if (name == "format_think_answer") {
    return reward_format_think_answer(text);
  }
  if (name == "format_think") {
    return reward_format_think(text);
  }
  if (name == "tag_count") {
    return reward_tag_count(text);
  }
  if (name == "reasoning_steps") {
    return reward_reasoning_steps(text);
  }
  return reward_repetition_words(text, int_or(params, "ngram", 3),
                                 number_or(params, "max_penalty", -1.0));
}

Result<OrderedJson> score_reward(const Json& line) {
  R1_TRY(const std::string name, get_string(line, "reward"));
  if (std::find(kRewards.begin(), kRewards.end(), name) == kRewards.end()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("there is no reward '{}'; there are {}",
                                                         name, fmt::join(kRewards, ", ")));
  }
  const Json* input = find_member(line, "input");
  if (input == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "'input' is missing");
  }
  static const Json kNone = Json::object();
  const Json* given = find_member(line, "params");
  const Json& params = given != nullptr && given->is_object() ? *given : kNone;
  OrderedJson out;
  if (name == "cosine_scaled") {
    R1_TRY(const double length, get_number(*input, "length"));
    CosineReward cosine;
    cosine.min_value_wrong = number_or(params, "min_value_wrong", cosine.min_value_wrong);
    cosine.max_value_wrong = number_or(params, "max_value_wrong", cosine.max_value_wrong);
    cosine.min_value_correct = number_or(params, "min_value_correct", cosine.min_value_correct);
    cosine.max_value_correct = number_or(params, "max_value_correct", cosine.max_value_correct);
    cosine.max_len = number_or(params, "max_len", cosine.max_len);
    if (!(cosine.max_len > 0)) {
      return fail(ErrorCode::kInvalidArgument, "params.max_len must be above 0");
    }
    out["value"] = reward_cosine(length, bool_or(*input, "correct", false), cosine);
  } else if (name == "length_batch") {
    const Json* lengths = find_member(*input, "lengths");
    const Json* correct = find_member(*input, "correct");
    if (lengths == nullptr || correct == nullptr || !lengths->is_array() || !correct->is_array() ||
        lengths->size() != correct->size()) {
      return fail(ErrorCode::kInvalidArgument,
                  "input needs 'lengths' and 'correct', two lists of the same length");
    }
    std::vector<double> values;
    std::vector<bool> right;
    for (std::size_t i = 0; i < lengths->size(); ++i) {
      if (!(*lengths)[i].is_number() || !(*correct)[i].is_boolean()) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("entry {}: 'lengths' are numbers, 'correct' are booleans", i));
      }
      values.push_back((*lengths)[i].get<double>());
      right.push_back((*correct)[i].get<bool>());
    }
    out["value"] = reward_length_batch(values, right);
  } else if (name == "soft_overlong") {
    R1_TRY(const double length, get_number(*input, "length"));
    R1_TRY(const double max_len, get_number(params, "max_len"));
    R1_TRY(const double cache, get_number(params, "cache"));
    if (!(cache > 0) || cache > max_len) {
      return fail(ErrorCode::kInvalidArgument, "params.cache must be in (0, max_len]");
    }
    out["value"] = reward_soft_overlong(length, max_len, cache);
  } else if (name == "repetition_ngram_ids") {
    std::vector<std::int64_t> ids;
    for (const Json& id : *input) {
      if (!id.is_number_integer()) {
        return fail(ErrorCode::kInvalidArgument, "input must be a list of token ids");
      }
      ids.push_back(id.get<std::int64_t>());
    }
    out["value"] = reward_repetition_ids(ids, int_or(params, "ngram", 3),
                                         number_or(params, "max_penalty", -1.0));
  } else {
    if (!input->is_string()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("reward {}: input must be a text", name));
    }
    R1_TRY(const double value, text_reward(name, input->get<std::string>(), line, params));
    out["value"] = value;
  }
  return out;
}

Result<OrderedJson> split_line(const Json& input) {
  R1_TRY(const std::string text, get_string(input, "text"));
  ThinkTags tags;
  tags.open = string_or(input, "open", tags.open);
  tags.close = string_or(input, "close", tags.close);
  ThinkingInput request;
  request.content = text;
  request.prompt_opens_thinking = prompt_opens_thinking(input);
  const SplitThinking split = split_thinking(request, tags);
  OrderedJson out;
  out["thinking"] = split.thinking;
  out["answer"] = split.answer;
  out["closed"] = split.closed;
  return out;
}

}  // namespace

void add_score_commands(CLI::App& app, Action& action) {
  CLI::App* score = app.add_subcommand("score", "Grade lines of JSON from standard input");
  score->require_subcommand(1);
  auto profile = std::make_shared<std::string>();
  CLI::App* math =
      score->add_subcommand("math", "id, gold, pred, mode -> verdict with its evidence");
  math->add_option("--profile", *profile, "named set of rules for every line (docs/grading.md)");
  math->callback([&action, profile] {
    action = [profile] {
      return run_jsonl_filter(stdin, stdout,
                              [profile](const Json& input) { return score_math(input, *profile); });
    };
  });
  CLI::App* choice = score->add_subcommand("choice", "id, text, options -> the letter chosen");
  choice->callback(
      [&action] { action = [] { return run_jsonl_filter(stdin, stdout, score_choice); }; });
  CLI::App* reward = score->add_subcommand("reward", "id, reward, params, input -> the value");
  reward->callback(
      [&action] { action = [] { return run_jsonl_filter(stdin, stdout, score_reward); }; });
  add_score_code_command(*score, action);
  CLI::App* split = app.add_subcommand("split-thinking", "id, text -> thinking, answer, closed");
  split->callback(
      [&action] { action = [] { return run_jsonl_filter(stdin, stdout, split_line); }; });
}

}  // namespace r1eval
