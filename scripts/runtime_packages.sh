#!/usr/bin/env bash
# Prints the Debian packages that hold the shared libraries these programs load, one a line: what a machine needs that
# only runs them.
#
#   scripts/runtime_packages.sh PROGRAM...
set -euo pipefail

[[ $# -gt 0 ]] || { sed -n '2,6s/^# \?//p' "$0" >&2; exit 2; }
libraries=$(ldd "$@")
if grep 'not found' <<<"$libraries" >&2; then exit 1; fi
# A package may name a file in /lib that lies in /usr/lib, of which /lib is a link: match the end of the path.
awk '$2 == "=>" { print $3 }' <<<"$libraries" | xargs realpath | sed 's|^/usr|*|' | sort -u |
  xargs dpkg-query --search | cut -d: -f1 | sort -u
