// Records in the documented shape of each harness, written here, through the command line: what is
// read, what is named when it is of another shape.
#include <gtest/gtest.h>
#include <zip.h>

#include <fstream>

#include "base/file.h"
#include "base/json.h"
#include "harness/import.h"
#include "tests/harness/cli.h"
#include "tests/support/temp_dir.h"

namespace r1eval {
namespace {

void write(const std::string& path, const std::string& text) {
  ASSERT_TRUE(make_directories(path.substr(0, path.rfind('/'))).has_value());
  ASSERT_TRUE(write_file_atomic(path, text).has_value());
}

Json import(const TempDir& dir, const std::string& format, const std::string& path, int code,
            std::vector<std::string> more = {}) {
  static int n = 0;
  std::vector<std::string> arguments = {
      "import", "--from", format, path, "--out", dir.file("out" + std::to_string(++n)), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const CliResult result = cli(arguments);
  EXPECT_EQ(result.code, code) << format << ": " << result.out;
  return parse_json(result.out).value_or(Json::object());
}

TEST(ImportFormatsTest, JsonlUnderOtherNamesByPaths) {
  const TempDir dir;
  write(
      dir.file("in.json"),
      R"([{"meta":{"id":"a"},"ask":"1+1?","out":[{"text":"\\boxed{2}"},{"text":"\\boxed{3}"}],"ref":2},
            {"meta":{"id":"b"},"ask":"1+2?","out":[{"text":"\\boxed{3}"}],"ref":3}])");
  const std::vector<std::string> map = {"--map", "item=meta.id",        "--map", "question=ask",
                                        "--map", "response=out.0.text", "--map", "gold=ref"};
  const Json line = import(dir, "jsonl", dir.file("in.json"), kExitOk, map);
  EXPECT_EQ(line["results"]["in"]["value"], 1.0);
  EXPECT_EQ(line["results"]["in"]["n"], 2);
  import(dir, "jsonl", dir.file("in.json"), kExitUsage);  // without the names nothing is there
  import(dir, "jsonl", dir.file("in.json"), kExitUsage, {"--map", "colour=ask"});
  import(dir, "lm-eval", dir.file("in.json"), kExitUsage, {"--map", "item=id"});
}

TEST(ImportFormatsTest, AListOfResponsesIsAsManySamples) {
  const TempDir dir;
  write(dir.file("in.jsonl"), R"({"q":"1+1?","answers":["\\boxed{2}","\\boxed{5}"],"gold":"2"})");
  const Json line = import(dir, "jsonl", dir.file("in.jsonl"), kExitOk,
                           {"--map", "question=q", "--map", "response=answers"});
  EXPECT_EQ(line["results"]["in"]["k"], 2);
  EXPECT_EQ(line["results"]["in"]["value"], 0.5);
}

TEST(ImportFormatsTest, LiveCodeBench) {
  const TempDir dir;
  write(dir.file("o/Scenario.codegeneration_2_0.2_eval_all.json"),
        R"([{"question_id":"abc_1","question_content":"Print 1.","difficulty":"easy",)"
        R"~("output_list":["```python\nprint(1)\n```","no"],"code_list":["print(1)",""],)~"
        R"("graded_list":[true,false],"pass@1":0.5}])");
  const Json line = import(dir, "lcb", dir.file("o"), kExitOk, {"--trust"});
  EXPECT_EQ(line["results"]["livecodebench"]["value"], 0.5);
  EXPECT_EQ(line["results"]["livecodebench"]["n_samples"], 2);
  // The outputs alone, and a submission of programs alone.
  write(dir.file("p/Scenario.codegeneration_1_0.2.json"),
        R"~([{"question_id":"abc_1","code_list":["print(1)"]}])~");
  EXPECT_EQ(import(dir, "lcb", dir.file("p"), kExitOk)["results"]["livecodebench"]["n_samples"], 1);
  // Metrics without texts are refused by name.
  write(dir.file("q/Scenario.codegeneration_1_0.2_eval_all.json"), R"([{"pass@1":0.5},{},[]])");
  import(dir, "lcb", dir.file("q"), kExitUsage);
}

TEST(ImportFormatsTest, NemoEvaluator) {
  const TempDir dir;
  write(
      dir.file("gpqa/results.jsonl"),
      R"({"problem_idx":0,"repeat":0,"reward":1.0,"expected_answer":"B","model_response":"Answer: B","metadata":{"category":"Physics"}})"
      "\n"
      R"({"problem_idx":0,"repeat":1,"reward":0.0,"expected_answer":"B","model_response":"Answer: C"})"
      "\n");
  const Json line = import(dir, "nemo", dir.file("gpqa"), kExitOk);
  EXPECT_EQ(line["results"]["gpqa"]["value"], 0.5);
  EXPECT_EQ(line["results"]["gpqa"]["k"], 2);
}

TEST(ImportFormatsTest, NemoSkillsSeedsAreSamples) {
  const TempDir dir;
  for (const char* seed : {"0", "1"}) {
    write(dir.file(std::string("aime/output-rs") + seed + ".jsonl"),
          std::string(
              R"({"id":"p1","problem":"7*6?","expected_answer":"42","generation":"\\boxed{4)") +
              (seed[0] == '0' ? "2" : "3") +
              R"(}","num_generated_tokens":9,"symbolic_correct":true})" + "\n");
  }
  const Json line = import(dir, "nemo-skills", dir.file("aime"), kExitOk);
  EXPECT_EQ(line["results"]["aime"]["k"], 2);
  EXPECT_EQ(line["results"]["aime"]["value"], 0.5);
  EXPECT_NE(dump_json(line).find("of 2 verdicts that came with the records, 1 differ"),
            std::string::npos);
}

TEST(ImportFormatsTest, SimpleEvalsGoldsAreReadFromItsPages) {
  const TempDir dir;
  write(
      dir.file("math_m_allresults.json"),
      R"({"score":1.0,"htmls":["<p>Correct Answer: 1 &lt; 2</p>\n<p>Extracted Answer: x</p>\n<p>Score: 0.0</p>",)"
      R"("<p>Correct Answer: 7</p>\n<p>Score: 1.0</p>"],)"
      R"("convos":[[{"role":"user","content":"Which?"},{"role":"assistant","content":"\\boxed{2}"}],)"
      R"([{"role":"user","content":"3+4?"},{"role":"assistant","content":"\\boxed{7}"}]],)"
      R"("metrics":{},"metadata":null})");
  const Json line = import(dir, "simple-evals", dir.file("math_m_allresults.json"), kExitOk);
  EXPECT_EQ(line["results"]["math"]["n"], 2);
  EXPECT_EQ(line["results"]["math"]["value"], 0.5);
  write(dir.file("no_allresults.json"), R"({"score":1.0})");
  import(dir, "simple-evals", dir.file("no_allresults.json"), kExitUsage);
}

TEST(ImportFormatsTest, OpenAiEvalsEventsMeetBySample) {
  const TempDir dir;
  write(
      dir.file("log.jsonl"),
      R"({"spec":{"completion_fns":["gpt-x"],"eval_name":"sums.dev.v0","base_eval":"sums","created_at":"2025"}})"
      "\n"
      R"({"run_id":"r","event_id":0,"sample_id":"sums.dev.0","type":"sampling","data":{"prompt":[{"role":"user","content":"1+1?"}],"sampled":["\\boxed{2}"]}})"
      "\n"
      R"({"run_id":"r","event_id":1,"sample_id":"sums.dev.0","type":"match","data":{"correct":true,"expected":"2","picked":"2"}})"
      "\n"
      R"({"run_id":"r","event_id":2,"sample_id":"sums.dev.1","type":"sampling","data":{"prompt":"1+2?","sampled":"\\boxed{2}"}})"
      "\n"
      R"({"run_id":"r","event_id":3,"sample_id":"sums.dev.1","type":"match","data":{"correct":false,"expected":["3","three"]}})"
      "\n"
      R"({"final_report":{"accuracy":0.5}})"
      "\n");
  const Json line = import(dir, "openai-evals", dir.file("log.jsonl"), kExitOk);
  EXPECT_EQ(line["results"]["sums"]["value"], 0.5);
  EXPECT_EQ(line["results"]["sums"]["n"], 2);
}

TEST(ImportFormatsTest, HelmLettersAndFailedRequests) {
  const TempDir dir;
  write(dir.file("runs/v1/mmlu:subject=x,model=m/run_spec.json"),
        R"({"name":"mmlu:subject=x,model=m"})");
  write(
      dir.file("runs/v1/mmlu:subject=x,model=m/scenario_state.json"),
      R"({"adapter_spec":{},"request_states":[)"
      R"({"instance":{"id":"id1","input":{"text":"Sky?"},"references":[{"output":{"text":"green"},"tags":[]},{"output":{"text":"blue"},"tags":["correct"]}]},)"
      R"("train_trial_index":0,"output_mapping":{"A":"green","B":"blue"},"request":{"model":"o/m","prompt":"Q"},)"
      R"("result":{"success":true,"completions":[{"text":"Answer: B","finish_reason":{"reason":"stop"}}]}},)"
      R"({"instance":{"id":"id2","input":{"text":"Sea?"},"references":[{"output":{"text":"blue"},"tags":["correct"]}]},)"
      R"("output_mapping":{"A":"blue"},"request":{"model":"o/m"},"result":{"success":false,"completions":[]}}]})");
  write(
      dir.file("runs/v1/mmlu:subject=x,model=m/per_instance_stats.json"),
      R"([{"instance_id":"id1","train_trial_index":0,"stats":[{"name":{"name":"exact_match"},"mean":1.0}]}])");
  const Json line = import(dir, "helm", dir.file("runs"), kExitOk);
  const Json& task = line["results"]["mmlu_subject_x"];
  EXPECT_EQ(task["value"], 1.0) << dump_json(line);
  EXPECT_EQ(task["missing"], 1);
}

TEST(ImportFormatsTest, OpenCompassPiecesAreOneDataset) {
  const TempDir dir;
  for (const std::string piece : {"0", "1"}) {
    write(dir.file("o/predictions/m/sums_" + piece + ".json"),
          R"({"0":{"origin_prompt":[{"role":"HUMAN","prompt":"1+1? No. )" + piece +
              R"("}],"prediction":"\\boxed{2}","gold":"2"}})");
  }
  const Json line = import(dir, "opencompass", dir.file("o"), kExitOk);
  EXPECT_EQ(line["results"]["sums"]["n"], 2) << dump_json(line);
  EXPECT_EQ(line["results"]["sums"]["value"], 1.0);
  write(dir.file("o/predictions/other/sums.json"),
        R"({"0":{"origin_prompt":"1+1?","prediction":["\\boxed{3}","\\boxed{2}"],"gold":"2"}})");
  import(dir, "opencompass", dir.file("o"), kExitUsage);  // which model?
  EXPECT_EQ(import(dir, "opencompass", dir.file("o"), kExitOk,
                   {"--model", "other"})["results"]["sums"]["k"],
            2);
}

