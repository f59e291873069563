// serve-mock: an OpenAI-compatible server for tests and demonstrations.
#include <fmt/format.h>
#include <poll.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "base/cancel.h"
#include "base/log.h"
#include "engine/mock/mock_server.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/signals.h"

namespace r1eval {
namespace {

struct Flags {
  MockServerOptions options;
  std::string script;
  std::string faults;
  std::int64_t latency_ms = 0;
};

int serve(Flags flags) {
  CancelToken cancel;
  const SignalScope signals(cancel);
  MockScript script;
  if (!flags.script.empty()) {
    Result<MockScript> read = MockScript::open(flags.script);
    if (!read) {
      return report_failure(read.error());
    }
    script = std::move(read).value();
  }
  const Result<MockFaults> faults = parse_faults(flags.faults);
  if (!faults) {
    return report_failure(faults.error());
  }
  flags.options.faults = *faults;
  flags.options.latency_s = static_cast<double>(flags.latency_ms) / 1000;
  const Result<std::unique_ptr<MockServer>> server =
      MockServer::start(std::move(script), flags.options);
  if (!server) {
    return report_failure(server.error());
  }
  std::printf("listening on http://127.0.0.1:%d/v1\n", (*server)->port());
  std::fflush(stdout);
  while (!cancel.is_draining()) {
    ::poll(nullptr, 0, 100);  // a signal ends it early
  }
  (*server)->stop();
  std::printf("%s\n", (*server)->stats_json().c_str());
  return kExitOk;
}

}  // namespace

void add_serve_mock_commands(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("serve-mock", "a scripted OpenAI-compatible server");
  auto flags = std::make_shared<Flags>();
  command->add_option("--port", flags->options.port, "0: any free one");
  command->add_option("--script", flags->script, "JSONL of rules; default: echoes the message");
  command->add_option("--model", flags->options.model, "the name it serves under");
  command->add_option("--max-model-len", flags->options.max_model_len, "its context length");
  command->add_option("--latency-ms", flags->latency_ms, "before the first byte")
      ->check(CLI::Range(0, 3600000));
  command->add_option("--tokens", flags->options.tokens, "answer with so many words");
  command->add_option("--faults", flags->faults,
                      "e.g. 500:5%,429:5%:retry-after=1,cut:2%,empty:1%,slow:1%,stall:1%");
  command->add_option("--queue", flags->options.queue,
                      "serve so many at once; others wait and are never refused");
  command->add_option("--seed", flags->options.seed, "of the faults");
  command->callback([&action, flags] { action = [flags] { return serve(*flags); }; });
}

}  // namespace r1eval
