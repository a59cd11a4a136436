"""Memory does not grow with the calls, good and bad; and the test that says so finds a leak of a kilobyte a call.

    memory_growth_test.py RESNETD RESNETCTL HEAP_METER
    memory_growth_test.py RESNETD RESNETCTL HEAP_METER slow [MINUTES [SHARE]]

slow: a burst, and half an hour or so many MINUTES. SHARE: of the time that it works, 1 by default; it rests the remainder.
docs/testing.md says what is measured, and why the bounds are what they are.
"""

import contextlib
import dataclasses
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time
import unittest

import images
import numpy as np
from client import PATIENCE_SECONDS, Client, pb, wait_until
from heap_meter import HeapMeter, Reading, Symbols, growth_by_stack
from mixed_traffic import MixedTraffic
from running_server import RunningServer

METER = sys.argv[3]
SLOW = "slow" in sys.argv[4:]
MINUTES = float(sys.argv[5]) if len(sys.argv) > 5 else 30.0
SHARE = float(sys.argv[6]) if len(sys.argv) > 6 else 1.0
MAX_MESSAGE_BYTES = 200_000
# The heap may hold so many bytes more: for each call, and once, for tables that double and the first of a kind in the
# metrics.
MOST_A_CALL, MOST_ONCE = 1, 32_768
LEAK = 1000  # bytes a call
WARM, ROUNDS = 4, 8
CLIENTS = 4  # in the slow test
WINDOWS = 6
# The process may have so many bytes more that the heap does not use in the last third of the time than in the second.
MOST_UNUSED = 1_000_000
KEPT = 10_000_000  # bytes, after a burst
# The limits are small enough that visitors go over them.
LIMITS = ["--max-message-bytes", str(MAX_MESSAGE_BYTES), "--max-calls-in-flight", "16"]


class Metered:
    """A context: a server under the meter, and its visitors."""

    def __init__(self, folder: pathlib.Path, *options: str, clients: int = 1, leak: int = 0):
        self.meter = HeapMeter(METER, folder / "heap", stacks=True, leak=leak)
        self.server = RunningServer(*sys.argv[1:3], folder, *options, env=self.meter.environment)
        self.clients = clients

    def __enter__(self):
        self.server.__enter__()
        self.pid = self.server.process.pid
        self.symbols = Symbols(self.pid)
        self.visitors = [MixedTraffic(self.server, MAX_MESSAGE_BYTES, f"visitor-{i}") for i in range(self.clients)]
        self.descriptors = self.meter.read(self.pid).descriptors
        return self

    def __exit__(self, kind, value, trace):
        self.server.__exit__(kind, value, trace)

    def round(self, seed: int) -> Reading:
        """Lets all visitors call at once; returns what the server has when they are done and it is at rest."""
        failures = []

        def visit(visitor: MixedTraffic, of: int):
            try:
                visitor.round(seed + of)
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
        """Waits until no connection is left and nothing changes from one look to the next; returns the last one."""
        last = None

        def resting() -> bool:
            nonlocal last
            before, last = last, self.meter.read(self.pid)
            self.descriptors = min(self.descriptors, last.descriptors)
            if before is None or last.descriptors > self.descriptors or last.bytes != before.bytes:
                time.sleep(0.03)  # between two looks something that still runs has time to change the heap
                return False
            return True

        wait_until(resting, "the server at rest")
        return last


@dataclasses.dataclass
class Growth:
    """The heap holds so much more, from the least of the first half to the least of the second: noise only adds to it."""

    bytes: int
    calls: int  # from half to half

    @classmethod
    def of(cls, readings: list[Reading]):
        half = len(readings) // 2
        least = [min(r.bytes for r in part) for part in (readings[:half], readings[half:])]
        return cls(least[1] - least[0], readings[half].calls - readings[0].calls)

    @property
    def is_little(self) -> bool:
        return self.bytes <= MOST_ONCE + MOST_A_CALL * self.calls

    def __str__(self) -> str:
        return f"{self.bytes} bytes more in use after {self.calls} calls more, {self.bytes / self.calls:.2f} a call"


