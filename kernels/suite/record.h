// The form of results: one JSON file per run as Google Benchmark writes it, with names, counters
// and context keys of ours in the places it leaves for them.
//
// File      {"context": {…, "r1eval.…": "…"}, "benchmarks": [entry, …]}
// Entries   per case one entry a sample (run_type "iteration", repetition_index counting from 0,
//           iterations 1, real_time in time_unit ns), then one (run_type "aggregate",
//           aggregate_name "median", name = run_name + "_median", real_time the median). run_name
//           is the case's name (operator_case.h). A case that failed has one entry with
//           error_occurred true and error_message, and no time: "wrong: …" for a wrong result,
//           "cannot: …" else.
// Label     every entry's "label" is a list of key=value separated by spaces: timer, duty,
//           generator, seed, and for peers peer.
// Context   values are strings; what is not known is "null".
// Peers     other implementations of a case (a library's): variant "peer:NAME" in the case's name.
// Compare   two results can be compared when name, context keys in kMachineClassKeys, label's
// timer,
//           duty and generator agree.
#pragma once

#include <array>
#include <string_view>

namespace r1eval::kernels {

inline constexpr std::string_view kSuiteVersion = "1";

// Counters of an entry of one sample.
inline constexpr std::string_view kClockGhz = "clock_ghz";  // effective; absent where not known

// Counters of the median entry. Times in nanoseconds, rates per second.
inline constexpr std::string_view kCiLow = "ci_low";  // of the median, 95 %, bootstrap
inline constexpr std::string_view kCiHigh = "ci_high";
inline constexpr std::string_view kMin = "min";
inline constexpr std::string_view kP95 = "p95";
inline constexpr std::string_view kIqrRatio = "iqr_ratio";  // (Q3 - Q1) / median
inline constexpr std::string_view kSamples = "samples";
inline constexpr std::string_view kDiscarded = "discarded";  // clock too far off
inline constexpr std::string_view kOutliers = "outliers";    // beyond Q3 + 3 IQR; kept
inline constexpr std::string_view kConverged = "converged";  // 1: the interval is narrow enough
inline constexpr std::string_view kUnstable = "unstable";    // 1: over 10 % discarded
inline constexpr std::string_view kFlop = "flop";            // of one run
inline constexpr std::string_view kBytes = "bytes";          // floor
inline constexpr std::string_view kFloorNs = "floor_ns";
inline constexpr std::string_view kPctRoof = "pct_roof";  // 100 floor / median
inline constexpr std::string_view kGflops = "gflops";     // flop / median
inline constexpr std::string_view kGflopsPerGhz = "gflops_per_ghz";
inline constexpr std::string_view kGbs = "gbs";  // floor bytes / median
inline constexpr std::string_view kRoofGflops = "roof_gflops";
inline constexpr std::string_view kRoofGbs = "roof_gbs";
inline constexpr std::string_view kDistinct = "distinct_experts";
inline constexpr std::string_view kLoadRatio = "max_over_mean_rows";
inline constexpr std::string_view kEmptyShare = "empty_experts";  // share, 0 to 1
inline constexpr std::string_view kCopies = "copies";             // arguments rotated over

// Context keys.
inline constexpr std::string_view kContextPrefix = "r1eval.";
// Machine class: results that differ in one of these are not comparable.
inline constexpr std::array kMachineClassKeys = {
    std::string_view("r1eval.suite_version"), std::string_view("r1eval.cpu"),
    std::string_view("r1eval.gpu"), std::string_view("r1eval.threads")};
// Further keys:
//   r1eval.seed r1eval.grid r1eval.commit r1eval.dirty r1eval.compiler r1eval.build_flags
//   r1eval.kernel (operating system) r1eval.cpu_flags r1eval.memory_bytes r1eval.l2_bytes
//   r1eval.l3_bytes r1eval.isa r1eval.load_average r1eval.foreign_cpu (share of processor time that
//   others took during the run)
//   r1eval.roof.read_gbs .copy_gbs .f32_gflops .bf16_gflops .int8_gops .clock_ghz
//   of devices also: r1eval.gpu_uuid_hash .driver .runtime .nvcc .sm_count .ecc .power_limit_w
//   r1eval.sass.KERNEL (hash of the kernel's machine code)

}  // namespace r1eval::kernels
