"""Any tensor is an output: layers, heads, embedding spaces, projections.

    outputs_test.py RESNETD RESNETCTL
"""

import json
import pathlib
import shutil
import sys
import threading
import unittest

import images
import numpy as np
import onnx
import small_models
from client import Client, Error, Metrics, by_index, pb
from onnx import helper
from running_server import RunningServer
from server_case import ServerTest
from small_models import CLASSES, FEATURES, LAST_MAP, MIDDLE_MAP

LOGITS = pb.ClassifyOptions.LOGITS
COLOURS = ["red", "green", "blue", "grey", "none"]
TRUNCATABLE = 'truncatable { layer: "pool" sizes: [16, 32] }\n'
# One plan for any number of images: then an image's answer does not depend on its batch mates, to the last bit.
ONE_PLAN = ["--batch-sizes", "8", "--workers", "1"]
PICTURES = np.random.RandomState(3).randint(0, 256, (40, 32, 32, 3), np.uint8)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def pictures(count: int, first: int = 0) -> list[pb.Image]:
    return [images.u8(p) for p in PICTURES[first : first + count]]


def write_models(models: pathlib.Path, scratch: pathlib.Path):
    make = lambda: small_models.base(scratch)
    small_models.save(make(), models, "plain", f'outputs: ["{LAST_MAP}", "{MIDDLE_MAP}"]\n{TRUNCATABLE}', "plain.data")
    small_models.save(small_models.without_classifier(make()), models, "headless")
    small_models.save(small_models.ending_in(make(), "Softmax", axis=1), models, "softmax")
    tags = small_models.ending_in(make(), "Sigmoid")
    thresholds = [round(0.02 + 0.04 * i, 2) for i in range(CLASSES)]
    small_models.save(tags, models, "tags", f"thresholds: {thresholds}\n",
                      labels="".join(f"tag {i}\n" for i in range(CLASSES)))
    small_models.save(tags, models, "one-threshold", "thresholds: 0.1\n")
    small_models.save(make(), models, "raw", "activation: NONE\n")
    two = small_models.with_second_head(make(), "colour", len(COLOURS))
    small_models.save(two, models, "two", 'heads { output: "colour" labels_file: "colours.txt" activation: SIGMOID }\n',
                      labels="".join(f"class {i}\n" for i in range(CLASSES)), colours="\n".join(COLOURS) + "\n")
    found = small_models.with_second_head(make(), "colour", len(COLOURS), "Sigmoid")
    small_models.save(found, models, "found")

    # one score
    one = small_models.ending_in_gemm(make(), "score", 1)
    small_models.save(one, models, "value")
    small_models.save(one, models, "yes-or-no", labels="no\nyes\n")
    small_models.save(one, models, "yes", labels="yes\n")
    small_models.save(one, models, "sigmoid-by-config", "activation: SIGMOID\n")
    small_models.save(small_models.ending_in_gemm(make(), "score", 1, activation="Sigmoid"), models, "sigmoid")
    ages = small_models.with_second_head(make(), "age", 1)
    ages.graph.output.reverse()
    small_models.save(ages, models, "age")
    # several things speak
    both = small_models.with_second_head(small_models.ending_in_gemm(make(), "age", 1), "gender", 2)
    small_models.set_outputs(both.graph, {"age": 1, "gender": 2})
    small_models.save(both, models, "age-labels", labels="female\nmale\n")
    small_models.save(both, models, "gender-first", 'heads { output: "gender" } heads { output: "age" }\n')
    bare = small_models.ending_in_gemm(make(), "column", 1)
    small_models.append(bare, "Reshape", ["column", "to"], "score", None, to=np.array([-1], np.int64))
    small_models.save(bare, models, "no-axis", labels="no\nyes\n")
    bounds = {"low": np.float32(0.45), "high": np.float32(0.55)}
    clipped = small_models.ending_in_gemm(make(), "raw", 1, activation="Sigmoid")
    small_models.append(clipped, "Clip", ["raw", "low", "high"], "score", **bounds)
    small_models.save(clipped, models, "clipped", labels="no\nyes\n")
    small_models.save(clipped, models, "clipped-by-config", "activation: SIGMOID\n")
    soft = small_models.ending_in(make(), "Softmax", axis=1)
    small_models.save(soft, models, "declared", 'outputs: "scores" heads { output: "scores" }\n')
    hidden = small_models.ending_in_gemm(make(), "next", 5, "hidden", CLASSES)
    hidden.graph.node.insert(len(hidden.graph.node) - 1,
                             helper.make_node("Softmax", ["fc"], ["hidden"], axis=1))
    hidden.graph.node.insert(len(hidden.graph.node) - 2,
                             helper.make_node("Gemm", ["flatten", "fc.weight", "fc.bias"], ["fc"], transB=1))
    small_models.save(hidden, models, "declared-hidden", 'outputs: "hidden" heads { output: "hidden" }\n')
    for name, order in (("calibrated", ["prob", "logits"]), ("calibrated-last", ["logits", "prob"])):
        scaled = make()
        small_models.append(scaled, "Div", ["logits", "temperature"], "scaled", CLASSES, temperature=np.float32(2))
        small_models.append(scaled, "Softmax", ["scaled"], "prob", CLASSES)
        small_models.set_outputs(scaled.graph, dict.fromkeys(order, CLASSES))
        small_models.save(scaled, models, name)
    small_models.save(small_models.ending_in_gemm(make(), "pool", CLASSES, activation="Softmax"), models, "called-pool")
    # embeddings
    flat = lambda name: small_models.ending_in_gemm(small_models.flattened(make()), name, 24, "map", FEATURES * 64)
    small_models.save(flat("embedding"), models, "embedding")
    small_models.save(flat("out"), models, "undecided")
    small_models.save(flat("out"), models, "undecided-classes", "activation: SOFTMAX\n")
    small_models.save(flat("out"), models, "undecided-embedding", 'embedding: "out"\n')
    small_models.save(flat("out"), models, "undecided-labels", labels="".join(f"{i}\n" for i in range(24)))


    maps = make()
    del maps.graph.output[:]
    maps.graph.output.append(helper.make_tensor_value_info(LAST_MAP, onnx.TensorProto.FLOAT, ["batch", FEATURES, 8, 8]))
    small_models.save(maps, models, "map")


