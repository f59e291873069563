#!/usr/bin/env bash
# Do the CPU kernels execute more instructions than those of another commit? Builds both in one job and
# counts each kernel once under callgrind.
#
#   scripts/kernel_gates/instruction_gate.sh [BASE] [--limit PERCENT]      BASE: a commit; default: the
#                                            merge base with main (or R1EVAL_GATE_MAIN)
#
# Exit 0 fine, 1 a kernel grew by more than the limit (1 %), 2 something cannot be built or run, 5 without
# valgrind. A base that has no count_kernels yet, or not all of its kernels, is said and passes.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
base=""
limit=1
while [ $# -gt 0 ]; do
  case "$1" in
    --limit) limit=${2:?--limit needs a number}; shift 2 ;;
    -*) echo "$1: no such flag; usage: $0 [BASE] [--limit PERCENT]" >&2; exit 2 ;;
    *) base=$1; shift ;;
  esac
done
command -v valgrind >/dev/null || { echo "absent: valgrind, so that instructions are not counted"; exit 5; }
[ -n "$base" ] || base=$(git merge-base HEAD "${R1EVAL_GATE_MAIN:-main}")
git rev-parse --verify --quiet "$base^{commit}" >/dev/null || { echo "$base: no such commit" >&2; exit 2; }

work=$(mktemp -d)
trap 'git worktree remove --force "$work/base" 2>/dev/null || true; rm -rf "$work"' EXIT
git worktree add --quiet --detach "$work/base" "$base"
if [ ! -e "$work/base/kernels/cpu/bench/count_kernels.cc" ]; then
  echo "the base ($base) has no count_kernels: nothing to compare with yet"
  exit 0
fi
build() {  # SOURCE BUILD
  cmake -S "$1" -B "$2" -G Ninja -DCMAKE_BUILD_TYPE=Release -DR1EVAL_TESTS=OFF -DR1EVAL_BENCHMARKS=OFF \
    >"$2.log" 2>&1 && cmake --build "$2" --target count_kernels -j "$(nproc)" >>"$2.log" 2>&1 ||
    { tail -n 20 "$2.log" >&2; exit 2; }
}
build "$work/base" "$work/build-base"
build "$root" "$work/build-head"

status=0
for name in $("$work/build-head/kernels/count_kernels" --list); do
  if ! "$work/build-base/kernels/count_kernels" --list | grep -qx "$name"; then
    echo "$name: new, nothing to compare with"
    continue
  fi
  code=0
  line=$(python3 scripts/kernel_gates/instructions.py "$work/build-base/kernels/count_kernels" \
    "$work/build-head/kernels/count_kernels" --function r1eval_counted --args "$name" --limit "$limit") || code=$?
  echo "$name ${line:-failed}"
  [ "$code" -le "$status" ] || status=$code
done
exit "$status"
