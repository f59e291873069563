#include "results/kernel_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "results/kernel_import_text.h"

namespace r1eval {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxResults = 1'000'000;
constexpr std::size_t kMaxSampleBytes = std::size_t{16} << 20;

// A value of nvbench's JSON, where numbers stand as text or as numbers.
std::optional<double> number_in(const Json& json) {
  if (json.is_number()) {
    return json.get<double>();
  }
  if (!json.is_string()) {
    return std::nullopt;
  }
  const std::string text = json.get<std::string>();
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0' ? std::nullopt : std::optional<double>(value);
}

std::string text_in(const Json& json) {
  return json.is_string() ? json.get<std::string>() : dump_json(json);
}

// The member `name` of a summary's data, or null.
const Json* datum(const Json& summary, std::string_view name) {
  const Json* data = find_member(summary, "data");
  if (data == nullptr || !data->is_array()) {
    return nullptr;
  }
  for (const Json& one : *data) {
    if (string_or(one, "name") == name) {
      return find_member(one, "value");
    }
  }
  return nullptr;
}

const Json* summary_of(const Json& state, std::string_view tag) {
  const Json* summaries = find_member(state, "summaries");
  if (summaries == nullptr || !summaries->is_array()) {
    return nullptr;
  }
  for (const Json& summary : *summaries) {
    if (string_or(summary, "tag") == tag) {
      return &summary;
    }
  }
  return nullptr;
}

std::optional<double> summary_value(const Json& state, std::string_view tag) {
  const Json* summary = summary_of(state, tag);
  const Json* value = summary == nullptr ? nullptr : datum(*summary, "value");
  return value == nullptr ? std::nullopt : number_in(*value);
}

// "BENCHMARK/Axis=value,Axis=value": values without what would break a name apart.
std::string nvbench_name(const std::string& benchmark, const Json& state) {
  std::string axes;
  if (const Json* values = find_member(state, "axis_values");
      values != nullptr && values->is_array()) {
    for (const Json& axis : *values) {
      const Json* value = find_member(axis, "value");
      if (value != nullptr) {
        axes += (axes.empty() ? "" : ",") + string_or(axis, "name") + "=" + text_in(*value);
      }
    }
  }
  std::string name = benchmark + (axes.empty() ? "" : "/" + axes);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

// Times of single samples, 32-bit little-endian floats in a file of their own, seconds.
std::vector<double> nvbench_samples(const Json& state, const ReadBeside& read_beside,
                                    std::vector<std::string>* notes) {
  const Json* summary = summary_of(state, "nv/json/bin:nv/cold/sample_times");
  const Json* name = summary == nullptr ? nullptr : datum(*summary, "filename");
  if (name == nullptr || !name->is_string() || read_beside == nullptr) {
    return {};
  }
  const Result<std::string> bytes = read_beside(name->get<std::string>());
  if (!bytes || bytes->size() > kMaxSampleBytes || bytes->size() % sizeof(float) != 0) {
    notes->push_back(fmt::format("{}: its samples are left out: {}", name->get<std::string>(),
                                 bytes ? "no list of 32-bit floats" : bytes.error().message));
    return {};
  }
  std::vector<double> times;
  for (std::size_t at = 0; at < bytes->size(); at += sizeof(float)) {
    float value = 0;
    std::memcpy(&value, bytes->data() + at, sizeof(value));
    if (!std::isfinite(value) || value <= 0) {
      return {};
    }
    times.push_back(value);
  }
  return times;
}

Status add_nvbench_state(const Json& benchmark, const Json& state, const std::string& device,
                         const ReadBeside& read_beside, KernelImport* out) {
  KernelCase one;
  one.id = nvbench_name(string_or(benchmark, "name"), state) +
           (device.empty() ? "" : "/device=" + device);
  if (bool_or(state, "is_skipped", false)) {
    one.error = "skipped: " + string_or(state, "skip_reason", "no reason given");
    one.is_skipped = true;
    out->run.cases.push_back(std::move(one));
    return ok_status();
  }
  std::optional<double> seconds = summary_value(state, "nv/cold/time/gpu/median");
  if (!seconds) {
    seconds = summary_value(state, "nv/cold/time/gpu/mean");
  }
  if (!seconds) {
    seconds = summary_value(state, "nv/cpu_only/time/cpu/mean");
  }
  if (!seconds || !std::isfinite(*seconds) || *seconds < 0) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: no time (nv/cold/time/gpu/median or mean)", one.id));
  }
  KernelSample sample;
  sample.time_ns = *seconds * 1e9;
  const auto counter = [&](const char* name, const char* tag, double scale) {
    const std::optional<double> value = summary_value(state, tag);
    if (value && std::isfinite(*value)) {
      sample.counters[name] = *value * scale;
    }
  };
  counter("clock_ghz", "nv/cold/sm_clock_rate/mean", 1e-9);
  counter("gbs", "nv/cold/bw/global/bytes_per_second", 1e-9);
  std::vector<double> times = nvbench_samples(state, read_beside, &out->problems);
  if (times.empty()) {
    counter("samples", "nv/cold/sample_size", 1);
    counter("noise", "nv/cold/time/gpu/stdev/relative", 1);
    one.from_aggregate = true;
    one.samples.push_back(std::move(sample));
  } else {
    for (const double time : times) {
      sample.time_ns = time * 1e9;
      one.samples.push_back(sample);
    }
  }
  out->run.cases.push_back(std::move(one));
  return ok_status();
}

Result<KernelImport> import_nvbench(std::string_view bytes, const std::string& file,
                                    const ReadBeside& read_beside) {
  Result<Json> parsed = parse_json(bytes);
  if (!parsed) {
    return parsed.error().with_context(file);
  }
  const Json& json = *parsed;
  const Json* benchmarks = find_member(json, "benchmarks");
  if (benchmarks == nullptr || !benchmarks->is_array()) {
    return fail(
        ErrorCode::kParse,
        fmt::format("{}: field 'benchmarks': expected an array, as nvbench --json writes it",
                    file));
  }
  KernelImport out;
  std::unordered_map<std::int64_t, std::string> devices;
  if (const Json* list = find_member(json, "devices"); list != nullptr && list->is_array()) {
    for (const Json& device : *list) {
      devices[int_or(device, "id", -1)] = string_or(device, "name");
    }
  }
  const bool has_one_device = devices.size() <= 1;
  if (devices.size() == 1) {
    out.run.context["r1eval.gpu"] = devices.begin()->second;
  }
  out.run.context["r1eval.imported_from"] = "nvbench";
  std::size_t n_states = 0;
  for (std::size_t b = 0; b < benchmarks->size(); ++b) {
    const Json& benchmark = (*benchmarks)[b];
    const Json* states = find_member(benchmark, "states");
    if (states == nullptr || !states->is_array()) {
      out.problems.push_back(fmt::format("benchmarks[{}]: field 'states': expected an array", b));
      continue;
    }
    for (std::size_t s = 0; s < states->size(); ++s) {
      if (++n_states > kMaxResults) {
        return fail(ErrorCode::kResourceExhausted,
                    fmt::format("{}: more than {} states", file, kMaxResults));
      }
      const Json& state = (*states)[s];
      const auto device = devices.find(int_or(state, "device", -1));
      const Status added = add_nvbench_state(
          benchmark, state,
          has_one_device || device == devices.end() ? std::string() : device->second, read_beside,
          &out);
      if (!added) {
        out.problems.push_back(
            fmt::format("benchmarks[{}].states[{}]: {}", b, s, added.error().message));
      }
    }
  }
  return out;
}

// Repetitions of one name become samples of one case.
void gather(std::vector<PerfLine> lines, KernelRun* run) {
  std::unordered_map<std::string, std::size_t> at;
  for (PerfLine& line : lines) {
    const auto [where, is_new] = at.try_emplace(line.id, run->cases.size());
    if (is_new) {
      run->cases.emplace_back();
      run->cases.back().id = std::move(line.id);
    }
    run->cases[where->second].samples.push_back(std::move(line.sample));
  }
}

}  // namespace

