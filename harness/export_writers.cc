#include "harness/export_writers.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <unordered_map>

#include "base/hash.h"
#include "results/escape.h"
#include "results/run_store.h"
#include "results/text_metrics.h"

namespace r1eval {
namespace {

std::string number(double value) {
  return format_double(value);
}

std::string number(const std::optional<double>& value) {
  return value ? format_double(*value) : "";
}

std::string line_of(const std::vector<std::string>& fields) {
  std::string out;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    out += (i == 0 ? "" : ",") + csv_field(fields[i]);
  }
  return out + "\n";
}

// Calls `take` for every sample with its verdict, in the order of the records.
Status for_each_graded(
    const LoadedRun& run,
    const std::function<void(const SampleRecord&, const GradeRecord&, const PlannedTask&)>& take) {
  std::unordered_map<std::string, const GradeRecord*> grades;
  for (const GradeRecord& grade : run.graded.grades) {
    grades[fmt::format("{}\n{}\n{}", grade.task, grade.item, grade.sample)] = &grade;
  }
  std::map<std::string, const PlannedTask*> tasks;
  for (const PlannedTask& planned : run.plan.tasks) {
    tasks[planned.task.name] = &planned;
  }
  std::set<const GradeRecord*> seen;
  return read_samples(run.directory, [&](const SampleRecord& record) {
    const auto grade =
        grades.find(fmt::format("{}\n{}\n{}", record.task, record.item, record.sample));
    if (grade != grades.end() && seen.insert(grade->second).second) {
      take(record, *grade->second, *tasks[record.task]);
    }
    return ok_status();
  });
}

std::string yaml_text(const std::string& text) {
  return dump_json(OrderedJson(safe_text(text)));  // a JSON string is a YAML one
}

std::string date_of(const LoadedRun& run) {
  return string_or(run.manifest, "created").substr(0, 10);
}

std::map<std::string, std::string> questions_of(const PlannedTask& planned) {
  std::map<std::string, std::string> out;
  for (const Item& item : planned.data.items) {
    out[item.id] = item.question;
  }
  return out;
}

}  // namespace

std::string tasks_csv(const LoadedRun& run, const std::vector<TaskScores>& scores) {
  std::string out = line_of({"run",
                             "model",
                             "model_revision",
                             "task",
                             "metric",
                             "value",
                             "ci_low",
                             "ci_high",
                             "ci_method",
                             "se_pop",
                             "se_run",
                             "n",
                             "k",
                             "n_samples",
                             "missing",
                             "unscored",
                             "truncated",
                             "no_answer",
                             "mean_completion_tokens",
                             "partial"});
  for (const TaskScores& t : scores) {
    const auto add = [&](const std::string& metric, const Score& s) {
      out += line_of({run.directory,
                      run.result.model,
                      run.result.model_revision,
                      t.task,
                      metric,
                      s.n_items > 0 ? number(s.value) : "",
                      number(s.interval.lower),
                      number(s.interval.upper),
                      s.interval.method,
                      number(s.se_population),
                      number(s.se_rerun),
                      std::to_string(s.n_items),
                      std::to_string(t.k),
                      std::to_string(t.n_samples),
                      std::to_string(t.n_planned - t.n_samples),
                      std::to_string(t.n_unscored),
                      std::to_string(t.n_truncated),
                      std::to_string(t.n_no_answer),
                      number(t.mean_completion_tokens),
                      t.is_partial ? "true" : "false"});
    };
    add(t.metric, t.score);
    for (const auto& [name, score] : t.extra_metrics) {
      add(name, score);
    }
  }
  return out;
}

std::string items_csv(const LoadedRun& run) {
  std::string out =
      line_of({"run", "task", "item", "question_hash", "cluster", "stratum", "k", "mean",
               "variance", "truncated", "no_answer", "unscored", "mean_completion_tokens"});
  for (const auto& [name, task] : run.result.tasks) {
    for (const ItemResult& item : task.items) {
      out += line_of({run.directory, name, item.id, item.question, item.cluster, item.stratum,
                      std::to_string(item.k), item.k > 0 ? number(item.mean()) : "",
                      item.k > 1 ? number(item.variance()) : "", std::to_string(item.n_truncated),
                      std::to_string(item.n_no_answer), std::to_string(item.n_unscored),
                      item.n_with_tokens > 0 ? number(static_cast<double>(item.completion_tokens) /
                                                      static_cast<double>(item.n_with_tokens))
                                             : ""});
    }
  }
  return out;
}

