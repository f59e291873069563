#!/usr/bin/env bash
# Installs what the build, the tests and the main job need on Debian 12. Safe to run again: when
# everything is there it asks no registry and changes nothing. Uses sudo only when not root.
set -euo pipefail

packages=(
  build-essential g++ cmake ninja-build ccache git ca-certificates pkg-config
  python3 python3-pip python3-venv unzip curl
  libtbb-dev libre2-dev nlohmann-json3-dev libgtest-dev libgmock-dev libbenchmark-dev
  libcurl4-openssl-dev libfmt-dev libcli11-dev libzip-dev libzstd-dev zlib1g-dev libssl-dev
  libtomlplusplus-dev libboost-dev libicu-dev libpcre2-dev
  libjs-katex python3-jsonschema
  libseccomp-dev libflint-dev libflint-arb-dev libantic-dev libcalcium-dev libgmp-dev
  clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "install_deps: all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "install_deps: not root and no sudo; install by hand: ${missing[*]}" >&2
    exit 5
  }
  as_root=(sudo)
fi
echo "install_deps: installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "install_deps: done"
