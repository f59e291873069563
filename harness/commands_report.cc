// report, leaderboard.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/export_writers.h"
#include "harness/load_result.h"
#include "results/embedded.h"
#include "results/gate.h"
#include "results/leaderboard.h"
#include "results/report_html.h"
#include "results/results_json.h"
#include "results/run_store.h"
#include "results/table.h"

namespace r1eval {
namespace {

struct ReportFlags {
  std::vector<std::string> directories;
  std::string html;
  std::string junit;
  std::string markdown;
  std::string csv;
  std::string transcripts = "all";
  std::string title;
  bool include_restricted = false;
};

constexpr std::size_t kLongestText = std::size_t{1} << 20;

// A page that holds a 10 MB line is a page that nobody can scroll: the middle is left out, and
// said.
std::string bounded(const std::string& text) {
  if (text.size() <= kLongestText) {
    return text;
  }
  return text.substr(0, kLongestText / 2) +
         fmt::format("\n… {} bytes left out of this report; the record has them …\n",
                     text.size() - kLongestText) +
         text.substr(text.size() - kLongestText / 2);
}

// Which samples get a transcript: "all", "failures", "sample:N" (a seeded choice), "none".
struct TranscriptChoice {
  bool none = false;
  bool failures = false;
  std::int64_t at_most = -1;
};

Result<TranscriptChoice> parse_choice(const std::string& text) {
  TranscriptChoice choice;
  if (text == "none") {
    choice.none = true;
  } else if (text == "failures") {
    choice.failures = true;
  } else if (text.starts_with("sample:")) {
    char* end = nullptr;
    choice.at_most = std::strtoll(text.c_str() + 7, &end, 10);
    if (*end != '\0' || choice.at_most < 1) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--transcripts {}: expected sample:N with N above 0", text));
    }
  } else if (text != "all") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--transcripts {}: all, failures, sample:N or none", text));
  }
  return choice;
}

Status add_samples(const LoadedRun& run, const TranscriptChoice& choice, const ReportFlags& flags,
                   std::string& out) {
  std::unordered_map<std::string, const GradeRecord*> grades;
  std::vector<std::uint64_t> order;
  for (const GradeRecord& grade : run.graded.grades) {
    const std::string key = fmt::format("{}\n{}\n{}", grade.task, grade.item, grade.sample);
    grades[key] = &grade;
    order.push_back(stable_hash64({"transcripts", key}));
  }
  std::uint64_t bound = ~std::uint64_t{0};
  if (choice.at_most >= 0 && static_cast<std::size_t>(choice.at_most) < order.size()) {
    std::nth_element(order.begin(), order.begin() + choice.at_most - 1, order.end());
    bound = order[static_cast<std::size_t>(choice.at_most - 1)];
  }
  std::map<std::string, const PlannedTask*> tasks;
  std::map<std::string, std::unordered_map<std::string, const Item*>> items;
  for (const PlannedTask& planned : run.plan.tasks) {
    tasks[planned.task.name] = &planned;
    for (const Item& item : planned.data.items) {
      items[planned.task.name][item.id] = &item;
    }
  }
  return read_samples(run.directory, [&](const SampleRecord& r) {
    const std::string key = fmt::format("{}\n{}\n{}", r.task, r.item, r.sample);
    const auto found = grades.find(key);
    if (found == grades.end() || found->second == nullptr ||
        stable_hash64({"transcripts", key}) > bound) {
      return ok_status();
    }
    const Verdict& v = found->second->verdict;
    found->second = nullptr;  // a double record is shown once
    if (choice.failures && v.outcome == Outcome::kCorrect) {
      return ok_status();
    }
    const bool hide = !tasks[r.task]->task.is_redistributable && !flags.include_restricted;
    const auto text = [&](const std::string& value) {
      return !hide || value.empty() ? bounded(value)
                                    : "withheld: this task's texts must not be passed on (sha256 " +
                                          sha256_hex(value) + "); --include-restricted shows them";
    };
    OrderedJson row;
    row["run"] = run.directory;
    row["task"] = r.task;
    row["item"] = r.item;
    row["sample"] = r.sample;
    row["verdict"] = outcome_name(v.outcome);
    row["extracted"] = hide ? "" : bounded(v.answer);
    row["gold"] = hide ? "" : r.target;
    row["rule"] = v.rule;
    row["evidence"] = hide ? "" : v.evidence;
    row["finish"] = r.finish_reason;
    row["tokens"] = r.usage.completion < 0 ? OrderedJson() : OrderedJson(r.usage.completion);
    row["prompt"] = r.prompt_sha256.substr(0, 16);
    const auto item = items[r.task].find(r.item);
    row["question"] = item == items[r.task].end() ? "" : text(item->second->question);
    row["thinking"] = text(r.thinking);
    row["answer"] = text(r.answer);
    if (!v.details.empty() && !hide) {
      row["details"] = bounded(v.details);
    }
    out += (out.size() > 1 ? "," : "") + dump_json(row);
    return ok_status();
  });
}

