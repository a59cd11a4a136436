"""The metrics are true: counters equal the client's ledger, call by call; quantiles are the client's within one bucket.

    metrics_test.py RESNETD RESNETCTL
"""

import bisect
import collections
import subprocess
import sys
import threading
import time
import unittest

import grpc
import images
from client import REQUESTS, SERVICE, Client, Error, Metrics, http_get, pb, quantile, status_error, wait_until
from health.v1 import health_pb2, health_pb2_grpc
from server_case import ServerTest

sys.path.insert(0, str(images.ROOT / "tools"))
import histogram_quantiles  # noqa: E402

PIXELS = images.fashion()
BAD, TRUNCATED = images.encoded(b"text"), images.encoded(images.png(PIXELS[0])[:200])
CALLERS, ROUNDS = 8, 12
MAX_MESSAGE_BYTES = 300_000
METHODS = {"Classify", "Embed", "Predict", "ClassifyStream", "EmbedStream", "ListModels", "GetModel", "unknown", "Check",
           "Watch"}
CODES = {c.name for c in grpc.StatusCode}
VERSION = subprocess.run([images.ROOT / "scripts/version.sh"], check=True, capture_output=True, text=True).stdout.strip()
# Every label there is, and the values it may have.
LABELS = {
    "method": METHODS, "code": CODES, "result": {"ok", "error"}, "stage": {"queue", "decode", "infer"},
    "model": {"fashion-resnet20"}, "version": {"1", VERSION}, "precision": {"f32"},
    "library": {"grpc", "protobuf"}, "severity": {"debug", "info", "warning", "error"},
}
REASONS = {
    "resnetd_rejections_total": {"queue_time", "queue_bytes", "deadline", "calls_in_flight", "connection_calls", "connection_share",
                                 "bytes_in_flight", "message_size", "message_time", "request_size", "draining", "unauthenticated"},
    "resnetd_batches_total": {"all_waiting", "largest", "deadline", "no_gain", "shared"},
    "resnetd_connections_closed_total": {"limit", "streams", "headers", "unfinished"},
    "resnetd_http_closed_total": {"made_room", "timed_out", "failed"},
}
GAUGES = ["resnetd_queue_depth", "resnetd_queue_bytes", "resnetd_queue_oldest_age_seconds", "resnetd_workers_busy",
          "resnetd_calls_in_flight"]
FREE_LABELS = {"le", "isa", "sha256"}  # numbers, and what GetModel says too


def good(count: int, first: int = 0) -> list[pb.Image]:
    return [images.u8(PIXELS[first + i]) for i in range(count)]


class Ledger:
    """What a client saw."""

    def __init__(self):
        self.calls = collections.Counter()  # by method and code
        self.images = collections.Counter()  # by result
        self.rejections = collections.Counter()  # by reason
        self.decoded = 0  # images that a worker has had in hand
        self.classified = 0  # images that were given classes
        self.whole = 0  # requests of which every image was answered

    def __iadd__(self, other):
        self.calls += other.calls
        self.images += other.images
        self.rejections += other.rejections
        self.decoded += other.decoded
        self.classified += other.classified
        self.whole += other.whole
        return self

    def write(self, method: str, request, answer):
        code = answer.code if isinstance(answer, Error) else "OK"
        self.calls[method, code] += 1
        self.write_images(request, answer)

    def write_images(self, request, answer):
        """Of a request that reached the queue. A request of one image fails as a call."""
        if isinstance(answer, Error) and answer.reason == "MESSAGE_SIZE":
            self.rejections["message_size"] += 1
        if isinstance(answer, Error) and answer.reason != "BAD_IMAGE" or not hasattr(request, "images"):
            return
        failed = [True] if isinstance(answer, Error) else [r.status.code != 0 for r in answer.results]
        self.images["error"] += sum(failed)
        self.whole += not any(failed)
        self.images["ok"] += len(failed) - sum(failed)
        if not isinstance(request, pb.EmbedRequest):
            self.classified += len(failed) - sum(failed)
        self.decoded += sum(1 for image in request.images if image != BAD)


