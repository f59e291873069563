// Other programs' timings as kernel results of ours: nvbench's JSON, and the lines that people
// paste from DeepGEMM, FlashMLA and FlashInfer.
//
// Names    OPERATOR/DTYPE/SHAPE/LOAD/CACHE/VARIANT like our own, with "-" for what the source does
//          not say, and the source as a peer:
//          "mla.decode/-/b128.sq1.sk4096.h16/fixed/-/peer:flashmla". nvbench's cases keep their own
//          names: "BENCHMARK/Axis=value,…".
// Text     lines that belong to no format are passed over: whole logs can be given. A line that
//          starts as a result and cannot be read is a problem, and the others are kept.
// Bounds   a line has at most 4 KiB, a text 256 MiB and a million results; what goes beyond is a
//          problem or, for the text, kResourceExhausted.
// Units    as in results/kernel_run.h; rates become the counters gflops and gbs.
// Sources  nvbench json_printer.cu and measure_cold.cu; DeepGEMM tests/test_fp8.py, test_bf16.py,
//          test_core.py (before and after mid-2025); FlashMLA tests/test_flash_mla.py; FlashInfer
//          benchmarks/routines/flashinfer_benchmark_utils.py.
// Threads  pure functions.
// Tested   tests/results/kernel_import_test.cc; tests/fuzz/kernel_import_fuzz.cc.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "results/kernel_run.h"

namespace r1eval {

struct KernelImport {
  KernelRun run;
  std::vector<std::string> problems;  // "line 12: …", "benchmarks[0].states[3]: …"
};

// "gbench", "nvbench", "deepgemm", "flashmla", "flashinfer".
const std::vector<std::string>& kernel_import_formats();

// Bytes of a file that lies beside the one that is imported (nvbench keeps its samples in such);
// null: leave them out.
using ReadBeside = std::function<Result<std::string>(const std::string& name)>;

// Errors: kInvalidArgument for a format that there is not; kParse when nothing can be read, with
// what was looked for.
Result<KernelImport> import_kernel_results(std::string_view format, std::string_view bytes,
                                           const std::string& file, const ReadBeside& read_beside);

}  // namespace r1eval
