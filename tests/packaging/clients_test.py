"""Clients in other languages start from the documents alone: stubs are generated and compiled, and call a real server.

    clients_test.py LANGUAGE RESNETD RESNETCTL
    clients_test.py LANGUAGE stubs             the stubs and the example that uses them, compiled: nothing is called

The commands are docs/clients.md's and the README's, run in a copy of what they need under build/clients/LANGUAGE, with that
language's caches beside it. Where the toolchain is missing or its registry cannot be reached, one line on stderr says so and the
status is 77.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from documents import ADDRESS, PHOTO, ROOT, block_of_readme, blocks, section
from google.protobuf import descriptor_pb2
from running_server import RunningServer

SKIPPED = 77
# The package managers say this when nobody answers. A registry that answers "no such version" is a failure of ours.
UNREACHABLE = re.compile(
    r"no such host|dial tcp|i/o timeout|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|Unknown host"
    r"|name resolution|Name or service not known|Network is unreachable|Failed to establish a new connection"
    r"|Connection timed out|Connect timed out"
)


def files_of(descriptor_set: bytes) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    return {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file}


def differences(ours, published, where: str = "") -> list[str]:
    """What a file or message of ours has otherwise than the published one, of which it may be a part."""
    found = [] if ours.options == published.options else [f"{where}options: {ours.options} != {published.options}"]
    fields = {field.name: field for field in getattr(published, "field", [])}
    for field in getattr(ours, "field", []):
        if field != fields.get(field.name):
            found.append(f"{where}{field.name}: {field} != {fields.get(field.name)}")
    messages = "nested_type" if hasattr(ours, "nested_type") else "message_type"
    known = {message.name: message for message in getattr(published, messages)}
    for message in getattr(ours, messages):
        inner = f"{where}{message.name}."
        found += differences(message, known[message.name], inner) if message.name in known else [f"{inner} unknown"]
    return found


class Client:
    """What the languages share: the environment, a server with an image to send it, good and bad calls."""

    language: str  # the name of its folder in clients/examples
    title: str  # its heading in docs/clients.md
    tools: tuple[str, ...] = ()

    @classmethod
    def prepare(cls):
        for tool in cls.tools:
            if shutil.which(tool) is None:
                raise unittest.SkipTest(f"{tool} is not installed")
        cls.home = ROOT / "build/clients" / cls.language
        cls.tree = cls.home / "tree"
        cls.cache = cls.home / "cache"
        shutil.rmtree(cls.tree, ignore_errors=True)
        for folder in ("proto", f"clients/examples/{cls.language}"):
            shutil.copytree(ROOT / folder, cls.tree / folder, ignore=shutil.ignore_patterns(*cls.made()))
        cls.env = os.environ | {"no_grpc_proxy": "127.0.0.1"} | cls.environment()

    @classmethod
    def setUpClass(cls):
        cls.prepare()
        cls.build()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        subprocess.run([ROOT / "tools/fashion_mnist_png.py", "--out", cls.folder, "--per-class", "1"], check=True)
        # The first test image is an ankle boot. What a file is called does not matter to the server.
        cls.photo = (cls.folder / "00000.png").rename(cls.folder / PHOTO)
        cls.server = cls.enterClassContext(RunningServer(sys.argv[2], sys.argv[3], cls.folder))

    @staticmethod
    def made() -> list[str]:
        """What the commands would have made in the checkout: of no use to the copy."""
        ignored = (ROOT / "clients/examples/.gitignore").read_text().split()
        return [pathlib.PurePath(name).name for name in ignored]

    @classmethod
    def environment(cls) -> dict[str, str]:
        return {}

    @classmethod
    def commands(cls) -> tuple[str, str]:
        """How to build and how to call, as docs/clients.md says."""
        build, call = blocks(section("clients.md", cls.title), "sh")
        return build, call

    @classmethod
    def build(cls):
        cls.fetch(cls.commands()[0])

    @classmethod
    def fetch(cls, commands: str):
        """Runs what needs a registry; skips the language if none is reached."""
        run = cls.run_commands(commands, timeout=1500)
        if run.returncode != 0:
            if UNREACHABLE.search(run.stdout + run.stderr):
                raise unittest.SkipTest("its packages cannot be fetched")
            raise AssertionError(f"{commands}\n{run.stdout}{run.stderr}")

    @classmethod
    def run_commands(cls, commands: str, timeout: int = 120) -> subprocess.CompletedProcess:
        return subprocess.run(["bash", "-euc", commands], cwd=cls.tree, env=cls.env, capture_output=True, text=True,
                              timeout=timeout)

    def call(self, file: pathlib.Path, commands: str = "") -> subprocess.CompletedProcess:
        commands = commands or self.commands()[1]
        return self.run_commands(commands.replace(ADDRESS, self.server.address).replace(PHOTO, str(file)))

    def check_classes(self, run: subprocess.CompletedProcess):
        self.assertEqual(run.returncode, 0, run.stderr)
        lines = run.stdout.splitlines()
        self.assertRegex(lines[0], r"^ *\d+\.\d%  Ankle boot$")
        self.assertEqual(len([line for line in lines if "%" in line]), 3, run.stdout)

    def test_a_photo_is_classified(self):
        self.check_classes(self.call(self.photo))

    def test_details_of_an_error_are_read(self):
        """They arrive as types that the language's own package has published, which our stubs live beside."""
        bad = self.folder / "no-image.txt"
        bad.write_text("no image")
        run = self.call(bad)
        self.assertEqual(run.returncode, 1, run.stderr)
        lines = run.stderr.splitlines()
        self.assertIn("images[0].encoded: expected a JPEG, PNG or WebP file", lines[0])
        self.assertEqual([line for line in lines if re.match("(reason|field): ", line)],
                         ["reason: BAD_IMAGE", "field: images[0].encoded"])


