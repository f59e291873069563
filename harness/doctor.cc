#include "harness/doctor.h"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <memory>

#include "base/clock.h"
#include "graders/code/sandbox.h"

namespace r1eval {
namespace {

struct SelfTest {
  const char* name;
  const char* program;
  const char* expected;  // verdicts that are fine, separated by spaces
};

// Each prints ESCAPED where it got what it tried.
constexpr std::array<SelfTest, 13> kSelfTests = {{
    {"a plain program", "print(int(input()) * 2)", "OK"},
    {"tracing", "import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)\nprint('ESCAPED')", "SV"},
    {"new namespaces",
     "import ctypes\nr = ctypes.CDLL(None).unshare(0x10000000)\nprint('ESCAPED' if r == 0 else '')",
     "SV OK"},
    {"mounting",
     "import ctypes\nr = ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None)\n"
     "print('ESCAPED' if r == 0 else '')",
     "SV OK"},
    {"io_uring",
     "import ctypes\nb = ctypes.create_string_buffer(120)\n"
     "print('ESCAPED' if ctypes.CDLL(None).syscall(425, 8, b) >= 0 else '')",
     "SV OK"},
    {"kernel keys",
     "import ctypes\nprint('ESCAPED' if ctypes.CDLL(None).syscall(250, 0, -3, 1) >= 0 else '')",
     "SV OK"},
    {"a socket", "import socket\nsocket.socket()\nprint('ESCAPED')", "RE SV"},
    {"the password file", "print('ESCAPED', open('/etc/shadow').read())", "RE"},
    {"the memory of process 1", "print('ESCAPED', open('/proc/1/mem', 'rb'))", "RE"},
    {"the parent", "import os, signal\nos.kill(os.getppid() or 1, signal.SIGKILL)\nprint('sent')",
     "OK RE SV"},
    {"endless CPU",
     "while True:\n    try:\n        while True: pass\n    except BaseException: pass", "TLE"},
    {"endless memory", "x = [0] * 1000\nwhile True: x = x + x", "MLE RE"},
    {"a process bomb",
     "import os\ntry:\n    for _ in range(500):\n        if os.fork() == 0:\n            while "
     "True: "
     "pass\n    print('ESCAPED')\nexcept OSError: pass",
     "OK TLE RE"},
}};

OrderedJson self_test(Sandbox& sandbox) {
  OrderedJson failed = OrderedJson::array();
  RunLimits limits;
  limits.cpu_s = 0.5;
  limits.wall_s = 3;
  limits.memory_mib = 128;
  limits.pids = 24;
  for (const SelfTest& test : kSelfTests) {
    ProgramSpec program;
    program.source = test.program;
    RunInput input;
    input.stdin_bytes = "21\n";
    const RunResult result = sandbox.run(program, input, limits);
    const std::string verdict(run_end_verdict(result.end));
    const bool holds =
        (" " + std::string(test.expected) + " ").find(" " + verdict + " ") != std::string::npos &&
        result.stdout_bytes.find("ESCAPED") == std::string::npos;
    if (!holds) {
      failed.push_back(fmt::format("{}: {} {}", test.name, verdict, result.detail));
    }
  }
  return {
      {"n", kSelfTests.size()}, {"passed", kSelfTests.size() - failed.size()}, {"failed", failed}};
}

double runs_per_s(Sandbox& sandbox) {
  ProgramSpec program;
  program.source = "print(1)";
  constexpr int kRuns = 50;
  const double start = steady_clock().now();
  for (int i = 0; i < kRuns; ++i) {
    sandbox.run(program, RunInput{}, RunLimits{});
  }
  return kRuns / (steady_clock().now() - start);
}

}  // namespace

OrderedJson examine_sandbox() {
  const SandboxProbe probe = probe_sandbox();
  OrderedJson out;
  out["level"] = probe.level ? OrderedJson(sandbox_level_name(*probe.level)) : OrderedJson();
  out["advice"] = probe.advice;
  out["languages"] = sandbox_languages();
  out["layers"] = OrderedJson::array();
  for (const LayerStatus& layer : probe.layers) {
    out["layers"].push_back({{"layer", layer.name},
                             {"available", layer.is_available},
                             {"active", layer.is_active},
                             {"evidence", layer.evidence},
                             {"fallback", layer.fallback}});
  }
  if (!probe.level) {
    return out;
  }
  SandboxOptions options;
  options.min_level = SandboxLevel::kC;
  options.slots = 1;
  Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::open(options);
  if (!sandbox) {
    out["level"] = nullptr;
    out["error"] = sandbox.error().message;
    return out;
  }
  out["python"] = (*sandbox)->interpreter_version("python");
  out["self_test"] = self_test(**sandbox);
  out["runs_per_s"] = runs_per_s(**sandbox);
  return out;
}

void print_doctor(bool json) {
  const OrderedJson found = examine_sandbox();
  if (json) {
    OrderedJson out;
    out["sandbox"] = found;
    std::printf("%s\n", dump_json(out).c_str());
    return;
  }
  if (found["level"].is_null()) {
    std::printf("sandbox: no level of isolation can be had here\n");
  } else {
    std::printf("sandbox: level %s, %s\n", found["level"].get<std::string>().c_str(),
                found.value("python", std::string("no Python")).c_str());
  }
  for (const OrderedJson& layer : found["layers"]) {
    const std::string evidence = layer["evidence"].get<std::string>();
    const std::string fallback = layer["fallback"].get<std::string>();
    std::printf("  %-22s %-8s %s%s%s\n", layer["layer"].get<std::string>().c_str(),
                layer["active"].get<bool>() ? "active" : "INACTIVE", evidence.c_str(),
                fallback.empty() ? "" : "; instead: ", fallback.c_str());
  }
  if (found.contains("self_test")) {
    std::printf("  self-test: %ld of %ld hold\n",
                static_cast<long>(found["self_test"]["passed"].get<std::int64_t>()),
                static_cast<long>(found["self_test"]["n"].get<std::int64_t>()));
    for (const OrderedJson& line : found["self_test"]["failed"]) {
      std::printf("    FAILED %s\n", line.get<std::string>().c_str());
    }
    std::printf("  %.0f isolated programs a second, one at a time\n",
                found["runs_per_s"].get<double>());
  }
  if (const std::string advice = found["advice"].get<std::string>(); !advice.empty()) {
    std::printf("  to raise the level: %s\n", advice.c_str());
  }
}

}  // namespace r1eval
