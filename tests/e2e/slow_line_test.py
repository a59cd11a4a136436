"""A large message on a slow line arrives, however short the time for standing still; on a line that stops it does not.

slow_line_test.py RESNETD RESNETCTL
"""

import contextlib
import socket
import sys
import threading
import time
import unittest

import images
from client import Client, Error, Metrics, pb
from server_case import ServerTest

TIMEOUT_MS = 1000
BYTES_A_SECOND = 3_000_000
PIECE = 32_768
# The message is on the line for four times the time.
MESSAGE_BYTES = 4 * BYTES_A_SECOND * TIMEOUT_MS // 1000


class Line:
    """Carries one connection to the server, so many bytes a second, and nothing more after `stops_after` of them."""

    def __init__(self, port: int, stops_after: int = sys.maxsize):
        self.server_port = port
        self.left = stops_after
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=self.carry, args=(listener,), daemon=True).start()

    def carry(self, listener: socket.socket):
        with listener:
            client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", self.server_port))
        threading.Thread(target=self.back, args=(server, client), daemon=True).start()
        with contextlib.suppress(OSError):
            while self.left > 0 and (piece := client.recv(min(PIECE, self.left))):
                server.sendall(piece)
                self.left -= len(piece)
                time.sleep(len(piece) / BYTES_A_SECOND)  # the line's speed
            # gRPC's clients hear of their call's end when they are rid of what they were sending.
            while client.recv(PIECE):
                pass

    @staticmethod
    def back(server: socket.socket, client: socket.socket):
        with contextlib.suppress(OSError):
            while piece := server.recv(PIECE):
                client.sendall(piece)


class SlowLine(ServerTest):
    OPTIONS = ["--message-timeout-ms", str(TIMEOUT_MS)]
    REQUEST = pb.ClassifyRequest(images=[images.encoded(bytes(MESSAGE_BYTES))])

    def rejected(self) -> float:
        return Metrics(self.server.metrics_url).value("resnetd_rejections_total", reason="message_time")

    def call_by(self, line: Line) -> tuple[Error, float]:
        with Client(line.address) as client:
            begin = time.monotonic()
            return client.call("Classify", self.REQUEST), time.monotonic() - begin

    def test_what_moves_is_not_cut(self):
        before = self.rejected()
        error, took = self.call_by(Line(self.server.port))
        self.assertEqual((error.code, error.reason), ("INVALID_ARGUMENT", "BAD_IMAGE"), error)  # all of it arrived
        self.assertGreater(took, 3 * TIMEOUT_MS / 1000)
        self.assertEqual(self.rejected(), before)

    def test_what_stops_is_cut(self):
        before = self.rejected()
        error, _ = self.call_by(Line(self.server.port, stops_after=MESSAGE_BYTES // 2))
        self.assertEqual((error.code, error.reason), ("DEADLINE_EXCEEDED", "MESSAGE_TIME"), error)
        self.assertIn(f"within {TIMEOUT_MS} ms", error.message)
        self.assertEqual(error.metadata, {"limit_ms": str(TIMEOUT_MS)})
        self.assertEqual(self.rejected(), before + 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
