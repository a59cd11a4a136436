"""What is there beside the calls: health, reflection, the plain HTTP pages.

probes_test.py RESNETD RESNETCTL
"""

import sys
import unittest

import grpc
import reflection_pb2
import reflection_pb2_grpc
from client import http_get
from google.protobuf import descriptor, descriptor_pb2, descriptor_pool
from health.v1 import health_pb2, health_pb2_grpc
from server_case import ServerTest

SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
NAME = "fashion-resnet20"


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
    def setUp(self):
        self.stub = reflection_pb2_grpc.ServerReflectionStub(self.client.channel)

    def ask(self, **request) -> reflection_pb2.ServerReflectionResponse:
        asked = iter([reflection_pb2.ServerReflectionRequest(**request)])
        (answer,) = self.stub.ServerReflectionInfo(asked, timeout=60)
        return answer

    def services(self) -> list[str]:
        return sorted(service.name for service in self.ask(list_services="*").list_services_response.service)

    def files(self, **request) -> list[descriptor_pb2.FileDescriptorProto]:
        answer = self.ask(**request)
        self.assertEqual(answer.WhichOneof("message_response"), "file_descriptor_response", f"{request}: {answer}")
        serialised = answer.file_descriptor_response.file_descriptor_proto
        return [descriptor_pb2.FileDescriptorProto.FromString(file) for file in serialised]

    def described(self, service: str) -> descriptor.ServiceDescriptor:
        """The service as a client puts it together: the file that defines it, and what that imports, by name."""
        known = {file.name: file for file in self.files(file_containing_symbol=service)}
        pool = descriptor_pool.DescriptorPool()
        added = set()

        def add(name: str):
            if name in added:
                return
            added.add(name)
            if name not in known:
                known.update({file.name: file for file in self.files(file_by_filename=name)})
            for imported in known[name].dependency:
                add(imported)
            pool.Add(known[name])

        for name in list(known):
            add(name)
        return pool.FindServiceByName(service)

    def test_services_are_listed(self):
        self.assertEqual(
            self.services(),
            ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", "resnetd.v1.InferenceService"],
        )

    def test_each_service_is_described(self):
        for service in self.services():
            with self.subTest(service):
                for method in self.described(service).methods:
                    # A type that no file defines would have been an error before here.
                    self.assertTrue(method.input_type.full_name.endswith("Request"), method.full_name)
                    self.assertTrue(method.output_type.full_name.endswith("Response"), method.full_name)

    def test_details_of_errors_are_described(self):
        """They ride in an Any, so no service's file imports them."""
        for name in ("google.rpc.BadRequest", "google.rpc.ErrorInfo", "google.rpc.Status"):
            with self.subTest(name):
                (file,) = [f for f in self.files(file_containing_symbol=name) if f.package == "google.rpc"]
                self.assertIn(name.split(".")[-1], [message.name for message in file.message_type])

    def test_an_unknown_service_is_not_described(self):
        answer = self.ask(file_containing_symbol="nobody.v1.Nothing")
        self.assertEqual(answer.error_response.error_code, grpc.StatusCode.NOT_FOUND.value[0])

    def test_our_methods(self):
        files = self.files(file_containing_symbol="resnetd.v1.InferenceService")
        (file,) = [f for f in files if f.name == "resnetd/v1/inference.proto"]
        (service,) = file.service
        self.assertEqual(
            [m.name for m in service.method],
            ["Classify", "Embed", "Predict", "ClassifyStream", "EmbedStream", "ListModels", "GetModel"],
        )
        self.assertEqual([m.name for m in service.method if m.server_streaming], ["ClassifyStream", "EmbedStream"])

    def test_methods_of_health(self):
        """gRPC's service has just these; our copy of its protocol must not promise more, or less."""
        service = self.described("grpc.health.v1.Health")
        self.assertEqual([(m.name, m.input_type.full_name, m.output_type.full_name) for m in service.methods],
                         [(name, "grpc.health.v1.HealthCheckRequest", "grpc.health.v1.HealthCheckResponse")
                          for name in ("Check", "Watch")])


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
