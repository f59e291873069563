// How a case was measured and on what, as files of kernel results tell it: the one place that knows
// the names our suite writes (kernels/suite/record.h; a test holds the two together, as results may
// not include kernels). What is not there is empty, never guessed.
//
// Threads  pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "results/kernel_run.h"

namespace r1eval {

// Counters.
inline constexpr std::string_view kKernelClock = "clock_ghz";  // effective, of a sample

// OPERATOR/DTYPE/SHAPE/LOAD/CACHE/VARIANT; of names of another form only `op` is filled, with all
// of the name. ".cpu" is a part of op.
struct KernelName {
  std::string op;
  std::string dtype;
  std::string shape;
  std::string load;
  std::string cache;
  std::string variant;

  bool is_ours() const { return !variant.empty(); }

  std::string text() const;
};

KernelName parse_kernel_name(std::string_view id);

// The word "name=value" of a case's label; empty where it has none.
std::string label_word(const KernelCase& one, std::string_view name);

// "cpu" or "gpu" by the case's name; empty for foreign names.
std::string kernel_device(const KernelCase& one);

// Processor or device and threads, e.g. "cpu=… threads=2"; empty when the file says neither.
std::string kernel_machine(const KernelRun& run);

// Values that must agree for times to be compared; `guard` is one of machine, timer, duty, cache,
// data (the generator's name), suite.
std::string kernel_guard(const KernelRun& run, const KernelCase& one, std::string_view guard);

// What ran, on what: hashes of the code, launch shape, seed of the arguments. Two cases with one
// name and one identity ran the same instructions on the same data. Empty when the code's hash is
// not known.
std::string kernel_identity(const KernelRun& run, const KernelCase& one);

// Hashes of the code alone; empty when not known.
std::string kernel_code(const KernelRun& run, const KernelCase& one);

// Commit that was measured, with "+changes" for a tree that had some; empty when not known.
std::string kernel_commit(const KernelRun& run);

// Launches in the order in which they ran: "r1eval.launch_order" (written where compare starts them
// itself), else the seconds of "date". None when neither can be read.
std::optional<double> kernel_launch_time(const KernelRun& run);

// Seconds since 1970 of "2026-11-25T04:26:22+00:00" (also with Z or without an offset, as UTC).
std::optional<double> parse_iso_time(std::string_view text);

}  // namespace r1eval
