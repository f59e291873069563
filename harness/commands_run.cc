// run, resume, grade.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "base/file.h"
#include "base/log.h"
#include "harness/command.h"
#include "harness/exit_codes.h"
#include "harness/run.h"

namespace r1eval {

std::string command_line() {
  const Result<std::string> raw = read_file("/proc/self/cmdline");
  std::string out;
  if (!raw) {
    return out;
  }
  std::istringstream words(*raw);
  std::string word;
  bool first = true;
  while (std::getline(words, word, '\0')) {
    if (first) {
      word = "r1eval";
      first = false;
    }
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-+=:,./@%") == std::string::npos;
    std::string quoted = "'";
    for (const char c : word) {
      quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    quoted += "'";
    out += (out.empty() ? "" : " ") + (plain ? word : quoted);
  }
  return redact(out);
}

namespace {

// "@FILE" stands for the file's text.
Result<std::string> text_or_file(const std::string& flag, const std::string& value) {
  if (value.empty() || value.front() != '@') {
    return value;
  }
  Result<std::string> text = read_file(value.substr(1));
  if (!text) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} {}: {}", flag, value, text.error().message));
  }
  return text;
}

struct RunFlags {
  RunOptions options;
  std::string log_level = "info";
  bool print_config = false;
  bool no_stream = false;
};

void add_what_flags(CLI::App& run, RunOptions& o) {
  run.add_option("--suite", o.suite, "a suite of tasks: math, knowledge, code, r1, mini")
      ->envname("R1EVAL_SUITE")
      ->group("What");
  run.add_option("--task", o.tasks, "tasks by name, or the path of a task's .toml")
      ->delimiter(',')
      ->envname("R1EVAL_TASK")
      ->group("What");
  run.add_option("--k", o.k, "samples an item; default: each task's own")
      ->envname("R1EVAL_K")
      ->group("What");
  run.add_option("--seed", o.seed, "of the run; every sample's seed follows from it")
      ->envname("R1EVAL_SEED")
      ->group("What");
  run.add_option(
         "--limit", o.limit,
         "N items or P% of each task: a seeded sample spread over subjects, not the first N")
      ->envname("R1EVAL_LIMIT")
      ->group("What");
  run.add_option("--items", o.items, "only these item ids")->delimiter(',')->group("What");
  run.add_option("--shuffle", o.shuffle, "of choices: r1eval, simple-evals, none")->group("What");
  run.add_option("--directive", o.directive,
                 "where the answer's form is asked: before, after, none")
      ->group("What");
  run.add_option("--prompt", o.prompt_variant, "another prompt of the task, e.g. simple-evals")
      ->group("What");
  run.add_option("--system-prompt", o.system_prompt, "text, or @FILE; default: none")
      ->group("What");
  run.add_option("--release", o.release, "of a dataset with releases (LiveCodeBench: 1 to 6)")
      ->group("What");
  run.add_option("--window", o.window, "FROM..UNTIL (without UNTIL): dates in place of the task's")
      ->group("What");
  run.add_option("--shots", o.n_shots, "examples before the question; default: the task's")
      ->group("What");
}

void add_model_flags(CLI::App& run, RunFlags& flags) {
  RunOptions& o = flags.options;
  run.add_option("--model,-m", o.model,
                 "an alias (`r1eval models list`), a .gguf file, mock:SCRIPT.jsonl, or NAME@URL")
      ->envname("R1EVAL_MODEL")
      ->group("Model");
  run.add_option("--base-url", o.base_url,
                 "of an OpenAI-compatible endpoint (also OPENAI_BASE_URL)")
      ->group("Model");
  run.add_option("--key-file", o.key_file, "file with the endpoint's key (also OPENAI_API_KEY)")
      ->group("Model");
  run.add_option("--header", o.headers, "KEY:VALUE sent with every request; recorded by name only")
      ->group("Model");
  run.add_option("--model-revision", o.model_revision, "which weights these are; recorded")
      ->group("Model");
  run.add_option("--think-tags", o.think_tags, "OPEN,CLOSE around the thinking")->group("Model");
  run.add_option("--assistant-prefix", o.assistant_prefix,
                 "text that the answer is made to begin with, e.g. $'<think>\\n'")
      ->group("Model");
  run.add_option("--threads", o.threads, "of the embedded engine; default: all")->group("Model");
  run.add_option("--engine-memory", o.engine_memory,
                 "of the embedded engine, e.g. 2GiB: its cache takes what the weights leave")
      ->transform(CLI::AsSizeValue(false))
      ->group("Model");
  run.add_option("--concurrency", o.concurrency, "requests in flight: auto or N")
      ->envname("R1EVAL_CONCURRENCY")
      ->group("Model");
  run.add_flag("--no-stream", flags.no_stream, "ask the endpoint for whole replies")
      ->group("Model");
  run.add_option("--max-attempts", o.max_attempts, "requests for one sample, the first included")
      ->group("Model");
}

void add_sampling_flags(CLI::App& run, RunOptions& o) {
  run.add_option("--max-tokens", o.max_tokens,
                 "limit on an answer, thinking included; default: the task's, within the context")
      ->envname("R1EVAL_MAX_TOKENS")
      ->group("Sampling");
  run.add_option("--temperature", o.temperature, "0 is greedy; default: the task's (0.6)")
      ->envname("R1EVAL_TEMPERATURE")
      ->group("Sampling");
  run.add_option("--top-p", o.top_p, "default: the task's (0.95)")->group("Sampling");
  run.add_option("--top-k", o.top_k, "0 is off")->group("Sampling");
  run.add_option("--min-p", o.min_p, "0 is off")->group("Sampling");
  run.add_option("--stop", o.stop, "a stop string; may be given several times")->group("Sampling");
  run.add_option("--think-budget", o.think_budget,
                 "tokens of thinking after which the closing tag is put in (embedded engine)")
      ->check(CLI::Range(1, 10000000))
      ->group("Sampling");
  run.add_flag("!--no-force-think-close", o.force_think_close,
               "end the sample at its think budget instead")
      ->group("Sampling");
  run.add_option("--logprobs", o.logprobs,
                 "record every token's log-probability, and of N best tokens (embedded engine)")
      ->check(CLI::Range(0, 100))
      ->group("Sampling");
  run.add_option("--reasoning-effort", o.reasoning_effort, "sent as reasoning_effort")
      ->group("Sampling");
  run.add_option("--chat-template-kwargs", o.chat_template_kwargs, "JSON object for the template")
      ->group("Sampling");
  run.add_option("--extra-body", o.extra_body, "JSON object merged into each request")
      ->group("Sampling");
  run.add_option("--omit", o.omit, "request fields that are not sent, e.g. min_p,top_k")
      ->delimiter(',')
      ->group("Sampling");
}

void add_grading_flags(CLI::App& run, RunOptions& o) {
  run.add_option("--code-profile", o.code_profile, "how programs run: lcb, lcb-official, strict")
      ->group("Grading");
  run.add_option("--code-extract", o.code_extraction,
                 "where programs stand in answers: lcb, last_python_block, answer_tag, base")
      ->group("Grading");
  run.add_option("--sandbox-min", o.sandbox_min,
                 "least isolation that programs run under: A, B or C; below it nothing is sent")
      ->envname("R1EVAL_SANDBOX_MIN")
      ->group("Grading");
}

void add_running_flags(CLI::App& run, RunFlags& flags) {
  RunOptions& o = flags.options;
  run.add_option("--out", o.out, "run directory; default: runs/SUITE-MODEL-CONFIGHASH")
      ->group("Running");
  run.add_option("--label", o.labels, "KEY=VALUE kept in the manifest")->group("Running");
  run.add_option("--max-failures", o.max_failures, "share of requests that may fail (exit 4 above)")
      ->group("Running");
  run.add_option("--prices", o.prices.file, "a file like results/data/prices.json")
      ->group("Running");
  run.add_option("--price-in", o.prices.input, "dollars a million prompt tokens")->group("Running");
  run.add_option("--price-cached", o.prices.cached, "… of them from a cache")->group("Running");
  run.add_option("--price-out", o.prices.output, "dollars a million answer tokens")
      ->group("Running");
  run.add_option("--emit-requests", o.emit_requests,
                 "write the missing requests as OpenAI batch lines there, send nothing")
      ->group("Running");
  run.add_flag("--dry-run", o.dry_run, "render every prompt, print counts and hashes, send nothing")
      ->group("Running");
  run.add_flag("--fresh", o.fresh, "start anew; what was there is moved aside")->group("Running");
  run.add_flag("--yes,-y", o.yes, "do not ask before a large bill")->group("Running");
  run.add_flag("--no-grade", o.no_grade, "record completions, score nothing")->group("Running");
  run.add_flag("--accept-server-change", o.accept_server_change,
               "go on although the server says that it is another one now")
      ->group("Running");
  run.add_flag("--json", o.json, "print one line of JSON in place of the table")->group("Running");
  run.add_flag("--quiet,-q", o.quiet, "no progress, no plan")->group("Running");
  run.add_flag("--print-config", flags.print_config, "show the merged configuration and end")
      ->group("Running");
}

int run_with(RunFlags flags, const CLI::App& run) {
  if (flags.print_config) {
    std::fputs(run.config_to_str(true, true).c_str(), stdout);
    return kExitOk;
  }
  Result<std::string> system = text_or_file("--system-prompt", flags.options.system_prompt);
  if (!system) {
    return report_failure(system.error());
  }
  flags.options.system_prompt = std::move(system).value();
  flags.options.stream = !flags.no_stream;
  flags.options.command = command_line();
  return run_evaluation(flags.options);
}

}  // namespace

