"""Memory does not grow with the calls, good and bad; and the test that says so finds a leak of a kilobyte a call.

    memory_growth_test.py RESNETD RESNETCTL HEAP_METER
    memory_growth_test.py RESNETD RESNETCTL HEAP_METER slow [MINUTES [SHARE]]

slow: for half an hour, or so many MINUTES. SHARE, of the time that it works, 1 by default: it rests the remainder.
docs/testing.md says what is measured, and why the bounds are what they are.
"""

import dataclasses
import os
import pathlib
import sys
import tempfile
import threading
import time
import unittest

from client import wait_until
from heap_meter import HeapMeter, Reading, Symbols, growth_by_stack
from mixed_traffic import MixedTraffic
from running_server import RunningServer

METER = sys.argv[3]
SLOW = "slow" in sys.argv[4:]
MINUTES, SHARE = (float(a) if a else d for a, d in zip([*sys.argv[5:7], "", ""], (30.0, 1.0)))
MAX_MESSAGE_BYTES = 200_000
# Bytes a call that the heap may hold more. Buffers that come and go make 65,536 at once, whatever the number of calls.
MOST_A_CALL, MOST_A_CALL_SLOW = 100, 10
LEAK = 1000  # bytes a call
WARM, ROUNDS = 4, 10
CLIENTS = 4  # in the slow test
WINDOWS = 3
# Memory that the process has and the heap does not use, in the last of the windows: bytes a minute.
MOST_A_MINUTE = 50_000


class Metered:
    """A context: a server under the meter, and those who visit it."""

    def __init__(self, folder: pathlib.Path, *, clients: int = 1, leak: int = 0):
        self.meter = HeapMeter(METER, folder / "heap", stacks=True, leak=leak)
        options = ["--max-message-bytes", str(MAX_MESSAGE_BYTES), "--max-calls-in-flight", "16"]
        self.server = RunningServer(*sys.argv[1:3], folder, *options, env=self.meter.environment)
        self.clients = clients
        self.rounds = 0

    def __enter__(self):
        self.server.__enter__()
        self.pid = self.server.process.pid
        self.symbols = Symbols(self.pid)
        self.visitors = [MixedTraffic(self.server, MAX_MESSAGE_BYTES, f"visitor-{i}") for i in range(self.clients)]
        self.connections = 0
        return self

    def __exit__(self, kind, value, trace):
        for visitor in self.visitors:
            visitor.close()
        self.server.__exit__(kind, value, trace)

    def round(self, seed: int, times: int = 1) -> Reading:
        """All visitors at once, and what the server has when they are done and it is at rest."""
        failures = []

        def visit(visitor: MixedTraffic, of: int):
            try:
                visitor.round(seed + of, times)
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=visit, args=(visitor, i)) for i, visitor in enumerate(self.visitors)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return self.at_rest()

    def at_rest(self) -> Reading:
        """No connection is left but the visitors' own, and from one look to the next nothing changes."""
        self.connections = self.connections or self.meter.read(self.pid).descriptors
        last = None

        def resting() -> bool:
            nonlocal last
            before, last = last, self.meter.read(self.pid)
            if before is None or last.descriptors > self.connections or last.bytes != before.bytes:
                time.sleep(0.03)
                return False
            return True

        wait_until(resting, "the server at rest")
        return last

    def stacks(self) -> dict:
        return self.meter.stacks()


@dataclasses.dataclass
class Growth:
    a_call: float  # bytes
    calls: int
    by_stack: str

    def __str__(self) -> str:
        return f"{self.a_call:.1f} bytes a call over {self.calls} calls"


def growth_of(readings: list[Reading]) -> float:
    """Bytes a call, from the least of the first half to the least of the second: what comes and goes does not count."""
    half = len(readings) // 2
    calls = readings[half].calls - readings[0].calls
    return (min(r.bytes for r in readings[half:]) - min(r.bytes for r in readings[:half])) / calls


class EqualRounds(unittest.TestCase):
    def measure(self, leak: int) -> Growth:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with Metered(pathlib.Path(folder), leak=leak) as metered:
            for _ in range(WARM):
                metered.round(1)
            before = metered.stacks()
            readings = [metered.round(1) for _ in range(ROUNDS)]
            self.assertGreater(metered.visitors[0].served, 0)
            by_stack = growth_by_stack(metered.symbols, before, metered.stacks(), count=5)
        print([r.bytes for r in readings])
        growth = Growth(growth_of(readings), readings[-1].calls - readings[0].calls, by_stack)
        print(f"leaking {leak} bytes a call: {growth}")
        return growth

    def test_the_heap_holds_no_more(self):
        growth = self.measure(leak=0)
        self.assertLess(growth.a_call, MOST_A_CALL, growth.by_stack)

    def test_a_leak_is_found_and_named(self):
        growth = self.measure(leak=LEAK)
        self.assertGreater(growth.a_call, LEAK - MOST_A_CALL)
        self.assertLess(growth.a_call, LEAK + 2 * MOST_A_CALL)
        named = growth.by_stack.splitlines()[2]
        self.assertIn("grpc_call_start_batch", named, growth.by_stack)


class Long(unittest.TestCase):
    def test_mixed_and_hostile(self):
        os.nice(19)  # the server's too
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with Metered(pathlib.Path(folder), clients=CLIENTS) as metered:
            begun = time.monotonic()
            readings: list[tuple[float, Reading]] = []
            before = None
            while (at := time.monotonic() - begun) < 60 * MINUTES:
                readings.append((at / 60, metered.round(len(readings) * CLIENTS)))
                if before is None and at > 60 * MINUTES / WINDOWS:
                    before = metered.stacks()
                time.sleep((time.monotonic() - begun - at) * (1 / SHARE - 1))
            by_stack = growth_by_stack(metered.symbols, before, metered.stacks())
        windows = [[r for m, r in readings if i <= m * WINDOWS / MINUTES < i + 1] for i in range(WINDOWS)]
        print("minutes     calls  in use, at least  anonymous at its end  unused at its end  bytes of it a minute more")
        a_minute = []
        for i, window in enumerate(windows):
            a_minute.append((window[-1].unused - window[0].unused) * WINDOWS / MINUTES)
            print(f"{(i + 1) * MINUTES / WINDOWS:7.1f} {window[-1].calls:9} {min(r.bytes for r in window):17} "
                  f"{window[-1].anonymous:21} {window[-1].unused:18} {a_minute[-1]:26.0f}")  # fmt: skip
        late = [r for window in windows[1:] for r in window]
        a_call = growth_of(late)
        print(f"in use: {a_call:.2f} bytes a call more over {late[-1].calls - late[0].calls} calls; served "
              f"{sum(v.served for v in metered.visitors)}; threads {[max(r.threads for r in w) for w in windows]}\n{by_stack}")
        self.assertLess(a_call, MOST_A_CALL_SLOW, by_stack)
        self.assertLess(a_minute[-1], MOST_A_MINUTE)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], defaultTest="Long" if SLOW else "EqualRounds")
