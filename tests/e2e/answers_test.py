"""Answers of the real server: what is asked for comes back, from the right model, in the right order.

answers_test.py RESNETD RESNETCTL
"""

import hashlib
import shutil
import sys
import unittest

import images
import numpy as np
from client import Client, Metrics, by_index, code_name, pb
from google.protobuf import text_format
from resnetd.v1 import model_config_pb2
from server_case import ServerTest

NAME, VERSION, CLASSES, FEATURES = "fashion-resnet20", "1", 10, 64
LOGITS, PROBABILITIES = pb.ClassifyOptions.LOGITS, pb.ClassifyOptions.PROBABILITIES
# The 20-layer network of He et al. for 28x28 grey images: three stages of six 3x3 convolutions, 16, 32 and 64 wide.
MULTIPLY_ADDS = (
    9 * 28 * 28 * (16 + 6 * 16 * 16)
    + 9 * 14 * 14 * (16 * 32 + 5 * 32 * 32)
    + 9 * 7 * 7 * (32 * 64 + 5 * 64 * 64)
    + 64 * 10
)
RECIPE_HASH = "90dcd96e0211a307"  # clients may have stored it: never changes
# Batch normalisation is folded: a bias for each channel.
PARAMETERS = (
    9 * (16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64) + 7 * 16 + 6 * 32 + 6 * 64 + 64 * 10 + 10
)


