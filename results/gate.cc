#include "results/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "results/escape.h"
#include "results/paired.h"

namespace r1eval {
namespace {

const char* const kSideNames =
    "truncation, extraction, failures, language-mix, format, repetition, tokens, cost";

bool is_rate(std::string_view name) {
  return name == "truncation" || name == "extraction" || name == "failures" ||
         name == "language-mix" || name == "format" || name == "repetition";
}

std::optional<double> side_value(const RunScores& run, const std::map<std::string, double>& margins,
                                 const std::string& name) {
  double n_samples = 0;
  double n_planned = 0;
  double n_truncated = 0;
  double n_no_answer = 0;
  double n_mixed = 0;
  double n_with_tokens = 0;
  double tokens = 0;
  double n_ill_formed = 0;
  double n_repeating = 0;
  double n_with_cost = 0;
  double cost = 0;
  bool is_shape_known = true;
  for (const auto& [task_name, task] : run.tasks) {
    if (!margins.contains(task_name)) {
      continue;
    }
    n_planned += static_cast<double>(task.n_planned);
    for (const ItemResult& item : task.items) {
      n_samples += static_cast<double>(item.n_samples);
      n_truncated += static_cast<double>(item.n_truncated);
      n_no_answer += static_cast<double>(item.n_no_answer);
      n_mixed += static_cast<double>(item.n_language_mixed);
      n_with_tokens += static_cast<double>(item.n_with_tokens);
      tokens += static_cast<double>(item.completion_tokens);
      is_shape_known = is_shape_known && item.n_ill_formed != kUnknownCount;
      n_ill_formed += static_cast<double>(item.n_ill_formed);
      n_repeating += static_cast<double>(item.n_repeating);
      n_with_cost += static_cast<double>(item.n_with_cost);
      cost += item.cost;
    }
  }
  if (name == "cost") {  // a sample, so that runs of different k can be compared
    return n_with_cost > 0 && n_with_cost >= n_samples ? std::optional<double>(cost / n_with_cost)
                                                       : std::nullopt;
  }
  if (name == "tokens") {
    return n_with_tokens > 0 ? std::optional<double>(tokens / n_with_tokens) : std::nullopt;
  }
  if (name == "failures") {
    return n_planned > 0 ? std::optional<double>(std::max(0.0, 1 - n_samples / n_planned))
                         : std::nullopt;
  }
  if (n_samples <= 0) {
    return std::nullopt;
  }
  if (name == "truncation") {
    return n_truncated / n_samples;
  }
  if (name == "format" || name == "repetition") {
    return is_shape_known
               ? std::optional<double>((name == "format" ? n_ill_formed : n_repeating) / n_samples)
               : std::nullopt;
  }
  return (name == "extraction" ? n_no_answer : n_mixed) / n_samples;
}

std::string points(double fraction) {
  return fmt::format("{:+.2f}", 100 * fraction);
}

std::string percent(double fraction) {
  return fmt::format("{:.1f}", 100 * fraction);
}

OrderedJson or_null(const auto& value) {
  return value ? OrderedJson(*value) : OrderedJson();
}

std::string side_text(const SideGate& side, double value) {
  return is_rate(side.name) ? percent(value) + " %" : fmt::format("{:.6g}", value);
}

std::string side_line(const SideGate& side) {
  if (!side.value) {
    return side.why;
  }
  std::string line =
      fmt::format("{} (limit {})", side_text(side, *side.value), side_text(side, side.limit));
  if (side.baseline) {
    line += fmt::format(", baseline {}", side_text(side, *side.baseline));
  }
  return line;
}

std::string settle_text(const GatedTask& task) {
  std::string text;
  if (task.verdict != GateVerdict::kInconclusive) {
    return text;
  }
  if (task.needed_k) {
    text = fmt::format("k = {} on both sides", *task.needed_k);
  }
  if (task.needed_n) {
    text += fmt::format("{}{} items at this k", text.empty() ? "" : ", or ", *task.needed_n);
  }
  return text.empty() ? "no number of samples or items: the difference lies at the margin"
                      : text + " would settle it, if the difference stays as it is";
}

std::string upper_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

std::string question_sentence(std::string_view about) {
  return about == "new-items"
             ? "the question: would new items of this kind show a loss? (--about new-items)"
             : "the question: would asking these items again show a loss? (--about these-items)";
}

}  // namespace

std::string_view gate_verdict_name(GateVerdict verdict) {
  switch (verdict) {
    case GateVerdict::kPass:
      return "pass";
    case GateVerdict::kInconclusive:
      return "inconclusive";
    case GateVerdict::kFail:
      return "fail";
  }
  return "inconclusive";
}

Result<SideLimit> parse_side_limit(std::string_view text) {
  const std::size_t equals = text.find('=');
  SideLimit side;
  side.name = std::string(text.substr(0, equals));
  const bool is_known = is_rate(side.name) || side.name == "tokens" || side.name == "cost";
  std::string value =
      equals == std::string_view::npos ? std::string() : std::string(text.substr(equals + 1));
  if (!is_known || value.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--side {}: expected NAME=LIMIT with one of {}; e.g. truncation=2 "
                            "(percent), tokens=+10% (over the baseline)",
                            text, kSideNames));
  }
  side.is_relative = value.front() == '+';
  const bool has_percent = value.back() == '%';
  if (has_percent) {
    value.pop_back();
  }
  char* end = nullptr;
  side.limit = std::strtod(value.c_str(), &end);
  if (end == value.c_str() || *end != '\0' || !std::isfinite(side.limit) || side.limit < 0 ||
      (side.is_relative && !has_percent) ||
      (has_percent && !side.is_relative && !is_rate(side.name))) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--side {}: the limit is a number, or +P% over the baseline", text));
  }
  if (side.is_relative || is_rate(side.name)) {
    side.limit /= 100;
  }
  return side;
}

