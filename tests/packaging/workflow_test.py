"""The workflow for GitHub Actions, read and not run: actionlint finds nothing, foreign actions stand at one commit each, the scripts
it calls are there. Exit status 77 where actionlint cannot be had (scripts/actionlint.sh says why)."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
NOT_READ = 77


def actionlint(*files: pathlib.Path) -> subprocess.CompletedProcess:
    return subprocess.run([ROOT / "scripts/actionlint.sh", *files], capture_output=True, text=True)


class Workflow(unittest.TestCase):
    def test_actionlint_finds_nothing(self):
        self.assertGreater(len(WORKFLOWS), 0)
        found = actionlint(*WORKFLOWS)
        self.assertEqual(found.returncode, 0, found.stdout + found.stderr)

    def test_actionlint_finds_what_is_planted(self):
        text = (ROOT / ".github/workflows/ci.yml").read_text()
        for right, wrong in (("matrix.debian", "matrix.distribution"), ("runs-on", "run-on"), ("contents: read", "contents: look"),
                             ("github.sha }}", "github.sha }")):
            with self.subTest(wrong), tempfile.TemporaryDirectory() as folder:
                self.assertIn(right, text)
                planted = pathlib.Path(folder) / "ci.yml"
                planted.write_text(text.replace(right, wrong))
                self.assertEqual(actionlint(planted).returncode, 1)

    def test_actions_stand_at_a_commit_and_write_nothing(self):
        for path in WORKFLOWS:
            text = path.read_text()
            for used in re.findall(r"uses: (.*)", text):
                self.assertRegex(used, r"^[\w/-]+@[0-9a-f]{40}  # v[\d.]+$")
            self.assertEqual(re.findall(r"^permissions:\n((?:  .*\n)+)", text, re.MULTILINE), ["  contents: read\n"])
            self.assertNotIn(": write", text)
            self.assertEqual(text.count("persist-credentials: false"), text.count("actions/checkout@"))

    def test_scripts_and_presets_are_there(self):
        presets = set(re.findall(r'"name": "(\w+)"', (ROOT / "CMakePresets.json").read_text()))
        for path in WORKFLOWS:
            text = path.read_text()
            scripts = re.findall(r"run: (scripts/\S+)", text)
            self.assertIn("scripts/test.sh", scripts)
            for script in scripts:
                self.assertTrue((ROOT / script).is_file(), script)
            self.assertLessEqual(set(re.findall(r"--preset (\w+)", text)), presets)


if __name__ == "__main__":
    first = actionlint(*WORKFLOWS)
    if first.returncode == NOT_READ:
        print(first.stderr, end="")
        sys.exit(NOT_READ)
    unittest.main()
