#!/usr/bin/env python3
"""From exec to ready: the server beside ONNX Runtime's session and its first runs, in turn.

    bench/start.py                     ResNet-50, batch sizes 1, 2, 4 and 8, one and two threads

Ours: from starting the process until it says that it serves; every batch size is compiled and has run. Theirs: a session is created
from the same file and runs once at each size; starting Python and importing the library do not count. Exit status 1 if ours
takes longer in the median.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import common

BAR = 1.0  # of ONNX Runtime's time


def peer(model: str, sizes: list, threads: int) -> None:
    import numpy as np
    import onnxruntime

    began = time.perf_counter()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = session.get_inputs()[0]
    for size in sizes:
        session.run(None, {image.name: np.zeros([size, *image.shape[1:]], np.float32)})
    print(json.dumps({"seconds": time.perf_counter() - began, "version": onnxruntime.__version__}))


def ours(args, model: pathlib.Path, threads: int) -> float:
    command = [common.program(args.build, "server/resnetd"), "--model", model, "--port", 0, "--metrics-port", 0, "--workers", 1,
               "--threads", threads, "--batch-sizes", ",".join(map(str, args.batch))]  # fmt: skip
    began = time.perf_counter()
    server = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:  # asking /readyz again and again would take time from the server
        if line.endswith(" I serving\n"):
            took = time.perf_counter() - began
            break
    else:
        sys.exit(f"resnetd ended with status {server.wait()}")
    for _ in range(3):  # at once
        server.terminate()
    server.communicate()
    return took


def theirs(args, model: pathlib.Path, threads: int) -> dict:
    command = [sys.executable, __file__, "--peer", "--model", model, "--threads", threads, "--batch", ",".join(map(str, args.batch))]
    return json.loads(subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(n) for n in text.split(",")]
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--batch", type=numbers, default=[1, 2, 4, 8])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--report-only", action="store_true", help="exit status 0 whatever the figures")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        peer(args.model, args.batch, args.threads[0])
        return 0

    common.use_bench_venv()
    model = common.make_model(args.model)
    disturbance, progress = common.Disturbance(), common.Progress(len(args.threads) * args.rounds)
    rows, within = [], True
    for threads in args.threads:
        figures = {"ours": [], "theirs": []}
        for number in range(args.rounds):
            for side in ("ours", "theirs") if number % 2 == 0 else ("theirs", "ours"):
                if side == "ours":
                    figures[side].append(ours(args, model, threads))
                else:
                    answer = theirs(args, model, threads)
                    figures[side].append(answer["seconds"])
            progress.step(f"{threads} threads")
        ratios = [a / b for a, b in zip(figures["ours"], figures["theirs"])]
        ratio = common.quartiles(figures["ours"])[1] / common.quartiles(figures["theirs"])[1]
        within &= ratio <= BAR
        rows.append([threads, common.spread(figures["ours"]), common.spread(figures["theirs"]), f"{ratio:.3f}",
                     common.spread(ratios, 3)])  # fmt: skip
    print(f"{model.stem}, batch sizes {args.batch}; {common.machine(args.build)}; ONNX Runtime {answer['version']}; {args.rounds} rounds")
    header = ["threads", "exec to ready, s", "session and first runs, s", "ratio of medians", "ratio by round"]
    common.print_table(header, rows)
    print(f"({disturbance})")
    return 0 if within or args.report_only else 1


if __name__ == "__main__":
    sys.exit(main())
