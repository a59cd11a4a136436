#!/usr/bin/env bash
# The version's one place is project() in CMakeLists.txt. Programs and tests take it from there; files that cannot are written
# by this script, and tests/packaging/version_test.py compares them.
#
#   scripts/version.sh            prints the version
#   scripts/version.sh 1.2.3      sets it, everywhere
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(sed -n 's/^project(resnetd VERSION \([0-9.]*\) .*/\1/p' CMakeLists.txt)
if [[ $# -eq 0 ]]; then
  echo "$version"
  exit
fi
[[ $# -eq 1 && $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { sed -n '5,6s/^# \?//p' "$0" >&2; exit 2; }
sed -i "s/^project(resnetd VERSION [0-9.]*/project(resnetd VERSION $1/" CMakeLists.txt
sed -i "s/\(image\.version=\"\)[0-9.]*/\1$1/" Dockerfile
sed -i "s/\(newTag: \)[0-9.]*/\1$1/" deploy/kubernetes/kustomization.yaml
# A released version keeps its heading in the changelog.
sed -i "0,/^## .*, unreleased/s//## $1, unreleased/" CHANGELOG.md
