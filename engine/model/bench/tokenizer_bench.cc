// Megabytes a second of tokenising a text on one core, and of giving the tokens back as bytes.
//
// usage  R1EVAL_BENCH_TOKENIZER=model.gguf|tokenizer.json R1EVAL_BENCH_TEXT=english.txt
// tokenizer_bench The text is encoded whole, and in pieces of the size of prompts.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "engine/model/gguf.h"
#include "engine/model/tokenizer.h"

namespace r1eval {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

template <typename T>
T or_exit(const char* what, Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", what, result.error().message.c_str());
    std::exit(1);
  }
  return std::move(result).value();
}

const Tokenizer& tokenizer() {
  static const std::unique_ptr<Tokenizer> made = [] {
    constexpr const char* kName = "R1EVAL_BENCH_TOKENIZER";
    const std::string path = variable(kName);
    if (path.ends_with(".json")) {
      return or_exit(kName, Tokenizer::from_tokenizer_json_file(path));
    }
    return or_exit(kName, Tokenizer::from_gguf(or_exit(kName, GgufFile::open(path))));
  }();
  return *made;
}

const std::string& text() {
  static const std::string read =
      or_exit("R1EVAL_BENCH_TEXT", read_file(variable("R1EVAL_BENCH_TEXT")));
  return read;
}

void encode(benchmark::State& state) {
  const std::string_view all = text();
  const auto piece = state.range(0) == 0 ? all.size() : static_cast<std::size_t>(state.range(0));
  std::size_t n_tokens = 0;
  tokenizer();
  for (auto _ : state) {
    n_tokens = 0;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      n_tokens += tokenizer().encode(all.substr(at, piece)).value().size();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(all.size()) * state.iterations());
  state.counters["tokens"] = static_cast<double>(n_tokens);
}

void decode(benchmark::State& state) {
  const std::vector<TokenId> tokens = tokenizer().encode(text()).value();
  for (auto _ : state) {
    benchmark::DoNotOptimize(tokenizer().decode(tokens).data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(text().size()) * state.iterations());
}

BENCHMARK(encode)->Arg(0)->Arg(2000)->Unit(benchmark::kMillisecond);
BENCHMARK(decode)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace r1eval