Result<std::string> samples_csv(const LoadedRun& run) {
  std::string out = line_of({"run", "task", "item", "sample", "verdict", "answer", "rule",
                             "finish_reason", "truncated", "truncated_in_thinking", "prompt_tokens",
                             "completion_tokens", "seconds", "seed"});
  const auto count = [](std::int64_t n) { return n < 0 ? std::string() : std::to_string(n); };
  R1_RETURN_IF_ERROR(for_each_graded(run, [&](const SampleRecord& r, const GradeRecord& g,
                                              const PlannedTask&) {
    out += line_of({run.directory, r.task, r.item, std::to_string(r.sample),
                    std::string(outcome_name(g.verdict.outcome)), g.verdict.answer.substr(0, 200),
                    g.verdict.rule, r.finish_reason, r.truncated ? "true" : "false",
                    r.truncated_in_thinking ? "true" : "false", count(r.usage.prompt),
                    count(r.usage.completion), r.timings.total < 0 ? "" : number(r.timings.total),
                    std::to_string(r.seed)});
  }));
  return out;
}

std::string model_index_yaml(const LoadedRun& run, const std::vector<TaskScores>& scores) {
  std::string out =
      fmt::format("model-index:\n- name: {}\n  results:\n", yaml_text(run.result.model));
  for (const TaskScores& t : scores) {
    const auto task = run.result.tasks.find(t.task);
    out += fmt::format(
        "  - task:\n      type: text-generation\n    dataset:\n      name: {0}\n      type: {0}\n"
        "      revision: {1}\n    metrics:\n",
        yaml_text(t.task),
        yaml_text(task == run.result.tasks.end() ? "" : task->second.dataset_sha256));
    const auto add = [&](const std::string& metric, const Score& s) {
      if (s.n_items > 0) {
        out += fmt::format(
            "    - type: {}\n      name: {}\n      value: {}\n", yaml_text(metric),
            yaml_text(fmt::format("{} (95% CI {:.1f}-{:.1f}, n={}, k={})", metric,
                                  100 * s.interval.lower, 100 * s.interval.upper, s.n_items, t.k)),
            number(100 * s.value));
      }
    };
    add(t.metric, t.score);
    for (const auto& [name, score] : t.extra_metrics) {
      add(name, score);
    }
    out += "    source:\n      name: r1eval\n      url: \"\"\n";
  }
  return out;
}

std::string eval_results_yaml(const LoadedRun& run, const std::vector<TaskScores>& scores) {
  std::string out;
  for (const TaskScores& t : scores) {
    if (t.score.n_items > 0) {
      out += fmt::format(
          "- dataset:\n    id: {0}\n    task_id: {0}\n  value: {1}\n  date: {2}\n  source:\n"
          "    name: {3}\n",
          yaml_text(t.task), number(100 * t.score.value), yaml_text(date_of(run)),
          yaml_text("r1eval " + run.result.r1eval));
    }
  }
  return out.empty() ? "[]\n" : out;
}

std::string scores_markdown(const std::vector<const LoadedRun*>& runs,
                            const std::vector<std::vector<TaskScores>>& scores) {
  std::string out =
      "| task | run | model | metric | score % | 95 % interval | SE pop | SE run | n | k | "
      "unscored | "
      "truncated | no answer |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  const auto points = [](const std::optional<double>& se) {
    return se ? fmt::format("{:.2f}", 100 * *se) : std::string("–");
  };
  for (std::size_t r = 0; r < runs.size(); ++r) {
    for (const TaskScores& t : scores[r]) {
      const auto add = [&](const std::string& metric, const Score& s) {
        out += fmt::format(
            "| {} | {} | {} | {} | {} | [{:.1f}, {:.1f}] | {} | {} | {} | {} | {} | {} | {} |\n",
            markdown_text(t.task), markdown_text(runs[r]->directory),
            markdown_text(runs[r]->result.model), markdown_text(metric),
            s.n_items > 0 ? fmt::format("{:.1f}", 100 * s.value) : "–", 100 * s.interval.lower,
            100 * s.interval.upper, points(s.se_population), points(s.se_rerun), s.n_items, t.k,
            t.n_unscored, t.n_truncated, t.n_no_answer);
      };
      add(t.metric, t.score);
      for (const auto& [name, score] : t.extra_metrics) {
        add(name, score);
      }
    }
  }
  return out;
}

