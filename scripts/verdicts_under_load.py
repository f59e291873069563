#!/usr/bin/env python3
"""Runs a mix of programs at several times oversubscription: no verdict may change.

    verdicts_under_load.py [--n 500] [--times 1 4 8] [--cpu-limit 1] [--r1eval FILE] [--level A|B|C]

The mix: right and wrong answers, exceptions, programs that need 1.5 times and 0.7 times their CPU limit (by the
clock of their own process, and as an amount of work that is measured first with all cores busy), memory hogs,
sleepers within and beyond the wall limit, C++. Each has one verdict that is right; any other one at any load is
a failure, and the exit status is 1.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import time

WORK = 'x = 0\nfor i in range({n}):\n    x = (x * 31 + i) % 1000003\nprint(x >= 0)\n'
CLOCK = 'import time\nwhile time.process_time() < {s}:\n    pass\nprint(True)\n'
CPP_CLOCK = ('#include <ctime>\n#include <cstdio>\n'
             'int main() {{ while (double(clock()) / CLOCKS_PER_SEC < {s}) {{}} puts("True"); }}\n')


def run(options, rows, jobs):
    command = [options.r1eval, 'sandbox', 'run', '--jobs', str(jobs)]
    if options.level:
        command += ['--level', options.level]
    done = subprocess.run(command, input=''.join(json.dumps(row) + '\n' for row in rows),
                          stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def steps_a_second(options):
    """How much work a core does in a second while all cores are at work."""
    n = 2000000
    cores = os.cpu_count()
    rows = [{'program': WORK.format(n=n), 'expected_stdout': 'True\n'} for _ in range(5 * cores)]
    seconds = sorted(one['cpu_s'] for one in run(options, rows, cores))
    return n / seconds[len(seconds) // 2]


def make_rows(options, speed):
    cpu = options.cpu_limit
    wall = 3 * cpu
    limits = {'cpu_s': cpu, 'wall_s': wall, 'memory_mib': 128}

    def work(times):
        return WORK.format(n=int(times * cpu * speed))

    kinds = [
        # share, name, verdict, program from a random source
        (16, 'right', 'OK', lambda r: 'print(sum(range(%d)) >= 0)' % r.randrange(9999)),
        (6, 'right C++', 'OK',
         lambda r: '#include <cstdio>\nint main() { puts("True"); return %d - %d; }' % ((7, 7))),
        (10, 'wrong', 'WA', lambda r: 'print(%d)' % r.randrange(9999)),
        (6, 'exception', 'RE', lambda r: 'print(True)\n[][%d]' % r.randrange(9)),
        (4, 'exit status', 'RE', lambda r: 'import os\nos._exit(%d)' % r.randrange(1, 99)),
        (3, 'C++ abort', 'RE', lambda r: '#include <cstdlib>\nint main() { abort(); }'),
        (4, '1.5 of the limit by clock', 'TLE', lambda r: CLOCK.format(s=1.5 * cpu)),
        (4, '1.5 of the limit by work', 'TLE', lambda r: work(1.5)),
        (6, '0.7 of the limit by clock', 'OK', lambda r: CLOCK.format(s=0.7 * cpu)),
        (6, '0.7 of the limit by work', 'OK', lambda r: work(0.7)),
        (4, '0.7 of the limit C++', 'OK', lambda r: CPP_CLOCK.format(s=0.7 * cpu)),
        (3, '1.5 of the limit C++', 'TLE', lambda r: CPP_CLOCK.format(s=1.5 * cpu)),
        (8, 'memory', 'MLE', lambda r: 'x = []\nwhile True:\n    x.append(bytearray(1 << 20))'),
        (10, 'sleeper', 'OK',
         lambda r: 'import time\ntime.sleep(%.3f)\nprint(True)' % (0.5 * wall * r.random())),
        (6, 'idle sleeper', 'TLE', lambda r: 'import time\ntime.sleep(%f)' % (3 * wall)),
        (4, 'many sleeps', 'OK',
         lambda r: 'import time\nfor i in range(50):\n    time.sleep(0.001)\nprint(True)'),
    ]
    rng = random.Random(7)
    picked = [kind for kind in kinds for _ in range(round(options.n * kind[0] / 100))]
    while len(picked) < options.n:
        picked.append(kinds[0])
    rng.shuffle(picked)
    rows = []
    for _, name, verdict, make in picked[:options.n]:
        rows.append({'id': name, 'program': make(rng), 'expected_stdout': 'True\n', 'limits': limits,
                     'language': 'cpp' if 'C++' in name else 'python', 'verdict': verdict})
    return rows


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--r1eval', default=str(root / 'build/release/harness/r1eval'))
    parser.add_argument('--n', type=int, default=500)
    parser.add_argument('--times', type=int, nargs='+', default=[1, 4, 8])
    parser.add_argument('--cpu-limit', type=float, default=1.0)
    parser.add_argument('--level', choices=['A', 'B', 'C'])
    options = parser.parse_args()
    rows = make_rows(options, steps_a_second(options))
    n_bad = 0
    for times in options.times:
        load = pathlib.Path('/proc/loadavg').read_text().split()[0]
        start = time.perf_counter()
        answers = run(options, rows, times * os.cpu_count())
        seconds = time.perf_counter() - start
        bad = collections.Counter()
        for row, answer in zip(rows, answers):
            if answer['verdict'] != row['verdict']:
                bad['%s: %s for %s (%.2f s CPU)' % (row['id'], answer['verdict'], row['verdict'],
                                                  answer['cpu_s'])] += 1
        n_bad += sum(bad.values())
        print('%d times oversubscribed (load %s before): %d runs in %.0f s, %d wrong verdicts, %d run again' % (
            times, load, len(answers), seconds, sum(bad.values()),
            sum(bool(answer.get('reruns')) for answer in answers)))
        for text, count in bad.items():
            print('    %d x %s' % (count, text))
        sys.stdout.flush()
    return 1 if n_bad else 0


if __name__ == '__main__':
    sys.exit(main())
