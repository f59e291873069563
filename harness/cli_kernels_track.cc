#include "harness/cli_kernels_track.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "harness/exit_codes.h"
#include "harness/kernel_launch.h"
#include "results/kernel_compare.h"
#include "results/kernel_compare_report.h"
#include "results/kernel_export.h"
#include "results/kernel_history.h"
#include "results/kernel_import.h"

namespace r1eval {
namespace {

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

Status print_or_write(const std::string& text, const std::string& out) {
  if (out.empty()) {
    print(text);
    return ok_status();
  }
  return write_file_atomic(out, text);
}

int finish(const Result<int>& code) {
  return code ? *code : report_failure(code.error());
}

// Results that are not there are the environment's; results that are there and cannot be compared
// are exit 2, as kParse and kInvalidArgument already are.
struct CompareFlags {
  std::vector<std::string> sides;    // BASE HEAD
  std::vector<std::string> confirm;  // BASE HEAD
  std::string base;                  // programs
  std::string head;
  std::string runner;
  std::vector<std::string> arguments;
  std::int64_t pairs = 5;
  std::int64_t confirm_pairs = 9;
  std::int64_t repetitions = 9;
  double limit_s = 600;
  std::string out;
  std::vector<std::string> patterns;
  std::vector<std::string> allow;
  double min_effect_percent = -1;
  std::string noise;
  std::string write_noise;
  std::string markdown;
  std::string verdict_file;
  bool strict = false;
  bool all = false;
  bool json = false;
};

Result<std::vector<KernelRun>> read_side(const std::string& path) {
  std::vector<std::string> skipped;
  R1_TRY(std::vector<KernelRun> runs, read_kernel_runs(path, &skipped));
  for (const std::string& message : skipped) {
    log_warning("left out: " + message);
  }
  return runs;
}

// Where launches go when nobody says: a new folder that stays, named in the output.
Result<std::string> new_directory() {
  const std::string tmp = environment("TMPDIR");
  std::string name = (tmp.empty() ? "/tmp" : tmp) + "/r1eval-kernels-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    return errno_error(errno, "make", name);
  }
  return name;
}

std::vector<std::string> split_words(const std::vector<std::string>& texts) {
  std::vector<std::string> words;
  for (const std::string& text : texts) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      if (end > at) {
        words.push_back(text.substr(at, end - at));
      }
      at = end + 1;
    }
  }
  return words;
}

Result<KernelCompareOptions> compare_options(const CompareFlags& flags) {
  KernelCompareOptions options;
  options.patterns = flags.patterns;
  options.allow = {flags.allow.begin(), flags.allow.end()};
  if (flags.min_effect_percent >= 0) {
    options.min_effect = flags.min_effect_percent / 100;
  }
  if (!flags.noise.empty()) {
    R1_TRY(const std::string text, read_file(flags.noise));
    R1_TRY(options.noise, parse_kernel_noise(text, flags.noise));
  }
  return options;
}

// Reads two sides that exist, and confirming launches where they do.
Result<KernelComparison> compare_files(const CompareFlags& flags,
                                       const KernelCompareOptions& options) {
  R1_TRY(std::vector<KernelRun> base, read_side(flags.sides[0]));
  R1_TRY(const std::vector<KernelRun> head, read_side(flags.sides[1]));
  R1_TRY(KernelComparison comparison, compare_kernel_runs(std::move(base), head, options));
  comparison.base = flags.sides[0];
  comparison.head = flags.sides[1];
  if (!flags.confirm.empty()) {
    R1_TRY(const std::vector<KernelRun> base_again, read_side(flags.confirm[0]));
    R1_TRY(const std::vector<KernelRun> head_again, read_side(flags.confirm[1]));
    R1_RETURN_IF_ERROR(confirm_kernel_runs(comparison, base_again, head_again, options));
  }
  return comparison;
}

