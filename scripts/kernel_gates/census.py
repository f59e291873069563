"""Which machine instructions a kernel holds, read from its cubin without a disassembler.

    census.py x.cubin …                    kernels and their counts of the opcodes below
    census.py --needs NAME=HGMMA,UTMALDG x.cubin
    census.py --calibrate                  compile probes and see that the table of opcodes still holds

A cubin is an ELF file; each kernel's code is a section .text.NAME of 16-byte instructions (since Volta),
and the low nine bits of an instruction say what it is, whatever its operands. Only the few opcodes below
are known here: matrix units (HGMMA, QGMMA: wgmma; HMMA: the older mma), the copy engine (UTMALDG,
UTMASTG), USETMAXREG, and LDL/STL, the local memory that spills live in. Their numbers are no promise of
the vendor's: calibrate() compiles a probe for each and fails when a new compiler moved one.
"""
import argparse
import collections
import os
import shutil
import struct
import subprocess
import sys
import tempfile

OPCODES = {"HGMMA": 0x1F0, "QGMMA": 0x1F3, "UTMALDG": 0x1B4, "UTMASTG": 0x1B5, "HMMA": 0x03C,
           "USETMAXREG": 0x1C8, "LDL": 0x183, "STL": 0x187}
ARCHITECTURE = ["-gencode", "arch=compute_90a,code=sm_90a"]
MAX_BYTES = 1 << 30

_WGMMA = """
extern "C" __global__ void probe(float* out) {{
  __shared__ __align__(1024) char tile[16384];
  float d0 = out[0], d1 = out[1], d2 = out[2], d3 = out[3];
  unsigned long long a = (unsigned long long)__cvta_generic_to_shared(tile) >> 4;
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  asm volatile("{{ wgmma.mma_async.sync.aligned.m64n8k{k}.f32.{type}.{type} {{%0,%1,%2,%3}}, %4, %4, 1, 1, 1{tail}; }}"
               : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "l"(a));
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  out[threadIdx.x] = d0 + d1 + d2 + d3;
}}
"""
PROBES = {
    "HGMMA": _WGMMA.format(k=16, type="bf16", tail=", 0, 0"),
    "QGMMA": _WGMMA.format(k=32, type="e4m3", tail=""),
    "UTMALDG": """
extern "C" __global__ void probe(const void* map, int x) {
  __shared__ __align__(128) char tile[1024];
  __shared__ unsigned long long barrier;
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %2}], [%3];"
               :: "r"((unsigned)__cvta_generic_to_shared(tile)), "l"(map), "r"(x),
                  "r"((unsigned)__cvta_generic_to_shared(&barrier)) : "memory");
}
""",
    "UTMASTG": """
extern "C" __global__ void probe(const void* map, int x) {
  __shared__ __align__(128) char tile[1024];
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %1}], [%2];"
               :: "l"(map), "r"(x), "r"((unsigned)__cvta_generic_to_shared(tile)) : "memory");
}
""",
    "HMMA": """
extern "C" __global__ void probe(float* out, unsigned a) {
  float d0 = out[0], d1 = out[1], d2 = out[2], d3 = out[3];
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%4,%4}, {%0,%1,%2,%3};"
               : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "r"(a));
  out[threadIdx.x] = d0 + d1 + d2 + d3;
}
""",
    "USETMAXREG": """
extern "C" __global__ void __launch_bounds__(256, 1) probe(float* out) {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
  out[threadIdx.x] = 1;
}
""",
    "LDL": """
extern "C" __global__ void probe(float* out, const int* at) {
  float values[64];
  for (int i = 0; i < 64; ++i) values[i] = out[i];
  for (int i = 0; i < 64; ++i) values[at[i] & 63] += 1;
  out[threadIdx.x] = values[at[threadIdx.x] & 63];
}
""",
}
PROBES["STL"] = PROBES["LDL"]
CONTROL = 'extern "C" __global__ void probe(float* out) { out[threadIdx.x] += 1; }\n'


class NotACubin(Exception):
    pass


def sections(data):
    """(name, bytes) of an ELF64 little-endian file, every offset checked."""
    if len(data) < 64 or data[:6] != b"\x7fELF\x02\x01":
        raise NotACubin("no 64-bit little-endian ELF file")
    table_at, = struct.unpack_from("<Q", data, 40)
    entry_size, count, names_index = struct.unpack_from("<HHH", data, 58)
    if entry_size < 64 or table_at + entry_size * count > len(data) or names_index >= max(count, 1):
        raise NotACubin("its table of sections lies outside the file")
    headers = []
    for i in range(count):
        name, kind, _, _, offset, size = struct.unpack_from("<IIQQQQ", data, table_at + i * entry_size)
        if kind != 8 and offset + size > len(data):  # 8: NOBITS, no bytes in the file
            raise NotACubin(f"section {i} lies outside the file")
        headers.append((name, b"" if kind == 8 else data[offset:offset + size]))
    if not headers:
        return
    names = headers[names_index][1]
    for name, content in headers:
        end = names.find(b"\0", name)
        if name >= len(names) or end < 0:
            raise NotACubin("a section's name lies outside its table")
        yield names[name:end].decode("utf-8", "replace"), content


