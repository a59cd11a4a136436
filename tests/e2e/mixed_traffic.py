"""All that clients and passers-by do to a server, well meant or not, in an order that a seed says."""

import random
import socket
import struct
import threading
import time

import grpc
import images
import reflection_pb2
import reflection_pb2_grpc
from bad_input_test import BAD_IMAGES, BAD_REQUESTS, MALFORMED, MANY_FIELDS
from client import PATIENCE_SECONDS, REQUESTS, SERVICE, Client, Error, OpenStream, http_get, pb
from health.v1 import health_pb2, health_pb2_grpc
from keepalive_test import PREFACE

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_HEADERS = 4
NAME = "fashion-resnet20"


def literal(name: bytes, value: bytes) -> bytes:
    """A header field of HPACK that enters no table."""
    assert len(name) < 127 and len(value) < 127
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def call_headers(stream: int, path: bytes) -> bytes:
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"x"),
              (b"te", b"trailers"), (b"content-type", b"application/grpc")]
    return frame(HEADERS, b"".join(literal(*field) for field in fields), flags=END_HEADERS, stream=stream)


BEGIN = PREFACE + frame(SETTINGS)


class MixedTraffic:
    """Visits one server, from one thread. Rounds of one seed are the same, but no two names that it makes up are.

    `who` tells it from others that visit the server at the same time, as they may: then any call may be refused for the
    crowd. What comes back is looked at no more than it takes to know that the server serves; other tests do that.
    """

    def __init__(self, server, max_message_bytes: int, who: str = "nobody"):
        self.server, self.max_message_bytes, self.who = server, max_message_bytes, who
        self.pictures = self.make_pictures()
        self.serial, self.served = 0, 0
        self.random = random.Random(1)

    MOVES = [
        "good_calls", "streams", "calls_at_once", "bad_images", "bad_requests", "malformed_messages", "wrong_models",
        "wrong_methods", "messages_too_large", "compressed_messages", "strange_metadata", "cancelled_calls",
        "tiny_deadlines", "broken_streams", "new_connections", "calls_whose_connection_goes", "garbage", "broken_http2",
        "cut_messages", "reset_streams", "probes_and_metrics", "health_checks", "watches", "reflection_calls",
    ]  # fmt: skip

    def round(self, seed: int):
        """Each of the moves, and in the end no connection of ours is left."""
        self.random.seed(seed)
        with Client(self.server.address) as self.client:
            for move in self.random.sample(self.MOVES, len(self.MOVES)):
                getattr(self, move)()

    # Helpers of the moves.

    @staticmethod
    def make_pictures() -> list[pb.Image]:
        forms = [
            lambda p: images.encoded(images.png(p)),
            lambda p: images.encoded(images.jpeg(p)),
            images.u8,
            lambda p: images.f32(images.normalised(p)),
            lambda p: images.u8(p.repeat(3, 0).repeat(3, 1)),
        ]
        return [forms[i % len(forms)](p) for i, p in enumerate(images.fashion()[:64])]

    def name(self) -> str:
        """One that has not been, of one length."""
        self.serial += 1
        return f"{self.who}-{self.serial:012}"

    def request(self, kind: str = "", most: int = 8, **fields):
        chosen = self.random.choices(self.pictures, k=self.random.randint(1, most))
        return REQUESTS[kind or self.random.choice(list(REQUESTS))](images=chosen, **fields)

    def future(self, request, **how):
        (kind,) = [kind for kind, Request in REQUESTS.items() if isinstance(request, Request)]
        return getattr(self.client.stub, kind).future(request, **{"timeout": PATIENCE_SECONDS, **how})

    def connect(self, port: int = 0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.server.port), timeout=PATIENCE_SECONDS)

    def leave(self, connection: socket.socket):
        """By a reset, every other time."""
        if self.random.random() < 0.5:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    @staticmethod
    def answered(call) -> bool:
        try:
            call.result()
        except (grpc.RpcError, grpc.FutureCancelledError):
            return False
        return True

    def good(self, kind: str, answer):
        if isinstance(answer, Error):
            assert answer.code == "RESOURCE_EXHAUSTED", f"{kind}: {answer}"
        else:
            self.served += 1

    def begun(self, client: Client) -> OpenStream | None:
        """A stream that has its first answer; None if it was refused."""
        stream = OpenStream(client, self.request("Classify", most=2))
        try:
            stream.call()
        except grpc.RpcError as refusal:
            assert refusal.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, refusal
            stream.end()
            return None
        return stream

    @staticmethod
    def to_the_end(answers) -> int:
        count = 0
        try:
            for _ in answers:
                count += 1
        except grpc.RpcError:
            pass
        return count

    @staticmethod
    def first(answers):
        """Its first answer is waited for; it may have none."""
        try:
            next(answers, None)
        except grpc.RpcError:
            pass

    def say(self, port: int, *parts: bytes):
        """Says it on a connection of its own, listens for a moment, and leaves."""
        connection = self.connect(port)
        try:
            for part in parts:
                connection.sendall(part)
            connection.settimeout(0.005)
            while connection.recv(65536):
                pass
        except OSError:
            pass
        self.leave(connection)

    # The moves.

    def good_calls(self):
        for kind in REQUESTS:
            self.good(kind, self.client.call(kind, self.request(kind)))
        self.client.call("ListModels", pb.ListModelsRequest())
        self.client.call("GetModel", pb.GetModelRequest())

    def streams(self):
        for kind in ("Classify", "Embed"):
            requests = [self.request(kind, most=3) for _ in range(self.random.randint(0, 6))]
            requests.append(self.request(kind, model=self.name()))
            method = getattr(self.client.stub, f"{kind}Stream")
            count = self.to_the_end(method(iter(requests), timeout=PATIENCE_SECONDS))
            assert count in (0, len(requests)), f"{count} answers to {len(requests)} requests"

    def calls_at_once(self):
        """More than the server admits."""
        calls = [self.future(self.request(most=4)) for _ in range(24)]
        self.served += [self.answered(call) for call in calls].count(True)

    def bad_images(self):
        for _, image, *_ in self.random.choices(BAD_IMAGES, k=4):
            self.answered(self.future(pb.ClassifyRequest(images=[image])))
            self.answered(self.future(pb.EmbedRequest(images=[image, *self.random.choices(self.pictures, k=2)])))

    def bad_requests(self):
        for _, fields, *_ in self.random.choices(BAD_REQUESTS, k=3):
            self.answered(self.future(pb.ClassifyRequest(**({"images": self.pictures[:1]} | fields))))

    def malformed_messages(self):
        for _, message in self.random.choices(MALFORMED, k=3):
            assert isinstance(self.client.raw(SERVICE + "Classify", message), Error)
        if self.random.random() < 0.3:
            assert isinstance(self.client.raw(SERVICE + "Embed", MANY_FIELDS), Error)

    def wrong_models(self):
        for fields in ({"model": self.name()}, {"model_version": self.name()}, {"model": self.name() * 50}):
            assert not self.answered(self.future(self.request(most=2, **fields)))

    def wrong_methods(self):
        for path in (f"{SERVICE}{self.name()}", f"/{self.name()}/Classify", f"/{self.name()}/{self.name()}" * 20):
            assert isinstance(self.client.raw(path, b""), Error)

    def messages_too_large(self):
        image = images.encoded(bytes(self.max_message_bytes + 1))
        assert not self.answered(self.future(pb.ClassifyRequest(images=[image])))

    def compressed_messages(self):
        self.answered(self.future(self.request(), compression=grpc.Compression.Gzip))

    def strange_metadata(self):
        for metadata in (
            [(self.name(), self.name())],
            [("x-long", "x" * 7000)],
            [("x-too-long", "x" * 20000)],
            [("x-bytes-bin", self.random.randbytes(300))],
            [(f"x-{i}", self.name()) for i in range(60)],
        ):
            self.answered(self.future(self.request(most=1), metadata=metadata))

    def cancelled_calls(self):
        for pause in (0, 0, 0.0005, 0.002):
            call = self.future(self.request())
            time.sleep(pause)  # the call gets this far
            call.cancel()

    def tiny_deadlines(self):
        for seconds in (0.0001, 0.0005, 0.001, 0.002):
            self.answered(self.future(self.request(), timeout=seconds))

    def broken_streams(self):
        # Told that it is over before anything was asked.
        assert self.to_the_end(self.client.stub.ClassifyStream(iter(()), timeout=PATIENCE_SECONDS)) == 0
        # Given up in the middle.
        if (stream := self.begun(self.client)) is not None:
            stream.answers.cancel()
            stream.end()
        # Many requests, of which one answer is read.
        requests = [self.request("Embed") for _ in range(40)]
        answers = self.client.stub.EmbedStream(iter(requests), timeout=PATIENCE_SECONDS)
        self.first(answers)
        answers.cancel()
        # Nothing is asked until the deadline.
        hold = threading.Event()
        silent = self.client.stub.ClassifyStream((hold.wait() for _ in range(1)), timeout=0.01)
        self.to_the_end(silent)
        hold.set()

    def new_connections(self):
        for _ in range(3):
            with Client(self.server.address) as client:
                self.good("Classify", client.call("Classify", self.request("Classify", most=2)))
        for _ in range(3):
            self.leave(self.connect())

    def calls_whose_connection_goes(self):
        client = Client(self.server.address)
        stream = self.begun(client)
        watch = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest())
        self.first(watch)
        calls = [client.stub.Classify.future(self.request("Classify")) for _ in range(3)]
        client.channel.close()
        for call in calls:
            self.answered(call)
        if stream is not None:
            stream.end()

    def garbage(self):
        self.say(self.server.port, self.random.randbytes(200))
        self.say(self.server.port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.say(self.server.port, PREFACE[: self.random.randint(1, len(PREFACE))])
        self.say(self.server.port, PREFACE + self.random.randbytes(300))
        self.say(self.server.port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + self.random.randbytes(300))
        self.say(self.server.metrics_port, self.random.randbytes(200))
        self.say(self.server.metrics_port, b"GET /metrics HTTP/1.1\r\n")
        self.say(self.server.metrics_port, b"POST /metrics HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + bytes(50))

    def broken_http2(self):
        for frames in (
            frame(PING, bytes(8)) * 10,
            frame(SETTINGS) * 50,
            frame(WINDOW_UPDATE, bytes(4)),
            frame(HEADERS, self.random.randbytes(100), flags=END_HEADERS, stream=1),
            frame(HEADERS, literal(b":method", b"POST"), stream=1),  # and no continuation
            call_headers(2, SERVICE.encode() + b"Classify"),  # a number of the server's
            (1 << 20).to_bytes(3, "big") + bytes([DATA, 0, 0, 0, 0, 1]),  # longer than any frame may be
        ):
            self.say(self.server.port, BEGIN, frames)

    def cut_messages(self):
        """A call whose message ends with its connection."""
        path = SERVICE.encode() + self.random.choice([b"Classify", b"Embed", b"ClassifyStream"])
        message = self.request("Classify").SerializeToString()
        whole = b"\0" + len(message).to_bytes(4, "big") + message
        for length in (0, 3, 5, len(whole) // 2):
            self.say(self.server.port, BEGIN, call_headers(1, path) + frame(DATA, whole[:length], stream=1))

    def reset_streams(self):
        """Calls that are opened and reset, one after the other, on one connection."""
        path = SERVICE.encode() + b"Classify"
        calls = [call_headers(i, path) + frame(RST_STREAM, b"\0\0\0\x08", stream=i) for i in range(1, 100, 2)]
        self.say(self.server.port, BEGIN, b"".join(calls))

    def probes_and_metrics(self):
        for path in ("/metrics", "/livez", "/readyz", "/", f"/{self.name()}"):
            http_get(self.server.http_url + path)

    def health_checks(self):
        stub = health_pb2_grpc.HealthStub(self.client.channel)
        for name in ("", NAME, "liveness", self.name()):
            request = health_pb2.HealthCheckRequest(service=name)
            self.answered(stub.Check.future(request, timeout=PATIENCE_SECONDS))

    def watches(self):
        stub = health_pb2_grpc.HealthStub(self.client.channel)
        for name in ("", NAME, self.name()):
            request = health_pb2.HealthCheckRequest(service=name)
            watch = stub.Watch(request, timeout=PATIENCE_SECONDS)
            self.first(watch)
            watch.cancel()

    def reflection_calls(self):
        requests = [
            {"list_services": "*"},
            {"file_containing_symbol": "resnetd.v1.InferenceService"},
            {"file_containing_symbol": self.name()},
            {"file_containing_symbol": f"resnetd.v1.{self.name()}" * 20},
            {"file_by_filename": self.name()},
            {"all_extension_numbers_of_type": self.name()},
            {"all_extension_numbers_of_type": "resnetd.v1.Image"},
            {"file_containing_extension": {"containing_type": self.name(), "extension_number": 1}},
        ]
        asked = [reflection_pb2.ServerReflectionRequest(**request) for request in requests]
        info = reflection_pb2_grpc.ServerReflectionStub(self.client.channel).ServerReflectionInfo
        assert self.to_the_end(info(iter(asked), timeout=PATIENCE_SECONDS)) in (0, len(asked))
        broken = info(iter(asked[:2]), timeout=PATIENCE_SECONDS)
        self.first(broken)
        broken.cancel()
