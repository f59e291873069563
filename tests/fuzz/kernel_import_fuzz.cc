// Foreign kernel results: whatever comes in, what is read has finite times, and our own form of it
// reads back.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "results/kernel_compare.h"
#include "results/kernel_export.h"
#include "results/kernel_import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace r1eval;
  if (size < 1) {
    return 0;
  }
  const std::string& format = kernel_import_formats()[data[0] % kernel_import_formats().size()];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto read_beside = [&](const std::string& name) -> Result<std::string> {
    return std::string(name.size(), '\x3e');
  };
  const Result<KernelImport> import = import_kernel_results(format, bytes, "fuzz", read_beside);
  if (!import) {
    R1_CHECK(!import.error().message.empty(), "an error says nothing");
    return 0;
  }
  for (const KernelCase& one : import->run.cases) {
    R1_CHECK(one.samples.empty() != one.error.empty(), "a case has times or a reason");
    for (const KernelSample& sample : one.samples) {
      R1_CHECK(std::isfinite(sample.time_ns) && sample.time_ns >= 0, "a time is finite");
    }
  }
  const Result<KernelRun> again = parse_kernel_run(kernel_run_json(import->run), "again");
  R1_CHECK(again.has_value(), "our own form reads back");
  R1_CHECK(again->cases.size() <= import->run.cases.size(), "no case is made up");
  for (const std::string& to : kernel_export_formats()) {
    R1_CHECK(export_kernel_run(import->run, to).has_value(), "every form can be written");
  }
  (void)compare_kernel_runs({import->run}, {*again}, {});
  return 0;
}
