#!/usr/bin/env python3
"""Checks that includes point one way: no folder reaches for a box it must not know.

    scripts/check_includes.py [ROOT]

The CMake targets are the first net: a box that was not given a library cannot link it. They do not see a header that
needs no linking, which is what this second net is for. Exit status 1 and one line for each include that breaks a rule.
"""

import argparse
import pathlib
import re
import sys

# Folder -> which of our own folders or headers its files may include, besides those of the folder itself and of base. A name
# that ends in "/*" stands for the headers directly in that folder, and not for those of its sub-folders.
OWN = {
    "base": [],
    "engine": ["engine/graph", "engine/memory", "engine/onnx/*", "engine/passes", "engine/onednn/*"],
    "engine/graph": [],
    "engine/image": ["engine/image/decode", "engine/image/resize"],
    "engine/image/decode": ["engine/image/*"],
    "engine/image/resize": ["engine/image/*"],
    "engine/inspect": ["engine/*", "engine/graph", "engine/onnx/*"],
    "engine/kernels": [],
    "engine/memory": [],
    "engine/onednn": ["engine/*", "engine/graph", "engine/kernels", "engine/memory", "engine/onednn/lowering"],
    "engine/onednn/lowering": ["engine/*", "engine/graph", "engine/kernels", "engine/onednn/*"],
    "engine/onnx": ["engine/graph", "engine/onnx/operators"],
    "engine/onnx/operators": ["engine/graph", "engine/onnx/*"],
    "engine/passes": ["engine/graph"],
    "models": ["engine/*", "engine/image/*", "models/embedded"],
    "models/embedded": [],
    "server": ["engine/*", "engine/image/*", "models/*", "server/compute", "server/edge/*", "server/edge/native/codec.h", "server/net", "server/observe", "server/process",
               "server/scheduling"],
    "server/compute": ["engine/*", "engine/image/*", "models/*", "server/observe", "server/scheduling", "server/model_repository.h"],
    "server/edge": ["engine/*", "engine/image/*", "engine/image/decode/orientation.h", "models/*", "server/compute/image_job.h",
                    "server/bounds.h", "server/edge/health/health.h", "server/net/acceptor.h", "server/net/connections.h", "server/net/guard.h", "server/net/inflow.h", "server/net/listening.h", "server/net/traffic.h", "server/model_repository.h",
                    "server/observe", "server/scheduling"],
    "server/edge/health": ["models/*", "server/edge/*"],
    "server/edge/native": ["engine/*", "engine/image/*", "models/*", "server/edge/*", "server/model_repository.h",
                           "server/observe"],
    "server/net": ["server/process/line_limit.h", "server/process/memory.h"],
    "server/observe": ["models/*", "server/scheduling"],
    "server/process": [],
    "server/scheduling": [],
    "cli": ["cli/print", "engine/*", "engine/image/*", "models/*"],
    "cli/bench": ["cli/*", "cli/call", "cli/print"],
    "cli/call": ["cli/*", "cli/print"],
    "cli/evaluate": ["cli/*", "cli/call", "cli/print", "engine/*", "engine/image/*", "models/*"],
    "cli/inspect": ["cli/*", "cli/print", "engine/*", "engine/image/*", "engine/inspect", "models/*"],
    "cli/preprocess": ["cli/*", "cli/print", "engine/image/*", "models/*"],
    "cli/print": [],
    "cli/project": ["cli/*", "cli/print", "engine/*", "engine/image/*", "models/*"],
    "bench/engine": ["engine/*", "engine/inspect"],
    "bench/image": ["engine/image", "tests/support"],  # the tests' hostile files
    "bench/overload": [],
}

EDGE_AND_CLI = ["server/edge", "cli"]

# Start of a foreign or generated header's name -> the folders that may include it, sub-folders included. What is not
# listed is free.
FOREIGN = {
    "dnnl": ["engine/onednn"],
    "oneapi/dnnl": ["engine/onednn"],
    "onnx/": ["engine/onnx", "cli/project"],
    "Eigen/": ["cli/project"],
    "jpeglib.h": ["engine/image/decode", "bench/image"],
    "turbojpeg.h": ["engine/image/decode"],
    "png.h": ["engine/image/decode", "cli/preprocess"],
    "webp/": ["engine/image/decode", "bench/image"],
    "grpc/": EDGE_AND_CLI,
    "grpcpp/": EDGE_AND_CLI,
    "google/rpc/": EDGE_AND_CLI,
    "resnetd/v1/": ["models", "bench/overload", *EDGE_AND_CLI],
    "google/protobuf/": ["engine/onnx", "models", *EDGE_AND_CLI],
    "prometheus/": ["server/observe"],
    "spdlog/": ["server/*", "server/net", "server/process"],
    "boost/": ["server/net"],
    "nlohmann/": ["cli", "models/*", "bench"],
    "CLI/": ["server/*", "cli", "bench"],
    "openssl/": ["base"],
    "utf8": ["base", "models/*"],
}

TOPS = sorted({folder.split("/")[0] for folder in OWN})

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def inside(name: str, folder: str) -> bool:
    if folder.endswith("/*"):
        return name.rpartition("/")[0] == folder[:-2]
    return name == folder or name.startswith(folder + "/")


def problem(root: pathlib.Path, name: str, quote: str, header: str) -> str | None:
    """What is wrong with this include, or None."""
    box = name.rpartition("/")[0]
    own = (root / header).is_file()
    if quote == '"' and not own and (root / name).parent.joinpath(header).is_file():
        return f'write the path from the root, not "{header}"'
    if own:
        allowed = ["base/*", f"{box}/*", *OWN[box]]
        if any(inside(header, folder) for folder in allowed):
            return None
        return f"{box} may not include {header}; allowed: {', '.join(allowed)}"
    for start, folders in FOREIGN.items():
        if header.startswith(start) and not any(inside(name, folder) for folder in folders):
            return f"{box} may not include {header}; {start} belongs to {', '.join(folders)}"
    return None


def check(root: pathlib.Path) -> tuple[int, list[str]]:
    """Returns how many files were read and the complaints."""
    files = 0
    complaints = []
    for top in TOPS:
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            files += 1
            name = path.relative_to(root).as_posix()
            if path.parent.relative_to(root).as_posix() not in OWN:
                complaints.append(f"{name}:1: its folder has no rule in scripts/check_includes.py")
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                wrong = match and problem(root, name, *match.groups())
                if wrong:
                    complaints.append(f"{name}:{number}: {wrong}")
    return files, complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root
    files, complaints = check(root)
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if files == 0:
        print(f"{root}: no source files found", file=sys.stderr)
        return 1
    print(f"{files} files read, {len(complaints)} includes in a wrong direction")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
