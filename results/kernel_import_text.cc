#include "results/kernel_import_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>
#include <utility>

namespace r1eval {
namespace {

constexpr std::size_t kMaxLine = 4096;
constexpr std::size_t kMaxResults = 1'000'000;
constexpr std::size_t kMaxProblems = 1000;

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// The number that ends right before `at` (spaces between are skipped): in "x  1233 TFLOPS", before
// "TFLOPS". None without digits there, or one that no measurement gives.
std::optional<double> number_before(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end > 0 && is_space(text[end - 1])) {
    --end;
  }
  std::size_t begin = end;
  const auto is_part = [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '.';
  };
  while (begin > 0 && end - begin < 32 && is_part(text[begin - 1])) {
    --begin;
  }
  if (begin > 0 && is_part(text[begin - 1])) {
    return std::nullopt;
  }
  const std::string digits(text.substr(begin, end - begin));
  char* stop = nullptr;
  const double value = std::strtod(digits.c_str(), &stop);
  if (digits.empty() || *stop != '\0' || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// The first number before `unit` at or after `from`, where the unit ends a word.
std::optional<double> value_with_unit(std::string_view text, std::string_view unit,
                                      std::size_t from = 0) {
  for (std::size_t at = text.find(unit, from); at != std::string_view::npos;
       at = text.find(unit, at + 1)) {
    const std::size_t after = at + unit.size();
    const bool ends =
        after >= text.size() || std::isalnum(static_cast<unsigned char>(text[after])) == 0;
    if (ends) {
      if (const std::optional<double> value = number_before(text, at)) {
        return value;
      }
    }
  }
  return std::nullopt;
}

struct Setting {
  std::string key;  // empty: a word without '='
  std::string value;
};

// "m=   64, n= 2112, layout=NT, BF16" -> pieces.
std::vector<Setting> settings_of(std::string_view text) {
  std::vector<Setting> settings;
  for (std::size_t at = 0; at <= text.size() && settings.size() < 64;) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view piece = trimmed(text.substr(at, comma - at));
    const std::size_t equals = piece.find('=');
    if (equals != std::string_view::npos) {
      settings.push_back({std::string(trimmed(piece.substr(0, equals))),
                          std::string(trimmed(piece.substr(equals + 1)))});
    } else if (!piece.empty()) {
      settings.push_back({"", std::string(piece)});
    }
    at = comma + 1;
  }
  return settings;
}

bool is_whole(const std::string& text) {
  return !text.empty() && text.size() <= 15 && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
}

// Letters and digits as they are, all else that would split a name becomes '_'.
std::string name_part(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
                          c == '-' || c == '=' || c == ':' || c == '.' || c == '+';
    if (is_plain) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (!out.empty() && out.back() == '_') {
    out.pop_back();
  }
  return out.empty() ? "-" : out;
}

// Shape from settings with whole numbers, everything else joined by commas. `names` renames keys,
// an empty new name drops one.
struct SplitSettings {
  std::string shape;
  std::string rest;
};

SplitSettings split_settings(const std::vector<Setting>& settings,
                             const std::vector<std::pair<std::string, std::string>>& names) {
  SplitSettings split;
  for (const Setting& setting : settings) {
    std::string key = setting.key;
    bool is_dropped = false;
    bool is_size = false;
    for (const auto& [from, to] : names) {
      if (from == setting.key) {
        key = to;
        is_dropped = to.empty();
        is_size = true;
      }
    }
    if (is_dropped) {
      continue;
    }
    if (is_size && is_whole(setting.value)) {
      split.shape += (split.shape.empty() ? "" : ".") + key + setting.value;
    } else {
      split.rest +=
          (split.rest.empty() ? "" : ",") +
          name_part(setting.key.empty() ? setting.value : setting.key + "=" + setting.value);
    }
  }
  return split;
}

void add_rates(KernelSample* sample, std::optional<double> tflops, std::optional<double> gbs) {
  if (tflops) {
    sample->counters["gflops"] = *tflops * 1e3;
  }
  if (gbs) {
    sample->counters["gbs"] = *gbs;
  }
}

// " > Perf (m=  64, n= 2112, k= 7168, …): launch 26 us |  20 us | 189 TFLOPS | 868 GB/s | 0.98x
// cuBLAS" and, until mid-2025, " > Performance (m=  64, …):  9 us | throughput:  206 TFLOPS, 1688
// GB/s". Headings "Testing m-grouped contiguous GEMM:" say which operator follows.
class DeepGemmReader {
 public:
  // Is it a result? Errors: it starts as one.
  Result<std::optional<PerfLine>> read(std::string_view line) {
    const std::string_view text = trimmed(line);
    constexpr std::string_view kHeading = "Testing ";
    if (text.starts_with(kHeading)) {
      std::string_view name = text.substr(kHeading.size());
      name = name.substr(0, std::min(name.find(':'), name.size()));
      operator_ = name_part(name.substr(0, 80));
      std::transform(operator_.begin(), operator_.end(), operator_.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      return std::optional<PerfLine>();
    }
    if (!text.starts_with("> Perf")) {
      return std::optional<PerfLine>();
    }
    const std::size_t open = text.find('(');
    const std::size_t close = text.find("):");
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
      return fail(ErrorCode::kParse, "expected '> Perf (m=…, n=…, k=…): …'");
    }
    std::string_view results = text.substr(close + 2);
    if (const std::size_t launch = results.find("launch"); launch != std::string_view::npos) {
      results = results.substr(std::min(results.find('|', launch), results.size()));
    }
    const std::optional<double> us = value_with_unit(results, "us");
    if (!us) {
      return fail(ErrorCode::kParse, "no time in 'us'");
    }
    const SplitSettings split = split_settings(settings_of(text.substr(open + 1, close - open - 1)),
                                               {{"m", "M"},
                                                {"n", "N"},
                                                {"k", "K"},
                                                {"num_groups", "G"},
                                                {"expected_m_per_group", "M"},
                                                {"m_per_group", "M"},
                                                {"num_splits", "S"}});
    PerfLine out;
    out.id =
        fmt::format("{}/-/{}/{}/-/peer:deepgemm", operator_,
                    split.shape.empty() ? "-" : split.shape, split.rest.empty() ? "-" : split.rest);
    out.sample.time_ns = *us * 1e3;
    add_rates(&out.sample, value_with_unit(results, "TFLOPS"), value_with_unit(results, "GB/s"));
    return std::optional<PerfLine>(std::move(out));
  }

