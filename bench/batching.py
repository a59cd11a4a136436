#!/usr/bin/env python3
"""Does batching happen, and does it pay? Closed-loop clients on two servers in turn: one may batch, one may not.

    bench/batching.py                    32 clients, the default model, batches up to 8 against batches of 1

The mean batch is told twice: by the replies, which name the batch they rode in, and by the server's histogram.
"""

import argparse
import pathlib
import sys

import common


def measure(server, args) -> tuple[float, float, float]:
    """Images/s, and the mean batch by the replies and by the histogram (the latter over the warm-up, too)."""
    before = common.scrape(server)
    report = common.load(server, "--concurrency", args.clients, "--warmup", args.warmup, "--duration", args.seconds)
    after = common.scrape(server)
    images, batches = (after[f"resnetd_batch_size_{part}"] - before[f"resnetd_batch_size_{part}"] for part in ("sum", "count"))
    return report["achieved_images_per_second"], report["batch_size"]["mean"], images / batches


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default", help="default, resnet18|34|50|101|152, cifar20...")
    parser.add_argument("--batch", default="1,2,4,8", help="sizes of the server that batches")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=1, help="seconds before it")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    args = parser.parse_args()
    common.use_bench_venv()

    options = ["--model", str(common.make_model(args.model)), "--workers", str(args.workers)]
    if args.model == "default":
        options = options[2:]  # the embedded one
    disturbance = common.Disturbance()
    progress = common.Progress(2 * args.rounds)
    figures = {args.batch: [], "1": []}
    with (
        common.serve(args.build, "batching", *options, "--batch-sizes", args.batch) as batching,
        common.serve(args.build, "batching_of_1", *options, "--batch-sizes", "1") as alone,
    ):
        order = [(args.batch, batching), ("1", alone)]
        for number in range(args.rounds):
            for sizes, server in order if number % 2 == 0 else reversed(order):
                figures[sizes].append(measure(server, args))
                progress.step(f"--batch-sizes {sizes}")
    print(f"{args.model}; {common.machine(args.build)}; {args.clients} clients, {args.workers} workers of 1 thread;"
          f" {args.rounds} rounds of {args.seconds:g} s; median [quartiles]")  # fmt: skip
    rows = []
    for sizes, rounds in figures.items():
        rates, by_replies, by_histogram = zip(*rounds)
        ratios = [rate / other[0] for rate, other in zip(rates, figures["1"])]
        rows.append([sizes, common.spread(rates, 0), common.spread(by_replies), common.spread(by_histogram),
                     common.spread(ratios, 3)])  # fmt: skip
    common.print_table(["--batch-sizes", "images/s", "mean batch, replies", "mean batch, histogram", "images/s, of batches of 1"], rows)
    print(f"({disturbance})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
