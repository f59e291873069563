// See cpu_runner.h. Checks what the caller asks, keeps the books of the cache, and calls Forward.
#include "engine/cpu/cpu_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/parallel.h"
#include "engine/cpu/forward.h"
#include "engine/cpu/kv_cache.h"
#include "engine/cpu/weights.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/thread_team.h"
#include "kernels/kernels.h"

namespace r1eval {

namespace {

using cpu::Forward;
using cpu::KvCache;
using cpu::KvShape;
using cpu::ModelWeights;
using cpu::StepToken;
using cpu::ThreadTeam;

std::int64_t logit_bytes(const ModelConfig& config, std::int64_t n_rows) {
  return n_rows * config.vocab_size * static_cast<std::int64_t>(sizeof(float));
}

// What a step works in.
std::int64_t step_bytes(const ModelConfig& config, std::int64_t max_tokens, std::int64_t n_rows) {
  return Forward::scratch_bytes(config, max_tokens) + logit_bytes(config, n_rows);
}

// What else a process holds: code, graders and records, and the tokenizer by its vocabulary.
constexpr std::int64_t kProcessBytes = std::int64_t{64} << 20;
constexpr std::int64_t kTokenBytes = 400;

std::int64_t other_bytes(const ModelConfig& config) {
  return kProcessBytes + kTokenBytes * config.vocab_size;
}

class Runner final : public CpuRunner {
 public:
  Runner(ModelConfig config, ModelWeights weights, KvCache cache, const CpuRunnerOptions& options)
      : config_(std::move(config)),
        weights_(std::move(weights)),
        cache_(std::move(cache)),
        max_step_tokens_(options.max_step_tokens),
        max_logit_rows_(options.max_logit_rows),
        share_attention_(options.share_attention),
        times_steps_(options.times_steps),
        real_tokens_(options.real_tokens),
        team_(options.threads) {}

  Status start() {
    R1_TRY(forward_, Forward::make(config_, weights_, cache_, max_step_tokens_));
    forward_.set_shares_attention(share_attention_);
    forward_.set_times(times_steps_ ? &times_ : nullptr);
    R1_TRY(logits_, cpu::Block::make(logit_bytes(config_, max_logit_rows_), "rows of logits"));
    return ok_status();
  }

  std::int64_t vocab_size() const override { return config_.vocab_size; }

  std::int64_t context_tokens() const override { return config_.context_tokens; }

  CacheStats cache_stats() const override { return cache_.stats(); }

  std::int64_t max_step_tokens() const override { return max_step_tokens_; }

  SequenceId open_sequence() override { return cache_.open(); }

  SequenceId open_sequence(std::span<const TokenId> tokens) override {
    return cache_.open_prefix(tokens);
  }

  std::int64_t cached_tokens(std::span<const TokenId> tokens) const override {
    return cache_.prefix_tokens(tokens);
  }

  Result<SequenceId> fork_sequence(SequenceId parent, std::int64_t n_tokens) override {
    return cache_.fork(parent, n_tokens);
  }

  void close_sequence(SequenceId sequence) override { cache_.close(sequence); }

  std::int64_t sequence_tokens(SequenceId sequence) const override {
    return cache_.n_tokens(sequence);
  }

  Result<std::span<const float>> step(std::span<const StepChunk> chunks) override {
    R1_RETURN_IF_ERROR(check(chunks));
    tokens_.clear();
    logit_tokens_.clear();
    scored_tokens_.clear();
    targets_.clear();
    bool wants_log_sums = false;
    for (const StepChunk& chunk : chunks) {
      const std::int64_t before = cache_.n_tokens(chunk.sequence);
      const auto n = static_cast<std::int64_t>(chunk.tokens.size());
      cache_.append(chunk.sequence, chunk.tokens);
      const std::int32_t* pages = cache_.pages(chunk.sequence);
      const auto first = static_cast<std::int64_t>(tokens_.size());
      for (const ScoreTarget& target : chunk.targets) {
        if (scored_tokens_.empty() || scored_tokens_.back() != first + target.row) {
          scored_tokens_.push_back(first + target.row);
        }
        targets_.push_back({static_cast<std::int64_t>(scored_tokens_.size()) - 1, target.token});
      }
      wants_log_sums = wants_log_sums || chunk.wants_log_sums;
      for (std::int64_t i = 0; i < n; ++i) {
        if (i >= n - chunk.logit_rows) {
          logit_tokens_.push_back(static_cast<std::int64_t>(tokens_.size()));
        }
        tokens_.push_back({chunk.tokens[static_cast<std::size_t>(i)], before + i, pages});
      }
    }
    const std::size_t n_logits =
        logit_tokens_.size() * static_cast<std::size_t>(config_.vocab_size);
    if (!tokens_.empty()) {
      const std::int64_t vocab = config_.vocab_size;
      scores_.resize(targets_.size());
      log_sums_.resize(wants_log_sums ? logit_tokens_.size() : 0);
      forward_.run(team_, tokens_,
                   {logit_tokens_, logits_.as<float>(), log_sums_, scored_tokens_, targets_,
                    scores_, real_tokens_ > 0 ? std::min(real_tokens_, vocab) : vocab});
    }
    for (const StepChunk& chunk : chunks) {
      cache_.commit(chunk.sequence);
    }
    return std::span<const float>(logits_.as<float>(), n_logits);
  }

