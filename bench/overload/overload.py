#!/usr/bin/env python3
"""What a server answers in time when it is offered more than it can do.

    bench/overload/overload.py                                          the default model, deadlines of 17 and 50 ms
    bench/overload/overload.py --model resnet18 --deadlines 0.6 --svg FILE

The server has one core, the loader another. Loads are times what the server does in closed loop; open loop, Poisson. A
call is good if its answer came within the deadline from when it was due. What the loader could not send within a
millisecond (--slack) of that, since connections were full, is not sent. After the highest load comes 0.8 of the server's
rate for two seconds: "full again" is when from then on 95 % of each tenth of a second is good.

The control is a server that admits everything: no deadline is told to it, and its limits are out of reach.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import common  # noqa: E402

CLIENTS = 64  # of the closed loop
AFTER = 0.8  # of the server's rate, after the highest load
AFTER_SECONDS = 2
FULL = 0.95
SHAPES = {"default": "28,28,1"}
UNLIMITED = ["--max-queue-ms", "86400000", "--max-calls-in-flight", "1000000", "--max-calls-per-connection", "1000000"]


class Loader:
    def __init__(self, args, server, core: int):
        self.args, self.server, self.core = args, server, core

    def run(self, *options: object) -> list[dict]:
        shape = SHAPES.get(self.args.model, "32,32,3" if "cifar" in self.args.model else "224,224,3")
        command = [common.program(self.args.build, "bench/overload/overload_loader"), "--port", self.server.port,
                   "--shape", shape, "--connections", self.args.connections, "--slack", self.args.slack, *options]  # fmt: skip
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {self.core}))  # fmt: skip
        return json.loads(done.stdout)["phases"]

    def closed(self) -> float:
        """Answers a second."""
        self.run("--concurrency", CLIENTS, "--deadline", 60, "--phase", f"1:{self.args.warmup}")
        phase = self.run("--concurrency", CLIENTS, "--deadline", 60, "--phase", f"1:{self.args.seconds}")[0]
        return phase["in_time"] / phase["seconds"]

    def open(self, deadline: float, rates: list[float], *options: object) -> list[dict]:
        """One phase a rate; the last one, if there are several, is what follows the load."""
        times = [self.args.seconds] + [AFTER_SECONDS] * (len(rates) - 1)
        phases = [part for rate, time in zip(rates, times) for part in ("--phase", f"{rate}:{time}")]
        return self.run("--deadline", deadline, *phases, *options)


def full_again(after: dict) -> str:
    """Milliseconds."""
    shares = [good / max(due, 1) for good, due in zip(after["windows"], after["windows_offered"])]
    late = [i for i, share in enumerate(shares) if share < FULL]
    first = late[-1] + 1 if late else 0
    return f"{100 * first}" if first < len(shares) else f"> {100 * len(shares)}"


def measure(args, options: list[str], told: bool, capacity: float | None, progress) -> tuple[float, list[dict]]:
    cores = sorted(os.sched_getaffinity(0))
    rows = []
    pinned = {"preexec_fn": lambda: os.sched_setaffinity(0, {cores[0]})}
    model = ["--model", str(common.make_model(args.model))]
    with common.serve(args.build, "overload", *model, *options, **pinned) as server:
        loader = Loader(args, server, cores[-1])
        capacity = capacity or loader.closed()
        for deadline in args.deadlines:
            for load in args.loads:
                rates = [load * capacity] + ([AFTER * capacity] if load == max(args.loads) else [])
                phase, *after = loader.open(deadline, rates, *([] if told else ["--hide-deadline"]))
                answered = phase["in_time"] + phase["late"]
                rows.append({"deadline": deadline, "load": load, "goodput": phase["goodput"] / capacity, "phase": phase,
                             "sent": phase["sent"] / phase["seconds"] / capacity,
                             "in_time": phase["in_time"] / max(answered, 1),
                             "refused": phase["refused"] / max(phase["offered"], 1),
                             "again": full_again(after[0]) if after else ""})  # fmt: skip
                progress.step(f"{load:g} at {1e3 * deadline:g} ms")
    return capacity, rows


def table_row(row: dict, peak: float) -> list[str]:
    phase = row["phase"]
    part = lambda name: f"{phase[name] / max(phase['offered'], 1):.1%}"
    return [f"{1e3 * row['deadline']:g}", f"{row['load']:g}", f"{row['sent']:.2f}", f"{row['goodput']:.3f}",
            f"{row['goodput'] / peak:.1%}", f"{row['in_time']:.2%}", part("refused"), part("expired"),
            f"{1e3 * phase['p99']:.1f}", row["again"]]  # fmt: skip


HEADER = ["deadline, ms", "load", "sent", "good", "good, of the peak", "answers in time", "refused", "expired", "p99, ms",
          "full again, ms"]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = lambda text: [float(part) for part in text.split(",")]
    parser.add_argument("--model", default="default", help="default, resnet18|34|50|101|152, cifar20...")
    parser.add_argument("--deadlines", type=parts, default=[0.017, 0.05], help="seconds")
    parser.add_argument("--loads", type=parts, default=[0.5, 0.8, 1, 2, 5, 10], help="times the server's rate")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--slack", type=float, default=0.001, help="seconds in which a call must be sent")
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=1, help="seconds before them")
    parser.add_argument("--no-control", dest="control", action="store_false")
    parser.add_argument("--svg", type=pathlib.Path, help="draw it")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    args = parser.parse_args()
    common.use_bench_venv()

    disturbance = common.Disturbance()
    progress = common.Progress(len(args.deadlines) * len(args.loads) * (2 if args.control else 1))
    capacity, rows = measure(args, [], True, None, progress)
    control = measure(args, UNLIMITED, False, capacity, progress)[1] if args.control else []
    title = f"{args.model}; {common.machine(args.build)}; server on one, {args.connections} connections"
    print(f"{title}; {capacity:.{0 if capacity > 1000 else 1}f} images/s in closed loop with {CLIENTS} clients;"
          f" {args.seconds:g} s each")  # fmt: skip
    peaks = {d: max(row["goodput"] for row in rows if row["deadline"] == d) for d in args.deadlines}
    common.print_table(HEADER, [table_row(row, peaks[row["deadline"]]) for row in rows])
    if control:
        print("\nAdmission off:\n")
        common.print_table(HEADER, [table_row(row, peaks[row["deadline"]]) for row in control])
    print(f"({disturbance})")
    if args.svg:
        import pictures

        pictures.overload(rows, control, title, args.svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
