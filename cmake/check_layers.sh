#!/usr/bin/env bash
# Fails, with file and line, on an include that cmake/layers.txt does not allow.
# usage: cmake/check_layers.sh [REPOSITORY]   (default: the one this script stands in)
set -euo pipefail
root=${1:-$(cd "$(dirname "$0")/.." && pwd)}
cd "$root"
declare -A allowed
deny=()
while read -r line; do
  line=${line%%#*}
  [ -n "${line// }" ] || continue
  if [[ $line == *:* ]]; then
    allowed[${line%%:*}]=" ${line%%:*} ${line#*:} "
  else
    deny+=("$line")
  fi
done < cmake/layers.txt
folders=$(IFS='|'; echo "${!allowed[*]}")
bad=0
while IFS= read -r match; do
  file=${match%%:*}; rest=${match#*:}; number=${rest%%:*}
  target=$(sed -E 's/.*#[[:space:]]*include[[:space:]]*"([^"]+)".*/\1/' <<<"$match")
  to=${target%%/*}; from=${file%%/*}
  verdict=ok
  [[ ${allowed[$from]} == *" $to "* ]] || verdict=bad
  if [ $verdict = ok ] && [ "$from" != "$to" ]; then
    best=0
    for rule in "${deny[@]}"; do
      prefix=${rule%% *}; what=${rule#* }
      [[ $file == "$prefix"* && ${what:1} == "$to" && ${#prefix} -gt $best ]] || continue
      best=${#prefix}
      [ "${what:0:1}" = '!' ] && verdict=bad || verdict=ok
    done
  fi
  if [ $verdict = bad ]; then
    echo "$file:$number: $from may not include \"$target\" (cmake/layers.txt)" >&2
    bad=$((bad + 1))
  fi
done < <(find "${!allowed[@]}" -type f \( -name '*.h' -o -name '*.cc' -o -name '*.cu' -o -name '*.cuh' -o -name '*.inc' \) 2>/dev/null |
         sort | xargs -r grep -nHE "^[[:space:]]*#[[:space:]]*include[[:space:]]*\"($folders)/" || true)
if [ $bad -gt 0 ]; then
  echo "check_layers: $bad includes are not allowed" >&2
  exit 1
fi
echo "check_layers: every include is allowed"