const std::vector<std::string>& kernel_import_formats() {
  static const std::vector<std::string> kFormats = {"gbench", "nvbench", "deepgemm", "flashmla",
                                                    "flashinfer"};
  return kFormats;
}

Result<KernelImport> import_kernel_results(std::string_view format, std::string_view bytes,
                                           const std::string& file, const ReadBeside& read_beside) {
  if (bytes.size() > kMaxBytes) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: {} bytes; at most {} are read", file, bytes.size(), kMaxBytes));
  }
  KernelImport out;
  if (format == "gbench") {
    R1_TRY(out.run, parse_kernel_run(bytes, file));
  } else if (format == "nvbench") {
    R1_TRY(out, import_nvbench(bytes, file, read_beside));
  } else if (format == "deepgemm" || format == "flashmla" || format == "flashinfer") {
    PerfText text = read_perf_text(format, bytes);
    out.problems = std::move(text.problems);
    gather(std::move(text.lines), &out.run);
    out.run.context["r1eval.imported_from"] = std::string(format);
  } else {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("--from {}: there are gbench, nvbench, deepgemm, flashmla, flashinfer",
                            format));
  }
  if (out.run.cases.empty()) {
    return fail(ErrorCode::kParse,
                fmt::format("{}: no result of {} in it: {}{}", file, format,
                            format == "gbench" || format == "nvbench"
                                ? std::string("the file has no benchmarks")
                                : "expected lines like " + perf_line_example(format),
                            out.problems.empty() ? "" : "; " + out.problems.front()));
  }
  out.run.file = file;
  return out;
}

}  // namespace r1eval
