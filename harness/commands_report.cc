// report, leaderboard.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "base/file.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/export_writers.h"
#include "harness/load_result.h"
#include "harness/report_page.h"
#include "results/leaderboard.h"
#include "results/table.h"

namespace r1eval {
namespace {

struct ReportFlags {
  std::vector<std::string> directories;
  std::string html;
  std::string junit;
  std::string markdown;
  std::string csv;
  PageOptions page;
};

Result<int> report_with(const ReportFlags& flags) {
  std::vector<std::unique_ptr<ScoredRun>> runs;
  std::vector<const LoadedRun*> views;
  std::vector<std::vector<TaskScores>> scores;
  for (const std::string& directory : flags.directories) {
    R1_TRY(std::unique_ptr<ScoredRun> scored, score_run(directory));
    views.push_back(&scored->run);
    scores.push_back(scored->scores);
    if (flags.html.empty() && flags.junit.empty() && flags.markdown.empty() && flags.csv.empty()) {
      const std::string table = results_table(scored->summary) + budget_table(scored->summary);
      std::fwrite(table.data(), 1, table.size(), stdout);
    }
    runs.push_back(std::move(scored));
  }
  if (!flags.html.empty()) {
    R1_TRY(const std::string page, report_page(runs, flags.page));
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
  report->add_option("--transcripts", flags->page.transcripts, "all, failures, sample:N, none");
  report->add_option("--title", flags->page.title, "of the page");
  report->add_flag("--include-restricted", flags->page.include_restricted,
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