class Outputs(ServerTest):
    @classmethod
    def prepare(cls):
        cls.models = cls.folder / "models"
        write_models(cls.models, cls.folder)
        cls.OPTIONS = [*ONE_PLAN, "--models", str(cls.models)]
        cls.base = small_models.base(cls.folder)

    def embed(self, model: str, count: int = 4, **options) -> list:
        request = pb.EmbedRequest(model=model, images=pictures(count), options=pb.EmbedOptions(**options))
        return self.ok("Embed", request).results

    def refused(self, model: str, **options) -> Error:
        error = self.client.call(
            "Embed", pb.EmbedRequest(model=model, images=pictures(1), options=pb.EmbedOptions(**options))
        )
        self.assertIsInstance(error, Error)
        return error

    def classify(self, model: str, count: int = 4, **options) -> list:
        request = pb.ClassifyRequest(model=model, images=pictures(count), options=pb.ClassifyOptions(**options))
        return self.ok("Classify", request).results

    def pool(self, model: str, count: int = 4) -> np.ndarray:
        return np.array([r.embedding for r in self.embed(model, count)], np.float64)

    def describe(self, model: str) -> pb.GetModelResponse:
        return self.ok("GetModel", pb.GetModelRequest(model=model))

    def near(self, a, b, fraction=1e-5):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        self.assertEqual(a.shape, b.shape)
        self.assertLessEqual(np.abs(a - b).max(), fraction * np.abs(b).max())

    # ---- layers ----

    def test_layers_are_what_they_are_called(self):
        names = ["stage3", "pool", MIDDLE_MAP, "logits", LAST_MAP, "stage2"]
        results = self.embed("plain", layers=names)
        shapes = {layer.name: list(layer.shape) for layer in self.describe("plain").layers}
        self.assertEqual(shapes["pool"], [FEATURES])
        self.assertEqual(shapes[LAST_MAP], [64, 8, 8])
        for result in results:
            self.assertEqual([layer.layer for layer in result.layers], names)
            self.assertEqual(list(result.embedding), [])
        of = {name: np.array([r.layers[i].values for r in results], np.float64).reshape(-1, *shapes[name])
              for i, name in enumerate(names)}
        self.near(of["pool"], self.pool("plain"), 0)
        self.near(of["logits"], small_models.fc(self.base, of["pool"]))
        self.near(of[LAST_MAP].mean((2, 3)), of["pool"])
        self.near(of["stage3"], of["pool"])
        self.near(of[MIDDLE_MAP].mean((2, 3)), of["stage2"])
        self.assertGreater(np.abs(of["stage2"]).max(), 0)

    def test_the_default_layer_by_its_name(self):
        for unnamed, named in zip(self.embed("plain"), self.embed("plain", layers=["pool"]), strict=True):
            self.assertEqual(list(unnamed.embedding), list(named.layers[0].values))
            self.assertEqual(unnamed.embedding_space, named.layers[0].embedding_space)
            self.assertEqual(len(unnamed.layers), 0)

    def test_a_layer_that_is_not_served(self):
        served = [layer.name for layer in self.describe("plain").layers]
        self.assertTrue({"logits", "pool", "stage1", "stage2", "stage3", LAST_MAP, MIDDLE_MAP} == set(served), served)
        for name in ("stage4", "layer1.0.add_relu", "fc.weight", ""):
            error = self.refused("plain", layers=["pool", name])
            self.assertEqual((error.code, error.reason, error.field),
                             ("INVALID_ARGUMENT", "INVALID_FIELD", "options.layers[1]"))
            for known in served:
                self.assertIn(f"'{known}'", error.message)
            self.assertIn(f"got '{name}'", error.message)
        self.assertEqual(self.refused("plain", layers=["pool", "pool"]).field, "options.layers[1]")

    def test_classes_and_layers_from_one_pass(self):
        request = pb.PredictRequest(model="plain", images=pictures(4))
        request.classify.top_k = CLASSES
        request.embed.layers.extend(["stage1", "logits"])
        before = self.batches()
        both = self.ok("Predict", request).results
        self.assertEqual(self.batches() - before, 1)
        classes, layers = self.classify("plain", top_k=CLASSES), self.embed("plain", layers=["stage1", "logits"])
        for result, classified, embedded in zip(both, classes, layers, strict=True):
            self.assertEqual(list(result.classes), list(classified.classes))
            self.assertEqual(list(result.layers), list(embedded.layers))

    def batches(self) -> float:
        return Metrics(self.server.metrics_url).value("resnetd_batch_size_count")

    def test_batch_mates_that_want_other_outputs(self):
        """One worker and many callers: batches hold images of all of them."""
        wishes = [["pool"], ["logits"], ["stage1", "stage2"], [MIDDLE_MAP], ["stage3", "pool", "logits"]]
        expected = [self.embed("plain", 3, layers=layers) for layers in wishes]
        answers, mates = [[] for _ in wishes], []

        def call(i: int):
            with Client(self.server.address) as client:
                request = pb.EmbedRequest(model="plain", images=pictures(3))
                request.options.layers.extend(wishes[i])
                answers[i].extend(client.call("Embed", request) for _ in range(30))

        threads = [threading.Thread(target=call, args=(i,)) for i in range(len(wishes))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, of_caller in enumerate(answers):
            self.assertEqual(len(of_caller), 30)
            for answer in of_caller:
                self.assertNotIsInstance(answer, Error)
                for result, alone in zip(answer.results, expected[i], strict=True):
                    self.assertEqual(list(result.layers), list(alone.layers))
                    mates.append((result.execution.batch_id, i))
        by_batch: dict[int, set] = {}
        for batch, caller in mates:
            by_batch.setdefault(batch, set()).add(caller)
        self.assertGreater(max(len(callers) for callers in by_batch.values()), 1)

    # ---- heads ----

    def test_no_classifier(self):
        model = self.describe("headless")
        self.assertEqual((len(model.heads), model.classes, model.embedding_size), (0, 0, FEATURES))
        for method, request in (
            ("Classify", pb.ClassifyRequest(model="headless", images=pictures(1))),
            ("Predict", pb.PredictRequest(model="headless", images=pictures(1))),
        ):
            error = self.client.call(method, request)
            self.assertEqual((error.code, error.reason), ("FAILED_PRECONDITION", "NO_SUCH_OUTPUT"))
            self.assertIn("no classifier", error.message)
        self.near(self.pool("headless"), self.pool("plain"), 0)
        self.assertIn("'pool'", self.refused("headless", layers=["logits"]).message)

    def test_a_softmax_in_the_file_is_applied_once(self):
        (head,) = self.describe("softmax").heads
        self.assertEqual(head.activation, pb.Head.SOFTMAX)
        logits = small_models.fc(self.base, self.pool("softmax"))
        for model in ("softmax", "plain"):
            self.near([by_index(r) for r in self.classify(model, top_k=CLASSES, scores=LOGITS)], logits)
            self.near([by_index(r) for r in self.classify(model, top_k=CLASSES)], softmax(logits))

    def test_no_activation(self):
        (head,) = self.describe("raw").heads
        self.assertEqual(head.activation, pb.Head.NONE)
        for scores in (LOGITS, pb.ClassifyOptions.PROBABILITIES):
            self.near([by_index(r) for r in self.classify("raw", top_k=CLASSES, scores=scores)],
                      small_models.fc(self.base, self.pool("raw")))

    def test_several_labels_each_with_its_threshold(self):
        probabilities = sigmoid(small_models.fc(self.base, self.pool("tags", 20)))
        for model in ("tags", "one-threshold"):
            (head,) = self.describe(model).heads
            self.assertEqual((head.activation, len(head.thresholds)), (pb.Head.SIGMOID, CLASSES))
            counts = set()
            for result, expected in zip(self.classify(model, 20), probabilities, strict=True):
                found = [c.index for c in result.classes]
                order = [i for i in np.argsort(-expected) if expected[i] >= head.thresholds[i]]
                self.assertEqual(found, order)
                self.near([c.score for c in result.classes], expected[found])
                counts.add(len(found))
            self.assertGreater(len(counts), 1)  # neither all nor a fixed number
            self.assertGreater(max(counts), 5)  # more than a softmax's default
        self.assertEqual([c.label for c in self.classify("tags")[0].classes],
                         [f"tag {c.index}" for c in self.classify("tags")[0].classes])

    def test_top_k_and_a_threshold_of_the_request(self):
        probabilities = sigmoid(small_models.fc(self.base, self.pool("tags", 20)))
        every, best = self.classify("tags", 20), self.classify("tags", 20, top_k=2)
        for whole, two in zip(every, best, strict=True):
            self.assertEqual(list(two.classes), list(whole.classes[:2]))
        for threshold in (0, 0.9, 1.1):
            for result, expected in zip(self.classify("tags", 20, threshold=threshold), probabilities, strict=True):
                self.assertEqual({c.index for c in result.classes}, set(np.flatnonzero(expected >= threshold)))

    def test_two_heads(self):
        model = self.describe("two")
        self.assertEqual([(h.name, h.classes, h.activation) for h in model.heads],
                         [("logits", CLASSES, pb.Head.SOFTMAX), ("colour", len(COLOURS), pb.Head.SIGMOID)])
        self.assertEqual(list(model.heads[1].labels), COLOURS)
        two = small_models.with_second_head(small_models.base(self.folder), "colour", len(COLOURS))
        pool = self.pool("two")
        for head, expected in (
            ("", softmax(small_models.fc(two, pool))),
            ("logits", softmax(small_models.fc(two, pool))),
            ("colour", sigmoid(small_models.fc(two, pool, "colour"))),
        ):
            with self.subTest(head=head):
                results = self.classify("two", head=head, top_k=expected.shape[1])
                self.near([by_index(r) for r in results], expected)
        self.assertEqual({c.label for c in results[0].classes}, set(COLOURS))
        error = self.client.call(
            "Classify", pb.ClassifyRequest(model="two", images=pictures(1), options=pb.ClassifyOptions(head="size"))
        )
        self.assertEqual((error.code, error.field), ("INVALID_ARGUMENT", "options.head"))
        self.assertIn("'logits', 'colour'", error.message)

    def test_a_head_that_the_file_ends_in_a_sigmoid(self):
        self.assertEqual([(h.name, h.activation) for h in self.describe("found").heads],
                         [("logits", pb.Head.SOFTMAX), ("colour", pb.Head.SIGMOID)])
        found = small_models.with_second_head(small_models.base(self.folder), "colour", len(COLOURS), "Sigmoid")
        self.near([by_index(r) for r in self.classify("found", head="colour", top_k=len(COLOURS))],
                  sigmoid(small_models.fc(found, self.pool("found"), "colour")))

    # ---- one score, embeddings, names ----

    def score(self, model: str, weights: str = "score") -> np.ndarray:
        two = small_models.ending_in_gemm(small_models.base(self.folder), weights, 1)
        return small_models.fc(two, self.pool(model), weights)[:, 0]

    def test_one_score_that_nothing_calls_a_class(self):
        for model, head, x in (("value", "score", self.score("value")), ("age", "age", self.score("age", "age"))):
            described = next(h for h in self.describe(model).heads if head in (h.name, *h.aliases))
            self.assertEqual((described.classes, described.activation), (1, pb.Head.NONE))
            self.near([r.classes[0].score for r in self.classify(model, head=head, scores=LOGITS)], x)
            for method, request in (
                ("Classify", pb.ClassifyRequest(model=model, images=pictures(1), options={"head": head})),
                ("Predict", pb.PredictRequest(model=model, images=pictures(2), classify={"head": head})),
            ):
                error = self.client.call(method, request)
                self.assertEqual((error.code, error.reason), ("FAILED_PRECONDITION", "NOT_A_CLASSIFIER"))
                line = "activation: SIGMOID" if model == "value" else 'heads { output: "age" activation: SIGMOID }'
                self.assertIn(f'say "{line}" in the model\'s config.textproto', error.message)

    def test_the_score_of_a_yes_or_no(self):
        x = self.score("value")
        for model, labels in (("yes", ["yes"]), ("sigmoid-by-config", []), ("sigmoid", [])):
            (head,) = self.describe(model).heads
            self.assertEqual((head.classes, head.activation, list(head.labels)), (1, pb.Head.SIGMOID, labels))
            self.near([r.classes[0].score for r in self.classify(model)], sigmoid(x))
            self.near([r.classes[0].score for r in self.classify(model, scores=LOGITS)], x)
        (head,) = self.describe("yes-or-no").heads
        self.assertEqual((head.classes, head.activation, list(head.labels)), (2, pb.Head.SIGMOID, ["no", "yes"]))
        self.assertEqual(head.evidence, "2 labels")
        self.near([by_index(r) for r in self.classify("yes-or-no")], np.stack([1 - sigmoid(x), sigmoid(x)], axis=1))
        self.near([by_index(r) for r in self.classify("yes-or-no", scores=LOGITS)], np.stack([-x, x], axis=1))
        for result, score in zip(self.classify("yes-or-no", top_k=10), x, strict=True):
            self.assertEqual(result.classes[0].label, "yes" if score > 0 else "no")

    def test_a_regression_beside_a_classifier(self):
        self.assertEqual([(h.name, list(h.aliases), h.classes) for h in self.describe("age").heads],
                         [("logits", [], CLASSES), ("age", [], 1)])
        self.near([by_index(r) for r in self.classify("age", top_k=CLASSES)],
                  softmax(small_models.fc(self.base, self.pool("age"))))

    # ---- where several things speak ----

    def test_labels_go_to_the_output_that_they_fit(self):
        gender, age = self.describe("age-labels").heads
        self.assertEqual((list(gender.aliases), list(gender.labels), gender.activation, gender.evidence),
                         (["gender"], ["female", "male"], pb.Head.SOFTMAX, "2 labels"))
        self.assertEqual((age.name, list(age.labels), age.classes, age.activation), ("age", [], 1, pb.Head.NONE))

    def test_labels_that_may_be_those_of_several_values(self):
        two = small_models.with_second_head(small_models.ending_in_gemm(small_models.base(self.folder), "age", 1), "size", 1)
        small_models.set_outputs(two.graph, {"age": 1, "size": 1})
        small_models.save(two, self.folder / "unclear", "ages", labels="no\nyes\n")
        check = self.server.ctl("check", str(self.folder / "unclear" / "ages"))
        self.assertEqual(check.returncode, 1)
        self.assertIn("labels.txt: expected as many labels as one output has values, got 2", check.stdout + check.stderr)

    def test_heads_are_in_the_configs_order(self):
        self.assertEqual([[*h.aliases, h.name][0] for h in self.describe("gender-first").heads], ["gender", "age"])
        self.assertEqual(len(self.classify("gender-first")[0].classes), 2)

    def test_a_score_without_an_axis(self):
        (head,) = self.describe("no-axis").heads
        self.assertEqual((head.classes, list(head.labels), list(head.aliases)), (2, ["no", "yes"], ["score"]))
        x = self.score("no-axis", "column")
        self.near([by_index(r) for r in self.classify("no-axis")], np.stack([1 - sigmoid(x), sigmoid(x)], axis=1))

    def test_a_probability_of_the_file_is_answered_as_it_is(self):
        p = np.clip(sigmoid(self.score("clipped", "raw")), 0.45, 0.55)
        for model in ("clipped", "clipped-by-config"):
            (head,) = self.describe(model).heads
            self.assertEqual(head.activation, pb.Head.SIGMOID)
            self.near([by_index(r)[-1] for r in self.classify(model)], p)
            self.near([by_index(r)[-1] for r in self.classify(model, scores=LOGITS)], np.log(p / (1 - p)), 1e-4)
        self.near([sum(by_index(r)) for r in self.classify("clipped")], np.ones(4))

    def test_a_softmax_of_the_file_is_not_applied_to_its_own_values(self):
        expected = softmax(small_models.fc(self.base, self.pool("plain")))
        self.near([by_index(r) for r in self.classify("declared", top_k=CLASSES)], expected)
        hidden = self.classify("declared-hidden", head="hidden", top_k=CLASSES)
        self.near([by_index(r) for r in hidden], expected)

    def test_the_files_names_come_before_ours(self):
        logits = small_models.fc(self.base, self.pool("plain"))
        for model in ("calibrated", "calibrated-last"):
            (head,) = self.describe(model).heads
            self.assertEqual((head.name, head.activation), ("prob", pb.Head.SOFTMAX))
            self.near([by_index(r) for r in self.classify(model, top_k=CLASSES)], softmax(logits / 2))
            self.near([r.layers[0].values for r in self.embed(model, layers=["logits"])], logits)
        by_alias, by_name = (self.classify("called-pool", head=name) for name in ("pool", "logits"))
        self.assertEqual([list(r.classes) for r in by_alias], [list(r.classes) for r in by_name])
        self.near(self.pool("called-pool"), self.pool("plain"), 0)

    def test_what_the_tools_say_of_heads(self):
        for model, says in (("yes-or-no", "classes           2"), ("value", "classes           1")):
            check = self.server.ctl("check", str(self.models / model))
            self.assertEqual(check.returncode, 0, check.stderr)
            self.assertIn(says, check.stdout)
        self.assertRegex(self.server.log.read_text(), r"model yes-or-no version 1: \S+ -> 2 classes")
        details = self.server.ctl("models", "called-pool").stdout
        self.assertIn("logits (the file's pool): 12 classes", details)

    def test_weights_that_are_not_finite_are_called_by_their_names(self):
        normed = small_models.ending_in_gemm(small_models.base(self.folder), "raw", 4)
        nan = np.array([1, np.nan, 1, 1], np.float32)
        ones = {name: np.ones(4, np.float32) for name in ("norm.shift", "norm.mean", "norm.variance")}
        small_models.append(normed, "BatchNormalization", ["raw", "norm.scale", *ones], "out", 4,
                            **{"norm.scale": nan, **ones})
        small_models.save(normed, self.folder / "damaged", "nan")
        check = self.server.ctl("check", str(self.folder / "damaged" / "nan"))
        self.assertEqual(check.returncode, 1)
        self.assertIn("tensor 'norm.scale': expected finite values, got nan at index 1", check.stdout + check.stderr)

    def test_an_embedding_is_no_classifier(self):
        for model in ("embedding", "undecided", "undecided-embedding"):
            described = self.describe(model)
            self.assertEqual((len(described.heads), described.embedding_size), (0, 24))
            error = self.client.call("Classify", pb.ClassifyRequest(model=model, images=pictures(1)))
            self.assertEqual((error.code, error.reason), ("FAILED_PRECONDITION", "NO_SUCH_OUTPUT"))
            self.assertIn("config.textproto", error.message)
            self.assertIn(described.no_classifier, error.message)
            self.near(self.pool(model), self.pool("embedding"), 0)
        for model in ("undecided-classes", "undecided-labels"):
            described = self.describe(model)
            self.assertEqual((described.classes, described.embedding_size), (24, FEATURES * 64))
            self.near([by_index(r) for r in self.classify(model, top_k=24)], softmax(self.pool("embedding")))
        self.assertEqual(self.describe("undecided-labels").heads[0].evidence, "24 labels")

    def test_an_output_keeps_its_name(self):
        (head,) = self.describe("value").heads
        self.assertEqual((head.name, list(head.aliases)), ("logits", ["score"]))
        self.assertEqual([list(x.aliases) for x in self.describe("embedding").layers if x.name == "pool"],
                         [["embedding"]])
        (by_alias,), (by_name,) = (self.embed("embedding", 1, layers=[name]) for name in ("embedding", "pool"))
        self.assertEqual(by_alias.layers[0].layer, "embedding")
        self.assertEqual(list(by_alias.layers[0].values), list(by_name.layers[0].values))
        self.assertEqual(self.refused("embedding", layers=["pool", "embedding"]).field, "options.layers[1]")

    def test_a_backbone_that_ends_in_a_map(self):
        self.near(self.pool("map"), self.pool("plain"))
        (result,) = self.embed("map", 1, layers=[LAST_MAP])
        self.near(np.reshape(result.layers[0].values, (FEATURES, 64)).mean(1), self.pool("map", 1)[0])

    # ---- dimensions and spaces ----

    def test_dimensions_that_the_config_allows(self):
        whole = self.pool("plain")
        for dimensions in (16, 32, FEATURES, 0):
            kept = whole[:, : dimensions or FEATURES]
            for l2_normalize in (False, True):
                vectors = [r.embedding for r in self.embed("plain", dimensions=dimensions, l2_normalize=l2_normalize)]
                expected = kept / np.linalg.norm(kept, axis=1, keepdims=True) if l2_normalize else kept
                self.near(vectors, expected, 1e-6)

    def test_dimensions_that_it_does_not(self):
        for model, options in (
            ("plain", {"dimensions": 15}),
            ("plain", {"dimensions": 65}),
            ("plain", {"dimensions": -1}),
            ("plain", {"dimensions": 16, "layers": ["pool", "stage3"]}),
            ("headless", {"dimensions": 16}),
        ):
            with self.subTest(model=model, **options):
                error = self.refused(model, **options)
                self.assertEqual((error.code, error.field), ("INVALID_ARGUMENT", "options.dimensions"))
                self.assertIn(f"got {options['dimensions']}", error.message)

    def test_spaces_of_answers_are_those_of_get_model(self):
        layers = self.describe("plain").layers
        ids = {}
        for layer in layers:
            for space in layer.spaces:
                ids[layer.name, space.dimensions, space.l2_normalized] = space.id
        self.assertEqual(len(set(ids.values())), 2 * (len(layers) + 2))
        for (name, dimensions, l2_normalized), space in ids.items():
            with self.subTest(name, dimensions=dimensions, l2_normalized=l2_normalized):
                options = {"layers": [name], "dimensions": dimensions, "l2_normalize": l2_normalized}
                (result,) = self.embed("plain", 1, require_space=[space], **options)
                self.assertEqual(result.layers[0].embedding_space, space)
                for other in set(ids.values()) - {space}:
                    error = self.refused("plain", require_space=[other], **options)
                    self.assertEqual((error.code, error.reason), ("FAILED_PRECONDITION", "OTHER_EMBEDDING_SPACE"))
                    self.assertIn(f"'{other}'", error.message)
                    self.assertIn(f"'{space}'", error.message)

    def test_a_space_for_each_layer(self):
        spaces = {layer.name: layer.spaces[0].id for layer in self.describe("plain").layers}
        names = ["stage1", "pool"]
        self.embed("plain", layers=names, require_space=[spaces[n] for n in names])
        self.assertEqual(self.refused("plain", layers=names, require_space=[spaces["stage1"]]).code,
                         "INVALID_ARGUMENT")
        self.assertEqual(self.refused("plain", layers=names, require_space=[spaces["pool"], spaces["stage1"]]).code,
                         "FAILED_PRECONDITION")

    def test_spaces_depend_on_the_model_and_on_nothing_else(self):
        def spaces(client: Client, name: str) -> dict:
            layers = client.call("GetModel", pb.GetModelRequest(model=name)).layers
            return {(x.name, s.dimensions, s.l2_normalized): s.id for x in layers for s in x.spaces}

        here = spaces(self.client, "plain")
        moved = self.folder / "moved"
        shutil.copytree(self.models / "plain", moved / "same-file")
        shutil.copytree(self.models / "plain", moved / "other-recipe")
        with (moved / "other-recipe/1/config.textproto").open("a") as config:
            config.write("preprocessing { mean: [0.5, 0.5, 0.5] }\n")
        options = ["--models", str(moved), "--batch-sizes", "1,3", "--threads", "2"]
        scratch = self.folder / "second"
        scratch.mkdir()
        with RunningServer(sys.argv[1], sys.argv[2], scratch, *options) as server, Client(server.address) as client:
            self.assertEqual(spaces(client, "same-file"), here)
            other = spaces(client, "other-recipe")
        self.assertEqual(other.keys(), here.keys())
        self.assertFalse(set(other.values()) & set(here.values()))
        headless = spaces(self.client, "headless")
        self.assertFalse(set(headless.values()) & set(here.values()))  # another file

    def test_golden_embeddings(self):
        """A model is served if its embeddings come out, and not if they do not."""
        png = images.rgb_png(PICTURES[0])
        (result,) = self.ok("Embed", pb.EmbedRequest(model="headless", images=[images.encoded(png)])).results
        for change, served in ((0.0, True), (0.01, False)):
            values = np.array(result.embedding)
            values[5] += change * np.abs(values).max()
            folder = self.folder / f"golden{served}" / "headless"
            shutil.copytree(self.models / "headless", folder)
            image = "".join(f"\\x{b:02x}" for b in png)
            (folder / "1/golden.textproto").write_text(
                f'golden {{ name: "noise" image: "{image}" embedding: {[float(v) for v in values]} }}\n'
            )
            with self.subTest(served=served):
                server = RunningServer(sys.argv[1], sys.argv[2], folder, "--models", str(folder.parent))
                if served:
                    with server:
                        pass
                else:
                    with self.assertRaisesRegex(RuntimeError, "golden image 'noise': expected the embedding's value 5"):
                        server.__enter__()

    # ---- the command line ----

    def run_json(self, *arguments: str):
        run = self.server.ctl("--json", *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def files(self, count: int) -> tuple[pathlib.Path, list[bytes]]:
        folder = self.folder / f"{count} pictures"
        folder.mkdir(exist_ok=True)
        files = [images.rgb_png(p) for p in PICTURES[:count]]
        for i, file in enumerate(files):
            (folder / f"{i:02}.png").write_bytes(file)
        return folder, files

    def test_resnetctl(self):
        folder, files = self.files(3)
        (entry, *_) = self.run_json("embed", "--model", "plain", "--layer", "stage1", "--layer", "pool", str(folder))
        (expected, *_) = self.embed("plain", 3, layers=["stage1", "pool"])
        for layer in expected.layers:
            self.near(entry["layers"][layer.layer]["embedding"], layer.values)
            self.assertEqual(entry["layers"][layer.layer]["embedding_space"], layer.embedding_space)
        space = entry["layers"]["pool"]["embedding_space"]
        self.run_json("embed", "--model", "plain", "--require-space", space, str(folder))
        other = self.server.ctl("embed", "--model", "plain", "--l2", "--require-space", space, str(folder))
        self.assertEqual(other.returncode, 1)
        self.assertIn("FAILED_PRECONDITION", other.stderr)
        short = self.run_json("embed", "--model", "plain", "--dimensions", "16", str(folder))
        self.assertEqual([len(e["embedding"]) for e in short], [16] * 3)
        coloured = self.run_json("classify", "--model", "two", "--head", "colour", "--top-k", "5", str(folder))
        self.assertEqual({c["label"] for c in coloured[0]["classes"]}, set(COLOURS))
        details = self.server.ctl("models", "plain").stdout
        self.assertIn(space, details)
        self.assertIn("logits: 12 classes", details)

    def test_projection(self):
        count, components = len(PICTURES), 8
        folder, files = self.files(count)
        out = self.folder / "projected" / "small"
        model = ["--model", str(self.models / "plain")]
        learnt = self.run_json("project", "--pca", str(components), *model, "--out", str(out), str(folder))
        self.assertEqual((learnt["images"], learnt["failed"], learnt["features"]), (count, 0, FEATURES))

        # The expected projection follows the definition, from embeddings as the server gives them.
        encoded = [images.encoded(file) for file in files]
        request = pb.EmbedRequest(model="plain", images=encoded)
        x = np.array([r.embedding for r in self.ok("Embed", request).results], np.float64)
        centred = x - x.mean(0)
        variances, vectors = np.linalg.eigh(centred.T @ centred / (count - 1))
        w = vectors[:, ::-1][:, :components].T
        w *= np.sign(w[np.arange(components), np.abs(w).argmax(1)])[:, None]
        self.assertAlmostEqual(learnt["explained_variance"], variances[::-1][:components].sum() / variances.sum(),
                               delta=1e-5)

        scratch = self.folder / "third"
        scratch.mkdir()
        self.assertTrue((out / "plain.data").exists())  # the weights that lie beside the model
        options = ["--models", str(out), *ONE_PLAN]
        with RunningServer(sys.argv[1], sys.argv[2], scratch, *options) as server, Client(server.address) as client:
            layers = ["projection", "pool", "logits"]
            ask = lambda **how: client.call("Embed", pb.EmbedRequest(images=encoded, options=pb.EmbedOptions(**how)))
            results = ask(layers=layers).results
            projected, pool, logits = (np.array([r.layers[i].values for r in results], np.float64) for i in range(3))
            self.near(projected, centred @ w.T, 1e-4)
            self.near(pool, x, 0)
            self.near(logits, small_models.fc(self.base, x))
            # The model that was served before is served still, with all that its config declares.
            served = client.call("GetModel", pb.GetModelRequest())
            self.assertTrue({LAST_MAP, MIDDLE_MAP, "projection"} <= {layer.name for layer in served.layers})
            for dimensions in (2, 4, components):
                short = [r.layers[0].values for r in ask(layers=["projection"], dimensions=dimensions).results]
                self.near(short, projected[:, :dimensions], 0)
            self.assertIsInstance(ask(layers=["projection"], dimensions=3), Error)

    def test_projection_of_mistakes(self):
        folder, _ = self.files(5)
        (self.folder / "there").mkdir()
        text = self.folder / "text"
        text.mkdir()
        shutil.copytree(folder, text, dirs_exist_ok=True)
        (text / "bad.png").write_bytes(b"text")
        model, new = ["--model", str(self.models / "plain")], self.folder / "new"
        for arguments, status, says in (
            (["--pca", "5", *model, "--out", str(new), str(folder)], 1, "expected more than 5 images"),
            (["--pca", "5", *model, "--out", str(new), str(text)], 1, "expected more than 5 images"),
            (["--pca", "2", *model, "--out", str(new), "--layer", "logits", str(folder)], 1, "got 'logits'"),
            (["--pca", "2", "--model", "nowhere", "--out", str(new), str(folder)], 1, "nowhere"),
            (["--pca", "0", *model, "--out", str(new), str(folder)], 2, "--pca"),
            (["--pca", "2", *model, "--out", str(self.folder / "there"), str(folder)], 2, "--out"),
            (["--pca", "2", "--out", str(new), str(folder)], 2, "--model"),
        ):
            with self.subTest(arguments=arguments):
                run = self.server.ctl("project", *arguments)
                self.assertEqual(run.returncode, status, run.stderr)
                self.assertIn(says, run.stderr + run.stdout)
                self.assertFalse(new.exists())
        run = self.server.ctl("project", "--pca", "4", *model, "--out", str(new), str(text))
        self.assertEqual(run.returncode, 1)  # one image was bad, and the others are enough
        self.assertIn("bad.png", run.stderr)
        self.assertTrue((new / "model.onnx").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
