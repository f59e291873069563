// What programs may rely on in the sandbox, how runs end, and what is left behind: at every level
// that this machine can give.
#include "graders/code/sandbox.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

#include "tests/graders/code/sandbox_fixture.h"

namespace r1eval {
namespace {

INSTANTIATE_TEST_SUITE_P(Level, SandboxTest,
                         ::testing::Values(SandboxLevel::kA, SandboxLevel::kB, SandboxLevel::kC),
                         level_test_name);

// --- Standard input and output.

TEST_P(SandboxTest, GivesTheInputAndTakesTheOutput) {
  const RunResult result = run("print(int(input()) * 2)", "21\n");
  R1_EXPECT_END(result, "OK");
  EXPECT_EQ(result.stdout_bytes, "42\n");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_GT(result.cpu_s, 0);
  EXPECT_GT(result.peak_mib, 0);
}

TEST_P(SandboxTest, ShowsTheEndOfTheInput) {
  EXPECT_EQ(run("import sys\nprint(len(sys.stdin.read()))", "abc").stdout_bytes, "3\n");
  EXPECT_EQ(run("import sys\nprint(repr(sys.stdin.read()))", "").stdout_bytes, "''\n");
}

TEST_P(SandboxTest, ReadsInputInEveryUsualWay) {
  const char* programs[] = {
      "print(input()); print(input())",
      "import sys\nfor line in sys.stdin: print(line.rstrip())",
      "print(*open(0).read().split(), sep='\\n')",
      "import os\nprint(os.read(0, 100).decode(), end='')",
      "import sys\nprint(*[x.decode().strip() for x in sys.stdin.buffer.readlines()], sep='\\n')",
      "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.readline() + sys.stdin.buffer.read())",
      "import sys\nprint(input()); print(sys.stdin.read().strip())",
  };
  for (const char* program : programs) {
    const RunResult result = run(program, "a\nb\n");
    R1_EXPECT_END(result, "OK");
    EXPECT_EQ(result.stdout_bytes, "a\nb\n") << program;
  }
}

TEST_P(SandboxTest, DeliversALargeInputAndSurvivesAProgramThatReadsNone) {
  const std::string large(8 << 20, 'x');
  EXPECT_EQ(run("import sys\nprint(len(sys.stdin.buffer.read()))", large).stdout_bytes,
            "8388608\n");
  const RunResult unread = run("print(42)", large);
  R1_EXPECT_END(unread, "OK");
  EXPECT_EQ(unread.stdout_bytes, "42\n");
}

TEST_P(SandboxTest, KeepsBytesAsTheyAre) {
  const RunResult result = run("import sys\nsys.stdout.buffer.write(b'a\\0\\xff\\r\\n')");
  EXPECT_EQ(result.stdout_bytes, std::string("a\0\xff\r\n", 5));
}

TEST_P(SandboxTest, WritesOutWhatAProgramLeftInBuffers) {
  EXPECT_EQ(run("import sys\nsys.stdout.write('42')").stdout_bytes, "42");
  EXPECT_EQ(run("f = open(1, 'w', closefd=False)\nf.write('7')").stdout_bytes, "7");
  EXPECT_EQ(run("import atexit, os\natexit.register(lambda: print('bye'))").stdout_bytes, "bye\n");
  EXPECT_EQ(run("import threading, time\n"
                "threading.Thread(target=lambda: (time.sleep(0.05), print('late'))).start()")
                .stdout_bytes,
            "late\n");
}

TEST_P(SandboxTest, RunsMultiprocessing) {
  const RunResult result =
      run("import multiprocessing as mp\ndef f(x): return x * 2\n"
          "if __name__ == '__main__':\n"
          "    with mp.Pool(2) as p: print(p.map(f, [1, 2, 3]))");
  if (has_namespaces()) {
    R1_EXPECT_END(result, "OK");
    EXPECT_EQ(result.stdout_bytes, "[2, 4, 6]\n");
  } else {
    EXPECT_NE(run_end_verdict(result.end), "IE");  // no /dev/shm at level C
  }
}

// --- How runs end.

TEST_P(SandboxTest, TellsExceptionsExitsAndSignalsApart) {
  const RunResult error = run("raise KeyError('k')");
  R1_EXPECT_END(error, "RE");
  EXPECT_EQ(error.detail, "KeyError: 'k'");
  EXPECT_EQ(error.stderr_tail.find("<driver>"), std::string::npos);
  R1_EXPECT_END(run("import os\nos._exit(3)"), "RE");
  const RunResult aborted = run("import os\nos.abort()");
  R1_EXPECT_END(aborted, "RE");
  EXPECT_EQ(aborted.signal, SIGABRT);
  const RunResult killed = run("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)");
  R1_EXPECT_END(killed, "RE");
  EXPECT_EQ(killed.signal, SIGKILL);
  R1_EXPECT_END(run("import os, signal\nos.kill(os.getpid(), signal.SIGXCPU)"), "RE");
}

TEST_P(SandboxTest, TakesSystemExitForANormalEndExceptInTheStrictProfile) {
  R1_EXPECT_END(run("print(1)\nraise SystemExit(3)"), "OK");
  R1_EXPECT_END(run("print(1)\nraise SystemExit(3)", "", CodeProfile::kStrict), "RE");
  R1_EXPECT_END(run("exit()", "", CodeProfile::kStrict), "OK");
  R1_EXPECT_END(run("exit(2)", "", CodeProfile::kStrict), "RE");
  R1_EXPECT_END(run("import sys\nsys.exit()", "", CodeProfile::kStrict), "OK");
}

TEST_P(SandboxTest, NamesCompileErrors) {
  const RunResult result = run("def f(:\n  pass");
  R1_EXPECT_END(result, "CE");
  EXPECT_NE(result.detail.find("SyntaxError"), std::string::npos);
  R1_EXPECT_END(run("x = 1\0"
                    "2"),
                "OK");
  R1_EXPECT_END(run(std::string("x = 1\0", 6)), "CE");
}

TEST_P(SandboxTest, LimitsCpuTimeHoweverTheProgramResists) {
  limits_.cpu_s = 0.3;
  for (const char* program :
       {"while True: pass",
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass"}) {
    const RunResult result = run(program);
    R1_EXPECT_END(result, "TLE");
    EXPECT_EQ(result.detail, "cpu");
  }
}

TEST_P(SandboxTest, CountsTheCpuTimeOfChildren) {
  limits_.cpu_s = 0.5;
  const RunResult result =
      run("import os, time\nfor _ in range(3):\n    if os.fork() == 0:\n        while True: pass\n"
          "time.sleep(1000)");
  R1_EXPECT_END(result, "TLE");
  EXPECT_EQ(result.detail, "cpu");
}

TEST_P(SandboxTest, LimitsIdling) {
  limits_.wall_s = 0.4;
  const RunResult result = run("import time\ntime.sleep(1000)");
  R1_EXPECT_END(result, "TLE");
  EXPECT_EQ(result.detail, "idle");
  R1_EXPECT_END(run("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"), "TLE");
}

TEST_P(SandboxTest, LimitsMemory) {
  R1_EXPECT_END(run("x = bytearray(400 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1"), "MLE");
  R1_EXPECT_END(run("x = [0]\nwhile True: x = x + x"), "MLE");
  R1_EXPECT_END(run("x = bytearray(100 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1"), "OK");
}

TEST_P(SandboxTest, LimitsTheMemoryOfAllProcessesTogether) {
  const RunResult result =
      run("import os, time\nfor _ in range(6):\n    if os.fork() == 0:\n"
          "        b = bytearray(90 << 20)\n        for i in range(0, len(b), 4096): b[i] = 1\n"
          "        time.sleep(30)\n        os._exit(0)\ntime.sleep(3)\nprint(42)");
  R1_EXPECT_END(result, "MLE");
}

TEST_P(SandboxTest, LimitsOutputAndDropsErrorsBeyondTheTail) {
  limits_.stdout_mib = 1;
  const RunResult endless = run("while True: print('x' * 1000)");
  R1_EXPECT_END(endless, "OLE");
  EXPECT_EQ(endless.stdout_bytes.size(), 1u << 20);
  const RunResult noisy =
      run("import sys\nfor _ in range(8): sys.stderr.write('e' * (1 << 20))\nprint(1)");
  R1_EXPECT_END(noisy, "OK");
  EXPECT_LE(noisy.stderr_tail.size(), 4096u);
}

TEST_P(SandboxTest, AllowsDeepRecursionUpToTheMemoryLimit) {
  limits_.memory_mib = 512;
  const RunResult result = run("def f(n): return 0 if n == 0 else 1 + f(n - 1)\nprint(f(40000))");
  R1_EXPECT_END(result, "OK");
  EXPECT_EQ(result.stdout_bytes, "40000\n");
}

// --- What a program is shown.

TEST_P(SandboxTest, ShowsNoSecretsNoDescriptorsNoPrivileges) {
  EXPECT_EQ(run("import os\nprint([k for k in os.environ if 'CANARY' in k or 'R1EVAL' in k])")
                .stdout_bytes,
            "[]\n");
  EXPECT_EQ(run("import os\nbad = []\nfor fd in range(3, 1024):\n    try: os.fstat(fd)\n"
                "    except OSError: continue\n    bad.append(fd)\nprint(bad)")
                .stdout_bytes,
            "[]\n");
  EXPECT_EQ(run("import os\nprint(os.getuid() == 0, os.geteuid() == 0)").stdout_bytes,
            "False False\n");
  if (has_namespaces()) {
    const RunResult status =
        run("for line in open('/proc/self/status'):\n"
            "    if line.split(':')[0] in ('CapEff', 'CapBnd', 'NoNewPrivs', 'Seccomp'): "
            "print(line.split()[1])");
    EXPECT_EQ(status.stdout_bytes, "0000000000000000\n0000000000000000\n1\n2\n");
    EXPECT_EQ(run("import os\nprint(sorted(os.listdir('/')))").stdout_bytes.find("root"),
              std::string::npos);
  }
}

TEST_P(SandboxTest, KeepsNothingFromRunToRun) {
  const char* left_behind[] = {
      "import os\np = os.environ['TMPDIR'] + '/x'\nprint(os.path.exists(p))\nopen(p, "
      "'w').write('x')",
      "import os\nd = os.environ['TMPDIR']\nprint(len(os.listdir(d)))\nos.mkdir(d + '/a')\n"
      "os.mkdir(d + '/a/b')\nos.chmod(d + '/a', 0)",
      "import ctypes\nl = ctypes.CDLL(None)\nprint(l.shmget(77, 4096, 0))\n"
      "l.shmget(77, 4096, 0o1666)",
      "import ctypes\nl = ctypes.CDLL(None)\nprint(l.msgget(78, 0))\nl.msgget(78, 0o1666)",
      "import ctypes\nl = ctypes.CDLL(None)\nprint(l.semget(79, 1, 0))\nl.semget(79, 1, 0o1666)"};
  for (std::size_t i = 0; i < 5; ++i) {
    std::string first;
    // More often than there are slots, so that one is used again.
    for (int round = 0; round < 4; ++round) {
      const RunResult result = run(left_behind[i]);
      R1_EXPECT_END(result, "OK");
      first = round == 0 ? result.stdout_bytes : first;
      EXPECT_EQ(result.stdout_bytes, first) << left_behind[i];
    }
  }
}

TEST_P(SandboxTest, GivesTheSameRunForTheSameSeed) {
  ProgramSpec program;
  program.source = "import random\nprint(random.random(), hash('a'))";
  const auto with_seed = [&](std::uint64_t seed) {
    RunInput input;
    input.seed = seed;
    return sandbox_->run(program, input, limits_).stdout_bytes;
  };
  EXPECT_EQ(with_seed(1), with_seed(1));
  EXPECT_NE(with_seed(1), with_seed(2));
}

TEST_P(SandboxTest, AnswersManyThreadsEachItsOwn) {
  std::atomic<int> n_wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i) {
        const std::string number = std::to_string(100 * t + i);
        n_wrong += run("print(input())", number + "\n").stdout_bytes == number + "\n" ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(n_wrong, 0);
}

// --- System calls.

TEST_P(SandboxTest, KillsWhatOnlyAnAttackCalls) {
  const char* calls[] = {"l.ptrace(0, 0, 0, 0)",
                         "l.syscall(425, 8, 0)",                   // io_uring_setup
                         "l.syscall(323, 0)",                      // userfaultfd
                         "l.syscall(321, 0, 0, 0)",                // bpf
                         "l.syscall(298, 0, 0, 0, 0, 0)",          // perf_event_open
                         "l.syscall(272, 0x10000000)",             // unshare
                         "l.syscall(56, 0x10000011, 0, 0, 0, 0)",  // clone with a user namespace
                         "l.syscall(308, 0, 0)",                   // setns
                         "l.syscall(250, 0, -3, 1)",               // keyctl
                         "l.syscall(438, 1, 1, 0)",                // pidfd_getfd
                         "l.syscall(135, 0x0040000)",              // personality
                         "l.syscall(0x40000000 | 39)"};            // the x32 getpid
  for (const char* call : calls) {
    const RunResult result =
        run(std::string("import ctypes\nl = ctypes.CDLL(None)\n") + call + "\nprint('ESCAPED')");
    R1_EXPECT_END(result, "SV");
    EXPECT_EQ(result.stdout_bytes.find("ESCAPED"), std::string::npos) << call;
  }
}

TEST_P(SandboxTest, RefusesNetworkWithoutKilling) {
  const RunResult result =
      run("import socket\nfor family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 16, 38, "
          "40):\n"
          "    try:\n        socket.socket(family, socket.SOCK_STREAM)\n        print('ESCAPED')\n"
          "    except OSError: pass\na, b = socket.socketpair()\na.send(b'x')\nprint(b.recv(1))");
  R1_EXPECT_END(result, "OK");
  EXPECT_EQ(result.stdout_bytes, "b'x'\n");
}

// --- Functions.

TEST_P(SandboxTest, HandsOverWhatAFunctionReturns) {
  const char* solution =
      "class Solution:\n    def f(self, a: List[int], b):\n        return [a, b]";
  const RunResult result = call(solution, "f", "[1, 2]\n\"x\"");
  R1_EXPECT_END(result, "OK");
  EXPECT_EQ(result.value_bytes, "l2:l2:i1:1i1:2s1:x");
  EXPECT_EQ(call("def g(x): return -x, 2.5, None, True, {'k': {3}}", "g", "255").value_bytes,
            "t5:i3:-ffd20:0x1.4000000000000p+1NTm1:s1:ke1:i1:3");
}

TEST_P(SandboxTest, TrustsNoObjectThatDecidesEqualityItself) {
  EXPECT_EQ(
      call("class A:\n    def __eq__(self, o): return True\ndef f(): return A()", "f", "").end,
      RunEnd::kRuntimeError);  // an empty line is no JSON argument
  const char* liar =
      "class I(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\n"
      "class L(list):\n    def __iter__(self): return iter([42])\n    def __len__(self): return 1\n"
      "class E(list):\n    def __eq__(self, o): return True\n"
      "def f(kind): return {'i': I(0), 'l': L([7]), 'e': E()}[kind]";
  EXPECT_EQ(call(liar, "f", "\"i\"").value_bytes, "o1:I");
  EXPECT_EQ(call(liar, "f", "\"l\"").value_bytes, "l1:i1:7");
  EXPECT_EQ(call(liar, "f", "\"e\"").value_bytes, "o1:E");
}

TEST_P(SandboxTest, TakesNoValueForAnError) {
  R1_EXPECT_END(call("import os\ndef f(x): os._exit(0)", "f", "1"), "RE");
  R1_EXPECT_END(call("def f(x): raise SystemExit(0)", "f", "1"), "RE");
  R1_EXPECT_END(call("def f(x): return 1 / 0", "f", "1"), "RE");
  R1_EXPECT_END(call("def f(x): return x", "g", "1"), "RE");
  R1_EXPECT_END(call("def f(x: return x", "f", "1"), "CE");
}

TEST_P(SandboxTest, EncodesWithItsOwnFunctions) {
  const RunResult result = call(
      "import json, builtins\njson.dumps = lambda *a, **k: '42'\n"
      "builtins.len = lambda *a: 1\nbuiltins.type = lambda *a: int\n"
      "builtins.isinstance = lambda *a: True\ndef f(x): return [0, 1]",
      "f", "21");
  EXPECT_EQ(result.value_bytes, "l2:i1:0i1:1");
}

// --- C++.

TEST_P(SandboxTest, CompilesOnceAndRunsCpp) {
  const char* source =
      "#include <cstdio>\nint main() { int n; if (scanf(\"%d\", &n) != 1) return 1; "
      "printf(\"%d\\n\", n * 2); }";
  const RunResult first = run_cpp(source, "21\n");
  R1_EXPECT_END(first, "OK");
  EXPECT_EQ(first.stdout_bytes, "42\n");
  EXPECT_EQ(run_cpp(source, "4\n").stdout_bytes, "8\n");
  R1_EXPECT_END(run_cpp(source, "x"), "RE");
}

TEST_P(SandboxTest, ForksProgramsThatNameNumpyFromAnInterpreterThatHasIt) {
  if (run("import numpy").end != RunEnd::kFinished) {
    GTEST_SKIP() << "python3-numpy is not installed";
  }
  // What was imported before is there before the program's first line, and draws the seed's
  // numbers.
  const std::string source =
      "import sys\nprint('numpy.linalg' in sys.modules)\nimport numpy\n"
      "print(numpy.arange(5).sum(), numpy.random.random())";
  const RunResult first = run(source);
  R1_EXPECT_END(first, "OK");
  EXPECT_EQ(first.stdout_bytes.substr(0, 8), "True\n10 ");
  EXPECT_EQ(run(source).stdout_bytes, first.stdout_bytes);
  EXPECT_EQ(run("import sys\nprint(any('num' + 'py' in m for m in sys.modules))").stdout_bytes,
            "False\n");
  const RunResult value = call("import numpy\ndef f(x):\n    return numpy.int64(x)", "f", "3");
  R1_EXPECT_END(value, "OK");
}

TEST_P(SandboxTest, RunsPyPyUnderTheSameRules) {
  ProgramSpec program;
  program.language = "pypy";
  const auto run_pypy = [&](const std::string& source, std::string_view input = "") {
    program.source = source;
    RunInput data;
    data.stdin_bytes = input;
    return sandbox_->run(program, data, limits_);
  };
  const RunResult first =
      run_pypy("import sys\nprint(sys.implementation.name, 2 * int(input()))", "21\n");
  if (first.end == RunEnd::kCompileError) {
    EXPECT_NE(first.detail.find("install pypy3"), std::string::npos) << first.detail;
    GTEST_SKIP() << first.detail;
  }
  R1_EXPECT_END(first, "OK");
  EXPECT_EQ(first.stdout_bytes, "pypy 42\n");
  EXPECT_EQ(run_pypy("print(Counter('aab')['a'], gcd(4, 6))").stdout_bytes, "2 2\n");
  R1_EXPECT_END(run_pypy("print(1"), "CE");
  R1_EXPECT_END(run_pypy("[][0]"), "RE");
  R1_EXPECT_END(run_pypy("import sys\nsys.exit(3)"), "OK");
  R1_EXPECT_END(run_pypy("import os\nos.abort()"), "RE");
  R1_EXPECT_END(run_pypy("x = []\nwhile True: x.append(bytearray(1 << 20))"), "MLE");
  R1_EXPECT_END(
      run_pypy("import os\nos.fork\nimport ctypes\nctypes.CDLL(None).unshare(0x10000000)"), "SV");
  limits_.cpu_s = 0.5;
  R1_EXPECT_END(run_pypy("while True: pass"), "TLE");
  limits_ = quick_limits();
  program.source = "class Solution:\n    def f(self, x):\n        return [x, 2.5, 'a']";
  program.mode = ProgramMode::kFunctional;
  program.fn_name = "f";
  RunInput data;
  data.args_json = "7";
  const RunResult value = sandbox_->run(program, data, limits_);
  R1_EXPECT_END(value, "OK");
  EXPECT_FALSE(value.value_bytes.empty());
}

TEST_P(SandboxTest, ExplainsCppThatDoesNotCompileWithoutShowingFiles) {
  const RunResult missing = run_cpp("int main() { return undeclared; }");
  R1_EXPECT_END(missing, "CE");
  EXPECT_NE(missing.detail.find("undeclared"), std::string::npos);
  const RunResult shadow = run_cpp("#include \"/etc/shadow\"\nint main() {}");
  R1_EXPECT_END(shadow, "CE");
  EXPECT_EQ(shadow.detail.find("root:"), std::string::npos);
}

// --- The sandbox's own processes.

std::vector<pid_t> children_of(pid_t parent) {
  // The kernel's own lists, thread by thread: looking through all of /proc takes longer than a run.
  std::vector<pid_t> children;
  const std::string tasks = "/proc/" + std::to_string(parent) + "/task";
  DIR* dir = ::opendir(tasks.c_str());
  if (dir == nullptr) {
    return children;
  }
  while (const dirent* entry = ::readdir(dir)) {
    if (entry->d_name[0] == '.') {
      continue;
    }
    std::ifstream file(tasks + "/" + entry->d_name + "/children");
    for (pid_t child = 0; file >> child;) {
      children.push_back(child);
    }
  }
  ::closedir(dir);
  return children;
}

std::string name_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

// A program is running where a fork server has a child; its server, or the slot's init, is killed.
bool kill_one_of_ours(bool kill_server) {
  for (const pid_t supervisor : children_of(::getpid())) {
    const std::vector<pid_t> own = children_of(supervisor);
    for (const pid_t server : own) {
      if (name_of(server).starts_with("python3") && !children_of(server).empty()) {
        if (kill_server) {
          return ::kill(server, SIGKILL) == 0;
        }
        // The init has the supervisor's own name, which every other child that is no Python has
        // too.
        for (const pid_t init : own) {
          if (!name_of(init).starts_with("python3") && children_of(init).empty()) {
            return ::kill(init, SIGKILL) == 0;
          }
        }
      }
    }
  }
  return false;
}

TEST_P(SandboxTest, TriesAgainWhenOneOfItsProcessesIsKilled) {
  for (const bool kill_server : {true, false}) {
    if (!kill_server && !has_namespaces()) {
      continue;  // level C has no slot init
    }
    RunResult result;
    std::atomic<bool> ended = false;
    std::thread runner([&] {
      result = run("import time\ntime.sleep(0.7)\nprint(input())", "7\n");
      ended = true;
    });
    bool killed = false;
    while (!killed && !ended) {
      killed = kill_one_of_ours(kill_server);
      std::this_thread::yield();
    }
    runner.join();
    EXPECT_TRUE(killed);
    R1_EXPECT_END(result, "OK");
    EXPECT_EQ(result.stdout_bytes, "7\n");
  }
}

TEST_P(SandboxTest, KeepsCompiledProgramsFromKillingTheirParent) {
  const RunResult result = run_cpp(
      "#include <csignal>\n#include <cstdio>\n#include <unistd.h>\n"
      "int main() { if (pid_t p = getppid()) { kill(p, SIGKILL); kill(p, SIGSTOP); } "
      "puts(\"alive\"); }");
  R1_EXPECT_END(result, "OK");
  EXPECT_EQ(result.stdout_bytes, "alive\n");
}

TEST_P(SandboxTest, StartsAnInterpreterARunWhereThereIsNoForkServer) {
  SandboxOptions options;
  options.min_level = SandboxLevel::kC;
  options.level = GetParam();
  options.slots = 1;
  options.fork_servers = false;
  const Result<std::unique_ptr<Sandbox>> opened = Sandbox::open(options);
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  sandbox_ = opened->get();
  bool is_told = false;
  for (const LayerStatus& layer : sandbox_->layers()) {
    is_told = is_told || (layer.name == "fork server" && !layer.is_active);
  }
  EXPECT_TRUE(is_told);
  EXPECT_EQ(run("print(2 * int(input()), Counter('a')['a'])", "21\n").stdout_bytes, "42 1\n");
  R1_EXPECT_END(run("raise ValueError"), "RE");
  R1_EXPECT_END(run("x ="), "CE");
  EXPECT_EQ(run("import os\nprint([k for k in os.environ if 'R1' in k])").stdout_bytes, "[]\n");
  R1_EXPECT_END(run("import ctypes\nctypes.CDLL(None).unshare(0x10000000)"), "SV");
  R1_EXPECT_END(run("x = []\nwhile True: x.append(bytearray(1 << 20))"), "MLE");
  R1_EXPECT_END(call("def f(x):\n    return [x]", "f", "3"), "OK");
  limits_.cpu_s = 0.5;
  R1_EXPECT_END(run("while True: pass"), "TLE");
  ProgramSpec official;
  official.source = "print(int(input()) + 1)";
  official.profile = CodeProfile::kLcbOfficial;
  RunInput inputs[2];
  inputs[0].stdin_bytes = "1\n";
  inputs[1].stdin_bytes = "2\n";
  std::string printed;
  sandbox_->run_shared(official, inputs, quick_limits(), [&](std::size_t, const RunResult& one) {
    printed += one.stdout_bytes;
    return true;
  });
  EXPECT_EQ(printed, "2\n3\n");
}

TEST(SandboxCleanupTest, LeavesNoProcessAndNoGroupBehind) {
  std::vector<pid_t> before = children_of(::getpid());
  {
    SandboxOptions options;
    options.min_level = SandboxLevel::kC;
    options.slots = 1;
    Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::open(options);
    if (!sandbox) {
      GTEST_SKIP() << sandbox.error().message;
    }
    ProgramSpec program;
    program.source =
        "import os, time\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        time.sleep(1000)\nprint('done')";
    RunInput nothing;
    const RunResult result = (*sandbox)->run(program, nothing, quick_limits());
    EXPECT_EQ(result.stdout_bytes, "done\n");
  }
  EXPECT_EQ(children_of(::getpid()).size(), before.size());
}

TEST(SandboxOpenTest, KnowsItsNames) {
  EXPECT_EQ(sandbox_level_from("B"), SandboxLevel::kB);
  EXPECT_FALSE(sandbox_level_from("D").has_value());
  EXPECT_EQ(run_end_verdict(RunEnd::kSandboxError), "IE");
}

}  // namespace
}  // namespace r1eval
