"""Starts that fail: the exit status, and one clear line on stderr. And those that must not fail.

    start_test.py RESNETD RESNETCTL
"""

import collections
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import images
import numpy as np
import onnx
import onnx.numpy_helper
from client import Client, Metrics, http_get, pb, wait_until
from google.protobuf import text_format
from health.v1 import health_pb2, health_pb2_grpc
from resnetd.v1 import model_config_pb2
from running_server import RunningServer

RESNETD = sys.argv[1]
PATIENCE_SECONDS = 60
DAY_MS = 24 * 3600 * 1000
INT_MAX, BYTES_MAX = 2**31 - 1, 2**46

# option, least, most
RANGES = [
    ("--port", 0, 65535), ("--metrics-port", 0, 65535), ("--max-calls-in-flight", 1, 1_000_000),
    ("--max-calls-per-connection", 0, 1_000_000),
    ("--max-bytes-in-flight", 1, BYTES_MAX), ("--max-message-bytes", 1, INT_MAX),
    ("--max-images-per-request", 1, 65536), ("--max-image-pixels", 1, 2**30), ("--stream-window", 1, 65536),
    ("--max-streams-per-connection", 1, 1_000_000),
    ("--message-timeout-ms", 0, DAY_MS), ("--answer-timeout-ms", 0, DAY_MS),
    ("--workers", 0, 256), ("--threads", 1, 256),
    ("--max-queue-ms", 0, DAY_MS), ("--max-queue-bytes", 1, BYTES_MAX), ("--default-deadline-ms", 0, DAY_MS),
    ("--lame-duck-ms", 0, DAY_MS), ("--drain-ms", 0, DAY_MS),
]


