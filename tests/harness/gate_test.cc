// Gates and comparisons of whole runs, through the command line.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/file.h"
#include "base/json.h"
#include "tests/harness/cli.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

// A run of mini_math on a model that is right about "What is 12 + 7?" only (or about nothing).
std::string run_in(const TempDir& dir, const std::string& name, bool is_right, int k,
                   std::vector<std::string> more = {}) {
  const std::string script =
      is_right ? "{\"match\": \"What is 12 + 7?\", \"content\": \"\\\\boxed{19}\"}\n"
                 "{\"content\": \"\\\\boxed{123456}\"}\n"
               : "{\"content\": \"\\\\boxed{123456}\"}\n";
  EXPECT_TRUE(write_file_atomic(dir.file("mock.jsonl"), script).has_value());
  std::vector<std::string> arguments = {
      "run",   "--task",       "mini_math", "--model",         "mock:" + dir.file("mock.jsonl"),
      "--out", dir.file(name), "--k",       std::to_string(k), "-q",
      "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  EXPECT_EQ(cli(arguments).code, kExitOk);
  return dir.file(name);
}

TEST(GateTest, ExitsSayHowItEnded) {
  const TempDir dir;
  const std::string good = run_in(dir, "good", true, 2);
  const std::string bad = run_in(dir, "bad", false, 2);
  const auto gate = [&](const std::string& margin, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "gate",     "--candidate",         bad,     "--baseline", good,
        "--margin", "mini_math=" + margin, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return cli(arguments);
  };
  const CliResult wide = gate("30");
  EXPECT_EQ(wide.code, kExitOk);
  const Json line = parse_json(wide.out).value();
  EXPECT_EQ(line["verdict"], "pass");
  EXPECT_EQ(line["exit"], 0);
  EXPECT_EQ(line["about"], "new-items");
  EXPECT_EQ(line["tasks"]["mini_math"]["n_pairs"], 78);
  EXPECT_NEAR(line["tasks"]["mini_math"]["delta"].get<double>(), -1.0 / 78, 1e-12);

  EXPECT_EQ(gate("1").code, kExitInconclusive);
  EXPECT_EQ(gate("1", {"--on-inconclusive", "pass"}).code, kExitOk);
  EXPECT_EQ(gate("1", {"--on-inconclusive", "warn"}).code, kExitOk);
  EXPECT_EQ(gate("1", {"--on-inconclusive", "fail"}).code, kExitGateFailed);
  EXPECT_EQ(gate("1", {"--on-inconclusive", "fail", "--exit-code-failed", "9"}).code, 9);
  EXPECT_EQ(gate("1", {"--on-inconclusive", "maybe"}).code, kExitUsage);
  EXPECT_EQ(gate("-1").code, kExitUsage);
  EXPECT_EQ(gate("nan").code, kExitUsage);
  EXPECT_EQ(gate("30", {"--side", "tokens=0"}).code, kExitGateFailed);
  EXPECT_EQ(gate("30", {"--side", "truncation=1"}).code, kExitOk);
  EXPECT_EQ(gate("30", {"--side", "colour=1"}).code, kExitUsage);
}

TEST(GateTest, ALossAtEveryItemFails) {
  const TempDir dir;
  const std::string bad = run_in(dir, "bad", false, 2);
  // The same records with every answer right: the golds are in them.
  const std::string samples = read_file(bad + "/samples.jsonl").value();
  const std::string good = dir.file("good");
  ASSERT_TRUE(make_directories(good).has_value());
  ASSERT_TRUE(write_file_atomic(good + "/manifest.json", read_file(bad + "/manifest.json").value())
                  .has_value());
  std::string right;
  std::istringstream lines(samples);
  for (std::string text; std::getline(lines, text);) {
    Json record = parse_json(text).value();
    record["answer"] = "\\boxed{" + record["target"].get<std::string>() + "}";
    right += dump_json(record) + "\n";
  }
  ASSERT_TRUE(write_file_atomic(good + "/samples.jsonl", right).has_value());
  const CliResult result =
      cli({"gate", "--candidate", bad, "--baseline", good, "--margin", "3", "--json", "--junit",
           dir.file("j.xml"), "--markdown", dir.file("m.md"), "--out", dir.file("g.json")});
  EXPECT_EQ(result.code, kExitGateFailed);
  const Json line = parse_json(result.out).value();
  EXPECT_EQ(line["verdict"], "fail");
  EXPECT_LT(line["tasks"]["mini_math"]["upper"].get<double>(), -0.5);
  EXPECT_EQ(line["tasks"]["mini_math"]["lost"], 78);
  EXPECT_NE(read_file(dir.file("j.xml"))->find("failures=\"1\""), std::string::npos);
  EXPECT_NE(read_file(dir.file("m.md"))->find("FAIL"), std::string::npos);
  EXPECT_EQ(parse_json(read_file(dir.file("g.json")).value())->at("exit"), 1);
}

TEST(GateTest, WantsAMarginForEveryTask) {
  const TempDir dir;
  const std::string run = run_in(dir, "run", true, 1);
  EXPECT_EQ(cli({"gate", "--candidate", run, "--baseline", run}).code, kExitUsage);
  EXPECT_EQ(cli({"gate", "--candidate", run, "--baseline", run, "--margin", "mini_aime=2"}).code,
            kExitUsage);
}

TEST(GateTest, ABaselineThatIsNotThereIsDecidedByTheFlag) {
  const TempDir dir;
  const std::string run = run_in(dir, "run", true, 1);
  const auto gate = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"gate",           "--candidate", run, "--baseline",
                                          dir.file("none"), "--margin",    "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return cli(arguments).code;
  };
  EXPECT_EQ(gate({}), kExitGateFailed);
  EXPECT_EQ(gate({"--missing-baseline", "pass"}), kExitOk);
}

