"""Does the head execute more instructions than the base? Counted, not timed: callgrind gives the same
number in every run, on any machine with the same compiler, however busy it is.

    instructions.py BASE HEAD [--function NAME]… [--limit PERCENT] [--cache] [--args="…"]

BASE and HEAD are two builds of one program, made in the same job. --function counts only what runs
inside that function (with all it calls; a pattern, as callgrind's --toggle-collect takes it). Exit 1 when a
count grows by more than --limit percent (default 1), 2 when something cannot be run, 5 without valgrind.
--cache adds simulated misses of a cache of fixed geometry (32 KiB, 8 ways; 8 MiB, 16 ways): shown, and
gated by --cache-limit where given. valgrind 3.19 knows AVX2 but not AVX-512: programs must choose their
instructions at run time, as kernels/dispatch.cc does, and so are counted on AVX2.
"""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

GEOMETRY = ["--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=8388608,16,64"]
MISSES = ("D1mr", "D1mw", "DLmr", "DLmw")


class CannotRun(Exception):
    pass


def parse_totals(text):
    """Event -> count of a callgrind.out file."""
    events = re.search(r"^events: (.+)$", text, re.M)
    totals = re.search(r"^(?:totals|summary): (.+)$", text, re.M)
    if not events or not totals:
        raise CannotRun("callgrind's file has no events or no totals")
    counts = [int(x) for x in totals.group(1).split()]
    return dict(zip(events.group(1).split(), counts))


def count(program, arguments, function=None, cache=False, limit_s=600):
    """Event -> count of one run. Raises CannotRun with the program's last words."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "callgrind.out")
        command = ["valgrind", "--tool=callgrind", "--error-exitcode=99", "--callgrind-out-file=" + out]
        if function:
            command.append("--toggle-collect=" + function)
        if cache:
            command += GEOMETRY
        try:
            done = subprocess.run(command + [program, *arguments], capture_output=True, text=True, errors="replace",
                                  timeout=limit_s, check=False)
        except subprocess.TimeoutExpired:
            raise CannotRun(f"{program}: no end after {limit_s} s under valgrind") from None
        if done.returncode != 0 or not os.path.exists(out):
            raise CannotRun(f"{program}: exit {done.returncode}: {done.stderr.strip()[-600:]}")
        with open(out, encoding="utf-8", errors="replace") as file:
            counts = parse_totals(file.read())
    if counts.get("Ir", 0) == 0:
        raise CannotRun(f"{program}: no instruction ran inside {function or 'it'}: is the name right, and not inlined?")
    return counts


def change(before, after):
    return (after - before) / before if before else (0.0 if after == 0 else float("inf"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("head")
    parser.add_argument("--function", action="append", default=[])
    parser.add_argument("--limit", type=float, default=1.0, help="percent")
    parser.add_argument("--cache", action="store_true")
    parser.add_argument("--cache-limit", type=float, help="percent; also gates simulated misses")
    parser.add_argument("--args", default="", help="of both programs, quoted as a shell does")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("absent: valgrind, so that instructions cannot be counted")
        return 5
    failed = False
    try:
        for function in options.function or [None]:
            cache = options.cache or options.cache_limit is not None
            base, head = (count(p, shlex.split(options.args), function, cache) for p in (options.base, options.head))
            grown = change(base["Ir"], head["Ir"])
            is_bad = 100 * grown > options.limit
            line = f"{function or 'all'}: {base['Ir']} -> {head['Ir']} instructions, {100 * grown:+.2f} %"
            if cache:
                misses = [sum(c.get(event, 0) for event in MISSES) for c in (base, head)]
                more = change(*misses)
                line += f"; simulated misses {misses[0]} -> {misses[1]}, {100 * more:+.2f} %"
                is_bad = is_bad or (options.cache_limit is not None and 100 * more > options.cache_limit)
            print(("error: " if is_bad else "") + line)
            failed = failed or is_bad
    except CannotRun as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
