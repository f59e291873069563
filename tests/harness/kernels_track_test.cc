// kernels compare, history, export and import as commands, and their verdict in a gate. The
// measured programs are shell scripts that write what a Google Benchmark program would.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/file.h"
#include "base/json.h"
#include "harness/kernel_launch.h"
#include "kernels/suite/record.h"
#include "results/kernel_facts.h"
#include "tests/harness/cli.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

// A program with one case of `ns` nanoseconds, nine repetitions. Its comment makes each file
// another program.
std::string program(const TempDir& dir, const std::string& name, int ns,
                    const std::string& before = "") {
  const std::string path = dir.file(name);
  std::ofstream(path) << "#!/bin/sh\n# " << name << "\n"
                      << before << R"(
for word in "$@"; do
  case "$word" in
    --benchmark_out=*) out="${word#--benchmark_out=}";;
    --benchmark_filter=*) echo "$word" >> ")"
                      << dir.file("filters") << R"(";;
  esac
done
entries=""
for r in 0 1 2 3 4 5 6 7 8; do
  [ -z "$entries" ] || entries="$entries,"
  entries="$entries{\"name\": \"copy/n:8\", \"run_type\": \"iteration\", \"real_time\": $(()"
                      << ns << R"( + r)), \"time_unit\": \"ns\"}"
done
echo "{\"context\": {}, \"benchmarks\": [$entries]}" > "$out"
)";
  EXPECT_EQ(::chmod(path.c_str(), 0755), 0);
  return path;
}

Json json_of(const CliResult& result) {
  const Result<Json> json = parse_json(result.out);
  EXPECT_TRUE(json.has_value()) << result.out;
  return json ? *json : Json();
}

TEST(KernelsTrackTest, ProgramsAreMeasuredInPairsAndASlowdownIsConfirmed) {
  const TempDir dir;
  const std::string base = program(dir, "base", 100000);
  const std::string head = program(dir, "head", 104000);
  const CliResult result = cli(
      {"kernels", "compare", "--base", base, "--head", head, "--out", dir.file("out"), "--json"});
  EXPECT_EQ(result.code, kExitGateFailed);
  const Json json = json_of(result);
  EXPECT_EQ(json["verdict"], "fail");
  EXPECT_EQ(json["alternating"], true);
  EXPECT_EQ(json["cases"][0]["verdict"], "slower");
  EXPECT_EQ(json["cases"][0]["confirmation"], "confirmed");
  EXPECT_EQ(json["cases"][0]["confirm_pairs"], 9);
  EXPECT_NEAR(json["cases"][0]["effect"].get<double>(), 0.04, 0.001);
  // Confirming measures what was flagged, nothing else.
  EXPECT_NE(read_file(dir.file("filters")).value().find("^(copy/n:8)"), std::string::npos);
  // The files say the same later.
  const CliResult again =
      cli({"kernels", "compare", dir.file("out/base"), dir.file("out/head"), "--confirm",
           dir.file("out/confirm-base"), dir.file("out/confirm-head"), "--json"});
  EXPECT_EQ(again.code, kExitGateFailed);
  EXPECT_EQ(json_of(again)["cases"][0]["confirmation"], "confirmed");
  // Without the second look a bound beyond the margin decides, and a narrower one stays open.
  EXPECT_EQ(cli({"kernels", "compare", dir.file("out/base"), dir.file("out/head")}).code,
            kExitGateFailed);
  EXPECT_EQ(
      cli({"kernels", "compare", dir.file("out/base"), dir.file("out/head"), "--min-effect", "5"})
          .code,
      kExitOk);
}

TEST(KernelsTrackTest, TheSameProgramIsIdenticalAndOneFileProvesNothing) {
  const TempDir dir;
  const std::string base = program(dir, "base", 100000);
  const CliResult same = cli({"kernels", "compare", "--base", base, "--head", base, "--out",
                              dir.file("out"), "--strict", "--json"});
  EXPECT_EQ(same.code, kExitOk);
  EXPECT_EQ(json_of(same)["counts"]["identical"], 1);
  const std::string one = dir.file("out/base/00.json");
  std::string other = read_file(one).value();
  const std::size_t at = other.find("\"r1eval.program_sha256\": \"");
  ASSERT_NE(at, std::string::npos);
  other[at + 26] = other[at + 26] == 'x' ? 'y' : 'x';
  ASSERT_TRUE(write_file_atomic(dir.file("other.json"), other).has_value());
  const CliResult single = cli({"kernels", "compare", one, dir.file("other.json"), "--json"});
  EXPECT_EQ(single.code, kExitOk);
  EXPECT_EQ(json_of(single)["cases"][0]["verdict"], "unproven");
  EXPECT_EQ(cli({"kernels", "compare", one, dir.file("other.json"), "--strict"}).code,
            kExitInconclusive);
}

