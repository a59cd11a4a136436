"""The documents agree with the tree: links lead somewhere, the map of the folders is whole, error reasons are the code's.

What of the README needs a running server is in readme_test.py.
"""

import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)", re.DOTALL)


def anchor(heading: str) -> str:
    """As the hosting platforms make it: lower case, punctuation dropped, spaces to hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def stubs(text: str, name: str) -> list[str]:
    """Comments that open on "What ..." or "Of ...", which must be read twice: the subject and the verb come late, or never."""
    mark = "//" if name.endswith((".h", ".cc", ".proto")) else "#"
    found, inside = [], False
    for number, line in enumerate(text.splitlines(), 1):
        comment = re.match(rf"\s*{mark} (.*)", line)
        if comment and not inside and re.match(r"(What|Of)\b(?!.*\?)", comment[1]):
            found.append(f"{name}:{number}: {comment[1]}")
        inside = comment is not None
    return found


def dead_links(document: pathlib.Path) -> list[str]:
    dead = []
    for link in LINK.findall(document.read_text()):
        if re.match(r"https?://", link):
            continue
        path, _, fragment = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists():
            dead.append(link)
        elif fragment:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            if fragment not in map(anchor, headings):
                dead.append(link)
    return dead


class Documents(unittest.TestCase):
    def test_links(self):
        documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("models/**/*.md")]
        self.assertGreaterEqual(len(documents), 10)
        for document in documents:
            with self.subTest(document.relative_to(ROOT)):
                self.assertEqual(dead_links(document), [])

    def test_a_dead_link_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text("# A `heading`, here\n[a](page.md) [b](#a-heading-here) [c](gone.md) [d](#gone)\n")
            self.assertEqual(dead_links(page), ["gone.md", "#gone"])

    def test_comments_open_on_a_subject(self):
        patterns = ["*.h", "*.cc", "*.proto", "*.py", "*.sh", "*.cmake", "*CMakeLists.txt"]
        listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        self.assertEqual([stub for name in listed.split() for stub in stubs((ROOT / name).read_text(), name)], [])

    def test_a_stub_is_found(self):
        text = "// Of no images there is no share.\nint a;  // of one\n// A share\n// Of what?\n\n  // What is sent.\n"
        self.assertEqual(stubs(text, "a.h"), ["a.h:1: Of no images there is no share.", "a.h:6: What is sent."])

    def test_every_page_is_linked(self):
        linked = "".join(path.read_text() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
        for page in ROOT.glob("docs/**/*.md"):
            self.assertRegex(linked, rf"\((docs/)?{page.relative_to(ROOT / 'docs')}[)#]")

    def test_the_map_names_every_folder(self):
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        folders = {line.split("/")[0] for line in listed.splitlines() if "/" in line and not line.startswith(".")}
        section = (ROOT / "README.md").read_text().split("\n## Folders\n")[1].split("\n## ")[0]
        named = set(re.findall(r"^\| \[(\w+)/\]", section, re.MULTILINE))
        self.assertEqual(named, folders)

    def test_error_reasons(self):
        in_code = set(re.findall(r'char k\w+\[\] = "([A-Z_]+)"', (ROOT / "server/edge/error.h").read_text()))
        in_code |= {name.upper() for name in re.findall(r'"([a-z_]+)"', self.rejections())}
        self.assertGreater(len(in_code), 15)
        section = (ROOT / "docs/edge.md").read_text().split("\n## Errors\n")[1].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
        named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
        self.assertEqual(named, in_code)

    def test_nothing_is_looked_for_outside_of_the_repository(self):
        """What lies beside a checkout is CI's to know (.ci/run)."""
        listed = subprocess.run(["git", "ls-files", "-z", "*CMakeLists.txt", "cmake", "scripts", "tests", "bench", "tools"], cwd=ROOT,
                                check=True, capture_output=True, text=True).stdout
        files = [ROOT / name for name in listed.split("\0") if name.endswith((".txt", ".cmake", ".sh", ".py", ".cc", ".h"))]
        self.assertGreater(len(files), 200)
        beside = re.compile(r"\{(CMAKE|PROJECT)_SOURCE_DIR\}/\.\.|\.\./" + "shared")
        self.assertEqual([str(file.relative_to(ROOT)) for file in files if beside.search(file.read_text(errors="replace"))], [])

    def rejections(self) -> str:
        return (ROOT / "server/edge/gate.cc").read_text().split("kNames = {")[1].split("};")[0]


if __name__ == "__main__":
    unittest.main()