# method, request
CALLS = [
    *((method, Request(images=good(count, 10 * count))) for method, Request in REQUESTS.items() for count in (1, 3, 8)),
    *((method, Request(images=[BAD])) for method, Request in REQUESTS.items()),
    *((method, Request(images=[TRUNCATED])) for method, Request in REQUESTS.items()),
    *((method, Request(images=[*good(2), BAD, TRUNCATED, *good(3)])) for method, Request in REQUESTS.items()),
    *((method, Request(images=[BAD, BAD])) for method, Request in REQUESTS.items()),
    *((method, Request()) for method, Request in REQUESTS.items()),
    *((method, Request(model="nobody", images=good(1))) for method, Request in REQUESTS.items()),
    ("Classify", pb.ClassifyRequest(images=good(1), options=pb.ClassifyOptions(top_k=-1))),
    ("Classify", pb.ClassifyRequest(images=[images.encoded(bytes(MAX_MESSAGE_BYTES))])),
    ("ListModels", pb.ListModelsRequest()),
    ("GetModel", pb.GetModelRequest()),
    ("GetModel", pb.GetModelRequest(model="nobody")),
]


class Metered(ServerTest):
    OPTIONS = ["--max-message-bytes", str(MAX_MESSAGE_BYTES)]

    def metrics(self) -> Metrics:
        return Metrics(self.server.metrics_url)