class DefaultModel(ServerTest):
    """resnetd without arguments."""

    def classify(self, image: pb.Image, **options):
        request = pb.ClassifyRequest(images=[image], options=pb.ClassifyOptions(**options))
        return self.ok("Classify", request).results[0].classes

    def test_a_model_that_is_not_named_is_the_only_one(self):
        image = images.u8(images.fashion()[0])
        for name, version in (("", ""), (NAME, ""), (NAME, VERSION), ("", VERSION)):
            for method, Request in (
                ("Classify", pb.ClassifyRequest),
                ("Embed", pb.EmbedRequest),
                ("Predict", pb.PredictRequest),
            ):
                with self.subTest(method=method, name=name, version=version):
                    answer = self.ok(method, Request(model=name, model_version=version, images=[image]))
                    self.assertEqual((answer.model, answer.model_version), (NAME, VERSION))
                    self.assertEqual((answer.recipe_id, answer.recipe_hash), ("custom", RECIPE_HASH))

    def test_golden_answers_over_the_wire(self):
        golden = text_format.Parse((images.MODEL / "golden.textproto").read_text(), model_config_pb2.GoldenSet())
        self.assertGreater(len(golden.golden), 0)
        for one in golden.golden:
            with self.subTest(one.name):
                (logits,) = self.client.logits([images.encoded(one.image)], CLASSES)
                apart = np.abs(np.subtract(logits, one.logits)).max()
                self.assertLessEqual(apart, golden.tolerance * np.abs(one.logits).max())

    def test_top_k(self):
        image = images.u8(images.fashion()[1])
        everything = self.classify(image, top_k=CLASSES)
        self.assertEqual(sorted(c.index for c in everything), list(range(CLASSES)))
        for top_k, count in ((0, 5), (1, 1), (3, 3), (CLASSES, CLASSES)):
            with self.subTest(top_k=top_k):
                classes = self.classify(image, top_k=top_k)
                self.assertEqual(list(classes), list(everything[:count]))
                self.assertEqual([c.score for c in classes], sorted((c.score for c in classes), reverse=True))
                self.assertEqual([c.label for c in classes], [images.LABELS[c.index] for c in classes])

    def test_probabilities_are_the_softmax_of_the_logits(self):
        for i in range(20):
            image = images.u8(images.fashion()[i])
            logits = np.array([c.score for c in self.classify(image, top_k=CLASSES, scores=LOGITS)])
            probabilities = np.array([c.score for c in self.classify(image, top_k=CLASSES, scores=PROBABILITIES)])
            softmax = np.exp(logits - logits.max())
            softmax /= softmax.sum()
            with self.subTest(image=i):
                self.assertAlmostEqual(probabilities.sum(), 1, delta=1e-6)
                np.testing.assert_allclose(probabilities, softmax, rtol=1e-5)

    def test_threshold(self):
        image = images.u8(images.fashion()[2])
        for scores in (PROBABILITIES, LOGITS):
            everything = self.classify(image, top_k=CLASSES, scores=scores)
            third = everything[2].score
            for threshold, count in (
                (third, 3),
                (np.nextafter(np.float32(third), np.float32(np.inf)), 2),
                (everything[0].score + 1, 0),
                (everything[-1].score - 1, CLASSES),
            ):
                with self.subTest(scores=scores, threshold=threshold):
                    classes = self.classify(image, top_k=CLASSES, scores=scores, threshold=threshold)
                    self.assertEqual(list(classes), list(everything[:count]))

    def test_embeddings(self):
        for i in range(20):
            request = pb.EmbedRequest(images=[images.u8(images.fashion()[i])])
            plain = np.array(self.ok("Embed", request).results[0].embedding)
            request.options.l2_normalize = True
            unit = np.array(self.ok("Embed", request).results[0].embedding)
            with self.subTest(image=i):
                self.assertEqual(plain.shape, (FEATURES,))
                self.assertGreaterEqual(plain.min(), 0)  # the mean of what a ReLU yields
                self.assertAlmostEqual(np.linalg.norm(unit), 1, delta=1e-6)
                np.testing.assert_allclose(unit, plain / np.linalg.norm(plain), rtol=1e-5)

    def test_predict_is_both_calls_at_once(self):
        for i in range(20):
            image = images.u8(images.fashion()[i])
            for l2_normalize in (False, True):
                embed = pb.EmbedOptions(l2_normalize=l2_normalize)
                classify = pb.ClassifyOptions(top_k=CLASSES, scores=LOGITS)
                both = self.ok("Predict", pb.PredictRequest(images=[image], classify=classify, embed=embed)).results[0]
                classified = self.ok("Classify", pb.ClassifyRequest(images=[image], options=classify)).results[0]
                embedded = self.ok("Embed", pb.EmbedRequest(images=[image], options=embed)).results[0]
                with self.subTest(image=i, l2_normalize=l2_normalize):
                    self.assertEqual(list(both.classes), list(classified.classes))
                    self.assertEqual(list(both.embedding), list(embedded.embedding))

    def test_the_same_pixels_in_every_form(self):
        for i in range(50):
            pixels = images.fashion()[i]
            (expected,) = self.client.logits([images.u8(pixels)], CLASSES)
            with self.subTest(image=i):
                self.assertEqual(self.client.logits([images.encoded(images.png(pixels))], CLASSES), [expected])
                (tensor,) = self.client.logits([images.f32(images.normalised(pixels))], CLASSES)
                apart = np.abs(np.subtract(tensor, expected)).max()
                self.assertLessEqual(apart, 1e-5 * np.abs(expected).max())
                # Halves are taken for exactly what they are.
                halves = images.normalised(pixels).astype(np.float16)
                as_floats = images.f32(halves.astype(np.float32))
                self.assertEqual(*(self.client.logits([image], CLASSES) for image in (images.f16(halves), as_floats)))
                for image in (images.u8(pixels), as_floats, images.f16(halves)):
                    self.assertEqual(*(self.client.logits([one], CLASSES) for one in (image, images.in_other_layout(image))))

    def test_pixels_of_any_size_are_resized_as_a_file_is(self):
        generator = np.random.default_rng(4)
        for height, width in ((1, 1), (1, 300), (27, 28), (29, 28), (56, 56), (200, 333)):
            with self.subTest(height=height, width=width):
                pixels = generator.integers(0, 256, (height, width), np.uint8)
                expected = self.client.logits([images.encoded(images.png(pixels))], CLASSES)
                self.assertEqual(self.client.logits([images.u8(pixels)], CLASSES), expected)
                self.assertEqual(self.client.logits([images.in_other_layout(images.u8(pixels))], CLASSES), expected)

    def test_a_jpeg_is_its_decoded_pixels(self):
        for i in range(20):
            file = images.jpeg(images.fashion()[i])
            with self.subTest(image=i):
                expected = self.client.logits([images.u8(images.decoded(file))], CLASSES)
                self.assertEqual(self.client.logits([images.encoded(file)], CLASSES), expected)

    def test_how_an_image_was_served(self):
        request = pb.ClassifyRequest(images=[images.encoded(images.png(p)) for p in images.fashion()[:20]])
        results = self.ok("Classify", request).results
        batches: dict[int, list] = {}
        for result in results:
            e = result.execution
            for seconds in (e.decode_seconds, e.infer_seconds, e.total_seconds):
                self.assertGreater(seconds, 0)
            self.assertGreaterEqual(e.queue_seconds, 0)
            self.assertGreaterEqual(e.total_seconds, e.queue_seconds + e.decode_seconds + e.infer_seconds)
            self.assertLessEqual(e.total_seconds, 60)
            batches.setdefault(e.batch_id, []).append(e)
        # Nobody else calls: a batch's images are all in this answer.
        for batch_id, members in batches.items():
            self.assertEqual({e.batch_size for e in members}, {len(members)}, batch_id)
            self.assertEqual(len({e.infer_seconds for e in members}), 1, batch_id)
        self.assertGreater(max(len(members) for members in batches.values()), 1)

    def test_list_models(self):
        (model,) = self.ok("ListModels", pb.ListModelsRequest()).models
        self.assertEqual(
            (model.name, model.version, model.state, model.error), (NAME, VERSION, pb.ModelSummary.READY, "")
        )

    def test_get_model(self):
        for request in (pb.GetModelRequest(), pb.GetModelRequest(model=NAME, model_version=VERSION)):
            m = self.ok("GetModel", request)
            self.assertEqual((m.name, m.version), (NAME, VERSION))
            self.assertIn("Fashion-MNIST", m.description)
            self.assertEqual((m.input.height, m.input.width, m.input.channels), (28, 28, 1))
            self.assertEqual(
                list(m.input.tensor_types), [pb.Tensor.UINT8, pb.Tensor.FLOAT32, pb.Tensor.FLOAT16]
            )
            self.assertTrue(m.input.resizes_pixels)
            self.assertEqual(list(m.input.image_formats), ["jpeg", "png", "webp"])
            self.assertIn("0.286", m.recipe)
            self.assertEqual((m.recipe_id, m.recipe_hash), ("custom", RECIPE_HASH))
            self.assertEqual(list(m.labels), images.LABELS)
            self.assertEqual((m.classes, m.embedding_size, m.precision), (CLASSES, FEATURES, "f32"))
            self.assertRegex(m.cpu_isa, "^avx(2|512)")
            self.assertEqual(m.weights_sha256, hashlib.sha256((images.MODEL / "model.onnx").read_bytes()).hexdigest())
            self.assertRegex(m.plan_fingerprint, "^[0-9a-f]{16,}$")
            self.assertEqual(list(m.batch_sizes), [1, 2, 4, 8])
            self.assertEqual((m.parameters, m.multiply_adds), (PARAMETERS, MULTIPLY_ADDS))
            self.assertGreaterEqual(m.packed_weight_bytes, 4 * PARAMETERS)