TEST(ImportFormatsTest, LightevalDetailsAsJson) {
  const TempDir dir;
  write(
      dir.file("details_lighteval|sums|0_2025-01-01T00-00-00.jsonl"),
      R"({"doc":{"id":"0","query":"Sky?","choices":["green","blue"],"gold_index":[1],"task_name":"lighteval|sky|0"},)"
      R"("model_response":{"text":["Answer: B","Answer: A"],"input":[{"role":"user","content":"Sky?"}]},"metric":{"acc":0.5}})"
      "\n");
  const Json line = import(dir, "lighteval",
                           dir.file("details_lighteval|sums|0_2025-01-01T00-00-00.jsonl"), kExitOk);
  EXPECT_EQ(line["results"]["lighteval_sky_0"]["value"], 0.5) << dump_json(line);
  write(dir.file("d/details.parquet"), "PAR1");
  import(dir, "lighteval", dir.file("d"), kExitEnvironment);
}

TEST(ImportFormatsTest, PromptfooAsksWhichProvider) {
  const TempDir dir;
  const auto row = [](const std::string& provider, const std::string& output) {
    return R"({"testIdx":0,"provider":{"id":")" + provider +
           R"("},"prompt":{"raw":"1+1?"},"vars":{"question":"1+1?"},"testCase":{"assert":[{"type":"equals","value":"2"}]},)"
           R"("response":{"output":")" +
           output + R"(","tokenUsage":{"prompt":3,"completion":4},"cost":0.5},"success":true})";
  };
  write(dir.file("r.json"), R"({"results":{"version":3,"results":[)" + row("a", "\\\\boxed{2}") +
                                "," + row("b", "\\\\boxed{3}") + "]}}");
  import(dir, "promptfoo", dir.file("r.json"), kExitUsage);
  const Json line = import(dir, "promptfoo", dir.file("r.json"), kExitOk, {"--model", "b"});
  EXPECT_EQ(line["results"]["r"]["value"], 0.0);
}

