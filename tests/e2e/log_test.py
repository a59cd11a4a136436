"""What clients can make the server's log say: in one form, printable, bounded, and counted.

    log_test.py RESNETD RESNETCTL
"""

import contextlib
import pathlib
import re
import socket
import sys
import tempfile
import time
import unittest

import grpc
import images
from client import SERVICE, Client, Metrics, pb, wait_until
from running_server import RunningServer

OF_EACH = 300
MOST_LINES, WINDOW_SECONDS = 10, 10  # of each library
MOST_BYTES = 4 * 512 + 256  # each of 512 bytes may become \xNN
FORM = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d [DIWE] [ -~]*$")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
COLOURS = b"\x1b[31m\xff\xfe\n"


def header(name: bytes, value: bytes) -> bytes:
    """As HPACK has it: literal, not indexed, a new name."""
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def call_headers(stream: int, *more: tuple[bytes, bytes]) -> bytes:
    fields = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", SERVICE.encode() + b"GetModel"),
              (b":authority", b"x"), (b"te", b"trailers"), (b"content-type", b"application/grpc"), *more)
    return frame(1, 4, stream, b"".join(header(*field) for field in fields))


GARBAGE = {
    "no HTTP/2": COLOURS * 20,
    "HTTP/1.1": b"GET /" + COLOURS + b" HTTP/1.1\r\n\r\n",
    "an unknown frame": PREFACE + frame(0x77, 0, 0, COLOURS),
    "no HPACK": PREFACE + frame(1, 5, 1, b"\xff" * 5),
    "a stream of the server's": PREFACE + call_headers(2),
    "streams in no order": PREFACE + call_headers(5) + call_headers(3),
    "an encoding": PREFACE + call_headers(1, (b"grpc-encoding", COLOURS)) + frame(0, 1, 1, b"\1\0\0\0\1\0"),
    "encodings that are taken": PREFACE + call_headers(1, (b"grpc-accept-encoding", COLOURS)),
    "a timeout": PREFACE + call_headers(1, (b"grpc-timeout", COLOURS)),
    "a content type": PREFACE + call_headers(1, (b"content-type", COLOURS)),
    "a transport": PREFACE + call_headers(1, (b"te", COLOURS)),
    "a goodbye": PREFACE + frame(7, 0, 0, b"\0\0\0\0\0\0\0\x0b" + COLOURS * 10),
    "a window too large": PREFACE + frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2,
}

# So many of these make gRPC write a line each.
LOUD = 4


class Lines(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def counted(self, library: str) -> float:
        counts = Metrics(self.server.metrics_url).series["resnetd_library_log_lines_total"]
        return sum(value for key, value in counts.items() if dict(key)["library"] == library)

    def send(self, data: bytes):
        """To the port, and waits until the server has seen it."""
        with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(60)
            with contextlib.suppress(ConnectionError):
                while connection.recv(4096):
                    pass

    def assert_ours(self, log: bytes, seconds: float) -> dict[str, int]:
        """Every line in our form, few of each library, those that are written and those left out."""
        lines = log.decode("ascii").split("\n")
        self.assertEqual(lines.pop(), "")
        all_told = {}
        for library in ("grpc", "protobuf"):
            told = [line for line in lines if f" {library}: " in line]
            left_out = [int(m.group(1)) for line in told if (m := re.search(r": (\d+) more lines were left out", line))]
            windows = seconds // WINDOW_SECONDS + 1
            self.assertLessEqual(len(told) - len(left_out), MOST_LINES * windows, told)
            self.assertLessEqual(len(left_out), windows, told)
            all_told[library] = len(told) - len(left_out) + sum(left_out)
        for line in lines:
            self.assertRegex(line, FORM)
            self.assertLess(len(line), MOST_BYTES)
        return all_told

    def test_bytes_of_clients(self):
        image = images.u8(images.fashion()[0])
        start = time.monotonic()
        with RunningServer(*sys.argv[1:3], self.folder) as self.server, Client(self.server.address) as client:
            zero = Metrics(self.server.metrics_url).series["resnetd_library_log_lines_total"]
            self.assertEqual((len(zero), sum(zero.values())), (8, 0), "all are there from the start")
            for _ in range(OF_EACH):
                error = client.raw(SERVICE + "GetModel", b"\x0a" + bytes([len(COLOURS)]) + COLOURS)
                self.assertEqual(error.reason, "MALFORMED_MESSAGE")
                compressed = client.call("Embed", pb.EmbedRequest(images=[image]), compression=grpc.Compression.Gzip)
                self.assertEqual(compressed.code, "UNIMPLEMENTED")
            for name, garbage in GARBAGE.items():
                with self.subTest(name):
                    for _ in range(OF_EACH // 10):
                        self.send(garbage)
            self.assertEqual(self.counted("protobuf"), OF_EACH)
            wait_until(lambda: self.counted("grpc") >= OF_EACH + LOUD * (OF_EACH // 10), "lines of gRPC are counted")
            counts = {library: self.counted(library) for library in ("grpc", "protobuf")}
        told = self.assert_ours(self.server.log.read_bytes(), time.monotonic() - start)
        self.assertEqual(told["protobuf"], counts["protobuf"])
        self.assertGreaterEqual(told["grpc"], counts["grpc"])

    def test_the_first_lines_are_written_and_others_told_of_while_it_serves(self):
        start = time.monotonic()
        with RunningServer(*sys.argv[1:3], self.folder) as self.server:
            for garbage in GARBAGE.values():
                self.send(garbage)
            wait_until(lambda: self.counted("grpc") >= LOUD, "a line for each that is loud")
            log = self.server.log.read_text()
            for key in ("grpc-encoding", "grpc-timeout", "content-type", "te"):
                self.assertIn(" W grpc: hpack_parser.cc:", log)
                self.assertIn(rf"key={key} value=\x1b[31m\xff\xfe\x0a", log)
            for _ in range(MOST_LINES):
                self.send(GARBAGE["a timeout"])
            wait_until(lambda: "more lines were left out" in self.server.log.read_text(), "they are told of")
            counted = self.counted("grpc")
        self.assertEqual(self.assert_ours(self.server.log.read_bytes(), time.monotonic() - start)["grpc"], counted)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