Result<GateReport> gate_runs(const RunScores& candidate, const RunScores& baseline,
                             const std::map<std::string, double>& margins,
                             const std::vector<SideLimit>& limits, const GateOptions& options) {
  GateReport report;
  report.about = std::string(question_name(options.compare.about));
  report.alpha = options.compare.alpha;
  report.candidate = candidate.source;
  report.baseline = baseline.source;
  for (const auto& [name, margin] : margins) {
    const auto a = candidate.tasks.find(name);
    const auto b = baseline.tasks.find(name);
    if (a == candidate.tasks.end() || b == baseline.tasks.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--margin {}: the {} ({}) has no such task", name,
                              a == candidate.tasks.end() ? "candidate" : "baseline",
                              a == candidate.tasks.end() ? candidate.source : baseline.source));
    }
    GatedTask task;
    R1_TRY(task.comparison, compare_task(a->second, b->second, options.compare));
    task.margin = margin;
    report.tasks.push_back(std::move(task));
  }
  std::vector<double> p_worse;
  for (const GatedTask& task : report.tasks) {
    p_worse.push_back(task.comparison.p_worse);
  }
  const std::vector<double> adjusted = holm_adjust(p_worse);
  bool any_fail = false;
  bool all_pass = true;
  for (std::size_t i = 0; i < report.tasks.size(); ++i) {
    GatedTask& task = report.tasks[i];
    const TaskComparison& c = task.comparison;
    task.p_holm = adjusted[i];
    task.is_improved = c.interval.method != "none" && c.interval.lower > 0;
    if (c.lower > -task.margin) {
      task.verdict = GateVerdict::kPass;
    } else if (c.upper < -task.margin) {
      task.verdict = GateVerdict::kFail;
    }
    if (options.strict && task.p_holm < options.compare.alpha && c.delta < 0) {
      task.verdict = GateVerdict::kFail;
    }
    if (task.verdict == GateVerdict::kInconclusive) {
      const bool these = options.compare.about == Question::kTheseItems;
      const double distance = std::abs(c.delta + task.margin);
      task.needed_k = needed_k(c.variance, distance, c.n_units, these, options.compare.alpha);
      task.needed_n = needed_n(c.variance, distance, std::max<std::int64_t>(1, c.k_a),
                               std::max<std::int64_t>(1, c.k_b), these, options.compare.alpha);
      // With one sample an item the noise within items is not known: no k can be named.
      if (c.k_a < 2 || c.k_b < 2) {
        task.needed_k.reset();
      }
    }
    any_fail = any_fail || task.verdict == GateVerdict::kFail;
    all_pass = all_pass && task.verdict == GateVerdict::kPass;
    if (c.n_dropped > 0) {
      report.notes.push_back(fmt::format(
          "{}: {} items make no pair and are left out; if all of them went against the candidate, "
          "the difference would be {} points",
          c.task, c.n_dropped, points(c.worst_case)));
    }
    if (c.n_units < 10 && c.n_units < c.n_pairs) {
      report.notes.push_back(fmt::format(
          "{}: only {} clusters; the interval rests on few independent parts", c.task, c.n_units));
    }
  }
  for (const SideLimit& limit : limits) {
    SideGate side;
    side.name = limit.name;
    side.value = side_value(candidate, margins, limit.name);
    side.baseline = side_value(baseline, margins, limit.name);
    side.limit = limit.limit;
    if (limit.is_relative && side.baseline) {
      side.limit = *side.baseline * (1 + limit.limit);
    }
    if (!side.value || (limit.is_relative && !side.baseline)) {
      side.why =
          fmt::format("the records of the {} do not tell", side.value ? "baseline" : "candidate");
    } else {
      side.verdict = *side.value <= side.limit ? GateVerdict::kPass : GateVerdict::kFail;
    }
    any_fail = any_fail || side.verdict == GateVerdict::kFail;
    all_pass = all_pass && side.verdict == GateVerdict::kPass;
    report.side_gates.push_back(std::move(side));
  }
  report.differences = find_differences(candidate, baseline);
  report.verdict = any_fail   ? GateVerdict::kFail
                   : all_pass ? GateVerdict::kPass
                              : GateVerdict::kInconclusive;
  return report;
}

