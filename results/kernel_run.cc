#include "results/kernel_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <set>
#include <system_error>
#include <unordered_map>

#include "base/file.h"
#include "results/kernel_statistics.h"

namespace r1eval {
namespace {

constexpr std::int64_t kMaxFileBytes = std::int64_t{256} << 20;
constexpr std::size_t kMaxEntries = 1'000'000;

// Members of an entry that are no counters.
const std::set<std::string, std::less<>>& known_members() {
  static const std::set<std::string, std::less<>> kKnown = {"name",
                                                            "family_index",
                                                            "per_family_instance_index",
                                                            "run_name",
                                                            "run_type",
                                                            "repetitions",
                                                            "repetition_index",
                                                            "threads",
                                                            "iterations",
                                                            "real_time",
                                                            "cpu_time",
                                                            "time_unit",
                                                            "aggregate_name",
                                                            "aggregate_unit",
                                                            "error_occurred",
                                                            "error_message",
                                                            "label",
                                                            "skipped",
                                                            "skip_message"};
  return kKnown;
}

std::optional<double> nanoseconds_of(std::string_view unit) {
  if (unit == "ns" || unit.empty()) {
    return 1;
  }
  if (unit == "us") {
    return 1e3;
  }
  if (unit == "ms") {
    return 1e6;
  }
  if (unit == "s") {
    return 1e9;
  }
  return std::nullopt;
}

bool begins_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// What our suite says of a result that failed its check ("wrong: …"), and of a case that this
// machine or variant does not run ("cannot: …").
bool says_wrong(std::string_view message) {
  return begins_with(message, "wrong");
}

bool says_skipped(std::string_view message) {
  return begins_with(message, "cannot") || begins_with(message, "skipped");
}

struct Entry {
  std::string id;
  bool is_aggregate = false;
  std::string aggregate;
  KernelSample sample;
  std::string error;
  bool is_skipped = false;
  std::string label;
  std::int64_t threads = 1;
};

Result<Entry> read_entry(const Json& json) {
  if (!json.is_object()) {
    return fail(ErrorCode::kParse, fmt::format("expected an object, got {}", json.type_name()));
  }
  Entry entry;
  const std::string run_name = string_or(json, "run_name");
  const std::string name = run_name.empty() ? string_or(json, "name") : run_name;
  if (name.empty()) {
    return fail(ErrorCode::kParse, "field 'name': expected a string");
  }
  entry.id = kernel_case_id(name);
  entry.is_aggregate = string_or(json, "run_type") == "aggregate";
  entry.aggregate = string_or(json, "aggregate_name");
  entry.label = string_or(json, "label");
  entry.threads = int_or(json, "threads", 1);
  const bool has_error = bool_or(json, "error_occurred", false);
  entry.is_skipped = bool_or(json, "skipped", false);
  if (has_error || entry.is_skipped) {
    entry.error = string_or(json, has_error ? "error_message" : "skip_message", "no reason given");
    entry.is_skipped = entry.is_skipped || says_skipped(entry.error);
    return entry;
  }
  const std::string unit = string_or(json, "time_unit", "ns");
  const std::optional<double> scale = nanoseconds_of(unit);
  if (!scale) {
    return fail(ErrorCode::kParse,
                fmt::format("field 'time_unit': '{}' is none of ns, us, ms, s", unit));
  }
  R1_TRY(const double time, get_double(json, "real_time"));
  entry.sample.time_ns = time * *scale;
  if (!std::isfinite(entry.sample.time_ns) || entry.sample.time_ns < 0) {
    return fail(ErrorCode::kParse, fmt::format("field 'real_time': {} is no time", time));
  }
  const double cpu = double_or(json, "cpu_time", 0) * *scale;
  entry.sample.cpu_ns = std::isfinite(cpu) && cpu > 0 ? cpu : 0;
  entry.sample.iterations = std::max<std::int64_t>(1, int_or(json, "iterations", 1));
  for (const auto& [key, value] : json.items()) {
    if (value.is_number() && !known_members().contains(key)) {
      entry.sample.counters[key] = value.get<double>();
    }
  }
  return entry;
}

}  // namespace

double KernelCase::median_ns() const {
  std::vector<double> times;
  times.reserve(samples.size());
  for (const KernelSample& sample : samples) {
    times.push_back(sample.time_ns);
  }
  return median_of(times);
}

std::optional<double> KernelCase::counter(std::string_view name) const {
  std::vector<double> values;
  for (const KernelSample& sample : samples) {
    const auto found = sample.counters.find(std::string(name));
    if (found != sample.counters.end() && std::isfinite(found->second)) {
      values.push_back(found->second);
    }
  }
  if (!values.empty()) {
    return median_of(values);
  }
  const auto of_median = summary.find(std::string(name));
  return of_median == summary.end() ? std::nullopt : std::optional<double>(of_median->second);
}

const KernelCase* KernelRun::find(std::string_view id) const {
  for (const KernelCase& one : cases) {
    if (one.id == id) {
      return &one;
    }
  }
  return nullptr;
}

std::string KernelRun::text(std::string_view key) const {
  const Json* member = find_member(context, key);
  if (member == nullptr) {
    return "";
  }
  // Custom context is text, Google Benchmark's own fields may be numbers.
  return member->is_string() ? member->get<std::string>() : dump_json(*member);
}

std::string kernel_case_id(std::string_view benchmark_name) {
  std::string id;
  for (std::size_t at = 0; at <= benchmark_name.size();) {
    const std::size_t slash = std::min(benchmark_name.find('/', at), benchmark_name.size());
    const std::string_view part = benchmark_name.substr(at, slash - at);
    const bool is_setting = part == "manual_time" || part == "real_time" ||
                            part == "process_time" || begins_with(part, "repeats:") ||
                            begins_with(part, "iterations:") || begins_with(part, "min_time:") ||
                            begins_with(part, "min_warmup_time:");
    if (!is_setting) {
      id += (at == 0 ? "" : "/") + std::string(part);
    }
    at = slash + 1;
  }
  return id;
}

bool kernel_name_matches(std::string_view name, std::string_view pattern) {
  if (pattern.find_first_of("*?") == std::string_view::npos) {
    return name.find(pattern) != std::string_view::npos;
  }
  // The usual walk with one remembered star: linear in practice, bounded by name x pattern.
  std::size_t n = 0;
  std::size_t p = 0;
  std::size_t star = std::string_view::npos;
  std::size_t from = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') {
    ++p;
  }
  return p == pattern.size();
}

