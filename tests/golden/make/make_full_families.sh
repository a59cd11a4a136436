#!/usr/bin/env bash
# Exports every family at its real depth with PyTorch, unless that has been done:  make_full_families.sh FOLDER
set -euo pipefail

folder=$1
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
venv=$(scripts/venv.sh models-venv tools/requirements-models.txt)  # made by the test models_venv

# The files depend on these; written last, when they are complete.
modules=(make_test_models residual_families own_networks seeded_network pytorch_answers model_template make_resnet)
key=$(for module in "${modules[@]}"; do cat "tools/$module.py"; done | cat - tools/requirements-models.txt | sha256sum)
if [[ $(cat "$folder/made" 2>/dev/null) == "$key" ]]; then exit; fi
rm -rf "$folder"
"$venv/bin/python" tools/make_test_models.py --full-size --models "$folder"
echo "$key" > "$folder/made"
