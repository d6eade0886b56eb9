"""What several tests here share."""

from pathlib import Path
from typing import Any

import numpy as np

from magenet.enhancement.page.writer import PageEntry, PageWriter


def entry(name: str = "a.jpg", verdict: str = "ok", **changes: Any) -> PageEntry:
    before = np.full((60, 80, 3), (200, 0, 0), np.uint8)
    after = np.full((60, 80, 3), (0, 0, 200), np.uint8)
    uncertainty = np.full((15, 20), 16 / 255, np.float32)
    whole = PageEntry(name, "enhanced", verdict, "", before, after, uncertainty, {"seconds": 1.5})
    return whole._replace(**changes)


def missing(name: str, status: str) -> PageEntry:
    return PageEntry(name, status, "", "cannot be read", None, None, None, {})


def written(path: Path, *entries: PageEntry) -> str:
    with PageWriter(path) as page:
        for one in entries:
            page.add(one)
    return path.read_text(encoding="utf-8")
