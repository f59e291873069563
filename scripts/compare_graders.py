#!/usr/bin/env python3
"""Compares r1eval's graders with those of other harnesses: agreement, failures, time.

    compare_graders.py --r1eval build/release/harness/r1eval --vectors pairs.jsonl --choice choice.jsonl
    compare_graders.py --r1eval build/release/harness/r1eval --worked 1000

The peers come from PyPI, in the versions of PEERS below, into a virtual environment: --venv names one (made
and filled where it does not exist), otherwise a temporary one is made and removed. They are imported as they
are shipped; what this file adds is only how a pair is handed to each.

Input lines: pairs {id, gold, pred, mode: answer|text, expected: bool, group?, profile?}; choice {id, text, options,
expected: letters or null, profile?, multi?}. Lines of another profile than "default" are left out: the peers
have no profiles.

All graders run on one core. For each pair every peer is asked in turn, in a process of its own that is warm;
one that does not answer in HARD_LIMIT_S is killed, started again and counts as a time-out. r1eval grades
blocks of the same pairs in between; its time is the field "us" (median of three), its process start is left out as
the peers' is. With --worked every grader gets the same synthetic worked solutions in one process, and what counts
is user and system time, children included; r1eval's process is measured whole, the peers' without imports.
"""
import argparse
import json
import os
import platform
import random
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PEERS = ["math-verify==0.9.0", "latex2sympy2_extended==1.11.0", "antlr4-python3-runtime==4.11.0", "lm-eval==0.4.13",
         "inspect-ai==0.3.285", "evalscope==1.14.1"]
HARD_LIMIT_S = 10.0
SLOW_S = 4.9  # the peers' own limits are 5 s; what runs this long was stopped by one
BLOCK = 64


# ---- the peers, each in a worker process: (gold, pred, mode) -> True, False or None (it could not judge) ----

def is_delimited(text):
    return any(mark in text for mark in ("$", "\\(", "\\[", "\\boxed", "\\begin{"))


def load_math_verify():
    from math_verify import parse, verify

    def read(text, mode):
        # Math-Verify reads LaTeX only between delimiters, so a bare answer gets them; as it is, where that fails.
        if mode == "text" or is_delimited(text):
            return parse(text)
        return parse(f"${text}$") or parse(text)

    def grade(gold, pred, mode):
        golds = read(gold, "text" if mode == "text" and is_delimited(gold) else "answer")
        return bool(verify(golds, read(pred, mode))) if golds else None
    return grade


def load_minerva():
    from lm_eval.tasks.minerva_math import utils

    def grade(gold, pred, mode):
        boxed = utils.last_boxed_only_string(gold)
        target = utils.normalize_final_answer(utils.remove_boxed(boxed) if boxed else gold)
        answer = utils.get_unnormalized_answer(pred) if mode == "text" else pred
        return utils.is_equiv(utils.normalize_final_answer(answer), target)
    return grade


def load_hendrycks():
    from lm_eval.tasks.hendrycks_math import utils

    def grade(gold, pred, mode):
        boxed = gold if "\\boxed" in gold or "\\fbox" in gold else "\\boxed{" + gold + "}"
        return utils.process_results({"solution": boxed}, [pred])["exact_match"] == 1
    return grade


def load_inspect():
    import asyncio

    from inspect_ai.model import ChatMessageUser, ModelName, ModelOutput
    from inspect_ai.scorer import Target, math
    from inspect_ai.solver import TaskState
    scorer = math()
    loop = asyncio.new_event_loop()

    def grade(gold, pred, mode):
        state = TaskState(model=ModelName("mockllm/model"), sample_id=0, epoch=1, input="",
                          messages=[ChatMessageUser(content="")],
                          output=ModelOutput.from_content("mockllm/model", pred))
        score = loop.run_until_complete(scorer(state, Target(gold)))
        return None if score.value not in ("C", "I") else score.value == "C"
    return grade


def load_evalscope():
    from evalscope.metrics.math.parser import compare_answers

    def grade(gold, pred, mode):
        return compare_answers(pred, gold, prediction_mode="output" if mode == "text" else "fragment").matched
    return grade


LOADERS = {"Math-Verify": load_math_verify, "lm-eval minerva": load_minerva, "lm-eval hendrycks": load_hendrycks,
           "inspect_ai math()": load_inspect, "evalscope math": load_evalscope}


