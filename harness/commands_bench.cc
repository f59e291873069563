// bench: measuring ourselves.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "engine/catalog.h"
#include "engine/cpu/cpu_runner.h"
#include "harness/bench_graders.h"
#include "harness/bench_sandbox.h"
#include "harness/command.h"
#include "harness/exit_codes.h"

namespace r1eval {
namespace {

struct EngineFlags {
  std::string model;
  std::vector<std::int64_t> batch = {1, 8, 32};
  std::int64_t prompt_tokens = 16;
  std::int64_t new_tokens = 32;
  std::int64_t shared_prompt = 0;
  std::int64_t threads = 0;
  std::int64_t repeat = 3;
  std::int64_t busy_threads = 0;
  bool json = false;
};

// Threads that do nothing but keep a processor busy, as a neighbour on the machine would.
class BusyThreads {
 public:
  explicit BusyThreads(std::int64_t n) {
    for (std::int64_t i = 0; i < n; ++i) {
      threads_.emplace_back([this] {
        while (!stop_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }

  ~BusyThreads() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      thread.join();
    }
  }

  BusyThreads(const BusyThreads&) = delete;
  BusyThreads& operator=(const BusyThreads&) = delete;

 private:
  std::atomic<bool> stop_{false};  // relaxed: a flag to poll, nothing else is published
  std::vector<std::thread> threads_;
};

double cpu_seconds() {
  struct rusage usage {};

  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Measured {
  double prefill_s = 0;
  double prefill_cpu_s = 0;
  double decode_s = 0;
  double decode_cpu_s = 0;
  StepTimes decode_parts;

  double job_s() const { return prefill_s + decode_s; }

  double job_cpu_s() const { return prefill_cpu_s + decode_cpu_s; }
};

// One round: prefill `batch` prompts, then decode. Tokens are fixed, as only the time counts.
Result<Measured> round(CpuRunner& runner, const EngineFlags& flags, std::int64_t batch,
                       bool shares) {
  const auto token = [&](std::int64_t row, std::int64_t at) {
    return static_cast<TokenId>(
        random_at(static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(at)) %
        static_cast<std::uint64_t>(runner.vocab_size()));
  };
  const std::int64_t n_prompt = flags.shared_prompt > 0 ? flags.shared_prompt : flags.prompt_tokens;
  std::vector<SequenceId> sequences;
  Measured measured;
  double started = steady_clock().now();
  double cpu = cpu_seconds();
  const auto feed = [&](SequenceId sequence, std::int64_t row) -> Status {
    std::vector<TokenId> prompt;
    for (std::int64_t i = 0; i < n_prompt; ++i) {
      prompt.push_back(token(row, i));
    }
    for (std::size_t at = 0; at < prompt.size();) {
      const std::size_t n =
          std::min(prompt.size() - at, static_cast<std::size_t>(runner.max_step_tokens()));
      StepChunk chunk;
      chunk.sequence = sequence;
      chunk.tokens = std::span<const TokenId>(prompt).subspan(at, n);
      R1_TRY(const std::span<const float> rows, runner.step(std::span(&chunk, 1)));
      (void)rows;
      at += n;
    }
    return ok_status();
  };
  for (std::int64_t row = 0; row < batch; ++row) {
    if (shares && row > 0) {
      R1_TRY(const SequenceId fork, runner.fork_sequence(sequences.front(), n_prompt));
      sequences.push_back(fork);
      continue;
    }
    sequences.push_back(runner.open_sequence());
    R1_RETURN_IF_ERROR(feed(sequences.back(), row));
  }
  measured.prefill_s = steady_clock().now() - started;
  measured.prefill_cpu_s = cpu_seconds() - cpu;
  started = steady_clock().now();
  cpu = cpu_seconds();
  const StepTimes before = runner.times();
  std::vector<TokenId> tokens(static_cast<std::size_t>(batch));
  for (std::int64_t i = 0; i < flags.new_tokens; ++i) {
    std::vector<StepChunk> chunks;
    for (std::int64_t row = 0; row < batch; ++row) {
      const auto at = static_cast<std::size_t>(row);
      tokens[at] = token(row, n_prompt + i);
      chunks.push_back({sequences[at], std::span<const TokenId>(&tokens[at], 1), 1});
    }
    R1_TRY(const std::span<const float> rows, runner.step(chunks));
    (void)rows;
  }
  measured.decode_s = steady_clock().now() - started;
  measured.decode_cpu_s = cpu_seconds() - cpu;
  const StepTimes after = runner.times();
  measured.decode_parts = {after.total_s - before.total_s, after.products_s - before.products_s,
                           after.attention_s - before.attention_s};
  for (const SequenceId sequence : sequences) {
    runner.close_sequence(sequence);
  }
  return measured;
}

// Medians of alternating rounds: the job as asked, the same where each sequence has a prompt of its
// own, and the first beside foreign busy threads.
struct Rounds {
  Measured asked;
  double private_job_s = 0;
  double private_job_cpu_s = 0;
  double busy_decode_s = 0;
};

Result<Rounds> all_rounds(CpuRunner& runner, const EngineFlags& flags, std::int64_t batch) {
  const bool shares = flags.shared_prompt > 0;
  std::vector<Measured> asked;
  std::vector<double> private_jobs;
  std::vector<double> private_cpu;
  std::vector<double> busy;
  R1_TRY(const Measured warm, round(runner, flags, batch, shares));
  (void)warm;
  for (std::int64_t i = 0; i < flags.repeat; ++i) {
    R1_TRY(const Measured measured, round(runner, flags, batch, shares));
    asked.push_back(measured);
    if (shares) {
      R1_TRY(const Measured apart, round(runner, flags, batch, false));
      private_jobs.push_back(apart.job_s());
      private_cpu.push_back(apart.job_cpu_s());
    }
    if (flags.busy_threads > 0) {
      const BusyThreads foreign(flags.busy_threads);
      R1_TRY(const Measured disturbed, round(runner, flags, batch, shares));
      busy.push_back(disturbed.decode_s);
    }
  }
  const auto median = [](auto& values, auto less) {
    std::sort(values.begin(), values.end(), less);
    return values[values.size() / 2];
  };
  Rounds out;
  out.asked =
      median(asked, [](const Measured& a, const Measured& b) { return a.decode_s < b.decode_s; });
  out.private_job_s = private_jobs.empty() ? 0 : median(private_jobs, std::less<>());
  out.private_job_cpu_s = private_cpu.empty() ? 0 : median(private_cpu, std::less<>());
  out.busy_decode_s = busy.empty() ? 0 : median(busy, std::less<>());
  return out;
}

Status bench_engine(const EngineFlags& flags) {
  R1_TRY(const Catalog catalog, Catalog::open());
  std::string path = flags.model;
  if (const CatalogModel* entry = catalog.find(flags.model)) {
    R1_TRY(path, locate_model(*entry));
  }
  const std::int64_t widest = *std::max_element(flags.batch.begin(), flags.batch.end());
  CpuRunnerOptions options;
  options.threads = static_cast<int>(flags.threads);
  options.cache_tokens =
      widest * (std::max(flags.prompt_tokens, flags.shared_prompt) + flags.new_tokens + 64);
  options.max_step_tokens = std::max<std::int64_t>(512, widest);
  options.max_logit_rows = widest;
  options.keep_prefixes = false;  // every round computes its prompts
  options.times_steps = true;
  R1_TRY(const std::unique_ptr<CpuRunner> runner, make_cpu_runner(path, options));
  const CpuRunnerInfo info = runner->info();
  OrderedJson out = {
      {"model", flags.model},
      {"isa", info.isa},
      {"threads", info.threads},
      {"weight_bytes", info.weight_bytes},
      {"prompt_tokens", flags.shared_prompt > 0 ? flags.shared_prompt : flags.prompt_tokens},
      {"new_tokens", flags.new_tokens},
      {"shared_prompt", flags.shared_prompt > 0}};
  if (!flags.json) {
    std::printf("%s, %s, %d threads, %.0f MB of weights\n", flags.model.c_str(), info.isa.c_str(),
                info.threads, static_cast<double>(info.weight_bytes) / 1e6);
    std::printf("%6s %12s %14s %13s %8s   %s\n", "batch", "decode tok/s", "tok/CPU-second",
                "prefill tok/s", "ms/step", "projections, attention, other");
  }
  for (const std::int64_t batch : flags.batch) {
    R1_TRY(const Rounds rounds, all_rounds(*runner, flags, batch));
    const Measured& median = rounds.asked;
    const auto n = static_cast<double>(batch * flags.new_tokens);
    const auto n_prompt = static_cast<double>(
        flags.shared_prompt > 0 ? flags.shared_prompt : flags.prompt_tokens * batch);
    OrderedJson row = {
        {"batch", batch},
        {"tokens_per_s", n / median.decode_s},
        {"tokens_per_cpu_s", n / std::max(1e-9, median.decode_cpu_s)},
        {"prefill_tokens_per_s", n_prompt / median.prefill_s},
        {"prefill_tokens_per_cpu_s", n_prompt / std::max(1e-9, median.prefill_cpu_s)},
        {"ms_per_step", 1000 * median.decode_s / static_cast<double>(flags.new_tokens)}};
    const StepTimes& parts = median.decode_parts;
    const double total = std::max(1e-9, parts.total_s);
    row["share_projections"] = parts.products_s / total;
    row["share_attention"] = parts.attention_s / total;
    row["share_other"] = (parts.total_s - parts.products_s - parts.attention_s) / total;
    if (rounds.private_job_s > 0) {
      row["job_s"] = median.job_s();
      row["private_job_s"] = rounds.private_job_s;
      row["sharing_gain"] = rounds.private_job_s / median.job_s();
      row["sharing_gain_cpu"] = rounds.private_job_cpu_s / std::max(1e-9, median.job_cpu_s());
    }
    if (rounds.busy_decode_s > 0) {
      row["share_kept_beside_busy_threads"] = median.decode_s / rounds.busy_decode_s;
    }
    out["results"].push_back(row);
    if (!flags.json) {
      std::printf("%6ld %12.1f %14.1f %13.1f %8.2f   %.0f %%, %.0f %%, %.0f %%\n",
                  static_cast<long>(batch), row["tokens_per_s"].get<double>(),
                  row["tokens_per_cpu_s"].get<double>(), row["prefill_tokens_per_s"].get<double>(),
                  row["ms_per_step"].get<double>(), 100 * row["share_projections"].get<double>(),
                  100 * row["share_attention"].get<double>(),
                  100 * row["share_other"].get<double>());
      if (rounds.private_job_s > 0) {
        std::printf(
            "       prompt and decoding %.2f s; with a prompt of its own for each sequence "
            "%.2f s: %.1f times, by processor time %.1f\n",
            median.job_s(), rounds.private_job_s, rounds.private_job_s / median.job_s(),
            rounds.private_job_cpu_s / std::max(1e-9, median.job_cpu_s()));
      }
      if (rounds.busy_decode_s > 0) {
        std::printf("       beside %ld busy threads %.0f %% of the decoding rate\n",
                    static_cast<long>(flags.busy_threads),
                    100 * median.decode_s / rounds.busy_decode_s);
      }
      std::fflush(stdout);
    }
  }
  if (flags.json) {
    std::printf("%s\n", dump_json(out).c_str());
  }
  return ok_status();
}

}  // namespace

void add_bench_commands(CLI::App& app, Action& action) {
  CLI::App* bench = app.add_subcommand("bench", "measure r1eval itself");
  bench->require_subcommand(1);
  CLI::App* engine =
      bench->add_subcommand("engine", "tokens/s of the embedded engine, by batch size");
  auto flags = std::make_shared<EngineFlags>();
  engine->add_option("--model", flags->model, "alias or .gguf")->required();
  engine->add_option("--batch", flags->batch, "batch sizes")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  engine->add_option("--prompt-tokens", flags->prompt_tokens)->check(CLI::Range(1, 100000));
  engine->add_option("--new-tokens", flags->new_tokens)->check(CLI::Range(1, 100000));
  engine->add_option("--shared-prompt", flags->shared_prompt, "one prompt of N tokens for all")
      ->check(CLI::Range(0, 100000));
  engine->add_option("--threads", flags->threads, "default: all");
  engine
      ->add_option("--busy-threads", flags->busy_threads,
                   "also beside N foreign threads that keep processors busy")
      ->check(CLI::Range(0, 64));
  engine->add_option("--repeat", flags->repeat, "rounds; the median is shown")
      ->check(CLI::Range(1, 1000));
  engine->add_flag("--json", flags->json, "one JSON object");
  engine->callback([&action, flags] {
    action = [flags] {
      const Status status = bench_engine(*flags);
      return status ? kExitOk : report_failure(status.error());
    };
  });
  CLI::App* graders = bench->add_subcommand("graders", "microseconds a pair of the math grader");
  auto pairs = std::make_shared<GraderBench>();
  graders->add_option("--set", pairs->set, "JSON lines: gold, pred, mode, profile")->required();
  graders->add_option("--repeat", pairs->repeat, "rounds; the median of each pair counts")
      ->check(CLI::Range(1, 1000));
  graders->add_flag("--json", pairs->json, "one JSON object");
  graders->callback([&action, pairs] {
    action = [pairs] {
      const Status status = bench_graders(*pairs);
      return status ? kExitOk : report_failure(status.error());
    };
  });
  CLI::App* sandbox = bench->add_subcommand(
      "sandbox", "isolated programs a second, beside a bare fork, python3 and bubblewrap");
  auto isolation = std::make_shared<SandboxBench>();
  sandbox->add_option("--rounds", isolation->rounds, "interleaved; medians are shown")
      ->check(CLI::Range(1, 1000));
  sandbox->add_option("--runs", isolation->runs, "of each kind a round")
      ->check(CLI::Range(10, 100000));
  sandbox->add_option("--level", isolation->level, "exactly this level")
      ->check(CLI::IsMember({"A", "B", "C"}));
  sandbox->add_flag("--json", isolation->json, "one JSON object");
  sandbox->callback([&action, isolation] {
    action = [isolation] {
      const Status status = bench_sandbox(*isolation);
      return status ? kExitOk : report_failure(status.error());
    };
  });
}

}  // namespace r1eval
