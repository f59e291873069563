#include "tasks/prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/rng.h"
#include "tasks/python_random.h"

namespace r1eval {
namespace {

// openai/simple-evals at ee3b0318d8d1, common.py, QUERY_TEMPLATE_MULTICHOICE.
constexpr std::string_view kMultipleChoice =
    "Answer the following multiple choice question. The last line of your response should be of "
    "the "
    "following format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think step "
    "by "
    "step before answering.\n\n{Question}\n\nA) {A}\nB) {B}\nC) {C}\nD) {D}";

// The same repository, math_eval.py, QUERY_TEMPLATE.
constexpr std::string_view kMathSimpleEvals =
    "Solve the following math problem step by step. The last line of your response should be of "
    "the "
    "form Answer: $ANSWER (without quotes) where $ANSWER is the answer to the "
    "problem.\n\n{Question}"
    "\n\nRemember to put your answer on its own line after \"Answer:\", and you do not need to use "
    "a "
    "\\boxed command.";

// huggingface/lighteval at 3fd15266bc84, tasks for LiveCodeBench: the plain user turn.
constexpr std::string_view kLcbHead =
    "You will be given a question (problem specification) and will generate a correct Python "
    "program "
    "that matches the specification and passes all tests.\n\nQuestion: {question_content}\n\n";
constexpr std::string_view kLcbStarter =
    "You will use the following starter code to write the solution to the problem and enclose your "
    "code within delimiters.";
constexpr std::string_view kLcbStdin =
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly "
    "test on the sample inputs). Enclose your code within delimiters as follows. Ensure that when "
    "the "
    "python program runs, it reads the inputs, runs the algorithm and writes output to STDOUT.";
constexpr std::string_view kLcbCode = "\n```python\n{starter_code}\n```\n\n";
constexpr std::string_view kLcbPlaceholder = "# YOUR CODE HERE";

// LiveCodeBench at 28fef95, lcb_runner/prompts/code_generation.py: the generic chat form.
constexpr std::string_view kLcbGenericSystem =
    "You are an expert Python programmer. You will be given a question (problem specification) and "
    "will generate a correct Python program that matches the specification and passes all tests.";
constexpr std::string_view kLcbGenericAnswer =
    "### Answer: (use the provided format with backticks)\n\n";

// Replaces {name} for each given name, in one pass, so that replaced text is never read again.
std::string fill(std::string_view text,
                 const std::vector<std::pair<std::string_view, std::string_view>>& values) {
  std::string out;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    out += text.substr(0, open);
    if (open == std::string_view::npos) {
      break;
    }
    text.remove_prefix(open);
    bool replaced = false;
    for (const auto& [name, value] : values) {
      if (text.substr(1).starts_with(name) && text.substr(1 + name.size()).starts_with('}')) {
        out += value;
        text.remove_prefix(name.size() + 2);
        replaced = true;
        break;
      }
    }
    if (!replaced) {
      out += '{';
      text.remove_prefix(1);
    }
  }
  return out;
}

std::string trim(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos
             ? std::string()
             : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

class Renderer : public PromptRenderer {
 public:
  Renderer(const Task& task, const TaskData& data, const RenderOptions& options)
      : task_(task), data_(data), options_(options), spec_(task.prompt) {
    if (!options.shuffle.empty()) {
      spec_.shuffle = options.shuffle;
    }
    if (!options.directive_position.empty()) {
      spec_.directive_position = options.directive_position;
    }
    if (!options.system_prompt.empty()) {
      spec_.system = options.system_prompt;
    }
    if (options.n_shots >= 0) {
      spec_.n_shots = options.n_shots;
    }
    if (spec_.shuffle == "simple-evals") {
      draw_simple_evals();
    }
  }

  RenderedPrompt render(std::int64_t item_index, std::int64_t sample) const override {
    const Item& item = data_.items[static_cast<std::size_t>(item_index)];
    RenderedPrompt prompt;
    prompt.target = item.target;
    prompt.order = order_of(item, item_index, sample);
    for (std::size_t i = 0; i < prompt.order.size(); ++i) {
      prompt.choices.push_back(item.choices[static_cast<std::size_t>(prompt.order[i])]);
      if (prompt.order[i] == item.correct_choice) {
        prompt.target = std::string(1, static_cast<char>('A' + i));
      }
    }
    if (is_loglikelihood()) {
      render_loglikelihood(item, prompt);
      return prompt;
    }
    std::string system = spec_.system;
    if (is_lcb_generic() && system.empty()) {
      system = kLcbGenericSystem;
    }
    if (!system.empty()) {
      prompt.messages.push_back({"system", system});
    }
    std::string user;
    for (std::int64_t s = 0; s < spec_.n_shots && s < static_cast<std::int64_t>(data_.shots.size());
         ++s) {
      const Item& shot = data_.shots[shot_index(item, s)];
      std::vector<std::string> choices = shot.choices;
      user += body(shot, choices) + "\n\nAnswer: " + shot.target + "\n\n";
    }
    user += body(item, prompt.choices);
    prompt.messages.push_back({"user", std::move(user)});
    OrderedJson messages = OrderedJson::array();
    for (const ChatMessage& message : prompt.messages) {
      messages.push_back({{"role", message.role}, {"content", message.content}});
    }
    prompt.sha256 = sha256_hex(dump_json(messages));
    return prompt;
  }

  std::string template_sha256() const override {
    OrderedJson json;
    json["style"] = spec_.style;
    json["variant"] = options_.prompt_variant;
    json["text"] = template_text();
    json["directive"] = spec_.directive;
    json["directive_position"] = spec_.directive_position;
    json["system"] = spec_.system;
    json["shots"] = spec_.n_shots;
    json["shuffle"] = spec_.shuffle;
    return sha256_hex(dump_json(json));
  }

 private:
  bool is_lcb_generic() const { return options_.prompt_variant == "lcb-generic"; }

  bool is_loglikelihood() const { return spec_.style == "choice_loglikelihood"; }

  void render_loglikelihood(const Item& item, RenderedPrompt& prompt) const {
    std::string subject = item.stratum;
    std::replace(subject.begin(), subject.end(), '_', ' ');
    std::string text =
        "The following are multiple choice questions (with answers) about " + subject + ".\n\n";
    const auto block = [](const Item& of, const std::vector<std::string>& choices) {
      std::string out = trim(of.question);
      for (std::size_t i = 0; i < choices.size(); ++i) {
        out += "\n" + std::string(1, static_cast<char>('A' + i)) + ". " + choices[i];
      }
      return out + "\nAnswer:";
    };
    for (std::int64_t s = 0; s < spec_.n_shots && s < static_cast<std::int64_t>(data_.shots.size());
         ++s) {
      const Item& shot = data_.shots[shot_index(item, s)];
      text += block(shot, shot.choices) + " " + shot.target + "\n\n";
    }
    text += block(item, prompt.choices);
    for (std::size_t i = 0; i < prompt.choices.size(); ++i) {
      prompt.continuations.push_back(" " + std::string(1, static_cast<char>('A' + i)));
    }
    prompt.messages.push_back({"user", std::move(text)});
    const OrderedJson hashed = {{"text", prompt.messages.front().content},
                                {"continuations", prompt.continuations}};
    prompt.sha256 = sha256_hex(dump_json(hashed));
  }

  // Examples come from the item's own subject where the shots say one.
  std::size_t shot_index(const Item& item, std::int64_t s) const {
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < data_.shots.size(); ++i) {
      if (data_.shots[i].stratum == item.stratum && seen++ == s) {
        return i;
      }
    }
    return static_cast<std::size_t>(s);
  }

  std::string template_text() const {
    if (!spec_.text.empty()) {
      return spec_.text;
    }
    if (spec_.style == "choice") {
      return std::string(kMultipleChoice);
    }
    if (options_.prompt_variant == "simple-evals" && spec_.style == "problem") {
      return std::string(kMathSimpleEvals);
    }
    return "{question}";
  }

  std::string body(const Item& item, const std::vector<std::string>& choices) const {
    if (spec_.style == "lcb") {
      return lcb_body(item);
    }
    std::vector<std::pair<std::string_view, std::string_view>> values = {
        {"question", item.question}, {"Question", item.question}};
    static constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (std::size_t i = 0; i < choices.size(); ++i) {
      values.emplace_back(kLetters.substr(i, 1), choices[i]);
    }
    for (const auto& [name, value] : item.metadata) {
      values.emplace_back(name, value);
    }
    std::string text = fill(template_text(), values);
    if (spec_.style == "choice") {
      text = trim(text);
    }
    const bool has_directive = !spec_.directive.empty() && options_.prompt_variant.empty();
    if (has_directive && spec_.directive_position == "after") {
      text += "\n" + spec_.directive;
    } else if (has_directive && spec_.directive_position == "before") {
      text = spec_.directive + "\n" + text;
    }
    return text;
  }

  std::string lcb_body(const Item& item) const {
    const auto found = item.metadata.find("starter_code");
    const std::string starter = found == item.metadata.end() ? "" : found->second;
    const std::string_view how = starter.empty() ? kLcbStdin : kLcbStarter;
    const std::string_view code = starter.empty() ? kLcbPlaceholder : std::string_view(starter);
    std::string text;
    if (is_lcb_generic()) {
      text = "### Question:\n{question_content}\n\n### Format: ";
      text += how;
      text += kLcbCode;
      text += kLcbGenericAnswer;
    } else {
      text = kLcbHead;
      text += how;
      text += kLcbCode;
    }
    return fill(text, {{"question_content", item.question}, {"starter_code", code}});
  }

  std::vector<std::int64_t> order_of(const Item& item, std::int64_t item_index,
                                     std::int64_t sample) const {
    const auto n = static_cast<std::int64_t>(item.choices.size());
    if (spec_.shuffle == "r1eval" && n > 1) {
      return permutation(n, stable_hash64({"shuffle", std::to_string(options_.run_seed), task_.name,
                                           item.id, std::to_string(sample)}));
    }
    if (spec_.shuffle == "simple-evals" && n == 4) {
      const auto at = static_cast<std::size_t>(
          sample * static_cast<std::int64_t>(data_.items.size()) + item_index);
      if (at < drawn_.size()) {
        return drawn_[at];
      }
    }
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    return order;
  }

  // All items of repeat 0, then of repeat 1, …: one generator, seeded with 0, walks over all of
  // them.
  void draw_simple_evals() {
    PythonRandom random(0);
    const std::size_t n =
        data_.items.size() * static_cast<std::size_t>(std::max<std::int64_t>(1, options_.k));
    drawn_.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
      drawn_.push_back(random.permutation(4));
    }
  }

