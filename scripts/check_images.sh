#!/usr/bin/env bash
# Is the network's input what Pillow and torchvision, OpenCV, TensorFlow and Keras make of the same image? Compares every
# preset on a folder of photographs, bit for bit where the decoded pixels are the same, and every size up to 64x64; without
# a folder on a few generated images. The tests compare with recorded results; this is with the libraries themselves, of
# pinned versions.
#
#   scripts/check_images.sh [FOLDER]    exit status 0 only if all is as it must be (tests/golden/make/check_images.py and
#                                       check_bilinear.py say how). By default photos/ of the folder that
#                                       RESNETD_TEST_DATA names
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/step.sh

[[ $# -le 1 ]] || { sed -n '2,9s/^# \?//p' "$0" >&2; exit 2; }

[[ $# -gt 0 || -z ${RESNETD_TEST_DATA:-} ]] || set -- "$RESNETD_TEST_DATA/photos"

scripts/setup.sh build test
[[ -d build/release ]] || step "configuring" cmake --preset release
step "building" cmake --build --preset release --target image_dump
step "Python environment with torchvision" scripts/venv.sh models-venv tools/requirements-models.txt
build/models-venv/bin/python tests/golden/make/check_images.py build/release/tests/image_dump "$@"
step "Python environment with OpenCV and TensorFlow" scripts/venv.sh venv-bilinear tests/golden/make/requirements-bilinear.txt
build/venv-bilinear/bin/python tests/golden/make/check_bilinear.py build/release/tests/image_dump "$@"
