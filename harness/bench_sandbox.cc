#include "harness/bench_sandbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "graders/code/sandbox.h"

namespace r1eval {
namespace {

constexpr const char* kProgram = "n = int(input())\nprint(2 * n)\n";

// What a fork alone costs: the same program in forks of an interpreter that has the same modules,
// with pipes and nothing else around it. Prints seconds a run.
constexpr const char* kBareFork = R"(
import string, re, datetime, collections, heapq, bisect, copy, math, random, statistics
import itertools, functools, operator, io, sys, json, builtins, typing
import ast, decimal, fractions, gc, os, threading, time, traceback
source = 'n = int(input())\nprint(2 * n)\n'
runs = int(sys.argv[1])
gc.collect()
gc.freeze()
def once():
    r0, w0 = os.pipe()
    r1, w1 = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(r0, 0)
        os.dup2(w1, 1)
        os.closerange(3, 64)
        sys.stdin = open(0, 'r', closefd=False)
        sys.stdout = open(1, 'w', closefd=False)
        exec(compile(source, 'main.py', 'exec'), {})
        sys.stdout.flush()
        os._exit(0)
    os.close(r0)
    os.close(w1)
    os.write(w0, b'21\n')
    os.close(w0)
    assert os.read(r1, 100) == b'42\n'
    os.close(r1)
    os.waitpid(pid, 0)
once()
start = time.perf_counter()
for _ in range(runs):
    once()
print((time.perf_counter() - start) / runs)
)";

constexpr const char* kPrelude =
    "from string import *\nfrom re import *\nfrom datetime import *\nfrom collections import *\n"
    "from heapq import *\nfrom bisect import *\nfrom copy import *\nfrom math import *\n"
    "from random import *\nfrom statistics import *\nfrom itertools import *\n"
    "from functools import *\nfrom operator import *\nfrom io import *\nfrom sys import *\n"
    "from json import *\nfrom builtins import *\nfrom typing import *\n";

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// What a program prints, given an input; empty where it fails or is not there. No shell in between.
std::string output_of(std::vector<std::string> words, const std::string& input) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) {
    return "";
  }
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const bool started =
      ::posix_spawn(&pid, words[0].c_str(), &actions, nullptr, arguments.data(), environ) == 0;
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  std::string text;
  if (started && ::write(in[1], input.data(), input.size()) >= 0) {
    ::close(in[1]);
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(out[0], buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
  } else {
    ::close(in[1]);
  }
  ::close(out[0]);
  int status = 1;
  if (started) {
    ::waitpid(pid, &status, 0);
  }
  return status == 0 ? text : "";
}

struct Kind {
  std::string name;
  std::function<double()> round;  // seconds a run, one after the other; negative: cannot be had
  std::vector<double> seconds;
};

RunLimits limits() {
  RunLimits out;
  out.cpu_s = 6;
  out.memory_mib = 512;
  return out;
}

class Bench {
 public:
  Bench(Sandbox& sandbox, const SandboxBench& options) : sandbox_(sandbox), options_(options) {
    python_.source = kProgram;
    cpp_.language = "cpp";
    cpp_.source =
        "#include <cstdio>\nint main() { int n; if (scanf(\"%d\", &n) == 1) printf(\"%d\\n\", 2 * "
        "n); }";
    input_.stdin_bytes = "21\n";
  }

  double one_by_one(const ProgramSpec& program) {
    const double start = steady_clock().now();
    for (std::int64_t i = 0; i < options_.runs; ++i) {
      if (sandbox_.run(program, input_, limits()).stdout_bytes != "42\n") {
        return -1;
      }
    }
    return (steady_clock().now() - start) / static_cast<double>(options_.runs);
  }