class LedgerTest(Metered):
    def test_counters_are_the_clients_ledger(self):
        # Whoever started the server asked for its health until it was ready.
        probes = self.metrics().by("resnetd_requests_total", "method", "code")
        ledgers = [Ledger() for _ in range(CALLERS)]
        threads = [threading.Thread(target=self.call_all, args=(i, ledger)) for i, ledger in enumerate(ledgers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = Ledger()
        for ledger in ledgers:
            total += ledger
        # A compressed message is gRPC's to refuse; our handler only sees the call go.
        compressed = self.client.call("Embed", pb.EmbedRequest(images=good(1)), compression=grpc.Compression.Gzip)
        self.assertEqual(compressed.code, "UNIMPLEMENTED")
        total.calls["Embed", "CANCELLED"] += 1
        health_pb2_grpc.HealthStub(self.client.channel).Check(health_pb2.HealthCheckRequest())
        total.calls["Check", "OK"] += 1
        total.calls.update(probes)

        expected = dict(total.calls)
        self.assertGreater(sum(expected.values()), CALLERS * ROUNDS * len(CALLS))
        # A call leaves when gRPC has done with it, which is after its client has the answer.
        for gauge in GAUGES:
            wait_until(lambda: self.metrics().series[gauge] == {(): 0}, f"{gauge} is 0")
        m = self.metrics()
        self.assertEqual(m.by("resnetd_requests_total", "method", "code"), expected)
        self.assertEqual(m.by("resnetd_images_total", "result"), dict(total.images))
        self.assertEqual(m.by("resnetd_rejections_total", "reason"), dict(total.rejections))
        by_method = collections.Counter()
        for (method, _), count in expected.items():
            by_method[method] += count
        self.assertEqual(m.by("resnetd_request_duration_seconds_count", "method"), dict(by_method))
        # Images computed: those in batches, those with a time of their own; and those whose confidence is known.
        ok = total.images["ok"]
        self.assertEqual(m.value("resnetd_batch_size_sum"), ok)
        self.assertEqual(m.value("resnetd_stage_duration_seconds_count", stage="infer"), ok)
        self.assertEqual(m.value("resnetd_prediction_confidence_count", model="fashion-resnet20"), total.classified)
        self.assertLess(total.classified, ok)
        self.assertEqual(m.value("resnetd_predicted_completion_ratio_count"), total.whole)
        for stage in ("queue", "decode"):
            self.assertEqual(m.value("resnetd_stage_duration_seconds_count", stage=stage), total.decoded)
        self.assertLess(m.value("resnetd_batch_size_count"), ok)
        # Every batch has one reason why it was not larger.
        self.assertEqual(sum(m.by("resnetd_batches_total", "reason").values()), m.value("resnetd_batch_size_count"))
        busy, alive = m.value("resnetd_worker_busy_seconds_total"), time.time() - m.value("process_start_time_seconds")
        self.assertGreater(busy, 0)
        self.assertLess(busy, m.value("resnetd_workers") * alive)

    def call_all(self, caller: int, ledger: Ledger):
        with Client(self.server.address) as client:
            for _ in range(ROUNDS):
                for method, request in CALLS:
                    ledger.write(method, request, client.call(method, request))
                self.malformed_and_unknown(client, ledger)
                self.streams(client, ledger)

    def malformed_and_unknown(self, client: Client, ledger: Ledger):
        for method in ("Predict", "ListModels"):
            ledger.calls[method, client.raw(SERVICE + method, b"\xff").code] += 1
        ledger.calls["unknown", client.raw(SERVICE + "Transmogrify", b"").code] += 1

    def streams(self, client: Client, ledger: Ledger):
        """A stream is one call, whatever becomes of its requests."""
        for method, Request in (("ClassifyStream", pb.ClassifyRequest), ("EmbedStream", pb.EmbedRequest)):
            requests = [Request(images=few) for few in (good(2), [BAD], [], [TRUNCATED, *good(1)])]
            answers = list(getattr(client.stub, method)(iter(requests), timeout=60))
            ledger.calls[method, "OK"] += 1
            for request, answer in zip(requests, answers, strict=True):
                whole = answer.HasField("response")
                ledger.write_images(request, answer.response if whole else status_error(answer.error))


class Quantiles(Metered):
    OPTIONS = ["--max-queue-ms", "60000"]

    def test_latency_quantiles_are_the_clients_within_one_bucket(self):
        """Calls of many images take so long that the client's own share of the time is small."""
        self.call_and_compare(callers=1, calls=40)
        self.call_and_compare(callers=4, calls=60)

    def call_and_compare(self, callers: int, calls: int):
        request = pb.EmbedRequest(images=good(32))
        before = self.buckets()
        seconds, told = [], []

        def call():
            with Client(self.server.address) as client:
                client.call("ListModels", pb.ListModelsRequest())  # connects
                for _ in range(calls // callers):
                    start = time.monotonic()
                    answer = client.call("Embed", request)
                    seconds.append(time.monotonic() - start)
                    told.append(max(r.execution.total_seconds for r in answer.results))

        threads = [threading.Thread(target=call) for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        buckets = {bound: count - before[bound] for bound, count in self.buckets().items()}
        self.assertEqual(max(buckets.values()), calls)
        bounds = sorted(buckets)
        for q in (0.5, 0.9):
            value = histogram_quantiles.quantile(buckets, q)
            for name, own in (("measured", quantile(seconds, q)), ("told", quantile(told, q))):
                apart = abs(bisect.bisect_left(bounds, value) - bisect.bisect_left(bounds, own))
                self.assertLessEqual(apart, 1, f"q = {q}, {callers} callers: {value} s here, {own} s {name}")

    def buckets(self) -> dict[float, float]:
        return self.metrics().buckets("resnetd_request_duration_seconds", method="Embed")


class Page(Metered):
    def test_no_label_that_a_client_invents(self):
        odd = 'evil"} 1\nresnetd_requests_total{method="evil'
        for path in (SERVICE + "Evil", "/evil.Service/Classify", "/evil", SERVICE + "Classify/evil"):
            self.assertEqual(self.client.raw(path, b"").code, "UNIMPLEMENTED")
        for fields in ({"model": "evil"}, {"model_version": "evil"}, {"model": odd}):
            error = self.client.call("Classify", pb.ClassifyRequest(images=good(1), **fields))
            self.assertEqual(error.code, "NOT_FOUND")
            self.client.call("GetModel", pb.GetModelRequest(**fields))
        metadata = [("evil", "evil"), ("user-agent", "evil")]
        self.client.call("Classify", pb.ClassifyRequest(images=good(1)), metadata=metadata)
        self.client.call("Classify", pb.ClassifyRequest(images=[images.encoded(b"evil")]))
        self.assertEqual(http_get(f"{self.server.http_url}/evil?evil=1")[0], 404)

        m = self.metrics()
        self.assertNotIn("evil", m.text.lower())
        self.assertGreater(len(m.series), 20)
        for name, series in m.series.items():
            for key in series:
                for label, value in key:
                    if label not in FREE_LABELS:
                        known = REASONS[name] if label == "reason" else LABELS[label]
                        self.assertIn(value, known, f"{name}: {label}")
        self.assertEqual(m.value("resnetd_requests_total", method="unknown", code="UNIMPLEMENTED"), 4)

    def test_models_and_the_process(self):
        m = self.metrics()
        model = self.ok("GetModel", pb.GetModelRequest())
        labels = {"model": model.name, "version": model.version, "precision": model.precision, "isa": model.cpu_isa}
        self.assertEqual(m.value("resnetd_model_info", sha256=model.weights_sha256, **labels), 1)
        self.assertGreater(m.value("resnetd_model_load_seconds", model=model.name, version=model.version), 0)
        self.assertGreaterEqual(m.value("resnetd_workers"), 1)
        self.assertAlmostEqual(m.value("process_start_time_seconds"), time.time(), delta=600)
        with open(f"/proc/{self.server.process.pid}/status") as status:
            (resident,) = [1024 * int(line.split()[1]) for line in status if line.startswith("VmRSS")]
        self.assertAlmostEqual(m.value("process_resident_memory_bytes"), resident, delta=0.2 * resident)

    def test_prometheus_own_check(self):
        for method, request in CALLS[:5]:
            self.client.call(method, request)
        page = self.metrics().text
        run = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
