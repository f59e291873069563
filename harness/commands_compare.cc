// compare, gate.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/load_result.h"
#include "results/embedded.h"
#include "results/gate.h"
#include "results/kernel_compare_report.h"

namespace r1eval {
namespace {

struct PairFlags {
  std::string candidate;
  std::string baseline;
  std::vector<std::string> tasks;
  std::string about = "new-items";
  std::int64_t draws = 10000;
  std::uint64_t seed = 0;
  bool as_graded = false;
  bool allow_prompt_change = false;
  bool allow_dataset_change = false;
  bool json = false;
  std::string published;
};

struct GateFlags : PairFlags {
  std::vector<std::string> margins;
  std::vector<std::string> sides;
  double alpha = 0.05;
  bool strict = false;
  bool allow_partial = false;
  std::string on_inconclusive;
  std::string missing_baseline = "fail";
  std::string kernels;
  int exit_code_failed = kExitGateFailed;
  std::string out;
  std::string junit;
  std::string markdown;
};

void add_pair_flags(CLI::App& app, PairFlags& flags) {
  app.add_option("--task", flags.tasks, "only these tasks")->delimiter(',');
  app.add_option("--about", flags.about,
                 "new-items: would new items of this kind differ? these-items: would asking these "
                 "again? (needs k of 2 or more)")
      ->check(CLI::IsMember({"new-items", "these-items"}));
  app.add_option("--draws", flags.draws, "of the bootstrap interval; 0: none")
      ->check(CLI::Range(0, 10'000'000));
  app.add_option("--seed", flags.seed, "of permutation and bootstrap draws");
  app.add_flag("--as-graded", flags.as_graded,
               "take the stored verdicts; both sides must come from the same grader");
  app.add_flag("--allow-prompt-change", flags.allow_prompt_change,
               "compare although the answers were given to other prompts");
  app.add_flag("--allow-dataset-change", flags.allow_dataset_change,
               "compare the items that both datasets have");
  app.add_flag("--json", flags.json, "print one JSON object");
}

struct Sides {
  RunScores candidate;
  RunScores baseline;
  std::vector<std::string> notes;
};

// Do both sides have the same items of the task that "TASK.dataset_sha256" names? Files may differ
// then in what no item shows.
bool same_items(const Sides& sides, const std::string& field) {
  const std::string task = field.substr(0, field.rfind('.'));
  const std::vector<ItemResult>& a = sides.candidate.tasks.at(task).items;
  const std::vector<ItemResult>& b = sides.baseline.tasks.at(task).items;
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const ItemResult& x, const ItemResult& y) {
           return x.id == y.id && x.question == y.question;
         });
}

