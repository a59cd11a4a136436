#!/usr/bin/env python3
"""What a scrape of /metrics costs the server, in CPU time, over a connection that is kept: with one model and with many.

    bench/scrape.py        1 and 20 models, the default one under other names

Exit status 1 if a scrape of the many costs more than twice as much.
"""

import argparse
import http.client
import pathlib
import shutil
import sys

import common

MOST_RATIO = 2


def models_folder(count: int) -> pathlib.Path:
    folder = common.FOLDER / f"scrape_{count}" / "models"
    shutil.rmtree(folder, ignore_errors=True)
    for i in range(count):
        (folder / f"model-{i:02}").mkdir(parents=True)
        (folder / f"model-{i:02}" / "1").symlink_to(common.DEFAULT_MODEL.parent)
    return folder


def cpu_seconds(pid: int) -> float:
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def measure(args, models: int) -> list:
    """Models, bytes of a page, microseconds of CPU a scrape: the quartiles of rounds."""
    options = ["--models", str(models_folder(models)), "--model-root", str(common.ROOT), "--workers", "1",
               "--batch-sizes", "1"]  # fmt: skip
    with common.serve(args.build, f"scrape_{models}", *options) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.metrics_port, timeout=60)
        costs = []
        for _ in range(args.rounds + 1):  # the first warms up
            before = cpu_seconds(server.process.pid)
            for _ in range(args.scrapes):
                connection.request("GET", "/metrics")
                page = connection.getresponse().read()
            costs.append((cpu_seconds(server.process.pid) - before) / args.scrapes * 1e6)
    return [models, len(page), costs[1:]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--scrapes", type=int, default=500, help="of each round")
    parser.add_argument("--report-only", action="store_true", help="exit with 0 whatever the figures")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    args = parser.parse_args()

    rows = [measure(args, count) for count in (1, args.models)]
    common.print_table(["models", "page, bytes", "CPU a scrape, us"], [[m, size, common.spread(costs, 0)] for m, size, costs in rows])
    one, many = (common.quartiles(costs)[1] for _, _, costs in rows)
    print(f"{args.models} models cost {many / one:.2f} times as much as one (at most {MOST_RATIO})")
    return 0 if args.report_only or many <= MOST_RATIO * one else 1


if __name__ == "__main__":
    sys.exit(main())