def census(data):
    """Kernel -> Counter over all low nine bits of its instructions."""
    kernels = {}
    for name, code in sections(data):
        if name.startswith(".text."):
            if len(code) % 16:
                raise NotACubin(f"{name}: {len(code)} bytes are no whole number of instructions")
            kernels[name[len(".text."):]] = collections.Counter(
                word & 0x1FF for word, in struct.iter_unpack("<Q8x", code))
    return kernels


def named(counts):
    return {name: counts[code] for name, code in OPCODES.items()}


def findings(kernels, needs):
    """Errors: local memory anywhere; what a kernel of `needs` lacks; the old mma where wgmma is due."""
    errors = []
    for kernel, counts in sorted(kernels.items()):
        has = named(counts)
        for opcode in ("LDL", "STL"):
            if has[opcode]:
                errors.append(f"{kernel}: {has[opcode]} {opcode}: values live in local memory")
        for alternatives in needs.get(kernel, []):
            if not any(has[opcode] for opcode in alternatives.split("|")):
                errors.append(f"{kernel}: no {alternatives.replace('|', ' or ')}")
        if any("GMMA" in alternatives for alternatives in needs.get(kernel, [])) and has["HMMA"]:
            errors.append(f"{kernel}: {has['HMMA']} HMMA: the older matrix instruction, at half the rate")
    for kernel in sorted(set(needs) - set(kernels)):
        errors.append(f"{kernel}: not in the cubins")
    return errors


def find_nvcc():
    return shutil.which("nvcc") or (os.path.exists("/usr/local/cuda/bin/nvcc") and "/usr/local/cuda/bin/nvcc") or None


def compile_cubin(nvcc, source, folder, name, more=()):
    """(cubin bytes, the assembler's report). Raises on failure with its words."""
    cu, cubin = os.path.join(folder, name + ".cu"), os.path.join(folder, name + ".cubin")
    with open(cu, "w", encoding="utf-8") as file:
        file.write(source)
    done = subprocess.run([nvcc, *ARCHITECTURE, "-cubin", "-O3", "-Xptxas", "-v,-warn-spills,-warn-lmem-usage", *more,
                           "-o", cubin, cu], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"nvcc {name}: {done.stderr.strip()[-2000:]}")
    with open(cubin, "rb") as file:
        return file.read(), done.stderr


def calibrate(nvcc):
    """Errors: opcodes of the table that their probes do not hold, or that an empty kernel holds, too."""
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        control = census(compile_cubin(nvcc, CONTROL, folder, "control")[0])["probe"]
        compiled = {}
        for name, source in PROBES.items():
            if source not in compiled:
                compiled[source] = census(compile_cubin(nvcc, source, folder, name.lower())[0])["probe"]
            code = OPCODES[name]
            new = sorted(set(compiled[source]) - set(control))
            if not compiled[source][code]:
                errors.append(f"{name}: 0x{code:03x} is not in its probe; its opcodes beyond an empty kernel's: "
                              + " ".join(f"0x{x:03x}" for x in new))
            if control[code]:
                errors.append(f"{name}: 0x{code:03x} is in an empty kernel, too")
    return errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cubins", nargs="*")
    parser.add_argument("--needs", action="append", default=[], metavar="KERNEL=A,B|C")
    parser.add_argument("--calibrate", action="store_true")
    options = parser.parse_args()
    if options.calibrate:
        nvcc = find_nvcc()
        if nvcc is None:
            print("absent: nvcc, so that the table of opcodes cannot be calibrated")
            return 5
        errors = calibrate(nvcc)
        print("\n".join("error: " + error for error in errors) or f"census: {len(OPCODES)} opcodes hold")
        return 1 if errors else 0
    kernels = {}
    for path in options.cubins:
        try:
            if os.path.getsize(path) > MAX_BYTES:
                raise NotACubin("more than 1 GiB")
            with open(path, "rb") as file:
                kernels.update(census(file.read()))
        except (OSError, NotACubin) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 2
    for kernel, counts in sorted(kernels.items()):
        print(kernel, sum(counts.values()), " ".join(f"{name}={n}" for name, n in named(counts).items() if n))
    needs = {}
    for text in options.needs:
        kernel, equals, opcodes = text.partition("=")
        if not equals or not set(opcodes.replace("|", ",").split(",")) <= set(OPCODES):
            print(f"--needs {text}: expected KERNEL=OPCODE,OPCODE|OPCODE with {', '.join(OPCODES)}", file=sys.stderr)
            return 2
        needs[kernel] = opcodes.split(",")
    errors = findings(kernels, needs)
    for error in errors:
        print("error: " + error, file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