void add_run_commands(CLI::App& app, Action& action) {
  CLI::App* run = app.add_subcommand("run", "ask a model, record, grade, score");
  auto flags = std::make_shared<RunFlags>();
  add_what_flags(*run, flags->options);
  add_model_flags(*run, *flags);
  add_sampling_flags(*run, flags->options);
  add_grading_flags(*run, flags->options);
  add_running_flags(*run, *flags);
  run->set_config("--config", "", "TOML file with these flags; flags and R1EVAL_* win over it");
  run->callback(
      [&action, flags, run] { action = [flags, run] { return run_with(*flags, *run); }; });

  CLI::App* resume = app.add_subcommand("resume", "go on with a run from its directory");

  struct ResumeFlags {
    std::string directory;
    std::string key_file;
    std::vector<std::string> headers;
    bool yes = false;
    bool json = false;
    bool quiet = false;
    bool accept_server_change = false;
    std::string base_url;
  };

  auto again = std::make_shared<ResumeFlags>();
  resume->add_option("DIR", again->directory, "the run directory")->required();
  resume->add_option("--key-file", again->key_file, "file with the endpoint's key");
  resume->add_option("--header", again->headers, "KEY:VALUE; values are never recorded");
  resume->add_option("--base-url", again->base_url, "where the endpoint is now");
  resume->add_flag("--accept-server-change", again->accept_server_change,
                   "go on although the server says that it is another one now");
  resume->add_flag("--yes,-y", again->yes, "do not ask before a large bill");
  resume->add_flag("--json", again->json, "print one line of JSON in place of the table");
  resume->add_flag("--quiet,-q", again->quiet, "no progress, no plan");
  resume->callback([&action, again] {
    action = [again] {
      Result<RunOptions> options = options_of_run(again->directory);
      if (!options) {
        return report_failure(options.error());
      }
      options->key_file = again->key_file;
      options->headers = again->headers;
      options->yes = again->yes;
      options->json = again->json;
      options->quiet = again->quiet;
      options->accept_server_change = again->accept_server_change;
      if (!again->base_url.empty()) {
        options->base_url = again->base_url;
      }
      return run_evaluation(*options);
    };
  });

  CLI::App* grade = app.add_subcommand("grade", "grade the records of a run again");

  struct GradeFlags {
    std::string directory;
    std::string task;
    std::string profile;
    std::string extraction;
    std::string sandbox_min;
    bool json = false;
  };

  auto regrade = std::make_shared<GradeFlags>();
  grade->add_option("DIR", regrade->directory, "the run directory")->required();
  grade->add_option("--task", regrade->task, "apply --profile to this task only");
  grade->add_option("--profile", regrade->profile, "a named set of grading rules");
  grade->add_option("--extract", regrade->extraction,
                    "of programs: lcb, last_python_block, answer_tag, base");
  grade->add_option("--sandbox-min", regrade->sandbox_min,
                    "least isolation that programs run under: A, B or C");
  grade->add_flag("--json", regrade->json, "print one line of JSON in place of the table");
  grade->callback([&action, regrade] {
    action = [regrade] {
      return grade_run({regrade->directory, regrade->task, regrade->profile, regrade->extraction,
                        regrade->sandbox_min, regrade->json});
    };
  });
}

}  // namespace r1eval
