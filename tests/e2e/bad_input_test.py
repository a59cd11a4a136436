"""Bad input: each is answered with its status, its field, what was expected and what came, and harms nobody else.

    bad_input_test.py RESNETD RESNETCTL
"""

import sys
import threading
import unittest

import grpc
import images
import numpy as np
from client import REQUESTS, SERVICE, Client, Error, Metrics, by_index, code_name, pb, status_error
from server_case import ServerTest

CLASSES = 10
MAX_MESSAGE_BYTES, MAX_IMAGES = 200_000, 64
PIXELS = images.fashion()
GOOD_PNG, GOOD_JPEG = images.png(PIXELS[0]), images.jpeg(PIXELS[0])


def tensor(**fields) -> pb.Image:
    whole = {"type": pb.Tensor.UINT8, "shape": [28, 28, 1], "data": bytes(784)}
    return pb.Image(tensor=pb.Tensor(**(whole | fields)))


def with_value(value: float, y: int, x: int) -> np.ndarray:
    """A good input, [1, 28, 28], with one value in it that is not."""
    values = images.normalised(PIXELS[0])
    values[0, y, x] = value
    return values


def spoilt(file: bytes, at: int) -> bytes:
    return file[:at] + bytes([file[at] ^ 0xFF]) + file[at + 1 :]


