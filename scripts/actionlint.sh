#!/usr/bin/env bash
# Reads the workflows of .github/workflows without running them: syntax, expressions, contexts, names of jobs and keys.
#
#   scripts/actionlint.sh [FILE...]
#
# actionlint comes from the Go module proxy, at one version, into build/actionlint. Exit status 77 and a line in capitals where
# Go is missing or the proxy cannot be reached: then nothing has been read.
set -euo pipefail

version=v1.7.12

cd "$(dirname "${BASH_SOURCE[0]}")/.."
home=$PWD/build/actionlint
program=$home/bin/$version/actionlint

not_read() { echo "THE WORKFLOWS WERE NOT READ: $*" >&2; exit 77; }

if [[ ! -x $program ]]; then
  command -v go >/dev/null || not_read "there is no go"
  mkdir -p "$home"
  # A module cache of its own, which can be removed with build/.
  GOPATH=$home/go GOBIN=$(dirname "$program") GOFLAGS=-modcacherw \
    go install "github.com/rhysd/actionlint/cmd/actionlint@$version" >"$home/install.log" 2>&1 ||
    not_read "actionlint $version could not be installed: $(tail -n 1 "$home/install.log")"
fi
# Without the two programs that it calls where a machine has them, so that every machine sees the same.
"$program" -shellcheck= -pyflakes= "$@"