// Measures: pairs of launches, then fresh pairs of what looked slower.
Result<KernelComparison> compare_programs(const CompareFlags& flags,
                                          const KernelCompareOptions& options) {
  KernelLaunchPlan plan;
  plan.base = flags.base;
  plan.head = flags.head;
  plan.runner = flags.runner;
  plan.arguments = split_words(flags.arguments);
  plan.n_pairs = flags.pairs;
  plan.n_repetitions = flags.repetitions;
  plan.limit_seconds = flags.limit_s;
  plan.directory = flags.out;
  if (plan.directory.empty()) {
    R1_TRY(plan.directory, new_directory());
  }
  const auto progress = [](const std::string& text) { log_info(text); };
  R1_TRY(KernelLaunches launches, launch_kernel_pairs(plan, progress));
  R1_TRY(KernelComparison comparison,
         compare_kernel_runs(std::move(launches.base), launches.head, options));
  comparison.base = flags.base;
  comparison.head = flags.head;
  plan.cases = cases_to_confirm(comparison);
  if (!plan.cases.empty() && flags.confirm_pairs > 0) {
    plan.prefix = "confirm-";
    plan.n_pairs = flags.confirm_pairs;
    R1_TRY(const KernelLaunches again, launch_kernel_pairs(plan, progress));
    R1_RETURN_IF_ERROR(confirm_kernel_runs(comparison, again.base, again.head, options));
  }
  comparison.notes.push_back("the launches are kept in " + plan.directory);
  return comparison;
}

Result<int> compare_with(const CompareFlags& flags) {
  const bool has_programs = !flags.base.empty() || !flags.head.empty();
  if (has_programs == !flags.sides.empty() || (!has_programs && flags.sides.size() != 2) ||
      (has_programs && (flags.base.empty() || flags.head.empty()))) {
    return fail(ErrorCode::kInvalidArgument,
                "kernels compare needs BASE and HEAD (files or folders of results), or --base "
                "PROGRAM and --head PROGRAM to measure");
  }
  R1_TRY(const KernelCompareOptions options, compare_options(flags));
  R1_TRY(const KernelComparison comparison,
         has_programs ? compare_programs(flags, options) : compare_files(flags, options));
  const int code = kernel_exit_code(comparison, flags.strict);
  if (!flags.write_noise.empty()) {
    R1_RETURN_IF_ERROR(
        write_file_atomic(flags.write_noise, kernel_noise_json(options.noise, comparison)));
  }
  if (!flags.markdown.empty()) {
    R1_RETURN_IF_ERROR(write_file_atomic(flags.markdown, kernel_comparison_markdown(comparison)));
  }
  if (!flags.verdict_file.empty()) {
    R1_RETURN_IF_ERROR(write_file_atomic(
        flags.verdict_file, dump_json_pretty(kernel_comparison_json(comparison, code))));
  }
  print(flags.json ? dump_json(kernel_comparison_json(comparison, code)) + "\n"
                   : kernel_comparison_text(comparison, flags.all));
  return code;
}

void add_compare(CLI::App& kernels, Action& action) {
  CLI::App* command = kernels.add_subcommand(
      "compare", "is the head slower, faster, the same, or is that not known? case by case");
  auto flags = std::make_shared<CompareFlags>();
  command
      ->add_option("SIDES", flags->sides,
                   "BASE HEAD: result files, or folders with one file per launch")
      ->expected(0, 2);
  command
      ->add_option("--confirm", flags->confirm,
                   "BASE HEAD: fresh launches of what looked slower, at least 9 pairs")
      ->expected(2);
  command->add_option("--base", flags->base,
                      "program to measure: an r1eval, or one linked with Google Benchmark");
  command->add_option("--head", flags->head, "… and the one that may replace it");
  command
      ->add_option("--runner", flags->runner,
                   "how they are called; default: r1eval where the file is named so, else gbench")
      ->check(CLI::IsMember({"r1eval", "gbench"}));
  command->add_option("--args", flags->arguments,
                      "further arguments of both programs, split at spaces");
  command->add_option("--pairs", flags->pairs, "launches a side, in alternating order")
      ->check(CLI::Range(1, 1000));
  command
      ->add_option("--confirm-pairs", flags->confirm_pairs,
                   "fresh pairs for what looks slower; 0: do not confirm")
      ->check(CLI::Range(0, 1000));
  command
      ->add_option("--repetitions", flags->repetitions, "of a Google Benchmark program, per launch")
      ->check(CLI::Range(1, 10000));
  command->add_option("--limit", flags->limit_s, "seconds that one launch may take")
      ->check(CLI::Range(0.1, 86400.0));
  command->add_option("--out", flags->out, "folder for the launches' files; default: a new one");
  command
      ->add_option("--case", flags->patterns, "only cases whose name matches (* and ?, or a part)")
      ->delimiter(',');
  command
      ->add_option("--allow", flags->allow,
                   "compare although this differs: machine, timer, duty, cache, data, suite; "
                   "order: launches need not alternate")
      ->delimiter(',')
      ->check(CLI::IsMember({"machine", "timer", "duty", "cache", "data", "suite", "order"}));
  command
      ->add_option("--min-effect", flags->min_effect_percent,
                   "percent that count, for every case; default: 2, and 5 below 20 us or one "
                   "block per multiprocessor")
      ->check(CLI::Range(0.0, 1000.0));
  command->add_option("--noise", flags->noise, "noise floors, as --write-noise makes them");
  command->add_option("--write-noise", flags->write_noise,
                      "known noise floors with what identical cases show here");
  command->add_flag("--strict", flags->strict, "exit 3 when a case is unclear or unproven");
  command->add_flag("--all", flags->all, "also name cases that are the same or identical");
  command->add_option("--markdown", flags->markdown, "also write a Markdown summary there");
  command->add_option("--verdict", flags->verdict_file,
                      "also write the JSON object there, for `r1eval gate --kernels`");
  command->add_flag("--json", flags->json, "print one JSON object");
  command->footer(
      "Exit code: 0 nothing slower, 1 slower or wrong, 2 not comparable, 3 open (--strict).\n"
      "docs/kernels-tracking.md says how it decides.");
  command->callback(
      [&action, flags] { action = [flags] { return finish(compare_with(*flags)); }; });
}

