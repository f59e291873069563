// Other harnesses' records: small files of each format, written here, through the command line.
#include <gtest/gtest.h>
#include <zip.h>

#include "base/file.h"
#include "base/json.h"
#include "results/run_store.h"
#include "tests/harness/cli.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

Json import(const TempDir& dir, const std::string& format, const std::string& path, int code,
            std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"import", "--from",        format,  path,
                                        "--out",  dir.file("out"), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const CliResult result = cli(arguments);
  EXPECT_EQ(result.code, code) << result.out;
  return parse_json(result.out).value_or(Json::object());
}

void write(const std::string& path, const std::string& text) {
  ASSERT_TRUE(write_file_atomic(path, text).has_value());
}

TEST(ImportTest, JsonlIsGradedByUsAndTheirVerdictsOnlyCompared) {
  const TempDir dir;
  write(dir.file("in.jsonl"),
        R"({"task":"t","item":"a","sample":0,"response":"\\boxed{3}","gold":"3","correct":false})"
        "\n"
        R"({"task":"t","item":"a","sample":1,"response":"\\boxed{4}","gold":"3","correct":false})"
        "\n"
        R"({"task":"t","item":"b","sample":0,"response":"<think>x</think>\\boxed{5}","gold":"5"})"
        "\n"
        R"({"task":"t","item":"b","sample":1,"response":"<think>\\boxed{5}","gold":"5",)"
        R"("finish_reason":"length"})"
        "\n");
  const Json line = import(dir, "jsonl", dir.file("in.jsonl"), kExitOk);
  const Json& t = line["results"]["t"];
  EXPECT_EQ(t["n"], 2);
  EXPECT_EQ(t["k"], 2);
  EXPECT_EQ(t["value"], 0.5);
  EXPECT_EQ(t["truncated"], 1);
  EXPECT_EQ(t["no_answer"], 1);
  EXPECT_NE(dump_json(line).find("of 2 verdicts that came with the records, 1 differ"),
            std::string::npos);
}

TEST(ImportTest, TrustTakesScoresOver) {
  const TempDir dir;
  write(dir.file("in.jsonl"), R"({"task":"t","item":"a","response":"?","correct":true})"
                              "\n"
                              R"({"task":"t","item":"b","response":"?","correct":0.25})"
                              "\n");
  EXPECT_EQ(
      import(dir, "jsonl", dir.file("in.jsonl"), kExitOk, {"--trust"})["results"]["t"]["value"],
      0.625);
}

TEST(ImportTest, TornAndForeignLinesAreCountedNotScored) {
  const TempDir dir;
  write(dir.file("in.jsonl"), R"({"task":"t","item":"a","response":"\\boxed{3}","gold":"3"})"
                              "\n[1,2]\n{\"task\":\"t\"}\n"
                              R"({"task":"t","item":"c","response":)");
  const Json line = import(dir, "jsonl", dir.file("in.jsonl"), kExitMalformedInput);
  EXPECT_EQ(line["results"]["t"]["n_samples"], 1);
  const TempDir empty;
  write(empty.file("in.jsonl"), "");
  import(empty, "jsonl", empty.file("in.jsonl"), kExitUsage);
}

TEST(ImportTest, ItemsOfOursAreOurs) {
  const TempDir dir;
  write(dir.file("in.jsonl"), R"({"task":"mini_math","item":"math-001","response":"\\boxed{19}"})"
                              "\n"
                              R"({"task":"mini_math","item":"math-002","response":"\\boxed{19}"})"
                              "\n");
  const Json line = import(dir, "jsonl", dir.file("in.jsonl"), kExitOk);
  EXPECT_EQ(line["results"]["mini_math"]["value"], 0.5);
  EXPECT_EQ(line["results"]["mini_math"]["n"], 2);
  EXPECT_EQ(cli({"compare", dir.file("out"), dir.file("out")}).code, kExitOk);
}

