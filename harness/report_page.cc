#include "harness/report_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <unordered_map>

#include "base/hash.h"
#include "results/embedded.h"
#include "results/gate.h"
#include "results/report_html.h"
#include "results/results_json.h"
#include "results/run_store.h"

namespace r1eval {
namespace {

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

Status add_samples(const LoadedRun& run, const TranscriptChoice& choice, const PageOptions& flags,
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

}  // namespace

Result<std::unique_ptr<ScoredRun>> score_run(const std::string& directory) {
  auto scored = std::make_unique<ScoredRun>();
  R1_TRY(scored->run, load_run(directory, {}));
  LoadedRun& run = scored->run;
  scored->lengths = lengths_json(run);
  scored->scores = score_tasks(run.plan, run.graded);
  RunSummary& summary = scored->summary;
  summary.directory = directory;
  summary.model = run.result.model;
  summary.model_revision = run.result.model_revision;
  summary.tasks = scored->scores;
  if (const Json* imported = find_member(run.manifest, "imported")) {
    summary.notes.push_back("imported from " + string_or(*imported, "format"));
  }
  return scored;
}

Result<std::string> report_page(const std::vector<std::unique_ptr<ScoredRun>>& runs,
                                const PageOptions& options) {
  R1_TRY(const TranscriptChoice choice, parse_choice(options.transcripts));
  HtmlReport html;
  html.head["runs"] = OrderedJson::array();
  html.head["comparisons"] = OrderedJson::array();
  html.head["lengths"] = OrderedJson::array();
  html.head["published"] = published_lines();
  html.title = options.title.empty() ? "r1eval report" : options.title;
  std::string samples = "[";
  for (const auto& scored : runs) {
    const LoadedRun& run = scored->run;
    for (const OrderedJson& h : scored->lengths) {
      html.head["lengths"].push_back(h);
    }
    OrderedJson entry = OrderedJson::parse(results_json(scored->summary), nullptr, false);
    entry["name"] = run.directory;
    html.head["runs"].push_back(entry);
    html.subtitle += (html.subtitle.empty() ? "" : " · ") + run.directory + ": " +
                     run.result.model +
                     (run.result.model_revision.empty() ? "" : " at " + run.result.model_revision);
    if (!choice.none) {
      R1_RETURN_IF_ERROR(add_samples(run, choice, options, samples));
    }
  }
  // Every run against the first.
  for (std::size_t r = 1; r < runs.size(); ++r) {
    const LoadedRun& candidate = runs[r]->run;
    const LoadedRun& baseline = runs[0]->run;
    OrderedJson tasks = OrderedJson::object();
    for (const auto& [name, task] : candidate.result.tasks) {
      const auto other = baseline.result.tasks.find(name);
      if (other == baseline.result.tasks.end()) {
        continue;
      }
      if (const Result<TaskComparison> c = compare_task(task, other->second, {})) {
        tasks[name] = comparison_json(*c);
      }
    }
    html.head["comparisons"].push_back(
        {{"candidate", candidate.directory}, {"baseline", baseline.directory}, {"tasks", tasks}});
  }
  samples += "]";
  html.samples = samples.size() > 2 ? std::move(samples) : std::string();
  return report_html(html);
}

}  // namespace r1eval