  std::span<const TokenScore> scores() const override { return scores_; }

  std::span<const double> log_sums() const override { return log_sums_; }

  CpuRunnerInfo info() const override {
    return {kernels::active_kernels().isa,
            team_.size(),
            weights_.bytes(),
            cache_.bytes(),
            cache_.stats().n_pages * kernels::kPageTokens,
            step_bytes(config_, max_step_tokens_, max_logit_rows_),
            other_bytes(config_)};
  }

  const ModelConfig& config() const override { return config_; }

  StepTimes times() const override { return times_; }

 private:
  // Everything that could fail, before anything changes.
  Status check(std::span<const StepChunk> chunks) const {
    std::int64_t n_tokens = 0;
    std::int64_t n_rows = 0;
    std::int64_t n_pages = 0;
    std::set<SequenceId> seen;
    for (const StepChunk& chunk : chunks) {
      const auto n = static_cast<std::int64_t>(chunk.tokens.size());
      if (!cache_.is_open(chunk.sequence) || !seen.insert(chunk.sequence).second) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("step: sequence {} is not open, or occurs twice", chunk.sequence));
      }
      if (n == 0 || chunk.logit_rows < 0 || chunk.logit_rows > n) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("step: sequence {}: {} tokens with {} rows of logits",
                                chunk.sequence, n, chunk.logit_rows));
      }
      std::int64_t row = 0;
      for (const ScoreTarget& target : chunk.targets) {
        if (target.row < row || target.row >= n || target.token < 0 ||
            target.token >= config_.vocab_size || chunk.logit_rows != 0) {
          return fail(ErrorCode::kInvalidArgument,
                      fmt::format("step: sequence {}: token {} is to be scored at row {} of {}, "
                                  "with {} rows of logits",
                                  chunk.sequence, target.token, target.row, n, chunk.logit_rows));
        }
        row = target.row;
      }
      const std::int64_t after = cache_.n_tokens(chunk.sequence) + n;
      if (after > config_.context_tokens) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("step: sequence {} would have {} tokens; the model was made for {}",
                                chunk.sequence, after, config_.context_tokens));
      }
      for (const TokenId token : chunk.tokens) {
        if (token < 0 || token >= config_.vocab_size) {
          return fail(ErrorCode::kInvalidArgument,
                      fmt::format("step: token {} is outside the vocabulary of {}", token,
                                  config_.vocab_size));
        }
      }
      n_tokens += n;
      n_rows += chunk.logit_rows;
      n_pages += cache_.pages_needed(chunk.sequence, n);
    }
    if (n_tokens > max_step_tokens_ || n_rows > max_logit_rows_) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("step: {} tokens with {} rows of logits; at most {} and {} fit in a "
                              "step",
                              n_tokens, n_rows, max_step_tokens_, max_logit_rows_));
    }
    if (n_pages > cache_.n_free()) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("key/value cache: {} pages are needed and {} of {} are free", n_pages,
                              cache_.n_free(), cache_.stats().n_pages));
    }
    return ok_status();
  }

  const ModelConfig config_;
  const ModelWeights weights_;
  KvCache cache_;
  const std::int64_t max_step_tokens_;
  const std::int64_t max_logit_rows_;
  const bool share_attention_;
  const bool times_steps_;
  StepTimes times_;
  const std::int64_t real_tokens_;
  ThreadTeam team_;
  Forward forward_;
  cpu::Block logits_;  // (max_logit_rows, V)
  std::vector<StepToken> tokens_;
  std::vector<std::int64_t> logit_tokens_;
  std::vector<std::int64_t> scored_tokens_;
  std::vector<cpu::RowTarget> targets_;
  std::vector<double> log_sums_;
  std::vector<TokenScore> scores_;
};

double mebibytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / 1048576.0;
}

// Whether fast numerics store anything in less than two bytes a value.
bool has_small_weights(const Checkpoint& checkpoint) {
  const auto& tensors = checkpoint.tensors();
  return std::any_of(tensors.begin(), tensors.end(), [](const CheckpointTensor& tensor) {
    return tensor.type == TensorType::kF8_E4M3 || tensor_type_info(tensor.type).block_values > 1;
  });
}

KvShape cache_shape(const ModelConfig& config, bool is_f16) {
  KvShape shape;
  shape.n_layers = config.n_layers;
  shape.is_f16 = is_f16;
  if (config.is_latent()) {
    shape.n_kv_heads = 1;
    shape.head_dim = config.latent.cache_dim();
    shape.latent_width = config.latent.kv_rank;
  } else {
    shape.n_kv_heads = config.n_kv_heads;
    shape.head_dim = config.head_dim;
  }
  return shape;
}