// Both runs, with only the tasks that are asked for; refuses what cannot be compared.
Result<Sides> load_sides(const PairFlags& flags) {
  Sides sides;
  const LoadOptions options{flags.as_graded};
  R1_TRY(sides.candidate, load_result(flags.candidate, options));
  R1_TRY(sides.baseline, load_result(flags.baseline, options));
  for (const std::string& name : flags.tasks) {
    if (!sides.candidate.tasks.contains(name) || !sides.baseline.tasks.contains(name)) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("--task {}: {} has no such task", name,
                      sides.candidate.tasks.contains(name) ? flags.baseline : flags.candidate));
    }
  }
  if (!flags.tasks.empty()) {
    const auto is_left_out = [&](const auto& entry) {
      return std::find(flags.tasks.begin(), flags.tasks.end(), entry.first) == flags.tasks.end();
    };
    std::erase_if(sides.candidate.tasks, is_left_out);
    std::erase_if(sides.baseline.tasks, is_left_out);
  }
  bool any = false;
  for (const auto& [name, task] : sides.candidate.tasks) {
    const auto other = sides.baseline.tasks.find(name);
    if (other == sides.baseline.tasks.end()) {
      sides.notes.push_back(fmt::format("{}: only the candidate has it; not compared", name));
      continue;
    }
    any = true;
    if (flags.as_graded && task.grader != other->second.grader) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("--as-graded: {} was graded by {} in {} and by {} in {}; grade both "
                      "with one grader (`r1eval grade DIR`), or leave --as-graded out",
                      name, task.grader, flags.candidate, other->second.grader, flags.baseline));
    }
    if (!flags.as_graded && task.grader != other->second.grader) {
      sides.notes.push_back(fmt::format(
          "{}: the baseline was graded by {}, which this r1eval is not ({}): its stored scores are "
          "taken; give its run directory to grade it again",
          name, other->second.grader, task.grader));
    }
    for (const auto& [label, side] : {std::pair<std::string, const TaskResult*>{"candidate", &task},
                                      {"baseline", &other->second}}) {
      if (side->n_stored > 0 && !flags.as_graded) {
        sides.notes.push_back(fmt::format("{}: {} graded again: {} of {} verdicts changed", name,
                                          label, side->n_changed, side->n_stored));
      }
      if (side->n_duplicates > 0) {
        sides.notes.push_back(
            fmt::format("{}: {}: {} double records are left out", name, label, side->n_duplicates));
      }
      if (side->n_samples < side->n_planned) {
        sides.notes.push_back(fmt::format("{}: {}: {} of {} samples are missing", name, label,
                                          side->n_planned - side->n_samples, side->n_planned));
      }
      std::int64_t n_unscored = 0;
      for (const ItemResult& item : side->items) {
        n_unscored += item.n_unscored;
      }
      if (n_unscored > 0) {
        sides.notes.push_back(
            fmt::format("{}: {}: {} samples could not be scored", name, label, n_unscored));
      }
    }
  }
  for (const auto& [name, task] : sides.baseline.tasks) {
    if (!sides.candidate.tasks.contains(name)) {
      sides.notes.push_back(fmt::format("{}: only the baseline has it; not compared", name));
    }
  }
  if (!any) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} and {} have no task in common", flags.candidate, flags.baseline));
  }
  for (const Difference& d : find_differences(sides.candidate, sides.baseline)) {
    if (d.is_prompt && !flags.allow_prompt_change) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("the answers were given to other prompts: {} is '{}' in {} and '{}' in "
                      "{}; --allow-prompt-change compares all the same",
                      d.field, d.a.substr(0, 60), flags.candidate, d.b.substr(0, 60),
                      flags.baseline));
    }
    if (d.is_dataset && !flags.allow_dataset_change && !same_items(sides, d.field)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("the runs are on other data: {} is {} in {} and {} in {}; "
                              "--allow-dataset-change compares the items that both have",
                              d.field, d.a.substr(0, 16), flags.candidate, d.b.substr(0, 16),
                              flags.baseline));
    }
  }
  return sides;
}

CompareOptions compare_options(const PairFlags& flags) {
  CompareOptions options;
  options.about = flags.about == "these-items" ? Question::kTheseItems : Question::kNewItems;
  options.n_draws = flags.draws;
  options.seed = flags.seed;
  return options;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// A run against a bare published number: what the numbers can and cannot show is said with them.
Result<int> compare_published(const PairFlags& flags) {
  R1_TRY(const RunScores run, load_result(flags.candidate, {flags.as_graded}));
  Json published;
  for (const auto& [file, text] : embedded_result_files()) {
    if (file == "data/published.json") {
      R1_TRY(published, parse_json(text));
    }
  }
  std::set<std::string> models;
  OrderedJson tasks = OrderedJson::object();
  std::string text;
  bool is_known = false;
  for (const Json& score : published.at("scores")) {
    models.insert(string_or(score, "model"));
    is_known = is_known || string_or(score, "model") == flags.published;
    const auto task = run.tasks.find(string_or(score, "task"));
    if (string_or(score, "model") != flags.published || string_or(score, "metric") != "pass@1" ||
        task == run.tasks.end()) {
      continue;
    }
    const double value = double_or(score, "value", 0);
    const OneSample c = compare_with_number(task->second, value);
    OrderedJson entry;
    entry["value"] = c.score.value;
    entry["ci"] = OrderedJson::array({c.score.interval.lower, c.score.interval.upper});
    entry["published"] = value;
    entry["source"] = string_or(score, "source");
    entry["delta"] = c.delta;
    entry["se_run"] = c.score.se_rerun ? OrderedJson(*c.score.se_rerun) : OrderedJson();
    entry["p"] = c.p ? OrderedJson(*c.p) : OrderedJson();
    entry["n"] = c.score.n_items;
    tasks[task->first] = entry;
    text += fmt::format(
        "{}: {:.1f} % [{:.1f}, {:.1f}], published {:.1f} % ({}): {:+.2f} points, {}\n", task->first,
        100 * c.score.value, 100 * c.score.interval.lower, 100 * c.score.interval.upper,
        100 * value, string_or(score, "source"), 100 * c.delta,
        c.p ? fmt::format("p = {:.3g} if their number had no noise of its own", *c.p)
            : std::string("k = 1: re-running noise is not known, so no p"));
  }
  if (!is_known) {
    std::string names;
    for (const std::string& model : models) {
      names += (names.empty() ? "" : ", ") + model;
    }
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--published {}: there are {}", flags.published, names));
  }
  if (tasks.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--published {}: no published score for a task of {}", flags.published,
                            flags.candidate));
  }
  const std::string weak =
      "weak evidence: the published number comes without items, samples or interval, and prompt, "
      "sampler, dataset version or engine may differ; a gap can be any of these, and no gap proves "
      "nothing equal";
  if (flags.json) {
    OrderedJson json;
    json["schema"] = 1;
    json["candidate"] = flags.candidate;
    json["published"] = flags.published;
    json["tasks"] = tasks;
    json["notes"] = OrderedJson::array({weak});
    print(dump_json(json) + "\n");
  } else {
    print(text + "note: " + weak + "\n");
  }
  return kExitOk;
}

