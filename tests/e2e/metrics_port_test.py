"""The plain HTTP port beside clients that are slow, greedy or many, and in a server without descriptors.

    metrics_port_test.py RESNETD RESNETCTL
"""

import contextlib
import http.client
import pathlib
import resource
import socket
import sys
import unittest

from client import Metrics, http_get, wait_until
from server_case import ServerTest

BOUND = 64  # server.cc's
SECONDS = 60
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


class PortTest(ServerTest):
    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.server.metrics_port), timeout=SECONDS)
        self.addCleanup(connection.close)
        return connection

    def crowd(self, size: int, sends: bytes) -> list[socket.socket]:
        connections = [self.connect() for _ in range(size)]
        for connection in connections:
            with contextlib.suppress(ConnectionError):  # it may have made room already
                connection.sendall(sends)
        return connections

    def raw(self, request: bytes) -> bytes:
        """All that comes until the server closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def assert_probed(self, times: int = 1):
        for _ in range(times):
            for path in ("/livez", "/readyz"):
                self.assertEqual(http_get(self.server.http_url + path), (200, "ok\n"), path)

    def metrics(self) -> Metrics:
        return Metrics(self.server.metrics_url)


class Crowds(PortTest):
    def test_clients_that_send_a_byte_and_stop(self):
        before = self.metrics().value("resnetd_http_closed_total", reason="made_room")
        crowd = self.crowd(200, b"G")
        self.assert_probed(times=20)
        m = self.metrics()
        self.assertGreaterEqual(m.value("resnetd_http_closed_total", reason="made_room") - before, 200 - BOUND)
        self.assertLessEqual(m.value("resnetd_http_connections"), BOUND)
        self.assertEqual(m.value("resnetd_http_accept_failures_total"), 0)
        for connection in crowd:
            connection.close()
        wait_until(lambda: self.metrics().value("resnetd_http_connections") == 1, "only the scrape's connection")

    def test_clients_that_read_nothing(self):
        """Each asks for more than the kernel holds."""
        self.crowd(100, (GET % b"/metrics") * 300)
        self.assert_probed(times=10)
        self.assertGreater(len(self.metrics().series), 20)

    def test_threads_have_names(self):
        tasks = pathlib.Path(f"/proc/{self.server.process.pid}/task").glob("*/comm")
        self.assertLessEqual({"http", "http-scrape"}, {task.read_text().strip() for task in tasks})


class Requests(PortTest):
    def test_a_part_is_answered_by_the_whole(self):
        ranges = b"Range: bytes=" + b",".join([b"0-"] * 700)
        answer = self.raw(b"GET /metrics HTTP/1.1\r\nConnection: close\r\nAccept-Encoding: gzip\r\n" + ranges + b"\r\n\r\n")
        header, _, body = answer.partition(b"\r\n\r\n")
        self.assertIn(b"200 OK", header)
        self.assertNotIn(b"Content-Range", header)
        self.assertNotIn(b"Content-Encoding", header)
        whole = len(http_get(self.server.metrics_url)[1])
        self.assertAlmostEqual(len(body), whole, delta=0.2 * whole)

    def test_a_connection_is_kept(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.metrics_port, timeout=SECONDS)
        connection.connect()
        own = connection.sock.getsockname()
        for method, path in (("GET", "/metrics"), ("HEAD", "/metrics"), ("GET", "/livez"), ("POST", "/"), ("GET", "/no")):
            connection.request(method, path, body=b"{}" if method == "POST" else None)
            answer = connection.getresponse()
            text = answer.read()
            self.assertEqual(answer.status, {"POST": 405}.get(method, 404 if path == "/no" else 200))
            self.assertEqual(len(text), 0 if method == "HEAD" else int(answer.headers["Content-Length"]))
            self.assertEqual(connection.sock.getsockname(), own)
        connection.close()

    def test_what_is_no_request(self):
        for request, status in (
            (b"\x16\x03\x01\x00", b"400"),
            (b"GET / HTTP/1.1\r\nA: " + b"a" * 20_000 + b"\r\n\r\n", b"431"),
            (b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n", b"413"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505"),
        ):
            with self.subTest(status):
                self.assertTrue(self.raw(request).startswith(b"HTTP/1.1 " + status), request[:40])
        self.assert_probed()


class Descriptors(PortTest):
    def test_it_hears_again(self):
        pid = self.server.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        self.assert_probed()
        self.addCleanup(resource.prlimit, pid, resource.RLIMIT_NOFILE, limits)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, limits[1]))  # for a new descriptor there is no number
        waiting = [self.connect() for _ in range(10)]
        for connection in waiting:
            connection.sendall(GET % b"/livez")
        says = "the metrics port could not take a connection: Too many open files"
        wait_until(lambda: says in self.server.log.read_text(), "the log's line")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for connection in waiting:
            self.assertTrue(connection.recv(1000).startswith(b"HTTP/1.1 200 OK"))
        self.assert_probed()
        self.assertGreater(self.metrics().value("resnetd_http_accept_failures_total"), 0)
        (line,) = [line for line in self.server.log.read_text().splitlines() if says in line]
        self.assertIn("ulimit -n", line)
        self.assertIn("--max-connections", line)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
