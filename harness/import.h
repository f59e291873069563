// Records of other harnesses as a run directory of ours.
//
// A reader (one a format) turns files into ForeignSamples; write_import() makes the directory: the
// tasks the samples belong to (ours where the items are ours, else files beside the records), the
// manifest, samples.jsonl. What a format does not hold is said in `losses`.
// Bounds   a JSON document of 2 GiB, a decompressed archive member of 1 GiB.
// Errors   kNotFound, kParse with file and line or member, kUnsupported (a version or format that
// is
//          not read, by name).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace r1eval {

// Stand in the rows of an imported task where the records hold no question, or no gold: such items
// are matched by id alone, or stay unscored.
inline constexpr std::string_view kNoQuestion = "(the records do not hold this question)";
inline constexpr std::string_view kNoGold = "(the records do not hold this gold)";

struct ForeignSample {
  std::string task;
  std::string item;
  std::int64_t sample = -1;  // -1: the next one of the item
  std::string response;      // as the model wrote it, thinking included where it is inline
  std::string thinking;      // where it came apart
  std::string gold;
  std::string question;  // the problem; empty: unknown
  std::string prompt;    // all that was sent; empty: unknown
  std::vector<std::string> choices;
  std::string finish_reason;
  std::string subject;
  std::string cluster;
  std::int64_t prompt_tokens = -1;
  std::int64_t completion_tokens = -1;
  std::int64_t reasoning_tokens = -1;
  double seconds = -1;
  double cost = -1;  // in dollars
  std::uint64_t seed = 0;
  double score = -1;    // what the other harness said, 0 to 1; -1: nothing
  bool failed = false;  // the request failed: no sample, counted as missing
};

struct ForeignRun {
  std::string format;
  std::string model;
  std::string date;
  std::vector<ForeignSample> samples;
  std::vector<std::string> losses;  // sentences
  std::int64_t n_malformed = 0;     // lines or members that could not be read, left out
  OrderedJson settings = OrderedJson::object();  // sampler settings, where told
};

struct ImportOptions {
  std::string out;
  std::string task;    // all samples belong to this task of ours
  std::string grader;  // of tasks that are not ours: math, choice, text; empty: from the golds
  std::string model;   // in place of what the records say
  std::string command;
  std::map<std::string, std::string> map;  // jsonl: our field -> path of theirs
  bool trust = false;                      // take their scores over
};

// `format`: one of import_formats(). Reads the options task, model and map.
Result<ForeignRun> read_foreign(const std::string& format, const std::string& path,
                                const ImportOptions& options);

std::vector<std::string> import_formats();

struct ImportReport {
  std::int64_t n_samples = 0;
  std::int64_t n_duplicates = 0;
  std::int64_t n_failed = 0;
  std::int64_t n_without_gold = 0;
  std::vector<std::string> tasks;  // "NAME: 30 items, ours" …
};

Result<ImportReport> write_import(ForeignRun run, const ImportOptions& options);

}  // namespace r1eval