// Whatever cannot be compared is the user's to know: exit 2, as for any usage error.
Result<int> compare_with(const PairFlags& flags) {
  if (!flags.published.empty()) {
    return compare_published(flags);
  }
  if (flags.baseline.empty()) {
    return fail(ErrorCode::kInvalidArgument, "compare needs a BASELINE, or --published MODEL");
  }
  R1_TRY(const Sides sides, load_sides(flags));
  const CompareOptions options = compare_options(flags);
  OrderedJson tasks = OrderedJson::object();
  std::string text;
  for (const auto& [name, task] : sides.candidate.tasks) {
    const auto other = sides.baseline.tasks.find(name);
    if (other == sides.baseline.tasks.end()) {
      continue;
    }
    R1_TRY(const TaskComparison c, compare_task(task, other->second, options));
    tasks[name] = comparison_json(c);
    text += comparison_text(c, options.about);
  }
  const std::vector<Difference> differences = find_differences(sides.candidate, sides.baseline);
  if (flags.json) {
    OrderedJson json;
    json["schema"] = 1;
    json["about"] = flags.about;
    json["candidate"] = flags.candidate;
    json["baseline"] = flags.baseline;
    json["tasks"] = tasks;
    json["differences"] = differences_json(differences);
    json["notes"] = sides.notes;
    print(dump_json(json) + "\n");
    return kExitOk;
  }
  std::string out = fmt::format("candidate {}, baseline {}; about {}\n\n", flags.candidate,
                                flags.baseline, flags.about);
  out += text;
  for (const Difference& d : differences) {
    out += fmt::format("differs: {}: {} (candidate), {} (baseline)\n", d.field, d.a.substr(0, 80),
                       d.b.substr(0, 80));
  }
  for (const std::string& note : sides.notes) {
    out += "note: " + note + "\n";
  }
  print(out);
  return kExitOk;
}

// "TASK=POINTS", or "POINTS" for every task that both runs have.
Result<std::map<std::string, double>> read_margins(const GateFlags& flags, const Sides& sides) {
  std::map<std::string, double> margins;
  std::optional<double> for_all;
  if (flags.margins.empty()) {
    return fail(
        ErrorCode::kInvalidArgument,
        "gate needs --margin TASK=POINTS: how many percentage points may be lost? There is no "
        "default");
  }
  for (const std::string& text : flags.margins) {
    const std::size_t equals = text.rfind('=');
    const std::string number = equals == std::string::npos ? text : text.substr(equals + 1);
    char* end = nullptr;
    const double points = std::strtod(number.c_str(), &end);
    if (number.empty() || *end != '\0' || !std::isfinite(points) || points < 0 || points > 100) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--margin {}: expected TASK=POINTS with 0 to 100 percentage points, "
                              "e.g. math_500=2",
                              text));
    }
    if (equals == std::string::npos) {
      for_all = points / 100;
    } else if (!margins.emplace(text.substr(0, equals), points / 100).second) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--margin {}: the task has a margin already", text));
    }
  }
  for (const auto& [name, task] : sides.candidate.tasks) {
    if (!sides.baseline.tasks.contains(name) || margins.contains(name)) {
      continue;
    }
    if (!for_all) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} has no margin: add --margin {}=POINTS, or name the tasks to gate "
                              "with --task",
                              name, name));
    }
    margins[name] = *for_all;
  }
  return margins;
}

