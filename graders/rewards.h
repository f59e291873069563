// Reward functions as reinforcement learning of reasoning models uses them, with the parameters and
// defaults of the projects that published them: open-r1 (huggingface/open-r1, rewards.py: accuracy,
// format, tag count, reasoning steps, cosine, length, n-gram repetition) and TRL (huggingface/trl,
// rewards: think format, soft overlong punishment; the latter from DAPO, arXiv 2503.14476).
//
// Pure functions; safe from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace r1eval {

// 1 when the text is a thinking block and an answer block on lines of their own, in that order.
double reward_format_think_answer(std::string_view text);
// 1 when the text begins with its only <think> and closes it.
double reward_format_think(std::string_view text);
// A quarter for each of the four tags that stands exactly once on its own line.
double reward_tag_count(std::string_view text);
// Marks of steps ("Step 1:", "1.", list dashes, "First,"), three or more give 1.
double reward_reasoning_steps(std::string_view text);

struct CosineReward {
  double min_value_wrong = -1.0;
  double max_value_wrong = -0.5;
  double min_value_correct = 0.5;
  double max_value_correct = 1.0;
  double max_len = 1000;
};

// Half a cosine over length: short right answers earn most, short wrong ones lose most.
double reward_cosine(double length, bool correct, const CosineReward& params);

// max_penalty times the share of n-grams that repeat an earlier one. Words are those between
// spaces, in lower case.
double reward_repetition_words(std::string_view text, std::int64_t n, double max_penalty);
double reward_repetition_ids(std::span<const std::int64_t> ids, std::int64_t n, double max_penalty);

// Over a group of answers to one question: 0.5 minus the relative length, for wrong ones at most 0.
std::vector<double> reward_length_batch(std::span<const double> lengths,
                                        const std::vector<bool>& correct);

// 0 up to max_len - cache, then falling to -1 at max_len.
double reward_soft_overlong(double length, double max_len, double cache);

}  // namespace r1eval
