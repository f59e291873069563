// The seam between the suite and an implementation: a variant makes an Execution of a case, and the
// suite poisons, runs, reads and times it.
//
// Inputs  every variant makes them itself from the case (operator_case.h: input_value,
// make_routing,
//         make_batch), so that nothing is carried to a device, and may keep them in any layout.
// Order   poison(), run(0), outputs(0) check a case; time(0), time(1), … measure it.
// Threads one caller at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/suite/operator_case.h"

namespace r1eval::kernels {

// An output (or a part of it) as the checker sees it: values as they were stored, widened.
struct OutputRows {
  std::string name;  // "out", "lse", …
  std::int64_t columns = 0;
  std::vector<double> values;  // (rows, columns)
  bool is_exact = false;       // indices and copied bytes: compared for equality

  std::int64_t rows() const {
    return columns == 0 ? 0 : static_cast<std::int64_t>(values.size()) / columns;
  }
};

struct TimedSample {
  double seconds = 0;    // of one run
  double clock_ghz = 0;  // effective, around the sample; 0: not known
};

class Execution {
 public:
  virtual ~Execution() = default;

  // Outputs become NaN (or impossible indices), and so does what must not be read: unused cache
  // slots, rows past the end.
  virtual Status poison() = 0;
  // Copies of the arguments that runs may rotate over, at least 1. All hold the same values.
  virtual std::int64_t n_copies() const = 0;
  virtual Status run(std::int64_t copy) = 0;
  // The outputs of the last run on `copy`, in the order of the reference (oracle.h).
  virtual Result<std::vector<OutputRows>> outputs(std::int64_t copy) = 0;
  // One timed run; the default takes the wall clock around run().
  virtual Result<TimedSample> time(std::int64_t copy);

  // How time() measures: "wall", "event", "graph", "cupti".
  virtual std::string_view timer() const { return "wall"; }
};

struct SetupOptions {
  int threads = 1;                // of a CPU variant
  std::int64_t cold_bytes = 0;    // arguments are copied until they exceed this; 0: one copy
  std::int64_t memory_bytes = 0;  // all copies must stay below; 0: no limit
  std::string timer;              // wanted; empty: the variant's usual one
};

class Variant {
 public:
  virtual ~Variant() = default;
  virtual std::string_view name() const = 0;
  // Errors: why it cannot run on this machine (no device, no instruction).
  virtual Status available() const = 0;
  // Errors: why it does not take this case; a variant need not have all operators.
  virtual Status supports(const OperatorCase& c) const = 0;
  virtual Result<std::unique_ptr<Execution>> make(const OperatorCase& c,
                                                  const SetupOptions& options) = 0;
};

// Variants by name, in the order in which they were added. The CPU's are always there; a build with
// CUDA adds its own by add_variant() from register_cuda_variants() (kernels/cuda).
std::vector<Variant*> all_variants();
Variant* find_variant(std::string_view name);  // null where there is none
void add_variant(std::unique_ptr<Variant> variant);

}  // namespace r1eval::kernels