Status refuse_partial(const Sides& sides, const std::map<std::string, double>& margins) {
  for (const RunScores* run : {&sides.candidate, &sides.baseline}) {
    for (const auto& [name, margin] : margins) {
      const auto task = run->tasks.find(name);
      if (task == run->tasks.end()) {
        continue;
      }
      const std::int64_t missing = task->second.n_planned - task->second.n_samples;
      if (task->second.is_partial || missing * 100 > task->second.n_planned) {
        return fail(
            ErrorCode::kInvalidArgument,
            fmt::format("{}: {} is partial ({}); a gate wants whole runs, or --allow-partial",
                        run->source, name,
                        task->second.is_partial ? std::string("a part of its items")
                                                : fmt::format("{} of {} samples are missing",
                                                              missing, task->second.n_planned)));
      }
    }
  }
  return ok_status();
}

int exit_of(GateVerdict verdict, const GateFlags& flags) {
  if (verdict == GateVerdict::kPass) {
    return kExitOk;
  }
  if (verdict == GateVerdict::kFail || flags.on_inconclusive == "fail") {
    return flags.exit_code_failed;
  }
  return flags.on_inconclusive.empty() ? kExitInconclusive : kExitOk;
}

Status write_copies(const GateFlags& flags, const GateReport& report, int code) {
  if (!flags.out.empty()) {
    R1_RETURN_IF_ERROR(write_file_atomic(flags.out, dump_json_pretty(gate_json(report, code))));
  }
  if (!flags.junit.empty()) {
    R1_RETURN_IF_ERROR(
        write_file_atomic(flags.junit, gate_junit(report, flags.on_inconclusive == "fail")));
  }
  if (!flags.markdown.empty()) {
    R1_RETURN_IF_ERROR(write_file_atomic(flags.markdown, gate_markdown(report)));
  }
  if (const std::string summary = environment("GITHUB_STEP_SUMMARY"); !summary.empty()) {
    // The file is shared by the steps of a job: added to, never replaced.
    std::FILE* file = std::fopen(summary.c_str(), "a");
    if (file == nullptr) {
      log_warning(fmt::format("GITHUB_STEP_SUMMARY={}: cannot be written", summary));
    } else {
      const std::string text = gate_markdown(report);
      std::fwrite(text.data(), 1, text.size(), file);
      std::fclose(file);
    }
  }
  if (!environment("GITHUB_ACTIONS").empty()) {
    const std::string lines = gate_annotations(report);
    std::fwrite(lines.data(), 1, lines.size(), stderr);
  }
  return ok_status();
}

