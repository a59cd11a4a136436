#!/usr/bin/env python3
"""The engine and ONNX Runtime on the same files, side by side in one run.

    bench/engine_vs_onnxruntime.py                                  ResNet-50, ResNet-18, the default model
    bench/engine_vs_onnxruntime.py --models resnet50 --rounds 20    (resnet18|34|50|101|152, cifar20..., default, or ONNX files)

Both stay loaded, on the same cores, and compute in turn: ours, theirs, theirs, ours, ..., and the machine's peak of
multiply-adds in each round. What wanders with the machine's clock or its neighbours meets both; the ratio of each round's
pair is what counts. Both must agree on the answers first: 1e-4 of the largest.

ONNX Runtime runs with its own defaults for speed (all optimisations, spinning threads, input and output bound once).
While the other is measured, both sleep: what spins at the end of a round is given time to stop.
"""

import argparse
import json
import math
import pathlib
import statistics
import sys
import time

import common

PAUSE = 0.05  # seconds before a round; ONNX Runtime's and OpenMP's threads spin for a few milliseconds after their last work
TOLERANCE = 1e-4
BAR = 0.95  # of ONNX Runtime's images/s


def peer(model: str, batch_sizes: list, threads: int, input_file: str, seconds: float) -> None:
    """ONNX Runtime as a driven program, the twin of engine_bench --driven."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape[1:]
    images = np.fromfile(input_file, np.float32).reshape(-1, *shape)
    output = session.get_outputs()[0].name
    bindings = {}
    logits = {}
    for batch in batch_sizes:
        binding = bindings[batch] = session.io_binding()
        value = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(images[np.arange(batch) % len(images)]))
        binding.bind_ortvalue_input(session.get_inputs()[0].name, value)
        answer = session.run([output], {session.get_inputs()[0].name: value.numpy()})[0]
        binding.bind_ortvalue_output(output, onnxruntime.OrtValue.ortvalue_from_numpy(np.empty_like(answer)))
        session.run_with_iobinding(binding)
        logits[batch] = binding.get_outputs()[0].numpy().tolist()
    print(json.dumps({"version": onnxruntime.__version__, "logits": logits}), flush=True)
    for line in sys.stdin:
        batch, images_done, took = int(line), 0, 0.0
        start = time.perf_counter()
        while took < seconds:
            session.run_with_iobinding(bindings[batch])
            images_done += batch
            took = time.perf_counter() - start
        print(json.dumps({"batch": batch, "images_per_second": images_done / took}), flush=True)


def check_answers(ours: dict, theirs: dict) -> float:
    """The largest difference of a logit as a part of its image's largest; ends the program if that is too much."""
    parts = [0.0]
    for batch, expected in theirs["logits"].items():
        for a, b in zip(ours["logits"][batch], expected, strict=True):
            largest = max(map(abs, b))
            parts += [abs(x - y) / largest for x, y in zip(a, b, strict=True)]
    worst = max(parts, key=lambda part: math.inf if math.isnan(part) else part)
    if not worst <= TOLERANCE:
        sys.exit(f"the answers differ by {worst:.1e} of the largest logit, {TOLERANCE:.0e} is allowed")
    return worst


def write_input(path: pathlib.Path, model: pathlib.Path, batch_sizes: list) -> None:
    import onnx

    sys.path.insert(0, str(common.ROOT / "tools"))
    from make_resnet import make_input

    dims = onnx.load(model, load_external_data=False).graph.input[0].type.tensor_type.shape.dim
    make_input(1, max(batch_sizes), dims[1].dim_value, dims[2].dim_value).tofile(path)


