"""`cmake --install` puts programs, clients' files and documents where GNUInstallDirs says, and what is there works.

    install_test.py CMAKE BUILD
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from documents import ROOT
from PIL import Image
from running_server import RunningServer

CMAKE, BUILD = sys.argv[1:3]
# Sample image -> the class that the embedded model sees in it.
SAMPLES = {"ankle-boot.png": "Ankle boot", "trousers.png": "Trouser"}


def install(prefix: str, **environment: str) -> None:
    subprocess.run([CMAKE, "--install", BUILD, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.prefix = cls.folder / "prefix"
        install(str(cls.prefix))
        cls.data = cls.prefix / "share/resnetd"

    def test_the_programs_work(self):
        version = subprocess.run([ROOT / "scripts/version.sh"], check=True, capture_output=True, text=True).stdout.strip()
        for program in ("resnetd", "resnetctl"):
            run = subprocess.run([self.prefix / "bin" / program, "--version"], check=True, capture_output=True, text=True)
            self.assertEqual(run.stdout, f"{program} {version}\n")
        with RunningServer(self.prefix / "bin/resnetd", self.prefix / "bin/resnetctl", self.folder) as server:
            run = server.ctl("--json", "classify", str(self.data / "samples"))
        self.assertEqual(run.returncode, 0, run.stderr)
        answers = {pathlib.Path(a["image"]).name: a["classes"][0] for a in json.loads(run.stdout)}
        self.assertEqual({name: best["label"] for name, best in answers.items()}, SAMPLES)
        self.assertGreater(min(best["score"] for best in answers.values()), 0.9)

    def test_nothing_of_the_build_is_needed(self):
        for program in ("resnetd", "resnetctl"):
            run = subprocess.run(["ldd", self.prefix / "bin" / program], check=True, capture_output=True, text=True)
            self.assertNotIn(BUILD, run.stdout)
            self.assertNotIn("not found", run.stdout)

    def test_clients_find_what_they_start_from(self):
        self.assertEqual((self.data / "service_config.json").read_text(), (ROOT / "clients/service_config.json").read_text())
        protos = {str(path.relative_to(self.data / "proto")) for path in (self.data / "proto").rglob("*") if path.is_file()}
        self.assertEqual(protos, {str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto")})

    def test_the_documents_find_each_other(self):
        documents = self.prefix / "share/doc/resnetd"
        for document in (documents / "docs").glob("*.md"):
            for link in re.findall(r"\]\(([\w./-]+\.(?:md|svg))[#)]", document.read_text()):
                target = (document.parent / link).resolve()
                if (documents / "docs") in target.parents:
                    self.assertTrue(target.is_file(), f"{document.name}: {link}")
        for name in ("README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"):
            self.assertTrue((documents / name).is_file(), name)

    def test_a_package_is_staged_by_destdir(self):
        install("/usr", DESTDIR=str(self.folder / "stage"))
        self.assertTrue((self.folder / "stage/usr/bin/resnetd").is_file())

    def test_the_samples_are_what_their_script_draws(self):
        drawn = self.folder / "drawn"
        subprocess.run([ROOT / "tools/draw_samples.py", "--out", drawn], check=True)
        for name in SAMPLES:
            # The files themselves depend on the version of zlib.
            with Image.open(drawn / name) as ours, Image.open(ROOT / "clients/samples" / name) as shipped:
                self.assertEqual((ours.size, ours.mode, ours.tobytes()), (shipped.size, shipped.mode, shipped.tobytes()), name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
