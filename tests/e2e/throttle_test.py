"""A server that got next to no CPU for a while, or while it started, answers again as soon as that is over.

    throttle_test.py RESNETD RESNETCTL default|resnet18
"""

import contextlib
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import images
import numpy as np
from client import Client, Error, Metrics, pb, wait_until
from running_server import RunningServer

PERIOD_SECONDS = 0.01
THROTTLED_SECONDS = 4
CALLS = 20
# The image's shape, and the load: images a second, about half of what two cores do.
NETWORKS = {"default": ((28, 28), 1500), "resnet18": ((224, 224, 3), 60)}


@contextlib.contextmanager
def throttled(process: subprocess.Popen, share: float):
    """The process runs for that share of each period only, as under a small CPU quota; inside the context."""
    over = threading.Event()

    def throttle():
        while not over.is_set():
            process.send_signal(signal.SIGSTOP)
            time.sleep(PERIOD_SECONDS * (1 - share))
            process.send_signal(signal.SIGCONT)
            time.sleep(PERIOD_SECONDS * share)

    thread = threading.Thread(target=throttle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Throttled(unittest.TestCase):
    network = "default"

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        shape, cls.rate = NETWORKS[cls.network]
        cls.request = pb.ClassifyRequest(images=[images.u8(np.random.RandomState(1).randint(0, 256, shape, np.uint8))])
        cls.options = ["--workers", "2"]
        if cls.network != "default":
            path = images.make_resnet(cls.folder / "net.onnx", "--arch", cls.network, "--seed", "1")
            cls.options += ["--model", str(path)]
        with cls.server() as server, Client(server.address) as client:
            cls.lone_seconds = statistics.median(cls.seconds(client) for _ in range(CALLS))

    @classmethod
    def server(cls, **how) -> RunningServer:
        return RunningServer(sys.argv[1], sys.argv[2], cls.folder, *cls.options, **how)

    @classmethod
    def seconds(cls, client: Client) -> float:
        start = time.monotonic()
        answer = client.call("Classify", cls.request)
        assert isinstance(answer, pb.ClassifyResponse), answer
        return time.monotonic() - start

    def lone_calls(self, server: RunningServer):
        """One after another, with five times the lone latency: none is refused. How many the machine, or the Python of
        this client, makes late is not looked at, but that it is not all of them."""
        refused = Metrics(server.metrics_url).value("resnetd_rejections_total", reason="deadline")
        with Client(server.address) as client:
            client.call("ListModels", pb.ListModelsRequest())  # connects
            answers = [client.call("Classify", self.request, timeout=5 * self.lone_seconds) for _ in range(CALLS)]
        self.assertEqual([a for a in answers if isinstance(a, Error) and a.code != "DEADLINE_EXCEEDED"], [])
        self.assertGreater(sum(isinstance(a, pb.ClassifyResponse) for a in answers), 0)
        self.assertEqual(Metrics(server.metrics_url).value("resnetd_rejections_total", reason="deadline"), refused)

    def idle(self, server: RunningServer) -> bool:
        metrics = Metrics(server.metrics_url)
        return not (metrics.value("resnetd_queue_depth") or metrics.value("resnetd_workers_busy"))

    def test_after_a_stretch_under_load(self):
        load = [sys.argv[2], "bench", "--rate", str(self.rate), "--warmup", "0", "--duration", "600",
                "--timeout", str(20 * self.lone_seconds)]
        with self.server() as server:
            load += ["--server", server.address]
            with subprocess.Popen(load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as bench:
                try:
                    answered = 'resnetd_requests_total{code="OK",method="Classify"}'
                    wait_until(lambda: answered in Metrics(server.metrics_url).text, "the load is answered")
                    with throttled(server.process, 0.04):
                        time.sleep(THROTTLED_SECONDS)  # the stretch
                finally:
                    bench.kill()
            wait_until(lambda: self.idle(server), "idle")
            self.lone_calls(server)

    def test_after_a_start(self):
        with self.server(wait=False) as server:
            with throttled(server.process, 0.05):
                server.wait_for_health()
            self.lone_calls(server)


if __name__ == "__main__":
    Throttled.network = sys.argv[3]
    unittest.main(argv=sys.argv[:1])
