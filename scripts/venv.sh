#!/usr/bin/env bash
# Makes build/venv, the Python environment of the checks' own tools (tests/packaging/requirements.txt), and prints its
# path. Does nothing if it is there and the requirements have not changed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/build/venv
requirements=$root/tests/packaging/requirements.txt

if ! cmp -s "$requirements" "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" >&2
  cp "$requirements" "$venv/installed.txt"
fi
echo "$venv"