 private:
  std::string operator_ = "gemm";
};

// "0.215 ms, 580 TFLOPS, 2826 GB/s", with "b=128, s_q=1, mean_sk=4096, h_q=16, …" before it, in the
// same line or in the one that came last.
class FlashMlaReader {
 public:
  Result<std::optional<PerfLine>> read(std::string_view line) {
    const std::string_view text = trimmed(line);
    const std::size_t unit = text.find(" ms,");
    const bool has_settings =
        text.find("b=") != std::string_view::npos && text.find("h_q=") != std::string_view::npos;
    if (unit == std::string_view::npos) {
      if (has_settings) {
        settings_ = settings_in(text);
      }
      return std::optional<PerfLine>();
    }
    const std::optional<double> ms = number_before(text, unit);
    const std::optional<double> tflops = value_with_unit(text, "TFLOPS", unit);
    const std::optional<double> gbs = value_with_unit(text, "GB/s", unit);
    const bool names_rates = text.find("TFLOPS", unit) != std::string_view::npos ||
                             text.find("GB/s", unit) != std::string_view::npos;
    if (!names_rates) {
      return std::optional<PerfLine>();  // prose with " ms," in it
    }
    if (!ms || (!tflops && !gbs)) {
      return fail(ErrorCode::kParse, "expected '… ms, … TFLOPS, … GB/s'");
    }
    if (has_settings) {
      settings_ = settings_in(text.substr(0, unit));
    }
    std::string load = "-";
    std::vector<Setting> sizes;
    std::string rest;
    for (const Setting& setting : settings_) {
      if (setting.key == "varlen") {
        load = setting.value == "True" ? "varlen" : "fixed";
      } else if (!setting.key.empty()) {
        sizes.push_back(setting);
      }
    }
    const SplitSettings split = split_settings(sizes, {{"b", "b"},
                                                       {"s_q", "sq"},
                                                       {"mean_sk", "sk"},
                                                       {"s_k", "sk"},
                                                       {"h_q", "h"},
                                                       {"h_kv", "hkv"},
                                                       {"d", "d"},
                                                       {"dv", "dv"},
                                                       {"topk", "topk"}});
    if (!split.rest.empty()) {
      load += "," + split.rest;
    }
    PerfLine out;
    out.id = fmt::format("mla.decode/-/{}/{}/-/peer:flashmla",
                         split.shape.empty() ? "-" : split.shape, load);
    out.sample.time_ns = *ms * 1e6;
    add_rates(&out.sample, tflops, gbs);
    return std::optional<PerfLine>(std::move(out));
  }

 private:
  static std::vector<Setting> settings_in(std::string_view text) {
    // From the first "b=" on, so that "Config: b=128" reads like "b=128".
    const std::size_t at = text.find("b=");
    std::vector<Setting> settings = settings_of(text.substr(at == std::string_view::npos ? 0 : at));
    if (!settings.empty() && settings.back().key.empty()) {
      settings.pop_back();  // the number before " ms"
    }
    return settings;
  }

