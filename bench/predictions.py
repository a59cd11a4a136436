#!/usr/bin/env python3
"""How true the scheduler's predictions are: predicted over actual time to the answer, at parts of the capacity.

    bench/predictions.py                                       the default model
    bench/predictions.py --model resnet18 --timeout 0.6        of calls with that deadline, in seconds

Open loop; the capacity is what the server does in closed loop. Medians are the server's own histogram's,
resnetd_predicted_completion_ratio.
"""

import argparse
import pathlib
import sys

import common

sys.path.insert(0, str(common.ROOT / "tools"))
import histogram_quantiles  # noqa: E402

CLIENTS = 32
METRIC = "resnetd_predicted_completion_ratio"


def quantiles(before: dict[str, float], after: dict[str, float]) -> list[float]:
    """The quarters and the median of what was observed in between."""
    buckets = {}
    for name, value in after.items():
        if name.startswith(f"{METRIC}_bucket"):
            buckets[float(name.split('"')[1])] = value - before[name]
    return [histogram_quantiles.quantile(buckets, q) for q in (0.25, 0.5, 0.75)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = lambda text: [float(part) for part in text.split(",")]
    parser.add_argument("--model", default="default", help="default, resnet18|34|50|101|152, cifar20..., an ONNX file")
    parser.add_argument("--loads", type=parts, default=[0.2, 0.5, 0.8, 1, 1.5], help="parts of capacity")
    parser.add_argument("--timeout", type=float, default=60, help="seconds a call may take, its deadline")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=2, help="seconds before it")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    args = parser.parse_args()

    disturbance = common.Disturbance()
    shared = ["--warmup", args.warmup, "--duration", args.seconds]
    rows = []
    options = ["--model", str(common.make_model(args.model)), "--workers", str(args.workers)]
    with common.serve(args.build, "predictions", *options) as server:
        capacity = common.load(server, "--concurrency", CLIENTS, *shared)["achieved_images_per_second"]
        for part in args.loads:
            before = common.scrape(server)
            report = common.load(server, "--timeout", args.timeout, "--rate", part * capacity, *shared)
            low, middle, high = quantiles(before, common.scrape(server))
            latency, calls = report["latency_seconds"], report["calls"]
            share = {code: calls.get(code, 0) / sum(calls.values()) for code in ("RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")}
            rows.append([f"{part:g}", f"{part * capacity:.1f}", f"{low:.2f}", f"{middle:.2f}", f"{high:.2f}",
                         *(f"{1e3 * latency[q]:.1f}" for q in ("p50", "p99", "max")),
                         f"{report['batch_size']['mean']:.2f}", *(f"{s:.1%}" for s in share.values())])  # fmt: skip
    print(f"{args.model}; {common.machine(args.build)}; {args.workers} workers of 1 thread; {capacity:.1f} images/s in closed loop"
          f" with {CLIENTS} clients; deadline {args.timeout:g} s; {args.seconds:g} s each")  # fmt: skip
    common.print_table(
        ["load", "offered, images/s", "predicted / actual: quarter", "median", "three quarters", "p50, ms", "p99, ms",
         "max, ms", "mean batch", "refused", "late"], rows)  # fmt: skip
    print(f"({disturbance})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