OrderedJson lengths_json(const LoadedRun& run) {
  OrderedJson out = OrderedJson::array();
  for (const auto& [task, samples] : run.graded.samples) {
    std::vector<double> tokens;
    for (const GradedSample& sample : samples) {
      if (sample.completion_tokens >= 0) {
        tokens.push_back(static_cast<double>(sample.completion_tokens));
      }
    }
    if (tokens.size() < 2) {
      continue;
    }
    const double most = std::max(1.0, *std::max_element(tokens.begin(), tokens.end()));
    std::vector<std::int64_t> counts(30, 0);
    for (const double n : tokens) {
      ++counts[std::min<std::size_t>(29, static_cast<std::size_t>(30 * n / most))];
    }
    out.push_back({{"name", task + " (" + run.directory + ")"}, {"max", most}, {"counts", counts}});
  }
  return out;
}

OrderedJson published_lines() {
  OrderedJson out = OrderedJson::object();
  for (const auto& [file, text] : embedded_result_files()) {
    if (file != "data/published.json") {
      continue;
    }
    const Result<Json> json = parse_json(text);
    for (const Json& score : json->at("scores")) {
      if (string_or(score, "metric") == "pass@1" && string_or(score, "model") == "deepseek-r1") {
        out[string_or(score, "task")].push_back(
            {{"model", "deepseek-r1 (published)"}, {"value", double_or(score, "value", 0)}});
      }
    }
  }
  return out;
}

Result<int> report_with(const ReportFlags& flags) {
  R1_TRY(const TranscriptChoice choice, parse_choice(flags.transcripts));
  std::vector<std::unique_ptr<LoadedRun>> runs;
  std::vector<const LoadedRun*> views;
  std::vector<std::vector<TaskScores>> scores;
  HtmlReport html;
  html.head["runs"] = OrderedJson::array();
  html.head["comparisons"] = OrderedJson::array();
  html.head["lengths"] = OrderedJson::array();
  html.head["published"] = published_lines();
  std::string samples = "[";
  for (const std::string& directory : flags.directories) {
    R1_TRY(LoadedRun loaded, load_run(directory, {}));
    runs.push_back(std::make_unique<LoadedRun>(std::move(loaded)));
    LoadedRun& run = *runs.back();
    for (const OrderedJson& h : lengths_json(run)) {
      html.head["lengths"].push_back(h);
    }
    scores.push_back(score_tasks(run.plan, run.graded));
    views.push_back(&run);
    RunSummary summary;
    summary.directory = directory;
    summary.model = run.result.model;
    summary.model_revision = run.result.model_revision;
    summary.tasks = scores.back();
    if (const Json* imported = find_member(run.manifest, "imported")) {
      summary.notes.push_back("imported from " + string_or(*imported, "format"));
    }
    OrderedJson entry = OrderedJson::parse(results_json(summary), nullptr, false);
    entry["name"] = directory;
    html.head["runs"].push_back(entry);
    if (!flags.html.empty() && !choice.none) {
      R1_RETURN_IF_ERROR(add_samples(run, choice, flags, samples));
    }
    if (flags.html.empty() && flags.junit.empty() && flags.markdown.empty() && flags.csv.empty()) {
      const std::string table = results_table(summary);
      std::fwrite(table.data(), 1, table.size(), stdout);
    }
  }
  // Every run against the first.
  for (std::size_t r = 1; r < runs.size(); ++r) {
    OrderedJson tasks = OrderedJson::object();
    for (const auto& [name, task] : runs[r]->result.tasks) {
      const auto other = runs[0]->result.tasks.find(name);
      if (other == runs[0]->result.tasks.end()) {
        continue;
      }
      if (const Result<TaskComparison> c = compare_task(task, other->second, {})) {
        tasks[name] = comparison_json(*c);
      }
    }
    html.head["comparisons"].push_back(
        {{"candidate", runs[r]->directory}, {"baseline", runs[0]->directory}, {"tasks", tasks}});
  }
  if (!flags.html.empty()) {
    html.title = flags.title.empty() ? "r1eval report" : flags.title;
    for (const LoadedRun* run : views) {
      html.subtitle +=
          (html.subtitle.empty() ? "" : " · ") + run->directory + ": " + run->result.model +
          (run->result.model_revision.empty() ? "" : " at " + run->result.model_revision);
    }
    samples += "]";
    html.samples = samples.size() > 2 ? std::move(samples) : std::string();
    R1_TRY(const std::string page, report_html(html));
    R1_RETURN_IF_ERROR(write_file_atomic(flags.html, page));
  }
  if (!flags.markdown.empty()) {
    R1_RETURN_IF_ERROR(write_file_atomic(flags.markdown, scores_markdown(views, scores)));
  }
  if (!flags.junit.empty()) {
    R1_RETURN_IF_ERROR(write_file_atomic(flags.junit, scores_junit(views, scores)));
  }
  if (!flags.csv.empty()) {
    std::string csv;
    for (std::size_t r = 0; r < views.size(); ++r) {
      const std::string text = tasks_csv(*views[r], scores[r]);
      csv += r == 0 ? text : text.substr(text.find('\n') + 1);
    }
    R1_RETURN_IF_ERROR(write_file_atomic(flags.csv, csv));
  }
  return kExitOk;
}

