#!/usr/bin/env bash
# Everything that must hold before a change lands: dependencies, build, tests, layers, headers,
# format, the built-in sets. The last lines say how many tests and extra cases ran and what was absent.
#
#   R1EVAL_SHARED       folder with extra vectors and data (conformance/, data/, reference/): more runs
#   R1EVAL_TEST_MODELS  folder with real .gguf files for tests; absent ones are named at the end
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

step() { printf '\n== %s\n' "$*"; }

step "dependencies"
scripts/install_deps.sh

step "build"
cmake --preset release >/dev/null
cmake --build --preset release

step "every header compiles alone"
cmake --build build/release --target all_verify_interface_header_sets

step "layers"
cmake/check_layers.sh

step "format"
if command -v clang-format-14 >/dev/null; then
  git ls-files -z '*.cc' '*.h' '*.cu' '*.cuh' | xargs -0 -r clang-format-14 --dry-run -Werror
  echo "format: every file is formatted"
else
  echo "absent: clang-format-14"
fi

step "CUDA kernels without a GPU"
gate=0
python3 scripts/kernel_gates/device_gate.py || gate=$?
[ "$gate" = 0 ] || [ "$gate" = 5 ]  # 5: absent, as its line says

step "built-in sets"
python3 scripts/verify_mini.py

step "tests"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ok=1
ctest --test-dir build/release --no-tests=error --output-on-failure -j 2 || ok=0
# One more look at the lines that tests print about extra vectors: ctest shows them only on failure.
cat build/release/Testing/Temporary/LastTest.log > "$log" 2>/dev/null || true

step "what ran"
grep -ah '^\[extra\] ran' "$log" | sort | uniq || true
n_absent=$(grep -ach '^\[extra\] absent' "$log" || true)
if [ "${n_absent:-0}" -gt 0 ]; then
  grep -ah '^\[extra\] absent' "$log" | sort | uniq
fi
passed=$(grep -ac '^\[       OK \]' "$log" || true)
failed=$(grep -ac '^\[  FAILED  \] .*ms)$' "$log" || true)
skipped=$(grep -ac '^\[  SKIPPED \] .*ms)$' "$log" || true)
[ "$ok" = 1 ] || [ "$failed" -gt 0 ] || failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$ok" = 1 ]
