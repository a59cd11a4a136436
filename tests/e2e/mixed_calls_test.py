"""An image gets the same answer alone, among 31 others, and in the crowd of 32 clients, and each client its own.

mixed_calls_test.py RESNETD RESNETCTL SIDE       SIDE: of ResNet-50's images, 224 as published
"""

import collections
import pathlib
import sys
import tempfile
import threading
import time
import unittest

import images
import numpy as np
from client import Client, Metrics, pb
from running_server import RunningServer

SIDE = int(sys.argv[3])
CLIENTS = 32
# A share of the largest |value| of the image's logits, or of its features.
TOLERANCE = 1e-5
CHUNK = 5  # requests of a stream, at most


class Answers:
    """What each image is answered: alone, by a server that can compute no two together."""

    def __init__(self, test: unittest.TestCase, client: Client, pictures: list[pb.Image], classes: int):
        self.logits, self.features = [], []
        for picture in pictures:
            request = pb.PredictRequest(images=[picture])
            request.classify.top_k, request.classify.scores = classes, pb.ClassifyOptions.LOGITS
            (result,) = client.call("Predict", request).results
            test.assertEqual(result.execution.batch_size, 1)
            logits = np.empty(classes, np.float32)
            logits[[c.index for c in result.classes]] = [c.score for c in result.classes]
            self.logits.append(logits)
            self.features.append(np.array(result.embedding, np.float32))
        # No two are alike, or a swapped answer would be no mistake.
        for table in (self.logits, self.features):
            for i, one in enumerate(table):
                apart = min(np.abs(one - other).max() for other in table[:i] + table[i + 1 :])
                test.assertGreater(apart, 100 * TOLERANCE * np.abs(one).max(), f"image {i}")

    def worst_classes(self, image: int, classes) -> float:
        """The largest difference as a fraction of the largest |logit|; 1 if these are not the best classes."""
        logits = self.logits[image]
        index = [c.index for c in classes]
        left_out = np.delete(logits, index)
        scale = np.abs(logits).max()
        if len(set(index)) != len(index) or (
            len(left_out) and left_out.max() > logits[index].min() + 2 * TOLERANCE * scale
        ):
            return 1
        return np.abs(logits[index] - np.array([c.score for c in classes], np.float32)).max() / scale

    def worst_features(self, image: int, embedding, unit: bool) -> float:
        features = self.features[image]
        if unit:
            features = features / np.linalg.norm(features)
        return np.abs(features - np.array(embedding, np.float32)).max() / np.abs(features).max()


class Caller(threading.Thread):
    """Makes calls of all kinds and sizes, chosen by a seed, and checks every reply."""

    def __init__(self, address: str, seed: int, calls: int, pictures: list[pb.Image], answers: Answers):
        super().__init__()
        self.random = np.random.RandomState(seed)
        self.address, self.calls, self.pictures, self.answers = address, calls, pictures, answers
        self.made, self.batches = collections.Counter(), collections.Counter()
        self.images, self.worst, self.failure = 0, 0.0, None

    def run(self):
        try:
            with Client(self.address) as client:
                for _ in range(self.calls):
                    self.call(client)
        except Exception as error:
            self.failure = error

    def choose(self) -> list[int]:
        most = self.random.choice([1, 3, 8, 64], p=[0.7, 0.2, 0.095, 0.005])
        return list(self.random.randint(0, len(self.pictures), self.random.randint(1, most + 1)))

    def options(self) -> tuple[pb.ClassifyOptions, pb.EmbedOptions]:
        top_k = self.random.randint(1, len(self.answers.logits[0]) + 1)
        return (
            pb.ClassifyOptions(top_k=top_k, scores=pb.ClassifyOptions.LOGITS),
            pb.EmbedOptions(l2_normalize=bool(self.random.randint(2))),
        )

    def request(self, kind: str, chosen: list[int], classify: pb.ClassifyOptions, embed: pb.EmbedOptions):
        pictures = [self.pictures[i] for i in chosen]
        if kind == "Classify":
            return pb.ClassifyRequest(images=pictures, options=classify)
        if kind == "Embed":
            return pb.EmbedRequest(images=pictures, options=embed)
        return pb.PredictRequest(images=pictures, classify=classify, embed=embed)

    def call(self, client: Client):
        method = self.random.choice(
            ["Classify", "Embed", "Predict", "ClassifyStream", "EmbedStream"], p=[0.35, 0.3, 0.25, 0.05, 0.05]
        )
        kind = method.removesuffix("Stream")
        classify, embed = self.options()
        chosen = [self.choose() for _ in range(self.random.randint(1, CHUNK + 1) if kind != method else 1)]
        requests = [self.request(kind, few, classify, embed) for few in chosen]
        if kind == method:
            replies = [client.call(method, requests[0], timeout=600)]
        else:
            replies = [a.response for a in getattr(client.stub, method)(iter(requests), timeout=600)]
        for few, reply in zip(chosen, replies, strict=True):
            for image, result in zip(few, reply.results, strict=True):
                self.check(kind, image, result, classify.top_k, embed.l2_normalize)
        self.made[method] += 1

    def check(self, kind: str, image: int, result, top_k: int, unit: bool):
        assert not result.status.code, result.status
        if kind != "Embed":
            assert len(result.classes) == top_k, result
            self.worst = max(self.worst, self.answers.worst_classes(image, result.classes))
        if kind != "Classify":
            self.worst = max(self.worst, self.answers.worst_features(image, result.embedding, unit))
        assert self.worst <= TOLERANCE, f"image {image} by {kind}: off by {self.worst}"
        self.images += 1
        self.batches[result.execution.batch_size] += 1