Result<KernelRun> parse_kernel_run(std::string_view bytes, const std::string& file) {
  if (static_cast<std::int64_t>(bytes.size()) > kMaxFileBytes) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: {} bytes; a file of benchmarks has at most {}", file, bytes.size(),
                            kMaxFileBytes));
  }
  Result<Json> parsed = parse_json(bytes);
  if (!parsed) {
    return parsed.error().with_context(file);
  }
  const Json& json = *parsed;
  const Json* entries = find_member(json, "benchmarks");
  if (entries == nullptr || !entries->is_array()) {
    return fail(
        ErrorCode::kParse,
        fmt::format("{}: field 'benchmarks': expected an array; this is no Google Benchmark "
                    "file (r1eval kernels import reads other formats)",
                    file));
  }
  if (entries->size() > kMaxEntries) {
    return fail(ErrorCode::kResourceExhausted, fmt::format("{}: {} entries; at most {} are read",
                                                           file, entries->size(), kMaxEntries));
  }
  KernelRun run;
  run.file = file;
  if (const Json* context = find_member(json, "context"); context != nullptr) {
    if (!context->is_object()) {
      return fail(ErrorCode::kParse, fmt::format("{}: field 'context': expected an object", file));
    }
    run.context = *context;
  }
  std::unordered_map<std::string, std::size_t> at;
  std::unordered_map<std::string, KernelSample> medians;
  for (std::size_t i = 0; i < entries->size(); ++i) {
    Result<Entry> read = read_entry((*entries)[i]);
    if (!read) {
      return read.error().with_context(fmt::format("{}: benchmarks[{}]", file, i));
    }
    Entry& entry = *read;
    const auto [where, is_new] = at.try_emplace(entry.id, run.cases.size());
    if (is_new) {
      run.cases.emplace_back();
      run.cases.back().id = entry.id;
      run.cases.back().label = entry.label;
      run.cases.back().threads = entry.threads;
    }
    KernelCase& one = run.cases[where->second];
    if (!entry.error.empty()) {
      one.is_wrong = one.is_wrong || says_wrong(entry.error);
      one.is_skipped = entry.is_skipped;
      if (one.error.empty() || says_wrong(entry.error)) {
        one.error = entry.error;
      }
    } else if (!entry.is_aggregate) {
      one.samples.push_back(std::move(entry.sample));
    } else if (entry.aggregate == "median") {
      medians[entry.id] = std::move(entry.sample);
    }
  }
  for (KernelCase& one : run.cases) {
    const auto median = medians.find(one.id);
    if (median != medians.end() && one.error.empty()) {
      one.summary = median->second.counters;
    }
    if (one.samples.empty() && one.error.empty() && median != medians.end()) {
      one.samples.push_back(median->second);
      one.from_aggregate = true;
    }
    if (one.samples.empty() && one.error.empty()) {
      one.error = "the file has no repetition of it (aggregates only)";
    }
    if (!one.error.empty()) {
      one.samples.clear();  // a time beside an error is not worth having
    }
  }
  return run;
}

