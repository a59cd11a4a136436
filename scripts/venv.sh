#!/usr/bin/env bash
# Makes a Python environment and prints its path. Does nothing if it is there and its requirements have not changed.
#
#   scripts/venv.sh                       build/venv, the tools of the checks (tests/packaging/requirements.txt)
#   scripts/venv.sh NAME REQUIREMENTS     build/NAME, with what this file lists
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/build/${1:-venv}
requirements=${2:-$root/tests/packaging/requirements.txt}

if ! cmp -s "$requirements" "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  cp "$requirements" "$venv/installed.txt"
fi
echo "$venv"