TEST(ImportFormatsTest, ProgramsOfEvalplusAndBigcode) {
  const TempDir dir;
  write(dir.file("e/samples.jsonl"), R"({"task_id":"Mbpp/2","solution":"def f():\n  return 1"})"
                                     "\n"
                                     R"({"task_id":"Mbpp/2","solution":"def f(): pass"})"
                                     "\n");
  write(
      dir.file("e/samples_eval_results.json"),
      R"({"date":"x","eval":{"Mbpp/2":[{"task_id":"Mbpp/2","base_status":"pass","plus_status":"pass"},)"
      R"({"task_id":"Mbpp/2","base_status":"pass","plus_status":"fail"}]}})");
  EXPECT_EQ(
      import(dir, "evalplus", dir.file("e"), kExitOk, {"--trust"})["results"]["mbpp"]["value"],
      0.5);
  write(dir.file("b/generations_humaneval.json"), R"([["def f(): pass","x"],["y","z"]])");
  const Json line = import(dir, "bigcode", dir.file("b"), kExitOk);
  EXPECT_EQ(line["results"]["humaneval"]["n_samples"], 4) << dump_json(line);
}

TEST(ImportFormatsTest, EveryFormatNamesWhatItLooksFor) {
  const TempDir dir;
  write(dir.file("odd/odd.json"), R"({"something":"else"})");
  write(dir.file("odd/odd.jsonl"), R"({"something":"else"})");
  write(dir.file("wrong.json"), R"([[1,"a"],{"x":[{}]},null])");
  write(dir.file("wrong.jsonl"), "3\n\"a\"\n[{}]\n");
  for (const std::string& format : import_formats()) {
    for (const char* path : {"odd", "odd/odd.json", "odd/odd.jsonl", "wrong.json", "wrong.jsonl"}) {
      const Result<ForeignRun> run = read_foreign(format, dir.file(path), {});
      ASSERT_FALSE(run.has_value()) << format << " " << path;
      EXPECT_NE(run.error().message.find(path), std::string::npos) << run.error().message;
      EXPECT_GT(run.error().message.size(), std::string(path).size() + 20) << format;
    }
  }
}

