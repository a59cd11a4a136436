#!/usr/bin/env bash
# Reads the sources without running them.
#
#   scripts/lint.sh                    format and direction of the includes
#   scripts/lint.sh --fix              rewrites the files in the format
#   scripts/lint.sh --tidy             clang-tidy on the sources that differ from the main branch (or from $LINT_BASE)
#   scripts/lint.sh --tidy --all       clang-tidy on all sources: more than an hour on 2 cores
#   scripts/lint.sh --tidy FILE...     clang-tidy on these
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

sources() { git ls-files --cached --others --exclude-standard -- '*.h' '*.cc'; }

# The commit that a change is compared with: where it left the main branch, or the last one if there is no such branch.
base() {
  if [[ -n ${LINT_BASE:-} ]]; then
    git rev-parse --verify "$LINT_BASE^{commit}"
    return
  fi
  git merge-base HEAD origin/main 2>/dev/null || git merge-base HEAD main 2>/dev/null || git rev-parse HEAD
}

# The .cc files that a change since this commit touches. clang-tidy reads a header with the .cc of its name.
changed() {
  {
    git diff --name-only --diff-filter=d "$1" -- '*.h' '*.cc'
    git ls-files --others --exclude-standard -- '*.h' '*.cc'
  } | sed 's/\.h$/.cc/' | sort -u | while read -r file; do [[ ! -f $file ]] || echo "$file"; done
}

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
    case ${1:-} in
      --all) mapfile -t files < <(sources | grep '\.cc$') ;;
      '')
        since=$(base)
        mapfile -t files < <(changed "$since")
        ;;
      *) files=("$@") ;;
    esac
    if [[ ${#files[@]} -eq 0 ]]; then
      echo "lint: no source differs from ${since:-}; scripts/lint.sh --tidy --all reads all" >&2
      exit
    fi
    scripts/setup.sh build test lint
    # A build folder of its own: clang-tidy cannot read the precompiled header of another compiler. Only generated headers
    # are built there.
    cmake --preset clang -B build/tidy -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON >/dev/null
    cmake --build build/tidy --target generated_headers >/dev/null
    printf '%s\0' "${files[@]}" |
      xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 --quiet --warnings-as-errors='*' -p build/tidy
    echo "clang-tidy found nothing in ${#files[@]} files"
    ;;
  *) sed -n '2,9s/^# \?//p' "$0" >&2; exit 2 ;;
esac
