#include "tasks/prompt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "tasks/python_random.h"
#include "tasks/registry.h"
#include "tests/support/shared_data.h"

namespace r1eval {
namespace {

Task builtin(const std::string& name) {
  return TaskRegistry::open().value().find(name).value();
}

// An item whose fields are the placeholders themselves renders the template.
TaskData placeholders() {
  TaskData data;
  Item item;
  item.id = "x";
  item.question = "{Question}";
  item.choices = {"{A}", "{B}", "{C}", "{D}"};
  item.correct_choice = 2;
  item.target = "C";
  data.items.push_back(item);
  return data;
}

std::string user_text(const Task& task, const TaskData& data, const RenderOptions& options) {
  const auto renderer = PromptRenderer::create(task, data, options);
  EXPECT_TRUE(renderer.has_value()) << renderer.error().message;
  return (*renderer)->render(0, 0).messages.back().content;
}

// SHA-256 of the published templates (openai/simple-evals ee3b031, the DeepSeek-R1 README,
// huggingface/lighteval 3fd1526, LiveCodeBench 28fef95), with their placeholders left in.
TEST(PromptTest, MultipleChoiceIsSimpleEvalsByteForByte) {
  RenderOptions options;
  options.shuffle = "none";
  EXPECT_EQ(sha256_hex(user_text(builtin("gpqa_diamond"), placeholders(), options)),
            "d4d85337bbd54659d12c8da7edc8b854d151b7327cf7574dc1062d753b03c8a6");
}

TEST(PromptTest, MathematicsInSimpleEvalsFormIsByteForByte) {
  RenderOptions options;
  options.prompt_variant = "simple-evals";
  EXPECT_EQ(sha256_hex(user_text(builtin("math_500"), placeholders(), options)),
            "231d269274b6a04711d192c935b7a4785da99e6823afbc817972a1d51f48425e");
}

TEST(PromptTest, LogLikelihoodFormHasTheSubjectsExamplesAndLettersAfterASpace) {
  const Task task = builtin("mmlu_loglikelihood");
  TaskData data;
  const auto item = [](const std::string& question, std::int64_t correct, const char* subject) {
    Item made;
    made.question = question;
    made.choices = {"one", "two", "three", "four"};
    made.correct_choice = correct;
    made.target = std::string(1, static_cast<char>('A' + correct));
    made.stratum = subject;
    return made;
  };
  data.items = {item(" What? \n", 1, "high_school_physics")};
  data.shots = {item("Other", 0, "anatomy"), item("First", 2, "high_school_physics"),
                item("Second", 3, "high_school_physics")};
  RenderOptions options;
  options.n_shots = 1;
  const auto renderer = PromptRenderer::create(task, data, options);
  ASSERT_TRUE(renderer.has_value()) << renderer.error().message;
  const RenderedPrompt prompt = (*renderer)->render(0, 0);
  EXPECT_EQ(prompt.messages.size(), 1u);
  EXPECT_EQ(prompt.messages[0].content,
            "The following are multiple choice questions (with answers) about high school physics."
            "\n\nFirst\nA. one\nB. two\nC. three\nD. four\nAnswer: C\n\n"
            "What?\nA. one\nB. two\nC. three\nD. four\nAnswer:");
  EXPECT_EQ(prompt.continuations, (std::vector<std::string>{" A", " B", " C", " D"}));
  EXPECT_EQ(prompt.target, "B");
}

TEST(PromptTest, TheDirectiveFollowsTheProblemOnItsOwnLine) {
  const Task task = builtin("math_500");
  EXPECT_EQ(sha256_hex(task.prompt.directive),
            "1ac42a4db949361d680bccf674bfe78603b409d1c10f77fce293f14b9e14cc1e");
  TaskData data = placeholders();
  data.items[0].question = "What?";
  EXPECT_EQ(user_text(task, data, {}), "What?\n" + task.prompt.directive);
  RenderOptions before;
  before.directive_position = "before";
  EXPECT_EQ(user_text(task, data, before), task.prompt.directive + "\nWhat?");
}

TEST(PromptTest, ProgrammingPromptsAreByteForByte) {
  const Task task = builtin("livecodebench");
  TaskData data = placeholders();
  data.items[0].question = "{question_content}";
  EXPECT_EQ(sha256_hex(user_text(task, data, {})),
            "4665f09a8a1b7eed3aac56273fe03e2bbfb830075a9c925e0a3be20f2ce36b63");
  RenderOptions generic;
  generic.prompt_variant = "lcb-generic";
  EXPECT_EQ(sha256_hex(user_text(task, data, generic)),
            "d785521ca4905d9b19d4be910c8e0edb0e9d551ffa2f8729674bdacfa7c70503");
  data.items[0].metadata["starter_code"] = "{starter_code}";
  EXPECT_EQ(sha256_hex(user_text(task, data, {})),
            "1ba9bc4f41ee0c8736353d35f70e3abf16db0b66a40e4688b6451b0c32ee22cf");
  EXPECT_EQ(sha256_hex(user_text(task, data, generic)),
            "6a7e3aa02d933f952a7f2d2e49fed30c3a0165c5ac6cbada5fd88185b30ec054");
}

TEST(PythonRandomTest, DrawsTheOrdersThatSimpleEvalsDraws) {
  const std::array<std::array<std::int64_t, 4>, 8> expected = {{{3, 1, 0, 2},
                                                                {3, 1, 2, 0},
                                                                {2, 3, 0, 1},
                                                                {2, 0, 3, 1},
                                                                {1, 3, 0, 2},
                                                                {2, 1, 0, 3},
                                                                {3, 1, 0, 2},
                                                                {3, 2, 1, 0}}};
  PythonRandom random(0);
  for (const auto& order : expected) {
    EXPECT_EQ(random.permutation(4), std::vector<std::int64_t>(order.begin(), order.end()));
  }
  for (int i = 8; i < 197; ++i) {
    (void)random.permutation(4);
  }
  EXPECT_EQ(random.permutation(4), (std::vector<std::int64_t>{2, 3, 1, 0}));  // number 197
  EXPECT_EQ(random.permutation(4),
            (std::vector<std::int64_t>{2, 1, 0, 3}));  // the next repeat's first
}

TEST(PromptTest, ShufflingMovesTheRightLetterAlong) {
  const Task task = builtin("mini_gpqa");
  TaskData data = placeholders();
  data.items[0].choices = {"w", "x", "right", "z"};
  RenderOptions options;
  options.k = 32;
  const auto renderer = PromptRenderer::create(task, data, options).value();
  bool moved = false;
  for (int sample = 0; sample < 32; ++sample) {
    const RenderedPrompt prompt = renderer->render(0, sample);
    const auto at = static_cast<std::size_t>(prompt.target[0] - 'A');
    EXPECT_EQ(prompt.choices[at], "right");
    moved = moved || at != 2;
    EXPECT_EQ(renderer->render(0, sample).sha256, prompt.sha256);
  }
  EXPECT_TRUE(moved);
}

TEST(PromptTest, TextOfAnItemIsNeverReadAsAPlaceholder) {
  TaskData data = placeholders();
  data.items[0].question = "What is {A}?";
  data.items[0].choices = {"one", "two", "three", "four"};
  RenderOptions options;
  options.shuffle = "none";
  EXPECT_NE(user_text(builtin("mini_gpqa"), data, options).find("What is {A}?"), std::string::npos);
}

TEST(PromptTest, UnknownOptionsNameWhatThereIs) {
  const TaskData data = placeholders();
  RenderOptions options;
  options.shuffle = "random";
  const auto renderer = PromptRenderer::create(builtin("mini_gpqa"), data, options);
  ASSERT_FALSE(renderer.has_value());
  EXPECT_NE(renderer.error().message.find("--shuffle 'random'"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
