// LiveCodeBench's own runner, imitated: where it fails correct programs, it must fail them here.
#include <gtest/gtest.h>

#include "tests/graders/code/sandbox_fixture.h"

namespace r1eval {
namespace {

class OfficialTest : public SandboxTest {
 protected:
  struct Outcome {
    std::vector<RunResult> results;
    RunResult last;
  };

  Outcome shared(const std::string& source, const std::vector<std::string>& inputs,
                 const std::string& function = "") {
    ProgramSpec program;
    program.source = source;
    program.profile = CodeProfile::kLcbOfficial;
    program.mode = function.empty() ? ProgramMode::kStdin : ProgramMode::kFunctional;
    program.fn_name = function;
    std::vector<RunInput> data(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      (function.empty() ? data[i].stdin_bytes : data[i].args_json) = inputs[i];
    }
    Outcome outcome;
    outcome.last =
        sandbox_->run_shared(program, data, limits_, [&](std::size_t, const RunResult& result) {
          outcome.results.push_back(result);
          return result.end == RunEnd::kFinished;
        });
    return outcome;
  }

  std::string printed(const std::string& source, const std::string& input) {
    const Outcome outcome = shared(source, {input});
    return outcome.results.empty() ? "" : outcome.results[0].stdout_bytes;
  }

  std::string_view verdict(const std::string& source, const std::string& input = "1\n2\n") {
    const Outcome outcome = shared(source, {input});
    return outcome.results.empty() ? "none" : run_end_verdict(outcome.results[0].end);
  }
};

INSTANTIATE_TEST_SUITE_P(Level, OfficialTest, ::testing::Values(SandboxLevel::kA, SandboxLevel::kC),
                         level_test_name);

TEST_P(OfficialTest, GivesOrdinaryProgramsTheirInput) {
  EXPECT_EQ(printed("n = int(input())\nprint(n + int(input()))", "1\n2\n"), "3\n");
  EXPECT_EQ(printed("import sys\nprint(sys.stdin.read().split())", "1\n2\n"), "['1', '2']\n");
  EXPECT_EQ(printed("def main():\n    print(5)\nif __name__ == '__main__':\n    main()", ""),
            "5\n");
  EXPECT_EQ(printed("print(1)\nimport sys\nsys.exit(3)", ""), "1\n");
}

TEST_P(OfficialTest, RereadsInput) {
  EXPECT_EQ(printed("import sys\ninput()\nprint(repr(sys.stdin.read()))", "1\n2\n"),
            "'1\\n2\\n'\n");
  EXPECT_EQ(printed("import sys\nsys.stdin.read()\nprint(len(sys.stdin.read()))", "1\n2\n"), "4\n");
  EXPECT_EQ(printed("import sys\nprint(sys.stdin.readlines())", "1\n2\n"), "['1', '2', '']\n");
  EXPECT_EQ(
      printed("import sys\nb = sys.stdin.buffer\nprint(b.readline(), b.readline())", "1\n2\n"),
      "b'1\\n' b'1\\n'\n");
  EXPECT_EQ(printed("print(repr(open(0).read()))", "1\n"), "''\n");
  EXPECT_EQ(printed("import os\nprint(os.read(0, 9))", "1\n"), "b''\n");
}

TEST_P(OfficialTest, GivesAStreamThatWasImportedByNameOtherMethods) {
  // Patches of methods hit the stream from before; lines come without their ends there.
  EXPECT_EQ(printed("from sys import stdin\nprint(repr(stdin.read()))", "1\n2\n"), "'1\\n2\\n'\n");
  EXPECT_EQ(printed("from sys import stdin\nr = stdin.readline\nprint([r(), r(), r()])", "1\n2\n"),
            "['1', '2', '']\n");
  EXPECT_EQ(verdict("from sys import stdin\nfor i in range(4): stdin.readline()"), "RE");
  EXPECT_EQ(printed("from sys import stdin\nprint(list(stdin))", "1\n"), "[]\n");
  EXPECT_EQ(printed("import sys\nr = sys.stdin.readline\nprint([r(), r(), r()])", "1\n2\n"),
            "['1\\n', '2\\n', '']\n");
  EXPECT_EQ(printed("import builtins\nprint(builtins.open('x').read())", "1\n"), "1\n\n");
  const Outcome twice = shared("from sys import stdin\nprint(stdin.read())", {"1", "2"});
  ASSERT_EQ(twice.results.size(), 2u);
  EXPECT_EQ(twice.results[1].stdout_bytes, "2\n");
}

TEST_P(OfficialTest, CannotCloseTheOutput) {
  EXPECT_EQ(verdict("import sys\nsys.stdout.close()\nprint(1)"), "RE");
}

TEST_P(OfficialTest, FailsWhatItsWrapperCannotRun) {
  for (const char* program :
       {"import sys\nfor line in sys.stdin: print(line)", "import sys\nprint(next(sys.stdin))",
        "import sys\nprint(*map(str.strip, sys.stdin))", "import sys\nsys.stdin.buffer.readlines()",
        "import sys\nsys.stdout.buffer.write(b'1')",
        "x = 0\ndef f():\n    global x\n    x += 1\nf()\nprint(x)",
        "class Solution:\n    pass\nprint(1)", "x = 1\nprint(globals()['x'])",
        "from __future__ import annotations\nprint(1)",
        "import subprocess\nsubprocess.run(['true'])",
        "import resource\nprint(resource.getpagesize())", "print(undefined)"}) {
    const std::string_view got = verdict(program);
    EXPECT_TRUE(got == "RE" || got == "CE") << program << ": " << got;
  }
}

TEST_P(OfficialTest, SkipsAMainGuardThatIsNotLast) {
  EXPECT_EQ(printed("def main():\n    print(5)\nif __name__ == '__main__':\n    main()\nx = 1", ""),
            "");
}

TEST_P(OfficialTest, KeepsStateBetweenTests) {
  const Outcome outcome = shared(
      "class Solution:\n    n = 0\n    def f(self, x):\n        self.n += x\n        return self.n",
      {"1", "2", "3"}, "f");
  ASSERT_EQ(outcome.results.size(), 3u);
  EXPECT_EQ(outcome.results[2].value_bytes, "i1:6");
}

TEST_P(OfficialTest, StopsWhereItIsTold) {
  const Outcome outcome = shared("n = int(input())\nprint(1 // n)", {"1\n", "0\n", "1\n"});
  ASSERT_EQ(outcome.results.size(), 2u);
  R1_EXPECT_END(outcome.results[1], "RE");
  EXPECT_FALSE(outcome.results[1].ended_process);
}

TEST_P(OfficialTest, RaisesItsAlarmInsideTheProgram) {
  limits_.cpu_s = 1;
  R1_EXPECT_END(shared("while True: pass", {""}).last, "TLE");
  EXPECT_EQ(
      printed("import time\ntry:\n    time.sleep(5)\nexcept Exception:\n    print('caught')", ""),
      "alarm\ncaught\n");  // the alarm writes a line, there as here
}

TEST_P(OfficialTest, SaysWhenTheProcessIsGone) {
  const Outcome exited = shared("import os\ndef f(x): os._exit(0)", {"1", "2"}, "f");
  ASSERT_EQ(exited.results.size(), 1u);
  R1_EXPECT_END(exited.last, "RE");
  EXPECT_TRUE(exited.last.ended_process);
  EXPECT_TRUE(shared("def f(x): raise SystemExit(0)", {"1"}, "f").last.ended_process);
}

}  // namespace
}  // namespace r1eval