class Pair:
    """One model at one thread count: ours, theirs and the peak, all pinned to as many cores."""

    def __init__(self, args, arch: str, threads: int, peak: common.Driven):
        model = common.make_model(arch)
        input_file = common.FOLDER / f"{model.stem}.f32"
        write_input(input_file, model, args.batch)
        sizes = ",".join(map(str, args.batch))
        shared = ["--model", model, "--threads", threads, "--batch", sizes, "--input", input_file, "--seconds", args.seconds]
        self.ours = common.Driven([common.program(args.build, "bench/engine/engine_bench"), *shared, "--driven"], threads)
        self.theirs = common.Driven([sys.executable, __file__, "--peer", *shared], threads)
        self.peak = peak
        self.arch, self.threads = model.stem if arch.endswith(".onnx") else arch, threads
        self.difference = check_answers(self.ours.description, self.theirs.description)
        self.figures = {batch: {"ours": [], "theirs": [], "peak": []} for batch in args.batch}

    def round(self, batch: int, number: int) -> None:
        order = [("ours", self.ours), ("theirs", self.theirs)]
        for name, side in order if number % 2 == 0 else reversed(order):
            time.sleep(PAUSE)
            self.figures[batch][name].append(side.round(batch)["images_per_second"])
        time.sleep(PAUSE)
        self.figures[batch]["peak"].append(self.peak.round()["gflops"])

    def ratios(self, batch: int) -> list[float]:
        """Ours to theirs, of each round."""
        return [a / b for a, b in zip(self.figures[batch]["ours"], self.figures[batch]["theirs"])]

    def row(self, batch: int) -> list:
        f = self.figures[batch]
        flops = 2e-9 * self.ours.description["multiply_adds"]
        middle = {name: common.quartiles(values)[1] for name, values in f.items()}
        digits = 1 if middle["ours"] < 1000 else 0
        return [
            self.arch, batch, self.threads, common.spread(f["ours"], digits), common.spread(f["theirs"], digits),
            f"{middle['ours'] / middle['theirs']:.3f}", common.spread(self.ratios(batch), 3),
            f"{middle['peak']:.0f}", f"{middle['ours'] * flops / middle['peak']:.0%}",
        ]  # fmt: skip

    def close(self) -> None:
        self.ours.__exit__(None, None, None)
        self.theirs.__exit__(None, None, None)


HEADER = ["model", "batch", "threads", "ours, images/s", "ONNX Runtime, images/s", "ratio of medians", "ratio by round",
          "peak, GFLOP/s", "ours of peak"]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(n) for n in text.split(",")]
    parser.add_argument("--models", default="resnet50,resnet18,default", help="comma-separated")
    parser.add_argument("--batch", type=numbers, default=[1, 8])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="least time of one round of one side")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    parser.add_argument("--svg", type=pathlib.Path, help="draw the ratios")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--model", help=argparse.SUPPRESS)
    parser.add_argument("--input", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        peer(args.model, args.batch, args.threads[0], args.input, args.seconds)
        return 0

    common.use_bench_venv()
    common.FOLDER.mkdir(parents=True, exist_ok=True)
    archs = args.models.split(",")
    disturbance = common.Disturbance()
    progress = common.Progress(len(archs) * len(args.threads) * len(args.batch) * args.rounds)
    peaks = {n: common.Driven([common.program(args.build, "bench/engine/fma_peak"), "--threads", n, "--driven"], n)
             for n in args.threads}  # fmt: skip
    rows, points = [], []
    for arch in archs:
        pairs = [Pair(args, arch, threads, peaks[threads]) for threads in args.threads]
        for number in range(args.rounds):
            for pair in pairs:
                for batch in args.batch:
                    pair.round(batch, number)
                    progress.step(f"{arch}, batch {batch}, {pair.threads} threads")
        for batch in args.batch:
            for pair in pairs:
                rows.append(pair.row(batch))
                points.append((f"{arch}, batch {batch}, threads {pair.threads}", pair.ratios(batch)))
        version, worst = pairs[0].theirs.description["version"], max(pair.difference for pair in pairs)
        print(f"{arch}: largest difference of a logit {worst:.1e} of the image's largest", file=sys.stderr)
        for pair in pairs:
            pair.close()
    for peak in peaks.values():
        peak.__exit__(None, None, None)
    machine = common.machine(args.build)
    print(f"{machine}; ONNX Runtime {version}; {args.rounds} rounds of {args.seconds:g} s; median [quartiles]")
    common.print_table(HEADER, rows)
    medians = [float(row[5]) for row in rows]
    below = [f"{row[0]}, batch {row[1]}, threads {row[2]}" for row in rows if float(row[5]) < BAR]
    print(f"geometric mean of the ratios {statistics.geometric_mean(medians):.3f}, least {min(medians):.3f}; below {BAR}: {below or 'none'}")
    print(f"({disturbance})")
    if args.svg:
        import pictures

        pictures.ratios(points, f"{machine}; ONNX Runtime {version}", args.svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
