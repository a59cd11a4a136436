#!/usr/bin/env python3
"""Resident memory, as the server's own metrics say it.

    bench/memory.py        ResNet-50 f32 with batches up to 8 and 2 workers, in steady state;
                           growth over 100,000 calls of the default model

Exit status 1 if ResNet-50 takes 60 MB (10^6 bytes) more than its packed weights and arenas, an arena more than 6 MB an
image, or if the growth is 5 % or more.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import common

CLIENTS = 32
MOST_REST = 60e6  # bytes beside packed weights and arenas
MOST_ARENA = 6e6  # bytes an image
BATCH = 8
MOST_GROWTH = 0.05


def resident(server) -> float:
    return common.scrape(server)["process_resident_memory_bytes"]


def planned(args) -> dict:
    """What resnetctl inspect says of the model's memory."""
    inspect = [common.program(args.build, "cli/resnetctl"), "inspect", "--json", "--runs", "1", "--batch", str(BATCH), "--threads", "1"]
    return json.loads(subprocess.run([*inspect, common.make_model(args.model)], stdout=subprocess.PIPE, check=True).stdout)


def steady_state(args) -> bool:
    """Whether a server of ResNet-50, after all its batch sizes have been in use, takes no more than it may."""
    plan = planned(args)
    options = ["--workers", str(args.workers), "--batch-sizes", "1,2,4,8", "--model", str(common.make_model(args.model))]
    with common.serve(args.build, "memory_large", *options) as server:
        rows = [["loaded", f"{resident(server) / 1e6:.0f}"]]
        for clients in (1, 2 * args.workers, CLIENTS):
            report = common.load(server, "--concurrency", clients, "--warmup", 0, "--duration", args.seconds)
            answered = report["images"]["ok"]
            rows.append([f"after {answered} images by {clients} clients", f"{resident(server) / 1e6:.0f}"])
        print(f"{args.model}, f32, batches up to 8, {args.workers} workers")
        common.print_table(["", "resident, MB"], rows)
        packed, arenas = plan["packed_weight_bytes"], args.workers * plan["arena_bytes"]
        rest, image = resident(server) - packed - arenas, plan["arena_bytes"] / BATCH
    print(f"{packed / 1e6:.1f} MB of packed weights, {arenas / 1e6:.1f} MB of arenas, {rest / 1e6:.1f} MB beside them (at most "
          f"{MOST_REST / 1e6:.0f}); {image / 1e6:.2f} MB of arena an image (at most {MOST_ARENA / 1e6:.0f})")  # fmt: skip
    return rest <= MOST_REST and image <= MOST_ARENA


def growth(args) -> float:
    """How much a server of the default model grows over the calls, as a part of what it has after a hundredth of them."""
    with common.serve(args.build, "memory_default", "--workers", str(args.workers)) as server:
        rows = [[0, f"{resident(server) / 1e6:.2f}", ""]]
        progress = common.Progress(args.calls)
        warm, done = 0.0, 0.0
        for target in [max(args.calls // 100, 1), *range(args.calls // 10, args.calls + 1, args.calls // 10)]:
            while done < target:
                common.load(server, "--concurrency", CLIENTS, "--warmup", 0, "--duration", 1)
                done = common.scrape(server)['resnetd_requests_total{code="OK",method="Classify"}']
                progress.show(min(int(done), args.calls), "calls")
            now = resident(server)
            warm = warm or now
            rows.append([f"{done:.0f}", f"{now / 1e6:.2f}", f"{now / warm - 1:+.2%}"])
        print(f"default model, {args.workers} workers, {CLIENTS} clients")
        common.print_table(["calls", "resident, MB", "growth since the second line"], rows)
        return now / warm - 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20, help="of load, for each number of clients")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--report-only", action="store_true", help="exit status 0 whatever the figures")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    args = parser.parse_args()
    common.use_bench_venv()
    within = steady_state(args)
    grown = growth(args)
    return 0 if args.report_only or (within and grown < MOST_GROWTH) else 1


if __name__ == "__main__":
    sys.exit(main())
