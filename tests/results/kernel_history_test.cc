#include "results/kernel_history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/file.h"
#include "tests/results/kernel_launches.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

std::vector<double> noisy(const std::vector<double>& levels, double sd, std::uint64_t seed) {
  std::vector<double> x;
  for (const double level : levels) {
    x.push_back(level + sd * normal_at(seed, x.size()));
  }
  return x;
}

TEST(KernelHistoryTest, StepsAreFoundWhereTheyAreAndNoiseIsNone) {
  int n_false = 0;
  int n_found = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    n_false += find_changes(noisy(std::vector<double>(40, 5.0), 0.01, seed), 0.02).empty() ? 0 : 1;
    std::vector<double> step(40, 5.0);
    for (std::size_t i = 25; i < 40; ++i) {
      step[i] += 0.04;
    }
    const std::vector<std::size_t> changes = find_changes(noisy(step, 0.01, seed), 0.02);
    n_found += changes.size() == 1 && changes[0] >= 23 && changes[0] <= 27 ? 1 : 0;
  }
  EXPECT_LE(n_false, 2);
  EXPECT_GE(n_found, 190);
}

TEST(KernelHistoryTest, OneOddRunIsNoChange) {
  std::vector<double> x = noisy(std::vector<double>(20, 3.0), 0.003, 1);
  x[7] += 0.5;
  x[15] -= 0.3;
  EXPECT_TRUE(find_changes(x, 0.02).empty());
  for (std::size_t i = 17; i < 20; ++i) {
    x[i] += 0.1;  // three in a row are
  }
  ASSERT_EQ(find_changes(x, 0.02).size(), 1U);
  EXPECT_EQ(find_changes(x, 0.02)[0], 17U);
}

TEST(KernelHistoryTest, ExactSeriesAndShortOnesWork) {
  EXPECT_TRUE(find_changes(std::vector<double>(30, 1.0), 0.02).empty());
  EXPECT_TRUE(find_changes(std::vector<double>{}, 0.02).empty());
  EXPECT_TRUE(find_changes(std::vector<double>{1, 2, 3, 4, 5}, 0.02).empty());
  const std::vector<double> up_down = {1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1};
  const std::vector<std::size_t> expected = {4, 8};
  EXPECT_EQ(find_changes(up_down, 0.02), expected);
}

// A result file of one case, ours and a peer's, on a day of January.
std::string result_file(const TempDir& dir, int day, double ns, double peer_ns) {
  const std::string name = dir.file("in" + std::to_string(day) + ".json");
  std::string entries;
  for (const auto& [variant, time] :
       {std::pair<std::string, double>{"avx2", ns}, {"peer:torch", peer_ns}}) {
    for (int r = 0; r < 3; ++r) {
      entries += fmt::format(
          R"({}{{"name": "norm.rms.cpu/bf16/T8/-/cold/{}", "run_type": "iteration", "real_time": {}}})",
          entries.empty() ? "" : ",", variant, time + r);
    }
  }
  std::ofstream(name) << fmt::format(
      R"({{"context": {{"date": "2026-01-{:02}T00:00:00+00:00", "r1eval.cpu": "x",
          "r1eval.commit": "{:040}"}}, "benchmarks": [{}]}})",
      day, day, entries);
  return name;
}

TEST(KernelHistoryTest, FilesBecomeSeriesWithTheCommitOfTheChange) {
  const TempDir dir;
  const std::string store = dir.file("history");
  std::vector<std::string> files;
  for (int day = 1; day <= 12; ++day) {
    // The whole machine is slower from the 5th on; ours got slower on the 8th.
    const double machine = day >= 5 ? 1.1 : 1.0;
    files.push_back(
        result_file(dir, day, machine * (day >= 8 ? 1200 : 1000) + day % 3, machine * 900));
  }
  ASSERT_EQ(add_to_kernel_history(store, files).value().size(), 12U);
  const KernelHistory history = read_kernel_history(store).value();
  EXPECT_EQ(history.points.size(), 24U);
  const std::vector<KernelSeries> series = make_kernel_series(history, {});
  ASSERT_EQ(series.size(), 2U);
  const KernelSeries& ours = series[0];
  EXPECT_EQ(ours.id, "norm.rms.cpu/bf16/T8/-/cold/avx2");
  ASSERT_EQ(ours.pieces.size(), 3U);
  EXPECT_EQ(ours.points[ours.pieces[2].begin].commit, fmt::format("{:040}", 8));
  EXPECT_NEAR(ours.last_change, 0.2, 0.01);
  // Against the peer of the same run the machine's own change is gone.
  EXPECT_EQ(ours.peer, "peer:torch");
  ASSERT_EQ(ours.peer_pieces.size(), 2U);
  EXPECT_EQ(ours.peer_pieces[1].begin, 7U);
  EXPECT_TRUE(series[1].peer.empty());
  EXPECT_NE(history_text(series).find("+20.0 %"), std::string::npos);
  EXPECT_NE(history_svg(series).find("slower"), std::string::npos);
  const OrderedJson json = history_json(series);
  EXPECT_EQ(json[0]["pieces"].size(), 3U);
  EXPECT_EQ(json[0]["points"].size(), 12U);
}

TEST(KernelHistoryTest, TheIndexIsMadeAgainFromTheFiles) {
  const TempDir dir;
  const std::string store = dir.file("history");
  ASSERT_TRUE(
      add_to_kernel_history(store, {result_file(dir, 1, 100, 90), result_file(dir, 2, 100, 90)})
          .has_value());
  ASSERT_TRUE(read_kernel_history(store).has_value());
  const std::string index = read_file(store + "/index.jsonl").value();
  EXPECT_EQ(std::count(index.begin(), index.end(), '\n'), 4);
  // Torn, then gone: the same either way.
  ASSERT_TRUE(
      write_file_atomic(store + "/index.jsonl", index.substr(0, index.size() / 2)).has_value());
  EXPECT_EQ(read_kernel_history(store).value().points.size(), 4U);
  EXPECT_EQ(read_file(store + "/index.jsonl").value(), index);
  // A file that is gone goes from the index; one that is no result is a note.
  const KernelHistory before = read_kernel_history(store).value();
  ASSERT_EQ(std::remove((store + "/" + before.points[0].file).c_str()), 0);
  ASSERT_TRUE(write_file_atomic(store + "/other.json", "{}").has_value());
  const KernelHistory after = read_kernel_history(store).value();
  EXPECT_EQ(after.points.size(), 2U);
  ASSERT_EQ(after.notes.size(), 1U);
  EXPECT_NE(after.notes[0].find("other.json"), std::string::npos);
  EXPECT_FALSE(read_kernel_history(dir.file("nowhere")).has_value());
}

TEST(KernelHistoryTest, AddingTheSameResultTwiceKeepsOne) {
  const TempDir dir;
  const std::string store = dir.file("history");
  const std::string file = result_file(dir, 1, 100, 90);
  ASSERT_TRUE(add_to_kernel_history(store, {file, file}).has_value());
  ASSERT_TRUE(add_to_kernel_history(store, {file}).has_value());
  EXPECT_EQ(read_kernel_history(store).value().points.size(), 2U);
  // A bad file among good ones: nothing is added.
  ASSERT_TRUE(write_file_atomic(dir.file("bad.json"), "[").has_value());
  EXPECT_FALSE(
      add_to_kernel_history(store, {result_file(dir, 3, 1, 1), dir.file("bad.json")}).has_value());
  EXPECT_EQ(read_kernel_history(store).value().points.size(), 2U);
}

}  // namespace
}  // namespace r1eval