# name, image, field beneath the image, reason, what the message says: expected and got
BAD_IMAGES = [
    ("neither source", pb.Image(), "", "INVALID_FIELD", ["expected `encoded` or `tensor`", "got neither"]),
    ("empty file", images.encoded(b""), ".encoded", "BAD_IMAGE", ["expected a JPEG, PNG or WebP file", "got no bytes"]),
    ("text", images.encoded(b"Dear server,\nhow are you?"), ".encoded", "BAD_IMAGE",
     ["expected a JPEG, PNG or WebP file", "got 25 bytes", "Dear server,"]),
    ("another format", images.encoded(b"GIF89a" + bytes(100)), ".encoded", "BAD_IMAGE",
     ["expected a JPEG, PNG or WebP", "GIF89a"]),
    ("PNG cut in its header", images.encoded(GOOD_PNG[:20]), ".encoded", "BAD_IMAGE", ["truncated PNG", "20 bytes"]),
    ("PNG cut in its pixels", images.encoded(GOOD_PNG[:200]), ".encoded", "BAD_IMAGE", ["truncated PNG", "200 bytes"]),
    ("JPEG cut in its header", images.encoded(GOOD_JPEG[:30]), ".encoded", "BAD_IMAGE", ["truncated JPEG", "30 bytes"]),
    ("JPEG cut in its pixels", images.encoded(GOOD_JPEG[:-100]), ".encoded", "BAD_IMAGE",
     ["truncated JPEG", f"{len(GOOD_JPEG) - 100} bytes"]),
    ("huge PNG", images.encoded(images.declare_size(GOOD_PNG, 60000, 60000)), ".encoded", "BAD_IMAGE",
     ["60000x60000 pixels", "expected at most 50000000 in all (--max-image-pixels)"]),
    ("huge JPEG", images.encoded(images.declare_size(GOOD_JPEG, 60000, 60000)), ".encoded", "BAD_IMAGE",
     ["60000x60000 pixels", "expected at most 50000000 in all (--max-image-pixels)"]),
    ("fewer pixels than declared", images.encoded(images.declare_size(GOOD_PNG, 28, 29)), ".encoded", "BAD_IMAGE",
     ["PNG"]),
    ("no dtype", tensor(type=0), ".tensor.type", "INVALID_FIELD",
     ["expected UINT8, FLOAT32 or FLOAT16", "got TYPE_UNSPECIFIED"]),
    ("unknown dtype", tensor(type=77), ".tensor.type", "INVALID_FIELD",
     ["expected UINT8, FLOAT32 or FLOAT16", "got 77"]),
    ("unknown layout", tensor(layout=9), ".tensor.layout", "INVALID_FIELD", ["expected NHWC or NCHW", "got 9"]),
    ("floats of another size", images.f32(np.zeros((1, 32, 32), np.float32)), ".tensor.shape", "INVALID_FIELD",
     ["expected [1, 28, 28]", "FLOAT32", "only UINT8 is resized", "got [1, 32, 32]"]),
    ("other channels", tensor(shape=[28, 28, 3], data=bytes(2352)), ".tensor.shape", "INVALID_FIELD",
     ["expected [height, width, 1]", "UINT8", "got [28, 28, 3]"]),
    ("a side too long", tensor(shape=[65501, 1, 1], data=bytes(65501)), ".tensor.shape", "INVALID_FIELD",
     ["expected at most 65500 pixels a side", "got [65501, 1, 1]"]),
    ("too many pixels", tensor(shape=[50000, 50000, 1]), ".tensor.shape", "INVALID_FIELD",
     ["expected at most 50000000 pixels in all (--max-image-pixels)", "got [50000, 50000, 1]"]),
    ("other order", tensor(shape=[1, 28, 28]), ".tensor.shape", "INVALID_FIELD",
     ["expected [height, width, 1]", "got [1, 28, 28]"]),
    ("the other order", tensor(layout=pb.Tensor.NCHW), ".tensor.shape", "INVALID_FIELD",
     ["expected [1, height, width]", "got [28, 28, 1]"]),
    ("batched shape", tensor(shape=[1, 28, 28, 1]), ".tensor.shape", "INVALID_FIELD", ["got [1, 28, 28, 1]"]),
    ("negative shape", tensor(shape=[-28, -28, 1]), ".tensor.shape", "INVALID_FIELD", ["got [-28, -28, 1]"]),
    ("no shape", tensor(shape=[]), ".tensor.shape", "INVALID_FIELD", ["expected [height, width, 1]", "got []"]),
    ("floats in the order of bytes", tensor(type=pb.Tensor.FLOAT32, data=bytes(3136)), ".tensor.shape", "INVALID_FIELD",
     ["expected [1, 28, 28]", "FLOAT32", "got [28, 28, 1]"]),
    ("a byte too few", tensor(data=bytes(783)), ".tensor.data", "INVALID_FIELD", ["expected 784 bytes", "got 783"]),
    ("a byte too many", tensor(data=bytes(785)), ".tensor.data", "INVALID_FIELD", ["expected 784 bytes", "got 785"]),
    ("bytes for floats", tensor(type=pb.Tensor.FLOAT32, shape=[1, 28, 28]), ".tensor.data", "INVALID_FIELD",
     ["expected 3136 bytes", "got 784"]),
    ("nothing but NaN", images.f32(np.full((1, 28, 28), np.nan)), ".tensor.data", "INVALID_FIELD",
     ["expected finite values, got nan at index 0, [0, 0, 0]"]),
    ("one NaN", images.f32(with_value(np.nan, 1, 2)), ".tensor.data", "INVALID_FIELD",
     ["expected finite values, got nan at index 30, [0, 1, 2]"]),
    ("one infinity", images.f32(with_value(np.inf, 27, 27)), ".tensor.data", "INVALID_FIELD",
     ["expected finite values, got inf at index 783, [0, 27, 27]"]),
    ("one of less than nothing", images.f32(with_value(-np.inf, 0, 0)), ".tensor.data", "INVALID_FIELD",
     ["expected finite values, got -inf at index 0, [0, 0, 0]"]),
    ("a NaN among halves", images.f16(with_value(np.nan, 1, 2)), ".tensor.data", "INVALID_FIELD",
     ["expected finite values, got nan at index 30, [0, 1, 2]"]),
    ("more than a half can hold", images.f16(with_value(65520, 1, 2)), ".tensor.data", "INVALID_FIELD",
     ["expected finite values, got inf at index 30, [0, 1, 2]"]),
]

# name, what is wrong with the request, code, reason, field, what the message says
BAD_REQUESTS = [
    ("empty request", {"images": []}, "INVALID_ARGUMENT", "INVALID_FIELD", "images",
     ["expected 1 to 64 images", "--max-images-per-request", "got 0"]),
    ("top_k -1", {"options": {"top_k": -1}}, "INVALID_ARGUMENT", "INVALID_FIELD", "options.top_k",
     ["expected 1 to 10", "got -1"]),
    ("top_k of the least", {"options": {"top_k": -(2**31)}}, "INVALID_ARGUMENT", "INVALID_FIELD", "options.top_k",
     ["expected 1 to 10", "got -2147483648"]),
    ("unknown scores", {"options": {"scores": 9}}, "INVALID_ARGUMENT", "INVALID_FIELD", "options.scores",
     ["expected PROBABILITIES or LOGITS", "got 9"]),
    ("threshold NaN", {"options": {"threshold": float("nan")}}, "INVALID_ARGUMENT", "INVALID_FIELD",
     "options.threshold", ["expected a finite number", "got nan"]),
    ("unknown model", {"model": "nobody"}, "NOT_FOUND", "MODEL_NOT_FOUND", "",
     ["no model 'nobody'", "expected one of: 'fashion-resnet20'"]),
    ("unknown version", {"model_version": "2"}, "NOT_FOUND", "MODEL_NOT_FOUND", "", ["no version '2'", "expected '1'"]),
]

