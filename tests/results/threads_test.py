"""The same records give the same bytes of results.json on one processor and on all."""
import json
import os
import subprocess
import sys
import tempfile

program = sys.argv[1]
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("in.jsonl", "w") as f:
        for i in range(700):
            for k in range(4):
                right = (i * 7 + k * 3) % 5 != 0
                f.write(json.dumps({"task": "t", "item": f"i{i % 350}x{i}", "sample": k, "gold": str(i), "question": f"{i}?",
                                    "response": f"<think>{'hm ' * (i % 90)}</think>\\boxed{{{i if right else k}}}",
                                    "usage": {"prompt": 9, "completion": i % 300}, "subject": f"s{i % 7}"}) + "\n")
    subprocess.run([program, "import", "--from", "jsonl", "in.jsonl", "--out", "run", "--no-grade"], check=True)
    one = sorted(os.sched_getaffinity(0))[:1]
    bytes_of = []
    for pin in (lambda: os.sched_setaffinity(0, one), lambda: None, lambda: None):
        subprocess.run([program, "grade", "run"], check=True, preexec_fn=pin, stdout=subprocess.DEVNULL)
        bytes_of.append(open("run/results.json", "rb").read())
    assert bytes_of[0] == bytes_of[1] == bytes_of[2], "results.json depends on the number of threads"
    # Nor on the order in which the records came.
    lines = open("run/samples.jsonl").readlines()
    open("run/samples.jsonl", "w").writelines(reversed(lines))
    subprocess.run([program, "grade", "run"], check=True, stdout=subprocess.DEVNULL)
    assert open("run/results.json", "rb").read() == bytes_of[0], "results.json depends on the order of the records"