Result<KernelRun> read_kernel_run(const std::string& path) {
  R1_TRY(const std::int64_t size, file_size(path));
  if (size > kMaxFileBytes) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: {} bytes; a file of benchmarks has at most {}", path, size,
                            kMaxFileBytes));
  }
  R1_TRY(const std::string bytes, read_file(path));
  return parse_kernel_run(bytes, path);
}

Result<std::vector<KernelRun>> read_kernel_runs(const std::string& path,
                                                std::vector<std::string>* skipped) {
  std::vector<KernelRun> runs;
  if (!path_exists(path)) {
    return fail(ErrorCode::kNotFound,
                fmt::format("{}: no such file or directory of kernel results", path));
  }
  if (!is_directory(path)) {
    R1_TRY(KernelRun run, read_kernel_run(path));
    runs.push_back(std::move(run));
    return runs;
  }
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() == ".json") {
      files.push_back(it->path().string());
    }
  }
  if (error) {
    return fail(ErrorCode::kIo, fmt::format("{}: {}", path, error.message()));
  }
  std::sort(files.begin(), files.end());
  std::optional<Error> first;
  for (const std::string& file : files) {
    Result<KernelRun> run = read_kernel_run(file);
    if (run) {
      runs.push_back(std::move(*run));
      continue;
    }
    if (!first) {
      first = run.error();
    }
    if (skipped != nullptr) {
      skipped->push_back(run.error().message);
    }
  }
  if (runs.empty()) {
    return first ? *first
                 : fail(ErrorCode::kNotFound,
                        fmt::format("{}: no *.json file of kernel results in it", path));
  }
  return runs;
}

std::string kernel_run_json(const KernelRun& run) {
  OrderedJson json;
  json["context"] = OrderedJson::object();
  for (const auto& [key, value] : run.context.items()) {
    json["context"][key] = value;
  }
  json["benchmarks"] = OrderedJson::array();
  std::int64_t family = 0;
  for (const KernelCase& one : run.cases) {
    OrderedJson entry;
    entry["name"] = one.id;
    entry["family_index"] = family++;
    entry["per_family_instance_index"] = 0;
    entry["run_name"] = one.id;
    entry["run_type"] = "iteration";
    entry["repetitions"] = std::max<std::size_t>(1, one.samples.size());
    entry["repetition_index"] = 0;
    entry["threads"] = one.threads;
    if (!one.label.empty()) {
      entry["label"] = one.label;
    }
    if (!one.error.empty()) {
      entry["error_occurred"] = true;
      entry["error_message"] = one.error;
      entry["iterations"] = 0;
      entry["real_time"] = 0.0;
      entry["cpu_time"] = 0.0;
      entry["time_unit"] = "ns";
      json["benchmarks"].push_back(entry);
      continue;
    }
    std::int64_t repetition = 0;
    for (const KernelSample& sample : one.samples) {
      OrderedJson line = entry;
      line["repetition_index"] = repetition++;
      line["iterations"] = sample.iterations;
      line["real_time"] = sample.time_ns;
      line["cpu_time"] = sample.cpu_ns;
      line["time_unit"] = "ns";
      for (const auto& [name, value] : sample.counters) {
        line[name] = value;
      }
      json["benchmarks"].push_back(line);
    }
    if (!one.summary.empty()) {
      OrderedJson line = entry;
      line["name"] = one.id + "_median";
      line["run_type"] = "aggregate";
      line.erase("repetition_index");
      line["aggregate_name"] = "median";
      line["aggregate_unit"] = "time";
      line["iterations"] = one.samples.size();
      line["real_time"] = one.median_ns();
      line["cpu_time"] = 0.0;
      line["time_unit"] = "ns";
      for (const auto& [name, value] : one.summary) {
        line[name] = value;
      }
      json["benchmarks"].push_back(line);
    }
  }
  return dump_json_pretty(json);
}

}  // namespace r1eval