def start(*options, **environment: str) -> subprocess.CompletedProcess:
    """Of a server that must end by itself, with no variables of resnetd's but these."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("RESNETD_")}
    return subprocess.run([RESNETD, *map(str, options)], capture_output=True, text=True, timeout=PATIENCE_SECONDS,
                          env=others | environment)


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


class Start(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def assert_fails(self, run: subprocess.CompletedProcess, status: int, says: list[str]):
        """One line says why: the log's one error, or the command line's one complaint."""
        self.assertEqual(run.returncode, status, run.stderr)
        self.assertEqual(run.stdout, "")
        lines = run.stderr.splitlines()
        if status == 1:
            errors = [line for line in lines if re.match(r"\S+ E ", line)]
            self.assertEqual(errors, lines[-1:], run.stderr)
            self.assertNotIn(" I serving", run.stderr)
        else:
            self.assertEqual(lines[1:], ["Run with --help for more information."], run.stderr)
            errors = lines[:1]
        for words in says:
            self.assertIn(words, errors[0])

    def model(self, version: str = "models/clothes/1") -> pathlib.Path:
        """A copy of the default model's folder, to be spoilt."""
        return pathlib.Path(shutil.copytree(images.MODEL, self.folder / version))

    def fails_with(self, folder: pathlib.Path, says: list[str]):
        self.assert_fails(start("--port", 0, "--metrics-port", 0, "--model", folder / "model.onnx"), 1, says)

    def replace(self, file: pathlib.Path, old: str, new: str):
        text = file.read_text()
        self.assertIn(old, text)
        file.write_text(text.replace(old, new, 1))

    def test_model_files_that_are_none(self):
        (self.folder / "random.onnx").write_bytes(np.random.RandomState(1).bytes(100_000))
        (self.folder / "empty.onnx").touch()
        (self.folder / "half.onnx").write_bytes((images.MODEL / "model.onnx").read_bytes()[:500_000])
        (self.folder / "folder.onnx").mkdir()
        os.mkfifo(self.folder / "pipe.onnx")
        for name, says in (("missing", "missing.onnx"), ("random", "not an ONNX model"), ("empty", "the file is empty"),
                           ("half", "damaged or truncated"), ("folder", "expected a regular file"),
                           ("pipe", "expected a regular file")):
            with self.subTest(name):
                path = self.folder / f"{name}.onnx"
                run = start("--port", 0, "--metrics-port", 0, "--model", path)
                self.assert_fails(run, 1, [f"model '{name}'", str(path), says])

    def test_an_operator_that_is_not_supported_is_named_with_its_node(self):
        for name, after in (("odd one", "Conv"), ("last", "Gemm")):
            model = onnx.load(images.make_resnet(self.folder / "model.onnx", "--arch", "cifar20"))
            place = [node.op_type for node in model.graph.node].index(after)
            node = model.graph.node[place]
            odd = onnx.helper.make_node("Sin", ["between"], list(node.output), name=name)
            node.output[:] = ["between"]
            model.graph.node.insert(place + 1, odd)
            onnx.save(model, self.folder / "model.onnx")
            with self.subTest(name):
                self.fails_with(self.folder, ["operators that are not supported: Sin (1 node)", f"'{name}'"])

    def test_a_port_in_use(self):
        for option, other in (("--port", "--metrics-port"), ("--metrics-port", "--port")):
            with self.subTest(option), listening() as taken:
                port = taken.getsockname()[1]
                run = start(option, port, other, 0)
                self.assert_fails(run, 1, [f"cannot listen on 127.0.0.1:{port}", "the port is in use", option])

    def test_a_second_server_on_the_same_ports(self):
        with RunningServer(*sys.argv[1:3], self.folder) as first:
            for port, metrics_port, says in ((first.port, 0, first.address),
                                             (0, first.metrics_port, f"127.0.0.1:{first.metrics_port}")):
                run = start("--port", port, "--metrics-port", metrics_port)
                self.assert_fails(run, 1, [f"cannot listen on {says}", "the port is in use"])
            self.assertEqual(first.ctl("health").returncode, 0)

    def test_folders_that_are_not_served(self):
        self.model("models/clothes/2")
        for name in ("clothes/1", "clothes/3", "clothes/v4", *(f"other{i}" for i in range(70))):
            (self.folder / "models" / name).mkdir(parents=True)
        with RunningServer(*sys.argv[1:3], self.folder, "--models", str(self.folder / "models")) as server:
            lines = [line for line in server.log.read_text().splitlines() if re.match(r"\S+ W --models: ", line)]
        self.assertEqual(len(lines), 65)
        for line, says in zip(lines, ("clothes/1' is not served: there is no model.onnx in it",
                                      "clothes/3' is not served: there is no model.onnx in it",
                                      "clothes/v4' is not served: expected a number",
                                      "other0' is not served: there is no <version>/model.onnx in it")):
            self.assertIn(says, line)
        self.assertIn("9 more folders are not served", lines[-1])

    def test_both_forms_of_an_ipv6_address(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        for address in ("::1", "[::1]"):
            with self.subTest(address), RunningServer(*sys.argv[1:3], self.folder, "--address", address,
                                                      "--metrics-address", address, wait=False) as server:
                url = f"http://[::1]:{server.metrics_port}"
                wait_until(lambda: http_get(f"{url}/readyz")[0] == 200, "it serves")
                with Client(f"[::1]:{server.port}") as client:
                    self.assertEqual(len(client.call("ListModels", pb.ListModelsRequest()).models), 1)
                self.assertIn(f"gRPC on [::1]:{server.port}, metrics and probes on [::1]:{server.metrics_port};",
                              server.log.read_text())

    def test_addresses_and_numbers_that_may_be_others(self):
        for option in ("--address", "--metrics-address"):
            for address in ("0", "127.1", "0x7f000001", "[127.0.0.1]"):
                with self.subTest(option, address=address):
                    self.assert_fails(start(option, address), 2, [f"{option}: expected a name", f"got '{address}'"])
        for option, least, most in RANGES:
            for value in ("0x10", "010", "1_000"):
                with self.subTest(option, value=value):
                    self.assert_fails(start(option, value), 2, [option, f"expected {least} to {most}", f"got {value}"])

    def test_an_address_space_that_is_too_small(self):
        """Of whatever size, it serves, or one line says what is too little."""
        if b"__asan_init" in pathlib.Path(RESNETD).read_bytes():
            self.skipTest("AddressSanitizer needs terabytes of addresses")
        outcomes = collections.Counter()
        for megabytes in [160, 220, 300, 400, 4096]:
            with self.subTest(megabytes=megabytes), open(self.folder / "log", "w+") as log:
                limit = megabytes << 20
                with subprocess.Popen([RESNETD, "--port", "0", "--metrics-port", "0", "--lame-duck-ms", "0"], stderr=log,
                                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))) as server:
                    text = pathlib.Path(log.name).read_text
                    wait_until(lambda: server.poll() is not None or " I serving" in text(), "it serves or ends")
                    server.terminate()
                errors = [line for line in text().splitlines() if re.match(r"\S+ E ", line)]
                self.assertEqual(len(errors), server.returncode, text())
                too_little = "is too little" in text()
                outcomes["too little" if too_little else "no memory" if errors else "served"] += 1
                if too_little:
                    self.assertIn(f"the address space of {megabytes * 1024} KiB (ulimit -v) is too little", errors[0])
                elif errors:
                    self.assertRegex(errors[0], "out_of_memory|not enough memory")
        self.assertGreater(outcomes["too little"], 0, outcomes)
        self.assertGreater(outcomes["served"], 0, outcomes)

    def test_options_that_are_none(self):
        for options, says in ((["--frobnicate"], "--frobnicate"), (["--frobnicate", "3"], "--frobnicate"),
                              (["model.onnx"], "model.onnx"), (["--port"], "--port"), (["--port", "many"], "many"),
                              (["--log-level", "loud"], "loud"), (["--labels", "labels.txt"], "--model"),
                              (["--model", "a.onnx", "--models", "b"], "--model"),
                              (["--batch-sizes", "0"], "--batch-sizes"), (["--batch-sizes", "257"], "--batch-sizes"),
                              (["--batch-sizes", "4,2"], "--batch-sizes"), (["--batch-sizes", "2,2"], "--batch-sizes"),
                              ):
            with self.subTest(options=options):
                self.assert_fails(start(*options), 2, [says])

    def test_options_out_of_range(self):
        for option, least, most in RANGES:
            for value in (least - 1, most + 1):
                with self.subTest(option, value=value):
                    says = [option, f"expected {least} to {most}", f"got {value}"]
                    self.assert_fails(start(option, value), 2, says)
                    variable = "RESNETD_" + option[2:].replace("-", "_").upper()
                    self.assert_fails(start(**{variable: str(value)}), 2, says[1:])
            for value in (least, most):
                with self.subTest(option, value=value):
                    # That is allowed: it gets as far as the folder that is not there.
                    run = start(option, value, "--models", self.folder / "missing")
                    self.assert_fails(run, 1, ["--models: expected a folder"])

    def test_variables_that_are_no_options(self):
        """Those of Kubernetes beside Services called resnetd and resnetd-metrics, and mistakes: it starts, and says so."""
        variables = {
            "RESNETD_PORT": "tcp://10.0.0.1:8500", "RESNETD_METRICS_PORT": "tcp://10.0.0.2:8501",
            "RESNETD_SERVICE_HOST": "10.0.0.1", "RESNETD_SERVICE_PORT": "8500", "RESNETD_SERVICE_PORT_GRPC": "8500",
            "RESNETD_PORT_8500_TCP": "tcp://10.0.0.1:8500", "RESNETD_PORT_8500_TCP_PROTO": "tcp",
            "RESNETD_PORT_8500_TCP_PORT": "8500", "RESNETD_PORT_8500_TCP_ADDR": "10.0.0.1",
            "RESNETD_METRICS_SERVICE_HOST": "10.0.0.2", "RESNETD_MAX_QUEUE": "7", "RESNETD_LOG_LEVEL": "info",
        }
        run = start("--models", self.folder / "missing", **variables)
        self.assert_fails(run, 1, ["--models: expected a folder"])
        warnings = [line for line in run.stderr.splitlines() if re.match(r"\S+ W ", line)]
        self.assertEqual(len(warnings), 3, run.stderr)
        for words in ("RESNETD_PORT=tcp://10.0.0.1:8500 is passed over", "RESNETD_METRICS_PORT=tcp://10.0.0.2:8501 is passed",
                      "RESNETD_MAX_QUEUE is no option's, and is passed over; the nearest is RESNETD_MAX_QUEUE_MS"):
            self.assertEqual(len([line for line in warnings if words in line]), 1, words)

    def test_addresses_of_services_in_other_variables(self):
        """Kubernetes makes no such names: they are what the option says of them, and nothing else is served instead."""
        for variable, says in (("RESNETD_WORKERS", ["--workers: expected 0 to"]), ("RESNETD_MODEL", ["--model: expected a path"]),
                               ("RESNETD_MODELS", ["--models: expected a path"]), ("RESNETD_LOG_LEVEL", ["--log-level"]),
                               ("RESNETD_RECIPE", ["--recipe"]), ("RESNETD_MAX_QUEUE_MS", ["--max-queue-ms: expected 0 to"])):
            with self.subTest(variable):
                self.assert_fails(start(**{variable: "tcp://10.0.0.1:8500"}), 2, says)

    def test_a_message_that_could_never_be_read(self):
        fitting = ["--max-bytes-in-flight", 1000, "--max-message-bytes"]
        self.assert_fails(start("--port", 0, "--metrics-port", 0, *fitting, 1001), 1,
                          ["--max-message-bytes of 1001", "--max-bytes-in-flight of 1000"])
        with RunningServer(*sys.argv[1:3], self.folder, *map(str, [*fitting, 1000])):
            pass

    def test_unknown_config_key(self):
        folder = self.model()
        for key in ("colour_of_the_sky: BLUE", "preprocessing { reszie: EXACT }"):
            with self.subTest(key):
                (folder / "config.textproto").write_text(f'description: "x"\n{key}\n')
                name = "colour_of_the_sky" if "sky" in key else "reszie"
                self.fails_with(folder, ["config.textproto:2:", name, "model 'clothes'"])

    def test_config_values(self):
        for old, new, says in (("resize: EXACT", "resize: SIDEWAYS", ["SIDEWAYS"]),
                               ("mean: 0.2860", "mean: 0.2860 mean: 0.5",
                                ["preprocessing.mean", "expected 1 values", "got 2"]),
                               ("std: 0.3530", "std: 0", ["std"]),
                               ("resize: EXACT", 'preset: "imagenet-2031"', ["preprocessing.preset", "imagenet-2031"]),
                               ):
            with self.subTest(new):
                folder = self.model(f"models/{len(list(self.folder.glob('models/*')))}/1")
                self.replace(folder / "config.textproto", old, new)
                self.fails_with(folder, says)

    def test_wrong_number_of_labels(self):
        folder = self.model()
        for count in (0, 9, 11):
            with self.subTest(count=count):
                (folder / "labels.txt").write_text("".join(f"label {i}\n" for i in range(count)))
                self.fails_with(folder, ["labels.txt", "expected 10 labels", f"got {count}"])
        elsewhere = self.folder / "elsewhere.txt"
        elsewhere.write_text("one\ntwo\n")
        run = start("--port", 0, "--metrics-port", 0, "--model", folder / "model.onnx", "--labels", elsewhere)
        self.assert_fails(run, 1, [str(elsewhere), "expected 10 labels", "got 2"])

    def test_golden_answers_that_do_not_come_out(self):
        """The answers' file is what it was, and what is served has changed; or the other way round."""
        for name, file, old, new, says in (
            ("another recipe", "config.textproto", "mean: 0.2860", "mean: 0.2960",
             ["expected the logit of class", "got"]),
            ("a logit too many", "golden.textproto", "logits: ", "logits: 0 logits: ",
             ["expected 10 logits", "got 11"]),
            ("no image", "golden.textproto", "\\211PNG", "PNG", ["expected a JPEG, PNG or WebP"]),
        ):
            with self.subTest(name):
                folder = self.model(f"models/{name}/1")
                self.replace(folder / file, old, new)
                self.fails_with(folder, ["golden image 't10k", *says])

    def test_golden_answers_within_their_tolerance(self):
        folder = self.model()
        written = text_format.Parse((folder / "golden.textproto").read_text(), model_config_pb2.GoldenSet())
        for share, comes_out in ((0.3, True), (3, False)):
            golden = model_config_pb2.GoldenSet.FromString(written.SerializeToString())
            one = golden.golden[-1]
            one.logits[3] += share * golden.tolerance * max(map(abs, one.logits))
            (folder / "golden.textproto").write_text(text_format.MessageToString(golden))
            with self.subTest(share=share):
                if comes_out:
                    with RunningServer(*sys.argv[1:3], self.folder, "--model", str(folder / "model.onnx")):
                        pass
                else:
                    self.fails_with(folder, [f"golden image '{one.name}'", "expected the logit of class 3", "got"])

    def test_a_changed_weight_is_noticed(self):
        folder = self.model()
        model = onnx.load(folder / "model.onnx")
        weights = max(model.graph.initializer, key=lambda t: len(t.raw_data))
        values = onnx.numpy_helper.to_array(weights).copy()
        values.flat[0] += 1
        weights.raw_data = values.tobytes()
        onnx.save(model, folder / "model.onnx")
        self.fails_with(folder, ["golden image", "expected the logit of class"])

    def test_models_folders_without_models(self):
        (self.folder / "empty").mkdir()
        (self.folder / "unversioned/clothes/latest").mkdir(parents=True)
        shutil.copy(images.MODEL / "model.onnx", self.folder / "unversioned/clothes/latest")
        for name, says in (("missing", "expected a folder"), ("empty", "found neither"),
                           ("unversioned", "found neither")):
            with self.subTest(name):
                folder = self.folder / name
                self.assert_fails(start("--models", folder), 1, ["--models: ", str(folder), says])

    def test_models_folders(self):
        self.model("versioned/clothes/1")
        self.model("flat")
        self.model("two/clothes/9")
        self.model("two/clothes/10")
        (self.folder / "two/clothes/11").mkdir()  # being copied, say
        for name, model, version in (("versioned", "clothes", "1"), ("flat", "flat", "1"), ("two", "clothes", "10")):
            options = ["--models", str(self.folder / name)]
            with self.subTest(name), RunningServer(*sys.argv[1:3], self.folder, *options) as server:
                with Client(server.address) as client:
                    answer = client.call("Classify", pb.ClassifyRequest(images=[images.u8(images.fashion()[0])]))
                    self.assertEqual((answer.model, answer.model_version), (model, version))
                    self.assertEqual(answer.results[0].classes[0].label, "Ankle boot")

    def test_one_bad_model_among_good_ones(self):
        self.model("models/a/1")
        (self.model("models/b/1") / "labels.txt").write_text("one\n")
        self.assert_fails(start("--models", self.folder / "models", "--port", 0, "--metrics-port", 0), 1,
                          ["model 'b'", "labels.txt", "expected 10 labels"])

    def test_keep_going_without_the_bad_ones(self):
        self.model("models/a/1")
        (self.model("models/b/1") / "labels.txt").write_text("one\n")
        (self.model("models/c/7") / "model.onnx").write_bytes(b"no network")
        bad = {"b": ("1", "labels.txt: expected 10 labels"), "c": ("7", "not an ONNX model")}
        options = ["--models", str(self.folder / "models"), "--keep-going"]
        with RunningServer(*sys.argv[1:3], self.folder, *options) as server, Client(server.address) as client:
            self.assertEqual(http_get(f"{server.http_url}/readyz")[0], 200)
            health = health_pb2_grpc.HealthStub(client.channel)
            for name in ("", "liveness", "a", *bad):
                answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=PATIENCE_SECONDS)
                self.assertEqual(answer.status == health_pb2.HealthCheckResponse.SERVING, name not in bad, name)

            listed = {m.name: m for m in client.call("ListModels", pb.ListModelsRequest()).models}
            self.assertEqual({name: m.state for name, m in listed.items()},
                             {"a": pb.ModelSummary.READY, "b": pb.ModelSummary.FAILED, "c": pb.ModelSummary.FAILED})
            self.assertEqual(listed["a"].error, "")
            picture = images.u8(images.fashion()[0])
            answer = client.call("Classify", pb.ClassifyRequest(model="a", images=[picture]))
            self.assertEqual(answer.results[0].classes[0].label, "Ankle boot")
            printed = server.ctl("models").stdout
            log = server.log.read_text()
            for name, (version, why) in bad.items():
                self.assertEqual(listed[name].version, version)
                self.assertIn(why, listed[name].error)
                self.assertNotIn("models", listed[name].error, "a path of the server's")
                for method, request in (("GetModel", pb.GetModelRequest(model=name)),
                                        ("Classify", pb.ClassifyRequest(model=name, images=[picture]))):
                    error = client.call(method, request)
                    self.assertEqual((error.code, error.reason), ("UNAVAILABLE", "MODEL_NOT_READY"))
                    self.assertIn(f"model '{name}' version '{version}' could not be loaded: ", error.message)
                    self.assertIn(why, error.message)
                self.assertRegex(printed, rf"{name} +{version} +FAILED .*{why}")
                self.assertRegex(log, rf" E model '{name}' .*{why}")
            self.assertRegex(log, r" W 2 of 3 models could not be loaded")
            self.assertEqual([dict(labels)["model"] for labels in Metrics(server.metrics_url).series["resnetd_model_info"]], ["a"])

    def test_keep_going_with_nothing_to_serve(self):
        for name in ("a", "b"):
            (self.model(f"models/{name}/1") / "labels.txt").write_text("one\n")
        for options, names in ((["--models", self.folder / "models"], "ab"),
                               (["--model", self.folder / "models/b/1/model.onnx"], "b")):
            run = start("--port", 0, "--metrics-port", 0, "--keep-going", *options)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertNotIn(" I serving", run.stderr)
            *each, last = [line for line in run.stderr.splitlines() if re.match(r"\S+ E ", line)]
            self.assertEqual([re.search(r"model '(\w)'", line)[1] for line in each], list(names))
            self.assertEqual(last, run.stderr.splitlines()[-1])
            self.assertIn(f"no model could be loaded; the first: model '{names[0]}'", last)
            self.assertIn("expected 10 labels", last)

    def test_a_lone_file_is_served_as_it_is(self):
        """What it assumes stands in the log."""
        path = images.make_resnet(self.folder / "My Net.onnx", "--arch", "cifar20", "--size", "24")
        options = ["--model", str(path)]
        with RunningServer(*sys.argv[1:3], self.folder, *options) as server, Client(server.address) as client:
            model = client.call("GetModel", pb.GetModelRequest())
            self.assertEqual((model.name, model.version), ("My_Net", "1"))
            self.assertEqual((model.input.height, model.input.channels), (24, 3))
            picture = images.jpeg(np.random.RandomState(1).randint(0, 256, (40, 60, 3), np.uint8))
            answer = client.call("Classify", pb.ClassifyRequest(images=[images.encoded(picture)]))
            self.assertEqual(len(answer.results[0].classes), 5)
            (assumed,) = [line for line in server.log.read_text().splitlines() if "assuming" in line]
            self.assertIn("model My_Net", assumed)
            self.assertIn(model.recipe, assumed)

    def test_recipe_and_labels_by_option(self):
        path = images.make_resnet(self.folder / "net.onnx", "--arch", "cifar20")
        (self.folder / "words.txt").write_text("".join(f"word {i}\n" for i in range(10)))
        run = start("--port", 0, "--metrics-port", 0, "--model", path, "--recipe", "guess")
        self.assert_fails(run, 1, ["--recipe", "guess"])
        options = ["--model", str(path), "--recipe", "cifar10", "--labels", str(self.folder / "words.txt")]
        with RunningServer(*sys.argv[1:3], self.folder, *options) as server, Client(server.address) as client:
            self.assertEqual(client.call("GetModel", pb.GetModelRequest()).labels[9], "word 9")
            self.assertNotIn("assuming", server.log.read_text())

    def test_free_ports_are_named_in_the_log(self):
        log = self.folder / "log"
        with open(log, "w") as file:
            options = ["--port", "0", "--metrics-port", "0", "--lame-duck-ms", "0"]
            process = subprocess.Popen([RESNETD, *options], stderr=file)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        ports = re.compile(r"gRPC on 127.0.0.1:(\d+), metrics and probes on 127.0.0.1:(\d+)")
        grpc_port, http_port = wait_until(lambda: ports.search(log.read_text()), "the ports' line in the log").groups()
        self.assertEqual(http_get(f"http://127.0.0.1:{http_port}/livez"), (200, "ok\n"))
        with Client(f"127.0.0.1:{grpc_port}") as client:
            self.assertEqual(client.call("ListModels", pb.ListModelsRequest()).models[0].name, "fashion-resnet20")

    def test_spinning_is_bounded_where_batches_have_threads(self):
        cases = [((), {}, None), (("--threads", "2"), {}, "1000"), (("--threads", "2"), {"GOMP_SPINCOUNT": "7"}, "7"),
                 (("--threads", "2"), {"OMP_WAIT_POLICY": "passive"}, None)]
        for options, environment, expected in cases:
            with self.subTest(options=options, environment=environment):
                clean = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
                with mock.patch.dict(os.environ, clean | environment, clear=True):
                    with RunningServer(*sys.argv[1:3], self.folder, *options) as server:
                        text = pathlib.Path(f"/proc/{server.process.pid}/environ").read_text()
                variables = dict(v.split("=", 1) for v in text.split("\0") if v)
                self.assertEqual(variables.get("GOMP_SPINCOUNT"), expected)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
