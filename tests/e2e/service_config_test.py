"""clients/service_config.json: one client asks a busy server for more than it takes at once, and is answered.

service_config_test.py RESNETD RESNETCTL
"""

import asyncio
import json
import pathlib
import sys
import tempfile
import unittest

import grpc
import images
import numpy as np
from client import Metrics
from resnetd.v1 import inference_pb2 as pb
from resnetd.v1 import inference_pb2_grpc
from running_server import RunningServer

CONFIG = images.ROOT / "clients/service_config.json"
CALLS, LEAST_ANSWERS = 100, 99
ATTEMPTS = 5
SIDE = 224
BUFFER_BYTES = 16 << 20  # what gRPC keeps of a call to send it again; its own 256 KB hold no image of this size


class ServiceConfig(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.model = images.make_resnet(cls.folder / "resnet34.onnx", "--arch", "resnet34")
        noise = np.random.default_rng(3).standard_normal((3, SIDE, SIDE), np.float32)
        cls.request = pb.ClassifyRequest(images=[images.f32(noise)])

    def server(self, name: str, *options: str) -> RunningServer:
        scratch = self.folder / name
        scratch.mkdir()
        return RunningServer(sys.argv[1], sys.argv[2], scratch, "--model", str(self.model), "--workers", "1", *options)

    def codes(self, address: str) -> list[str]:
        """What became of all calls, sent at once."""

        async def call(stub) -> str:
            try:
                await stub.Classify(self.request)
            except grpc.aio.AioRpcError as error:
                return f"{error.code().name}: {error.details()}"
            return "OK"

        async def call_all() -> list[str]:
            options = [("grpc.service_config", CONFIG.read_text()), ("grpc.per_rpc_retry_buffer_size", BUFFER_BYTES),
                       ("grpc.enable_http_proxy", 0)]
            async with grpc.aio.insecure_channel(address, options=options) as channel:
                stub = inference_pb2_grpc.InferenceServiceStub(channel)
                return list(await asyncio.gather(*(call(stub) for _ in range(CALLS))))

        return asyncio.run(call_all())

    def test_it_is_what_grpc_takes(self):
        config = json.loads(CONFIG.read_text())
        self.assertEqual(config["loadBalancingConfig"], [{"round_robin": {}}])
        (method,) = config["methodConfig"]
        self.assertEqual(method["name"], [{"service": pb.DESCRIPTOR.services_by_name["InferenceService"].full_name}])
        self.assertEqual(method["retryPolicy"]["maxAttempts"], ATTEMPTS)

    def test_a_hundred_calls_at_once(self):
        with self.server("default") as server:
            codes = self.codes(server.address)
        self.assertGreaterEqual(codes.count("OK"), LEAST_ANSWERS, codes)

    def test_refused_calls_come_again_when_the_server_says(self):
        """A connection may have all of them under way, and the queue holds a part. How many get in by their fifth attempt
        depends on the machine; that none gives up before it does not."""
        with self.server("short", "--max-calls-per-connection", str(CALLS), "--max-queue-ms", "1000") as server:
            codes = self.codes(server.address)
            refused = Metrics(server.metrics_url).value("resnetd_rejections_total", reason="queue_time")
        self.assertGreater(refused, 0)
        self.assertGreaterEqual(refused, ATTEMPTS * (CALLS - codes.count("OK")), codes)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
