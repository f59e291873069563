#!/usr/bin/env bash
# Runs N programs in the sandbox, well-behaved and hostile ones, then looks for anything left behind:
# processes, control groups, mounts, files. Fails and names what it finds.
#   scripts/soak_sandbox.sh [N] [LEVEL] [R1EVAL]
set -euo pipefail
n=${1:-10000}
level=${2:-}
root=$(cd "$(dirname "$0")/.." && pwd)
r1eval=${3:-$root/build/release/harness/r1eval}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Another r1eval may be at work: what still has its owner is no leftover.
state() {
  for p in /proc/[0-9]*; do
    if { tr '\0' ' ' < "$p/cmdline"; } 2>/dev/null | grep -q '^r1eval-sandbox' &&
       grep -q '^PPid:[[:space:]]1$' "$p/status" 2>/dev/null; then
      echo "process ${p#/proc/}"
    fi
  done
  find /sys/fs/cgroup -maxdepth 5 -type d -name 'r1eval-*' 2>/dev/null | while read -r group; do
    [ -d "/proc/${group##*-}" ] || echo "group $group"
  done
  grep -c . /proc/self/mountinfo | sed 's/^/mounts /'
  find /tmp -maxdepth 1 -name 'r1eval-??????' -newer "$work" 2>/dev/null | sed 's/^/file /'
}

python3 - "$n" > "$work/programs.jsonl" <<'P'
import json, sys
limits = {"cpu_s": 1, "wall_s": 1, "memory_mib": 128, "pids": 24, "scratch_mib": 8, "scratch_inodes": 128}
programs = [
    ("print(int(input()) * 2)", "OK"), ("print(int(input()) * 2)", "OK"), ("print(int(input()) * 3)", "WA"),
    ("raise ValueError", "RE"), ("import os\nos.abort()", "RE"),
    ("open('/tmp/x', 'w').write('x' * 100000)\nprint(42)", "OK"),
    ("import os\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid()\n        import time\n"
     "        time.sleep(100)\nprint(42)", "OK"),
    ("import ctypes\nl = ctypes.CDLL(None)\nl.shmget(1, 4096, 0o1666)\nprint(42)", "OK"),
    ("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)", "SV"), ("def f(:", "CE"),
]
rare = [
    ("while True: print('x' * 4096)", "OLE"), ("x = [0]\nwhile True: x = x + x", "MLE"),
    ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "TLE"),
    ("import time\ntime.sleep(100)", "TLE"),
]
for i in range(int(sys.argv[1])):
    program, verdict = rare[i // 500 % 4] if i % 500 == 499 else programs[i % len(programs)]
    print(json.dumps({"id": i, "program": program, "stdin": "21\n", "expected_stdout": "42\n",
                      "limits": limits, "want": verdict}))
P
before=$(state)
"$r1eval" sandbox run ${level:+--level "$level"} < "$work/programs.jsonl" > "$work/answers.jsonl"
after=$(state)
python3 - "$work" <<'P'
import collections, json, sys
wrong = collections.Counter()
n = 0
for a, b in zip(open(sys.argv[1] + "/programs.jsonl"), open(sys.argv[1] + "/answers.jsonl")):
    want, got = json.loads(a)["want"], json.loads(b).get("verdict")
    n += 1
    if want != got and not (want == "MLE" and got == "RE"):
        wrong[want, got] += 1
print(f"{n} runs, wrong verdicts: {dict(wrong) or 'none'}")
sys.exit(bool(wrong))
P
left=$(diff <(echo "$before") <(echo "$after") | grep '^>' || true)
if [ -n "$left" ]; then
  echo "left behind:"
  echo "$left"
  exit 1
fi
echo "nothing left behind: no process, control group, mount or file"
