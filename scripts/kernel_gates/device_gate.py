"""Compiles every CUDA source of ours for sm_90a and applies the gates that need no GPU.

    device_gate.py [--table kernels/cuda/resources.json] [--sources DIR] [--update] [--jobs N]

resources.py says what the assembler may report, census.py which instructions must be there; a kernel of
the table may have "needs": ["HGMMA|QGMMA", "UTMALDG"]. Exit 0 fine, 1 findings, 2 something does not
compile, 5 without nvcc.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile

import census
import resources

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def compile_source(nvcc, source, folder, number):
    """(cubin bytes or None for a source without kernels, report, error)."""
    cubin = os.path.join(folder, f"{number}.cubin")
    done = subprocess.run([nvcc, *census.ARCHITECTURE, "-std=c++20", "-O3", "-I", ROOT, "-cubin", "-Xptxas",
                           "-v,-warn-spills,-warn-lmem-usage", "-o", cubin, source],
                          capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        return None, "", f"{source}: {done.stderr.strip()[-2000:]}"
    with open(cubin, "rb") as file:
        return file.read(), done.stderr, None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", default=os.path.join(ROOT, "kernels", "cuda"))
    parser.add_argument("--table")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    table_path = options.table or os.path.join(options.sources, "resources.json")
    nvcc = census.find_nvcc()
    if nvcc is None:
        print("absent: nvcc, so that CUDA kernels are not compiled")
        return 5
    if not os.path.isdir(options.sources):
        print(f"absent: {options.sources}, so that there is nothing to compile")
        return 5
    sources = sorted(os.path.join(options.sources, name) for name in os.listdir(options.sources) if name.endswith(".cu"))
    kernels, warnings, codes, broken = {}, [], {}, []
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(compile_source, nvcc, source, folder, i) for i, source in enumerate(sources)]
        for job in jobs:
            cubin, report, error = job.result()
            if error:
                broken.append(error)
                continue
            found, warned = resources.parse_report(report)
            kernels.update(found)
            warnings += warned
            codes.update(census.census(cubin))
    if broken:
        print("\n".join("error: " + error for error in broken), file=sys.stderr)
        return 2
    # Device functions that were not inlined have code of their own; the kernels are what is launched.
    table = resources.read_table(table_path)
    if options.update:
        table = resources.table_of(kernels, table)
        resources.write_table(table_path, table)
    errors, notes = resources.findings(kernels, warnings, table)
    errors += census.findings(codes, {name: entry["needs"] for name, entry in table.items() if entry.get("needs")})
    for note in notes:
        print("note: " + note)
    for error in errors:
        print("error: " + error, file=sys.stderr)
    print(f"device gate: {len(sources)} sources, {len(kernels)} kernels, {len(errors)} findings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