class Streams(ServerTest):
    OPTIONS = ["--stream-window", "2", "--batch-sizes", "8", "--workers", "1"]

    def test_answers_come_in_the_order_of_the_requests(self):
        """Of all sizes, and those that fail in their places."""
        count = 200
        pixels = images.fashion()
        requests, expected = [], []
        for i in range(count):
            if i % 7 == 3:
                requests.append(pb.ClassifyRequest(model=f"nobody {i}", images=[images.u8(pixels[i])]))
                expected.append(f"'nobody {i}'")
                continue
            request = pb.ClassifyRequest(images=[images.u8(pixels[i + k]) for k in range(1 + i % 3)])
            request.options.top_k, request.options.scores = CLASSES, LOGITS
            requests.append(request)
            expected.append(self.client.logits(request.images, CLASSES))
        for i, answer in enumerate(self.client.stub.ClassifyStream(iter(requests), timeout=60)):
            with self.subTest(request=i):
                if answer.HasField("error"):
                    self.assertEqual(code_name(answer.error.code), "NOT_FOUND")
                    self.assertIn(expected[i], answer.error.message)
                else:
                    self.assertEqual([by_index(r) for r in answer.response.results], expected[i])
        self.assertEqual(i, count - 1)

    def test_a_client_that_does_not_read_is_not_read_from(self):
        count, batch = 60, 32
        request = pb.EmbedRequest(images=[images.u8(p) for p in images.fashion()[:batch]])
        expected = [r.embedding for r in self.ok("Embed", request).results]
        before = self.images_answered()
        # Without the probe a connection holds 64 KB that nobody reads; with it, it would grow to hold all answers.
        client = self.enterContext(Client(self.server.address, ("grpc.http2.bdp_probe", 0)))
        answers = client.stub.EmbedStream((request for _ in range(count)), timeout=120)

        # It has come to a stop when it has begun and makes no step while the queue serves a hundred calls of somebody else.
        calls, last = 0, -1.0
        while (of_stream := self.images_answered() - before - calls) != last or of_stream == 0:
            last = of_stream
            for _ in range(100):
                self.ok("Embed", pb.EmbedRequest(images=request.images[:1]))
            calls += 100
        self.assertGreater(of_stream, 0)
        self.assertLess(of_stream, count * batch / 2)

        for i, answer in enumerate(answers):
            self.assertEqual([r.embedding for r in answer.response.results], expected, f"answer {i}")
        self.assertEqual(i, count - 1)
        self.assertEqual(self.images_answered() - before - calls, count * batch)

    def images_answered(self) -> float:
        return Metrics(self.server.metrics_url).value("resnetd_images_total", result="ok")