class MixedCalls:
    """The test of one model; a subclass says which, its images, and how many calls."""

    CALLS: int
    CLASSES: int

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.model = self.options()
        self.pictures = self.make_pictures()
        with self.serve("--workers", "1", "--batch-sizes", "1") as alone, Client(alone.address) as client:
            self.answers = Answers(self, client, self.pictures, self.CLASSES)

    def serve(self, *options: str) -> RunningServer:
        return RunningServer(*sys.argv[1:3], self.folder, "--max-queue-ms", "600000", *self.model, *options)

    def test_in_a_batch_with_31_others(self):
        random = np.random.RandomState(1)
        worst = 0
        with self.serve("--workers", "1", "--batch-sizes", "32") as server, Client(server.address) as client:
            for first in range(0, len(self.pictures), 4):
                chosen = [first, *random.randint(0, len(self.pictures), 31)]
                random.shuffle(chosen)
                request = pb.PredictRequest(images=[self.pictures[i] for i in chosen])
                request.classify.top_k, request.classify.scores = self.CLASSES, pb.ClassifyOptions.LOGITS
                for image, result in zip(chosen, client.call("Predict", request, timeout=600).results, strict=True):
                    self.assertEqual(result.execution.batch_size, 32)
                    worst = max(
                        worst,
                        self.answers.worst_classes(image, result.classes),
                        self.answers.worst_features(image, result.embedding, False),
                    )
        print(f"{type(self).__name__}: alone and among 31 others: {worst:.1e} apart at most")
        self.assertLessEqual(worst, TOLERANCE)

    def test_from_32_clients(self):
        with self.serve() as server:
            shares = [self.CALLS // CLIENTS + (i < self.CALLS % CLIENTS) for i in range(CLIENTS)]
            callers = [Caller(server.address, i, share, self.pictures, self.answers) for i, share in enumerate(shares)]
            start = time.monotonic()
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join()
            took = time.monotonic() - start
            for caller in callers:
                if caller.failure is not None:
                    raise caller.failure
            made = sum((caller.made for caller in callers), collections.Counter())
            batches = sum((caller.batches for caller in callers), collections.Counter())
            count = sum(caller.images for caller in callers)
            metrics = Metrics(server.metrics_url)
        print(
            f"{type(self).__name__}: {self.CALLS} calls of {count} images in {took:.1f} s, "
            f"{max(caller.worst for caller in callers):.1e} apart at most; "
            f"images by batch size {dict(sorted(batches.items()))}"
        )
        self.assertEqual(sum(made.values()), self.CALLS)
        counted = metrics.by("resnetd_requests_total", "method", "code")
        del counted["Check", "OK"]  # by which the start was waited for
        self.assertEqual(counted, {(m, "OK"): n for m, n in made.items()})
        self.assertEqual(metrics.value("resnetd_batch_size_sum"), count)
        # They did ride together.
        self.assertGreater(sum(n for size, n in batches.items() if size > 1), count / 2)


class DefaultModel(MixedCalls, unittest.TestCase):
    CALLS, CLASSES = 10_000, 10

    def options(self) -> list[str]:
        return []

    def make_pictures(self) -> list[pb.Image]:
        pixels = images.fashion()[:256]
        forms = [
            lambda p: images.encoded(images.png(p)),
            lambda p: images.encoded(images.jpeg(p)),
            images.u8,
            lambda p: images.f32(images.normalised(p)),
        ]
        return [forms[i % len(forms)](p) for i, p in enumerate(pixels)]


class ResNet50(MixedCalls, unittest.TestCase):
    CALLS, CLASSES = 1000, 1000

    def options(self) -> list[str]:
        return [
            "--model",
            str(images.make_resnet(self.folder / "resnet50.onnx", "--arch", "resnet50", "--size", str(SIDE))),
        ]

    def make_pictures(self) -> list[pb.Image]:
        """Random tiles: noise would look the same to a global average."""
        random = np.random.RandomState(1)
        pictures = []
        for i in range(32):
            tiles = random.randint(0, 256, (8, 8, 3), np.uint8).repeat(SIDE // 8, 0).repeat(SIDE // 8, 1)
            values = (tiles.transpose(2, 0, 1) / np.float32(64) - 2).astype(np.float32)
            pictures.append([images.u8(tiles), images.f32(values), images.encoded(images.jpeg(tiles))][i % 3])
        return pictures


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
