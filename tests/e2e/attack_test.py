"""Single connections that would blow up the server are cut, and nobody else is."""

import contextlib
import pathlib
import sys
import threading
import unittest

import http2_raw as http2
from client import SERVICE, Client, Error, Metrics, pb, wait_until
from server_case import ServerTest

CONNECTIONS = 4
PEAK_MB, AFTERWARDS_MB = 150, 20
PATH = SERVICE + "Classify"
STREAMS = 20_000


def resident_mb(pid: int) -> float:
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


class Peak:
    """A context that sees the largest size of the process inside, in MB."""

    def __init__(self, pid: int):
        self.pid, self.mb, self.over = pid, resident_mb(pid), threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.002):  # looks as often as the server's guard does while it grows
            self.mb = max(self.mb, resident_mb(self.pid))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.over.set()
        self.thread.join()


class Polite:
    """A context in which a client makes one call after the other."""

    def __init__(self, address: str):
        self.address, self.answers, self.errors, self.over = address, 0, [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        request = pb.ClassifyRequest(images=[image()])
        with Client(self.address) as client:
            while not self.over.wait(0.005):  # leaves most of the processor to the attack
                answer = client.call("Classify", request, wait_for_ready=True)
                if isinstance(answer, Error):
                    self.errors.append(answer)
                else:
                    self.answers += 1

    def __enter__(self):
        self.thread.start()
        wait_until(lambda: self.answers, "a first answer")
        return self

    def __exit__(self, kind, value, trace):
        self.over.set()
        self.thread.join()


def image() -> pb.Image:
    return pb.Image(tensor=pb.Tensor(type=pb.Tensor.UINT8, shape=[28, 28, 1], data=bytes(784)))


def continuation(field: bytes) -> bytes:
    """Returns 20 MB of header fields of one call that never end."""
    block = field * (http2.MAX_FRAME_BYTES // len(field))
    begin = http2.frame(http2.HEADERS, 0, 1, http2.call_headers(PATH))
    return begin + http2.frame(http2.CONTINUATION, 0, 1, block) * (20_000_000 // len(block))


def streams(after_headers, path: str = PATH, flags: int = 0) -> bytes:
    """Returns the headers of STREAMS calls, each followed by `after_headers` of its stream."""
    headers = http2.call_headers(path)
    return b"".join(
        http2.frame(http2.HEADERS, http2.END_HEADERS | flags, stream, headers) + after_headers(stream)
        for stream in range(1, 2 * STREAMS, 2)
    )


def data_and_reset(stream: int) -> bytes:
    return http2.frame(http2.DATA, 0, stream, http2.grpc_message(bytes(500), 1 << 20)) + http2.reset(stream)


def watch_and_reset(stream: int) -> bytes:
    return http2.frame(http2.DATA, http2.END_STREAM, stream, http2.grpc_message(b"")) + http2.reset(stream)


def attack(address: str, flood: bytes, source: str):
    """Sends it from all connections at once, until they are cut."""

    def run():
        with contextlib.suppress(OSError), http2.Connection(address, source) as connection:
            connection.send(flood)
            connection.await_end()

    threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class AttackTest(ServerTest):
    def closed(self) -> dict:
        return Metrics(self.server.metrics_url).by("resnetd_connections_closed_total", "reason")

    def check(self, flood: bytes, reason: str):
        pid = self.server.process.pid
        with Polite(self.server.address):
            pass
        idle = resident_mb(pid)
        before = self.closed()
        # The attack comes from the polite client's own address, and from another.
        for source in ("127.0.0.1", "127.0.0.2"):
            with self.subTest(source=source), Polite(self.server.address) as polite, Peak(pid) as peak:
                attack(self.server.address, flood, source)
                wait_until(lambda: resident_mb(pid) <= idle + AFTERWARDS_MB, f"{AFTERWARDS_MB} MB above {idle} MB")
            self.assertLessEqual(peak.mb - idle, PEAK_MB)
            share = polite.answers / (polite.answers + len(polite.errors))
            self.assertGreaterEqual(share, 0.9, polite.errors[:3])
            print(f"{self.id()} {source}: peak +{peak.mb - idle:.0f} MB of {idle:.0f}, {polite.answers} answers, "
                  f"{len(polite.errors)} errors")
        self.assertGreater(self.closed().get(reason, 0), before.get(reason, 0))
        self.assertIn("cut the connection of ipv4:127.0.0.", self.server.log.read_text())

    def test_headers_without_end(self):
        self.check(continuation(b"\x90"), "headers")  # "accept-encoding: gzip, deflate", by its number

    def test_small_fields_without_end(self):
        self.check(continuation(http2.header(b"a", b"b")), "headers")

    def test_calls_that_are_reset(self):
        self.check(streams(data_and_reset), "streams")

    def test_calls_that_wait(self):
        self.check(streams(lambda stream: b""), "streams")

    def test_calls_of_grpcs_own_service(self):
        self.check(streams(watch_and_reset, "/grpc.health.v1.Health/Watch"), "streams")


class HeavyUsersTest(ServerTest):
    """Clients that use all that they may are not cut."""

    def tearDown(self):
        closed = Metrics(self.server.metrics_url).by("resnetd_connections_closed_total", "reason")
        self.assertEqual(closed, {})

    def upload(self, size: int, at_once: int, each: int):
        """Sends messages that are none, which are read whole and refused."""
        message = b"\xff" * size
        wrong = []

        def run():
            for _ in range(each):
                answer = self.client.raw(PATH, message)
                if not isinstance(answer, Error) or answer.code not in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"):
                    wrong.append(answer)

        threads = [threading.Thread(target=run) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_one_large_message_after_the_other(self):
        self.upload(15 << 20, 1, 20)

    def test_many_large_messages_at_once(self):
        self.upload(15 << 20, 8, 4)
        self.upload(1 << 20, 64, 4)

    def test_a_thousand_calls_at_once_half_of_them_cancelled(self):
        request = pb.ClassifyRequest(images=[image()])
        for _ in range(5):
            calls = [self.client.stub.Classify.future(request, timeout=60) for _ in range(1000)]
            for call in calls[::2]:
                call.cancel()
            for call in calls[1::2]:
                self.assertIn(call.code().name, ("OK", "RESOURCE_EXHAUSTED"))

    def test_a_stream_of_two_thousand_requests(self):
        answers = self.client.stub.ClassifyStream(
            pb.ClassifyRequest(images=[image()]) for _ in range(2000)
        )
        self.assertEqual(sum(1 for _ in answers), 2000)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
