#!/usr/bin/env bash
# The main job: installs what is missing, builds, starts resnetd with its embedded model, and has it classify and embed
# real images over gRPC. Exit status 0 only if all of it worked.
#
#   scripts/demo.sh
#   scripts/demo.sh --keep           leaves the server running and says how to call it
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/step.sh
source scripts/server.sh

keep=
case ${1:-} in
  '') ;;
  --keep) keep=yes ;;
  *) sed -n '2,6s/^# \?//p' "$0" >&2; exit 2 ;;
esac

scripts/setup.sh build demo
build_programs

folder=build/demo
mkdir -p "$folder"
tools/fashion_mnist_png.py --out "$folder/images" --per-class 2 --labels models/fashion-resnet20/1/labels.txt

server_pid=
trap '[[ -z $server_pid ]] || stop_server || true' EXIT
start_server "$folder/resnetd.log" --lame-duck-ms 0

heading() { printf '\n%s\n' "$*"; }

heading "Classify: the three most probable labels"
resnetctl classify --top-k 3 --expect "$folder/images/truth.tsv" "$folder/images" | tee "$folder/classified.txt"
# The last line says "18 of 20 correct". The model is right about 94 % of such images; far fewer means a broken one.
awk 'END { exit !($1 >= 0.75 * $3) }' "$folder/classified.txt" || { echo "demo: too few labels are right" >&2; exit 1; }

heading "Embed: the features the classifier reads"
resnetctl embed "$folder/images"

heading "Stage latencies of these $(wc -l <"$folder/images/truth.tsv") images twice, from $metrics_url"
tools/histogram_quantiles.py "$metrics_url" resnetd_stage_duration_seconds stage

if [[ $keep ]]; then
  heading "The server goes on, its log is $folder/resnetd.log:"
  cat <<TEXT
  build/release/cli/resnetctl --server $server_address classify IMAGE...
  build/release/cli/resnetctl --server $server_address bench --concurrency 32
  curl $metrics_url
  kill $server_pid
TEXT
  server_pid=
  exit
fi
stop_server || { echo "demo: the server ended with status $?" >&2; cat "$folder/resnetd.log" >&2; exit 1; }
heading "demo: all of it worked"