def cpu_seconds():
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def serve(name):
    """The worker: a line in, a line out. {"all": [...]} grades a list and reports CPU seconds."""
    import logging
    import warnings
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        grade = LOADERS[name]()
        for _ in range(3):
            grade("\\boxed{\\frac{1}{2}}", "So it is $\\boxed{0.5}$.", "text")
    except Exception as error:  # an absent peer is a row that says so
        print(json.dumps({"absent": f"{type(error).__name__}: {error}"}), file=out, flush=True)
        return
    print(json.dumps({"ready": True}), file=out, flush=True)

    def one(gold, pred, mode):
        started = time.perf_counter()
        try:
            answer, failure = grade(gold, pred, mode), ""
        except BaseException as error:  # noqa: B036  peers raise what they like
            answer, failure = None, type(error).__name__
        return {"answer": answer, "failure": failure, "us": (time.perf_counter() - started) * 1e6}

    for line in sys.stdin:
        request = json.loads(line)
        if "all" in request:
            before = cpu_seconds()
            answers = [one(*pair)["answer"] for pair in request["all"]]
            print(json.dumps({"answers": answers, "cpu_s": cpu_seconds() - before}), file=out, flush=True)
        else:
            print(json.dumps(one(request["gold"], request["pred"], request["mode"])), file=out, flush=True)


class Worker:
    def __init__(self, python, name):
        self.python, self.name, self.absent = python, name, ""
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.python, os.path.abspath(__file__), "--serve", self.name],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        hello = self.read(300.0)
        self.absent = "did not start" if hello is None else hello.get("absent", "")

    def read(self, limit_s):
        if not select.select([self.process.stdout], [], [], limit_s)[0]:
            return None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def ask(self, request, limit_s=HARD_LIMIT_S):
        self.process.stdin.write((json.dumps(request) + "\n").encode())
        self.process.stdin.flush()
        answer = self.read(limit_s)
        if answer is None:
            self.stop()
            self.start()
        return answer

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)  # with the children that evalscope forks
        self.process.wait()


# ---- tables ----

def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")


def r1eval_lines(command, lines):
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(lines):
        sys.exit(f"{' '.join(command)} gave {len(answers)} lines for {len(lines)}: {done.stderr[:400]}")
    return answers


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    return [line for line in lines if line.get("profile", "default") == "default"]


