// Gate: may this candidate replace that baseline? PASS, FAIL or INCONCLUSIVE for each task and in
// all.
//
// Rule     with L and U the one-sided bounds of candidate minus baseline and D the margin:
//          PASS when L > -D, FAIL when U < -D, else INCONCLUSIVE. All tasks must pass: an
//          intersection-union test (Berger 1982, Technometrics 24:295), so alpha needs no
//          correction. `strict` also fails a task whose regression is significant after Holm's
//          correction.
// Side     limits on what a score does not show (truncation, failures, tokens, …): point values.
// Units    margins in fractions of 1. Threads: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "results/compare.h"

namespace r1eval {

enum class GateVerdict : std::uint8_t { kPass, kInconclusive, kFail };
std::string_view gate_verdict_name(GateVerdict verdict);  // "pass", "inconclusive", "fail"

// A limit such as "truncation=2" (percent), "tokens=+10%" (over the baseline) or "cost=5".
struct SideLimit {
  std::string name;
  double limit = 0;          // rates as fractions of 1
  bool is_relative = false;  // to the baseline: value <= baseline * (1 + limit)
};

// Errors: kInvalidArgument with the names there are.
Result<SideLimit> parse_side_limit(std::string_view text);

struct SideGate {
  std::string name;
  std::optional<double> value;
  std::optional<double> baseline;
  double limit = 0;  // absolute
  GateVerdict verdict = GateVerdict::kInconclusive;
  std::string why;  // where the value is not known
};

struct GatedTask {
  TaskComparison comparison;
  double margin = 0;
  GateVerdict verdict = GateVerdict::kInconclusive;
  bool is_improved = false;  // the two-sided lower bound is above 0
  double p_holm = 1;         // of "the candidate is worse", over the tasks of the gate
  std::optional<std::int64_t> needed_k;
  std::optional<std::int64_t> needed_n;
};

struct GateOptions {
  CompareOptions compare;
  bool strict = false;
};

struct GateReport {
  GateVerdict verdict = GateVerdict::kInconclusive;
  std::string about;
  double alpha = 0.05;
  std::vector<GatedTask> tasks;
  std::vector<SideGate> side_gates;
  std::vector<Difference> differences;
  std::vector<std::string> notes;
  std::string candidate;  // where the two came from
  std::string baseline;
  std::string command;
};

// Every task of `margins` must be in both runs. Errors: kInvalidArgument naming the task.
Result<GateReport> gate_runs(const RunScores& candidate, const RunScores& baseline,
                             const std::map<std::string, double>& margins,
                             const std::vector<SideLimit>& limits, const GateOptions& options);

// Adds a side gate that was decided elsewhere (kernels); the whole is as bad as its worst part.
void add_side_gate(GateReport& report, SideGate side);

// What a comparison says, for machines: fields of `compare --json` and, for a gate, of gate.json.
OrderedJson comparison_json(const TaskComparison& comparison);
OrderedJson differences_json(const std::vector<Difference>& differences);
OrderedJson gate_json(const GateReport& report, int exit_code);

// For people: a terminal, a Markdown step summary.
std::string comparison_text(const TaskComparison& comparison, Question about);
std::string gate_text(const GateReport& report);
std::string gate_markdown(const GateReport& report);
// JUnit XML (the schema of the Jenkins xUnit plug-in): a test case a task and a side gate.
std::string gate_junit(const GateReport& report, bool inconclusive_is_failure);
// GitHub workflow commands, a line each task that did not pass; empty when all passed.
std::string gate_annotations(const GateReport& report);

}  // namespace r1eval
