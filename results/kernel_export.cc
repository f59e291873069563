#include "results/kernel_export.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "results/escape.h"
#include "results/kernel_facts.h"
#include "results/kernel_statistics.h"

namespace r1eval {
namespace {

OrderedJson or_null(std::optional<double> value) {
  return value && std::isfinite(*value) ? OrderedJson(*value) : OrderedJson();
}

std::string csv_number(std::optional<double> value) {
  return value && std::isfinite(*value) ? format_double(*value) : "";
}

std::string as_json_list(const KernelRun& run) {
  OrderedJson list = OrderedJson::array();
  for (const KernelCase& one : run.cases) {
    if (!one.error.empty()) {
      continue;
    }
    const KernelTime time = kernel_time(one);
    OrderedJson entry;
    entry["name"] = one.id;
    entry["unit"] = "ns";
    entry["value"] = time.median_ns;
    entry["range"] =
        fmt::format("{:.6g} to {:.6g} (95 % of the median)", time.lower_ns, time.upper_ns);
    entry["extra"] = fmt::format("{} samples; {}", one.samples.size(), kernel_machine(run));
    list.push_back(entry);
  }
  return dump_json_pretty(list);
}

std::string as_bencher(const KernelRun& run) {
  OrderedJson out = OrderedJson::object();
  for (const KernelCase& one : run.cases) {
    if (!one.error.empty()) {
      continue;
    }
    const KernelTime time = kernel_time(one);
    OrderedJson measures;
    measures["latency"] = {
        {"value", time.median_ns}, {"lower_value", time.lower_ns}, {"upper_value", time.upper_ns}};
    for (const auto& [measure, counter] :
         {std::pair<const char*, const char*>{"bandwidth-gbs", "gbs"}, {"gflops", "gflops"}}) {
      if (const std::optional<double> value = one.counter(counter)) {
        // A rate goes with the inverse of the time, its interval with it.
        measures[measure] = {{"value", *value},
                             {"lower_value", *value * time.median_ns / time.upper_ns},
                             {"upper_value", *value * time.median_ns / time.lower_ns}};
      }
    }
    if (const std::optional<double> value = one.counter("pct_roof")) {
      measures["percent-of-measured-roof"] = {{"value", *value}};
    }
    out[one.id] = measures;
  }
  return dump_json_pretty(out);
}

std::string as_mlperf(const KernelRun& run) {
  std::string out;
  const std::optional<double> seconds = parse_iso_time(run.text("date"));
  for (const KernelCase& one : run.cases) {
    OrderedJson line;
    line["namespace"] = "r1eval.kernels";
    line["time_ms"] =
        seconds ? OrderedJson(static_cast<std::int64_t>(*seconds * 1000)) : OrderedJson();
    line["event_type"] = "POINT_IN_TIME";
    line["key"] = one.id;
    const KernelTime time = kernel_time(one);
    line["value"] = one.error.empty() ? OrderedJson(time.median_ns) : OrderedJson();
    OrderedJson metadata;
    metadata["unit"] = "ns";
    if (one.error.empty()) {
      metadata["lower"] = time.lower_ns;
      metadata["upper"] = time.upper_ns;
      metadata["samples"] = one.samples.size();
      metadata["percent_of_measured_roof"] = or_null(one.counter("pct_roof"));
    } else {
      metadata["error"] = one.error;
    }
    metadata["machine"] = kernel_machine(run);
    metadata["commit"] = kernel_commit(run);
    line["metadata"] = metadata;
    out += ":::MLLOG " + dump_json(line) + "\n";
  }
  return out;
}

std::string as_csv(const KernelRun& run) {
  std::string out =
      "case,operator,dtype,shape,load,cache,variant,median_ns,lower_ns,upper_ns,min_ns,p95_ns,"
      "samples,clock_ghz,gflops,gbs,pct_measured_roof,roof_gflops,roof_gbs,floor_ns,machine,commit,"
      "date,error\n";
  for (const KernelCase& one : run.cases) {
    const KernelName name = parse_kernel_name(one.id);
    std::vector<std::string> fields = {one.id,    name.op,    name.dtype,  name.shape,
                                       name.load, name.cache, name.variant};
    if (one.error.empty()) {
      const KernelTime time = kernel_time(one);
      std::vector<double> times;
      for (const KernelSample& sample : one.samples) {
        times.push_back(sample.time_ns);
      }
      for (const double value : {time.median_ns, time.lower_ns, time.upper_ns,
                                 quantile_of(times, 0), quantile_of(times, 0.95)}) {
        fields.push_back(csv_number(value));
      }
      fields.push_back(std::to_string(one.samples.size()));
      for (const char* counter :
           {"clock_ghz", "gflops", "gbs", "pct_roof", "roof_gflops", "roof_gbs", "floor_ns"}) {
        fields.push_back(csv_number(one.counter(counter)));
      }
    } else {
      fields.resize(fields.size() + 13);
    }
    fields.push_back(kernel_machine(run));
    fields.push_back(kernel_commit(run));
    fields.push_back(run.text("date"));
    fields.push_back(one.error);
    std::string line;
    for (const std::string& field : fields) {
      line += (line.empty() ? "" : ",") + csv_field(field);
    }
    out += line + "\n";
  }
  return out;
}

std::string optional_text(std::optional<double> value, const char* format) {
  return value ? fmt::format(fmt::runtime(format), *value) : "-";
}

std::string as_markdown(const KernelRun& run) {
  const std::string machine = kernel_machine(run);
  std::string out = fmt::format(
      "Kernel times: {}, commit {}, {}. Percent of the roof measured in the same run "
      "(read {} GB/s).\n\n",
      machine.empty() ? "machine not recorded" : markdown_text(machine),
      kernel_commit(run).empty() ? "not recorded" : markdown_code(kernel_commit(run)),
      run.text("date").empty() ? "date not recorded" : markdown_text(run.text("date")),
      run.text("r1eval.roof.read_gbs").empty() ? "?"
                                               : markdown_text(run.text("r1eval.roof.read_gbs")));
  out +=
      "| case | median | 95 % | GFLOP/s | GB/s | % of measured roof | samples |\n"
      "|---|---:|---:|---:|---:|---:|---:|\n";
  for (const KernelCase& one : run.cases) {
    if (!one.error.empty()) {
      out +=
          fmt::format("| {} | {} | | | | | |\n", markdown_text(one.id), markdown_text(one.error));
      continue;
    }
    const KernelTime time = kernel_time(one);
    out += fmt::format("| {} | {} | {} to {} | {} | {} | {} | {} |\n", markdown_text(one.id),
                       time_text(time.median_ns), time_text(time.lower_ns),
                       time_text(time.upper_ns), optional_text(one.counter("gflops"), "{:.1f}"),
                       optional_text(one.counter("gbs"), "{:.1f}"),
                       optional_text(one.counter("pct_roof"), "{:.1f}"), one.samples.size());
  }
  return out;
}

}  // namespace

const std::vector<std::string>& kernel_export_formats() {
  static const std::vector<std::string> kFormats = {"gbench", "json", "bencher",
                                                    "mlperf", "csv",  "markdown"};
  return kFormats;
}

KernelRun pool_kernel_runs(const std::vector<KernelRun>& runs) {
  KernelRun pooled = runs.front();
  if (runs.size() == 1) {
    return pooled;
  }
  pooled.context["r1eval.launches"] = std::to_string(runs.size());
  std::unordered_map<std::string, std::size_t> at;
  for (std::size_t i = 0; i < pooled.cases.size(); ++i) {
    at[pooled.cases[i].id] = i;
    pooled.cases[i].summary.clear();  // of one launch, no longer true of all
  }
  for (std::size_t r = 1; r < runs.size(); ++r) {
    for (const KernelCase& one : runs[r].cases) {
      const auto [where, is_new] = at.try_emplace(one.id, pooled.cases.size());
      if (is_new) {
        pooled.cases.push_back(one);
        pooled.cases.back().summary.clear();
        continue;
      }
      KernelCase& all = pooled.cases[where->second];
      if (!one.error.empty() && all.error.empty()) {
        all.error = one.error;
        all.is_wrong = one.is_wrong;
        all.is_skipped = one.is_skipped;
        all.samples.clear();
      }
      if (all.error.empty()) {
        all.samples.insert(all.samples.end(), one.samples.begin(), one.samples.end());
      }
    }
  }
  return pooled;
}

KernelTime kernel_time(const KernelCase& one) {
  std::vector<double> times;
  for (const KernelSample& sample : one.samples) {
    times.push_back(sample.time_ns);
  }
  KernelTime time;
  time.median_ns = median_of(times);
  const auto lower = one.summary.find("ci_low");
  const auto upper = one.summary.find("ci_high");
  if (lower != one.summary.end() && upper != one.summary.end()) {
    time.lower_ns = lower->second;
    time.upper_ns = upper->second;
  } else {
    const MedianBounds bounds = median_bounds(times, 0.025);
    time.lower_ns = bounds.lower;
    time.upper_ns = bounds.upper;
  }
  return time;
}

Result<std::string> export_kernel_run(const KernelRun& run, std::string_view format) {
  if (format == "gbench") {
    return kernel_run_json(run);
  }
  if (format == "json") {
    return as_json_list(run);
  }
  if (format == "bencher") {
    return as_bencher(run);
  }
  if (format == "mlperf") {
    return as_mlperf(run);
  }
  if (format == "csv") {
    return as_csv(run);
  }
  if (format == "markdown") {
    return as_markdown(run);
  }
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("--to {}: there are gbench, json, bencher, mlperf, csv, markdown", format));
}

std::string time_text(double nanoseconds) {
  for (const auto& [scale, unit] :
       {std::pair<double, const char*>{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}}) {
    if (nanoseconds >= scale) {
      const double value = nanoseconds / scale;
      return value >= 100  ? fmt::format("{:.0f} {}", value, unit)
             : value >= 10 ? fmt::format("{:.1f} {}", value, unit)
                           : fmt::format("{:.2f} {}", value, unit);
    }
  }
  return fmt::format("{:.0f} ns", nanoseconds);
}

}  // namespace r1eval
