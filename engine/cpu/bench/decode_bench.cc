// Tokens per second of the CPU engine on a real model: decoding with B sequences, and prefill.
//
// usage  R1EVAL_BENCH_MODEL=model.gguf [R1EVAL_BENCH_THREADS=2] decode_bench
// Decode  each of B sequences holds 16 tokens, then one iteration is one step with one token each;
//         sequences begin anew after 32 tokens. Prefill: one iteration is a prompt of T tokens.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/cpu/cpu_runner.h"

namespace r1eval {
namespace {

CpuRunner* runner() {
  static const std::unique_ptr<CpuRunner> made = [] {
    const char* model = std::getenv("R1EVAL_BENCH_MODEL");
    const char* threads = std::getenv("R1EVAL_BENCH_THREADS");
    CpuRunnerOptions options;
    options.threads = threads == nullptr ? 2 : std::atoi(threads);
    options.cache_tokens = 64 * 64;
    auto result = make_cpu_runner(std::string(model == nullptr ? "" : model), options);
    if (!result) {
      std::fprintf(stderr, "R1EVAL_BENCH_MODEL: %s\n", result.error().message.c_str());
      std::exit(1);
    }
    return std::move(result).value();
  }();
  return made.get();
}

void decode(benchmark::State& state) {
  CpuRunner& model = *runner();
  const auto batch = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t kPrompt = 16;
  constexpr std::size_t kGenerated = 32;
  std::vector<TokenId> tokens(kPrompt);
  for (std::size_t i = 0; i < kPrompt; ++i) {
    tokens[i] = static_cast<TokenId>((i * 37 + 11) % static_cast<std::size_t>(model.vocab_size()));
  }
  std::vector<StepChunk> chunks(batch);
  std::size_t generated = kGenerated;
  for (auto _ : state) {
    if (generated == kGenerated) {
      state.PauseTiming();
      for (StepChunk& chunk : chunks) {
        model.close_sequence(chunk.sequence);
        chunk = {model.open_sequence(), tokens, 0};
        benchmark::DoNotOptimize(model.step({&chunk, 1}).has_value());
        chunk.tokens = {tokens.data(), 1};
        chunk.logit_rows = 1;
      }
      generated = 0;
      state.ResumeTiming();
    }
    const auto logits = model.step(chunks);
    benchmark::DoNotOptimize(logits.value().data());
    ++generated;
  }
  for (const StepChunk& chunk : chunks) {
    model.close_sequence(chunk.sequence);
  }
  state.counters["tokens/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(batch),
                         benchmark::Counter::kIsRate);
}

void prefill(benchmark::State& state) {
  CpuRunner& model = *runner();
  std::vector<TokenId> tokens(static_cast<std::size_t>(state.range(0)));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<TokenId>((i * 37 + 11) % static_cast<std::size_t>(model.vocab_size()));
  }
  for (auto _ : state) {
    const StepChunk chunk{model.open_sequence(), tokens, 1};
    const auto logits = model.step({&chunk, 1});
    benchmark::DoNotOptimize(logits.value().data());
    model.close_sequence(chunk.sequence);
  }
  state.counters["tokens/s"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(tokens.size()),
      benchmark::Counter::kIsRate);
}

BENCHMARK(decode)->Arg(1)->Arg(2)->Arg(4)->Arg(8)->Arg(16)->Arg(32)->UseRealTime();
BENCHMARK(prefill)->Arg(512)->UseRealTime();

}  // namespace
}  // namespace r1eval
