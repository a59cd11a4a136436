"""A server and its descriptors: it takes as many as it may, and says so when its port has gone deaf for want of them.

    descriptors_test.py RESNETD RESNETCTL [slow]
"""

import pathlib
import resource
import signal
import socket
import sys
import tempfile
import unittest

import images
from client import Client, Metrics, http_get, pb, wait_until
from health.v1 import health_pb2, health_pb2_grpc
from running_server import RunningServer

SLOW = "slow" in sys.argv[3:]
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
FEW, EXIT_SECONDS = 128, 60
DEAF = "the gRPC port does not answer new connections"
NAME = "fashion-resnet20"
REQUEST = pb.ClassifyRequest(images=[images.u8(images.fashion()[0])])


def limited(soft: int, hard: int):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(port: int, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port), timeout=EXIT_SECONDS) for _ in range(count)]


def close(connections: list[socket.socket]):
    for one in connections:
        one.close()


def is_answered(connection: socket.socket) -> bool:
    """By HTTP/2's first frame."""
    return connection.recv(9)[3:4] == b"\4"


class Descriptors(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the test has connections too
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def start(self, soft: int, hard: int, *options: str) -> RunningServer:
        return self.enterContext(RunningServer(*sys.argv[1:3], self.folder, *options, preexec_fn=limited(soft, hard)))

    def test_the_soft_limit_is_raised_to_the_hard_one(self):
        """1,200 connections where the soft limit is the usual one: all are answered, and so are the probes afterwards."""
        count, hard = 1200, 4096
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
            self.skipTest(f"this machine allows fewer than {hard} open files")
        server = self.start(1024, hard, "--log-level", "debug")
        self.assertIn(f"open files: at most {hard}, 1024 before", server.log.read_text())
        connections = connect(server.port, count)
        self.addCleanup(close, connections)
        for one in connections:
            self.assertTrue(is_answered(one))
        self.assertGreater(Metrics(server.metrics_url).value("process_open_fds"), count)
        self.assertEqual(http_get(f"{server.http_url}/readyz"), (200, "ok\n"))
        with Client(server.address) as client:
            self.assertEqual(len(client.call("Classify", REQUEST).results), 1)

    def deaf_server(self, *, held: bool) -> tuple[RunningServer, Client]:
        """More connections than it has descriptors, which are held until it has noticed, or closed at once."""
        server = self.start(FEW, FEW)
        client = self.enterContext(Client(server.address))
        self.health = health_pb2_grpc.HealthStub(client.channel)
        watch = self.health.Watch(health_pb2.HealthCheckRequest())
        self.assertEqual(next(watch).status, SERVING)
        connections = connect(server.port, 2 * FEW)  # the kernel takes them all
        wait_until(lambda: "accept" in server.log.read_text(), "gRPC's complaint")
        if held:
            wait_until(lambda: DEAF in server.log.read_text(), "the log's line")
        close(connections)
        self.assertEqual(next(watch).status, NOT_SERVING)
        return server, client

    def assert_tells(self, server: RunningServer, client: Client):
        status, why = http_get(f"{server.http_url}/readyz")
        self.assertEqual((status, why[: len(DEAF)]), (503, DEAF))
        self.assertIn(f"127.0.0.1:{server.port}", why)
        for name, expected in (("", NOT_SERVING), (NAME, NOT_SERVING), ("liveness", SERVING)):
            self.assertEqual(self.health.Check(health_pb2.HealthCheckRequest(service=name)).status, expected, name)
        self.assertEqual(http_get(f"{server.http_url}/livez"), (200, "ok\n"))
        # Connections that there are go on.
        self.assertEqual(len(client.call("Classify", REQUEST).results), 1)
        self.assertEqual(server.log.read_text().count(DEAF), 1)
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(timeout=EXIT_SECONDS), 0)

    def test_a_port_that_went_deaf_is_not_ready(self):
        server, client = self.deaf_server(held=True)
        self.assert_tells(server, client)

    @unittest.skipUnless(SLOW, "waits until the silence counts as deafness")
    def test_connections_that_are_gone_again(self):
        server, client = self.deaf_server(held=False)
        self.assert_tells(server, client)

    @unittest.skipUnless(SLOW, "waits for checks")
    def test_checks_are_no_calls(self):
        """Nothing is counted, nothing is refused, no connection is left, whatever the address."""
        for address in ("0.0.0.0", "::", "localhost"):
            with self.subTest(address):
                server = self.start(FEW, FEW, "--address", address, "--max-calls-in-flight", "1")
                before = Metrics(server.metrics_url)
                # Each check takes and gives back: nothing is to be waited for but a few of them.
                self.assertRaises(AssertionError, wait_until, lambda: DEAF in server.log.read_text(), "", 12)
                after = Metrics(server.metrics_url)
                for name in ("resnetd_requests_total", "resnetd_rejections_total"):
                    self.assertEqual(after.series[name], before.series[name], name)
                self.assertLessEqual(after.value("process_open_fds"), before.value("process_open_fds") + 2)
                self.assertEqual(http_get(f"{server.http_url}/readyz"), (200, "ok\n"))
                server.process.send_signal(signal.SIGTERM)
                server.process.wait(timeout=EXIT_SECONDS)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
