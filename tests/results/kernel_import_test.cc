#include "results/kernel_import.h"

#include <gtest/gtest.h>

#include <cstring>

namespace r1eval {
namespace {

KernelImport imported(const std::string& format, const std::string& text) {
  Result<KernelImport> import = import_kernel_results(format, text, "log.txt", nullptr);
  EXPECT_TRUE(import.has_value()) << import.error().message;
  return import ? std::move(*import) : KernelImport{};
}

TEST(KernelImportTest, ReadsDeepGemmLinesOfAllItsForms) {
  const KernelImport import = imported(
      "deepgemm",
      "Library path: …\n"
      "Testing GEMM:\n"
      " > Performance (m=   64, n= 2112, k= 7168):    9 us | throughput:  206 TFLOPS, 1688 GB/s\n"
      " > Perf (m=  128, n=24576, k= 1536, 1D2D, layout=NT, BF16, acc=0): launch   26 us |   20 us "
      "|  483 TFLOPS | 2455 GB/s | 0.98x cuBLAS\n"
      "Testing m-grouped contiguous GEMM:\n"
      " > Perf (num_groups=4, m= 8192, n= 4096, k= 7168, 1D2D, layout=NT):  357 us | 1346 TFLOPS | "
      " 418 GB/s\n"
      "done\n");
  ASSERT_EQ(import.run.cases.size(), 3U);
  EXPECT_TRUE(import.problems.empty());
  EXPECT_EQ(import.run.cases[0].id, "gemm/-/M64.N2112.K7168/-/-/peer:deepgemm");
  EXPECT_DOUBLE_EQ(import.run.cases[0].median_ns(), 9000);
  EXPECT_DOUBLE_EQ(import.run.cases[0].counter("gflops").value(), 206e3);
  EXPECT_DOUBLE_EQ(import.run.cases[0].counter("gbs").value(), 1688);
  EXPECT_DOUBLE_EQ(import.run.cases[1].median_ns(), 20e3);  // not the launch's 26
  EXPECT_EQ(import.run.cases[1].id,
            "gemm/-/M128.N24576.K1536/1D2D,layout=NT,BF16,acc=0/-/peer:deepgemm");
  EXPECT_EQ(import.run.cases[2].id,
            "m-grouped_contiguous_gemm/-/G4.M8192.N4096.K7168/1D2D,layout=NT/-/peer:deepgemm");
}

TEST(KernelImportTest, RepeatedLinesAreRepetitions) {
  const std::string line = " > Perf (m=64, n=2112, k=7168): 9 us | 206 TFLOPS | 1688 GB/s\n";
  const KernelImport import = imported("deepgemm", line + line + line);
  ASSERT_EQ(import.run.cases.size(), 1U);
  EXPECT_EQ(import.run.cases[0].samples.size(), 3U);
}

TEST(KernelImportTest, ReadsFlashMlaLinesWithSettingsBeforeOrInTheLine) {
  const KernelImport import = imported(
      "flashmla",
      "b=128, s_q=1, mean_sk=4096, h_q=16, h_kv=1, d=576, dv=512, causal=True, varlen=False\n"
      "0.215 ms, 184 TFLOPS, 2826 GB/s\n"
      "b=128, s_q=2, mean_sk=4096, h_q=128, h_kv=1, d=576, dv=512, causal=True, varlen=True, "
      "1.103 ms, 530 TFLOPS, 604 GB/s\n"
      "That took 3 ms, or so.\n");
  ASSERT_EQ(import.run.cases.size(), 2U);
  EXPECT_EQ(import.run.cases[0].id,
            "mla.decode/-/b128.sq1.sk4096.h16.hkv1.d576.dv512/fixed,causal=True/-/peer:flashmla");
  EXPECT_DOUBLE_EQ(import.run.cases[0].median_ns(), 215e3);
  EXPECT_NE(import.run.cases[1].id.find("/varlen,"), std::string::npos);
  EXPECT_NE(import.run.cases[1].id.find("sq2"), std::string::npos);
  EXPECT_EQ(import.problems.size(), 0U);
}

TEST(KernelImportTest, ReadsFlashInferPerfLines) {
  const KernelImport import = imported(
      "flashinfer",
      "[INFO] args = Namespace(routine='BatchMLAPagedAttentionWrapper', batch_size=16, s_qo=1, "
      "s_kv=8192, num_qo_heads=128)\n"
      "[PERF] trtllm-gen-native:: median time 0.031 ms; std 0.001 ms; achieved tflops 120.512 "
      "TFLOPs/sec; achieved tb_per_sec 4.870 TB/sec\n"
      "[PERF] fa2            :: median time 0.052 ms; std 0.002 ms; achieved tflops 71.8 "
      "TFLOPs/sec; achieved tb_per_sec 2.9 TB/sec\n"
      "[PERF] broken\n");
  ASSERT_EQ(import.run.cases.size(), 2U);
  EXPECT_EQ(import.run.cases[0].id,
            "BatchMLAPagedAttentionWrapper/-/b16.sq1.sk8192.h128/-/-/"
            "peer:flashinfer:trtllm-gen-native");
  EXPECT_DOUBLE_EQ(import.run.cases[0].median_ns(), 31e3);
  EXPECT_DOUBLE_EQ(import.run.cases[0].counter("std_ns").value(), 1e3);
  EXPECT_DOUBLE_EQ(import.run.cases[0].counter("gbs").value(), 4870);
  ASSERT_EQ(import.problems.size(), 1U);
  EXPECT_NE(import.problems[0].find("line 4"), std::string::npos);
}

const char* const kNvbench = R"({"devices": [{"id": 0, "name": "NVIDIA H100"}],
  "benchmarks": [{"name": "copy", "states": [
    {"device": 0, "axis_values": [{"name": "Elements", "type": "int64", "value": "1024"},
                                  {"name": "T", "type": "string", "value": "F32"}],
     "is_skipped": false, "summaries": [
      {"tag": "nv/cold/time/gpu/mean", "data": [{"name": "value", "type": "float64",
                                                 "value": "1.25e-05"}]},
      {"tag": "nv/cold/sm_clock_rate/mean", "data": [{"name": "value", "value": "1.98e9"}]},
      {"tag": "nv/cold/bw/global/bytes_per_second", "data": [{"name": "value", "value": "3e12"}]},
      {"tag": "nv/json/bin:nv/cold/sample_times", "data": [
        {"name": "filename", "value": "times.bin"}, {"name": "size", "value": "2"}]}]},
    {"device": 0, "axis_values": [], "is_skipped": true, "skip_reason": "too large"},
    {"device": 0, "axis_values": null, "is_skipped": false, "summaries": []}]}]})";