  // Seconds a run with all slots at work.
  double all_slots(const ProgramSpec& program) {
    const double start = steady_clock().now();
    std::vector<std::thread> threads;
    std::atomic<bool> failed = false;
    for (int t = 0; t < sandbox_.slots(); ++t) {
      threads.emplace_back([&] {
        for (std::int64_t i = 0; i < options_.runs; ++i) {
          if (sandbox_.run(program, input_, limits()).stdout_bytes != "42\n") {
            failed = true;
          }
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    const auto n = static_cast<double>(options_.runs * sandbox_.slots());
    return failed ? -1 : (steady_clock().now() - start) / n;
  }

  // Seconds a run with as many at a time as there are slots.
  double command(const std::vector<std::string>& words) {
    const std::int64_t n = std::max<std::int64_t>(1, options_.runs / 10);
    const double start = steady_clock().now();
    std::vector<std::thread> threads;
    std::atomic<bool> failed = false;
    for (int t = 0; t < sandbox_.slots(); ++t) {
      threads.emplace_back([&] {
        for (std::int64_t i = 0; i < n && !failed; ++i) {
          if (output_of(words, "21\n") != "42\n") {
            failed = true;
          }
        }
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    const auto runs = static_cast<double>(n * sandbox_.slots());
    return failed ? -1 : (steady_clock().now() - start) / runs;
  }

  OrderedJson kill_latency() {
    std::vector<double> all;
    RunLimits tight = limits();
    tight.cpu_s = 0.1;
    tight.pids = 32;
    for (const char* source :
         {"while True: pass",
          "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"}) {
      ProgramSpec program;
      program.source = source;
      for (int i = 0; i < 10; ++i) {
        all.push_back(1e-3 * static_cast<double>(sandbox_.run(program, input_, tight).kill_us));
      }
    }
    return {{"median_ms", median(all)}, {"worst_ms", *std::max_element(all.begin(), all.end())}};
  }

  Result<OrderedJson> run() {
    const auto with_python = [](std::vector<std::string> before, const std::string& program) {
      for (const char* word : {"/usr/bin/python3", "-I", "-S", "-c"}) {
        before.emplace_back(word);
      }
      before.push_back(program);
      return before;
    };
    const std::vector<std::string> bubblewrap = {
        "/usr/bin/bwrap", "--unshare-all",    "--ro-bind", "/usr",
        "/usr",           "--symlink",        "usr/lib",   "/lib",
        "--symlink",      "usr/lib64",        "/lib64",    "--tmpfs",
        "/tmp",           "--die-with-parent"};
    std::vector<Kind> kinds;
    kinds.push_back({"isolated, one slot", [this] { return one_by_one(python_); }, {}});
    kinds.push_back({"bare fork",
                     [this] {
                       const std::string text =
                           output_of({"/usr/bin/python3", "-S", "-s", "-B", "-c", kBareFork,
                                      std::to_string(options_.runs)},
                                     "");
                       return text.empty() ? -1.0 : std::atof(text.c_str());
                     },
                     {}});
    kinds.push_back({"isolated, all slots", [this] { return all_slots(python_); }, {}});
    kinds.push_back({"C++ binary, all slots", [this] { return all_slots(cpp_); }, {}});
    kinds.push_back({"python3", [&, this] { return command(with_python({}, kProgram)); }, {}});
    kinds.push_back(
        {"python3 with prelude",
         [&, this] { return command(with_python({}, std::string(kPrelude) + kProgram)); },
         {}});
    kinds.push_back(
        {"bubblewrap a run", [&, this] { return command(with_python(bubblewrap, kProgram)); }, {}});
    if (sandbox_.compile(cpp_).end != RunEnd::kFinished) {
      kinds.erase(kinds.begin() + 3);
    }
    for (std::int64_t round = 0; round < options_.rounds; ++round) {
      for (Kind& kind : kinds) {
        const double seconds = kind.round();
        if (seconds > 0) {
          kind.seconds.push_back(seconds);
        }
      }
    }
    OrderedJson out = {{"level", sandbox_level_name(sandbox_.level())},
                       {"slots", sandbox_.slots()},
                       {"rounds", options_.rounds}};
    for (const Kind& kind : kinds) {
      if (!kind.seconds.empty()) {
        out["ms"][kind.name] = 1000 * median(kind.seconds);
      }
    }
    const auto ratio = [&](const std::string& slow, const std::string& fast) {
      std::vector<double> ratios;
      const auto find = [&](const std::string& name) -> const Kind* {
        for (const Kind& kind : kinds) {
          if (kind.name == name) {
            return &kind;
          }
        }
        return nullptr;
      };
      const Kind* a = find(slow);
      const Kind* b = find(fast);
      for (std::size_t i = 0;
           a != nullptr && b != nullptr && i < std::min(a->seconds.size(), b->seconds.size());
           ++i) {
        ratios.push_back(a->seconds[i] / b->seconds[i]);
      }
      return median(ratios);
    };
    out["overhead_over_bare_fork_ms"] =
        out["ms"].value("isolated, one slot", 0.0) - out["ms"].value("bare fork", 0.0);
    for (const char* slow : {"bubblewrap a run", "python3", "python3 with prelude"}) {
      if (const double value = ratio(slow, "isolated, all slots"); value > 0) {
        out["times_faster_than"][slow] = value;
      }
    }
    out["runs_per_s"] = 1000 / std::max(1e-9, out["ms"].value("isolated, all slots", 1e9));
    if (out["ms"].contains("C++ binary, all slots")) {
      out["cpp_runs_per_s"] = 1000 / out["ms"].value("C++ binary, all slots", 1e9);
    }
    out["kill"] = kill_latency();
    return out;
  }

 private:
  Sandbox& sandbox_;
  SandboxBench options_;
  ProgramSpec python_;
  ProgramSpec cpp_;
  RunInput input_;
};

}  // namespace

Status bench_sandbox(const SandboxBench& options) {
  SandboxOptions sandbox_options;
  sandbox_options.min_level = SandboxLevel::kC;
  if (!options.level.empty()) {
    sandbox_options.level = sandbox_level_from(options.level);
  }
  R1_TRY(const std::unique_ptr<Sandbox> sandbox, Sandbox::open(sandbox_options));
  R1_TRY(const OrderedJson out, Bench(*sandbox, options).run());
  if (options.json) {
    std::printf("%s\n", dump_json(out).c_str());
    return ok_status();
  }
  std::printf("level %s, %d slots, medians of %ld interleaved rounds\n",
              std::string(sandbox_level_name(sandbox->level())).c_str(), sandbox->slots(),
              static_cast<long>(options.rounds));
  for (const auto& [name, ms] : out["ms"].items()) {
    std::printf("%-24s %8.2f ms a run\n", name.c_str(), ms.get<double>());
  }
  std::printf("%-24s %8.2f ms over a bare fork\n", "isolation costs",
              out["overhead_over_bare_fork_ms"].get<double>());
  if (out.contains("times_faster_than")) {
    for (const auto& [name, times] : out["times_faster_than"].items()) {
      std::printf("%8.1f times as fast as %s\n", times.get<double>(), name.c_str());
    }
  }
  std::printf("%8.0f runs/s with all slots\nkill to empty slot: median %.1f ms, worst %.1f ms\n",
              out["runs_per_s"].get<double>(), out["kill"]["median_ms"].get<double>(),
              out["kill"]["worst_ms"].get<double>());
  return ok_status();
}

}  // namespace r1eval
