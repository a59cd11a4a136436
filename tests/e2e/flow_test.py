"""More work than the server can do, or than a client will wait for: deadlines, a full queue, cancellation, the caps.

flow_test.py RESNETD RESNETCTL
"""

import sys
import threading
import unittest

import grpc
import images
import numpy as np
from client import SERVICE, Error, Metrics, OpenStream, call_error, pb, status_error, wait_until
from server_case import ServerTest

SIDE = 64
# Milliseconds an image: slow enough for a queue to form, and for a client to look at it.
SLOW_MODEL = ["--arch", "resnet18", "--size", str(SIDE)]
PIXELS = np.random.RandomState(1).randint(0, 256, (SIDE, SIDE, 3), np.uint8)


def request(count: int = 1) -> pb.ClassifyRequest:
    return pb.ClassifyRequest(images=[images.u8(PIXELS)] * count)


class HeldCall:
    """A Classify whose headers are sent, and its request when it is told to."""

    def __init__(self, client, message: pb.ClassifyRequest):
        self.go_on = threading.Event()
        self.message = message
        call = client.channel.stream_unary(SERVICE + "Classify",
                                           response_deserializer=pb.ClassifyResponse.FromString)
        self.answer = call.future(self.requests())

    def requests(self):
        self.go_on.wait()
        yield self.message.SerializeToString()

    def end(self) -> pb.ClassifyResponse:
        self.go_on.set()
        return self.answer.result()


class SlowServer(ServerTest):
    """One worker, which computes image by image."""

    MORE: list[str] = []

    @classmethod
    def prepare(cls):
        path = images.make_resnet(cls.folder / "slow.onnx", *SLOW_MODEL)
        cls.OPTIONS = ["--model", str(path), "--workers", "1", "--batch-sizes", "1", *cls.MORE]

    def metrics(self) -> Metrics:
        return Metrics(self.server.metrics_url)

    def setUp(self):
        # Counters are the process's; each test looks at what it adds.
        self.wait_idle()
        self.before = self.metrics()

    def added(self, name: str, **labels: str) -> float:
        return self.metrics().value(name, **labels) - self.before.value(name, **labels)

    def wait_idle(self):
        def idle() -> bool:
            m = self.metrics()
            return not (
                m.value("resnetd_queue_depth") or m.value("resnetd_workers_busy") or m.value("resnetd_calls_in_flight")
            )

        wait_until(idle, "idle")

    def computed(self) -> float:
        return self.added("resnetd_batch_size_sum")

    def assert_back_later(self, error: Error):
        """After the predicted wait, and before twice of it: not all at once."""
        wait = int(error.metadata["predicted_wait_ms"])
        self.assertGreaterEqual(wait, 1)
        self.assertIn(int(error.pushback), range(wait, 2 * wait))


class Flow(SlowServer):
    MORE = ["--max-queue-ms", "600000"]

    def test_a_deadline_that_cannot_be_met_is_refused_at_once(self):
        """By the queue's predicted wait, with a time to come back."""
        crowd = [self.client.stub.Classify.future(request(64), timeout=600) for _ in range(4)]
        wait_until(lambda: self.metrics().value("resnetd_queue_depth") > 200, "queue")
        error = self.client.call("Classify", request(), timeout=0.2)
        self.assertEqual((error.code, error.reason), ("RESOURCE_EXHAUSTED", "DEADLINE"), error)
        self.assertIn("the deadline would pass before the answer", error.message)
        self.assert_back_later(error)
        self.assertIn(int(error.metadata["limit_ms"]), range(0, 210))  # of 200; gRPC rounds what is left up
        for call in crowd:
            call.cancel()
        self.wait_idle()
        self.assertEqual(self.added("resnetd_rejections_total", reason="deadline"), 1)
        self.assertEqual(len(self.client.call("Classify", request(), timeout=60).results), 1)

    def test_a_deadline_that_passes_in_the_queue_costs_nothing(self):
        """What waits behind a picture that takes long to decode is late: refused where its header told, else let in and
        ended in the queue (scheduler_test holds that case alone). Either way nothing is computed for it."""
        hard = pb.ClassifyRequest(images=[images.encoded(hard_picture())])
        (alone,) = self.ok("Classify", hard).results
        patience = alone.execution.decode_seconds / 2
        self.assertEqual(self.computed(), 1)
        first = self.client.stub.Classify.future(hard, timeout=600)
        wait_until(lambda: self.metrics().value("resnetd_workers_busy") == 1, "busy")
        late = self.client.call("Classify", request(3), timeout=patience)
        self.assertIn(late.code, ("DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"), late)
        self.assertEqual(len(first.result().results), 1)
        self.wait_idle()
        self.assertEqual(self.added("resnetd_requests_total", method="Classify", code=late.code), 1)
        self.assertEqual(self.computed(), 2)

    def test_a_cancelled_call_leaves_the_queue(self):
        count, size = 8, 64
        calls = [self.client.stub.Classify.future(request(size), timeout=600) for _ in range(count)]
        wait_until(lambda: self.metrics().value("resnetd_queue_depth") > (count - 1) * size, "queue")
        for call in calls:
            call.cancel()
        wait_until(lambda: self.metrics().value("resnetd_queue_depth") == 0, "the queue is empty")
        self.wait_idle()
        self.assertLess(self.computed(), count * size)
        self.assertEqual(self.added("resnetd_requests_total", method="Classify", code="CANCELLED"), count)
        ok, failed = (self.added("resnetd_images_total", result=result) for result in ("ok", "error"))
        self.assertEqual((ok, ok + failed), (self.computed(), count * size))

    def test_a_cancelled_stream_leaves_the_queue(self):
        stream = self.client.stub.ClassifyStream(iter([request(64)] * 8), timeout=600)
        wait_until(lambda: self.metrics().value("resnetd_queue_depth") > 400, "queue")
        stream.cancel()
        self.wait_idle()
        self.assertLess(self.computed(), 8 * 64)
        self.assertEqual(self.added("resnetd_requests_total", method="ClassifyStream", code="CANCELLED"), 1)

    def test_with_a_patient_queue_nobody_is_refused(self):
        calls = [self.client.stub.Classify.future(request(8), timeout=600) for _ in range(30)]
        for call in calls:
            self.assertEqual(len(call.result().results), 8)
        self.assertEqual(self.computed(), 30 * 8)


