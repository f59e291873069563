#include "results/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace r1eval {
namespace {

using Row = std::vector<std::string>;

// Columns that a terminal uses for UTF-8 text without wide characters: bytes that begin a
// character.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string percent(double fraction) {
  return fmt::format("{:.1f}", 100 * fraction);
}

std::string optional_percent(const std::optional<double>& fraction) {
  return fraction ? fmt::format("{:.2f}", 100 * *fraction) : "-";
}

std::string count(std::int64_t n) {
  return n == 0 ? "-" : std::to_string(n);
}

std::string layout(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      widths[c] = std::max(widths[c], width(row[c]));
    }
  }
  std::string out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const std::string pad(widths[c] - width(rows[r][c]), ' ');
      line += (c == 0 ? "" : "  ") + (c < 2 ? rows[r][c] + pad : pad + rows[r][c]);
    }
    while (!line.empty() && line.back() == ' ') {
      line.pop_back();
    }
    out += line + "\n";
    if (r == 0) {
      std::size_t total = 0;
      for (const std::size_t w : widths) {
        total += w + 2;
      }
      out += std::string(total - 2, '-') + "\n";
    }
  }
  return out;
}

Row metric_row(const std::string& task, const std::string& metric, const Score& score) {
  Row row{task, metric};
  if (score.n_items == 0) {
    row.insert(row.end(), {"-", "-", "-", "-"});
    return row;
  }
  row.push_back(percent(score.value));
  row.push_back(
      fmt::format("[{}, {}]", percent(score.interval.lower), percent(score.interval.upper)));
  row.push_back(optional_percent(score.se_population));
  row.push_back(optional_percent(score.se_rerun));
  return row;
}

}  // namespace

std::string results_table(const RunSummary& summary) {
  std::vector<Row> rows;
  rows.push_back({"task", "metric", "score %", "95 % interval", "SE pop", "SE run", "n", "k",
                  "unscored", "trunc.", "no answer", "tokens", "s", "$/right"});
  std::vector<std::string> notes;
  for (const TaskScores& t : summary.tasks) {
    Row row = metric_row(t.task, t.metric, t.score);
    row.push_back(std::to_string(t.score.n_items));
    row.push_back(std::to_string(t.k));
    row.push_back(count(t.n_unscored));
    row.push_back(count(t.n_truncated));
    row.push_back(count(t.n_no_answer));
    row.push_back(t.mean_completion_tokens ? fmt::format("{:.0f}", *t.mean_completion_tokens)
                                           : "-");
    row.push_back(t.seconds ? fmt::format("{:.1f}", *t.seconds) : "-");
    row.push_back(t.cost_per_correct ? fmt::format("{:.4f}", *t.cost_per_correct) : "-");
    rows.push_back(row);
    for (const auto& [name, score] : t.extra_metrics) {
      Row extra = metric_row("", name, score);
      extra.resize(rows.front().size());
      rows.push_back(extra);
    }
    if (t.n_samples < t.n_planned) {
      notes.push_back(
          fmt::format("{}: {} of {} samples are missing; the score is over what is there", t.task,
                      t.n_planned - t.n_samples, t.n_planned));
    } else if (t.is_partial) {
      notes.push_back(fmt::format("{}: partial, over a part of its items", t.task));
    }
    if (t.n_truncated_in_thinking > 0) {
      notes.push_back(fmt::format("{}: {} answers were cut off inside their thinking (scored 0)",
                                  t.task, t.n_truncated_in_thinking));
    }
  }
  notes.insert(notes.end(), summary.notes.begin(), summary.notes.end());
  notes.insert(notes.end(), summary.call_notes.begin(), summary.call_notes.end());
  std::string out =
      fmt::format("\nmodel {}{}\n\n", summary.model,
                  summary.model_revision.empty() ? "" : " at " + summary.model_revision);
  // Without prices the column says nothing.
  if (std::none_of(summary.tasks.begin(), summary.tasks.end(),
                   [](const TaskScores& t) { return t.cost.has_value(); })) {
    for (Row& row : rows) {
      row.pop_back();
    }
  }
  out += layout(rows);
  out += "\n";
  for (const std::string& note : notes) {
    out += "note: " + note + "\n";
  }
  out += fmt::format("records: {}\n", summary.directory);
  return out;
}

std::string budget_table(const RunSummary& summary) {
  std::vector<Row> rows = {{"task", "stopped after", "score %", "95 % interval"}};
  for (const TaskScores& t : summary.tasks) {
    for (const auto& [tokens, score] : t.budget) {
      rows.push_back(
          {t.task, fmt::format("{} tokens", tokens), percent(score.value),
           fmt::format("[{}, {}]", percent(score.interval.lower), percent(score.interval.upper))});
    }
  }
  return rows.size() > 1
             ? "\nAccuracy against budget: longer answers count as wrong\n\n" + layout(rows)
             : std::string();
}

}  // namespace r1eval
