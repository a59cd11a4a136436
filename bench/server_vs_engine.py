#!/usr/bin/env python3
"""What the server adds: `resnetctl bench` at saturation against the bare engine, in turn in one run.

    bench/server_vs_engine.py                     ResNet-50, uint8 tensors, 2 workers of 1 thread
    bench/server_vs_engine.py --model default
    bench/server_vs_engine.py --photos FOLDER     JPEG in, labels out

Three figures a round: the bare engine with as many workers (engine_bench, largest batch, all busy); the server in closed
loop, more clients than it can compute at once; the server in open loop, offered more than it can do. Server and client
share the machine's cores with each other, so both have less than the engine had: CPU time of either is given per image.
What the client takes is not taken off.

With --photos the client sends these JPEG files, and the server decodes, resizes and crops them. What that allows is
measured as well (image_bench, one thread): a core does one after the other, so a worker's time for an image is the sum of
both. The network must be one for 224x224 pixels.
"""

import argparse
import contextlib
import pathlib
import sys

import common

CLIENTS = 32
OVERLOAD = 1.2  # offered in open loop: this times the bare engine's images/s


def cpu_per_image(before: dict, after: dict) -> float:
    images = after['resnetd_images_total{result="ok"}'] - before['resnetd_images_total{result="ok"}']
    return (after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]) / images


class Rounds:
    """The figures of each of the three, by round."""

    def __init__(self, args, engine: common.Driven, decoder: common.Driven | None, server):
        self.args, self.engine, self.decoder, self.server = args, engine, decoder, server
        self.rates = {"engine": [], "closed": [], "open": []}
        self.own_cpu = {name: [] for name in self.rates}  # seconds an image, of engine or server
        self.client_cpu = {name: [] for name in self.rates}  # seconds an image
        self.client_cores = {name: [] for name in self.rates}
        self.batch = {name: [] for name in self.rates}

    def measure(self, name: str) -> None:
        if name == "engine":
            figures = self.engine.round(max(self.args.batch))
            rate = figures["images_per_second"]
            cpu = figures["cpu_seconds"] / figures["seconds"] / rate
            if self.decoder:
                decoding = 1 / self.decoder.round("files")["images_per_second"]
                rate = 1 / (1 / rate + decoding / self.args.workers)
                cpu += decoding
            self.own_cpu[name].append(cpu)
        else:
            before = common.scrape(self.server)
            rate = self.load(name)
            self.own_cpu[name].append(cpu_per_image(before, common.scrape(self.server)))
        self.rates[name].append(rate)

    def load(self, name: str) -> float:
        how = ["--concurrency", CLIENTS] if name == "closed" else ["--rate", OVERLOAD * self.rates["engine"][-1]]
        what = ["--image", self.args.photos] if self.decoder else ["--tensor", "u8"]
        report = common.load(self.server, *how, *what, "--warmup", self.args.warmup, "--duration", self.args.seconds)
        rate = report["achieved_images_per_second"]
        self.client_cores[name].append(report["client_cpu_seconds"] / self.args.seconds)
        self.client_cpu[name].append(report["client_cpu_seconds"] / self.args.seconds / rate)
        self.batch[name].append(report["batch_size"]["mean"])
        return rate

    def row(self, name: str) -> list:
        engine = common.quartiles(self.rates["engine"])[1]
        middle = common.quartiles(self.rates[name])[1]
        cells = [
            {"engine": "decoding, then bare engine" if self.decoder else "bare engine", "closed": f"server, closed loop, {CLIENTS} clients",
             "open": f"server, open loop, {OVERLOAD:g} of that rate offered"}[name],
            common.spread(self.rates[name], 1 if engine < 1000 else 0), f"{middle / engine:.3f}",
            common.spread([a / b for a, b in zip(self.rates[name], self.rates["engine"])], 3),
            f"{1e3 * common.quartiles(self.own_cpu[name])[1]:.3f}",
        ]  # fmt: skip
        if name == "engine":
            return [*cells, "", "", max(self.args.batch)]
        client = common.quartiles(self.client_cpu[name])[1]
        cores = common.quartiles(self.client_cores[name])[1]
        return [*cells, f"{1e3 * client:.3f}", f"{cores:.3f}", f"{common.quartiles(self.batch[name])[1]:.1f}"]


HEADER = ["", "images/s", "of the first's median", "of the first's by round", "CPU ms an image, engine or server",
          "CPU ms an image, client", "cores, client", "mean batch"]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet50", help="resnet18|34|50|101|152, cifar20..., default")
    parser.add_argument("--photos", type=pathlib.Path, help="folder of JPEG files; default: uint8 tensors")
    parser.add_argument("--batch", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2, 4, 8])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--warmup", type=float, default=3, help="seconds before, of the server's")
    parser.add_argument("--build", type=pathlib.Path, default=common.ROOT / "build/release")
    args = parser.parse_args()
    common.use_bench_venv()

    model = common.make_model(args.model)
    shared = ["--threads", str(args.threads), "--workers", str(args.workers)]
    sizes = ",".join(map(str, args.batch))
    command = [common.program(args.build, "bench/engine/engine_bench"), "--model", model, *shared, "--driven",
               "--batch", sizes, "--seconds", args.seconds]  # fmt: skip
    disturbance = common.Disturbance()
    progress = common.Progress(3 * args.rounds)
    options = [*shared, "--model", str(model), "--batch-sizes", sizes]
    with contextlib.ExitStack() as stack:
        engine, decoder = stack.enter_context(common.Driven(command)), None
        if args.photos:
            bench = common.program(args.build, "bench/image/image_bench")
            decoder = stack.enter_context(common.Driven([bench, "--folder", args.photos]))
        server = stack.enter_context(common.serve(args.build, "server_vs_engine", *options))
        rounds = Rounds(args, engine, decoder, server)
        for number in range(args.rounds):
            # The engine first, since its rate says what to offer.
            for name in ["engine", *(["closed", "open"] if number % 2 == 0 else ["open", "closed"])]:
                rounds.measure(name)
                progress.step(name)
    print(f"{args.model}; {common.machine(args.build)}; {args.workers} workers of {args.threads} threads, batches up to"
          f" {max(args.batch)}; {args.rounds} rounds of {args.seconds:g} s each; median [quartiles]")  # fmt: skip
    common.print_table(HEADER, [rounds.row(name) for name in rounds.rates])
    print(f"({disturbance})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