class EqualRounds(unittest.TestCase):
    def measure(self, leak: int):
        """Returns the growth, and a function that says which stacks hold it."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with Metered(pathlib.Path(folder), *LIMITS, leak=leak) as metered:
            for _ in range(WARM):
                metered.round(1)
            before = metered.meter.stacks()
            readings = [metered.round(1) for _ in range(ROUNDS)]
            after = metered.meter.stacks()
            self.assertGreater(metered.visitors[0].served, 0)
        growth = Growth.of(readings)
        print(f"{leak} bytes a call are lost: {growth}: {[reading.bytes for reading in readings]}")
        return growth, lambda: growth_by_stack(metered.symbols, before, after, count=5)

    def test_the_heap_holds_no_more(self):
        growth, by_stack = self.measure(leak=0)
        if not growth.is_little:
            self.fail(f"{growth}\n{by_stack()}")

    def test_a_leak_is_found_and_named(self):
        growth, by_stack = self.measure(leak=LEAK)
        self.assertFalse(growth.is_little, growth)
        self.assertAlmostEqual(growth.bytes, LEAK * growth.calls, delta=MOST_ONCE + 0.1 * LEAK * growth.calls)
        names = by_stack()
        self.assertIn("grpc_call_start_batch", names.splitlines()[2], names)


class AfterABurst(unittest.TestCase):
    def test_memory_goes_back(self):
        """A burst is freed between blocks that stay, where the allocator by itself keeps it for good."""
        clients, calls = 20, 6
        folder = self.enterContext(tempfile.TemporaryDirectory())
        request = pb.ClassifyRequest(images=[images.u8(np.zeros((1000, 1000), np.uint8))])
        with Metered(pathlib.Path(folder)) as metered, contextlib.ExitStack() as connections:
            before = metered.at_rest().anonymous
            burst = [connections.enter_context(Client(metered.server.address)) for _ in range(clients)]
            for _ in range(3):
                made = [client.stub.Classify.future(request, timeout=60) for client in burst for _ in range(calls)]
                self.assertEqual([call.result().results[0].status.code for call in made], [0] * len(made))
            connections.close()
            after = metered.at_rest().anonymous
            print(f"anonymous: {before} bytes before a burst of {clients * calls} MB, {after} after it")
            self.assertGreater(after, before + KEPT, "nothing is there to go back")
            wait_until(lambda: metered.at_rest().anonymous < before + KEPT, "memory to go back", 2 * PATIENCE_SECONDS)


def unused(readings: list[Reading]) -> float:
    return statistics.median(reading.unused for reading in readings)


class HalfAnHour(unittest.TestCase):
    def test_mixed_and_hostile(self):
        os.nice(19)  # the server's too
        folder = self.enterContext(tempfile.TemporaryDirectory())
        windows: list[list[Reading]] = []
        print("minutes     calls  bytes in use  anonymous  beside what is in use  threads")
        with Metered(pathlib.Path(folder), *LIMITS, clients=CLIENTS) as metered:
            begun, rounds = time.monotonic(), 0
            for _ in range(WINDOWS):
                windows.append([])
                while (at := time.monotonic() - begun) < 60 * MINUTES * len(windows) / WINDOWS or not windows[-1]:
                    windows[-1].append(metered.round(rounds * CLIENTS))
                    rounds += 1
                    time.sleep((time.monotonic() - begun - at) * (1 / SHARE - 1))  # rests for the remainder of its share
                self.tell(windows)
                if len(windows) == WINDOWS // 2:
                    half_way = metered.meter.stacks()
            by_stack = growth_by_stack(metered.symbols, half_way, metered.meter.stacks())
        middle, late = (sum(part, []) for part in (windows[WINDOWS // 3 : -WINDOWS // 3], windows[-WINDOWS // 3 :]))
        growth = Growth.of(middle + late)
        unused_more = unused(late) - unused(middle)
        served = sum(visitor.served for visitor in metered.visitors)
        print(f"In the last two thirds: {growth}; beside it {unused_more:.0f} bytes more. {served} calls served. "
              f"In the last half: {by_stack}")  # fmt: skip
        self.assertGreater(served, 0)
        self.assertTrue(growth.is_little, f"{growth}\n{by_stack}")
        self.assertLess(unused_more, MOST_UNUSED)
        self.assertLessEqual(max(r.threads for r in late), max(r.threads for r in middle) + 2)

    def tell(self, windows: list[list[Reading]]):
        window = windows[-1]
        print(f"{len(windows) * MINUTES / WINDOWS:7.1f} {window[-1].calls:9} {min(r.bytes for r in window):13} "
              f"{window[-1].anonymous:10} {unused(window):22.0f} {max(r.threads for r in window):8}", flush=True)  # fmt: skip


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], defaultTest=["AfterABurst", "HalfAnHour"] if SLOW else "EqualRounds")
