"""The gates that need no GPU, with planted faults: what they must catch, they catch.

    gates_test.py SOURCE_ROOT        exit 77 when nothing could run
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "..")
GATES = os.path.join(ROOT, "scripts", "kernel_gates")
sys.path.insert(0, GATES)
import census  # noqa: E402
import instructions  # noqa: E402
import resources  # noqa: E402

NVCC = census.find_nvcc()
COMPILER = shutil.which("c++") or shutil.which("g++")
VALGRIND = shutil.which("valgrind")

PLAIN = """
extern "C" __global__ void kernel(float* out, const float* in) { out[threadIdx.x] = 2 * in[threadIdx.x]; }
"""
# 200 values that all live over a loop, in 32 registers: most must be spilled.
SPILLS = """
extern "C" __global__ void __launch_bounds__(1024, 2) kernel(float* out, const float* in, int n) {
  float v[200];
#pragma unroll
  for (int i = 0; i < 200; ++i) v[i] = in[i * 1024 + threadIdx.x];
  for (int k = 0; k < n; ++k) {
#pragma unroll
    for (int i = 0; i < 200; ++i) v[i] = v[i] * v[(i + 7) % 200] + in[k];
  }
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 200; ++i) sum += v[i];
  out[threadIdx.x] = sum;
}
"""
REPORT = """ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'small' for 'sm_90a'
ptxas info    : Function properties for small
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 400 bytes smem
ptxas info    : Compile time = 1.9 ms
ptxas info    : Compiling entry function 'large' for 'sm_90a'
ptxas info    : Function properties for large
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 168 registers, used 2 barriers, 16 bytes cumulative stack size
"""


class ResourceReportTest(unittest.TestCase):
    def test_reads_every_kernel_of_a_report(self):
        kernels, warnings = resources.parse_report(REPORT)
        self.assertEqual(set(kernels), {"small", "large"})
        self.assertEqual((kernels["small"]["registers"], kernels["small"]["shared"]), (32, 400))
        self.assertEqual((kernels["large"]["stack"], kernels["large"]["spill_loads"]), (16, 12))
        self.assertEqual(warnings, [])

    def test_growth_is_an_error_and_less_a_note(self):
        kernels, _ = resources.parse_report(REPORT.replace("16 bytes stack frame, 8", "0 bytes stack frame, 0").replace("12 bytes spill", "0 bytes spill"))
        table = resources.table_of(kernels, {})
        self.assertEqual(resources.findings(kernels, [], table), ([], []))
        grown = {**table, "small": {"registers": 31, "shared": 400}}
        errors, _ = resources.findings(kernels, [], grown)
        self.assertEqual(len(errors), 1)
        self.assertIn("small: registers grew from 31 to 32", errors[0])
        errors, notes = resources.findings(kernels, [], {**table, "small": {"registers": 40, "shared": 500}})
        self.assertEqual((len(errors), len(notes)), (0, 2))
        errors, _ = resources.findings(kernels, [], {"small": table["small"]})
        self.assertIn("large: not in the table", errors[0])

    def test_warnings_that_cost_the_speed_are_errors(self):
        for code in ("C7508", "C7510"):
            text = REPORT + f"ptxas warning : (({code})) Potential Performance Loss in function 'large'\n"
            kernels, warnings = resources.parse_report(text)
            errors, _ = resources.findings(kernels, warnings, resources.table_of(kernels, {}))
            self.assertTrue(any(code in error for error in errors))

    def test_an_update_keeps_what_else_the_table_says(self):
        kernels, _ = resources.parse_report(REPORT)
        table = resources.table_of(kernels, {"small": {"registers": 1, "shared": 1, "needs": ["HGMMA"]}})
        self.assertEqual(table["small"], {"registers": 32, "shared": 400, "needs": ["HGMMA"]})

    def test_a_log_without_kernels_is_no_pass(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "log")
            with open(log, "w", encoding="utf-8") as file:
                file.write("nothing\n")
            done = subprocess.run([sys.executable, os.path.join(GATES, "resources.py"), "--table", os.path.join(folder, "t"), log],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn("-Xptxas -v", done.stderr)


def elf(code, name=b".text.kernel"):
    """The least ELF file with one section of code."""
    names = b"\0.shstrtab\0" + name + b"\0"
    at_names, at_code = 64, 64 + len(names)
    at_table = at_code + len(code)
    header = b"\x7fELF\x02\x01" + b"\0" * 10 + struct.pack("<HHIQQQIHHHHHH", 2, 190, 1, 0, 0, at_table, 0, 64, 0, 0, 64, 3, 1)

    def section(name_at, kind, offset, size):
        return struct.pack("<IIQQQQIIQQ", name_at, kind, 0, 0, offset, size, 0, 0, 1, 0)

    return (header + names + code + section(0, 0, 0, 0) + section(1, 3, at_names, len(names))
            + section(11, 1, at_code, len(code)))


class CensusTest(unittest.TestCase):
    def test_counts_the_low_nine_bits_of_each_instruction(self):
        code = b"".join(struct.pack("<QQ", (0x7A00 << 9) | opcode, 0x1F0) for opcode in (0x1F0, 0x1F0, 0x183))
        kernels = census.census(elf(code))
        self.assertEqual(census.named(kernels["kernel"])["HGMMA"], 2)
        self.assertEqual(census.named(kernels["kernel"])["LDL"], 1)
        errors = census.findings(kernels, {"kernel": ["HGMMA|QGMMA", "UTMALDG"], "other": ["HGMMA"]})
        self.assertEqual(sorted(error.split(":")[1].strip().split(" ")[0] for error in errors), ["1", "no", "not"])

    def test_the_old_matrix_instruction_is_named_where_the_new_is_due(self):
        code = b"".join(struct.pack("<QQ", opcode, 0) for opcode in (0x1F0, 0x1B4, 0x03C))
        errors = census.findings(census.census(elf(code)), {"kernel": ["HGMMA", "UTMALDG"]})
        self.assertEqual(len(errors), 1)
        self.assertIn("HMMA", errors[0])

    def test_damaged_files_are_refused_never_read_past_their_end(self):
        whole = elf(b"\0" * 32)
        self.assertEqual(list(census.census(whole)), ["kernel"])
        for size in range(len(whole)):
            try:
                census.census(whole[:size])
            except census.NotACubin:
                continue
            self.fail(f"{size} of {len(whole)} bytes were taken for a cubin")
        for at in range(len(whole)):
            for value in (0, 0x7F, 0xFF):
                try:
                    census.census(whole[:at] + bytes([value]) + whole[at + 1:])
                except census.NotACubin:
                    pass


@unittest.skipIf(NVCC is None, "nvcc is absent")
class CompiledKernelsTest(unittest.TestCase):
    def test_the_table_of_opcodes_holds_for_this_compiler(self):
        self.assertEqual(census.calibrate(NVCC), [])

    def test_a_planted_spill_is_caught_by_report_and_census(self):
        with tempfile.TemporaryDirectory() as folder:
            cubin, report = census.compile_cubin(NVCC, PLAIN, folder, "plain")
            kernels, warnings = resources.parse_report(report)
            table = resources.table_of(kernels, {})
            self.assertEqual(resources.findings(kernels, warnings, table)[0], [])
            self.assertEqual(census.findings(census.census(cubin), {}), [])
            cubin, report = census.compile_cubin(NVCC, SPILLS, folder, "spills")
            kernels, warnings = resources.parse_report(report)
            errors, _ = resources.findings(kernels, warnings, table)
            self.assertTrue(any("spilled" in error for error in errors), errors)
            self.assertTrue(any("registers grew" in error for error in errors), errors)
            self.assertTrue(census.findings(census.census(cubin), {}))

    def test_the_whole_gate_over_a_folder_of_sources(self):
        with tempfile.TemporaryDirectory() as folder:
            def gate(*more):
                done = subprocess.run([sys.executable, os.path.join(GATES, "device_gate.py"), "--sources", folder, *more],
                                      capture_output=True, text=True, check=False)
                return done.returncode, done.stdout + done.stderr

            path = os.path.join(folder, "x.cu")
            with open(path, "w", encoding="utf-8") as file:
                file.write(PLAIN)
            self.assertEqual(gate()[0], 1)  # not in the table yet
            self.assertEqual(gate("--update")[0], 0)
            self.assertEqual(gate()[0], 0)
            table_path = os.path.join(folder, "resources.json")
            with open(table_path, encoding="utf-8") as file:
                table = json.load(file)
            table["kernels"]["kernel"]["needs"] = ["HGMMA|QGMMA"]
            with open(table_path, "w", encoding="utf-8") as file:
                json.dump(table, file)
            code, text = gate()
            self.assertEqual(code, 1)
            self.assertIn("kernel: no HGMMA or QGMMA", text)
            with open(path, "w", encoding="utf-8") as file:
                file.write("this is no CUDA\n")
            self.assertEqual(gate()[0], 2)


# A counted function that does N rounds, and a main that does other things, too.
COUNTED = """
#include <cstdio>
extern "C" __attribute__((noinline)) long counted(const int* v, int n) {
  long sum = 0;
  for (int i = 0; i < n; ++i) { sum = sum * 31 + v[i & 63]; asm volatile("" : "+r"(sum)); }
  return sum;
}
int main() {
  int v[64];
  for (int i = 0; i < 64; ++i) v[i] = i;
  for (volatile int other = 0; other < OTHER; ++other) {}
  std::printf("%ld\\n", counted(v, ROUNDS));
}
"""


@unittest.skipIf(VALGRIND is None or COMPILER is None, "valgrind or a compiler is absent")
class InstructionCountTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()

        def build(name, rounds, other):
            path = os.path.join(cls.folder.name, name)
            with open(path + ".cc", "w", encoding="utf-8") as file:
                file.write(COUNTED)
            subprocess.run([COMPILER, "-O1", f"-DROUNDS={rounds}", f"-DOTHER={other}", "-o", path, path + ".cc"], check=True)
            return path

        cls.base = build("base", 100000, 1000)
        cls.more = build("more", 102000, 1000)
        cls.elsewhere = build("elsewhere", 100000, 90000)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def gate(self, *arguments):
        done = subprocess.run([sys.executable, os.path.join(GATES, "instructions.py"), *arguments],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_two_runs_count_the_same_to_the_digit(self):
        self.assertEqual(instructions.count(self.base, [], "counted"), instructions.count(self.base, [], "counted"))

    def test_two_percent_more_work_is_caught_and_none_is_not(self):
        code, text = self.gate(self.base, self.more, "--function", "counted")
        self.assertEqual(code, 1, text)
        self.assertIn("+2.0", text)
        self.assertEqual(self.gate(self.base, self.base, "--function", "counted")[0], 0)
        self.assertEqual(self.gate(self.more, self.base, "--function", "counted")[0], 0)  # less is fine
        self.assertEqual(self.gate(self.base, self.more, "--function", "counted", "--limit", "3")[0], 0)

    def test_work_outside_the_function_does_not_count(self):
        self.assertEqual(self.gate(self.base, self.elsewhere, "--function", "counted")[0], 0)
        self.assertEqual(self.gate(self.base, self.elsewhere)[0], 1)

    def test_a_function_that_never_runs_is_no_pass(self):
        code, text = self.gate(self.base, self.base, "--function", "no_such_function")
        self.assertEqual(code, 2)
        self.assertIn("no_such_function", text)
        self.assertEqual(self.gate(self.base, self.base + "-nowhere")[0], 2)

    def test_simulated_misses_are_shown(self):
        code, text = self.gate(self.base, self.base, "--cache")
        self.assertEqual(code, 0)
        self.assertIn("simulated misses", text)


if __name__ == "__main__":
    for what, tool in (("nvcc", NVCC), ("valgrind", VALGRIND)):
        print(f"[extra] {'ran: kernel gates with' if tool else 'absent: kernel gates without'} {what}")
    sys.stdout.flush()
    unittest.main(argv=sys.argv[:1], verbosity=2)