TEST(ImportTest, AnExportComesBackTheSame) {
  const TempDir dir;
  write(
      dir.file("in.jsonl"),
      R"({"task":"t","item":"a","response":"<think>hm</think>so \\boxed{3}","gold":"3","question":"2+1?"})"
      "\n"
      R"({"task":"t","item":"b","response":"\\boxed{3}","gold":"4","question":"2+2?"})"
      "\n");
  import(dir, "jsonl", dir.file("in.jsonl"), kExitOk);
  ASSERT_EQ(cli({"export", "--to", "jsonl", dir.file("out"), "--out", dir.file("back.jsonl")}).code,
            kExitOk);
  ASSERT_EQ(
      cli({"import", "--from", "jsonl", dir.file("back.jsonl"), "--out", dir.file("again")}).code,
      kExitOk);
  const Json line =
      parse_json(cli({"compare", dir.file("again"), dir.file("out"), "--json"}).out).value();
  EXPECT_EQ(line["tasks"]["t"]["n_pairs"], 2);
  EXPECT_EQ(line["tasks"]["t"]["delta"], 0.0);
}

TEST(ImportTest, LmEvalSamplesOfOneFilterCountOnce) {
  const TempDir dir;
  ASSERT_TRUE(make_directories(dir.file("m")).has_value());
  write(dir.file("m/results_2025-01-01T00-00-00.json"), R"({"model_name":"m","config":{}})");
  std::string lines;
  for (const char* filter : {"strict", "flexible"}) {
    lines += R"({"doc_id":0,"doc":{"question":"1+1?"},"target":"2","arguments":{"gen_args_0":)"
             R"({"arg_0":"Q: 1+1?","arg_1":{}}},"resps":[["\\boxed{2}"]],"filter":")" +
             std::string(filter) + R"(","exact_match":1.0,"metrics":["exact_match"]})" + "\n";
  }
  write(dir.file("m/samples_sum_set_2025-01-01T00-00-00.jsonl"), lines);
  const Json line = import(dir, "lm-eval", dir.file("m"), kExitOk);
  EXPECT_EQ(line["results"]["sum_set"]["n_samples"], 1);
  EXPECT_EQ(line["results"]["sum_set"]["value"], 1.0);
}

std::string inspect_sample(int id, int epoch, const std::string& answer) {
  return R"({"id":)" + std::to_string(id) + R"(,"epoch":)" + std::to_string(epoch) +
         R"(,"input":"attachment://h","target":"7","messages":[],"attachments":{"h":"3+4?"},)"
         R"("output":{"choices":[{"message":{"role":"assistant","content":[{"type":"reasoning",)"
         R"("reasoning":"hm"},{"type":"text","text":")" +
         answer +
         R"("}]},"stop_reason":"stop"}],"usage":{"output_tokens":9}},)"
         R"("scores":{"match":{"value":"C"}}})";
}