  std::vector<Setting> settings_;
};

// "[PERF] fa2   :: median time 0.215 ms; std 0.001 ms; achieved tflops 580.1 TFLOPs/sec; achieved
// tb_per_sec 2.826 TB/sec", with "[INFO] args = Namespace(routine='…', …)" before it where the
// program was verbose.
class FlashInferReader {
 public:
  Result<std::optional<PerfLine>> read(std::string_view line) {
    const std::string_view text = trimmed(line);
    if (const std::size_t routine = text.find("routine='"); routine != std::string_view::npos) {
      const std::size_t begin = routine + 9;
      const std::size_t end = text.find('\'', begin);
      if (end != std::string_view::npos) {
        routine_ = name_part(text.substr(begin, std::min<std::size_t>(end - begin, 80)));
        shape_ = sizes_in(text);
      }
    }
    constexpr std::string_view kMark = "[PERF]";
    const std::size_t mark = text.find(kMark);
    if (mark == std::string_view::npos) {
      return std::optional<PerfLine>();
    }
    const std::size_t colons = text.find("::", mark);
    const std::size_t median = text.find("median time", mark);
    if (colons == std::string_view::npos || median == std::string_view::npos) {
      return fail(ErrorCode::kParse, "expected '[PERF] BACKEND :: median time … ms; …'");
    }
    const std::optional<double> ms = value_with_unit(text, "ms", median);
    if (!ms) {
      return fail(ErrorCode::kParse, "no time in 'ms' after 'median time'");
    }
    PerfLine out;
    const std::size_t begin = mark + kMark.size();
    out.id = fmt::format("{}/-/{}/-/-/peer:flashinfer:{}", routine_, shape_,
                         name_part(trimmed(text.substr(begin, colons - begin))));
    out.sample.time_ns = *ms * 1e6;
    if (const std::size_t std_at = text.find("std ", median); std_at != std::string_view::npos) {
      if (const std::optional<double> spread = value_with_unit(text, "ms", std_at)) {
        out.sample.counters["std_ns"] = *spread * 1e6;
      }
    }
    std::optional<double> gbs = value_with_unit(text, "TB/sec", median);
    if (gbs) {
      *gbs *= 1e3;
    }
    add_rates(&out.sample, value_with_unit(text, "TFLOPs/sec", median), gbs);
    return std::optional<PerfLine>(std::move(out));
  }

 private:
  static std::string sizes_in(std::string_view text) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kSizes = {{
        {"batch_size=", "b"},
        {"s_qo=", "sq"},
        {"s_kv=", "sk"},
        {"num_qo_heads=", "h"},
        {"num_kv_heads=", "hkv"},
        {"num_tokens=", "T"},
        {"m=", "M"},
        {"n=", "N"},
        {"k=", "K"},
    }};
    std::string shape;
    for (const auto& [key, name] : kSizes) {
      for (std::size_t at = text.find(key); at != std::string_view::npos;
           at = text.find(key, at + 1)) {
        const bool starts_word = at == 0 || text[at - 1] == ' ' || text[at - 1] == '(';
        std::size_t end = at + key.size();
        while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) {
          ++end;
        }
        const std::string value(text.substr(at + key.size(), end - at - key.size()));
        if (starts_word && is_whole(value)) {
          shape += (shape.empty() ? "" : ".") + std::string(name) + value;
          break;
        }
      }
    }
    return shape.empty() ? "-" : shape;
  }

  std::string routine_ = "flashinfer";
  std::string shape_ = "-";
};

template <typename Reader>
PerfText read_lines(Reader reader, std::string_view text) {
  PerfText out;
  std::int64_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.size() > kMaxLine) {
      continue;  // no line of a person's log
    }
    Result<std::optional<PerfLine>> read = reader.read(line);
    if (!read) {
      if (out.problems.size() < kMaxProblems) {
        out.problems.push_back(fmt::format("line {}: {}", number, read.error().message));
      }
    } else if (read->has_value() && out.lines.size() < kMaxResults) {
      out.lines.push_back(std::move(**read));
    }
  }
  return out;
}

}  // namespace

PerfText read_perf_text(std::string_view format, std::string_view text) {
  if (format == "deepgemm") {
    return read_lines(DeepGemmReader(), text);
  }
  if (format == "flashmla") {
    return read_lines(FlashMlaReader(), text);
  }
  return read_lines(FlashInferReader(), text);
}

std::string perf_line_example(std::string_view format) {
  if (format == "deepgemm") {
    return "' > Perf (m=64, n=2112, k=7168): 9 us | 206 TFLOPS | 1688 GB/s'";
  }
  if (format == "flashmla") {
    return "'0.215 ms, 580 TFLOPS, 2826 GB/s'";
  }
  return "'[PERF] fa2 :: median time 0.215 ms; std 0.001 ms; achieved tflops 580.1 TFLOPs/sec; "
         "achieved tb_per_sec 2.826 TB/sec'";
}

}  // namespace r1eval