void add_side_gate(GateReport& report, SideGate side) {
  if (side.verdict == GateVerdict::kFail || report.verdict == GateVerdict::kPass) {
    report.verdict = side.verdict;
  }
  report.side_gates.push_back(std::move(side));
}

OrderedJson comparison_json(const TaskComparison& c) {
  const auto side = [](const Score& score, std::int64_t k) {
    return OrderedJson{{"value", score.value},
                       {"ci", {score.interval.lower, score.interval.upper}},
                       {"ci_method", score.interval.method},
                       {"se_pop", or_null(score.se_population)},
                       {"se_run", or_null(score.se_rerun)},
                       {"k", k}};
  };
  OrderedJson json;
  json["delta"] = c.delta;
  json["ci"] = OrderedJson::array({c.interval.lower, c.interval.upper});
  json["ci_method"] = c.interval.method;
  json["ci_level"] = c.interval.level;
  if (std::isfinite(c.bootstrap.lower) && !c.bootstrap.method.empty() &&
      c.bootstrap.method != "none") {
    json["ci_bootstrap"] = OrderedJson::array({c.bootstrap.lower, c.bootstrap.upper});
    json["ci_bootstrap_method"] = c.bootstrap.method;
  }
  json["lower"] = c.lower;
  json["upper"] = c.upper;
  json["se"] = or_null(c.se);
  json["p"] = c.p;
  json["p_method"] = c.p_method;
  json["mcnemar_p"] = or_null(c.mcnemar);
  json["mde"] = or_null(c.mde);
  json["candidate"] = side(c.a, c.k_a);
  json["baseline"] = side(c.b, c.k_b);
  json["n_pairs"] = c.n_pairs;
  json["dropped"] = c.n_dropped;
  json["changed_items"] = c.n_changed_items;
  json["worst_case"] = c.worst_case;
  json["correlation"] = or_null(c.correlation);
  json["se_unpaired"] = or_null(c.se_unpaired);
  json["design_effect"] = or_null(c.design_effect);
  json["n_units"] = c.n_units;
  json["gained"] = c.n_gained;
  json["lost"] = c.n_lost;
  json["variance"] = {{"between", c.variance.omega2},
                      {"within_candidate", c.variance.sigma2_a},
                      {"within_baseline", c.variance.sigma2_b}};
  OrderedJson flips = OrderedJson::array();
  for (const ItemPair& pair : c.flips) {
    flips.push_back({{"item", pair.id}, {"candidate", pair.a}, {"baseline", pair.b}});
  }
  json["flips"] = flips;
  return json;
}

OrderedJson differences_json(const std::vector<Difference>& differences) {
  OrderedJson list = OrderedJson::array();
  for (const Difference& d : differences) {
    list.push_back({{"field", d.field}, {"candidate", d.a}, {"baseline", d.b}});
  }
  return list;
}

