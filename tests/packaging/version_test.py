"""The version has one place, project() in CMakeLists.txt. scripts/version.sh writes it into the files that cannot take it from
there; these files agree, and no other file repeats it."""

import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Each file that holds the version, and the text that it stands in.
PLACES = {
    "CMakeLists.txt": "project(resnetd VERSION {} ",
    "Dockerfile": 'org.opencontainers.image.version="{}"',
    "deploy/kubernetes/kustomization.yaml": "    newTag: {}\n",
    "CHANGELOG.md": "\n## {}, unreleased\n",
}


def run(root: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([root / "scripts/version.sh", *arguments], capture_output=True, text=True)


class Version(unittest.TestCase):
    def setUp(self):
        self.version = run(ROOT).stdout.strip()
        self.assertRegex(self.version, r"^\d+\.\d+\.\d+$")

    def assert_places_have(self, root: pathlib.Path, version: str):
        for name, text in PLACES.items():
            with self.subTest(name):
                self.assertIn(text.format(version), (root / name).read_text())

    def test_the_files_agree(self):
        self.assert_places_have(ROOT, self.version)

    def test_the_script_sets_it_everywhere(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder)
            for name in [*PLACES, "scripts/version.sh"]:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, copy / name)
            for version in ("12.34.56", "0.2.0"):
                self.assertEqual(run(copy, version).returncode, 0)
                self.assert_places_have(copy, version)
                self.assertEqual(run(copy).stdout, version + "\n")
            for wrong in ("1.2", "v1.2.3", "1.2.3-rc1"):
                self.assertEqual(run(copy, wrong).returncode, 2)
            self.assertEqual(run(copy).stdout, "0.2.0\n")

    def test_no_other_file_repeats_it(self):
        # Other packages' versions may be the same by chance: pins (==) are theirs.
        own = re.compile(rf"(?<![\w.=]){re.escape(self.version)}(?![\w.])")
        listed = subprocess.run(["git", "grep", "-lIF", self.version], cwd=ROOT, capture_output=True, text=True).stdout.split()
        repeating = {name for name in listed if own.search((ROOT / name).read_text())}
        self.assertEqual(repeating, set(PLACES))


if __name__ == "__main__":
    unittest.main()