# Bytes that are no ClassifyRequest.
MALFORMED = [
    ("an open tag", b"\xff"),
    ("text", b"not a message at all"),
    ("a field longer than the message", b"\x1a\x7f\x0a"),
    ("a model name that is not UTF-8", b"\x0a\x02\xc3\x28"),
    ("an open group", b"\x0b"),
    ("field number 0", b"\x02\x00"),
]

# More fields than any request within the limits has.
MANY_FIELDS = b"\x1a\x00" * 60_000


class Neighbour:
    """Somebody else, who calls all the time and expects the same answer each time."""

    def __init__(self, address: str):
        self.client = Client(address)
        self.images = [images.u8(PIXELS[9]), images.encoded(GOOD_PNG)]
        self.expected = self.client.logits(self.images, CLASSES)
        self.changed = threading.Condition()
        self.calls, self.wrong, self.stopped = 0, None, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped:
            try:
                answer = self.client.logits(self.images, CLASSES)
            except AssertionError as error:
                answer = error
            with self.changed:
                self.calls += 1
                if answer != self.expected:
                    self.wrong = self.wrong or answer
                self.changed.notify_all()

    def check_after_another_call(self, test: unittest.TestCase):
        with self.changed:
            calls = self.calls
            test.assertTrue(self.changed.wait_for(lambda: self.calls > calls, timeout=60))
            test.assertIsNone(self.wrong)

    def stop(self):
        self.stopped = True
        self.thread.join()
        self.client.channel.close()


