// From graded samples to a task's scores: docs/statistics.md has the formulas with their sources.
//
// Order    items are folded in id order with pairwise summation: the same samples give the same
//          bytes for any thread count and any order of arrival.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/verdict.h"

namespace r1eval {

// One sample as statistics see it.
struct GradedSample {
  std::string item;
  std::int64_t sample = 0;
  Outcome outcome = Outcome::kUnscored;
  std::string answer_class;  // equal for answers that the grader calls equal; empty: no vote
  bool truncated = false;
  bool truncated_in_thinking = false;
  bool has_thinking = false;
  bool thinking_closed = false;
  bool stray_tags = false;
  std::int64_t completion_tokens = -1;
  std::int64_t prompt_tokens = -1;
  std::int64_t cached_tokens = -1;
  double cost = -1;  // dollars
  double seconds = -1;
  bool is_language_mixed = false;
  bool is_well_formed = true;  // one closed thinking block or none, an answer after it, read by us
  bool is_repeating = false;   // repeated_share() above kRepetitionLimit
  bool has_empty_thinking = false;
  double score = -1;  // a score between wrong and right, from foreign records; -1: by the outcome
};

// 1 for correct, 0 for anything else that was scored, or the foreign score.
double sample_score(const GradedSample& sample);

// What is known of an item beside its samples.
struct ItemInfo {
  std::string cluster;
  std::string stratum;
  std::map<std::string, std::string> metadata;
};

struct Interval {
  double lower = 0;
  double upper = 0;
  std::string method;  // "wilson", "clopper-pearson", "t", "wilson-neff", …
  double level = 0.95;
};

struct Score {
  double value = 0;                     // fraction of 1
  std::optional<double> se_population;  // generalising to new questions
  std::optional<double> se_rerun;       // re-running the same questions; none when every k is 1
  Interval interval;
  std::int64_t n_items = 0;
};

struct TaskScores {
  std::string task;
  std::string metric = "pass@1";
  Score score;
  std::int64_t k = 0;          // samples an item that were planned
  std::int64_t n_samples = 0;  // that exist
  std::int64_t n_planned = 0;
  std::int64_t n_unscored = 0;
  std::int64_t n_truncated = 0;
  std::int64_t n_truncated_in_thinking = 0;
  std::int64_t n_no_answer = 0;
  std::int64_t n_thinking_unclosed = 0;
  std::int64_t n_stray_tags = 0;
  std::optional<double> mean_completion_tokens;
  std::int64_t n_well_formed = 0;
  std::int64_t n_language_mixed = 0;
  std::int64_t n_repeating = 0;
  std::int64_t n_empty_thinking = 0;
  std::optional<double> tokens_per_correct;  // all answers' tokens over the right answers
  std::optional<double> cost;                // dollars, of all samples that have one
  std::optional<double> cost_per_correct;
  std::optional<double> seconds;  // mean time of an answer, from sending it to its last token
  std::map<std::string, Score> extra_metrics;                     // "cons@64", "pass@8", …
  std::map<std::string, double> tie_rate;                         // of "cons@k"
  std::map<std::string, std::map<std::string, Score>> breakdown;  // field -> value -> score
  // The score had generation stopped after so many tokens: answers that took more count as wrong,
  // which is a lower curve (a model that knew its budget might have done better). Only where every
  // sample says how many tokens it took.
  std::vector<std::pair<std::int64_t, Score>> budget;
  bool is_partial = false;  // --limit, or samples are missing
};

// One item's scored samples, for a score over items.
struct ItemMean {
  double mean = 0;
  double variance = 0;  // within the item, unbiased; 0 for one sample
  std::int64_t k = 0;
  double sum = 0;
  std::string cluster;  // empty: the item alone
  std::string stratum;
  std::string id;
};

// Mean over items with both standard errors and the interval of docs/statistics.md.
Score score_of_items(const std::vector<ItemMean>& items);

// `samples` in any order. Items without a single scored sample are left out of the mean. Without
// votes there is no cons@k.
TaskScores aggregate_task(const std::string& task, std::vector<GradedSample> samples,
                          const std::map<std::string, ItemInfo>& items, std::int64_t k,
                          std::int64_t n_planned, const std::vector<std::string>& breakdown_fields,
                          bool has_votes = true);

}  // namespace r1eval