TEST(KernelImportTest, ReadsNvbenchStatesSkipsAndSamples) {
  const KernelImport plain = imported("nvbench", kNvbench);
  ASSERT_EQ(plain.run.cases.size(), 2U);
  EXPECT_EQ(plain.run.cases[0].id, "copy/Elements=1024,T=F32");
  EXPECT_DOUBLE_EQ(plain.run.cases[0].median_ns(), 12500);
  EXPECT_DOUBLE_EQ(plain.run.cases[0].counter("clock_ghz").value(), 1.98);
  EXPECT_DOUBLE_EQ(plain.run.cases[0].counter("gbs").value(), 3000);
  EXPECT_TRUE(plain.run.cases[1].is_skipped);
  EXPECT_EQ(plain.run.text("r1eval.gpu"), "NVIDIA H100");
  ASSERT_EQ(plain.problems.size(), 1U);  // the state without a time
  EXPECT_NE(plain.problems[0].find("states[2]"), std::string::npos);

  const float times[2] = {1e-5F, 2e-5F};
  const auto read = [&](const std::string& name) -> Result<std::string> {
    EXPECT_EQ(name, "times.bin");
    std::string bytes(sizeof(times), '\0');
    std::memcpy(bytes.data(), times, sizeof(times));
    return bytes;
  };
  const KernelImport with_samples =
      import_kernel_results("nvbench", kNvbench, "x.json", read).value();
  EXPECT_EQ(with_samples.run.cases[0].samples.size(), 2U);
  EXPECT_NEAR(with_samples.run.cases[0].median_ns(), 15000, 0.01);
}

TEST(KernelImportTest, FilesWithoutResultsSayWhatWasLookedFor) {
  const auto error = [](const std::string& format, const std::string& text) {
    const Result<KernelImport> import = import_kernel_results(format, text, "f", nullptr);
    return import ? std::string() : import.error().message;
  };
  EXPECT_NE(error("deepgemm", "hello\n").find("> Perf"), std::string::npos);
  EXPECT_NE(error("flashmla", "").find("TFLOPS"), std::string::npos);
  EXPECT_NE(error("flashinfer", "[PERF] x\n").find("line 1"), std::string::npos);
  EXPECT_NE(error("nvbench", "{}").find("'benchmarks'"), std::string::npos);
  EXPECT_NE(error("gbench", "{\"benchmarks\": []}").find("no benchmarks"), std::string::npos);
  EXPECT_NE(error("prose", "").find("--from prose"), std::string::npos);
}

TEST(KernelImportTest, HugeNumbersAndLinesAreNoResults) {
  std::string digits(400, '9');
  const std::string text = " > Perf (m=1, n=1, k=1): " + digits + " us | 1 TFLOPS | 1 GB/s\n" +
                           std::string(100000, 'x') + " ms, 1 TFLOPS\n" +
                           " > Perf (m=1, n=1, k=1): 5 us\n";
  const KernelImport import = imported("deepgemm", text);
  ASSERT_EQ(import.run.cases.size(), 1U);
  for (const KernelSample& sample : import.run.cases[0].samples) {
    EXPECT_TRUE(std::isfinite(sample.time_ns));
  }
}

}  // namespace
}  // namespace r1eval
