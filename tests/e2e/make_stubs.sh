#!/bin/sh
# Generates the Python stubs of our protocols into a folder: make_stubs.sh FOLDER
set -eu
proto=$(dirname "$0")/../../proto
rm -rf "$1"
mkdir -p "$1"
# protoc's own Python needs no more than the compiler and gRPC's plugin, which the build needs too.
generate() {
  protoc --python_out="$1" --grpc_python_out="$1" --plugin=protoc-gen-grpc_python="$(command -v grpc_python_plugin)" \
    -I "$2" $3
}
generate "$1" "$proto" "resnetd/v1/inference.proto resnetd/v1/model_config.proto google/rpc/status.proto google/rpc/error_details.proto"
# This one becomes health.v1: Python's grpc is a package of its own.
generate "$1" "$proto/grpc" health/v1/health.proto
# The server has it from gRPC; no client of ours speaks it, so it lies beside the tests.
generate "$1" "$(dirname "$0")" reflection.proto
