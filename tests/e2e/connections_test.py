"""A server and its connections: it takes as many as it may, says so when it cannot take more, and never goes deaf.

    connections_test.py RESNETD RESNETCTL [slow]
"""

import contextlib
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import images
from client import Client, Metrics, http_get, pb, wait_until
from running_server import START_SECONDS, RunningServer

SLOW = "slow" in sys.argv[3:]
# Connections, the limit of open files, rounds.
COUNT, LIMIT, ROUNDS = (3000, 1024, 20) if SLOW else (400, 128, 2)
ANSWER_SECONDS = 5
REQUEST = pb.ClassifyRequest(images=[images.u8(images.fashion()[0])])
READY = (200, "ok\n")


def limited(soft: int, hard: int):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def connections(port: int, count: int):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS))
               for _ in range(count)]


def is_answered(connection: socket.socket) -> bool:
    """By HTTP/2's first frame; else it was closed."""
    with contextlib.suppress(ConnectionError):
        return connection.recv(9)[3:4] == b"\4"
    return False


class Connections(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the test has connections too
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def start(self, soft: int, hard: int, *options: str, **how) -> RunningServer:
        return self.enterContext(
            RunningServer(*sys.argv[1:3], self.folder, *options, preexec_fn=limited(soft, hard), **how))

    def classify(self, server: RunningServer):
        """By a new client."""
        with Client(server.address) as client:
            answer = client.call("Classify", REQUEST, timeout=ANSWER_SECONDS, wait_for_ready=True)
        self.assertEqual(len(answer.results), 1)

    def test_the_soft_limit_is_raised_to_the_hard_one(self):
        """1,200 connections where the soft limit is the usual one: all are answered, and so are the probes meanwhile."""
        count, hard = 1200, 4096
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
            self.skipTest(f"this machine allows fewer than {hard} open files")
        server = self.start(1024, hard, "--log-level", "debug")
        log = server.log.read_text()
        self.assertIn(f"open files: at most {hard}, 1024 before", log)
        self.assertIn("connections: at most 1952, and 64 of probes and scrapers", log)
        with connections(server.port, count) as all_of_them:
            for one in all_of_them:
                self.assertTrue(is_answered(one))
            self.assertEqual(Metrics(server.metrics_url).value("resnetd_connections"), count)
            self.assertEqual(http_get(f"{server.http_url}/readyz"), READY)
            self.classify(server)
        wait_until(lambda: Metrics(server.metrics_url).value("resnetd_connections") == 0, "all are gone")

    def test_more_connections_than_may_be(self):
        """Round after round those beyond are closed, and with the others gone a new client is answered."""
        server = self.start(LIMIT, LIMIT)
        before = self.enterContext(Client(server.address))
        room = (LIMIT - 64) // 2
        room -= room // 8
        full = f"there are as many connections as may be: {room} (--max-connections)"
        for round_ in range(1, ROUNDS + 1):
            before.call("Classify", REQUEST)  # connects
            with connections(server.port, COUNT) as all_of_them:
                answered = sum(map(is_answered, all_of_them))
                self.assertEqual(answered, room - 1, "beside the client from before")
                self.assertEqual(http_get(f"{server.http_url}/readyz"), (503, full + "\n"))
                self.assertEqual(http_get(f"{server.http_url}/livez"), READY)
                self.assertEqual(len(before.call("Classify", REQUEST).results), 1)
                page = Metrics(server.metrics_url)
                self.assertEqual(page.value("resnetd_connections"), room)
                self.assertEqual(page.value("resnetd_connections_closed_total", reason="limit"),
                                 round_ * (COUNT - answered))
            self.classify(server)
            wait_until(lambda: http_get(f"{server.http_url}/readyz") == READY, "readiness")
        lines = [line for line in server.log.read_text().splitlines() if full in line]
        self.assertTrue(1 <= len(lines) <= ROUNDS, lines)

    def test_no_descriptor_is_left(self):
        """However that comes about: those who connect meanwhile wait, and are answered afterwards."""
        server = self.start(LIMIT, 2 * LIMIT)
        self.classify(server)
        soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (10, 2 * LIMIT))
        lack = "no new connection can be accepted: Too many open files (ulimit -n)"
        with connections(server.port, 20) as waiting:
            wait_until(lambda: lack in server.log.read_text(), "the log's line")
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
            for one in waiting:
                self.assertTrue(is_answered(one))
        self.assertEqual(http_get(f"{server.http_url}/readyz"), READY)
        self.classify(server)
        self.assertEqual(server.log.read_text().count(lack), 1)

    def test_as_many_as_the_option_says(self):
        server = self.start(LIMIT, LIMIT, "--max-connections", "10")  # one of them a probe's
        with connections(server.port, 9) as first, connections(server.port, 3) as beyond:
            self.assertEqual([is_answered(one) for one in first], [True] * 9)
            self.assertEqual([is_answered(one) for one in beyond], [False] * 3)
            self.assertEqual(http_get(f"{server.http_url}/livez"), READY)

    def test_limits_that_do_not_fit(self):
        for limit, option, error in (
            (128, "33", "--max-connections: expected 0, or 2 to 32 where 'ulimit -n' allows 128 open files, got 33"),
            (128, "1", "--max-connections: expected 0, or 2 to 32 where 'ulimit -n' allows 128 open files, got 1"),
            (67, "0", "ulimit -n: expected at least 68 open files, got 67"),
        ):
            with self.subTest(limit=limit, option=option):
                ended = subprocess.run([sys.argv[1], "--port", "0", "--max-connections", option], capture_output=True,
                                       text=True, timeout=START_SECONDS, preexec_fn=limited(limit, limit))
                self.assertEqual(ended.returncode, 1)
                self.assertIn(error, ended.stderr)

    def test_the_fewest_open_files(self):
        self.classify(self.start(68, 68))


class SocketFile(unittest.TestCase):
    """A sidecar's way in: a unix socket."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.path = self.folder / "s"

    def server(self, **how) -> RunningServer:
        return RunningServer(*sys.argv[1:3], self.folder, address=f"unix:{self.path}", **how)

    def classify(self, server: RunningServer):
        with Client(server.address) as client:
            self.assertEqual(len(client.call("Classify", REQUEST).results), 1)

    def test_it_is_served_and_removed(self):
        with self.server() as server:
            self.classify(server)
            self.assertIn(f"gRPC on unix:{self.path}", server.log.read_text())
            self.assertEqual(http_get(f"{server.http_url}/readyz"), READY)
            command = [sys.argv[1], "--address", f"unix:{self.path}", "--metrics-port", "0"]
            second = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
            self.assertEqual(second.returncode, 1)
            self.assertIn(f"cannot listen on unix:{self.path}: the socket is in use", second.stderr)
            self.classify(server)
        self.assertFalse(self.path.exists())

    def test_what_a_killed_server_left_is_replaced(self):
        server = self.server()
        server.__enter__()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(timeout=START_SECONDS)
        self.assertTrue(self.path.is_socket())
        with self.server() as again:
            self.classify(again)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