TEST(ImportTest, InspectLogsAsJsonAndAsArchive) {
  const TempDir dir;
  const std::string eval =
      R"("version":2,"status":"success","eval":{"task":"lib/sums","model":"mock/m","created":"2025-01-01"})";
  write(dir.file("log.json"),
        "{" + eval + R"(,"samples":[)" + inspect_sample(1, 1, "\\\\boxed{7}") + "," +
            inspect_sample(1, 2, "\\\\boxed{8}") +
            R"(,{"id":2,"epoch":1,"input":"x","target":"7","output":{"choices":[]},)"
            R"("error":{"message":"down"}}]})");
  const Json line = import(dir, "inspect", dir.file("log.json"), kExitOk);
  EXPECT_EQ(line["results"]["sums"]["value"], 0.5);
  EXPECT_EQ(line["results"]["sums"]["n"], 1);
  EXPECT_EQ(line["results"]["sums"]["missing"], 2);  // the failed request, and its second epoch

  int code = 0;
  zip_t* archive = zip_open(dir.file("log.eval").c_str(), ZIP_CREATE, &code);
  ASSERT_NE(archive, nullptr);
  const std::string header = "{" + eval + "}";
  const std::string sample = inspect_sample(1, 1, "\\\\boxed{7}");
  zip_file_add(archive, "header.json", zip_source_buffer(archive, header.data(), header.size(), 0),
               0);
  zip_file_add(archive, "samples/1_epoch_1.json",
               zip_source_buffer(archive, sample.data(), sample.size(), 0), 0);
  ASSERT_EQ(zip_close(archive), 0);
  const CliResult packed = cli(
      {"import", "--from", "inspect", dir.file("log.eval"), "--out", dir.file("packed"), "--json"});
  EXPECT_EQ(packed.code, kExitOk);
  EXPECT_EQ(parse_json(packed.out).value()["results"]["sums"]["value"], 1.0);
  write(dir.file("broken.eval"), "PK no archive");
  EXPECT_EQ(
      cli({"import", "--from", "inspect", dir.file("broken.eval"), "--out", dir.file("x")}).code,
      kExitUsage);
  write(dir.file("new.json"), R"({"version":9,"eval":{},"samples":[]})");
  EXPECT_NE(cli({"import", "--from", "inspect", dir.file("new.json"), "--out", dir.file("y")}).code,
            kExitOk);
}

TEST(ImportTest, EvalscopePredictionsMeetTheirReviews) {
  const TempDir dir;
  ASSERT_TRUE(make_directories(dir.file("o/predictions/m")).has_value());
  ASSERT_TRUE(make_directories(dir.file("o/reviews/m")).has_value());
  write(
      dir.file("o/predictions/m/sums.jsonl"),
      R"({"index":0,"model":"m","model_output":{"choices":[{"message":{"content":"\\boxed{2}"},)"
      R"("stop_reason":"stop"}],"usage":{"output_tokens":3}},"messages":[{"role":"user","content":"1+1?"}]})"
      "\n");
  write(dir.file("o/reviews/m/sums.jsonl"),
        R"({"index":0,"target":"2","sample_score":{"score":{"value":{"acc":1.0}}}})"
        "\n");
  EXPECT_EQ(import(dir, "evalscope", dir.file("o"), kExitOk)["results"]["sums"]["value"], 1.0);
}

TEST(ImportTest, EvalscopeRepeatsAreSamplesOfOneItem) {
  const TempDir dir;
  ASSERT_TRUE(make_directories(dir.file("o/predictions/m")).has_value());
  ASSERT_TRUE(make_directories(dir.file("o/reviews/m")).has_value());
  std::string predictions;
  std::string reviews;
  for (const char* index : {"1", "0"}) {  // in the order of arrival
    predictions += std::string(R"({"index":)") + index +
                   R"(,"model":"m","model_output":{"choices":[{"message":{"content":"\\boxed{)" +
                   index + R"(}"},"stop_reason":"stop"}]},"messages":[]})" + "\n";
    reviews += std::string(R"({"index":)") + index +
               R"(,"target":["1"],"sample_score":{"score":{"value":{"bleu-1":0.3,"Rouge-L-F":0}},)"
               R"("sample_id":)" +
               index + R"(,"group_id":0,"generation_index":)" + index + "}}\n";
  }
  write(dir.file("o/predictions/m/sums.jsonl"), predictions);
  write(dir.file("o/reviews/m/sums.jsonl"), reviews);
  const Json line = import(dir, "evalscope", dir.file("o"), kExitOk);
  EXPECT_EQ(line["results"]["sums"]["n"], 1);
  EXPECT_EQ(line["results"]["sums"]["k"], 2);
  EXPECT_EQ(line["results"]["sums"]["value"], 0.5);
  EXPECT_EQ(dump_json(line).find("differ"), std::string::npos);  // BLEU is no verdict
}