  const Task& task_;
  const TaskData& data_;
  const RenderOptions options_;
  PromptSpec spec_;
  std::vector<std::vector<std::int64_t>> drawn_;
};

Status check_one_of(std::string_view flag, const std::string& value,
                    const std::vector<std::string>& allowed) {
  if (value.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end()) {
    return ok_status();
  }
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{} '{}' is unknown{}", flag, value, did_you_mean(value, allowed)));
}

}  // namespace

Result<std::unique_ptr<PromptRenderer>> PromptRenderer::create(const Task& task,
                                                               const TaskData& data,
                                                               const RenderOptions& options) {
  R1_RETURN_IF_ERROR(
      check_one_of("--shuffle", options.shuffle, {"none", "r1eval", "simple-evals"}));
  R1_RETURN_IF_ERROR(
      check_one_of("--directive", options.directive_position, {"before", "after", "none"}));
  R1_RETURN_IF_ERROR(
      check_one_of("--prompt", options.prompt_variant, {"simple-evals", "lcb-generic"}));
  if (options.n_shots > 0 && data.shots.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--shots {}: task {} has no examples", options.n_shots, task.name));
  }
  if (task.prompt.style == "choice_loglikelihood" && !options.prompt_variant.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("--prompt {}: task {} has one prompt only",
                                                         options.prompt_variant, task.name));
  }
  if (task.prompt.style == "choice" && task.prompt.text.empty()) {
    for (const Item& item : data.items) {
      if (item.choices.size() != 4) {
        return fail(
            ErrorCode::kInvalidArgument,
            fmt::format("task {} item {}: {} choices; the built-in multiple-choice prompt has "
                        "four, give prompt.text for another number",
                        task.name, item.id, item.choices.size()));
      }
    }
  }
  return std::unique_ptr<PromptRenderer>(std::make_unique<Renderer>(task, data, options));
}

}  // namespace r1eval
