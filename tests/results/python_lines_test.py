"""Runs the lines of docs/python.md on an exported run and compares with results.json."""
import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import pandas  # noqa: F401
except ImportError:
    print("skipped: pandas is not installed")
    sys.exit(77)

program, source = sys.argv[1], sys.argv[2]
lines = re.search(r"```python\n(.*?)```", open(os.path.join(source, "docs/python.md")).read(), re.S)[1]
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("mock.jsonl", "w") as f:
        f.write('{"match": "What is 12 + 7?", "content": "\\\\boxed{19}"}\n{"content": "\\\\boxed{2}"}\n')
    subprocess.run([program, "run", "--task", "mini_math", "--model", "mock:mock.jsonl", "--k", "2",
                    "--out", "run", "-q", "--json"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([program, "export", "--to", "csv-samples", "run", "--out", "samples.csv"], check=True)
    scope = {}
    exec(lines, scope)
    ours = json.load(open("run/results.json"))["tasks"]["mini_math"]
    theirs = scope["scores"].loc["mini_math"]
    assert abs(theirs["mean"] - ours["value"]) < 1e-12, (theirs, ours["value"])
    assert abs(theirs["sem"] - ours["se_pop"]) < 1e-12, (theirs, ours["se_pop"])