struct HistoryFlags {
  std::string directory;
  std::vector<std::string> add;
  SeriesOptions series;
  double min_effect_percent = 2;
  std::string svg;
  bool fail_on_slower = false;
  bool json = false;
};

Result<int> history_with(const HistoryFlags& flags) {
  if (!flags.add.empty()) {
    R1_TRY(const std::vector<std::string> names, add_to_kernel_history(flags.directory, flags.add));
    for (const std::string& name : names) {
      log_info("holds " + flags.directory + "/" + name);
    }
  }
  R1_TRY(const KernelHistory history, read_kernel_history(flags.directory));
  for (const std::string& note : history.notes) {
    log_warning(note);
  }
  SeriesOptions options = flags.series;
  options.min_effect = flags.min_effect_percent / 100;
  const std::vector<KernelSeries> series = make_kernel_series(history, options);
  if (series.empty()) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no case with a time{}", flags.directory,
                            options.patterns.empty() && options.machine.empty()
                                ? ""
                                : " that --case and --machine let through"));
  }
  if (!flags.svg.empty()) {
    R1_RETURN_IF_ERROR(write_file_atomic(flags.svg, history_svg(series)));
  }
  if (flags.json) {
    print(dump_json(OrderedJson{{"schema", 1}, {"series", history_json(series)}}) + "\n");
  } else {
    print(history_text(series));
  }
  for (const KernelSeries& one : series) {
    if (flags.fail_on_slower && one.last_change > 0) {
      return kExitGateFailed;
    }
  }
  return kExitOk;
}

void add_history(CLI::App& kernels, Action& action) {
  CLI::App* command = kernels.add_subcommand(
      "history", "times over time, where they changed, and against the peer of the same run");
  auto flags = std::make_shared<HistoryFlags>();
  command->add_option("DIR", flags->directory, "folder of result files")->required();
  command->add_option("--add", flags->add, "result files to copy into it first");
  command->add_option("--case", flags->series.patterns, "only cases whose name matches")
      ->delimiter(',');
  command->add_option("--machine", flags->series.machine, "only machines whose name matches");
  command->add_option("--peer", flags->series.peer,
                      "variant that ratios are against; default: the fastest peer:…");
  command->add_option("--min-effect", flags->min_effect_percent, "percent that make a change")
      ->check(CLI::Range(0.0, 1000.0));
  command->add_option("--svg", flags->svg, "also draw it there");
  command->add_flag("--fail-on-slower", flags->fail_on_slower,
                    "exit 1 when a case's last change made it slower");
  command->add_flag("--json", flags->json, "print one JSON object");
  command->callback(
      [&action, flags] { action = [flags] { return finish(history_with(*flags)); }; });
}

struct ExportFlags {
  std::string to;
  std::string path;
  std::string out;
  std::vector<std::string> patterns;
};

Result<int> export_with(const ExportFlags& flags) {
  R1_TRY(const std::vector<KernelRun> runs, read_side(flags.path));
  KernelRun run = pool_kernel_runs(runs);
  if (!flags.patterns.empty()) {
    std::erase_if(run.cases, [&](const KernelCase& one) {
      for (const std::string& pattern : flags.patterns) {
        if (kernel_name_matches(one.id, pattern)) {
          return false;
        }
      }
      return true;
    });
    if (run.cases.empty()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--case {}: no case of {} matches", flags.patterns[0], flags.path));
    }
  }
  R1_TRY(const std::string text, export_kernel_run(run, flags.to));
  R1_RETURN_IF_ERROR(print_or_write(text, flags.out));
  return kExitOk;
}

