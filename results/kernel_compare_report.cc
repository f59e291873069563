#include "results/kernel_compare_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "results/escape.h"
#include "results/kernel_export.h"

namespace r1eval {
namespace {

bool has_times(const KernelCaseComparison& one) {
  return one.verdict != KernelVerdict::kWrong && one.verdict != KernelVerdict::kError &&
         one.verdict != KernelVerdict::kMissing;
}

std::map<std::string, std::int64_t> counts_of(const KernelComparison& comparison) {
  std::map<std::string, std::int64_t> counts;
  for (const KernelCaseComparison& one : comparison.cases) {
    ++counts[std::string(kernel_verdict_name(one.verdict))];
  }
  return counts;
}

std::string counts_text(const KernelComparison& comparison) {
  std::string text;
  for (const auto& [verdict, n] : counts_of(comparison)) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, verdict);
  }
  return text;
}

std::string percent(double fraction) {
  return fmt::format("{:+.2f}", 100 * fraction);
}

std::string confirmation_text(const KernelCaseComparison& one) {
  switch (one.confirmation) {
    case KernelConfirmation::kConfirmed:
      return fmt::format("confirmed: {} % in {} fresh pairs",
                         percent(one.confirm_effect.value_or(0)), one.n_confirm_pairs);
    case KernelConfirmation::kBeyondMargin:
      return fmt::format("every bound beyond {:.3g} %", 100 * one.min_effect);
    case KernelConfirmation::kNotRun:
      return "not confirmed: --confirm with 9 fresh pairs, or --base/--head, settles it";
    case KernelConfirmation::kNone:
    case KernelConfirmation::kRefuted:
      return "";
  }
  return "";
}

std::string remark_of(const KernelCaseComparison& one) {
  std::string remark = one.why;
  if (const std::string text = confirmation_text(one); !text.empty()) {
    remark += (remark.empty() ? "" : "; ") + text;
  }
  return remark;
}

// Worst first: what fails, what is slower, what is open, what is faster, the rest.
std::vector<const KernelCaseComparison*> by_weight(const KernelComparison& comparison) {
  std::vector<const KernelCaseComparison*> order;
  for (const KernelCaseComparison& one : comparison.cases) {
    order.push_back(&one);
  }
  const auto weight = [](const KernelCaseComparison& one) {
    switch (one.verdict) {
      case KernelVerdict::kWrong:
        return 0;
      case KernelVerdict::kError:
        return 1;
      case KernelVerdict::kSlower:
        return 2;
      case KernelVerdict::kUnclear:
        return 3;
      case KernelVerdict::kUnproven:
        return 4;
      case KernelVerdict::kMissing:
        return 5;
      case KernelVerdict::kFaster:
        return 6;
      case KernelVerdict::kSame:
        return 7;
      case KernelVerdict::kIdentical:
        return 8;
    }
    return 9;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const KernelCaseComparison* a, const KernelCaseComparison* b) {
                     return weight(*a) < weight(*b);
                   });
  return order;
}

std::string side_text(const std::string& source, const std::string& commit, std::int64_t launches) {
  return fmt::format("{}{} ({} launch{})", safe_text(source),
                     commit.empty() ? "" : ", commit " + safe_text(commit.substr(0, 20)), launches,
                     launches == 1 ? "" : "es");
}

}  // namespace

OrderedJson kernel_comparison_json(const KernelComparison& comparison, int exit_code) {
  const auto or_null = [](std::optional<double> value) {
    return value && std::isfinite(*value) ? OrderedJson(*value) : OrderedJson();
  };
  OrderedJson json;
  json["schema"] = 1;
  json["kind"] = "kernels";
  json["verdict"] = exit_code == 0 ? "pass" : exit_code == 1 ? "fail" : "inconclusive";
  json["exit"] = exit_code;
  json["base"] = comparison.base;
  json["head"] = comparison.head;
  json["base_commit"] = comparison.base_commit;
  json["head_commit"] = comparison.head_commit;
  json["machine"] = comparison.machine;
  json["launches"] = OrderedJson::array({comparison.n_base_launches, comparison.n_head_launches});
  json["alternating"] = comparison.is_alternating;
  json["counts"] = OrderedJson::object();
  for (const auto& [verdict, n] : counts_of(comparison)) {
    json["counts"][verdict] = n;
  }
  json["cases"] = OrderedJson::array();
  for (const KernelCaseComparison& one : comparison.cases) {
    const bool timed = has_times(one);
    const auto if_timed = [&](double value) { return timed ? or_null(value) : OrderedJson(); };
    OrderedJson entry;
    entry["case"] = one.id;
    entry["verdict"] = kernel_verdict_name(one.verdict);
    entry["confirmation"] = kernel_confirmation_name(one.confirmation);
    entry["broken"] = one.is_broken;
    entry["why"] = one.why;
    entry["base_ns"] = if_timed(one.base_ns);
    entry["head_ns"] = if_timed(one.head_ns);
    entry["pairs"] = one.n_pairs;
    entry["slower_pairs"] = one.n_slower_pairs;
    entry["effect"] = if_timed(one.effect);
    entry["ci"] =
        timed && one.n_pairs > 0 ? OrderedJson::array({one.lower, one.upper}) : OrderedJson();
    entry["bound"] = if_timed(one.bound);
    entry["cycles_effect"] = or_null(one.cycles_effect);
    entry["p_wilcoxon"] = if_timed(one.wilcoxon_p);
    entry["p_sign"] = if_timed(one.sign_p);
    entry["min_effect"] = if_timed(one.min_effect);
    entry["noise_floor"] = one.noise_floor > 0 ? OrderedJson(one.noise_floor) : OrderedJson();
    entry["confirm_effect"] = or_null(one.confirm_effect);
    entry["confirm_pairs"] = one.n_confirm_pairs;
    json["cases"].push_back(entry);
  }
  json["differences"] = comparison.differences;
  json["notes"] = comparison.notes;
  return json;
}