class FullQueue(SlowServer):
    # The queue's time is longer than one image takes and far shorter than all calls do. All of them are let in at once
    # by their connection, which by default holds back more than a worker's worth of them.
    CALLS = 200
    MORE = ["--max-queue-ms", "250", "--max-calls-per-connection", str(CALLS)]

    def test_refused_with_a_time_to_come_back(self):
        calls = [self.client.stub.Classify.future(request(8), timeout=600) for _ in range(self.CALLS)]
        served, refused = 0, 0
        for call in calls:
            try:
                served += len(call.result().results)
            except grpc.RpcError as raised:
                error = call_error(raised)
                self.assertEqual((error.code, error.reason), ("RESOURCE_EXHAUSTED", "QUEUE_TIME"), error)
                self.assertIn("--max-queue-ms", error.message)
                self.assert_back_later(error)
                self.assertEqual(error.metadata["limit_ms"], "250")
                self.assertGreater(int(error.metadata["predicted_wait_ms"]), 250)
                refused += 1
        self.assertGreater(served, 0)
        self.assertGreater(refused, 0)
        self.assertEqual(self.added("resnetd_rejections_total", reason="queue_time"), refused)
        self.assertEqual(self.added("resnetd_requests_total", method="Classify", code="RESOURCE_EXHAUSTED"), refused)
        self.assertEqual((self.computed(), self.added("resnetd_images_total", result="ok")), (served, served))

    def test_a_stream_is_slowed_down_and_not_refused(self):
        answers = list(self.client.stub.ClassifyStream(iter([request(8)] * 20), timeout=600))
        self.assertEqual([len(a.response.results) for a in answers], [8] * 20)
        self.assertEqual(self.added("resnetd_rejections_total", reason="queue_time"), 0)


class Caps(SlowServer):
    CALLS, BYTES = 3, 8 * SIDE * SIDE * 3 * 2
    MORE = ["--max-calls-in-flight", str(CALLS), "--max-queue-bytes", str(BYTES), "--max-queue-ms", "600000",
            "--message-timeout-ms", "600000", "--trusted-proxies", "127.0.0.0/8"]

    def test_calls_in_flight(self):
        streams = [OpenStream(self.client, request()) for _ in range(2 * self.CALLS)]
        for stream in streams:
            self.assertTrue(stream.call().HasField("response"))
        # Between their requests they hold no slot; calls whose requests have not come do.
        calls = [HeldCall(self.client, request()) for _ in range(self.CALLS - 1)]
        both = len(streams) + self.CALLS
        wait_until(lambda: self.metrics().value("resnetd_calls_in_flight") == both - 1, "calls")
        self.ok("ListModels", pb.ListModelsRequest())
        self.assertTrue(streams[0].call().HasField("response"))
        calls.append(HeldCall(self.client, request()))
        wait_until(lambda: self.metrics().value("resnetd_calls_in_flight") == both, "calls")
        for error in (self.client.call("ListModels", pb.ListModelsRequest()), status_error(streams[0].call().error)):
            self.assertEqual((error.code, error.reason), ("RESOURCE_EXHAUSTED", "CALLS_IN_FLIGHT"))
            self.assertIn(f"{self.CALLS} (--max-calls-in-flight)", error.message)
            self.assertEqual(error.metadata["limit_calls"], str(self.CALLS))
        self.assert_back_later(self.client.call("ListModels", pb.ListModelsRequest()))
        self.assertEqual(self.server.ctl("health").returncode, 0)
        # One that is cancelled makes room.
        calls.pop().answer.cancel()
        wait_until(lambda: self.metrics().value("resnetd_calls_in_flight") == both - 1, "room")
        self.ok("ListModels", pb.ListModelsRequest())
        for call in calls:
            self.assertEqual(len(call.end().results), 1)
        for stream in streams:
            stream.end()
        self.assertEqual(self.added("resnetd_rejections_total", reason="calls_in_flight"), 3)

    def test_bytes_that_wait(self):
        """A group is let in whole or not at all: 16 images, not 17."""
        fitting = request(16)
        self.assertEqual(len(self.ok("Classify", fitting).results), 16)
        fitting.images.append(fitting.images[0])
        error = self.client.call("Classify", fitting)
        self.assertEqual((error.code, error.reason), ("RESOURCE_EXHAUSTED", "REQUEST_SIZE"))
        self.assertIn("--max-queue-bytes", error.message)
        self.assertEqual((error.pushback, error.metadata), ("", {"limit_bytes": str(self.BYTES)}))
        self.assertEqual(self.added("resnetd_rejections_total", reason="request_size"), 1)


def hard_picture() -> bytes:
    """A progressive JPEG of noise in full colour: ten passes over its coefficients."""
    noise = np.random.RandomState(1).randint(0, 256, (2000, 2000, 3), np.uint8)
    return images.jpeg(noise, quality=50, progressive=True, subsampling=0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
