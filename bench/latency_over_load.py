#!/usr/bin/env python3
"""How long an answer takes, by how much is asked: open loop at parts of what the server does in closed loop.

    bench/latency_over_load.py                                 the default model
    bench/latency_over_load.py --model resnet50 --svg FILE

Latency counts from when a call was due, so that a call that had to wait to be sent is not flattered.
"""

import argparse
import pathlib
import sys

import common

CLIENTS = 32


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = lambda text: [float(part) for part in text.split(",")]
    parser.add_argument("--model", default="default", help="default, resnet18|34|50|101|152, cifar20...")
    parser.add_argument("--loads", type=parts, default=[0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.1], help="parts of capacity")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=2, help="seconds before it")
    parser.add_argument("--svg", type=pathlib.Path, help="draw it")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    args = parser.parse_args()
    common.use_bench_venv()

    shared = ["--warmup", args.warmup, "--duration", args.seconds]
    disturbance = common.Disturbance()
    progress = common.Progress(1 + len(args.loads))
    rows = []
    options = ["--model", str(common.make_model(args.model)), "--workers", str(args.workers)]
    with common.serve(args.build, "latency_over_load", *options) as server:
        capacity = common.load(server, "--concurrency", CLIENTS, *shared)["achieved_images_per_second"]
        progress.step("closed loop")
        for part in args.loads:
            report = common.load(server, "--rate", part * capacity, *shared)
            latency = report["latency_seconds"]
            refused = report["calls"].get("RESOURCE_EXHAUSTED", 0) / sum(report["calls"].values())
            rows.append({"part": part, "offered": part * capacity, "achieved": report["achieved_images_per_second"],
                         "p50": latency["p50"], "p99": latency["p99"], "batch": report["batch_size"]["mean"],
                         "refused": refused})  # fmt: skip
            progress.step(f"{part:g} of it")
    digits = 0 if capacity > 1000 else 1
    title = f"{args.model}; {common.machine(args.build)}; {args.workers} workers of 1 thread"
    print(f"{title}; {capacity:.{digits}f} images/s in closed loop with {CLIENTS} clients; {args.seconds:g} s each")
    common.print_table(
        ["load", "offered, images/s", "answered, images/s", "p50, ms", "p99, ms", "mean batch", "refused"],
        [[f"{r['part']:g}", f"{r['offered']:.{digits}f}", f"{r['achieved']:.{digits}f}", f"{1e3 * r['p50']:.2f}",
          f"{1e3 * r['p99']:.2f}", f"{r['batch']:.2f}", f"{r['refused']:.1%}"] for r in rows],
    )  # fmt: skip
    print(f"({disturbance})")
    if args.svg:
        import pictures

        pictures.latency_over_load(rows, capacity, title, args.svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
