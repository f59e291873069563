// score math, score choice and split-thinking: graders as JSONL filters on standard input.

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>

#include "graders/bounds.h"
#include "graders/extract/choice.h"
#include "graders/extract/thinking.h"
#include "graders/grader.h"
#include "graders/math/equality.h"
#include "harness/command.h"
#include "harness/filter.h"

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
  R1_TRY(const std::string gold, get_string(input, "gold"));
  R1_TRY(const std::string pred, get_string(input, "pred"));
  const std::string mode = string_or(input, "mode", "answer");
  if (mode != "answer" && mode != "text") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("mode '{}': expected 'answer' or 'text'", mode));
  }
  GraderSpec spec;
  spec.profile = profile_flag.empty() ? string_or(input, "profile", "default") : profile_flag;
  spec.decimals = 6;
  if (const Json* config = find_member(input, "config")) {
    spec.decimals = static_cast<int>(int_or(*config, "decimals", 6));
  }
  spec.extraction = mode == "answer" ? "whole" : "auto";
  R1_TRY(const std::unique_ptr<Grader> grader, make_grader(spec));
  GradeRequest request;
  request.text = pred;
  request.target = gold;
  Verdict verdict;
  if (const Status readable = grader->check_target(request); !readable) {
    // Equal strings are equal whatever they mean; anything else is not ours to judge.
    verdict = grader->grade(request);
    if (verdict.outcome != Outcome::kCorrect) {
      verdict.outcome = Outcome::kUnscored;
      verdict.rule = "unreadable_gold";
      verdict.evidence = readable.error().message;
    }
  } else {
    verdict = grader->grade(request);
  }
  OrderedJson out;
  out["verdict"] = outcome_name(verdict.outcome);
  out["answer"] = verdict.answer;
  out["span"] = OrderedJson::array({verdict.span_from, verdict.span_to});
  out["pred_form"] = verdict.pred_form;
  out["gold_form"] = verdict.gold_form;
  out["rule"] = verdict.rule;
  out["evidence"] = verdict.evidence;
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
  const AnswerPart part = find_answer_part(text, profile == "salvage-unfinished");
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
    out["rule"] = part.is_unfinished ? "unfinished" : "none";
  } else {
    out["answer"] = chosen.letters;
    out["rule"] = chosen.rule;
  }
  out["us"] = watch.us();
  return out;
}

Result<OrderedJson> split_line(const Json& input) {
  R1_TRY(const std::string text, get_string(input, "text"));
  ThinkTags tags;
  tags.open = string_or(input, "open", tags.open);
  tags.close = string_or(input, "close", tags.close);
  ThinkingInput request;
  request.content = text;
  request.prompt_opens_thinking = bool_or(input, "template_opens_thinking", false);
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
  CLI::App* split = app.add_subcommand("split-thinking", "id, text -> thinking, answer, closed");
  split->callback(
      [&action] { action = [] { return run_jsonl_filter(stdin, stdout, split_line); }; });
}

}  // namespace r1eval
