#!/usr/bin/env bash
# Is the network's input what Pillow and torchvision make of the same image? Compares every preset on a folder of
# photographs, bit for bit where the decoded pixels are the same, and every size up to 64x64; without a folder on a few
# generated images. The tests compare with recorded results; this is with the libraries themselves, of pinned versions.
#
#   scripts/check_images.sh [FOLDER]    exit status 0 only if all is as it must be (tests/golden/make/check_images.py says how).
#                                       By default photos/ of the folder that RESNETD_TEST_DATA names
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/step.sh

[[ $# -le 1 ]] || { sed -n '2,7s/^# \?//p' "$0" >&2; exit 2; }

[[ $# -gt 0 || -z ${RESNETD_TEST_DATA:-} ]] || set -- "$RESNETD_TEST_DATA/photos"

scripts/setup.sh build test
[[ -d build/release ]] || step "configuring" cmake --preset release
step "building" cmake --build --preset release --target image_dump
step "Python environment with torchvision" scripts/venv.sh models-venv tools/requirements-models.txt
exec build/models-venv/bin/python tests/golden/make/check_images.py build/release/tests/image_dump "$@"
