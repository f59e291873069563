// What stands on disk about a run: one JSON line a sample, one a grade.
//
// Sources  samples.jsonl and grades.HASH.jsonl of a run directory (results/run_store.h). Format
//          version 1; unknown fields are kept out, missing ones take the defaults below.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/generation.h"
#include "base/result.h"
#include "base/verdict.h"

namespace r1eval {

// A sample that arrived whole. Requests that failed are lines of events.jsonl, never samples.
struct SampleRecord {
  std::string key;  // hash of task, item, sample, model identity, messages, sampler, run seed
  std::string task;
  std::string item;
  std::int64_t sample = 0;
  std::string prompt_sha256;
  std::uint64_t seed = 0;
  std::string target;  // the gold as shown to this sample (letter after shuffling)
  std::string thinking;
  std::string answer;         // the text after the thinking
  std::string raw;            // content as it came, where it is not `answer` itself
  std::string finish_reason;  // "length" also where a server said "stop" at the token limit
  std::string stop_cause;     // finer, from the embedded engine: "end_token", "stop_string", …
  bool think_close_forced = false;  // the think budget ran out and the closing tag was put in
  std::vector<double> continuation_logprobs;  // of a scored item's choices, in the order shown
  std::vector<TokenLogprob> logprobs;         // one a generated token, where asked for
  bool truncated = false;                     // finish_reason is "length"
  bool truncated_in_thinking = false;         // … and the thinking had not ended
  bool has_thinking = false;
  bool thinking_closed = false;
  bool stray_tags = false;  // think tags are left over in the answer
  Usage usage;
  Timings timings;
  double cost = -1;  // dollars, at the prices that the manifest names; -1: unknown
  std::int64_t attempts = 1;
  std::string server_model;
  std::string system_fingerprint;
  std::string endpoint;
  // Of imported records: what the other harness said, 0 to 1; -1: nothing. Trusted: it stands in
  // for a verdict of ours; else the two are only compared.
  double foreign_score = -1;
  bool is_foreign_trusted = false;
};

struct GradeRecord {
  std::string task;
  std::string item;
  std::int64_t sample = 0;
  Verdict verdict;
  bool truncated = false;
};

std::string sample_to_json(const SampleRecord& record);
Result<SampleRecord> sample_from_json(std::string_view line);
std::string grade_to_json(const GradeRecord& record);
Result<GradeRecord> grade_from_json(std::string_view line);

}  // namespace r1eval