Result<int> gate_with(const GateFlags& flags) {
  GateReport report;
  if (!result_exists(flags.baseline)) {
    if (!result_exists(flags.candidate)) {
      return fail(ErrorCode::kNotFound, fmt::format("{}: no run there", flags.candidate));
    }
    const bool passes = flags.missing_baseline == "pass";
    report.verdict = passes ? GateVerdict::kPass : GateVerdict::kFail;
    report.candidate = flags.candidate;
    report.baseline = flags.baseline;
    report.about = flags.about;
    report.notes.push_back(fmt::format("{}: there is no baseline; --missing-baseline {} decides",
                                       flags.baseline, flags.missing_baseline));
    log_warning(report.notes.back());
  } else {
    std::vector<SideLimit> limits;
    for (const std::string& side : flags.sides) {
      R1_TRY(SideLimit limit, parse_side_limit(side));
      limits.push_back(std::move(limit));
    }
    R1_TRY(const Sides sides, load_sides(flags));
    R1_TRY(const auto margins, read_margins(flags, sides));
    if (!flags.allow_partial) {
      R1_RETURN_IF_ERROR(refuse_partial(sides, margins));
    }
    GateOptions options;
    options.compare = compare_options(flags);
    options.compare.alpha = flags.alpha;
    options.strict = flags.strict;
    R1_TRY(report, gate_runs(sides.candidate, sides.baseline, margins, limits, options));
    report.notes.insert(report.notes.begin(), sides.notes.begin(), sides.notes.end());
  }
  if (!flags.kernels.empty()) {
    R1_TRY(const std::string bytes, read_file(flags.kernels));
    R1_TRY(SideGate side, kernel_side_gate(bytes, flags.kernels));
    add_side_gate(report, std::move(side));
  }
  report.command = command_line();
  const int code = exit_of(report.verdict, flags);
  R1_RETURN_IF_ERROR(write_copies(flags, report, code));
  print(flags.json ? dump_json(gate_json(report, code)) + "\n" : gate_text(report));
  if (report.verdict == GateVerdict::kInconclusive && flags.on_inconclusive == "warn") {
    log_warning("the gate is inconclusive; --on-inconclusive warn lets it through");
  }
  return code;
}

// A run that cannot be read or compared: named, exit 2; missing data or sandbox stays exit 5.
int finish(const Result<int>& code) {
  if (code) {
    return *code;
  }
  return report_failure(code.error());
}

}  // namespace

void add_compare_commands(CLI::App& app, Action& action) {
  CLI::App* compare = app.add_subcommand(
      "compare", "two runs, item by item: difference, interval, p, what else differs");
  auto pair = std::make_shared<PairFlags>();
  compare->add_option("CANDIDATE", pair->candidate, "run directory or baseline file")->required();
  compare->add_option("BASELINE", pair->baseline, "run directory or baseline file");
  compare->add_option("--published", pair->published,
                      "in place of BASELINE: a model whose published scores are known");
  add_pair_flags(*compare, *pair);
  compare->callback([&action, pair] { action = [pair] { return finish(compare_with(*pair)); }; });

  CLI::App* gate =
      app.add_subcommand("gate", "may the candidate replace the baseline? exit 0, 1 or 3");
  auto flags = std::make_shared<GateFlags>();
  gate->add_option("--candidate", flags->candidate, "run directory or baseline file")->required();
  gate->add_option("--baseline", flags->baseline, "run directory or baseline file")->required();
  gate->add_option("--margin", flags->margins,
                   "TASK=POINTS that may be lost; or POINTS, for every task that both have");
  add_pair_flags(*gate, *flags);
  gate->add_option(
      "--side", flags->sides,
      "NAME=LIMIT: truncation, extraction, failures, language-mix, format, repetition (percent of "
      "samples), tokens, cost (dollars) a sample; +P% is over the baseline");
  gate->add_option("--kernels", flags->kernels,
                   "verdict of `r1eval kernels compare --verdict FILE`: a side gate");
  gate->add_option("--alpha", flags->alpha, "one-sided error rate of the bounds")
      ->check(CLI::Range(1e-6, 0.5));
  gate->add_flag("--strict", flags->strict,
                 "fail a task that lost anything with Holm-adjusted p below alpha");
  gate->add_flag("--allow-partial", flags->allow_partial, "gate on runs over a part of the items");
  gate->add_option("--on-inconclusive", flags->on_inconclusive,
                   "pass: exit 0; warn: exit 0 and a warning; fail: exit 1; default: exit 3")
      ->check(CLI::IsMember({"pass", "warn", "fail"}));
  gate->add_option("--missing-baseline", flags->missing_baseline,
                   "what a baseline that is not there means: fail (exit 1) or pass")
      ->check(CLI::IsMember({"fail", "pass"}));
  gate->add_option("--exit-code-failed", flags->exit_code_failed, "in place of 1")
      ->check(CLI::Range(1, 125));
  gate->add_option("--out", flags->out, "also write gate.json there");
  gate->add_option("--junit", flags->junit, "also write JUnit XML there");
  gate->add_option("--markdown", flags->markdown, "also write a Markdown summary there");
  gate->callback([&action, flags] { action = [flags] { return finish(gate_with(*flags)); }; });
}

}  // namespace r1eval
