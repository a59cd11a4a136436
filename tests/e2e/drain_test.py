"""SIGTERM under load, again and again: no call is lost that the server counted as answered, and none is cancelled.

drain_test.py RESNETD RESNETCTL ROUNDS      ROUNDS: of signals, at each load
"""

import collections
import pathlib
import signal
import sys
import tempfile
import threading
import time
import unittest

import grpc
import images
from client import Client, Metrics, OpenStream, call_error, pb, wait_until
from running_server import RunningServer

ROUNDS = int(sys.argv[3])
CLIENTS = 6
LAME_DUCK_MS = 300
EXIT_SECONDS = 60
IMAGE = images.u8(images.fashion()[0])
REQUEST = pb.ClassifyRequest(images=[IMAGE] * 32)
SMALL = pb.ClassifyRequest(images=[IMAGE])
# The codes that an overloaded or leaving server may answer; nobody asked for another, and least of all for CANCELLED.
EXPECTED = {"OK", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}


class Load:
    """Calls at a steady rate, whatever becomes of them, from several connections, until it is stopped."""

    def __init__(self, address: str, calls_per_second: float):
        self.pause = CLIENTS / calls_per_second
        self.clients = [Client(address) for _ in range(CLIENTS)]
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        self.outcomes: collections.Counter = collections.Counter()  # by code and reason
        self.strange: list[str] = []
        self.open = 0
        self.threads = [threading.Thread(target=self.run, args=(client,)) for client in self.clients]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        wait_until(lambda: self.open == 0, "the last answer")
        for client in self.clients:
            client.channel.close()

    def run(self, client: Client):
        due = time.monotonic()
        while not self.stopped.is_set():
            with self.lock:
                self.open += 1
            client.stub.Classify.future(REQUEST, timeout=EXIT_SECONDS).add_done_callback(self.done)
            due += self.pause
            time.sleep(max(due - time.monotonic(), 0))  # the rate of the load

    def done(self, call):
        error = call.exception()
        code, reason = "OK", ""
        if error is not None:
            known = call_error(error)
            code, reason = known.code, known.reason
        with self.lock:
            self.open -= 1
            self.outcomes[code, reason] += 1
            if code not in EXPECTED:
                self.strange.append(str(error))

    def count(self, code: str) -> int:
        with self.lock:
            return sum(n for (of, _), n in self.outcomes.items() if of == code)


def answered(metrics: Metrics) -> float:
    return metrics.value("resnetd_requests_total", method="Classify", code="OK")


class LastPage:
    """Reads the metrics until nobody answers, and keeps the last page."""

    def __init__(self, server: RunningServer):
        self.url = server.metrics_url
        self.page = Metrics(self.url)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            try:
                self.page = Metrics(self.url)
            except AssertionError:
                return
            time.sleep(0.01)  # a scrape takes the processor from the calls

    def join(self) -> Metrics:
        self.thread.join()
        return self.page


class Drain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.totals = collections.defaultdict(collections.Counter)
        with cls.started() as (server, _):
            cls.calls_per_second = cls.capacity(server.address)

    @classmethod
    def tearDownClass(cls):
        print(f"capacity: {cls.calls_per_second:.0f} calls of {len(REQUEST.images)} images a second")
        for what, outcomes in cls.totals.items():
            print(f"{what}, {ROUNDS} rounds:", dict(sorted(outcomes.items())))

    @classmethod
    def started(cls):
        return Started()

    @classmethod
    def capacity(cls, address: str) -> float:
        """Calls answered in a second to callers who have two calls in flight each."""
        until = time.monotonic() + 1
        counts = []

        def call():
            count = 0
            with Client(address) as client:
                while time.monotonic() < until:
                    calls = [client.stub.Classify.future(REQUEST) for _ in range(2)]
                    count += sum(call.exception() is None for call in calls)
            counts.append(count)

        threads = [threading.Thread(target=call) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts)

    def rounds(self, what: str, times: float, drain):
        for i in range(ROUNDS):
            with self.subTest(what, round=i), self.started() as (server, client):
                with Load(server.address, times * self.calls_per_second) as load:
                    wait_until(lambda: load.count("OK") >= 20, "answers")
                    counted = drain(server, client, load)
                    self.assertEqual(server.process.wait(timeout=EXIT_SECONDS), 0)
                self.totals[what].update(load.outcomes)
                self.assertEqual(load.strange, [])
                # The last page is older than the end.
                self.assertGreaterEqual(load.count("OK"), counted, "answers were lost")

    def stop(self, server: RunningServer, client: Client, load: Load) -> float:
        pages = LastPage(server)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=EXIT_SECONDS)
        return answered(pages.join())

    def stop_behind_a_stream(self, server: RunningServer, client: Client, load: Load) -> float:
        """A stream keeps the server from ending until all else has been answered and counted, and the load goes on."""
        stream = OpenStream(client, SMALL)
        stream.call()  # whose answer may be that the queue is full
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: load.outcomes["UNAVAILABLE", "DRAINING"] > 0, "refusals")
        page = wait_until(lambda: self.one_call(server), "the end of what was admitted")
        refused = load.outcomes["UNAVAILABLE", "DRAINING"]
        wait_until(lambda: load.outcomes["UNAVAILABLE", "DRAINING"] > refused, "more refusals")
        stream.end()
        self.assertEqual(list(stream.answers), [])
        server.process.wait(timeout=EXIT_SECONDS)
        return answered(page)

    def one_call(self, server: RunningServer) -> Metrics | None:
        page = Metrics(server.metrics_url)
        return page if page.value("resnetd_calls_in_flight") == 1 else None

    def test_at_capacity(self):
        self.rounds("1x", 1, self.stop)

    def test_at_five_times_its_capacity(self):
        self.rounds("5x", 5, self.stop)

    def test_at_capacity_behind_a_stream(self):
        self.rounds("1x behind a stream", 1, self.stop_behind_a_stream)

    def test_at_five_times_its_capacity_behind_a_stream(self):
        self.rounds("5x behind a stream", 5, self.stop_behind_a_stream)


class Started:
    """A context: a server of its own, which may have ended inside, and a client of it."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        self.server = RunningServer(*sys.argv[1:3], folder, lame_duck_ms=LAME_DUCK_MS).__enter__()
        self.client = Client(self.server.address)
        return self.server, self.client

    def __exit__(self, kind, value, trace):
        try:
            self.client.channel.close()
            self.server.__exit__(kind, value, trace)
        finally:
            self.folder.cleanup()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
