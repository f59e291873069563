// Task: one benchmark's definition, as its TOML file states it. Data only; loading the rows is
// tasks/dataset_store.h, rendering prompts is tasks/prompt.h.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/generation.h"
#include "graders/grader.h"

namespace r1eval {

// One data file of a task.
struct SourceFile {
  std::string role = "test";  // "test" rows are asked, "shots" rows are examples
  std::string path;           // where it lies in the store, under the task's dataset folder
  std::string url;            // where `data fetch` takes it from; empty: import only
  std::string sha256;         // empty: unverified, and every listing says so
  std::int64_t bytes = -1;
  std::string format;        // "jsonl", "jsonl.gz", "json" (a list), "csv", "zip+csv"
  std::string member;        // for archives: the file inside
  std::string password;      // for encrypted archives, published by their authors
  std::string builtin;       // compiled in under this name, e.g. "mini/mini_math.jsonl"
  std::string local;         // a user's own file, as a path; never pinned
  std::string value;         // what the column "@value" reads (MMLU: the subject)
  std::string group;         // what the column "@group" reads (MMLU: the category)
  bool is_optional = false;  // the task can run without it
  bool is_official = true;   // false: stands in where no official file is, and is marked
  std::int64_t release = 0;  // read only where the task's release is at least this
};

// Which fields of a row become what of an Item.
struct ColumnMap {
  bool has_header = true;  // CSV: the first row names the columns; else they are "0", "1", …
  std::string id;          // empty: "<file value>/<row number from 0>"
  std::string question;
  std::string target;
  std::vector<std::string> tests;    // columns that become Item::tests, a JSON object of texts
  std::vector<std::string> choices;  // multiple choice: columns in order; "name.0" reads an array
  bool target_is_first_choice = false;          // GPQA: the first of `choices` is right
  std::map<std::string, std::string> metadata;  // name in our records -> column
  std::string cluster;
  std::string stratum;
  bool strip = true;  // trim white space around question, target and choices
};

// Keeps the rows whose column lies in [since, until), compared as texts (dates as YYYY-MM-DD) or as
// whole numbers.
struct RowFilter {
  bool is_numeric = false;
  std::string column;  // empty: no filter
  std::string since;
  std::string until;
};

struct PromptSpec {
  // "problem" (text and directive), "choice", "lcb", "template"; "choice_loglikelihood": nothing is
  // generated, the log-probabilities of the letters after the prompt decide
  std::string style;
  std::string text;       // the template itself, with {question}, {A} … as the style says
  std::string directive;  // sentence that asks for the answer form
  std::string directive_position = "after";  // "before", "after", "none"
  std::string system;                        // empty: no system message
  std::int64_t n_shots = 0;
  std::string shuffle = "none";  // of choices: "r1eval", "simple-evals", "none"
};

struct Task {
  std::string name;
  std::string title;
  std::string version;  // changes when a score can change
  std::vector<std::string> suites;
  std::string data_of;  // task whose dataset, columns and filter these are; empty: its own
  std::string dataset;  // folder name in the store; empty: built in
  std::vector<SourceFile> sources;
  std::string archive_url;  // an archive that holds the files, for `data fetch`
  std::string archive_sha256;
  std::int64_t archive_bytes = -1;
  ColumnMap columns;
  RowFilter filter;
  PromptSpec prompt;
  GraderSpec grader;
  std::int64_t k = 1;  // samples an item by default
  std::int64_t max_tokens = 32768;
  double temperature = 0.6;
  double top_p = 0.95;
  std::string metric = "pass@1";
  std::vector<std::string> breakdown;  // metadata fields that get a table
  std::string license;
  bool is_redistributable = true;  // may item texts stand in reports?
  bool is_official = true;         // false: rows or tests are not the benchmark's own; marked
  std::int64_t release = 0;        // of the data, where files belong to releases; 0: none do
  bool needs_sandbox = false;      // graded by running programs
  std::string notes;
  std::string definition_sha256;  // of the TOML text
  std::string path;               // the user's file; empty: built in
};

}  // namespace r1eval
