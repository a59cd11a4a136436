"""The end of a server: asked to stop it says so, serves on, then refuses, finishes what it has taken, and exits with 0.

stop_test.py RESNETD RESNETCTL
"""

import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest

import grpc
import images
from client import Client, Error, Metrics, OpenStream, http_get, pb, status_error, wait_until
from health.v1 import health_pb2, health_pb2_grpc
from running_server import RunningServer

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
NAME = "fashion-resnet20"
CALLERS = 8
EXIT_SECONDS = 60
LONG_MS = 24 * 3600 * 1000
IMAGE = images.u8(images.fashion()[0])
REQUEST = pb.ClassifyRequest(images=[IMAGE] * 4)


class Health:
    def __init__(self, client: Client):
        self.stub = health_pb2_grpc.HealthStub(client.channel)

    def check(self, name: str = ""):
        """The state, None if nobody answers."""
        try:
            return self.stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=EXIT_SECONDS).status
        except grpc.RpcError:
            return None

    def watch(self, name: str = ""):
        return (state.status for state in self.stub.Watch(health_pb2.HealthCheckRequest(service=name)))


class Caller(threading.Thread):
    """Calls, one call after the other, until a call fails; remembers when each one began and how the last one ended."""

    def __init__(self, address: str):
        super().__init__()
        self.client = Client(address)
        self.starts: list[float] = []
        self.error: Error | None = None

    def run(self):
        while self.error is None:
            self.starts.append(time.monotonic())
            answer = self.client.call("Classify", REQUEST)
            if isinstance(answer, Error):
                self.error = answer
                self.refused = time.monotonic()
            else:
                assert len(answer.results) == len(REQUEST.images)
        self.client.channel.close()


