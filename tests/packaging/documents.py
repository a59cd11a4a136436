"""Commands as documents have them, for tests that run them."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The commands have these for a server's address and an image.
ADDRESS = "127.0.0.1:8500"
PHOTO = "photo.jpg"


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def readme() -> str:
    return (ROOT / "README.md").read_text()


def block_of_readme(language: str, holding: str) -> str:
    """The one block of the README in a language that holds this text."""
    (found,) = [block for block in blocks(readme(), language) if holding in block]
    return found


def section(document: str, title: str) -> str:
    """What stands below a heading of the second level of a document in docs/."""
    return (ROOT / "docs" / document).read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]
