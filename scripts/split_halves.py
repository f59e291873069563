#!/usr/bin/env python3
"""One run of 64 samples an item, split into halves by sample 100 times: how often does the gate say FAIL where nothing
changed, and how often does it pass a planted drop of the size that `r1eval plan` says could be seen?

    scripts/split_halves.py R1EVAL [--items 30] [--splits 100] [--margin 3]

Abilities of the items come from a beta distribution with mean 0.7, samples from them; everything goes through the
command line, so that reading, grading, pairing and the gate are all in it.
"""
import argparse
import json
import os
import random
import subprocess
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("r1eval")
parser.add_argument("--items", type=int, default=30)
parser.add_argument("--splits", type=int, default=100)
parser.add_argument("--margin", type=float, default=3)
arguments = parser.parse_args()
program = os.path.abspath(arguments.r1eval)
chance = random.Random(1)
K = 64


def baseline_file(name, right):
    """right: item -> list of truth values of its samples."""
    with open("in.jsonl", "w") as f:
        for item, values in right.items():
            for sample, value in enumerate(values):
                f.write(json.dumps({"task": "t", "item": item, "sample": sample, "response": "\\boxed{1}" if value else
                                    "\\boxed{2}", "gold": "1", "question": item}) + "\n")
    run = name + ".run"
    subprocess.run(["rm", "-rf", run], check=True)
    subprocess.run([program, "import", "--from", "jsonl", "in.jsonl", "--out", run], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run([program, "export", "--to", "baseline", run, "--out", name], check=True)
    return run


def gate(candidate, baseline, about):
    done = subprocess.run([program, "gate", "--candidate", candidate, "--baseline", baseline, "--margin",
                           str(arguments.margin), "--about", about, "--draws", "0", "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return json.loads(done.stdout)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    abilities = [chance.betavariate(1.4, 0.6) for _ in range(arguments.items)]
    run = {f"i{i:03}": [chance.random() < p for _ in range(K)] for i, p in enumerate(abilities)}
    first = {}
    counts = {about: {"same": {"pass": 0, "fail": 0, "inconclusive": 0}, "dropped": {"pass": 0, "fail": 0, "inconclusive": 0}}
              for about in ("new-items", "these-items")}
    for split in range(arguments.splits):
        halves = [{}, {}]
        for item, values in run.items():
            order = list(range(K))
            chance.shuffle(order)
            halves[0][item] = [values[i] for i in order[:K // 2]]
            halves[1][item] = [values[i] for i in order[K // 2:]]
        baseline_file("a.json", halves[0])
        baseline_file("b.json", halves[1])
        for about in counts:
            line = gate("a.json", "b.json", about)
            counts[about]["same"][line["verdict"]] += 1
            if split == 0:
                # What could be seen, with the variances of this run (twins differ by their noise alone).
                first[about] = line["tasks"]["t"]["mde"]
        for about in counts:
            score = sum(map(sum, halves[0].values())) / (arguments.items * K / 2)
            keep = 1 - first[about] / score
            worse = {item: [v and chance.random() < keep for v in values] for item, values in halves[0].items()}
            baseline_file("a.json", worse)
            counts[about]["dropped"][gate("a.json", "b.json", about)["verdict"]] += 1
    for about, verdicts in counts.items():
        print(f"{about}: nothing changed: {verdicts['same']}; a drop of {100 * first[about]:.2f} points, which could be seen: "
              f"{verdicts['dropped']} (margin {arguments.margin} points, {arguments.items} items x {K // 2} samples a side)")
