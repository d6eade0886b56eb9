"""What pages show in blocks: commands of the shell, Python, and files."""

import re
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

FOLDERS = ("", "docs", "magenet/weights/*", "experiments/**")
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in FOLDERS
    for path in sorted(ROOT.glob(f"{folder}/*.md".lstrip("/")))
}
"""The pages of the project by their names."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:\A|(?<=\n\n))(?: {4}.*\n)+")
COMMENT = re.compile(r"(?:^|\s+)#.*$", re.MULTILINE)
FILE = re.compile(r"# (\w+\.(?:py|yaml))\n")
SHELL = {"", "bash", "sh", "console"}


class Block(NamedTuple):
    """A block of a page: commands (`shell`), `python`, a `file` with its name, or other text."""

    kind: str
    text: str
    name: str = ""


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text() + "\n"
    found = [(m.start(), _fenced(m[1], m[2])) for m in FENCE.finditer(text)]
    plain = FENCE.sub(lambda match: "." * len(match[0]), text)
    found += [(m.start(), Block("shell", m[0])) for m in INDENTED.finditer(plain)]
    return [block for _, block in sorted(found)]


def commands(text: str) -> list[str]:
    """Return the commands of a block, each on one line and without comments."""
    joined = COMMENT.sub("", text).replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in joined.splitlines()]
    return [line for line in lines if line]


def _fenced(language: str, text: str) -> Block:
    named = FILE.match(text)
    if named:
        return Block("file", text, named[1])
    return Block("shell" if language in SHELL else language, text)