std::string kernel_comparison_text(const KernelComparison& comparison, bool all) {
  std::string out = fmt::format(
      "base {}\nhead {}\n{}\n\n",
      side_text(comparison.base, comparison.base_commit, comparison.n_base_launches),
      side_text(comparison.head, comparison.head_commit, comparison.n_head_launches),
      comparison.machine.empty() ? "machine not recorded" : safe_text(comparison.machine));
  std::size_t n_left_out = 0;
  for (const KernelCaseComparison* one : by_weight(comparison)) {
    const bool is_quiet =
        one->verdict == KernelVerdict::kSame || one->verdict == KernelVerdict::kIdentical;
    if (is_quiet && !all) {
      ++n_left_out;
      continue;
    }
    out += fmt::format("{:<9}  {}\n", kernel_verdict_name(one->verdict), safe_text(one->id));
    if (has_times(*one)) {
      out += fmt::format("           {} -> {}, {} %", time_text(one->base_ns),
                         time_text(one->head_ns), percent(one->effect));
      if (one->n_pairs > 1) {
        out += fmt::format(" [{}, {}], {} of {} pairs slower, p {:.3g} (Wilcoxon) {:.3g} (sign)",
                           percent(one->lower), percent(one->upper), one->n_slower_pairs,
                           one->n_pairs, one->wilcoxon_p, one->sign_p);
      }
      if (one->cycles_effect) {
        out += fmt::format(", cycles {} %", percent(*one->cycles_effect));
      }
      out += fmt::format("; counts from {:.3g} %{}\n", 100 * one->min_effect,
                         one->noise_floor > 0
                             ? fmt::format(", noise floor {:.3g} %", 100 * one->noise_floor)
                             : std::string());
    }
    if (const std::string remark = remark_of(*one); !remark.empty()) {
      out += "           " + safe_text(remark) + "\n";
    }
  }
  out +=
      fmt::format("{}{} cases: {}{}\n", out.ends_with("\n\n") ? "" : "\n", comparison.cases.size(),
                  counts_text(comparison), n_left_out > 0 ? " (--all names the quiet ones)" : "");
  for (const std::string& difference : comparison.differences) {
    out += "differs, as allowed: " + safe_text(difference) + "\n";
  }
  for (const std::string& note : comparison.notes) {
    out += "note: " + safe_text(note) + "\n";
  }
  return out;
}

std::string kernel_comparison_markdown(const KernelComparison& comparison) {
  std::string out = fmt::format(
      "### Kernels: {}\n\nBase {}, head {}. {}\n\n", counts_text(comparison),
      markdown_text(side_text(comparison.base, comparison.base_commit, comparison.n_base_launches)),
      markdown_text(side_text(comparison.head, comparison.head_commit, comparison.n_head_launches)),
      markdown_text(comparison.machine));
  out +=
      "| verdict | case | base | head | change % | 95 % | pairs | remark |\n"
      "|---|---|---:|---:|---:|---:|---:|---|\n";
  for (const KernelCaseComparison* one : by_weight(comparison)) {
    if (one->verdict == KernelVerdict::kSame || one->verdict == KernelVerdict::kIdentical) {
      continue;
    }
    if (has_times(*one)) {
      out += fmt::format("| {} | {} | {} | {} | {} | {} to {} | {} of {} slower | {} |\n",
                         kernel_verdict_name(one->verdict), markdown_text(one->id),
                         time_text(one->base_ns), time_text(one->head_ns), percent(one->effect),
                         percent(one->lower), percent(one->upper), one->n_slower_pairs,
                         one->n_pairs, markdown_text(remark_of(*one)));
    } else {
      out += fmt::format("| {} | {} | | | | | | {} |\n", kernel_verdict_name(one->verdict),
                         markdown_text(one->id), markdown_text(remark_of(*one)));
    }
  }
  return out;
}

Result<SideGate> kernel_side_gate(std::string_view bytes, const std::string& file) {
  const Result<Json> json = parse_json(bytes);
  if (!json) {
    return json.error().with_context(file);
  }
  const std::string verdict = string_or(*json, "verdict");
  if (string_or(*json, "kind") != "kernels" ||
      (verdict != "pass" && verdict != "fail" && verdict != "inconclusive")) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: no verdict of kernels: expected what `r1eval kernels compare "
                            "--json` prints",
                            file));
  }
  SideGate side;
  side.name = "kernels";
  side.verdict = verdict == "pass"   ? GateVerdict::kPass
                 : verdict == "fail" ? GateVerdict::kFail
                                     : GateVerdict::kInconclusive;
  std::string counts;
  if (const Json* all = find_member(*json, "counts"); all != nullptr && all->is_object()) {
    for (const auto& [name, n] : all->items()) {
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", dump_json(n), name);
    }
  }
  std::string named;
  if (const Json* cases = find_member(*json, "cases"); cases != nullptr && cases->is_array()) {
    for (const Json& one : *cases) {
      const std::string what = string_or(one, "verdict");
      if ((what == "slower" && string_or(one, "confirmation") != "not-run") ||
          bool_or(one, "broken", false)) {
        named += fmt::format("{}{} {}", named.empty() ? ": " : ", ", what, string_or(one, "case"));
      }
    }
  }
  side.why = counts + named;
  return side;
}

}  // namespace r1eval
