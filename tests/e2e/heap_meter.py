"""What a process holds of the heap, and which call-stacks hold it: reads what tests/support/heap_meter.cc writes."""

import bisect
import collections
import dataclasses
import functools
import os
import pathlib
import struct
import subprocess

FRAMES, STACKS = 28, 1 << 17
HEAD = struct.Struct("=4q")
STACK = struct.Struct(f"=Q2q{FRAMES}Q")


@dataclasses.dataclass
class Reading:
    bytes: int  # in use, as the allocator counts them
    blocks: int
    calls: int  # that gRPC's server has begun
    anonymous: int  # bytes of memory that no file is behind: the heap with what is free of it, threads' stacks
    threads: int
    descriptors: int

    @property
    def unused(self) -> int:
        """Bytes of memory beyond what is in use; gRPC's and libraries' own mappings and stacks among them."""
        return self.anonymous - self.bytes


class HeapMeter:
    """Of one process that is yet to be started with `environment`."""

    def __init__(self, library: str, page: pathlib.Path, *, stacks: bool = False, leak: int = 0):
        self.page = page
        self.environment = os.environ | {"LD_PRELOAD": library, "HEAP_METER": str(page)}
        if stacks:
            self.environment["HEAP_METER_STACKS"] = "1"
        if leak:
            self.environment["HEAP_METER_LEAK"] = str(leak)

    def head(self) -> tuple[int, int, int, int]:
        with open(self.page, "rb") as file:
            return HEAD.unpack(file.read(HEAD.size))

    def read(self, pid: int) -> Reading:
        in_use, blocks, calls, _ = self.head()
        process = pathlib.Path(f"/proc/{pid}")
        rollup = (process / "smaps_rollup").read_text()
        (anonymous,) = [int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Anonymous:")]
        return Reading(in_use, blocks, calls, anonymous,
                       len(list((process / "task").iterdir())), len(list((process / "fd").iterdir())))

    def stacks(self) -> dict[tuple[int, ...], tuple[int, int]]:
        """Bytes and blocks in use by return addresses, innermost first."""
        untold = self.head()[3]
        assert untold == 0, f"{untold} blocks found no room in the tables"
        with open(self.page, "rb") as file:
            file.seek(HEAD.size)
            table = file.read(STACK.size * STACKS)
        found = {}
        for hash_, in_use, blocks, *frames in STACK.iter_unpack(table):
            if hash_:
                found[tuple(frame for frame in frames if frame)] = (in_use, blocks)
        return found


class Symbols:
    """Names of the functions of a running process, without debug information."""

    def __init__(self, pid: int):
        self.objects = []  # (begin, end, offset in the file, path)
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            span, _, offset, _, _, *path = line.split()
            if path and path[0].startswith("/"):
                begin, end = (int(part, 16) for part in span.split("-"))
                self.objects.append((begin, end, int(offset, 16), path[0]))

    @staticmethod
    @functools.cache
    def functions(path: str) -> list[tuple[int, int, str]]:
        """Begin, end and name, in the order of their places; of a stripped library those that it exports."""
        found = set()
        for which in ("--dynamic", "--no-sort"):
            listed = subprocess.run(["nm", "-C", "-S", "--defined-only", which, path], capture_output=True, text=True)
            for line in listed.stdout.splitlines():
                address, size, kind, *name = line.split(" ", 3)
                if name and kind in "tTwWiu":
                    begin = int(address, 16)
                    found.add((begin, begin + int(size, 16), name[0].split("(")[0]))
        return sorted(found)

    def name(self, address: int) -> str:
        """Of the function that returns to the address, with the object and the place in it."""
        for begin, end, _, path in self.objects:
            if begin <= address < end:
                # Objects are mapped by the addresses in them, but for a base.
                at = address - min(b - offset for b, _, offset, p in self.objects if p == path)
                functions = self.functions(path)
                i = bisect.bisect_left(functions, (at,)) - 1
                known = i >= 0 and at <= functions[i][1]
                return f"{functions[i][2][:90] if known else '?'} [{path.rsplit('/', 1)[-1]}+{at:#x}]"
        return f"{address:#x}"


def growth_by_stack(symbols: Symbols, before: dict, after: dict, count: int = 10, depth: int = 14) -> str:
    """The stacks that hold more than before, those with most first."""
    grown = collections.Counter()
    for frames, (in_use, _) in after.items():
        grown[frames] = in_use - before.get(frames, (0, 0))[0]
    lines = [f"{sum(grown.values())} bytes more in all"]
    for frames, more in grown.most_common(count):
        if more <= 0:
            break
        blocks = after[frames][1] - before.get(frames, (0, 0))[1]
        lines.append(f"{more} bytes more in {blocks} blocks more, of {after[frames][0]} bytes:")
        lines.extend(f"    {symbols.name(frame)}" for frame in frames[:depth])
    return "\n".join(lines)
