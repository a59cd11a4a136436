#!/usr/bin/env bash
# How good and how fast is the default model as it is served? All 10,000 test images of Fashion-MNIST go through a running
# server by gRPC, as PNG files. Prints accuracy, images/s and the accuracy of nearest neighbours by embedding, and
# compares the five best classes of every image with ONNX Runtime's on the same model file.
#
#   scripts/evaluate.sh              exit status 0 only if every answer came and equals ONNX Runtime's, `resnetctl evaluate`
#                                    counts the same through the server and without, and the accuracy is
#                                    at least the 94 % that the model card promises
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/step.sh
source scripts/server.sh

[[ $# -eq 0 ]] || { sed -n '2,8s/^# \?//p' "$0" >&2; exit 2; }

scripts/setup.sh build test
build_programs
step "Python environment with ONNX Runtime" scripts/venv.sh venv-onnxruntime tools/requirements-onnxruntime.txt

folder=build/evaluate
model=models/fashion-resnet20/1
mkdir -p "$folder"
[[ -f $folder/images/truth.tsv ]] || step "writing 10,000 PNG files" tools/fashion_mnist_png.py --out "$folder/images"

server_pid=
trap '[[ -z $server_pid ]] || stop_server || true' EXIT
# Whatever else the machine does, every image is to be answered: no wait is too long.
start_server "$folder/resnetd.log" --lame-duck-ms 0 --max-queue-ms 600000

started=$(date +%s%N)
resnetctl --json classify --top-k 5 --logits "$folder/images" >"$folder/classified.json"
classified=$(date +%s%N)
resnetctl embed --npy "$folder/embeddings.npy" "$folder/images"
embedded=$(date +%s%N)
resnetctl --json models >"$folder/models.json"
# The same counts by resnetctl itself, and in its own process.
resnetctl --json evaluate --data "$folder/images/truth.tsv" >"$folder/evaluated.json"
stop_server
resnetctl --json evaluate --local --data "$folder/images/truth.tsv" >"$folder/evaluated_local.json"

build/venv-onnxruntime/bin/python tools/evaluate.py --model "$model/model.onnx" --config "$model/config.textproto" --answers "$folder" \
  --classify-ms $(((classified - started) / 1000000)) --embed-ms $(((embedded - classified) / 1000000))
