"""What a run, an import and a gate write fits the schemas of docs/schemas; what does not fit is refused."""
import glob
import json
import os
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(77)

program, source = sys.argv[1], sys.argv[2]
checkers = {}
for path in glob.glob(os.path.join(source, "docs/schemas/*.schema.json")):
    schema = json.load(open(path))
    jsonschema.Draft7Validator.check_schema(schema)
    checkers[os.path.basename(path).split(".")[0]] = jsonschema.Draft7Validator(schema)


def check(name, value, what):
    for error in checkers[name].iter_errors(value):
        sys.exit(f"{what} against {name}: {'/'.join(map(str, error.absolute_path))}: {error.message}")


def refused(name, value, what):
    assert next(checkers[name].iter_errors(value), None) is not None, f"{what} fits {name}"


def check_run(folder):
    check("manifest", json.load(open(f"{folder}/manifest.json")), folder)
    check("results", json.load(open(f"{folder}/results.json")), folder)
    check("leaderboard", json.load(open(f"{folder}/leaderboard.json")), folder)
    for name, pattern in (("sample", "samples.jsonl"), ("grade", "grades.*.jsonl")):
        files = glob.glob(f"{folder}/{pattern}")
        assert files, pattern
        for file in files:
            for line in open(file):
                check(name, json.loads(line), file)


def run(*arguments, code=0):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, check=False)
    assert done.returncode == code, (arguments, done.returncode)
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("mock.jsonl", "w") as f:
        f.write('{"match": "What is 12 + 7?", "content": "<think>a</think>\\\\boxed{19}"}\n{"content": "\\\\boxed{2}"}\n')
    run("run", "--task", "mini_math,mini_gpqa", "--model", "mock:mock.jsonl", "--k", "2", "--out", "own", "-q", "--json",
        "--price-in", "1", "--price-out", "2")
    check_run("own")
    with open("in.jsonl", "w") as f:
        f.write('{"task":"t","item":"a","response":"\\\\boxed{3}","gold":"3","correct":true,"cost":0.25}\n')
    run("import", "--from", "jsonl", "in.jsonl", "--out", "theirs")
    check_run("theirs")
    check("gate", json.loads(run("gate", "--candidate", "own", "--baseline", "own", "--margin", "50", "--side",
                                 "cost=+10%", "--json")), "gate")
    # The schemas are not empty words.
    sample = json.loads(open("own/samples.jsonl").readline())
    refused("sample", {**sample, "sample": -1}, "a negative sample")
    refused("sample", {**sample, "colour": "red"}, "an unknown field")
    results = json.load(open("own/results.json"))
    results["tasks"]["mini_math"]["value"] = 19
    refused("results", results, "a score of 19")