std::string scores_junit(const std::vector<const LoadedRun*>& runs,
                         const std::vector<std::vector<TaskScores>>& scores) {
  std::string cases;
  int n = 0;
  int n_failures = 0;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    for (const TaskScores& t : scores[r]) {
      ++n;
      const std::string text = fmt::format(
          "{} {:.1f} % [{:.1f}, {:.1f}], n {}, k {}, {} missing, {} unscored", t.metric,
          100 * t.score.value, 100 * t.score.interval.lower, 100 * t.score.interval.upper,
          t.score.n_items, t.k, t.n_planned - t.n_samples, t.n_unscored);
      cases += fmt::format("    <testcase classname=\"r1eval.{}\" name=\"{}\" time=\"0\">\n",
                           xml_text(runs[r]->result.model), xml_text(t.task));
      if (t.score.n_items == 0 || t.n_samples < t.n_planned) {
        ++n_failures;
        cases +=
            fmt::format("      <failure message=\"incomplete\" type=\"incomplete\">{}</failure>\n",
                        xml_text(text));
      } else {
        cases += fmt::format("      <system-out>{}</system-out>\n", xml_text(text));
      }
      cases += "    </testcase>\n";
    }
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"r1eval\" "
      "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\" time=\"0\">\n{}  "
      "</testsuite>\n</testsuites>\n",
      n, n_failures, cases);
}

Result<std::string> samples_jsonl(const LoadedRun& run, const ExportOptions& options) {
  std::string out;
  std::map<std::string, std::map<std::string, std::string>> questions;
  R1_RETURN_IF_ERROR(for_each_graded(
      run, [&](const SampleRecord& r, const GradeRecord& g, const PlannedTask& planned) {
        if (!questions.contains(r.task)) {
          questions[r.task] = questions_of(planned);
        }
        const bool hide = !planned.task.is_redistributable && !options.include_restricted;
        OrderedJson row;
        row["task"] = r.task;
        row["item"] = r.item;
        row["sample"] = r.sample;
        row["response"] = r.answer;
        row["thinking"] = r.thinking;
        row["gold"] = hide ? "" : r.target;
        const std::string& question = questions[r.task][r.item];
        row["question"] = hide ? "" : question;
        if (hide) {
          row["question_sha256"] = sha256_hex(question);
          // An answer may well repeat the question.
          row["response"] = "";
          row["thinking"] = "";
          row["response_sha256"] = sha256_hex(r.answer);
        }
        row["finish_reason"] = r.finish_reason;
        row["usage"] = {{"prompt", r.usage.prompt},
                        {"completion", r.usage.completion},
                        {"reasoning", r.usage.reasoning}};
        row["seed"] = r.seed;
        row["model"] = run.result.model;
        if (g.verdict.outcome != Outcome::kUnscored) {
          row["correct"] = g.verdict.outcome == Outcome::kCorrect;
        }
        out += dump_json(row) + "\n";
      }));
  return out;
}

Result<std::string> sft_jsonl(const LoadedRun& run, const ExportOptions& options) {
  std::string out;
  std::map<std::string, std::map<std::string, std::string>> questions;
  std::map<std::string, std::int64_t> taken;
  std::set<std::string> answers;
  const std::string manifest = sha256_hex(dump_json(run.manifest));
  R1_RETURN_IF_ERROR(for_each_graded(
      run, [&](const SampleRecord& r, const GradeRecord& g, const PlannedTask& planned) {
        if (g.verdict.outcome != Outcome::kCorrect || r.truncated || r.stray_tags ||
            (r.has_thinking && !r.thinking_closed) ||
            (!planned.task.is_redistributable && !options.include_restricted)) {
          return;
        }
        if (!questions.contains(r.task)) {
          questions[r.task] = questions_of(planned);
        }
        const std::string& question = questions[r.task][r.item];
        if (options.drop_language_mixed &&
            (foreign_script_share(question, r.answer) > kLanguageMixLimit ||
             foreign_script_share(question, r.thinking) > kLanguageMixLimit)) {
          return;
        }
        const std::string item = r.task + "\n" + r.item;
        if (taken[item] >= options.max_per_item ||
            !answers.insert(item + "\n" + sha256_hex(r.thinking + "\n" + r.answer)).second) {
          return;
        }
        ++taken[item];
        const std::string content =
            r.has_thinking ? "<think>\n" + r.thinking + "\n</think>\n\n" + r.answer : r.answer;
        OrderedJson row;
        row["messages"] = OrderedJson::array({{{"role", "user"}, {"content", question}},
                                              {{"role", "assistant"}, {"content", content}}});
        row["source"] = {{"task", r.task},
                         {"item", r.item},
                         {"sample", r.sample},
                         {"model", run.result.model},
                         {"manifest_sha256", manifest}};
        out += dump_json(row) + "\n";
      }));
  return out;
}

}  // namespace r1eval