class Stop(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def start(self, *options: str, **how) -> tuple[RunningServer, Client]:
        server = self.enterContext(RunningServer(*sys.argv[1:3], self.folder, *options, **how))
        return server, self.enterContext(Client(server.address))

    def assert_exits(self, server: RunningServer):
        self.assertEqual(server.process.wait(timeout=EXIT_SECONDS), 0)
        self.assertIn("stopped", server.log.read_text().splitlines()[-1])

    def test_under_load(self):
        lame_duck_ms = 2000
        server, client = self.start(lame_duck_ms=lame_duck_ms)
        health = Health(client)
        watches = [health.watch(name) for name in ("", NAME)]
        for watch in watches:
            self.assertEqual(next(watch), SERVING)
        # As long as this stream is open, the server cannot go: everybody has time to see the refusal.
        stream = OpenStream(client, REQUEST)
        self.assertTrue(stream.call().HasField("response"))
        callers = [Caller(server.address) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        wait_until(lambda: all(len(c.starts) > 5 for c in callers), "load")

        asked = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for watch in watches:
            self.assertEqual(next(watch), NOT_SERVING)
        told = time.monotonic()
        self.assertEqual(http_get(f"{server.http_url}/readyz"), (503, "the server is stopping\n"))
        self.assertEqual((health.check(), health.check(NAME)), (NOT_SERVING, NOT_SERVING))

        for caller in callers:
            caller.join(timeout=EXIT_SECONDS)
            self.assertFalse(caller.is_alive())
            self.assertEqual((caller.error.code, caller.error.reason), ("UNAVAILABLE", "DRAINING"), caller.error)
            self.assertGreaterEqual(caller.refused - asked, lame_duck_ms / 1000)
            # All but the last were answered.
            self.assertGreater(len([t for t in caller.starts[:-1] if t > told]), 0, "it does not serve on")
        # New calls are refused, health and liveness answered, and what was let in goes on, but its new requests do not.
        for method, request in (("Classify", REQUEST), ("ListModels", pb.ListModelsRequest())):
            error = client.call(method, request)
            self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "DRAINING"))
        self.assertEqual((health.check(), health.check("liveness")), (NOT_SERVING, SERVING))
        self.assertEqual(http_get(f"{server.http_url}/livez"), (200, "ok\n"))
        late = status_error(stream.call().error)
        self.assertEqual((late.code, late.reason), ("UNAVAILABLE", "DRAINING"))
        self.assertIsNone(server.process.poll())
        stream.end()
        self.assertEqual(list(stream.answers), [])
        self.assert_exits(server)

    def test_what_was_admitted_is_finished(self):
        """Far more work than is done when the signal comes, and no lame-duck time."""
        count = 40
        server, client = self.start("--max-queue-ms", "60000", "--workers", "1", "--max-calls-per-connection", str(count))
        big = pb.ClassifyRequest(images=[IMAGE] * 32)
        calls = [client.stub.Classify.future(big, timeout=EXIT_SECONDS) for _ in range(count)]
        wait_until(lambda: waiting(server) > 0 and in_flight(server) + sum(c.done() for c in calls) == count, "all in")
        left = in_flight(server)
        server.process.send_signal(signal.SIGTERM)
        for call in calls:
            self.assertEqual(len(call.result().results), 32)
        self.assertGreater(left, count / 2)
        self.assert_exits(server)

    def test_calls_that_do_not_end_are_not_waited_for(self):
        server, client = self.start("--drain-ms", "100")
        OpenStream(client, REQUEST).call()
        server.process.send_signal(signal.SIGTERM)
        self.assert_exits(server)
        self.assertIn("cancelling 1 calls", server.log.read_text())

    def test_a_watch_holds_nothing_up(self):
        server, client = self.start()
        watch = Health(client).watch("liveness")
        self.assertEqual(next(watch), SERVING)
        server.process.send_signal(signal.SIGTERM)
        self.assert_exits(server)
        with self.assertRaises(grpc.RpcError):
            next(watch)

    def test_while_loading(self):
        """Not ready and alive; then asked to stop it never becomes ready, and does not load what is left.

        What is being loaded is not waited for: signals_test.py."""
        count = 30
        (self.folder / "models").mkdir()
        for i in range(count):
            shutil.copytree(images.MODEL, self.folder / f"models/m{i:02}/1")
        sizes = ",".join(str(b) for b in range(8, 65, 8))  # so that loading takes a while
        server, client = self.start(
            "--models", str(self.folder / "models"), "--batch-sizes", sizes, lame_duck_ms=LONG_MS, wait=False
        )
        health = Health(client)
        wait_until(lambda: health.check("liveness") == SERVING, "liveness")
        for name in ("", "m00", f"m{count - 1}"):
            self.assertEqual(health.check(name), NOT_SERVING, name)
        self.assertEqual(http_get(f"{server.http_url}/livez"), (200, "ok\n"))
        self.assertEqual(http_get(f"{server.http_url}/readyz"), (503, "models are loading\n"))
        self.assertEqual(http_get(server.metrics_url)[0], 200)
        last = f"m{count - 1}"
        for method, request in (
            ("Classify", pb.ClassifyRequest(model=last, images=[IMAGE])),
            ("GetModel", pb.GetModelRequest(model=last)),
        ):
            error = client.call(method, request)
            self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "MODEL_NOT_READY"))
            self.assertIn(f"model '{last}' version '1' is still loading", error.message)
        listed = client.call("ListModels", pb.ListModelsRequest()).models
        self.assertEqual([m.state for m in listed], [pb.ModelSummary.LOADING] * count)

        watch = health.watch()
        self.assertEqual(next(watch), NOT_SERVING)
        server.process.send_signal(signal.SIGTERM)
        self.assert_exits(server)
        with self.assertRaises(grpc.RpcError):
            self.fail(f"health turned {next(watch)}")
        log = server.log.read_text()
        self.assertNotIn(" I serving", log)
        self.assertNotIn(f"model {last} version", log)


def waiting(server: RunningServer) -> float:
    return Metrics(server.metrics_url).value("resnetd_queue_depth")


def in_flight(server: RunningServer) -> float:
    return Metrics(server.metrics_url).value("resnetd_calls_in_flight")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