void add_export(CLI::App& kernels, Action& action) {
  CLI::App* command = kernels.add_subcommand("export", "results in the form another tool reads");
  auto flags = std::make_shared<ExportFlags>();
  command->add_option("--to", flags->to, "gbench, json, bencher, mlperf, csv, markdown")
      ->required()
      ->check(CLI::IsMember(kernel_export_formats()));
  command->add_option("PATH", flags->path, "result file, or folder whose launches are pooled")
      ->required();
  command->add_option("--out", flags->out, "file; default: standard output");
  command->add_option("--case", flags->patterns, "only cases whose name matches")->delimiter(',');
  command->callback([&action, flags] { action = [flags] { return finish(export_with(*flags)); }; });
}

struct ImportFlags {
  std::string from;
  std::string path;
  std::string out;
  std::string gpu;
  std::string cpu;
  std::string date;
};

Result<std::string> read_input(const std::string& path) {
  if (path != "-") {
    return read_file(path);
  }
  std::string text;
  constexpr std::size_t kMaxBytes = std::size_t{256} << 20;
  for (std::istreambuf_iterator<char> it(std::cin), end; it != end; ++it) {
    text += *it;
    if (text.size() > kMaxBytes) {
      return fail(ErrorCode::kResourceExhausted, "standard input has more than 256 MiB");
    }
  }
  return text;
}

Result<int> import_with(const ImportFlags& flags) {
  R1_TRY(const std::string bytes, read_input(flags.path));
  // nvbench names its sample files by how it was called; they are looked for beside the JSON only.
  const std::size_t slash = flags.path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : flags.path.substr(0, slash);
  const auto read_beside = [&](const std::string& name) -> Result<std::string> {
    const std::size_t last = name.rfind('/');
    const std::string base = last == std::string::npos ? name : name.substr(last + 1);
    const std::string in_folder = flags.path + "-bin/" + base;
    return read_file(path_exists(in_folder) ? in_folder : folder + "/" + base);
  };
  R1_TRY(KernelImport import, import_kernel_results(flags.from, bytes, flags.path, read_beside));
  const auto set = [&](const char* key, const std::string& value) {
    if (!value.empty()) {
      import.run.context[key] = value;
    }
  };
  set("r1eval.gpu", flags.gpu);
  set("r1eval.cpu", flags.cpu);
  set("date", flags.date);
  R1_RETURN_IF_ERROR(print_or_write(kernel_run_json(import.run), flags.out));
  std::size_t n_samples = 0;
  for (const KernelCase& one : import.run.cases) {
    n_samples += one.samples.size();
  }
  log_info(fmt::format("{} cases, {} samples", import.run.cases.size(), n_samples));
  for (const std::string& problem : import.problems) {
    log_warning(fmt::format("{}: {}", flags.path, problem));
  }
  return import.problems.empty() ? kExitOk : kExitMalformedInput;
}

void add_import(CLI::App& kernels, Action& action) {
  CLI::App* command =
      kernels.add_subcommand("import", "another program's timings as results of ours");
  auto flags = std::make_shared<ImportFlags>();
  command
      ->add_option("--from", flags->from,
                   "gbench, nvbench (JSON); deepgemm, flashmla, flashinfer (printed lines)")
      ->required()
      ->check(CLI::IsMember(kernel_import_formats()));
  command->add_option("FILE", flags->path, "file, or - for standard input")->required();
  command->add_option("--out", flags->out, "file; default: standard output");
  command->add_option("--gpu", flags->gpu, "device that was measured");
  command->add_option("--cpu", flags->cpu, "processor that was measured");
  command->add_option("--date", flags->date, "when, e.g. 2026-01-31T12:00:00Z");
  command->footer("Exit code: 6 when lines could not be read; the others are there all the same.");
  command->callback([&action, flags] { action = [flags] { return finish(import_with(*flags)); }; });
}

}  // namespace

void add_kernels_tracking_commands(CLI::App& kernels, Action& action) {
  add_compare(kernels, action);
  add_history(kernels, action);
  add_export(kernels, action);
  add_import(kernels, action);
}

}  // namespace r1eval
