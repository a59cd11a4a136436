#!/usr/bin/env python3
"""Checks that includes point one way: no folder reaches for a box it must not know.

    scripts/check_includes.py [ROOT]

The CMake targets are the first net: a box that was not given a library cannot link it. They do not see a header that
needs no linking, which is what this second net is for. Exit status 1 and one line for each include that breaks a rule.
"""

import pathlib
import re
import sys

# Folder -> which of our own folders or headers its files may include. The longest folder that matches a file counts. A
# name that ends in "/*" stands for the headers directly in that folder, and not for those of its sub-folders.
OWN = {
    "engine/graph": ["engine/graph", "engine/echo.h"],
    "engine/memory": ["engine/memory"],
    "engine/image": ["engine/image", "engine/echo.h"],
    "engine/kernels": ["engine/kernels"],
    "engine/onnx": ["engine/onnx", "engine/graph", "engine/echo.h", "engine/status_macros.h"],
    "engine/passes": ["engine/passes", "engine/graph", "engine/echo.h"],
    "engine/quantize": ["engine/quantize", "engine/graph"],
    "engine/onednn": ["engine/onednn", "engine/kernels", "engine/graph", "engine/memory", "engine/*"],
    "engine": ["engine/*", "engine/onnx", "engine/passes", "engine/quantize", "engine/onednn", "engine/graph",
               "engine/memory"],
    "models": ["models"],
    "server/scheduling": ["server/scheduling"],
    "server": ["server", "engine/*", "engine/image", "models"],
    "cli": ["cli", "engine/*", "engine/image", "server/*"],
    "bench": ["bench", "engine/*"],
    "bench/image": ["bench", "engine/image", "tests/unit"],  # the tests' hostile files
}

# Start of a foreign or generated header's name -> the folders that may include it. What is not listed is free.
FOREIGN = {
    "dnnl": ["engine/onednn"],
    "oneapi/dnnl": ["engine/onednn"],
    "onnx/": ["engine/onnx", "cli"],
    "Eigen/": ["cli"],
    "jpeglib.h": ["engine/image", "bench/image"],
    "turbojpeg.h": ["engine/image"],
    "png.h": ["engine/image", "cli"],
    "grpc/": ["server", "cli"],
    "grpcpp/": ["server", "cli"],
    "google/rpc/": ["server", "cli"],
    "resnetd/v1/": ["server", "cli"],
    "google/protobuf/": ["engine/onnx", "server", "cli"],
    "prometheus/": ["server"],
    "httplib.h": ["server", "cli"],
    "spdlog/": ["server", "cli"],
    "nlohmann/": ["server", "cli", "bench"],
    "CLI/": ["server", "cli", "bench"],
    "openssl/": ["engine", "server", "cli"],
}

# Boxes of the server that stay free of what the rest of it may use.
FOREIGN_EXCEPT = {
    "server/scheduling": ["grpc/", "grpcpp/", "google/rpc/", "resnetd/v1/", "google/protobuf/", "prometheus/",
                          "httplib.h", "spdlog/", "nlohmann/", "CLI/", "openssl/"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def inside(name: str, folder: str) -> bool:
    if folder.endswith("/*"):
        return name.rpartition("/")[0] == folder[:-2]
    return name == folder or name.startswith(folder + "/")


def box_of(name: str) -> str | None:
    """The longest folder of OWN that holds this file."""
    return max((folder for folder in OWN if inside(name, folder)), key=len, default=None)


def problem(root: pathlib.Path, name: str, quote: str, header: str) -> str | None:
    """What is wrong with this include, or None."""
    box = box_of(name)
    own = (root / header).is_file()
    if quote == '"' and not own and (root / name).parent.joinpath(header).is_file():
        return f'write the path from the root, not "{header}"'
    if own:
        if any(inside(header, folder) for folder in OWN[box]):
            return None
        return f"{box} may not include {header}; allowed: {', '.join(OWN[box])}"
    for start, folders in FOREIGN.items():
        if not header.startswith(start):
            continue
        if not any(inside(name, folder) for folder in folders) or start in FOREIGN_EXCEPT.get(box, []):
            return f"{box} may not include {header}; {start} belongs to {', '.join(folders)}"
    return None


def check(root: pathlib.Path) -> tuple[int, list[str]]:
    """Returns how many files were read and the complaints."""
    files = 0
    complaints = []
    for folder in sorted({name.split("/")[0] for name in OWN}):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".h", ".cc"):
                continue
            files += 1
            name = path.relative_to(root).as_posix()
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = INCLUDE.match(line)
                wrong = match and problem(root, name, *match.groups())
                if wrong:
                    complaints.append(f"{name}:{number}: {wrong}")
    return files, complaints


def main() -> int:
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent
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