class BadInput(ServerTest):
    # One worker and one batch size: every answer comes from the same plan, so that answers can be compared bit for bit.
    OPTIONS = ["--workers", "1", "--batch-sizes", "4", "--max-message-bytes", str(MAX_MESSAGE_BYTES)]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.neighbour = Neighbour(cls.server.address)
        cls.addClassCleanup(cls.neighbour.stop)

    def tearDown(self):
        """The process lives on, and other calls were untouched."""
        self.assertIsNone(self.server.process.poll())
        self.neighbour.check_after_another_call(self)

    def assert_says(self, error, code: str, reason: str, field: str, says: list[str]):
        self.assertIsInstance(error, Error)
        self.assertEqual((error.code, error.reason, error.field), (code, reason, field), error.message)
        for words in says:
            self.assertIn(words, error.message)
        self.assertNotRegex(error.message, "\\b0x[0-9a-f]|/(home|tmp|root|usr)/|[.](cc|h)\\b")

    def test_a_bad_image_alone_fails_the_call(self):
        for method, Request in REQUESTS.items():
            for name, image, field, reason, says in BAD_IMAGES:
                with self.subTest(name, method=method):
                    error = self.client.call(method, Request(images=[image]))
                    self.assert_says(error, "INVALID_ARGUMENT", reason, f"images[0]{field}", says)

    def test_a_bad_image_among_others_fails_alone(self):
        mates = [images.encoded(GOOD_JPEG), images.u8(PIXELS[1]), images.f32(images.normalised(PIXELS[2]))]
        expected = self.client.logits(mates, CLASSES)
        for name, image, field, reason, says in BAD_IMAGES:
            for place in range(len(mates) + 1):
                with self.subTest(name, place=place):
                    request = pb.ClassifyRequest(images=[*mates[:place], image, *mates[place:]])
                    request.options.top_k, request.options.scores = CLASSES, pb.ClassifyOptions.LOGITS
                    results = list(self.ok("Classify", request).results)
                    bad = results.pop(place)
                    error = status_error(bad.status)
                    self.assert_says(error, "INVALID_ARGUMENT", reason, f"images[{place}]{field}", says)
                    self.assertEqual(list(bad.classes), [])
                    self.assertEqual([by_index(r) for r in results], expected)

    def test_an_output_that_is_not_finite_is_not_the_clients_fault(self):
        """Of finite values: they are the network's to take."""
        huge, mate = images.f32(with_value(3e38, 14, 14)), images.u8(PIXELS[1])
        expected = self.client.logits([mate], CLASSES)
        before = self.not_finite()
        for method, Request in REQUESTS.items():
            with self.subTest(method):
                error = self.client.call(method, Request(images=[huge]))
                self.assert_says(error, "INTERNAL", "NOT_FINITE", "", ["images[0].tensor.data", "not finite"])
        request = pb.ClassifyRequest(images=[mate, huge])
        request.options.top_k, request.options.scores = CLASSES, pb.ClassifyOptions.LOGITS
        good, bad = self.ok("Classify", request).results
        self.assertEqual([by_index(good)], expected)
        self.assert_says(status_error(bad.status), "INTERNAL", "NOT_FINITE", "", ["images[1].tensor.data"])
        self.assertEqual(self.not_finite() - before, len(REQUESTS) + 1)

    def not_finite(self) -> float:
        return Metrics(self.server.metrics_url).value("resnetd_not_finite_outputs_total")

    def test_several_bad_images_each_have_their_status(self):
        request = pb.PredictRequest(images=[image for _, image, *_ in BAD_IMAGES])
        for i, result in enumerate(self.ok("Predict", request).results):
            _, _, field, reason, says = BAD_IMAGES[i]
            with self.subTest(BAD_IMAGES[i][0]):
                self.assert_says(status_error(result.status), "INVALID_ARGUMENT", reason, f"images[{i}]{field}", says)
                self.assertFalse(result.classes or result.embedding)

    def test_bad_requests(self):
        for name, wrong, code, reason, field, says in BAD_REQUESTS:
            for method, Request in REQUESTS.items():
                fields = {"images": [images.u8(PIXELS[0])]} | wrong
                if method == "Predict" and "options" in fields:
                    fields["classify"] = fields.pop("options")
                    field = field.replace("options", "classify")
                elif method == "Embed" and "options" in fields:
                    continue
                with self.subTest(name, method=method):
                    self.assert_says(self.client.call(method, Request(**fields)), code, reason, field, says)

    def test_get_model_of_another(self):
        for fields, says in (({"model": "nobody"}, "no model 'nobody'"), ({"model_version": "0"}, "no version '0'")):
            error = self.client.call("GetModel", pb.GetModelRequest(**fields))
            self.assert_says(error, "NOT_FOUND", "MODEL_NOT_FOUND", "", [says, "expected"])

    def test_top_k_up_to_the_classes(self):
        for top_k, count in ((0, 5), (1, 1), (CLASSES, CLASSES), (CLASSES + 1, CLASSES), (2**31 - 1, CLASSES)):
            request = pb.ClassifyRequest(images=[images.u8(PIXELS[0])], options=pb.ClassifyOptions(top_k=top_k))
            self.assertEqual(len(self.ok("Classify", request).results[0].classes), count)

    def test_as_many_images_as_allowed(self):
        for method, Request in REQUESTS.items():
            fitting = Request(images=[images.u8(PIXELS[i]) for i in range(MAX_IMAGES)])
            self.assertEqual(len(self.ok(method, fitting).results), MAX_IMAGES)
            one_more = Request(images=[*fitting.images, fitting.images[0]])
            self.assert_says(self.client.call(method, one_more), "INVALID_ARGUMENT", "INVALID_FIELD", "images",
                             ["expected 1 to 64 images", "--max-images-per-request", "got 65"])

    def test_messages_that_are_none(self):
        for method in ("Classify", "Embed", "Predict", "GetModel", "ListModels"):
            for name, message in MALFORMED:
                if method == "ListModels" and "model name" in name:
                    continue  # it has no such field
                with self.subTest(name, method=method):
                    error = self.client.raw(SERVICE + method, message)
                    self.assert_says(error, "INVALID_ARGUMENT", "MALFORMED_MESSAGE", "request",
                                     [f"expected a resnetd.v1.{method}Request", f"got {len(message)} bytes"])
        error = self.client.raw(SERVICE + "Classify", MANY_FIELDS)
        self.assert_says(error, "INVALID_ARGUMENT", "MALFORMED_MESSAGE", "request",
                         ["of at most 64 images", "got 120000 bytes"])

    def test_messages_up_to_the_limit(self):
        request = pb.ClassifyRequest(images=[images.u8(PIXELS[0])]).SerializeToString()

        def padded(size: int) -> bytes:
            """With an unknown field, number 100, as long as it takes: tag and length are five bytes."""
            length = size - len(request) - 5
            varint = bytes([length & 0x7F | 0x80, length >> 7 & 0x7F | 0x80, length >> 14])
            return request + b"\xa2\x06" + varint + bytes(length)

        for size in (MAX_MESSAGE_BYTES - 1, MAX_MESSAGE_BYTES):
            answer = self.client.raw(SERVICE + "Classify", padded(size))
            self.assertEqual(len(pb.ClassifyResponse.FromString(answer).results), 1)
        for size in (MAX_MESSAGE_BYTES + 1, 2 * MAX_MESSAGE_BYTES):
            message = padded(size)
            self.assertEqual(len(message), size)
            self.assert_says(self.client.raw(SERVICE + "Classify", message), "RESOURCE_EXHAUSTED", "MESSAGE_SIZE", "",
                             [f"{size} bytes", f"{MAX_MESSAGE_BYTES} bytes", "--max-message-bytes"])

    def test_compressed_messages(self):
        request = pb.ClassifyRequest(images=[images.u8(PIXELS[0])])
        for algorithm in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            error = self.client.call("Classify", request, compression=algorithm)
            self.assertIsInstance(error, Error)
            self.assertEqual(error.code, "UNIMPLEMENTED")
            self.assertIn(f"'{algorithm.name.lower()}' is disabled", error.message)

    def test_unknown_methods(self):
        for path in (SERVICE + "Transmogrify", "/resnetd.v2.InferenceService/Classify", "/a/b", "/nothing"):
            with self.subTest(path):
                error = self.client.raw(path, b"")
                says = ["no such method", "resnetd.v1.InferenceService"]
                self.assert_says(error, "UNIMPLEMENTED", "UNKNOWN_METHOD", "", says)

    def test_in_a_stream_errors_stand_in_their_places(self):
        good = pb.ClassifyRequest(images=[images.u8(PIXELS[0])])
        sent = []
        for _, wrong, *_ in BAD_REQUESTS:
            sent += [pb.ClassifyRequest(**({"images": [images.u8(PIXELS[0])]} | wrong)).SerializeToString()]
            sent += [good.SerializeToString()]
        sent += [MALFORMED[0][1], bytes(MAX_MESSAGE_BYTES + 1), good.SerializeToString()]
        stream = self.client.channel.stream_stream(
            SERVICE + "ClassifyStream", response_deserializer=pb.ClassifyStreamResponse.FromString)
        answers = list(stream(iter(sent), timeout=60))
        self.assertEqual(len(answers), len(sent))
        for (name, _, code, reason, field, says), answer in zip(BAD_REQUESTS, answers[::2]):
            with self.subTest(name):
                self.assert_says(status_error(answer.error), code, reason, field, says)
        for answer in [*answers[1 : 2 * len(BAD_REQUESTS) : 2], answers[-1]]:
            self.assertEqual(len(answer.response.results[0].classes), 5)
        self.assertEqual(status_error(answers[-3].error).reason, "MALFORMED_MESSAGE")
        self.assertEqual(status_error(answers[-2].error).reason, "MESSAGE_SIZE")


class DefaultLimit(ServerTest):
    def test_a_message_of_16_megabytes(self):
        limit = 16 << 20
        picture = GOOD_PNG[:-12] + images.png_chunk(b"teSt", bytes(8 << 20)) + GOOD_PNG[-12:]
        message = pb.ClassifyRequest(images=[images.encoded(picture)])
        message.images.add(encoded=bytes(limit - message.ByteSize() - 10))
        self.assertEqual(message.ByteSize(), limit)
        results = self.ok("Classify", message).results
        self.assertEqual([code_name(r.status.code) for r in results], ["OK", "INVALID_ARGUMENT"])
        message.images[1].encoded += b"\0"
        error = self.client.call("Classify", message)
        self.assertEqual((error.code, error.reason), ("RESOURCE_EXHAUSTED", "MESSAGE_SIZE"))
        self.assertIn(f"the request of {limit + 1} bytes", error.message)
        self.assertEqual(Metrics(self.server.metrics_url).value("resnetd_rejections_total", reason="message_size"), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