TEST(ImportFormatsTest, AnArchiveThatUnpacksWithoutEndIsRefused) {
  const TempDir dir;
  int code = 0;
  zip_t* archive = zip_open(dir.file("bomb.eval").c_str(), ZIP_CREATE, &code);
  ASSERT_NE(archive, nullptr);
  // 1.1 GiB of blanks from a file with a hole: about a megabyte packed.
  { std::ofstream(dir.file("hole")).put('\0'); }
  std::filesystem::resize_file(dir.file("hole"), (std::uintmax_t{1} << 30) + (100U << 20));
  const std::string header = R"({"version":2,"eval":{"task":"t","model":"m"}})";
  zip_file_add(archive, "header.json", zip_source_buffer(archive, header.data(), header.size(), 0),
               0);
  const zip_int64_t at = zip_file_add(archive, "samples/1_epoch_1.json",
                                      zip_source_file(archive, dir.file("hole").c_str(), 0, -1), 0);
  ASSERT_EQ(zip_set_file_compression(archive, static_cast<zip_uint64_t>(at), ZIP_CM_DEFLATE, 1), 0);
  ASSERT_EQ(zip_close(archive), 0);
  EXPECT_LT(file_size(dir.file("bomb.eval")).value(), 16 << 20);
  const Result<ForeignRun> run = read_foreign("inspect", dir.file("bomb.eval"), {});
  ASSERT_FALSE(run.has_value());
  EXPECT_NE(run.error().message.find("1 records"), std::string::npos) << run.error().message;
}