OrderedJson gate_json(const GateReport& report, int exit_code) {
  OrderedJson json;
  json["schema"] = 1;
  json["verdict"] = gate_verdict_name(report.verdict);
  json["exit"] = exit_code;
  json["about"] = report.about;
  json["alpha"] = report.alpha;
  json["candidate"] = report.candidate;
  json["baseline"] = report.baseline;
  OrderedJson tasks = OrderedJson::object();
  for (const GatedTask& task : report.tasks) {
    OrderedJson entry = comparison_json(task.comparison);
    entry["margin"] = task.margin;
    entry["verdict"] = gate_verdict_name(task.verdict);
    entry["improved"] = task.is_improved;
    entry["p_holm"] = task.p_holm;
    entry["needed_k"] = or_null(task.needed_k);
    entry["needed_n"] = or_null(task.needed_n);
    tasks[task.comparison.task] = entry;
  }
  json["tasks"] = tasks;
  OrderedJson sides = OrderedJson::object();
  for (const SideGate& side : report.side_gates) {
    sides[side.name] = {{"value", or_null(side.value)},
                        {"baseline", or_null(side.baseline)},
                        {"limit", side.limit},
                        {"verdict", gate_verdict_name(side.verdict)}};
    if (!side.why.empty()) {
      sides[side.name]["why"] = side.why;
    }
  }
  json["side_gates"] = sides;
  json["differences"] = differences_json(report.differences);
  json["notes"] = report.notes;
  json["command"] = report.command;
  return json;
}

std::string comparison_text(const TaskComparison& c, Question about) {
  std::string out = fmt::format(
      "{}: {} % -> {} %, difference {} points, {:.0f} % interval [{}, {}] ({})\n", c.task,
      percent(c.b.value), percent(c.a.value), points(c.delta), 100 * c.interval.level,
      points(c.interval.lower), points(c.interval.upper), c.interval.method);
  out += fmt::format(
      "    baseline [{}, {}], candidate [{}, {}]; {} pairs, {} dropped; k {} and {}\n",
      percent(c.b.interval.lower), percent(c.b.interval.upper), percent(c.a.interval.lower),
      percent(c.a.interval.upper), c.n_pairs, c.n_dropped, c.k_b, c.k_a);
  out += fmt::format("    p = {:.4g} ({}, {}); {} items gained, {} lost", c.p, c.p_method,
                     question_name(about), c.n_gained, c.n_lost);
  if (c.mde) {
    out += fmt::format("; could see {:.2f} points", 100 * *c.mde);
  }
  if (c.design_effect) {
    out += fmt::format("; design effect {:.2f} over {} clusters", *c.design_effect, c.n_units);
  }
  if (c.correlation && c.se_unpaired && c.se && *c.se > 0) {
    out += fmt::format("; correlation {:.2f}, pairing narrows {:.1f}-fold", *c.correlation,
                       *c.se_unpaired / *c.se);
  }
  return out + "\n";
}

std::string gate_text(const GateReport& report) {
  std::string out = fmt::format("{}: candidate {}, baseline {}\n{}\n\n",
                                upper_case(gate_verdict_name(report.verdict)), report.candidate,
                                report.baseline, question_sentence(report.about));
  for (const GatedTask& task : report.tasks) {
    const TaskComparison& c = task.comparison;
    out += fmt::format("{}  ", upper_case(gate_verdict_name(task.verdict)));
    out += comparison_text(
        c, report.about == "new-items" ? Question::kNewItems : Question::kTheseItems);
    out += fmt::format(
        "    margin {:.2f} points; one-sided bounds at {:.0f} %: [{}, {}]{}; p of a loss, over all "
        "tasks (Holm): {:.4g}\n",
        100 * task.margin, 100 * (1 - report.alpha), points(c.lower), points(c.upper),
        task.is_improved ? "; improved" : "", task.p_holm);
    if (task.verdict == GateVerdict::kInconclusive) {
      out += "    " + settle_text(task) + "\n";
    }
    std::size_t shown = 0;
    for (const ItemPair& pair : c.flips) {
      if (pair.a < pair.b && shown < 5) {
        out += fmt::format("    lost: {} ({} % -> {} %)\n", safe_text(pair.id), percent(pair.b),
                           percent(pair.a));
        ++shown;
      }
    }
  }
  for (const SideGate& side : report.side_gates) {
    out += fmt::format("{}  side gate {}: {}\n", upper_case(gate_verdict_name(side.verdict)),
                       side.name, side_line(side));
  }
  for (const Difference& d : report.differences) {
    out += fmt::format("differs: {}: {} (candidate), {} (baseline)\n", safe_text(d.field),
                       safe_text(d.a.substr(0, 80)), safe_text(d.b.substr(0, 80)));
  }
  for (const std::string& note : report.notes) {
    out += "note: " + safe_text(note) + "\n";
  }
  if (!report.command.empty()) {
    out += "again: " + report.command + "\n";
  }
  return out;
}