class ChannelsThatAreNoColours(ServerTest):
    """Inputs of two and four channels: tensors are served, image files refused."""

    @classmethod
    def prepare(cls):
        models = cls.folder / "models"
        for channels in ("2", "4"):
            images.make_resnet(models / f"of{channels}/1/model.onnx", "--arch", "cifar20", "--channels", channels)
        cls.OPTIONS = ["--models", str(models)]

    def test_tensors_are_served(self):
        for channels in (2, 4):
            pixels = np.random.RandomState(1).randint(0, 256, (32, 32, channels), np.uint8)
            request = pb.ClassifyRequest(model=f"of{channels}", images=[images.u8(pixels)])
            floats = pixels.transpose(2, 0, 1).astype("<f4")
            tensor = pb.Tensor(type=pb.Tensor.FLOAT32, shape=floats.shape, data=floats.tobytes())
            request.images.add(tensor=tensor)
            answer = self.ok("Classify", request)
            self.assertEqual(answer.recipe_id, "none")
            of_bytes, of_floats = ([c.score for c in result.classes] for result in answer.results)
            self.assertEqual(of_bytes, of_floats)

    def test_files_are_refused(self):
        file = images.encoded(images.png(images.fashion()[0]))
        for channels in (2, 4):
            model = self.ok("GetModel", pb.GetModelRequest(model=f"of{channels}"))
            self.assertEqual((model.input.channels, list(model.input.image_formats)), (channels, []))
            error = self.client.call("Classify", pb.ClassifyRequest(model=f"of{channels}", images=[file]))
            self.assertEqual((error.code, error.field), ("INVALID_ARGUMENT", "images[0].encoded"))
            self.assertIn(f"has {channels} channels, which are no colours", error.message)


class SeveralModels(ServerTest):
    """A folder with versions, of which the highest is served, and a second model without labels."""

    @classmethod
    def prepare(cls):
        models = cls.folder / "models"
        for version in ("2", "9", "10"):
            shutil.copytree(images.MODEL, models / "clothes" / version)
        images.make_resnet(models / "small/7/model.onnx", "--arch", "cifar20", "--shortcut", "B", "--classes", "12")
        (models / "not-a-model").mkdir()
        cls.OPTIONS = ["--models", str(models)]

    def test_each_answers_for_itself(self):
        clothes = images.u8(images.fashion()[0])
        small = images.u8(np.random.RandomState(1).randint(0, 256, (32, 32, 3), np.uint8))
        for model, version, image, classes in (("clothes", "10", clothes, 10), ("small", "7", small, 12)):
            for asked in ("", version):
                with self.subTest(model=model, version=asked):
                    request = pb.ClassifyRequest(model=model, model_version=asked, images=[image])
                    request.options.top_k = classes
                    answer = self.ok("Classify", request)
                    self.assertEqual((answer.model, answer.model_version), (model, version))
                    self.assertEqual(len(answer.results[0].classes), classes)
        labels = [c.label for c in self.ok("Classify", request).results[0].classes]
        self.assertEqual(labels, [""] * 12)

    def test_list_and_get(self):
        models = self.ok("ListModels", pb.ListModelsRequest()).models
        self.assertEqual(
            [(m.name, m.version, m.state) for m in models],
            [("clothes", "10", pb.ModelSummary.READY), ("small", "7", pb.ModelSummary.READY)],
        )
        small = self.ok("GetModel", pb.GetModelRequest(model="small"))
        self.assertEqual((small.input.height, small.input.channels, small.classes), (32, 3, 12))
        self.assertEqual(list(small.labels), [])

    def test_one_must_be_named(self):
        error = self.client.call("Classify", pb.ClassifyRequest(images=[images.u8(images.fashion()[0])]))
        self.assertEqual((error.code, error.field), ("INVALID_ARGUMENT", "model"))
        self.assertIn("'clothes', 'small'", error.message)

    def test_lower_versions_are_not_served(self):
        for version in ("2", "9", "11"):
            error = self.client.call("GetModel", pb.GetModelRequest(model="clothes", model_version=version))
            self.assertEqual((error.code, error.reason), ("NOT_FOUND", "MODEL_NOT_FOUND"))
            self.assertIn(f"'{version}'", error.message)
            self.assertIn("'10'", error.message)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
