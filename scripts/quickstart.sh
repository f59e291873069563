#!/usr/bin/env bash
# From a fresh Debian 12 machine to a score with an interval: dependencies, release build, the default
# model, then the main job. Safe to run again: what is there is kept, a finished run sends nothing.
#
#   R1EVAL_MODEL   another model (alias, .gguf or NAME@URL); default smollm2-135m
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
model=${R1EVAL_MODEL:-smollm2-135m}

step() { printf '\n== %s\n' "$*"; }

step "dependencies"
scripts/install_deps.sh

step "build"
cmake --preset release >/dev/null
cmake --build --preset release --target r1eval
r1eval=build/release/harness/r1eval

step "model"
case "$model" in
  *@* | *.gguf | */*) echo "using $model" ;;
  *) "$r1eval" models path "$model" 2>/dev/null || "$r1eval" models fetch "$model" ;;
esac

step "data"
if "$r1eval" data verify math >/dev/null 2>&1 || "$r1eval" data fetch math; then
  # A first look: a seeded sample of every set, so that it ends in minutes on two cores.
  job=(run --suite math --limit 40 --k 1 --max-tokens 512)
  echo "the official sets are in the store: running a sample of suite math"
else
  job=(run --task mini_math,mini_mmlu --k 1 --max-tokens 512)
  cat <<TEXT

The official sets (MATH-500, AIME 2024, AIME 2025) are not in the store and could not be fetched, so
this runs r1eval's own small sets instead. They are not a substitute: their scores compare with nothing
published. For the official sets:
    $r1eval data fetch math                 where the network allows it
    $r1eval data import math FOLDER         from files that you have
    $r1eval run --suite math --model $model
TEXT
fi

step "run: r1eval ${job[*]} --model $model"
"$r1eval" "${job[@]}" --model "$model"
