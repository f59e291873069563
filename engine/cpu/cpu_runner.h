// The embedded engine's forward pass on the CPU, as a ModelRunner.
//
// Numerics  kReference: weights dequantised to float32, float32 activations and cache. For parity
//           checks; needs four bytes a weight. kFast: quantised weights as stored, their inputs as
//           8-bit blocks, F16 cache; files of float weights only keep float32 activations and
//           cache.
// Errors    kUnsupported (architecture, feature, tensor type, by name), kParse (the file
// contradicts
//           itself), kResourceExhausted with numbers when the machine's memory cannot hold weights,
//           cache and scratch together.
// Tested    tests/engine/cpu/
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/cpu/step_times.h"
#include "engine/model/checkpoint.h"
#include "engine/model/gguf.h"
#include "engine/model/model_config.h"
#include "engine/model_runner.h"

namespace r1eval {

enum class Numerics : std::uint8_t { kReference, kFast };

struct CpuRunnerOptions {
  Numerics numerics = Numerics::kFast;
  int threads = 0;                   // 0: as many as the process may use
  std::int64_t cache_tokens = 8192;  // of all sequences together, rounded up to pages
  std::int64_t max_step_tokens = 512;
  // Rows of logits that a step may ask for, at most max_step_tokens; 0: so many.
  std::int64_t max_logit_rows = 0;
  // Of the process, for weights, cache, scratch and all else: bounds the cache; 0: no bound.
  std::int64_t memory_bytes = 0;
  std::int64_t real_tokens = 0;  // of the vocabulary; what lies beyond is padding. 0: all are real
  std::string model_id;          // a hash of the file, say: part of the prefix index's keys
  bool keep_prefixes = true;     // pages outlive their sequence and serve prompts that begin alike
  bool share_attention = true;   // sequences with pages in common together; changes no bit
  bool times_steps = false;      // times() adds up
};

struct CpuRunnerInfo {
  std::string isa;  // avx512, avx2 or scalar: part of what decides the bits of a logit
  int threads = 0;
  std::int64_t weight_bytes = 0;
  std::int64_t cache_bytes = 0;
  std::int64_t cache_tokens = 0;
  std::int64_t scratch_bytes = 0;  // of a step, rows of logits included
  std::int64_t other_bytes = 0;    // reserved for all else where memory_bytes bounds the process
};

class CpuRunner : public ModelRunner {
 public:
  virtual CpuRunnerInfo info() const = 0;
  virtual const ModelConfig& config() const = 0;
  // Of all steps so far; zero unless asked for.
  virtual StepTimes times() const = 0;
};

// `path`: a .gguf file or a checkpoint folder (engine/model/checkpoint.h).
Result<std::unique_ptr<CpuRunner>> make_cpu_runner(const std::string& path,
                                                   const CpuRunnerOptions& options);

// The same for what is already open, which may be closed afterwards.
Result<std::unique_ptr<CpuRunner>> make_cpu_runner(const Checkpoint& checkpoint,
                                                   const CpuRunnerOptions& options);
Result<std::unique_ptr<CpuRunner>> make_cpu_runner(const GgufFile& file,
                                                   const CpuRunnerOptions& options);

}  // namespace r1eval
