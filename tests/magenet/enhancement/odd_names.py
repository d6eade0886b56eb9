"""Names of files that differ in characters which addresses treat differently."""

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

NAMES = [
    "a#1.png", "a%231.png", "a 1.png", "a%201.png", "a?1.png", "a\"'1.png", "a&amp;1.png",
    "javascript:alert(1).png", "\u00fc.png", os.fsdecode(b"\xff.png"), "<b>.png",
]  # fmt: skip


def linked(page: Path, address: str) -> Path:
    """Return the file that a browser opens for an address on a page."""
    whole = urlsplit(urljoin(page.as_uri(), address))
    assert not whole.query
    assert not whole.fragment
    return Path(os.fsdecode(unquote_to_bytes(whole.path)))