TEST(ImportTest, AnExistingRunIsNotWrittenOver) {
  const TempDir dir;
  write(dir.file("in.jsonl"), R"({"task":"t","item":"a","response":"1","gold":"1"})");
  import(dir, "jsonl", dir.file("in.jsonl"), kExitOk);
  import(dir, "jsonl", dir.file("in.jsonl"), kExitUsage);
}

// Text of models and names of items reach pages and tables as text.
TEST(ReportTest, HostileTextStaysText) {
  const TempDir dir;
  write(dir.file("in.jsonl"),
        R"({"task":"t","item":"=cmd|x","response":"</script><script>alert(1)</script>","gold":"1"})"
        "\n"
        R"({"task":"t","item":"<img src=x onerror=alert(1)>","response":"\u202eboxed","gold":"1"})"
        "\n");
  import(dir, "jsonl", dir.file("in.jsonl"), kExitOk);
  ASSERT_EQ(cli({"report", dir.file("out"), "--html", dir.file("r.html"), "--junit",
                 dir.file("r.xml"), "--markdown", dir.file("r.md"), "--title", "<b>&@HEAD@"})
                .code,
            kExitOk);
  const std::string page = read_file(dir.file("r.html")).value();
  EXPECT_EQ(page.find("alert(1)"), std::string::npos);
  EXPECT_EQ(page.find("<img src=x"), std::string::npos);
  EXPECT_NE(page.find("&lt;b&gt;&amp;@HEAD@"), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  const std::string csv = cli({"export", "--to", "csv-items", dir.file("out")}).out;
  EXPECT_NE(csv.find("'=cmd"), std::string::npos);
}

TEST(PlanTest, CountsAndPricesBeforeAnythingIsSent) {
  const CliResult result =
      cli({"plan", "--task", "mini_math", "--k", "4", "--tokens", "1000", "--price-in", "1",
           "--price-out", "2", "--tokens-per-second", "100", "--json"});
  ASSERT_EQ(result.code, kExitOk);
  const Json line = parse_json(result.out).value();
  EXPECT_EQ(line["requests"], 312);
  EXPECT_EQ(line["completion_tokens"], 312000);
  EXPECT_NEAR(line["hours"].get<double>(), 3120.0 / 3600, 1e-12);
  EXPECT_NEAR(line["cost"].get<double>(), (line["prompt_tokens"].get<double>() + 2 * 312000) / 1e6,
              1e-6);
  const Json& task = line["tasks"]["mini_math"];
  EXPECT_GT(task["mde_new_items"].get<double>(), task["mde_new_items_twins"].get<double>());
  const Json single =
      parse_json(cli({"plan", "--task", "mini_math", "--k", "1", "--json"}).out).value();
  EXPECT_TRUE(single["tasks"]["mini_math"]["mde_these_items"].is_null());
}

TEST(LeaderboardTest, OverlappingIntervalsShareARank) {
  const TempDir dir;
  const auto board = [&](const std::string& name, double value, double low, double high) {
    write(dir.file(name),
          R"({"schema":1,"entries":[{"model":")" + name +
              R"(","unidentified":true,"results":[{"task":"t","metric":"pass@1","value":)" +
              std::to_string(value) + R"(,"ci":[)" + std::to_string(low) + "," +
              std::to_string(high) + R"(],"dataset_sha256":"d"}]}]})");
    return dir.file(name);
  };
  const std::string a = board("a", 0.9, 0.85, 0.95);
  const std::string b = board("b", 0.87, 0.8, 0.9);
  const std::string c = board("c", 0.5, 0.4, 0.6);
  const Json json = parse_json(cli({"leaderboard", c, a, b, "--json"}).out).value();
  std::map<std::string, int> ranks;
  for (const Json& entry : json["entries"]) {
    ranks[entry["model"].get<std::string>()] = entry["results"][0]["rank"].get<int>();
  }
  EXPECT_EQ(ranks["a"], 1);
  EXPECT_EQ(ranks["b"], 1);
  EXPECT_EQ(ranks["c"], 3);
}

}  // namespace
}  // namespace r1eval
