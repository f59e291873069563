#!/usr/bin/env python3
"""Compares the speed of r1eval's sandbox with that of LiveCodeBench's own evaluator on trivial programs.

    compare_lcb_evaluator.py --evaluator CHECKOUT --python VENV/bin/python [--r1eval FILE] [--rounds 7]

CHECKOUT is a clone of LiveCodeBench's repository; the interpreter must have numpy and tqdm. The evaluator is
imported as it is shipped and asked through codegen_metrics; this file adds only how it is handed its samples.

Both get the same program and the same tests, with one test a sample and with 20, in turn, round by round; a
ratio is the median of the rounds' ratios. r1eval runs every test in a fresh isolated process and is timed as a whole
process, start and set-up of the sandbox included; LiveCodeBench runs all tests of a sample in one process without
isolation and is timed without the interpreter's start and imports. --processes is given to both.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

PROGRAM = 'n = int(input())\nprint(2 * n)\n'

# Runs beside the evaluator. A request is a line: number of samples, number of tests, processes.
DRIVER = '''
import contextlib, io, json, os, sys, time
sys.path.insert(0, sys.argv[1])
from lcb_runner.evaluation.compute_code_generation_metrics import codegen_metrics
answers = os.fdopen(os.dup(1), 'w')
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
os.dup2(1, 2)
for line in sys.stdin:
    request = json.loads(line)
    tests = range(request['tests'])
    sample = {'input_output': json.dumps({
        'inputs': ['%d\\n' % i for i in tests], 'outputs': ['%d\\n' % (2 * i) for i in tests]})}
    n = request['samples']
    start = time.perf_counter()
    _, results, _ = codegen_metrics([sample] * n, [[request['program']]] * n, k_list=[1],
                                    num_process_evaluate=request['processes'])
    seconds = time.perf_counter() - start
    right = all(one == [[True] * len(tests)] for one in results.values()) and len(results) == n
    answers.write(json.dumps({'seconds': seconds, 'right': right}) + '\\n')
    answers.flush()
'''


def median(values):
    return sorted(values)[len(values) // 2]


def time_r1eval(binary, n_samples, n_tests, processes):
    tests = [{'input': '%d\n' % i, 'output': '%d\n' % (2 * i)} for i in range(n_tests)]
    line = json.dumps({'mode': 'stdin', 'tests': tests, 'solutions': [{'code': PROGRAM}]}) + '\n'
    start = time.perf_counter()
    done = subprocess.run([binary, 'score', 'code', '--jobs', str(processes)], input=line * n_samples,
                          stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - start
    verdicts = [json.loads(one)['verdict'] for one in done.stdout.splitlines()]
    assert verdicts == ['OK'] * n_samples, verdicts
    return seconds / n_samples


def time_peer(peer, n_samples, n_tests, processes):
    request = {'samples': n_samples, 'tests': n_tests, 'processes': processes, 'program': PROGRAM}
    peer.stdin.write(json.dumps(request) + '\n')
    peer.stdin.flush()
    answer = json.loads(peer.stdout.readline())
    assert answer['right'], 'the evaluator calls a right program wrong'
    return answer['seconds'] / n_samples


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--evaluator', required=True, help='a clone of LiveCodeBench')
    parser.add_argument('--python', default='python3', help='an interpreter with numpy and tqdm')
    parser.add_argument('--r1eval', default=str(root / 'build/release/harness/r1eval'))
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--processes', type=int, default=os.cpu_count())
    parser.add_argument('--scale', type=float, default=1, help='times as many samples a round')
    options = parser.parse_args()
    peer = subprocess.Popen([options.python, '-c', DRIVER, options.evaluator], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True)
    for n_tests, n_ours, n_theirs in ((1, 600, 80), (20, 100, 40)):
        n_ours = max(1, int(n_ours * options.scale))
        n_theirs = max(1, int(n_theirs * options.scale))
        ours, theirs = [], []
        for round_number in range(options.rounds):
            ours.append(time_r1eval(options.r1eval, n_ours, n_tests, options.processes))
            theirs.append(time_peer(peer, n_theirs, n_tests, options.processes))
            print('round %d, %2d tests: r1eval %.2f ms a sample, LiveCodeBench %.2f, load %s' % (
                round_number, n_tests, 1000 * ours[-1], 1000 * theirs[-1],
                pathlib.Path('/proc/loadavg').read_text().split()[0]), file=sys.stderr)
        print('%2d tests a sample: r1eval %.0f samples/s (%.0f isolated tests/s), LiveCodeBench %.0f '
              'samples/s (%.0f tests/s); r1eval is %.2f times as fast' % (
                  n_tests, 1 / median(ours), n_tests / median(ours), 1 / median(theirs),
                  n_tests / median(theirs), median([b / a for a, b in zip(ours, theirs)])))
    peer.stdin.close()
    peer.wait()


if __name__ == '__main__':
    main()