def compare_pairs(args, workers):
    pairs = read_lines(args.vectors)
    results = {name: [] for name in ["r1eval", *workers]}
    for at in range(0, len(pairs), BLOCK):
        block = pairs[at:at + BLOCK]
        rounds = [r1eval_lines([args.r1eval, "score", "math"], block) for _ in range(3)]
        for answers in zip(*rounds):
            one = answers[0]
            results["r1eval"].append({
                "answer": None if one.get("verdict", "unscored") == "unscored" else one["verdict"] == "correct",
                "failure": one.get("error", ""), "us": sorted(a.get("us", 0.0) for a in answers)[1]})
        for pair in block:
            for name, worker in workers.items():
                request = {"gold": pair["gold"], "pred": pair["pred"], "mode": pair.get("mode", "answer")}
                results[name].append(worker.ask(request) or
                                     {"answer": None, "failure": "killed", "us": HARD_LIMIT_S * 1e6})
        print(f"\r{at + len(block)}/{len(pairs)} pairs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    tables = {}
    for group in sorted({pair.get("group", "all") for pair in pairs}):
        rows = []
        chosen = [i for i, pair in enumerate(pairs) if pair.get("group", "all") == group]
        base = quantile([results["Math-Verify"][i]["us"] for i in chosen], 0.5) if "Math-Verify" in results else None
        for name, answers in results.items():
            row = {"grader": name, "n": len(chosen), "agree": 0, "false_positives": 0, "false_negatives": 0,
                   "failures": 0, "timeouts": 0}
            times, short = [], []
            for i in chosen:
                one, expected = answers[i], pairs[i]["expected"]
                said = one["answer"] is True
                row["agree"] += said == expected
                row["false_positives"] += said and not expected
                row["false_negatives"] += expected and not said
                is_timeout = one["us"] >= SLOW_S * 1e6 or one["failure"] in ("killed", "TimeoutException", "TimeoutError")
                row["timeouts"] += is_timeout
                row["failures"] += not is_timeout and one["answer"] is None
                times.append(one["us"])
                if len(pairs[i]["gold"].encode()) <= 64 and len(pairs[i]["pred"].encode()) <= 64:
                    short.append(one["us"])
            row.update(median_us=quantile(times, 0.5), median_short_us=quantile(short, 0.5),
                       p99_us=quantile(times, 0.99), worst_us=max(times))
            row["times_faster_than_math_verify"] = base / row["median_us"] if base else None
            rows.append(row)
        tables[group] = rows
    return tables


def choice_peer(text, options, last):
    """simple-evals' documented rule: the letter after "Answer:", here written anew; its code takes the first."""
    found = re.findall(rf"(?i)answer[ \t]*:[ \t]*\$?([{options}])\$?", text)
    return (found[-1] if last else found[0]).upper() if found else None


def compare_choice(args):
    cases = read_lines(args.choice)
    ours = r1eval_lines([args.r1eval, "score", "choice"], cases)
    rows = []
    for name in ("r1eval", "first 'Answer: X' (simple-evals)", "last 'Answer: X'"):
        row = {"grader": name, "n": len(cases), "agree": 0, "wrong_letter": 0, "letter_for_none": 0, "none_for_letter": 0}
        times = []
        for case, answer in zip(cases, ours):
            started = time.perf_counter()
            letter = answer.get("answer") if name == "r1eval" else choice_peer(
                case["text"], case.get("options", "ABCD"), name.startswith("last"))
            times.append(answer.get("us", 0.0) if name == "r1eval" else (time.perf_counter() - started) * 1e6)
            if "expected" not in case:
                row["agree"] += letter != case.get("expected_not")
                row["wrong_letter"] += letter == case.get("expected_not")
                continue
            expected = case["expected"]
            row["agree"] += letter == expected
            row["letter_for_none"] += expected is None and letter is not None
            row["none_for_letter"] += expected is not None and letter is None
            row["wrong_letter"] += expected is not None and letter is not None and letter != expected
        row.update(median_us=quantile(times, 0.5), p99_us=quantile(times, 0.99), worst_us=max(times))
        rows.append(row)
    return rows


# ---- worked solutions: seeded templates with the answer known ----

def worked_problem(rng):
    """(prose of the steps, right answer, a wrong one)."""
    kind = rng.randrange(6)
    if kind == 0:
        a, x, b = rng.randint(2, 9), rng.randint(-9, 20), rng.randint(1, 30)
        return (f"We solve ${a}x + {b} = {a * x + b}$. Subtracting {b} on both sides leaves ${a}x = {a * x}$, and dividing by "
                f"{a} isolates the unknown.", str(x), str(x + rng.choice([-2, -1, 1, 2])))
    if kind == 1:
        p, q = rng.choice([(1, 3), (2, 5), (3, 7), (5, 6), (4, 9), (7, 12)])
        return (f"Of {6 * q} equally likely outcomes, {6 * p} are favourable, because each of the {q} groups holds six of them and "
                f"{p} groups count. The ratio $\\frac{{{6 * p}}}{{{6 * q}}}$ can be reduced by six.",
                f"\\frac{{{p}}}{{{q}}}", f"\\frac{{{p + 1}}}{{{q + 2}}}")
    if kind == 2:
        r = rng.randint(2, 15)
        return (f"The disc has the radius {r}, so its area is $\\pi r^2$ with $r = {r}$, that is $\\pi \\cdot {r}^2$; we keep the "
                "constant exact and do not round.", f"{r * r}\\pi", f"{2 * r}\\pi" if r != 2 else "8\\pi")
    if kind == 3:
        a, b = rng.randint(2, 9), rng.choice([2, 3, 5, 6, 7])
        return (f"Squaring the relation gives $x^2 - {2 * a}x + {a * a - b} = 0$. By the quadratic formula half of ${2 * a}$ "
                f"is ${a}$ and the discriminant leaves $\\sqrt{{{b}}}$; the larger root is asked for.",
                f"{a}+\\sqrt{{{b}}}", f"{a}-\\sqrt{{{b}}}")
    if kind == 4:
        n = rng.randint(5, 12)
        total = n * (n - 1) // 2
        return (f"Every pair of the {n} players meets once. The number of pairs is $\\binom{{{n}}}{{2}} = "
                f"\\frac{{{n} \\cdot {n - 1}}}{{2}}$.", str(total), str(total + n))
    low, high = rng.randint(-9, 0), rng.randint(1, 12)
    return (f"The product $(x - {high})(x + {-low})$ is negative between its roots ${low}$ and ${high}$, and the ends are "
            "excluded because the inequality is strict.", f"({low},{high})", f"[{low},{high})")


def worked_solutions(count, seed=20250120):
    rng = random.Random(seed)
    filler = ["Let us restate what is given before we calculate.", "This step is reversible, so no solution is lost.",
              "A sketch with small numbers suggests the same result.", "We check the sign once more; it holds.",
              "No other case can occur, because the remaining ones were excluded above.",
              "Substituting back into the first line confirms the relation.", "The units cancel, as they should.",
              "For completeness we note that the quantity is positive where that is needed."]
    ends = ["Therefore the result is $\\boxed{{{0}}}$.", "\\[ \\boxed{{{0}}} \\]", "**Final Answer:** ${0}$",
            "Final Answer: The final answer is ${0}$. I hope it is correct.", "So the answer is ${0}$."]
    out = []
    for i in range(count):
        steps, right, wrong = worked_problem(rng)
        is_right = rng.random() < 0.6
        end = rng.choice(ends).format(right if is_right else wrong)
        text = f"{rng.choice(filler)}\n\n{steps}\n"
        while len(text) + len(end) < 680:
            text += f"\nStep {text.count('Step') + 1}. {rng.choice(filler)}"
        out.append({"id": str(i), "gold": right, "pred": f"{text}\n\n{end}", "mode": "text", "expected": is_right})
    return out


def compare_worked(args, workers):
    cases = worked_solutions(args.worked)
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = r1eval_lines([args.r1eval, "score", "math"], cases)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    cpu = sorted(spent)[1]
    rows = [{"grader": "r1eval", "cpu_s": cpu, "answers": [a.get("verdict") == "correct" for a in ours]}]
    for name, worker in workers.items():
        reply = worker.ask({"all": [["\\boxed{" + c["gold"] + "}" if name != "evalscope math" and name != "inspect_ai math()"
                                     else c["gold"], c["pred"], "text"] for c in cases]}, 1800.0)
        rows.append({"grader": name, "cpu_s": reply["cpu_s"] if reply else float("nan"),
                     "answers": [a is True for a in reply["answers"]] if reply else []})
    for row in rows:
        answers = row.pop("answers")
        row["n"] = len(cases)
        row["agree"] = sum(a == c["expected"] for a, c in zip(answers, cases))
        row["times_our_cpu"] = row["cpu_s"] / rows[0]["cpu_s"]
    size = sum(len(c["pred"]) for c in cases) / max(1, len(cases))
    return {"mean_characters": size, "rows": rows}


def number(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def markdown(title, rows):
    keys = list(rows[0])
    lines = [f"**{title}**", "", "| " + " | ".join(k.replace("_", " ") for k in keys) + " |", "|" + "---|" * len(keys)]
    for row in rows:
        cells = []
        for key in keys:
            share = key == "agree" and row.get("n")
            cells.append(f"{100 * row[key] / row['n']:.1f} %" if share else number(row[key]))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def make_venv(folder):
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS], check=True)
    return python


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--r1eval", default="r1eval", help="the program (default: from PATH)")
    parser.add_argument("--vectors", help="pairs, JSON lines")
    parser.add_argument("--choice", help="multiple choice, JSON lines")
    parser.add_argument("--worked", type=int, default=0, metavar="N", help="N synthetic worked solutions, CPU seconds")
    parser.add_argument("--venv", help="virtual environment with the peers; made there where it is absent")
    parser.add_argument("--peers", default=",".join(LOADERS), help="which peers, by commas")
    parser.add_argument("--core", type=int, default=-1, help="the core to run on (default: the last one allowed)")
    parser.add_argument("--json", help="write the numbers here too")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return
    if not (args.vectors or args.choice or args.worked):
        parser.error("nothing to do: give --vectors, --choice or --worked")
    unknown = [name for name in args.peers.split(",") if name and name not in LOADERS]
    if unknown:
        parser.error(f"--peers: no peer is called {unknown[0]!r}; there are {', '.join(LOADERS)}")
    scratch = None
    if not args.venv:
        scratch = tempfile.mkdtemp(prefix="peers-")
    workers, report = {}, {}
    try:
        if args.vectors or args.worked:
            python = make_venv(args.venv or scratch)
        os.sched_setaffinity(0, {args.core if args.core >= 0 else max(os.sched_getaffinity(0))})
        if args.vectors or args.worked:
            for name in [n for n in args.peers.split(",") if n]:
                worker = Worker(python, name)
                if worker.absent:
                    print(f"{name}: absent ({worker.absent})", file=sys.stderr)
                    worker.stop()
                else:
                    workers[name] = worker
        report["about"] = {"date": time.strftime("%Y-%m-%d"), "machine": platform.machine(), "cores": os.cpu_count(),
                           "python": platform.python_version(), "peers": PEERS}
        if args.vectors:
            report["pairs"] = compare_pairs(args, workers)
            for group, rows in report["pairs"].items():
                print(markdown(f"pairs, group {group}", rows))
        if args.choice:
            report["choice"] = compare_choice(args)
            print(markdown("multiple choice", report["choice"]))
        if args.worked:
            report["worked"] = compare_worked(args, workers)
            print(markdown(f"{args.worked} worked solutions, {report['worked']['mean_characters']:.0f} characters on average",
                           report["worked"]["rows"]))
    finally:
        for worker in workers.values():
            worker.stop()
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
