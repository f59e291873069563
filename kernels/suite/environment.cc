// See environment.h.
#include "kernels/suite/environment.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "kernels/kernels.h"

namespace r1eval::kernels {

namespace {

std::string first_line_after(const std::string& text, const std::string& key) {
  const std::size_t at = text.find(key);
  if (at == std::string::npos) {
    return "null";
  }
  const std::size_t begin = text.find_first_not_of(" \t:", at + key.size());
  if (begin == std::string::npos) {
    return "null";
  }
  return text.substr(begin, text.find('\n', begin) - begin);
}

std::string text_of(const std::string& path) {
  const auto text = read_file(path);
  return text ? text.value() : std::string();
}

// "32768K" as sysfs writes sizes.
std::int64_t cache_bytes(int index) {
  const std::string size =
      text_of(fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/size", index));
  if (size.empty()) {
    return -1;
  }
  char* end = nullptr;
  const std::int64_t value = std::strtoll(size.c_str(), &end, 10);
  return value * (*end == 'K' ? 1024 : *end == 'M' ? 1024 * 1024 : 1);
}

std::string or_null(std::int64_t value) {
  return value < 0 ? "null" : std::to_string(value);
}

// The instruction sets that decide which kernels run.
std::string cpu_flags(const std::string& cpuinfo) {
  constexpr std::array kWanted = {"avx2",        "fma",      "f16c",     "avx512f",
                                  "avx512bw",    "avx512dq", "avx512vl", "avx512_vnni",
                                  "avx512_bf16", "amx_tile", "amx_bf16", "amx_int8"};
  const std::string all = " " + first_line_after(cpuinfo, "\nflags") + " ";
  std::string out;
  for (const char* flag : kWanted) {
    if (all.find(" " + std::string(flag) + " ") != std::string::npos) {
      out += (out.empty() ? "" : " ") + std::string(flag);
    }
  }
  return out.empty() ? "null" : out;
}

}  // namespace

std::int64_t last_level_cache_bytes() {
  std::int64_t largest = -1;
  for (int index = 0; index < 6; ++index) {
    largest = std::max(largest, cache_bytes(index));
  }
  return largest > 0 ? largest : 32 * 1024 * 1024;
}

double foreign_cpu_seconds() {
  // "cpu  user nice system idle iowait irq softirq steal …" in clock ticks.
  std::istringstream line(text_of("/proc/stat"));
  std::string name;
  std::array<double, 8> ticks{};
  line >> name;
  for (double& value : ticks) {
    line >> value;
  }
  if (!line || name != "cpu") {
    return -1;
  }
  const double busy = ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6] + ticks[7];
  std::istringstream own(text_of("/proc/self/stat"));
  std::string field;
  double mine = 0;
  for (int i = 1; i <= 15 && own >> field; ++i) {
    mine += i >= 14 ? std::strtod(field.c_str(), nullptr) : 0;
  }
  return (busy - mine) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::vector<std::pair<std::string, std::string>> host_environment() {
  const std::string cpuinfo = text_of("/proc/cpuinfo");

  struct utsname system {};

  const bool has_system = ::uname(&system) == 0;
  const std::int64_t memory = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) *
                              static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
  std::string load = text_of("/proc/loadavg");
  load = load.empty() ? "null" : load.substr(0, load.find(' '));
  return {
    {"r1eval.cpu", first_line_after(cpuinfo, "\nmodel name")},
        {"r1eval.cpu_family",
         first_line_after(cpuinfo, "\ncpu family") + "/" + first_line_after(cpuinfo, "\nmodel\t")},
        {"r1eval.cpu_flags", cpu_flags(cpuinfo)},
        {"r1eval.kernel", has_system ? std::string(system.sysname) + " " + system.release : "null"},
        {"r1eval.memory_bytes", or_null(memory)}, {"r1eval.l2_bytes", or_null(cache_bytes(2))},
        {"r1eval.l3_bytes", or_null(cache_bytes(3))}, {"r1eval.isa", active_kernels().isa},
#if defined(__VERSION__)
        {"r1eval.compiler", __VERSION__},
#else
        {"r1eval.compiler", "null"},
#endif
        {"r1eval.load_average", load},
  };
}

}  // namespace r1eval::kernels