class Python(Client, unittest.TestCase):
    language = "python"
    title = "Python"
    tools = ("python3",)
    PYTHON = "build/client/bin/python"

    @classmethod
    def environment(cls) -> dict[str, str]:
        constraints = ROOT / "tests/packaging/client-constraints.txt"
        return {"PIP_CONSTRAINT": str(constraints), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    @classmethod
    def build(cls):
        *make, cls.readme_call = block_of_readme("sh", "call.py").splitlines()
        cls.fetch("\n".join(make))
        super().build()

    def test_the_example_of_the_readme(self):
        program = block_of_readme("python", "call.py").replace(ADDRESS, self.server.address)
        (self.tree / "call.py").write_text(program)
        run = self.call(self.photo, self.readme_call)
        self.assertRegex(run.stdout, r"\n\d+ features in \d+\.\d+ ms\n$", run.stderr)
        self.check_classes(run)

    def compiled(self, folder: str) -> dict[str, descriptor_pb2.FileDescriptorProto]:
        """The files of google.rpc that we have a copy of, as they are below a folder."""
        run = self.run_commands(f"{self.PYTHON} -m grpc_tools.protoc -I {folder} --descriptor_set_out=set.bin"
                                " google/rpc/status.proto google/rpc/error_details.proto")
        self.assertEqual(run.returncode, 0, run.stderr)
        return files_of((self.tree / "set.bin").read_bytes())

    def published(self) -> dict[str, descriptor_pb2.FileDescriptorProto]:
        return self.compiled("build/client/lib/python3*/site-packages")

    def test_our_copies_are_the_published_types(self):
        ours, published = self.compiled("proto"), self.published()
        self.assertEqual(sorted(ours), ["google/rpc/error_details.proto", "google/rpc/status.proto"])
        for name, file in ours.items():
            self.assertEqual(differences(file, published[name]), [], name)

    def test_a_wrong_copy_is_found(self):
        published = self.published()["google/rpc/error_details.proto"]
        for spoil, found in (
            (lambda file: file.options.ClearField("go_package"), "options: "),
            (lambda file: setattr(file.message_type[0], "name", "Other"), "Other. unknown"),
            (lambda file: setattr(self.field_of_violation(file), "number", 7), "BadRequest.FieldViolation.field: "),
            (lambda file: setattr(self.field_of_violation(file), "type", 12), "BadRequest.FieldViolation.field: "),
        ):
            file = descriptor_pb2.FileDescriptorProto()
            file.CopyFrom(published)
            spoil(file)
            (difference,) = differences(file, published)
            self.assertTrue(difference.startswith(found), difference)

    @staticmethod
    def field_of_violation(file):
        (request,) = [message for message in file.message_type if message.name == "BadRequest"]
        return request.nested_type[0].field[0]


class Go(Client, unittest.TestCase):
    language = "go"
    title = "Go"
    tools = ("go", "protoc")
    GRPCURL = "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3"

    @classmethod
    def environment(cls) -> dict[str, str]:
        return {"GOPATH": str(cls.cache / "path"), "GOCACHE": str(cls.cache / "build"), "GOENV": "off",
                # The cache can be deleted with the folder; the copy is no checkout.
                "GOFLAGS": "-modcacherw -buildvcs=false"}

    @classmethod
    def build(cls):
        super().build()
        cls.fetch(f"go install {cls.GRPCURL}")

    def test_stubs_in_a_module_of_their_own(self):
        """What docs/clients.md says of modules that share the stubs, with both files of ours."""
        run = self.run_commands(
            """
            example=clients/examples/go
            mkdir stubs
            protoc -I proto --plugin=$example/bin/protoc-gen-go --plugin=$example/bin/protoc-gen-go-grpc \
              --go_out=stubs --go_opt=module=resnetd.dev/go --go-grpc_out=stubs --go-grpc_opt=module=resnetd.dev/go \
              resnetd/v1/inference.proto resnetd/v1/model_config.proto
            cp $example/go.mod $example/go.sum stubs
            (cd stubs && go mod edit -module resnetd.dev/go && go build ./...)
            mkdir app
            cp $example/go.mod $example/go.sum app
            sed 's#example.com/classify/resnetdv1#resnetd.dev/go/resnetd/v1#' $example/main.go >app/main.go
            cd app
            go mod edit -require resnetd.dev/go@v0.0.0 -replace resnetd.dev/go=../stubs
            go build -o classify .
            """,
            timeout=600,
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        self.check_classes(self.call(self.photo, f"app/classify {ADDRESS} {PHOTO}"))

    def grpcurl(self, commands: str) -> str:
        run = self.call(self.photo, f"PATH={self.cache}/path/bin:$PATH\n{commands}")
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def test_grpcurl_classifies(self):
        self.assertIn('"label": "Ankle boot"', self.grpcurl(block_of_readme("sh", "grpcurl")))

    def test_grpcurl_asks_for_health(self):
        (commands,) = blocks(section("clients.md", "grpcurl"), "sh")
        self.assertEqual(self.grpcurl(commands).count('"status": "SERVING"'), 2)

    def test_grpcurl_describes_each_service(self):
        services = self.grpcurl(f"grpcurl -plaintext {ADDRESS} list").split()
        self.assertIn("grpc.health.v1.Health", services)
        for service in services:
            self.assertIn("is a service:", self.grpcurl(f"grpcurl -plaintext {ADDRESS} describe {service}"))


class Java(Client, unittest.TestCase):
    language = "java"
    title = "Java"
    tools = ("java", "javac", "mvn")

    @classmethod
    def environment(cls) -> dict[str, str]:
        return {"MAVEN_OPTS": f"-Dmaven.repo.local={cls.cache}"}


class TypeScript(Client, unittest.TestCase):
    language = "typescript"
    title = "TypeScript"
    tools = ("node", "npm", "protoc")

    @classmethod
    def environment(cls) -> dict[str, str]:
        return {"npm_config_cache": str(cls.cache), "npm_config_update_notifier": "false"}


def stubs_of(client: type[Client]) -> type[unittest.TestCase]:
    class Stubs(unittest.TestCase):
        def test_they_compile(self):
            client.prepare()
            client.fetch(client.commands()[0])

    return Stubs


def main() -> int:
    (case,) = [case for case in (Python, Go, Java, TypeScript) if case.language == sys.argv[1]]
    title = case.title
    if sys.argv[2] == "stubs":
        case = stubs_of(case)
    result = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    if not result.wasSuccessful():
        return 1
    if result.skipped:
        print(f"NO {title.upper()} CLIENT WAS TRIED: {result.skipped[0][1]}", file=sys.stderr)
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
