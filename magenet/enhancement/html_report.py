"""One page that shows what was done to every photograph: pictures, uncertainty, a table."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import math
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from magenet.errors import UserError

SIDE = 1024
"""Longest side of a photograph on the page, in pixels (our choice): a page of 500 still loads."""

QUALITY = 85
"""JPEG quality on the page (our choice)."""

HEAT_SIDE = 256
"""Longest side of an uncertainty map on the page, in pixels (our choice): it is smooth."""

HEAT = np.array(
    [
        (0, 30, 60, 220, 0.0),
        (4, 30, 60, 220, 0.12),
        (12, 20, 130, 255, 0.55),
        (22, 40, 210, 245, 0.78),
        (32, 235, 255, 255, 0.92),
    ]
)
"""Expected error in grey levels of 255, with the red, green, blue and opacity that show it.

The scale is one for all photographs, so that they can be compared (our choice): clear where the
network is sure, then blue to white, which no retina is.
"""

ENTRIES = "<!-- entries -->"
"""Mark of the template that the photographs replace."""


class Entry(NamedTuple):
    """Tell of one photograph.

    Args:
        name: What the page calls it.
        status: `enhanced`, `refused` or `failed`.
        verdict: `ok`, `check` or `abstain`; empty where nothing was enhanced.
        reason: For the status or the verdict, in plain text; may be empty.
        before: The photograph as taken, uint8 `(H, W, 3)`, of any size.
        after: The same enhanced.
        uncertainty: Expected absolute error in [0, 1], float32 `(h, w)`, of any size, 0 outside
            the field.
        facts: Columns of the table by name; a number that is not finite leaves its cell empty.
    """

    name: str
    status: str
    verdict: str
    reason: str
    before: NDArray[np.uint8] | None
    after: NDArray[np.uint8] | None
    uncertainty: NDArray[np.float32] | None
    facts: Mapping[str, float | int | str]


class PageWriter:
    """Write the page, one HTML file that needs no other, a photograph at a time.

    A photograph is on disk as soon as it is added, so that memory does not grow with their
    number. Until `close` the file is `.<name>.part`: a run that stops early leaves no page that
    passes for a whole one. As a context manager it closes the page, or discards it after an
    exception.

    Args:
        path: Where to write, in a folder that exists.

    Raises:
        UserError: If it cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with PageWriter(Path(folder, "page.html")) as page:
        ...         page.add(Entry("a.jpg", "failed", "", "cannot be read", None, None, None, {}))
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['page.html']
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.is_dir():  # to be told now, not after the last photograph
            raise UserError(f"{path}: cannot be written (it is a folder)")
        self.part = self.path.with_name(f".{self.path.name}.part")
        self.count = 0
        head, self.tail = _template().split(ENTRIES)
        try:
            self.stream = self.part.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise self._cannot(error) from None
        self._write(head)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exception is None:
            self.close()
        else:
            self.discard()

    def add(self, entry: Entry) -> None:
        """Put a photograph on the page.

        Args:
            entry: The photograph.

        Raises:
            UserError: If the page cannot be written; what there was of it is gone.
        """
        pictures = {
            "before": None if entry.before is None else _photograph(entry.before),
            "after": None if entry.after is None else _photograph(entry.after),
            "uncertainty": None if entry.uncertainty is None else _heat_map(entry.uncertainty),
        }
        mark = f"entry-{self.count}"
        text = f'<script type="application/json" id="{mark}">{_description(entry)}</script>\n'
        for kind, picture in pictures.items():
            if picture is not None:
                # A block of data: the browser decodes a picture only when it is looked at.
                text += f'<script type="text/plain" id="{mark}-{kind}">{picture}</script>\n'
        self._write(text)
        self.count += 1

    def close(self) -> None:
        """Finish the page, and give it its name.

        Raises:
            UserError: If it cannot be written; what there was of it is gone.
        """
        if self.stream.closed:
            return
        self._write(self.tail)
        try:
            self.stream.close()
            self.part.replace(self.path)
        except OSError as error:
            self.discard()
            raise self._cannot(error) from None

    def discard(self) -> None:
        """Remove what there is of a page that was not closed."""
        with contextlib.suppress(OSError):  # a full disk refuses once more what is left to write
            self.stream.close()
        with contextlib.suppress(OSError):
            self.part.unlink()

    def _write(self, text: str) -> None:
        """Write to disk."""
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as error:
            self.discard()
            raise self._cannot(error) from None

    def _cannot(self, error: OSError) -> UserError:
        """Return what to tell a person."""
        return UserError(f"{self.path}: cannot be written ({error.strerror or error})")


def _template() -> str:
    """Return the page without photographs."""
    page = (files("magenet.enhancement") / "html_report.html").read_text(encoding="utf-8")
    script = re.search("<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None  # it is ours
    # The browser runs this one script and no other, should a name ever get past the escaping.
    script_hash = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    top = HEAT[-1, 0]
    stops = ", ".join(
        f"rgb({red:g} {green:g} {blue:g} / {opacity:.0%}) {level / top:.1%}"
        for level, red, green, blue, opacity in HEAT
    )
    known = {
        "HASH": script_hash, "HEAT": stops, "MIDDLE": f"{top / 2:g}", "TOP": f"{top:g}",
        "SIDE": f"{SIDE}",
    }  # fmt: skip
    return re.sub("@([A-Z]+)@", lambda match: known[match[1]], page)


def _description(entry: Entry) -> str:
    """Return an entry's words and numbers as JSON that cannot end the script block it is in."""
    facts = {
        name: _number(value) if not isinstance(value, str) else value
        for name, value in entry.facts.items()
    }
    words = {"name": entry.name, "status": entry.status, "verdict": entry.verdict}
    # ASCII alone: a file name that is no valid Unicode cannot be written otherwise.
    text = json.dumps(words | {"reason": entry.reason, "facts": facts}, allow_nan=False)
    return text.replace("<", "\\u003c")


def _number(value: float) -> float | None:
    """Return a number, NumPy's too, as JSON knows it: not a finite one, nothing."""
    if isinstance(value, int):
        return value
    return float(value) if math.isfinite(value) else None


def _photograph(pixels: NDArray[np.uint8]) -> str:
    """Return a reduced copy of a photograph."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    return _address(picture, "jpeg", quality=QUALITY)


def _heat_map(uncertainty: NDArray[np.float32]) -> str:
    """Return the colours of an uncertainty map."""
    small = Image.fromarray(uncertainty)
    small.thumbnail((HEAT_SIDE, HEAT_SIDE))  # before it has colours: those do not average
    levels = 255 * np.asarray(small)
    channels = [np.interp(levels, HEAT[:, 0], column) for column in HEAT[:, 1:].T]
    channels[3] *= 255
    return _address(Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8)), "png")


def _address(picture: Image.Image, kind: str, **options: Any) -> str:
    """Return a picture as the address that a page shows it by."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
