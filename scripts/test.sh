#!/usr/bin/env bash
# Passes the tests: installs what is missing, builds, runs them. The last line is the runner's own summary.
#
#   scripts/test.sh                  all tests but those labelled "slow"
#   scripts/test.sh --full           those too
#   scripts/test.sh --preset asan    in another of CMakePresets.json's builds: debug, asan (with UBSan), tsan, clang
#   scripts/test.sh --clients-bytes  only what bytes of clients go through (the label clients_bytes), and builds no more
#   scripts/test.sh --image          builds the container image and tries it (needs root)
# What follows "--" goes to ctest: scripts/test.sh -- -R policy
# RESNETD_TEST_DATA names a folder with photos/ and field/, which the repository does not hold (docs/testing.md).
set -euo pipefail

# The tests learn of it from CMake alone: servers that they start would warn of the variable.
test_data=${RESNETD_TEST_DATA:+$(realpath -- "$RESNETD_TEST_DATA")}
unset RESNETD_TEST_DATA
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/step.sh

preset=release
slow=(--label-exclude '^slow$')
some=() targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --full) slow=() ;;
    --clients-bytes)
      some=(--label-regex '^clients_bytes$')
      targets=(--target clients_bytes)
      ;;
    --preset) preset=${2:?--preset needs a name}; shift ;;
    --image)
      scripts/setup.sh image
      exec tests/packaging/image_test.sh
      ;;
    --) shift; break ;;
    *) sed -n '2,10s/^# \?//p' "$0" >&2; exit 2 ;;
  esac
  shift
done

say_what_is_missing() {
  [[ -n $test_data ]] || printf '%s\n' \
    "test: RESNETD_TEST_DATA IS NOT SET: there are no photographs and no networks of the field." \
    "test: image_photos_test and e2e_field_test are skipped, check_images takes generated images (docs/testing.md)." >&2
}
say_what_is_missing

groups=(build test)
[[ $preset != clang ]] || groups+=(clang)
scripts/setup.sh "${groups[@]}"
bench=(-DRESNETD_BUILD_BENCH=ON)
[[ $preset != asan && $preset != tsan ]] || bench=()
step "configuring ($preset)" cmake --preset "$preset" -DRESNETD_BUILD_TESTS=ON "${bench[@]}" \
  "-DRESNETD_TEST_DATA=$test_data"
step "building ($preset)" cmake --build --preset "$preset" "${targets[@]}"

# ctest prints its summary before the list of what failed; it is said once more at the end.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
ctest --preset "$preset" --no-tests=error --parallel "$(nproc)" "${slow[@]}" "${some[@]}" "$@" 2>&1 | tee "$log" || status=$?
summary=$(grep '% tests passed, ' "$log" || true)
if [[ -z $summary ]]; then
  echo "test: ctest ran no test" >&2
  exit 1
fi
say_what_is_missing
[[ ${#slow[@]} -eq 0 ]] || echo "(tests labelled \"slow\" are left out; scripts/test.sh --full runs them)"
echo "$summary"
exit "$status"
