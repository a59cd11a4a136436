#!/usr/bin/env python3
"""The table of docs/families.md, from what family_test measured.

    build/release/tests/family_test --gtest_output=json:families.json && tests/golden/make/family_table.py families.json

Each figure is the largest over the family's exports, batches of 1, 3 and 32, 1 and 2 threads, logits and features, as a
fraction of the largest |value| expected.
"""

import json
import pathlib
import re
import sys

MEASURED = ("pytorch", "onnxruntime", "across_batches")
EXPORT = re.compile(r"_(script|dynamo|nhwc)(\d+)(_n\d+)?$")


def main() -> None:
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    families = {}  # name -> (exports, largest of each measure)
    for suite in report["testsuites"]:
        for test in suite["testsuite"]:
            case = test["name"].removeprefix("Network/")
            if case == test["name"]:
                continue
            if "failures" in test or not all(measure in test for measure in MEASURED):
                sys.exit(f"family_table.py: {case} has failed: no table of what is not so")
            exporter, opset, batch = EXPORT.search(case).groups()
            exports, most = families.setdefault(EXPORT.sub("", case).replace("_", "-"), ([], dict.fromkeys(MEASURED, 0.0)))
            exports.append(f"{exporter} {opset}" + (f" batch {batch[2:]}" if batch else ""))
            for measure in MEASURED:
                most[measure] = max(most[measure], float(test[measure]))
    print("| family | exports | from PyTorch | from ONNX Runtime | across batch sizes |\n|---|---|---|---|---|")
    for name, (exports, most) in families.items():
        print(f"| {name} | {', '.join(exports)} | {' | '.join(f'{most[measure]:.1e}' if most[measure] else '0' for measure in MEASURED)} |")


if __name__ == "__main__":
    main()
