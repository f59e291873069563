// What the user asked of a run: flags merged over variables and the configuration file.
//
// The same struct is stored in the manifest (without secrets), so that `resume DIR` and `grade DIR`
// start from exactly what the run was started with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "harness/prices.h"

namespace r1eval {

struct RunOptions {
  // What is asked.
  std::string suite;
  std::vector<std::string> tasks;  // names or paths of task files
  std::string limit;               // "50" or "10%": a seeded, stratified sample of the items
  std::vector<std::string> items;  // only these item ids
  std::optional<std::int64_t> k;   // samples an item; empty: each task's own
  std::uint64_t seed = 0;
  std::string shuffle;
  std::string directive;
  std::string prompt_variant;
  std::string system_prompt;
  std::int64_t n_shots = -1;
  std::int64_t release = 0;  // of a dataset with releases; 0: the task's
  std::string window;        // "FROM..UNTIL" in place of the task's dates; either side may be empty

  // How programs are graded; cannot change a sample.
  std::string code_profile;     // empty: the task's
  std::string code_extraction;  // empty: the task's
  std::string sandbox_min = "B";

  // Of whom.
  std::string model;
  std::string base_url;
  std::string model_revision;
  std::vector<std::string> headers;  // "Key: value"; recorded by name only
  std::string key_file;              // recorded as nothing
  std::int64_t threads = 0;
  std::int64_t engine_memory = 0;  // bytes for the embedded engine; 0: what the machine has
  std::string concurrency = "auto";
  bool stream = true;
  std::int64_t max_attempts = 0;  // 0: the backend's own
  std::string think_tags;         // "OPEN,CLOSE"; empty: the catalogue's or the default
  std::optional<std::string> assistant_prefix;  // empty optional: the catalogue's

  // How.
  std::optional<std::int64_t> max_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::int64_t> top_k;
  std::optional<double> min_p;
  std::vector<std::string> stop;
  std::int64_t think_budget = 0;  // tokens of thinking before the closing tag is forced; 0: none
  bool force_think_close = true;  // else the sample ends there
  std::int64_t logprobs = -1;     // -1: none; else recorded, with so many best tokens beside each
  std::string reasoning_effort;
  std::string chat_template_kwargs;  // JSON object
  std::string extra_body;            // JSON object
  std::vector<std::string> omit;     // request fields that are not sent
  std::vector<std::string> labels;   // "K=V"

  // Running it; none of these can change a sample.
  std::string out;
  bool dry_run = false;
  bool fresh = false;
  bool yes = false;
  bool json = false;
  bool quiet = false;
  bool no_grade = false;
  bool accept_server_change = false;
  double max_failures = 0.01;
  PriceFlags prices;          // what is known better than the table
  std::string emit_requests;  // a file of batch requests to write in place of sending any
  std::string command;        // as typed, for the manifest and the line that resumes
};

// The fields that describe what is generated, without secrets: header values and key files are left
// out. Reading back gives the same options but for those.
OrderedJson run_options_to_json(const RunOptions& options);
Result<RunOptions> run_options_from_json(const Json& json);

// Values that can be checked without any file: limit, labels, JSON texts, ranges. Errors name flag,
// value and a fix.
Status check_run_options(const RunOptions& options);

}  // namespace r1eval