// Refuses what cannot fit before anything large is allocated; makes the cache smaller where the
// budget says so.
Status check_memory(const Checkpoint& checkpoint, const ModelConfig& config, const KvShape& shape,
                    CpuRunnerOptions& options) {
  const bool as_f32 = options.numerics == Numerics::kReference;
  R1_TRY(const std::int64_t weights, cpu::packed_weight_bytes(checkpoint, config, as_f32));
  std::int64_t pages = (options.cache_tokens + kernels::kPageTokens - 1) / kernels::kPageTokens;
  const std::int64_t scratch = step_bytes(config, options.max_step_tokens, options.max_logit_rows);
  const std::int64_t other = other_bytes(config);
  if (options.memory_bytes > 0) {
    const std::int64_t left = options.memory_bytes - weights - scratch - other;
    pages = std::min(pages, left / shape.bytes_per_page());
    if (pages < 1) {
      return fail(
          ErrorCode::kResourceExhausted,
          fmt::format("{}: a budget of {:.0f} MiB leaves no room for a cache: the weights take "
                      "{:.0f} MiB, the scratch {:.0f}, all else {:.0f}",
                      checkpoint.path(), mebibytes(options.memory_bytes), mebibytes(weights),
                      mebibytes(scratch), mebibytes(other)));
    }
    options.cache_tokens = pages * kernels::kPageTokens;
  }
  const std::int64_t cache = pages * shape.bytes_per_page();
  const std::int64_t available = cpu::available_memory_bytes();
  if (available >= 0 && weights + cache + scratch > available) {
    return fail(
        ErrorCode::kResourceExhausted,
        fmt::format("{}: needs {:.0f} MiB ({:.0f} weights, {:.0f} cache for {} tokens, {:.0f} "
                    "scratch) and {:.0f} MiB are available; use a smaller quantisation or a "
                    "smaller cache",
                    checkpoint.path(), mebibytes(weights + cache + scratch), mebibytes(weights),
                    mebibytes(cache), options.cache_tokens, mebibytes(scratch),
                    mebibytes(available)));
  }
  constexpr std::int64_t kWorthALine = std::int64_t{1} << 30;  // loading it takes a moment
  if (weights >= kWorthALine) {
    log_info(
        fmt::format("{}: {:.0f} MiB of weights, {:.0f} of cache for {} tokens, {:.0f} of "
                    "scratch; {:.0f} MiB are available",
                    checkpoint.path(), mebibytes(weights), mebibytes(cache), options.cache_tokens,
                    mebibytes(scratch), mebibytes(available)));
  }
  return ok_status();
}

}  // namespace

Result<std::unique_ptr<CpuRunner>> make_cpu_runner(const Checkpoint& checkpoint,
                                                   const CpuRunnerOptions& wished) {
  CpuRunnerOptions options = wished;
  if (options.threads <= 0) {
    options.threads = available_cpus();
  }
  if (options.max_logit_rows <= 0 || options.max_logit_rows > options.max_step_tokens) {
    options.max_logit_rows = options.max_step_tokens;
  }
  constexpr std::int64_t kMaxStepTokens = 1 << 16;
  if (options.threads > 1024 || options.cache_tokens < 1 || options.max_step_tokens < 1 ||
      options.max_step_tokens > kMaxStepTokens || options.cache_tokens > (std::int64_t{1} << 31)) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("cpu runner: {} threads, {} cache tokens, {} tokens a step; up to 1024, "
                    "2^31 and {} are possible",
                    options.threads, options.cache_tokens, options.max_step_tokens,
                    kMaxStepTokens));
  }
  if (const std::string problem = kernels::isa_problem(); !problem.empty()) {
    log_warning(problem);
  }
  R1_TRY(ModelConfig config, checkpoint.config());
  const std::int64_t widest = config.is_latent() ? config.latent.kv_rank : config.head_dim;
  if (widest > kernels::kMaxHeadDim) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: heads of {} values; up to {} are supported", checkpoint.path(),
                            widest, kernels::kMaxHeadDim));
  }
  const bool as_f32 = options.numerics == Numerics::kReference;
  const KvShape shape = cache_shape(config, !as_f32 && has_small_weights(checkpoint));
  R1_RETURN_IF_ERROR(check_memory(checkpoint, config, shape, options));
  R1_TRY(ModelWeights weights, cpu::load_weights(checkpoint, config, as_f32));
  R1_TRY(KvCache cache,
         KvCache::make(shape, options.cache_tokens, options.model_id, options.keep_prefixes));
  auto runner =
      std::make_unique<Runner>(std::move(config), std::move(weights), std::move(cache), options);
  R1_RETURN_IF_ERROR(runner->start());
  return std::unique_ptr<CpuRunner>(std::move(runner));
}

Result<std::unique_ptr<CpuRunner>> make_cpu_runner(const GgufFile& file,
                                                   const CpuRunnerOptions& options) {
  R1_TRY(const std::unique_ptr<Checkpoint> checkpoint, view_gguf(file));
  return make_cpu_runner(*checkpoint, options);
}

Result<std::unique_ptr<CpuRunner>> make_cpu_runner(const std::string& path,
                                                   const CpuRunnerOptions& options) {
  R1_TRY(const std::unique_ptr<Checkpoint> checkpoint, Checkpoint::open(path));
  return make_cpu_runner(*checkpoint, options);
}

}  // namespace r1eval
