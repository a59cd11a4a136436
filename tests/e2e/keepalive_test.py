"""Clients that ping an idle connection keep it; clients that ping without end are cut.

    keepalive_test.py RESNETD RESNETCTL [slow]
"""

import socket
import sys
import threading
import time
import unittest

import grpc
import images
from client import Client, OpenStream, pb
from server_case import ServerTest

SLOW = "slow" in sys.argv[3:]
# A little more than the least interval the server allows; three pings too many would cut a connection.
PING_MS, PINGS = 5500, 7
REQUEST = pb.ClassifyRequest(images=[images.u8(images.fashion()[0])])
PINGING = [
    ("grpc.keepalive_time_ms", PING_MS),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", PING_MS),
]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY, ENHANCE_YOUR_CALM = 4, 6, 7, 11


def frame(kind: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, 0, 0, 0, 0, 0]) + payload


def read_frame(file) -> tuple[int, int, bytes]:
    """Kind, flags and payload; kind -1 at the end."""
    header = file.read(9)
    if len(header) < 9:
        return -1, 0, b""
    return header[3], header[4], file.read(int.from_bytes(header[:3], "big"))


class Relay(threading.Thread):
    """Between a client and the server; counts the pings that the client sends."""

    def __init__(self, port: int):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.port = port
        self.connections, self.pings = 0, 0

    def run(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.port))
            for source, target, count in ((client, server, self.count_pings), (server, client, lambda _: None)):
                threading.Thread(target=self.copy, args=(source, target, count), daemon=True).start()

    def count_pings(self, payload: tuple[int, int, bytes]):
        kind, flags, _ = payload
        self.pings += kind == PING and flags == 0

    def copy(self, source: socket.socket, target: socket.socket, count):
        file = source.makefile("rb")
        try:
            if count == self.count_pings:
                target.sendall(file.read(len(PREFACE)))
            while True:
                header = file.read(9)
                if len(header) < 9:
                    break
                payload = file.read(int.from_bytes(header[:3], "big"))
                count((header[3], header[4], payload))
                target.sendall(header + payload)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Keepalive(ServerTest):
    def test_pings_without_end_are_cut(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            file = connection.makefile("rb")
            connection.sendall(PREFACE + frame(SETTINGS) + frame(PING, bytes(8)) * 10)
            while (got := read_frame(file))[0] not in (GOAWAY, -1):
                pass
        kind, _, payload = got
        self.assertEqual((kind, int.from_bytes(payload[4:8], "big")), (GOAWAY, ENHANCE_YOUR_CALM))

    @unittest.skipUnless(SLOW, "waits for pings")
    def test_clients_that_ping_stay_connected(self):
        """One that is idle, and one with a stream on which nothing happens."""
        relays = {name: Relay(self.server.port) for name in ("idle", "idle stream")}
        clients, states, streams = {}, {}, {}
        for name, relay in relays.items():
            self.addCleanup(relay.listener.close)
            relay.start()
            client = clients[name] = self.enterContext(Client(relay.address, *PINGING))
            states[name] = []
            client.channel.subscribe(states[name].append)
            if name == "idle stream":
                streams[name] = OpenStream(client, REQUEST)
                self.assertTrue(streams[name].call().HasField("response"))
            else:
                self.assertEqual(len(client.call("Classify", REQUEST).results), 1)
        give_up = time.monotonic() + 4 * PINGS * PING_MS / 1000
        while min(relay.pings for relay in relays.values()) < PINGS:
            self.assertLess(time.monotonic(), give_up, {name: relay.pings for name, relay in relays.items()})
            for name, relay in relays.items():
                self.assertEqual(relay.connections, 1, f"{name}: after {relay.pings} pings")
            time.sleep(0.1)  # pings come as they come
        for name, relay in relays.items():
            with self.subTest(name):
                self.assertEqual(states[name][-1], grpc.ChannelConnectivity.READY)
                self.assertNotIn(grpc.ChannelConnectivity.TRANSIENT_FAILURE, states[name])
                if name in streams:
                    self.assertTrue(streams[name].call().HasField("response"))
                    streams[name].end()
                self.assertEqual(len(clients[name].call("Classify", REQUEST).results), 1)
                self.assertEqual(relay.connections, 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
