#!/usr/bin/env bash
# Gives anything to a part that reads what others have written, under AddressSanitizer and UBSan, on one core. Installs
# Clang if it is missing.
#
#   scripts/fuzz.sh [PART] [SECONDS]     PART: load (a model; the default), jpeg, png, webp, sniff (the first bytes of an
#                                        image), resize (a recipe, a size and pixels), http (what a client of the
#                                        metrics port sends), inflow (what happens to connections). 1800 seconds
#                                        without a number
#
# The corpus stays in build/fuzz/corpus for the next time. An input that does harm is written to build/fuzz/found/;
# with its cause mended it goes to tests/fuzz/found/ under a name that says what it was, and is a test from then on.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/step.sh

usage() { echo "usage: scripts/fuzz.sh [load|jpeg|png|webp|sniff|resize|http|inflow] [SECONDS]" >&2; exit 2; }

part=load
if [[ ${1:-} =~ ^[a-z] ]]; then
  part=$1
  shift
fi
seconds=${1:-1800}
[[ $# -le 1 && $seconds =~ ^[1-9][0-9]*$ ]] || usage  # libFuzzer takes anything else for no limit
seeds=build/fuzz/seeds
case $part in
  load) start=("$seeds/load") ;;
  jpeg | png | webp) start=("$seeds/$part" tests/golden/data/image) ;;
  sniff) start=("$seeds"/{jpeg,png,webp,other} tests/golden/data/image) ;;
  http | inflow | resize) start=("$seeds/$part") ;;
  *) usage ;;
esac

scripts/setup.sh build
scripts/setup.sh fuzz
step "configuring (fuzz)" cmake --preset fuzz
step "building (fuzz)" cmake --build --preset fuzz
mkdir -p build/fuzz/{seeds/load,seeds/http,seeds/inflow,corpus/"$part",found}
build/fuzz/tests/fuzz/write_seeds build/fuzz/seeds/load
build/fuzz/tests/fuzz/write_image_seeds build/fuzz/seeds
build/fuzz/tests/fuzz/write_http_seeds build/fuzz/seeds/http
build/fuzz/tests/fuzz/write_inflow_seeds build/fuzz/seeds/inflow

# A hang is 10 seconds; a file of 16 KiB has no business with 512 MB in one piece or 2 GB in all.
export OMP_NUM_THREADS=1
export ASAN_OPTIONS=external_symbolizer_path=/usr/bin/addr2line
export UBSAN_OPTIONS=print_stacktrace=1:$ASAN_OPTIONS
exec nice "build/fuzz/tests/fuzz/${part}_fuzzer" -max_total_time="$seconds" -max_len=16384 -timeout=10 \
  -rss_limit_mb=2048 -malloc_limit_mb=512 -artifact_prefix=build/fuzz/found/ -print_final_stats=1 \
  "build/fuzz/corpus/$part" tests/fuzz/found "${start[@]}"
