// Two runs, item by item: the paired difference of a task's scores, how sure it is, and what would
// settle it.
//
// Pairing  by item id where the questions' hashes agree, else by the question's hash; items that
//          only one side has, or that one side could not score, are dropped and counted.
// Sign     candidate (a) minus baseline (b): negative is a regression. Fractions of 1.
// Sources  docs/statistics.md, "Comparing two runs"; results/paired.h, results/power.h.
// Threads  pure functions; bytes do not depend on thread count.
// Tested   tests/results/compare_test.cc; false alarms and power by tests/results/simulate.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "results/aggregate.h"
#include "results/power.h"

namespace r1eval {

// A count that a record of an older version does not hold.
inline constexpr std::int64_t kUnknownCount = -1;

// One item of one run as a comparison needs it: numbers and hashes, no texts.
struct ItemResult {
  std::string id;
  std::string question;  // hash of the normalised question; empty: unknown
  std::string prompt;    // hash of the prompt of its first sample; empty: unknown
  std::string cluster;
  std::string stratum;
  std::int64_t k = 0;  // scored samples
  double sum = 0;      // of their scores
  double sum_squares = 0;
  std::int64_t n_samples = 0;
  std::int64_t n_truncated = 0;
  std::int64_t n_no_answer = 0;
  std::int64_t n_unscored = 0;
  std::int64_t n_language_mixed = 0;
  std::int64_t n_with_tokens = 0;
  std::int64_t completion_tokens = 0;  // sum over those
  std::int64_t prompt_tokens = 0;
  std::int64_t n_ill_formed = 0;
  std::int64_t n_repeating = 0;
  std::int64_t n_with_cost = 0;
  double cost = 0;  // dollars, sum over those

  double mean() const { return k == 0 ? 0 : sum / static_cast<double>(k); }

  // Unbiased, within the item; 0 for one sample.
  double variance() const;
};

struct TaskResult {
  std::string task;
  std::string metric = "pass@1";
  std::string dataset_sha256;
  std::string template_sha256;
  std::string grader;  // hash of grader version and rules
  std::int64_t k = 1;
  std::int64_t n_planned = 0;
  std::int64_t n_samples = 0;
  std::int64_t n_duplicates = 0;  // records of a sample that stood there before; left out
  std::int64_t n_changed = 0;  // verdicts that the running grader gives otherwise than the stored
  std::int64_t n_stored = 0;   // stored verdicts that were compared with
  bool is_partial = false;     // a part of the items by choice (--limit, --items)
  bool is_redistributable = true;
  std::map<std::string, std::string> settings;  // sampler and prompt settings that may differ
  std::vector<ItemResult> items;                // by id
};

struct RunScores {
  std::string source;  // directory or baseline file
  std::string model;
  std::string model_revision;
  std::string command;
  std::string r1eval;
  std::map<std::string, std::string> settings;
  std::map<std::string, TaskResult> tasks;
};

// Fills what a task's samples say of its items. Items without samples are there with k = 0.
std::vector<ItemResult> fold_item_results(const std::vector<GradedSample>& samples,
                                          const std::map<std::string, ItemInfo>& items);

// What is asked: would new items of this kind, or would asking these items again, show a
// difference?
enum class Question : std::uint8_t { kNewItems, kTheseItems };
std::string_view question_name(Question question);  // "new-items", "these-items"

struct CompareOptions {
  Question about = Question::kNewItems;
  double level = 0.95;           // of intervals
  double alpha = 0.05;           // one-sided, of the bounds that gates use
  std::int64_t n_draws = 10000;  // of the bootstrap; 0: none
  std::uint64_t seed = 0;
  bool bounds_only = false;  // delta, its interval and the bounds, and nothing else
};

struct ItemPair {
  std::string id;
  double a = 0;
  double b = 0;
};

struct TaskComparison {
  std::string task;
  std::int64_t n_pairs = 0;
  std::int64_t n_dropped = 0;        // items of either side that make no pair
  std::int64_t n_changed_items = 0;  // of those: the same id with another question
  std::int64_t k_a = 0;              // most samples an item had
  std::int64_t k_b = 0;
  Score a;  // over the pairs
  Score b;
  double delta = 0;
  std::optional<double> se;
  double degrees = 0;
  Interval interval;   // of delta
  Interval bootstrap;  // of delta, BCa over items or clusters
  // One-sided bounds at alpha that hold also where rare, large losses were not seen: one more unit
  // that lost everything is counted in (docs/statistics.md, "What a gate must not miss").
  double lower = -1;
  double upper = 1;
  double p = 1;  // two-sided
  std::string p_method;
  double p_worse = 1;                 // one-sided, of "the candidate is worse"
  std::optional<double> mcnemar;      // k = 1 on both sides
  std::optional<double> correlation;  // of item means
  std::optional<double> se_unpaired;
  std::optional<double> design_effect;  // of clusters, on the difference
  std::int64_t n_units = 0;             // items, or clusters
  std::optional<double> mde;
  double worst_case = 0;  // delta when every dropped item goes against the candidate
  std::int64_t n_gained =
      0;  // items that the candidate gets right more than half, the baseline not
  std::int64_t n_lost = 0;
  DifferenceVariance variance;
  std::vector<ItemPair> flips;  // largest losses first, then largest gains; at most 50
};

// Errors: kInvalidArgument when about these items and a side has a single sample of each;
// kFailedPrecondition when no pair is left.
Result<TaskComparison> compare_task(const TaskResult& a, const TaskResult& b,
                                    const CompareOptions& options);

// A run against a bare number: the score of its items, and a test with the noise of re-running
// alone, as nothing is known of the number's own. p: two-sided, by Student's t with the samples'
// degrees of freedom; none when an item has one sample.
struct OneSample {
  Score score;
  double delta = 0;
  std::optional<double> p;
};

OneSample compare_with_number(const TaskResult& task, double number);

// Sentences about what differs between the runs beside the model: prompts, samplers, data,
// versions.
struct Difference {
  std::string field;
  std::string a;
  std::string b;
  bool is_prompt = false;   // answers were given to other prompts
  bool is_dataset = false;  // … or to other data
};

std::vector<Difference> find_differences(const RunScores& a, const RunScores& b);

}  // namespace r1eval