TEST(GateTest, AboutTheseItemsRefusesSingleSamples) {
  const TempDir dir;
  const std::string run = run_in(dir, "run", true, 1);
  EXPECT_EQ(cli({"gate", "--candidate", run, "--baseline", run, "--margin", "2", "--about",
                 "these-items"})
                .code,
            kExitUsage);
}

TEST(GateTest, PartialRunsNeedConsent) {
  const TempDir dir;
  const std::string part = run_in(dir, "part", true, 1, {"--limit", "20"});
  EXPECT_EQ(cli({"gate", "--candidate", part, "--baseline", part, "--margin", "50"}).code,
            kExitUsage);
  EXPECT_EQ(
      cli({"gate", "--candidate", part, "--baseline", part, "--margin", "50", "--allow-partial"})
          .code,
      kExitOk);
}

TEST(GateTest, OtherPromptsAreRefused) {
  const TempDir dir;
  const std::string plain = run_in(dir, "plain", true, 1);
  const std::string system = run_in(dir, "system", true, 1, {"--system-prompt", "Be brief."});
  EXPECT_EQ(cli({"compare", plain, system}).code, kExitUsage);
  EXPECT_EQ(cli({"compare", plain, system, "--allow-prompt-change"}).code, kExitOk);
  const std::string warm = run_in(dir, "warm", true, 1, {"--temperature", "1"});
  const CliResult marked = cli({"compare", plain, warm, "--json"});
  EXPECT_EQ(marked.code, kExitOk);
  EXPECT_NE(marked.out.find("mini_math.temperature"), std::string::npos);
}

TEST(GateTest, ABaselineFileGivesTheSameAsItsRun) {
  const TempDir dir;
  const std::string good = run_in(dir, "good", true, 4);
  const std::string bad = run_in(dir, "bad", false, 4);
  ASSERT_EQ(cli({"export", "--to", "baseline", good, "--out", dir.file("b.json")}).code, kExitOk);
  const Json by_run = parse_json(cli({"compare", bad, good, "--json"}).out).value();
  const Json by_file = parse_json(cli({"compare", bad, dir.file("b.json"), "--json"}).out).value();
  EXPECT_EQ(by_run["tasks"], by_file["tasks"]);
  EXPECT_EQ(read_file(dir.file("b.json"))->find("boxed"), std::string::npos);

  std::string text = read_file(dir.file("b.json")).value();
  text.replace(text.find("\"schema\": 1"), 11, "\"schema\": 9");
  ASSERT_TRUE(write_file_atomic(dir.file("new.json"), text).has_value());
  EXPECT_NE(cli({"compare", bad, dir.file("new.json")}).code, kExitOk);
  ASSERT_TRUE(
      write_file_atomic(dir.file("torn.json"), text.substr(0, text.size() / 2)).has_value());
  EXPECT_EQ(cli({"compare", bad, dir.file("torn.json")}).code, kExitUsage);
}

TEST(GateTest, BothSidesAreGradedAgainAndChangesAreCounted) {
  const TempDir dir;
  const std::string run = run_in(dir, "run", true, 1);
  const std::string other = run_in(dir, "other", true, 1);
  // Somebody's grades file says otherwise in one place.
  std::string name;
  for (const auto& entry : std::filesystem::directory_iterator(run)) {
    if (entry.path().filename().string().starts_with("grades.")) {
      name = entry.path().string();
    }
  }
  std::string grades = read_file(name).value();
  grades.replace(grades.find("\"incorrect\""), 11, "\"correct\"");
  ASSERT_TRUE(write_file_atomic(name, grades).has_value());
  const CliResult again = cli({"compare", run, other, "--json"});
  const Json line = parse_json(again.out).value();
  EXPECT_EQ(line["tasks"]["mini_math"]["delta"], 0.0);
  EXPECT_NE(again.out.find("1 of 78 verdicts changed"), std::string::npos);
  const Json stored = parse_json(cli({"compare", run, other, "--json", "--as-graded"}).out).value();
  EXPECT_NEAR(stored["tasks"]["mini_math"]["delta"].get<double>(), 1.0 / 78, 1e-12);
}

TEST(GateTest, DoubleRecordsCountOnce) {
  const TempDir dir;
  const std::string run = run_in(dir, "run", true, 1);
  const std::string other = run_in(dir, "other", true, 1);
  const std::string samples = read_file(run + "/samples.jsonl").value();
  ASSERT_TRUE(write_file_atomic(run + "/samples.jsonl", samples + samples).has_value());
  const CliResult result = cli({"compare", run, other, "--json"});
  EXPECT_EQ(parse_json(result.out).value()["tasks"]["mini_math"]["delta"], 0.0);
  EXPECT_NE(result.out.find("78 double records"), std::string::npos);
}

}  // namespace
}  // namespace r1eval
