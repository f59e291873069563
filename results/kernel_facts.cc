#include "results/kernel_facts.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace r1eval {
namespace {

std::optional<std::int64_t> digits_at(std::string_view text, std::size_t at, std::size_t n) {
  if (at + n > text.size()) {
    return std::nullopt;
  }
  std::int64_t value = 0;
  for (std::size_t i = at; i < at + n; ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) {
      return std::nullopt;
    }
    value = 10 * value + (text[i] - '0');
  }
  return value;
}

// Days from 1970-01-01 of a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level
// date algorithms", days_from_civil).
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

// A context text, with the suite's "null" for what is not known taken as empty.
std::string known(const KernelRun& run, const std::string& key) {
  std::string value = run.text(key);
  return value == "null" ? "" : value;
}

}  // namespace

std::string KernelName::text() const {
  return is_ours() ? op + "/" + dtype + "/" + shape + "/" + load + "/" + cache + "/" + variant : op;
}

KernelName parse_kernel_name(std::string_view id) {
  std::array<std::string, 6> parts;
  std::size_t n = 0;
  for (std::size_t at = 0; at <= id.size(); ++n) {
    const std::size_t slash = std::min(id.find('/', at), id.size());
    if (n < parts.size()) {
      parts[n] = std::string(id.substr(at, slash - at));
    }
    at = slash + 1;
  }
  KernelName name;
  if (n != parts.size() || (parts[4] != "cold" && parts[4] != "hot" && parts[4] != "-") ||
      parts[5].empty()) {
    name.op = std::string(id);
    return name;
  }
  name.op = std::move(parts[0]);
  name.dtype = std::move(parts[1]);
  name.shape = std::move(parts[2]);
  name.load = std::move(parts[3]);
  name.cache = std::move(parts[4]);
  name.variant = std::move(parts[5]);
  return name;
}

std::string label_word(const KernelCase& one, std::string_view name) {
  const std::string_view label = one.label;
  for (std::size_t at = 0; at < label.size();) {
    const std::size_t end = std::min(label.find(' ', at), label.size());
    const std::string_view word = label.substr(at, end - at);
    if (word.size() > name.size() && word[name.size()] == '=' &&
        word.substr(0, name.size()) == name) {
      return std::string(word.substr(name.size() + 1));
    }
    at = end + 1;
  }
  return "";
}

std::string kernel_device(const KernelCase& one) {
  const KernelName name = parse_kernel_name(one.id);
  if (!name.is_ours()) {
    return "";
  }
  return name.op.ends_with(".cpu") ? "cpu" : "gpu";
}

std::string kernel_machine(const KernelRun& run) {
  std::string machine;
  for (const std::string_view key : {"cpu", "gpu", "threads"}) {
    const std::string value = known(run, "r1eval." + std::string(key));
    if (!value.empty()) {
      machine += (machine.empty() ? "" : " ") + std::string(key) + "=" + value;
    }
  }
  return machine;
}

std::string kernel_guard(const KernelRun& run, const KernelCase& one, std::string_view guard) {
  if (guard == "machine") {
    return kernel_machine(run);
  }
  if (guard == "suite") {
    return known(run, "r1eval.suite_version");
  }
  if (guard == "cache") {
    return parse_kernel_name(one.id).cache;
  }
  return label_word(one, guard == "data" ? "generator" : guard);
}

std::string kernel_code(const KernelRun& run, const KernelCase& one) {
  if (std::string code = label_word(one, "code"); !code.empty()) {
    return code;
  }
  // Kernels of a device by name, each with its hash in the context.
  std::string code;
  const std::string kernels = label_word(one, "kernels");
  for (std::size_t at = 0; at < kernels.size();) {
    const std::size_t comma = std::min(kernels.find(',', at), kernels.size());
    const std::string hash = known(run, "r1eval.sass." + kernels.substr(at, comma - at));
    if (hash.empty()) {
      return "";
    }
    code += (code.empty() ? "" : "+") + hash;
    at = comma + 1;
  }
  // One program on both sides is one code, too.
  return code.empty() ? known(run, "r1eval.program_sha256") : code;
}

std::string kernel_identity(const KernelRun& run, const KernelCase& one) {
  const std::string code = kernel_code(run, one);
  if (code.empty()) {
    return "";
  }
  std::string seed = label_word(one, "seed");
  if (seed.empty()) {
    seed = known(run, "r1eval.seed");
  }
  return code + " " + label_word(one, "launch") + " " + seed;
}

std::string kernel_commit(const KernelRun& run) {
  const std::string commit = known(run, "r1eval.commit");
  const std::string dirty = known(run, "r1eval.dirty");
  return commit.empty() || (dirty != "true" && dirty != "1") ? commit : commit + "+changes";
}

std::optional<double> parse_iso_time(std::string_view text) {
  const auto year = digits_at(text, 0, 4);
  const auto month = digits_at(text, 5, 2);
  const auto day = digits_at(text, 8, 2);
  const auto hour = digits_at(text, 11, 2);
  const auto minute = digits_at(text, 14, 2);
  const auto second = digits_at(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || *month < 1 || *month > 12 ||
      *day < 1 || *day > 31) {
    return std::nullopt;
  }
  const std::int64_t local =
      days_of(*year, *month, *day) * 86400 + *hour * 3600 + *minute * 60 + *second;
  auto seconds = static_cast<double>(local);
  std::size_t at = 19;
  if (at < text.size() && text[at] == '.') {
    double scale = 0.1;
    for (++at; at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0; ++at) {
      seconds += scale * (text[at] - '0');
      scale /= 10;
    }
  }
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
    const auto hours = digits_at(text, at + 1, 2);
    const auto minutes =
        digits_at(text, at + (text.size() > at + 3 && text[at + 3] == ':' ? 4 : 3), 2);
    if (!hours) {
      return std::nullopt;
    }
    const double offset = static_cast<double>(*hours * 3600 + minutes.value_or(0) * 60);
    seconds -= text[at] == '+' ? offset : -offset;
  }
  return seconds;
}

std::optional<double> kernel_launch_time(const KernelRun& run) {
  const std::string launch = known(run, "r1eval.launch_order");
  if (!launch.empty()) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(launch.data(), launch.data() + launch.size(), number);
    if (error == std::errc() && end == launch.data() + launch.size()) {
      return static_cast<double>(number);
    }
  }
  return parse_iso_time(run.text("date"));
}

}  // namespace r1eval
