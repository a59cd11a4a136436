"""What the benchmarks share: programs that are kept running and asked for a round in turn, and how figures are summed up."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build/bench"  # models made here, raw figures
DEFAULT_MODEL = ROOT / "models/fashion-resnet20/1/model.onnx"


def use_bench_venv() -> None:
    use_venv("bench-venv", "bench/requirements.txt")


def use_venv(name: str, requirements: str) -> None:
    """Starts the script again in build/NAME, which is made if it is not there."""
    venv = pathlib.Path(
        subprocess.run(
            [ROOT / "scripts/venv.sh", name, ROOT / requirements],
            stdout=subprocess.PIPE, text=True, check=True,
        ).stdout.strip()
    )  # fmt: skip
    if pathlib.Path(sys.prefix) != venv:
        os.execv(venv / "bin/python", [str(venv / "bin/python"), *sys.argv])


def program(build: pathlib.Path, name: str) -> pathlib.Path:
    path = build / name
    if not path.is_file():
        sys.exit(f"{path} is missing: build it with cmake --build --preset release")
    return path


def make_model(arch: str) -> pathlib.Path:
    """The default model, an ONNX file, or a seeded network of tools/make_resnet.py (needs onnx)."""
    if arch == "default":
        return DEFAULT_MODEL
    if arch.endswith(".onnx"):
        return pathlib.Path(arch)
    path = FOLDER / f"{arch}.onnx"
    if not path.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, ROOT / "tools/make_resnet.py", "--arch", arch, "--seed", "1", "--out", path], check=True)
    return path


class Driven:
    """A program that prints a line when it is ready and then a JSON line for every line it reads. Between rounds it sleeps."""

    def __init__(self, command: list, cores: int | None = None):
        """With `cores`, all of its threads run on that many of this process's cores: the last ones."""
        allowed = sorted(os.sched_getaffinity(0))[-cores:] if cores else None
        self.process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            preexec_fn=allowed and (lambda: os.sched_setaffinity(0, allowed)),
        )  # fmt: skip
        self.description = self._read()

    def round(self, request: object = "") -> dict:
        self.process.stdin.write(f"{request}\n")
        return self._read()

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[0]} ended with status {self.process.wait()}")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def quartiles(values: list) -> tuple[float, float, float]:
    """The first, second and third."""
    if len(values) == 1:
        return (values[0],) * 3
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def spread(values: list, digits: int = 2) -> str:
    """Median and, in brackets, the quartiles."""
    low, middle, high = quartiles(values)
    return f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def print_table(header: list, rows: list) -> None:
    """In Markdown, for docs/benchmarks/."""
    cells = [header, ["---"] * len(header), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |", flush=True)


def machine(build: pathlib.Path) -> str:
    """The CPU, the widest instructions that the engine uses of it, and how many cores this process may use."""
    model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    looked = subprocess.run([program(build, "cli/resnetctl"), "--json", "inspect", "--runs", "1"], capture_output=True, text=True, check=True)
    return f"{model}, {json.loads(looked.stdout)['isa']}, {len(os.sched_getaffinity(0))} cores"


class Disturbance:
    """How much of the machine's CPU time others took since the creation: other processes, or the host."""

    def __init__(self):
        self.start = self._read()
        self.own_start = self._own()
        self.began = time.monotonic()

    @staticmethod
    def _read() -> list[int]:
        return [int(field) for field in open("/proc/stat").readline().split()[1:9]]  # user nice system idle iowait irq softirq steal

    @staticmethod
    def _own() -> float:
        return sum(os.times()[:4])  # this process and its children that have ended

    def __str__(self) -> str:
        user, nice, system, idle, iowait, irq, softirq, steal = (b - a for a, b in zip(self.start, self._read()))
        everything = user + nice + system + idle + iowait + irq + softirq + steal
        busy = (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - (self._own() - self.own_start)
        cores = os.cpu_count()
        return (
            f"{time.monotonic() - self.began:.0f} s; other processes took {busy / (time.monotonic() - self.began) / cores:.1%}"
            f" of the machine's CPU time, its host {steal / max(everything, 1):.1%}"
        )


class Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, total: int):
        self.total, self.done, self.began = total, 0, time.monotonic()

    def step(self, what: str) -> None:
        self.show(self.done + 1, what)

    def show(self, done: int, what: str) -> None:
        self.done = done
        if not sys.stderr.isatty() or done == 0:
            return
        left = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        bar = "#" * (30 * self.done // self.total)
        end = "\r\033[K" if self.done == self.total else ""
        print(f"\r\033[K[{bar:30}] {self.done}/{self.total}, {left:.0f} s left  {what}{end}", end="", file=sys.stderr, flush=True)


def serve(build: pathlib.Path, name: str, *options: str, **process):
    """A resnetd for a `with` statement, see tests/packaging/running_server.py; its log is in build/bench/NAME. `process`
    goes to Popen."""
    sys.path.insert(0, str(ROOT / "tests/packaging"))
    from running_server import RunningServer

    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    return RunningServer(str(program(build, "server/resnetd")), str(program(build, "cli/resnetctl")), folder, *options, **process)


def load(server, *options: object) -> dict:
    """The report of one `resnetctl bench`."""
    done = server.ctl("--json", "bench", *map(str, options))
    if done.returncode != 0:
        raise RuntimeError(f"resnetctl bench: {done.stderr}")
    return json.loads(done.stdout)


def scrape(server) -> dict[str, float]:
    """The server's metrics, by name with labels."""
    with urllib.request.urlopen(server.metrics_url, timeout=30) as answer:
        lines = [line for line in answer.read().decode().splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
