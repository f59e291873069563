"""What the CUDA assembler says a kernel uses, and whether that is allowed.

    nvcc -cubin … -Xptxas -v,-warn-spills,-warn-lmem-usage x.cu 2> x.log
    resources.py --table TABLE.json x.log …         exit 1 and a line a finding, or 0
    resources.py --table TABLE.json --update x.log  write the table as it is now

A kernel must not spill, use local memory or a stack; it must be in the table, and use no more registers
or shared memory than the table says. Less is a note: --update takes it over, so that it stays. C7508
(setmaxnreg was ignored) and C7510 (wgmma was made serial) are errors whatever the table says: the kernel
still computes, several times slower. TABLE: {"kernels": {NAME: {"registers": n, "shared": bytes}}}.
"""
import argparse
import json
import re
import sys

COMPILING = re.compile(r"Compiling entry function '([^']+)' for '([^']+)'")
PROPERTIES = re.compile(r"Function properties for '?([^'\s]+)'?")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")
SHARED = re.compile(r"(\d+)(?:\+(\d+))? bytes smem")
LOCAL = re.compile(r"(\d+)(?:\+(\d+))? bytes lmem")
FATAL_WARNINGS = {"C7508": "setmaxnreg was ignored", "C7510": "wgmma was made serial"}


def parse_report(text):
    """(kernels, warnings): name -> its numbers, and lines that name a fatal warning."""
    kernels, warnings, current, described = {}, [], None, None
    for line in text.splitlines():
        for code in FATAL_WARNINGS:
            if code in line:
                warnings.append((code, line.strip()))
        if found := COMPILING.search(line):
            current = described = found.group(1)
            kernels[current] = dict(registers=0, shared=0, stack=0, spill_stores=0, spill_loads=0, local=0)
        elif found := PROPERTIES.search(line):
            # Of the kernel itself or of a function that it calls; the latter's frame is the kernel's, too.
            described = found.group(1)
        elif current is None:
            continue
        elif found := FRAME.search(line):
            frame = [int(x) for x in found.groups()]
            for key, value in zip(("stack", "spill_stores", "spill_loads"), frame):
                kernels[current][key] = max(kernels[current][key], value)
        elif found := USED.search(line):
            kernels[current]["registers"] = int(found.group(1))
            for key, pattern in (("shared", SHARED), ("local", LOCAL)):
                if sizes := pattern.search(line):
                    kernels[current][key] = sum(int(x) for x in sizes.groups() if x)
    return kernels, warnings


def findings(kernels, warnings, table):
    """(errors, notes) against a table."""
    errors = [f"{FATAL_WARNINGS[code]} ({code}): {line}" for code, line in warnings]
    notes = []
    for name, used in sorted(kernels.items()):
        for key, what in (("spill_stores", "bytes are spilled to memory"), ("spill_loads", "bytes are read back from spills"),
                          ("stack", "bytes of stack"), ("local", "bytes of local memory")):
            if used[key] > 0:
                errors.append(f"{name}: {used[key]} {what}; a kernel of ours uses none: give it fewer live values, "
                              "more registers (__launch_bounds__) or indices known when it is compiled")
        known = table.get(name)
        if known is None:
            errors.append(f"{name}: not in the table; look at its numbers ({used['registers']} registers, "
                          f"{used['shared']} bytes shared) and --update")
            continue
        for key in ("registers", "shared"):
            if used[key] > known[key]:
                errors.append(f"{name}: {key} grew from {known[key]} to {used[key]}; if that is meant, --update")
            elif used[key] < known[key]:
                notes.append(f"{name}: {key} fell from {known[key]} to {used[key]}; --update keeps it there")
    for name in sorted(set(table) - set(kernels)):
        notes.append(f"{name}: in the table, but not compiled; --update drops it")
    return errors, notes


def table_of(kernels, before):
    """The table as it is now; what else an entry holds (needs, …) stays."""
    return {name: {**before.get(name, {}), "registers": used["registers"], "shared": used["shared"]}
            for name, used in sorted(kernels.items())}


def read_table(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)["kernels"]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        sys.exit(f"{path}: expected {{\"kernels\": {{NAME: {{\"registers\": n, \"shared\": n}}}}}}: {error}")


def write_table(path, table):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"kernels": table}, file, indent=1, sort_keys=True)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+")
    parser.add_argument("--table", required=True)
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    kernels, warnings = {}, []
    for log in options.logs:
        with open(log, encoding="utf-8", errors="replace") as file:
            found, warned = parse_report(file.read())
        kernels.update(found)
        warnings += warned
    if not kernels:
        print("no kernel in the report: was it made with -Xptxas -v?", file=sys.stderr)
        return 2
    table = read_table(options.table)
    if options.update:
        write_table(options.table, table_of(kernels, table))
        return 0
    errors, notes = findings(kernels, warnings, table)
    for note in notes:
        print("note: " + note)
    for error in errors:
        print("error: " + error, file=sys.stderr)
    print(f"resources: {len(kernels)} kernels, {len(errors)} findings")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
