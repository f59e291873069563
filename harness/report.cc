#include "harness/report.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "results/leaderboard.h"
#include "results/results_json.h"
#include "results/table.h"

namespace r1eval {

void add_thinking_notes(const std::vector<TaskScores>& scores, const ThinkTags& tags,
                        std::vector<std::string>& notes) {
  for (const TaskScores& task : scores) {
    if (task.n_thinking_unclosed > 0 && task.n_thinking_unclosed == task.n_samples) {
      notes.push_back(fmt::format(
          "{}: no sample closes its thinking with {}: is --max-tokens too small, or are these the "
          "wrong tags (--think-tags OPEN,CLOSE)?",
          task.task, tags.close));
    }
    if (task.n_stray_tags > 0) {
      notes.push_back(fmt::format(
          "{}: {} answers have thinking tags left over in them: are {} and {} this model's tags "
          "(--think-tags OPEN,CLOSE)?",
          task.task, task.n_stray_tags, tags.open, tags.close));
    }
  }
}

void add_code_notes(const Plan& plan, const GradedRun& graded, Report& report) {
  for (const PlannedTask& planned : plan.tasks) {
    const std::string& name = planned.task.name;
    if (!planned.data.is_official) {
      report.notes.push_back(fmt::format(
          "{}: UNOFFICIAL: rows or tests are not the benchmark's own; no score to compare with "
          "published ones",
          name));
    }
    if (planned.task.grader.grader != "code") {
      continue;
    }
    std::int64_t n_differ = 0;
    std::int64_t n_internal = 0;
    std::int64_t n = 0;
    for (const GradeRecord& grade : graded.grades) {
      if (grade.task != name) {
        continue;
      }
      ++n;
      const Result<Json> details = parse_json(grade.verdict.details);
      if (details && details->is_object()) {
        const Json* others = find_member(*details, "other_styles");
        n_differ += others != nullptr && !others->empty() ? 1 : 0;
        n_internal += string_or(*details, "verdict") == "IE" ? 1 : 0;
      }
    }
    const std::string profile =
        planned.task.grader.profile == "default" ? "lcb" : planned.task.grader.profile;
    const std::string style =
        planned.task.grader.extraction == "auto" ? "lcb" : planned.task.grader.extraction;
    std::string note = fmt::format("{}: profile {}, extraction {}", name, profile, style);
    if (n_differ > 0) {
      note += fmt::format("; in {} of {} answers another style finds another program", n_differ, n);
    }
    if (planned.executor != nullptr && !planned.executor->description().empty()) {
      note += "; " + planned.executor->description();
    }
    report.notes.push_back(note);
    if (n_internal > 0) {
      report.notes.push_back(fmt::format(
          "{}: {} of {} programs could not be judged for reasons of ours (IE): they are "
          "unscored; `r1eval grade {}` tries again",
          name, n_internal, n, report.directory));
    }
  }
}

void add_record_notes(const GradedRun& graded, Report& report) {
  for (const auto& [task, n] : graded.n_duplicates) {
    report.notes.push_back(
        fmt::format("{}: {} records of a sample that stood there before are left out", task, n));
  }
  for (const auto& [task, n] : graded.n_foreign) {
    if (n > 0) {
      report.notes.push_back(
          fmt::format("{}: of {} verdicts that came with the records, {} differ from ours", task, n,
                      graded.n_disagree.at(task)));
    }
  }
}

Status write_reports(const Plan& plan, RunStore& store, GradedRun& graded, const Report& report,
                     const RunOptions& options, const Capabilities& capabilities) {
  std::map<std::string, std::string> grade_lines;  // by file name: one a grader
  for (const GradeRecord& grade : graded.grades) {
    for (const PlannedTask& planned : plan.tasks) {
      if (planned.task.name == grade.task) {
        grade_lines[fmt::format("grades.{}.jsonl",
                                grader_hash(planned.task.grader).substr(0, 16))] +=
            grade_to_json(grade) + "\n";
      }
    }
  }
  for (const auto& [name, lines] : grade_lines) {
    R1_RETURN_IF_ERROR(store.write_file(name, lines));
  }
  RunSummary summary;
  summary.directory = report.directory;
  summary.model = capabilities.model;
  summary.model_revision = options.model_revision;
  summary.tasks = report.scores;
  summary.notes = report.notes;
  summary.call_notes = report.call_notes;
  summary.requests_sent = report.requests_sent;
  R1_RETURN_IF_ERROR(store.write_file("results.json", results_json(summary)));
  R1_TRY(const std::string manifest, read_manifest(report.directory));
  R1_RETURN_IF_ERROR(store.write_file("leaderboard.json", leaderboard_json(summary, manifest)));
  R1_RETURN_IF_ERROR(store.sync());
  const std::string out = report.json ? summary_line_json(summary) + "\n" : results_table(summary);
  std::fwrite(out.data(), 1, out.size(), stdout);
  std::fflush(stdout);
  return ok_status();
}

}  // namespace r1eval
