// A history for people (text with sparklines, SVG) and for machines (JSON).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "results/escape.h"
#include "results/kernel_export.h"
#include "results/kernel_history.h"

namespace r1eval {
namespace {

constexpr std::size_t kSparkWidth = 24;
constexpr std::size_t kMaxPanels = 60;

// The latest runs as eight heights, low is fast.
std::string sparkline(const std::vector<HistoryPoint>& points) {
  static const char* const kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t begin = points.size() > kSparkWidth ? points.size() - kSparkWidth : 0;
  double low = points[begin].median_ns;
  double high = low;
  for (std::size_t i = begin; i < points.size(); ++i) {
    low = std::min(low, points[i].median_ns);
    high = std::max(high, points[i].median_ns);
  }
  // Noise of half a percent must not look like a mountain.
  const double range = std::max(high - low, 0.02 * low);
  std::string out;
  for (std::size_t i = begin; i < points.size(); ++i) {
    const double height = 7.999 * (points[i].median_ns - low) / range;
    out += kBars[static_cast<std::size_t>(std::clamp(height, 0.0, 7.0))];
  }
  return out;
}

std::string signed_percent(double fraction) {
  return fmt::format("{:+.1f} %", 100 * fraction);
}

std::string short_commit(const std::string& commit) {
  return commit.empty() ? "no commit" : safe_text(commit.substr(0, 12));
}

std::string change_text(const KernelSeries& series) {
  if (series.pieces.size() < 2) {
    return series.is_pending ? "the latest run stands apart: run again" : "";
  }
  const HistoryPoint& at = series.points[series.pieces.back().begin];
  return fmt::format("{} since {} ({}){}", signed_percent(series.last_change),
                     at.time.empty() ? "an undated run" : safe_text(at.time.substr(0, 10)),
                     short_commit(at.commit),
                     series.is_pending ? "; the latest run stands apart" : "");
}

}  // namespace

std::string history_text(const std::vector<KernelSeries>& series) {
  std::string out;
  std::string machine = "\n";
  for (const KernelSeries& one : series) {
    if (one.machine != machine) {
      machine = one.machine;
      out += fmt::format("{}{}\n", out.empty() ? "" : "\n",
                         machine.empty() ? "machine not recorded" : safe_text(machine));
    }
    std::optional<double> ratio;
    for (const std::optional<double>& known : one.peer_ratios) {
      ratio = known ? known : ratio;
    }
    out += fmt::format("  {}\n    {:>9}  {:>4} runs  {}  {}\n", safe_text(one.id),
                       time_text(one.points.back().median_ns), one.points.size(),
                       sparkline(one.points), change_text(one));
    if (ratio) {
      out += fmt::format(
          "    {:.3f} of {}'s time in the same run{}\n", *ratio, safe_text(one.peer),
          one.last_peer_change == 0
              ? std::string()
              : fmt::format(", which changed by {}", signed_percent(one.last_peer_change)));
    }
  }
  return out;
}

OrderedJson history_json(const std::vector<KernelSeries>& series) {
  OrderedJson list = OrderedJson::array();
  for (const KernelSeries& one : series) {
    OrderedJson json;
    json["case"] = one.id;
    json["machine"] = one.machine;
    json["suite"] = one.suite;
    json["points"] = OrderedJson::array();
    for (std::size_t i = 0; i < one.points.size(); ++i) {
      const HistoryPoint& point = one.points[i];
      OrderedJson entry;
      entry["time"] = point.time;
      entry["commit"] = point.commit;
      entry["file"] = point.file;
      entry["median_ns"] = point.median_ns;
      if (!one.peer_ratios.empty()) {
        entry["peer_ratio"] = one.peer_ratios[i] ? OrderedJson(*one.peer_ratios[i]) : OrderedJson();
      }
      json["points"].push_back(entry);
    }
    json["pieces"] = OrderedJson::array();
    for (const SeriesPiece& piece : one.pieces) {
      json["pieces"].push_back({{"from", piece.begin},
                                {"to", piece.end},
                                {"commit", one.points[piece.begin].commit},
                                {"time", one.points[piece.begin].time},
                                {"median_ns", piece.median_ns}});
    }
    json["last_change"] = one.last_change;
    json["pending"] = one.is_pending;
    json["peer"] = one.peer.empty() ? OrderedJson() : OrderedJson(one.peer);
    json["last_peer_change"] = one.last_peer_change;
    list.push_back(json);
  }
  return list;
}

std::string history_svg(const std::vector<KernelSeries>& series) {
  constexpr double kWidth = 760;
  constexpr double kPanel = 92;
  constexpr double kLeft = 14;
  constexpr double kRight = 150;
  constexpr double kTop = 26;
  constexpr double kPlot = 52;
  const std::size_t n = std::min(series.size(), kMaxPanels);
  const double height = kPanel * static_cast<double>(std::max<std::size_t>(n, 1)) + 30;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"sans-serif\" font-size=\"12\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      kWidth, height);
  for (std::size_t p = 0; p < n; ++p) {
    const KernelSeries& one = series[p];
    const double top = kPanel * static_cast<double>(p) + kTop;
    double low = one.points.front().median_ns;
    double high = low;
    for (const HistoryPoint& point : one.points) {
      low = std::min(low, point.median_ns);
      high = std::max(high, point.median_ns);
    }
    const double middle = (low + high) / 2;
    const double range = std::max(high - low, 0.04 * middle);
    low = middle - range / 2;
    const auto x_of = [&](double i) {
      const auto last = static_cast<double>(std::max<std::size_t>(one.points.size() - 1, 1));
      return kLeft + (kWidth - kLeft - kRight) * i / last;
    };
    const auto y_of = [&](double ns) { return top + kPlot - kPlot * (ns - low) / range; };
    out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" fill=\"#333\">{}</text>\n", kLeft, top - 8,
                       xml_text(one.id));
    out +=
        fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" fill=\"#f6f6f6\"/>\n",
                    kLeft, top, kWidth - kLeft - kRight, kPlot);
    for (std::size_t i = 0; i < one.points.size(); ++i) {
      out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\" fill=\"#8aa\"/>\n",
                         x_of(static_cast<double>(i)), y_of(one.points[i].median_ns));
    }
    for (std::size_t s = 0; s < one.pieces.size(); ++s) {
      const SeriesPiece& piece = one.pieces[s];
      const double from = x_of(static_cast<double>(piece.begin) - (s == 0 ? 0 : 0.5));
      const double to =
          x_of(static_cast<double>(piece.end) - (piece.end == one.points.size() ? 1 : 0.5));
      out += fmt::format(
          "<line x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#0b5fa5\" "
          "stroke-width=\"2\"/>\n",
          from, to, y_of(piece.median_ns), y_of(piece.median_ns));
      if (s > 0) {
        const double change = piece.median_ns / one.pieces[s - 1].median_ns - 1;
        out += fmt::format(
            "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"{3}\" "
            "stroke-dasharray=\"3 2\"/>\n",
            from, top, top + kPlot, change > 0 ? "#c0392b" : "#2e7d32");
      }
    }
    const double text_x = kWidth - kRight + 8;
    out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" fill=\"#111\">{}</text>\n", text_x, top + 16,
                       time_text(one.points.back().median_ns));
    if (one.pieces.size() > 1) {
      const HistoryPoint& at = one.points[one.pieces.back().begin];
      out += fmt::format(
          "<text x=\"{}\" y=\"{:.1f}\" fill=\"{}\">{} {}</text>\n"
          "<text x=\"{}\" y=\"{:.1f}\" fill=\"#666\" font-size=\"11\">{}</text>\n",
          text_x, top + 32, one.last_change > 0 ? "#c0392b" : "#2e7d32",
          signed_percent(one.last_change), one.last_change > 0 ? "slower" : "faster", text_x,
          top + 47, xml_text(short_commit(at.commit)));
    } else {
      out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" fill=\"#666\">no change</text>\n", text_x,
                         top + 32);
    }
  }
  out += fmt::format(
      "<text x=\"{}\" y=\"{:.1f}\" fill=\"#666\" font-size=\"11\">{}</text>\n", kLeft, height - 10,
      series.size() > n ? fmt::format("{} of {} series; name cases to see others. Points: runs; "
                                      "lines: medians between changes",
                                      n, series.size())
                        : std::string("Points: runs in order of time, median of each; lines: "
                                      "medians between changes; low is fast"));
  return out + "</svg>\n";
}

}  // namespace r1eval
