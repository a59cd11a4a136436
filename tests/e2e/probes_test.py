"""What is there beside the calls: health, reflection, the plain HTTP pages.

probes_test.py RESNETD RESNETCTL
"""

import sys
import unittest

import grpc
from client import http_get
from google.protobuf import descriptor_pb2
from health.v1 import health_pb2, health_pb2_grpc
from server_case import ServerTest

SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
NAME = "fashion-resnet20"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
# Field numbers of its request and its response.
FILE_CONTAINING_SYMBOL, LIST_SERVICES, FILE_DESCRIPTOR_RESPONSE = 4, 7, 4


# The protocol of reflection is not among our stubs; all that is needed of it are fields of bytes.
def write_field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def read_field(message: bytes, number: int) -> bytes:
    """The first field of this number; all fields before it are bytes too."""
    at = 0
    while True:
        tag, at = message[at], at + 1
        assert tag & 7 == 2, message
        length = shift = 0
        while True:
            byte, at = message[at], at + 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if tag >> 3 == number:
            return message[at : at + length]
        at += length


class Health(ServerTest):
    def setUp(self):
        self.stub = health_pb2_grpc.HealthStub(self.client.channel)

    def test_check(self):
        for name in ("", NAME, "liveness"):
            answer = self.stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
            self.assertEqual(answer.status, SERVING, name)
        for name in ("nobody", "resnetd", "Liveness"):
            with self.assertRaises(grpc.RpcError) as raised:
                self.stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND, name)

    def test_watch(self):
        for name, status in (("", SERVING), (NAME, SERVING), ("liveness", SERVING), ("nobody", SERVICE_UNKNOWN)):
            watch = self.stub.Watch(health_pb2.HealthCheckRequest(service=name), timeout=60)
            self.assertEqual(next(watch).status, status, name)
            watch.cancel()

    def test_by_resnetctl(self):
        for arguments, status in (
            ([], 0),
            (["--service", NAME], 0),
            (["--service", "liveness"], 0),
            (["--service", "no"], 1),
        ):
            run = self.server.ctl("health", *arguments)
            self.assertEqual(run.returncode, status, run.stderr)


class Reflection(ServerTest):
    def ask(self, request: bytes) -> bytes:
        (answer,) = self.client.channel.stream_stream(REFLECTION)(iter([request]), timeout=60)
        return answer

    def test_services_are_listed(self):
        answer = self.ask(write_field(LIST_SERVICES, b"*"))
        for name in (b"resnetd.v1.InferenceService", b"grpc.health.v1.Health"):
            self.assertIn(name, answer)

    def test_the_service_is_described(self):
        answer = self.ask(write_field(FILE_CONTAINING_SYMBOL, b"resnetd.v1.InferenceService"))
        # It holds serialised files as a FileDescriptorSet does.
        files = descriptor_pb2.FileDescriptorSet.FromString(read_field(answer, FILE_DESCRIPTOR_RESPONSE)).file
        (file,) = [f for f in files if f.name == "resnetd/v1/inference.proto"]
        (service,) = file.service
        self.assertEqual(
            [m.name for m in service.method],
            ["Classify", "Embed", "Predict", "ClassifyStream", "EmbedStream", "ListModels", "GetModel"],
        )
        self.assertEqual([m.name for m in service.method if m.server_streaming], ["ClassifyStream", "EmbedStream"])


class Pages(ServerTest):
    def test_pages(self):
        for path, status, says in (
            ("/livez", 200, "ok\n"),
            ("/readyz", 200, "ok\n"),
            ("/metrics", 200, "# HELP resnetd_"),
            ("/", 200, "/readyz"),
            ("/nothing", 404, ""),
        ):
            with self.subTest(path):
                got, text = http_get(self.server.http_url + path)
                self.assertEqual(got, status)
                self.assertIn(says, text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
