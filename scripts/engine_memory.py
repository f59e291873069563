#!/usr/bin/env python3
"""Peak resident size of the embedded engine, and whether a memory budget changes any token.

    scripts/engine_memory.py MODEL.gguf [--budgets 2GiB,320MiB] [--k 64] [--prompt-words 1200]
        [--max-tokens 200] [--r1eval build/release/harness/r1eval]

One long prompt is sampled k times: once without a budget, then within each one. A budget bounds
weights, cache and scratch together, so the process may take that and 150 MiB for everything else
(`over`: what it took beyond the budget). Exit 1 where a text, a token count or a stop cause differs
from the run without a budget, or where a run took more. One that is too small for the longest
sample is refused before it starts, which is reported as such and counts as a failure here.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

MARGIN = 150 << 20
TASK = """
name = "long_prompt"
title = "one long prompt"
version = "1"
suites = []
license = "Apache-2.0"
redistributable = true
k = 1
[dataset]
format = "jsonl"
files = [{local = "items.jsonl"}]
[columns]
id = "id"
question = "question"
target = "answer"
[prompt]
style = "problem"
directive = "What is the sum of the first two numbers?"
[grader]
name = "math"
"""


def size(text):
    for suffix, unit in (("GiB", 1 << 30), ("MiB", 1 << 20)):
        if text.endswith(suffix):
            return int(float(text[: -len(suffix)]) * unit)
    raise SystemExit(f"{text}: a budget looks like 2GiB or 320MiB")


def run(args, folder, name, budget):
    out = os.path.join(folder, name)
    command = [args.r1eval, "run", "--task", os.path.join(folder, "long_prompt.toml"), "--model",
               args.model, "--k", str(args.k), "--max-tokens", str(args.max_tokens), "--seed", "7",
               "--temperature", "1", "--top-p", "1", "--out", out]
    if budget:
        command += ["--engine-memory", budget]
    start = time.monotonic()
    with open(os.path.join(folder, name + ".log"), "w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        print(f"{name}: exit {os.waitstatus_to_exitcode(status)}")
        print(open(os.path.join(folder, name + ".log")).read()[-1500:])
        return None
    samples = {}
    with open(os.path.join(out, "samples.jsonl")) as lines:
        for line in lines:
            record = json.loads(line)
            samples[record["key"]] = record
    return samples, usage.ru_maxrss * 1024, seconds


def what_was_said(record):
    """A record without what depends on the clock."""
    return json.dumps({k: v for k, v in record.items() if k in
                       ("text", "thinking", "completion", "finish_reason", "stop_cause", "usage")},
                      sort_keys=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--budgets", default="2GiB,320MiB")
    parser.add_argument("--k", type=int, default=64)
    parser.add_argument("--prompt-words", type=int, default=1200)
    parser.add_argument("--max-tokens", type=int, default=200)
    parser.add_argument("--r1eval", default="build/release/harness/r1eval")
    args = parser.parse_args()
    words = random.Random(1)
    question = " ".join(str(words.randrange(10)) for _ in range(args.prompt_words))
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "long_prompt.toml"), "w") as file:
            file.write(TASK)
        with open(os.path.join(folder, "items.jsonl"), "w") as file:
            file.write(json.dumps({"id": "1", "question": question, "answer": "1"}) + "\n")
        free = run(args, folder, "unlimited", None)
        if free is None:
            return 2
        expected = {key: what_was_said(r) for key, r in free[0].items()}
        if any(len(text) < 20 for text in expected.values()) or len(expected) != args.k:
            raise SystemExit(f"{len(expected)} samples of {args.k}, or records of unknown fields")
        print(f"{'budget':>10} {'samples':>8} {'peak MiB':>9} {'over MiB':>9} {'seconds':>8}  tokens")
        print(f"{'none':>10} {len(free[0]):8} {free[1] / 2**20:9.0f} {'':>9} {free[2]:8.1f}")
        failed = False
        for budget in args.budgets.split(","):
            bounded = run(args, folder, budget, budget)
            if bounded is None:
                failed = True
                continue
            differing = [k for k, r in bounded[0].items() if what_was_said(r) != expected.get(k)]
            differing += [k for k in expected if k not in bounded[0]]
            over = bounded[1] - size(budget)
            failed |= bool(differing) or over > MARGIN
            verdict = f"{len(differing)} differ" if differing else "the same"
            print(f"{budget:>10} {len(bounded[0]):8} {bounded[1] / 2**20:9.0f} {over / 2**20:9.0f} "
                  f"{bounded[2]:8.1f}  {verdict}")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