struct BoardFlags {
  std::vector<std::string> directories;
  bool json = false;
  std::string out;
};

Result<int> board_with(const BoardFlags& flags) {
  std::vector<std::string> boards;
  for (const std::string& directory : flags.directories) {
    R1_TRY(std::string text,
           read_file(is_directory(directory) ? directory + "/leaderboard.json" : directory));
    boards.push_back(std::move(text));
  }
  R1_TRY(const std::string board, merge_leaderboards(boards));
  if (!flags.out.empty()) {
    R1_RETURN_IF_ERROR(write_file_atomic(flags.out, board));
  }
  if (flags.json) {
    std::fwrite(board.data(), 1, board.size(), stdout);
    return kExitOk;
  }
  R1_TRY(const Json json, parse_json(board));

  struct Row {
    std::int64_t rank;
    std::string line;
  };

  std::map<std::string, std::vector<Row>> tables;
  for (const Json& entry : json.at("entries")) {
    const Json* results = find_member(entry, "results");
    if (results == nullptr || !results->is_array()) {
      continue;
    }
    for (const Json& row : *results) {
      const std::int64_t rank = int_or(row, "rank", 0);
      const Json* ci = find_member(row, "ci");
      if (rank < 1 || ci == nullptr) {
        continue;
      }
      const std::int64_t tied = int_or(row, "tied", 0);
      tables[string_or(row, "task") + " " + string_or(row, "metric")].push_back(
          {rank,
           fmt::format("{:>4}{} {:>6.1f} [{:.1f}, {:.1f}]  {}{}\n", rank, tied > 0 ? "=" : " ",
                       100 * double_or(row, "value", 0), 100 * (*ci)[0].get<double>(),
                       100 * (*ci)[1].get<double>(), string_or(entry, "model"),
                       bool_or(entry, "unidentified", true) ? "  (unidentified weights)" : "")});
    }
  }
  std::string out;
  for (auto& [name, rows] : tables) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.rank < b.rank; });
    out += name + "\n";
    for (const Row& row : rows) {
      out += row.line;
    }
  }
  out += "\nRanks count only intervals that lie wholly above; = marks overlapping ones.\n";
  std::fwrite(out.data(), 1, out.size(), stdout);
  return kExitOk;
}

}  // namespace

void add_report_commands(CLI::App& app, Action& action) {
  CLI::App* report = app.add_subcommand("report", "runs as a page, tables and files for CI");
  auto flags = std::make_shared<ReportFlags>();
  report->add_option("DIR", flags->directories, "run directories; the first is the baseline")
      ->required();
  report->add_option("--html", flags->html, "one self-contained page");
  report->add_option("--junit", flags->junit, "JUnit XML, a case a task");
  report->add_option("--markdown", flags->markdown, "a Markdown table");
  report->add_option("--csv", flags->csv, "a line a task and metric");
  report->add_option("--transcripts", flags->transcripts, "all, failures, sample:N, none");
  report->add_option("--title", flags->title, "of the page");
  report->add_flag("--include-restricted", flags->include_restricted,
                   "also texts of tasks that must not be passed on");
  report->callback([&action, flags] {
    action = [flags] {
      const Result<int> code = report_with(*flags);
      return code ? *code : report_failure(code.error());
    };
  });

  CLI::App* leaderboard = app.add_subcommand("leaderboard", "runs as one ranked table");
  auto board = std::make_shared<BoardFlags>();
  leaderboard->add_option("DIR", board->directories, "run directories or leaderboard.json files")
      ->required();
  leaderboard->add_flag("--json", board->json, "print leaderboard.json");
  leaderboard->add_option("--out", board->out, "also write leaderboard.json there");
  leaderboard->callback([&action, board] {
    action = [board] {
      const Result<int> code = board_with(*board);
      return code ? *code : report_failure(code.error());
    };
  });
}

}  // namespace r1eval
