// Kernel times over time: a directory of result files, an index of them, and where a series
// changed.
//
// Layout   DIR/*.json are results (results/kernel_run.h), DIR/index.jsonl has a line per case of a
//          file: {"file","bytes","suite","case","machine","time","commit","code","median_ns",
//          "lower_ns","upper_ns","clock_ghz","error"}. The index can always be made again from the
//          files: a file that it lacks, or has with another size, is read; lines of files that are
//          gone are dropped.
// Series   one per machine, suite version and case, in order of time.
// Changes  the series of log medians is cut into pieces of constant median so that the sum of
//          absolute distances plus a price per piece is least (dynamic programming, exact), which a
//          single odd run does not move. The price is 3 sd log(n), sd the robust spread of steps
//          from run to run. Pieces have 3 runs at least; a change below max(min_effect, 2 sd) joins
//          its pieces again.
// Limits   the last 2,000 runs of a series. Threads: pure functions, but read_kernel_history.
// Source   penalised least-cost segmentation: Jackson et al. 2005, IEEE Signal Proc. Lett. 12:105.
// Tested   tests/results/kernel_history_test.cc
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "results/kernel_run.h"

namespace r1eval {

struct HistoryPoint {
  std::string file;  // name inside the directory
  std::int64_t bytes = 0;
  std::string suite;
  std::string id;
  std::string machine;
  std::string time;    // as the file says, ISO 8601
  double seconds = 0;  // the same since 1970; 0 where not known
  std::string commit;
  std::string code;
  std::string error;  // why there is no time
  double median_ns = 0;
  double lower_ns = 0;
  double upper_ns = 0;
  double clock_ghz = 0;  // 0: not known
};

struct KernelHistory {
  std::string directory;
  std::vector<HistoryPoint> points;  // by time, then by file, then in the order of the file
  std::vector<std::string>
      notes;  // files that could not be read, an index that could not be written
};

// Reads the directory, and writes its index where that has changed. Errors: kNotFound.
Result<KernelHistory> read_kernel_history(const std::string& directory);

// Copies result files into the directory (made if need be) under names of time, commit and content;
// one that is there already is left as it is. Returns the names. Errors: of the first file that is
// no result; nothing is copied then.
Result<std::vector<std::string>> add_to_kernel_history(const std::string& directory,
                                                       const std::vector<std::string>& files);

// Starts of pieces after the first, ascending.
std::vector<std::size_t> find_changes(std::span<const double> log_values, double min_effect);

struct SeriesPiece {
  std::size_t begin = 0;  // index of its first run
  std::size_t end = 0;    // one past its last
  double median_ns = 0;
};

struct KernelSeries {
  std::string id;
  std::string machine;
  std::string suite;
  std::vector<HistoryPoint> points;
  std::vector<SeriesPiece> pieces;
  double last_change = 0;   // ratio - 1 of the last piece to the one before; 0: one piece
  bool is_pending = false;  // the latest run or two stand apart, too few to be a piece
  std::string peer;         // variant that the ratio is against; empty: none in the same files
  std::vector<std::optional<double>> peer_ratios;  // time / peer's time in the same file, per point
  std::vector<SeriesPiece> peer_pieces;  // of the ratios that are known, median_ns a ratio
  double last_peer_change = 0;
};

struct SeriesOptions {
  double min_effect = 0.02;
  std::vector<std::string> patterns;  // of case ids; none: all
  std::string machine;                // pattern; empty: all
  std::string peer;                   // variant; empty: the fastest "peer:…"
};

std::vector<KernelSeries> make_kernel_series(const KernelHistory& history,
                                             const SeriesOptions& options);

std::string history_text(const std::vector<KernelSeries>& series);
OrderedJson history_json(const std::vector<KernelSeries>& series);
// One panel a series: points, medians of pieces, a mark at each change.
std::string history_svg(const std::vector<KernelSeries>& series);

}  // namespace r1eval