TEST(KernelsTrackTest, ProgramsThatFailHangOrAreNotThereAreNamed) {
  const TempDir dir;
  const std::string base = program(dir, "base", 100000);
  const std::string broken = program(dir, "broken", 1, "exit 3\n");
  const std::string hangs = program(dir, "hangs", 1, "sleep 600 & sleep 600\n");
  const auto compare = [&](const std::string& head) {
    return cli({"kernels", "compare", "--base", base, "--head", head, "--limit", "2", "--out",
                dir.file("out")})
        .code;
  };
  EXPECT_EQ(compare(broken), kExitEnvironment);
  EXPECT_EQ(compare(hangs), kExitEnvironment);
  EXPECT_EQ(compare(dir.file("nowhere")), kExitEnvironment);
  EXPECT_EQ(cli({"kernels", "compare", "--base", base}).code, kExitUsage);
  EXPECT_EQ(cli({"kernels", "compare", dir.file("nowhere"), base}).code, kExitEnvironment);
  EXPECT_EQ(cli({"kernels", "compare", base, base}).code, kExitUsage);  // no JSON
  EXPECT_EQ(cli({"kernels", "compare", base}).code, kExitUsage);
  EXPECT_EQ(cli({"kernels", "compare", base, base, "--allow", "weather"}).code, kExitUsage);
}

TEST(KernelsTrackTest, NamesBecomeExpressionsThatMatchThemAlone) {
  EXPECT_EQ(exact_names_regex({"a.b/x*", "c"}),
            "^(a\\.b/x\\*|c)(/(manual_time|real_time|process_time|[a-z_]+:[^/]*))*$");
}

const char* const kLog = " > Perf (m=64, n=2112, k=7168): 9 us | 206 TFLOPS | 1688 GB/s\n";

TEST(KernelsTrackTest, PastedLinesBecomeResultsThatExportAndGoIntoAHistory) {
  const TempDir dir;
  ASSERT_TRUE(write_file_atomic(dir.file("log"), std::string(kLog) + "prose\n").has_value());
  ASSERT_EQ(cli({"kernels", "import", "--from", "deepgemm", dir.file("log"), "--gpu", "H800",
                 "--date", "2026-01-01T00:00:00Z", "--out", dir.file("r.json")})
                .code,
            kExitOk);
  const CliResult csv = cli({"kernels", "export", "--to", "csv", dir.file("r.json")});
  EXPECT_EQ(csv.code, kExitOk);
  EXPECT_NE(csv.out.find("M64.N2112.K7168"), std::string::npos);
  EXPECT_NE(csv.out.find("gpu=H800"), std::string::npos);
  const CliResult history = cli({"kernels", "history", dir.file("h"), "--add", dir.file("r.json"),
                                 "--svg", dir.file("h.svg"), "--json"});
  EXPECT_EQ(history.code, kExitOk);
  EXPECT_EQ(json_of(history)["series"][0]["points"].size(), 1U);
  EXPECT_NE(read_file(dir.file("h.svg")).value().find("<svg"), std::string::npos);
  EXPECT_EQ(cli({"kernels", "history", dir.file("nowhere")}).code, kExitEnvironment);
  // A torn line: the rest is there, and the exit says so.
  ASSERT_TRUE(write_file_atomic(dir.file("log"), std::string(kLog) + " > Perf (m=6").has_value());
  const CliResult torn = cli({"kernels", "import", "--from", "deepgemm", dir.file("log")});
  EXPECT_EQ(torn.code, kExitMalformedInput);
  EXPECT_EQ(json_of(torn)["benchmarks"].size(), 1U);
  EXPECT_EQ(cli({"kernels", "import", "--from", "flashmla", dir.file("log")}).code, kExitUsage);
  EXPECT_EQ(cli({"kernels", "export", "--to", "csv", dir.file("r.json"), "--case", "zz"}).code,
            kExitUsage);
}

TEST(KernelsTrackTest, AVerdictIsASideGate) {
  const TempDir dir;
  ASSERT_TRUE(
      write_file_atomic(dir.file("mock.jsonl"), "{\"content\": \"\\\\boxed{1}\"}\n").has_value());
  ASSERT_EQ(cli({"run", "--task", "mini_math", "--model", "mock:" + dir.file("mock.jsonl"), "--out",
                 dir.file("run"), "--k", "2", "-q", "--json"})
                .code,
            kExitOk);
  const auto gate = [&](const std::string& verdict) {
    EXPECT_TRUE(write_file_atomic(dir.file("k.json"), R"({"kind": "kernels", "verdict": ")" +
                                                          verdict + R"(", "counts": {"same": 3}})")
                    .has_value());
    return cli({"gate", "--candidate", dir.file("run"), "--baseline", dir.file("run"), "--margin",
                "mini_math=30", "--kernels", dir.file("k.json"), "--json"});
  };
  EXPECT_EQ(gate("pass").code, kExitOk);
  EXPECT_EQ(gate("fail").code, kExitGateFailed);
  EXPECT_EQ(gate("inconclusive").code, kExitInconclusive);
  EXPECT_EQ(gate("maybe").code, kExitUsage);
  const Json side = json_of(gate("fail"))["side_gates"]["kernels"];
  EXPECT_EQ(side["verdict"], "fail");
  EXPECT_EQ(side["why"], "3 same");
}

// results/ may not include kernels/, so that the names stand in both.
TEST(KernelsTrackTest, NamesOfCountersAreTheSuitesOwn) {
  EXPECT_EQ(kKernelClock, kernels::kClockGhz);
  KernelRun run;
  KernelCase one;
  run.context["r1eval.suite_version"] = "7";
  std::string machine;
  for (const std::string_view key : kernels::kMachineClassKeys) {
    if (key == "r1eval.suite_version") {
      continue;
    }
    run.context[std::string(key)] = "value of " + std::string(key);
    EXPECT_NE(kernel_machine(run).find("value of " + std::string(key)), std::string::npos);
  }
  EXPECT_EQ(kernel_guard(run, one, "suite"), "7");
}

}  // namespace
}  // namespace r1eval
