#!/usr/bin/env bash
# Reads the sources without running them.
#
#   scripts/lint.sh                    format and direction of the includes
#   scripts/lint.sh --fix              rewrites the files in the format
#   scripts/lint.sh --tidy [FILE...]   clang-tidy on these files, or on all: minutes on 2 cores (needs build/release and
#                                      the package clang-tidy)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cc'; }

case ${1:-} in
  '' | --format | --fix)
    # --format alone is what ctest runs beside the include check.
    mapfile -t files < <(sources)
    [[ ${#files[@]} -gt 0 ]] || { echo "lint: no source files found" >&2; exit 1; }
    clang_format=$(scripts/venv.sh)/bin/clang-format
    if [[ ${1:-} == --fix ]]; then
      "$clang_format" -i "${files[@]}"
      exit
    fi
    "$clang_format" --dry-run --Werror "${files[@]}" || { echo "lint: scripts/lint.sh --fix puts this right" >&2; exit 1; }
    echo "${#files[@]} files are in the format"
    [[ ${1:-} == --format ]] || scripts/check_includes.py
    ;;
  --tidy)
    shift
    [[ -f build/release/compile_commands.json ]] || cmake --preset release
    if [[ $# -gt 0 ]]; then files=("$@"); else mapfile -t files < <(sources | grep '\.cc$'); fi
    printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet --warnings-as-errors='*' -p build/release
    ;;
  *) sed -n '2,8s/^# \?//p' "$0" >&2; exit 2 ;;
esac