std::string gate_markdown(const GateReport& report) {
  const auto mark = [](GateVerdict verdict) {
    return verdict == GateVerdict::kPass   ? "✅ PASS"
           : verdict == GateVerdict::kFail ? "❌ FAIL"
                                           : "❔ INCONCLUSIVE";
  };
  std::string out = fmt::format("## r1eval gate: {}\n\n{}\n\n", mark(report.verdict),
                                markdown_text(question_sentence(report.about)));
  out +=
      "| task | verdict | baseline % | candidate % | difference (points) | interval | bounds | "
      "margin "
      "| pairs | k | p |\n|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const GatedTask& task : report.tasks) {
    const TaskComparison& c = task.comparison;
    out += fmt::format(
        "| {} | {} | {} | {} | {} | [{}, {}] | [{}, {}] | {:.2f} | {} | {}/{} | {:.3g} |\n",
        markdown_text(c.task), mark(task.verdict), percent(c.b.value), percent(c.a.value),
        points(c.delta), points(c.interval.lower), points(c.interval.upper), points(c.lower),
        points(c.upper), 100 * task.margin, c.n_pairs, c.k_a, c.k_b, c.p);
  }
  for (const SideGate& side : report.side_gates) {
    out += fmt::format("\n- side gate {}: {}, {}", side.name, mark(side.verdict), side_line(side));
  }
  for (const GatedTask& task : report.tasks) {
    if (task.verdict == GateVerdict::kInconclusive) {
      out += fmt::format("\n- {}: {}", markdown_text(task.comparison.task), settle_text(task));
    }
  }
  for (const Difference& d : report.differences) {
    out += fmt::format("\n- differs: {}: `{}` (candidate), `{}` (baseline)", markdown_text(d.field),
                       markdown_code(d.a.substr(0, 80)), markdown_code(d.b.substr(0, 80)));
  }
  for (const std::string& note : report.notes) {
    out += "\n- " + markdown_text(note);
  }
  return out + "\n";
}

std::string gate_junit(const GateReport& report, bool inconclusive_is_failure) {
  int n_failures = 0;
  int n_skipped = 0;
  std::string cases;
  const auto add = [&](const std::string& name, GateVerdict verdict, const std::string& text) {
    cases += fmt::format("    <testcase classname=\"r1eval.gate\" name=\"{}\" time=\"0\">\n",
                         xml_text(name));
    if (verdict == GateVerdict::kFail ||
        (verdict == GateVerdict::kInconclusive && inconclusive_is_failure)) {
      ++n_failures;
      cases += fmt::format("      <failure message=\"{}\" type=\"{}\">{}</failure>\n",
                           gate_verdict_name(verdict), gate_verdict_name(verdict), xml_text(text));
    } else if (verdict == GateVerdict::kInconclusive) {
      ++n_skipped;
      cases += fmt::format("      <skipped message=\"{}\"/>\n", xml_text("inconclusive: " + text));
    } else {
      cases += fmt::format("      <system-out>{}</system-out>\n", xml_text(text));
    }
    cases += "    </testcase>\n";
  };
  for (const GatedTask& task : report.tasks) {
    std::string text = comparison_text(
        task.comparison, report.about == "new-items" ? Question::kNewItems : Question::kTheseItems);
    if (task.verdict == GateVerdict::kInconclusive) {
      text += settle_text(task);
    }
    add(task.comparison.task, task.verdict, text);
  }
  for (const SideGate& side : report.side_gates) {
    add("side gate " + side.name, side.verdict, side_line(side));
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"r1eval gate\" "
      "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"0\">\n{}  </testsuite>\n"
      "</testsuites>\n",
      report.tasks.size() + report.side_gates.size(), n_failures, n_skipped, cases);
}

std::string gate_annotations(const GateReport& report) {
  std::string out;
  const auto add = [&](GateVerdict verdict, const std::string& title, const std::string& text) {
    if (verdict != GateVerdict::kPass) {
      out += fmt::format("::{} title={}::{}\n", verdict == GateVerdict::kFail ? "error" : "warning",
                         annotation_property(title), annotation_text(text));
    }
  };
  for (const GatedTask& task : report.tasks) {
    const TaskComparison& c = task.comparison;
    add(task.verdict, "r1eval gate: " + c.task,
        fmt::format("{}: difference {} points, bounds [{}, {}], margin {:.2f}",
                    gate_verdict_name(task.verdict), points(c.delta), points(c.lower),
                    points(c.upper), 100 * task.margin));
  }
  for (const SideGate& side : report.side_gates) {
    add(side.verdict, "r1eval gate: " + side.name, side_line(side));
  }
  return out;
}

}  // namespace r1eval