// A batch's replies, as the batch interface writes them.
TEST(BatchTest, RequestsGoOutAndRepliesComeBack) {
  const TempDir dir;
  const auto emit = [&] {
    return cli({"run", "--task", "mini_math", "--model", "m", "--k", "2", "--items",
                "math-001,math-002", "--emit-requests", dir.file("requests.jsonl"), "--out",
                dir.file("run"), "--json", "--price-in", "1", "--price-out", "2"});
  };
  const CliResult emitted = emit();
  ASSERT_EQ(emitted.code, kExitOk) << emitted.out;
  EXPECT_EQ(parse_json(emitted.out).value()["requests"], 4);
  std::vector<Json> requests;
  std::istringstream lines(read_file(dir.file("requests.jsonl")).value());
  for (std::string line; std::getline(lines, line);) {
    requests.push_back(parse_json(line).value());
  }
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0]["url"], "/v1/chat/completions");
  EXPECT_EQ(requests[0]["body"]["model"], "m");
  const auto reply = [](const Json& request, const std::string& text) {
    return R"({"custom_id":)" + dump_json(request["custom_id"]) +
           R"(,"response":{"status_code":200,"body":{"choices":[{"index":0,"finish_reason":"stop",)"
           R"("message":{"role":"assistant","content":")" +
           text +
           R"("}}],"usage":{"prompt_tokens":1000000,"completion_tokens":500000}}},"error":null})" +
           "\n";
  };
  write(dir.file("replies.jsonl"),
        reply(requests[0], "\\\\boxed{19}") + reply(requests[1], "\\\\boxed{0}") +
            reply(requests[0], "\\\\boxed{0}") + reply({{"custom_id", "nobody"}}, "x") +
            R"({"custom_id":)" + dump_json(requests[2]["custom_id"]) +
            R"(,"response":{"status_code":500,"body":null},"error":{"message":"down"}})" + "\n");
  const CliResult taken = cli(
      {"import", "--from", "batch", dir.file("replies.jsonl"), "--out", dir.file("run"), "--json"});
  EXPECT_EQ(taken.code, kExitIncomplete);
  const Json line = parse_json(taken.out).value_or(Json::object());
  const Json task = line["results"]["mini_math"];
  EXPECT_EQ(task["n_samples"], 2);
  EXPECT_EQ(task["missing"], 2);
  const Json results = parse_json(read_file(dir.file("run/results.json")).value()).value();
  EXPECT_DOUBLE_EQ(results["tasks"]["mini_math"]["cost"].get<double>(), 4.0);
  // What is left is asked for again, and nothing else.
  EXPECT_EQ(parse_json(emit().out).value()["requests"], 2);
  EXPECT_EQ(
      cli({"import", "--from", "batch", dir.file("replies.jsonl"), "--out", dir.file("none")}).code,
      kExitUsage);
}

// Their shapes, read back by our own readers; the peers' own readers are a script's business.
TEST(ExportFormatsTest, OtherHarnessesFilesComeBackTheSame) {
  const TempDir dir;
  write(
      dir.file("in.jsonl"),
      R"({"task":"t","item":"a","sample":0,"response":"<think>hm</think>so \\boxed{3}","gold":"3","question":"2+1?","finish_reason":"stop"})"
      "\n"
      R"({"task":"t","item":"a","sample":1,"response":"\\boxed{4}","gold":"3","question":"2+1?","finish_reason":"length"})"
      "\n"
      R"({"task":"t","item":"b","sample":0,"response":"\\boxed{4}","gold":"4","question":"2+2?"})"
      "\n"
      R"({"task":"t","item":"b","sample":1,"response":"\\boxed{4}","gold":"4","question":"2+2?"})"
      "\n");
  ASSERT_EQ(cli({"import", "--from", "jsonl", dir.file("in.jsonl"), "--out", dir.file("run")}).code,
            kExitOk);
  for (const char* format : {"lm-eval", "inspect"}) {
    const std::string out = dir.file(format);
    ASSERT_EQ(cli({"export", "--to", format, dir.file("run"), "--out", out}).code, kExitOk);
    ASSERT_EQ(cli({"import", "--from", format, out, "--out", out + "-back"}).code, kExitOk);
    const CliResult compared = cli({"compare", out + "-back", dir.file("run"), "--json",
                                    "--allow-prompt-change", "--allow-dataset-change"});
    ASSERT_EQ(compared.code, kExitOk);
    const Json line = parse_json(compared.out).value();
    EXPECT_EQ(line["tasks"]["t"]["n_pairs"], 2) << format;
    EXPECT_EQ(line["tasks"]["t"]["delta"], 0.0) << format;
    EXPECT_EQ(line["tasks"]["t"]["candidate"]["value"], 0.75) << format;
  }
  EXPECT_EQ(cli({"export", "--to", "lcb", dir.file("run")}).code, kExitUsage);
}

}  // namespace
}  // namespace r1eval
